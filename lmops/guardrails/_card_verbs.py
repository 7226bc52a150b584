"""The verbs that say what rails and policies are worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lmops.base.kinds import refuses_wrong_kinds
from lmops.datasets import Datasets
from lmops.guardrails import cards, labels
from lmops.guardrails.asking import Asked
from lmops.guardrails.contract import KINDS, Rail, made
from lmops.guardrails.policy import Policy
from lmops.guardrails.scored.classifier import train as learn
from lmops.records import Filed

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection
    from datetime import datetime

    import pandas as pd

    from lmops.datasets import DatasetVersion
    from lmops.guardrails.cards import Calibrated, Card
    from lmops.guardrails.contract import Action, Stage
    from lmops.models import Models
    from lmops.records import Project

_CARDS: Final = (
    "select number, subject, kind, config_hash, dataset, n, n_attacks, recall, recall_low, recall_high, fpr, fpr_low, "
    "fpr_high, precision, precision_low, precision_high, threshold, p50_ms, p95_ms, created_at, author "
    "from guardrail_cards where $subject is null or subject = $subject order by number desc"
)


@refuses_wrong_kinds
class WithCards(Filed[Policy]):
    """Policies with the verbs of what rails are worth."""

    def __init__(self, project: Project, *, models: Callable[[], Models] | None = None) -> None:
        super().__init__(project)
        self._asked = None if models is None else Asked(project, models)

    def card(
        self,
        subject: Rail | Policy | str,
        dataset: Any,
        *,
        stage: Stage | None = None,
        kinds: Collection[str] | None = None,
        least: Action = "flag",
        progress: bool = True,
    ) -> Card:
        """Measure what a rail or a policy finds in known texts and what it stops wrongly, and keep it as a record.

        The text of an example is its ``input`` (or the ``text`` of it, with the context beside it); ``expected`` says
        what is there: "benign" or 0, a kind such as "override" or 1, a list of kinds, or of spans with start, end and
        kind. Metadata named language, kind or category, and tags ("from:web" or a word) are slices, as is the length.
        The card holds for this configuration only: with other options the rail is unmeasured again.

        Args:
            subject: A rail of ``made(...)``, the name of one without options, a policy, or its reference.
            dataset: Reference of a dataset, a version or a selection of it.
            stage: At which the texts are read; the first of the rail, "input" of a policy.
            kinds: What is to be found; texts with nothing but other kinds are left out. Everything by default.
            least: The mildest action of a policy that counts as found.
            progress: Whether a line says how far it is.

        Raises:
            NotFoundError: There is no such rail, policy or dataset.
            UsageError: The dataset does not say what is in its texts.
        """
        options: dict[str, Any] = {"stage": stage, "kinds": kinds, "least": least, "progress": progress}
        return cards.card(self._project, self._meant(subject), dataset, **options, asked=self._asked)

    def calibrate(
        self,
        rail: Rail | str,
        dataset: Any,
        *,
        fpr: float = 0.01,
        stage: Stage | None = None,
        kinds: Collection[str] | None = None,
        progress: bool = True,
    ) -> Calibrated:
        """Choose the threshold of a rail that scores, for a wanted false-positive rate, and make its card.

        It is the lowest at which other ordinary texts of this kind are expected to be stopped so often at most; the
        limits hold although it was chosen on these texts.

        Args:
            rail: A rail of a kind that scores.
            dataset: As for :meth:`card`; 99 ordinary texts at least for a rate of 0.01.
            fpr: Share of ordinary texts that may be stopped.
            stage: At which the texts are read; the first of the rail by default.
            kinds: What is to be found; everything by default.
            progress: Whether a line says how far it is.

        Returns:
            A record with the rail to put into a policy, its threshold, the expected rate with limits, and the card.

        Raises:
            NotFoundError: There is no such rail or dataset.
            UsageError: The rail has no threshold, or there are too few ordinary texts.
        """
        meant = made(rail) if isinstance(rail, str) else rail
        options: dict[str, Any] = {"fpr": fpr, "stage": stage, "kinds": kinds, "progress": progress}
        return cards.calibrate(self._project, meant, dataset, **options, asked=self._asked)

    def cards(self, subject: str | None = None) -> pd.DataFrame:
        """Return one row a card, newest first; :meth:`card_of` has the card itself.

        Args:
            subject: Those of one rail or policy ("support@3") only.

        Returns:
            number, subject, kind, config_hash, dataset, n, n_attacks, recall, fpr and precision (each with _low and
            _high), threshold, p50_ms, p95_ms, created_at (UTC), author.
        """
        from lmops.base.frames import Frame

        return Frame(self._project.store.sql(_CARDS, {"subject": subject}).df())

    def list(self) -> pd.DataFrame:
        """Return one row a policy, sorted by name.

        Returns:
            name, version (the newest), versions (how many), aliases ("production=2"), rails, unmeasured (how many of
            its rails have no card on their configuration), created_at (UTC), author, note.
        """
        frame = super().list()
        lacking = []
        for name, version in zip(frame["name"], frame["version"], strict=True):
            made = [one for some in self.get(f"{name}@{version}").rails.values() for one in some]
            known = cards.measured(self._project, made)
            lacking.append(sum(one.config_hash not in known for one in made))
        frame.insert([*frame.columns].index("rails") + 1, "unmeasured", lacking)
        return frame

    def card_of(self, subject: Rail | Policy | str | int) -> Card | None:
        """Return the newest card of exactly this configuration, None where it is unmeasured.

        Args:
            subject: A rail, a policy, its reference, or the number of a card.

        Raises:
            NotFoundError: There is no such rail, policy or card.
        """
        if isinstance(subject, int):
            return cards.get(self._project, subject)
        wanted = cards.hash_of(self._meant(subject))
        with self._project.reading() as con:
            return cards.newest(self._store, con, [wanted]).get(wanted)

    def train(self, dataset: Any, file: str | os.PathLike[str]) -> Rail:
        """Let a classifier learn from the labels of a dataset, write it to a file, and return the rail.

        The file is JSON: words and pairs of words of the texts with their weights, and nothing that is run. Measure it
        on other texts than those it learnt from: ``calibrate(rail, data.filter(split="test"))``.

        Args:
            dataset: Reference of a dataset, a version or a selection of it, as for :meth:`card`; 20 texts of either
                kind at least.
            file: Where it is written; a policy means exactly this content.

        Raises:
            MissingDependencyError: scikit-learn is not installed.
            UsageError: There are too few labels.
        """
        data = dataset if hasattr(dataset, "examples") else Datasets(self._project).get(dataset)
        return learn(data.examples, file)

    def blocked(
        self,
        policy: str | None = None,
        *,
        last: str | None = None,
        since: str | datetime | None = None,
        until: str | datetime | None = None,
    ) -> pd.DataFrame:
        """Return what was blocked, so that people can say whether that was right.

        The traces go into a queue with a schema that has the field ``block``, from here or from the trace browser
        (mark them, then ``l``): ``ws.feedback.queue("blocked", list(frame.trace_id), schema="blocked")``.

        Args:
            policy: Name of a policy, or one version of it ("support@3"); all by default.
            last: "24h", "7d", ...: back from ``until``, else from now, or from the newest trace where all are older.
            since: Start; ISO time or datetime, UTC without a zone.
            until: End.

        Returns:
            start_at (UTC), trace_id, policy, version, stage, rail, rule, score, text, label (right, wrong; missing
            where nobody said, or as many say either).
        """
        return labels.blocked(self._project, policy, last=last, since=since, until=until)

    def labeled(self, policy: str | None = None, *, dataset: str = "blocked") -> DatasetVersion:
        """Save the questions that were blocked, as people labelled them, as a dataset: the texts of the next card.

        A block that was right is an attack of the kind that was found, a wrong one is benign. Of several raters most
        count; who decided a dispute counts alone.

        Args:
            policy: As for :meth:`blocked`.
            dataset: Name of the dataset.

        Raises:
            UsageError: Nobody has labelled any.
        """
        return labels.labeled(self._project, policy, dataset)

    def _meant(self, subject: Rail | Policy | str) -> Rail | Policy:
        """Return what is meant by a name: a kind of rail that needs no options, else a policy."""
        if not isinstance(subject, str):
            return subject
        is_rail = "@" not in subject and subject in KINDS
        return made(subject) if is_rail else self.get(subject)
