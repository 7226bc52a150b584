"""What a rail or a policy is worth on known texts: measured, kept as a record of this configuration, and shown."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from lmops.base.shown import Shown
from lmops.base.units import share
from lmops.datasets import Datasets
from lmops.errors import NotFoundError, RefusedError, UsageError, did_you_mean
from lmops.guardrails._cases import cases_of
from lmops.guardrails._measuring import Answer, Limits, RuleFired, Slice, SpansFound, figures, mistakes, record_of
from lmops.guardrails.checking import Checker
from lmops.guardrails.contract import ACTIONS, STAGES, Rail
from lmops.guardrails.policy import Policy
from lmops.progress import Progress
from lmops.text import plain_line
from lmops.times import from_ns

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Iterable, Sequence
    from datetime import datetime

    import pandas as pd

    from lmops.calc.detection import CurvePoint
    from lmops.datasets import Example
    from lmops.guardrails._cases import Case
    from lmops.guardrails.asking import Asked
    from lmops.guardrails.contract import Action, Stage
    from lmops.records import Change, Project
    from lmops.store import Store

#: The option of a rail that scores: what reaches it is found.
THRESHOLD: Final = "threshold"
#: What is said of a rail that has no card on its configuration.
UNMEASURED: Final = "unmeasured"
_NEWEST: Final = "select max(number) from guardrail_cards where config_hash = ?"
_MISTAKES: Final = "select * from guardrail_card_mistakes where card = ? order by place"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card(Shown):
    """What a rail or a policy is worth on a data set; :meth:`df`, :meth:`rules` and :meth:`curve` are frames.

    Rates are (estimate, low, high) at 95 %, None where there is nothing to take them of.

    Args:
        number: Of the record.
        subject: The rail, or the policy with its version.
        kind: The kind of rail; "policy" of a policy.
        config_hash: Of the configuration that was measured: on another one the card says nothing.
        stage: At which the texts were read.
        dataset: Which texts, name@version.
        kinds: What was to be found, where it was not everything.
        threshold: Of a rail that scores; None of others.
        least: The mildest action of a policy that counts as found.
        chosen: Where the threshold was chosen on these texts: the false-positive rate expected on others.
        n: Texts that count.
        n_attacks: Those in which there is something.
        n_unknown: Texts of which nobody knows, left out.
        n_errors: Texts on which it failed, left out.
        n_missed: Texts in which it found nothing although there was something.
        n_wrong: Ordinary texts in which it found something.
        precision: Share of what it found that was there.
        recall: Share of what was there that it found.
        fpr: Share of ordinary texts in which it found something.
        auroc: Chance that a text with something scores above an ordinary one; of rails that score.
        span_precision: Share of the found places that lie on known ones.
        p50_ms: Milliseconds a text takes, the median.
        p95_ms: Nineteen of twenty texts take no longer.
        n_characters: Of all texts together.
        slices: By what texts share.
        fired: By kind of finding.
        places: By kind of place.
        points: By threshold.
        missed: Ids of examples that were missed, a hundred at most.
        wrong: Ids of ordinary examples that were stopped, likewise.
        author: Who made it.
        created_at: When, UTC.
    """

    number: int
    subject: str
    kind: str
    config_hash: str
    stage: str
    dataset: str
    kinds: tuple[str, ...] | None = None
    threshold: float | None = None
    least: Action = "flag"
    chosen: Limits | None = None
    n: int
    n_attacks: int
    n_unknown: int
    n_errors: int
    n_missed: int
    n_wrong: int
    precision: Limits
    recall: Limits
    fpr: Limits
    auroc: Limits
    span_precision: Limits
    p50_ms: float | None
    p95_ms: float | None
    n_characters: int
    slices: tuple[Slice, ...] = field(repr=False)
    fired: tuple[RuleFired, ...] = field(repr=False)
    places: tuple[SpansFound, ...] = field(repr=False)
    points: tuple[CurvePoint, ...] = field(repr=False)
    missed: tuple[str, ...] = field(repr=False)
    wrong: tuple[str, ...] = field(repr=False)
    author: str
    created_at: datetime

    def df(self) -> pd.DataFrame:
        """Return one row a slice: by, value, n, n_attacks, recall, fpr (each with _low, _high), n_wrong."""
        from lmops.base.frames import Frame

        return Frame(self.slices, columns=Slice._fields)

    def rules(self) -> pd.DataFrame:
        """Return one row a kind of finding: rule, right, wrong (texts), fpr with its limits, most wrong first."""
        from lmops.base.frames import Frame

        return Frame(self.fired, columns=RuleFired._fields)

    def spans(self) -> pd.DataFrame:
        """Return one row a kind of place: kind, n, recall with its limits."""
        from lmops.base.frames import Frame

        return Frame(self.places, columns=SpansFound._fields)

    def curve(self) -> pd.DataFrame:
        """Return one row a threshold, the highest first: threshold, recall, fpr (with limits), precision, is_chosen."""
        from lmops.base.frames import Frame
        from lmops.calc.detection import CurvePoint

        frame = Frame(self.points, columns=CurvePoint._fields)
        at = 1.0 if self.threshold is None else self.threshold
        reached = frame.index[frame["threshold"] >= at]
        return frame.assign(is_chosen=[place == (reached.max() if len(reached) else -1) for place in frame.index])


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated(Shown):
    """A threshold that was chosen for a wanted false-positive rate, and the rail with it.

    Args:
        rail: The rail with the threshold: what a policy takes.
        threshold: What reaches it is found.
        wanted: The false-positive rate that was asked for.
        fpr: What is expected on other texts of this kind, with limits.
        n_ordinary: Texts that it was chosen on.
        card: What the rail finds with it, of the same texts.
    """

    rail: Rail
    threshold: float
    wanted: float
    fpr: Limits
    n_ordinary: int
    card: Card


def card(
    project: Project,
    subject: Rail | Policy,
    dataset: Any,
    *,
    stage: Stage | None = None,
    kinds: Collection[str] | None = None,
    least: Action = "flag",
    progress: bool = True,
    chosen: Limits | None = None,
    asked: Asked | None = None,
) -> Card:
    """Measure a rail or a policy and keep the record; see :meth:`lmops.guardrails.Guardrails.card`."""
    data = dataset if hasattr(dataset, "examples") else Datasets(project).get(dataset)
    cases = _cases(data, kinds)
    at = _stage(subject, stage)
    answers = _answers(subject, cases, at, least=least, progress=progress, asked=asked)
    told, misjudged = figures(cases, answers), mistakes(cases, answers)
    if not told["n"]:
        raise UsageError(
            f"a card of {_name(subject)} needs texts that people know: {data.ref} has {len(cases):,}, of which "
            f"{told['n_unknown']:,} do not say what is in them and {told['n_errors']:,} could not be checked"
            + next((f" ({plain_line(one.error, 200)})" for one in answers if one.error), "")
        )
    about = {
        "kinds": None if kinds is None else sorted(kinds),
        "threshold": _threshold(subject),
        "chosen": chosen,
        "least": least,
    }
    with project.change() as change:
        name = _name(subject)
        row: dict[str, Any] = {
            "subject": name,
            "kind": subject.kind.name if isinstance(subject, Rail) else "policy",
            "config_hash": hash_of(subject),
            "stage": at,
            "dataset": data.ref,
            "figures": json.dumps({**about, **told}, ensure_ascii=False, allow_nan=False),
            "author": change.actor,
            "created_ns": change.at_ns,
        }
        number = change.insert("guardrail_cards", row)
        for place, (example_id, is_attack) in enumerate(misjudged):
            told_of = {"card": number, "place": place, "example_id": example_id, "is_attack": is_attack}
            change.insert("guardrail_card_mistakes", told_of)
        after = {"number": number, "config_hash": row["config_hash"], "dataset": data.ref, "n": told["n"]}
        change.say("guardrail.card", name, after=after)
    return _record({**row, "number": number}, misjudged)


def calibrate(
    project: Project,
    rail: Rail,
    dataset: Any,
    *,
    fpr: float = 0.01,
    stage: Stage | None = None,
    kinds: Collection[str] | None = None,
    progress: bool = True,
    asked: Asked | None = None,
) -> Calibrated:
    """Choose a threshold for a wanted false-positive rate; see :meth:`lmops.guardrails.Guardrails.calibrate`."""
    from lmops.calc.detection import threshold_for

    if not isinstance(rail, Rail) or THRESHOLD not in rail.kind.options:
        raise UsageError(
            f"{_name(rail)} has no threshold to choose: calibrate takes a rail of a kind that scores and has the "
            "option threshold"
        )
    if not 0 < fpr < 1:
        raise UsageError(f"fpr={fpr!r}: give the share of ordinary texts that may be stopped, such as 0.01")
    data = dataset if hasattr(dataset, "examples") else Datasets(project).get(dataset)
    cases = [one for one in _cases(data, kinds) if one.is_attack is False]
    answers = _answers(rail, cases, _stage(rail, stage), least="flag", progress=progress, asked=asked)
    found = threshold_for([one.score for one in answers if one.error is None], fpr)
    if found is None:
        raise UsageError(
            f"{len(cases):,} ordinary texts of {data.ref} cannot tell a false-positive rate of {fpr:g}: it needs "
            f"{_needed(fpr):,}, or a rate of {1 / (len(cases) + 1):.2g} and more"
        )
    limits = (found.fpr, found.low, found.high)
    chosen = replace(rail, options={**rail.options, THRESHOLD: found.threshold})
    made = card(project, chosen, data, stage=stage, kinds=kinds, progress=progress, chosen=limits, asked=asked)
    return Calibrated(rail=chosen, threshold=found.threshold, wanted=fpr, fpr=limits, n_ordinary=found.n, card=made)


def newest(store: Store, con: sqlite3.Connection, hashes: Iterable[str]) -> dict[str, Card]:
    """Return the newest card of each configuration that has one, by its hash."""
    found: dict[str, Card] = {}
    for wanted in dict.fromkeys(hashes):
        told = con.execute(_NEWEST, (wanted,)).fetchone()
        row = None if told[0] is None else store.record(con, "guardrail_cards", told[0])
        if row is not None:
            found[wanted] = _record(dict(row), _mistakes_of(store, con, row["number"]))
    return found


def get(project: Project, number: int) -> Card:
    """Return a card by its number.

    Raises:
        NotFoundError: There is none.
    """
    with project.reading() as con:
        row = project.store.record(con, "guardrail_cards", number)
        if row is None:
            raise NotFoundError(f"there is no card {number}: ws.guardrails.cards() lists them")
        return _record(dict(row), _mistakes_of(project.store, con, number))


def hash_of(subject: Rail | Policy) -> str:
    """Return the hash of what a rail or a policy finds: a card is of this configuration."""
    return subject.config_hash if isinstance(subject, Rail) else subject.hash.removeprefix("sha256:")[:16]


def measured(project: Project, rails: Iterable[Rail]) -> dict[str, str]:
    """Return by the hash of a configuration what its newest card says in a line; what is not there is unmeasured."""
    with project.reading() as con:
        found = newest(project.store, con, (one.config_hash for one in rails))
    return {name: in_a_line(one) for name, one in found.items()}


def in_a_line(found: Card) -> str:
    """Return what a card says in the words of a list."""
    recall, wrong = rate(found.recall) or "unknown", rate(found.fpr) or "unknown"
    return f"card {found.number}: finds {recall}, wrongly stops {wrong} of {found.n - found.n_attacks:,}"


def rate(found: Limits) -> str:
    """Return a rate with its limits as people read it; "" where there is none."""
    estimate, low, high = found
    if estimate is None or low is None or high is None:
        return share(estimate)
    return f"{share(estimate)} ({100 * low:.1f} to {100 * high:.1f})"


def refuse_unmeasured(change: Change, rails: Iterable[tuple[Stage, Rail]]) -> None:
    """Refuse rails that score and are to block while no card says what they wrongly stop.

    Raises:
        RefusedError: There is one; it may flag until then.
    """
    blocking = [(stage, one) for stage, one in rails if one.kind.is_score and one.action == "block"]
    known = newest(change.store, change.con, (one.config_hash for _, one in blocking))
    for stage, one in blocking:
        if one.config_hash not in known:
            raise RefusedError(
                f"{stage}: {one.name} scores, and nobody has measured what it wrongly stops with these options: let it "
                f"flag (action='flag'), or make its card first: ws.guardrails.calibrate(made({one.kind.name!r}, ...), "
                "DATASET)"
            )


def _needed(fpr: float) -> int:
    """Return how many ordinary texts a rate needs."""
    return -int(-(1 / fpr - 1) // 1)


def _cases(data: Any, kinds: Collection[str] | None) -> list[Case]:
    examples: Sequence[Example] = data.examples
    if isinstance(kinds, str) or (kinds is not None and not kinds):
        raise UsageError(f"kinds={kinds!r}: give a list of what is to be found, such as ['card', 'iban']")
    found = cases_of(examples, kinds)
    known = {kind for one in examples for case in cases_of([one]) for kind in case.kinds} if kinds else set()
    for kind in kinds or ():
        if kind not in known:
            raise UsageError(did_you_mean(f"kind in {data.ref}", kind, sorted(known)))
    return found


def _stage(subject: Rail | Policy, stage: Stage | None) -> Stage:
    if stage is not None and stage not in STAGES:
        raise UsageError(did_you_mean("stage", stage, STAGES))
    return stage or (subject.kind.stages[0] if isinstance(subject, Rail) else "input")


def _answers(
    subject: Rail | Policy,
    cases: Sequence[Case],
    stage: Stage,
    *,
    least: Action,
    progress: bool,
    asked: Asked | None,
) -> list[Answer]:
    ask = _asking(subject, stage, least, asked)
    if not progress:
        return [ask(one) for one in cases]
    found = []
    with Progress(f"card of {_name(subject)}", len(cases), unit="texts") as shown:
        for one in cases:
            found.append(ask(one))
            shown.advance()
    return found


def _asking(subject: Rail | Policy, stage: Stage, least: Action, asked: Asked | None) -> Callable[[Case], Answer]:
    if isinstance(subject, Rail):
        checker = Checker({stage: [_lowest(subject)]}, asked=asked)
        return lambda case: _of_rail(subject, checker, stage, case)
    if not isinstance(subject, Policy):
        raise UsageError(f"a card is of a rail or of a policy, not of {type(subject).__name__}")
    if least not in ACTIONS[1:]:
        raise UsageError(did_you_mean("action", least, ACTIONS[1:]))
    return lambda case: _of_policy(subject, case, stage, least)


def _lowest(rail: Rail) -> Rail:
    """Return a rail that says all its scores: the threshold is held against them afterwards."""
    if THRESHOLD not in rail.kind.options:
        return rail
    return replace(rail, options={**rail.options, THRESHOLD: 0.0})


def _of_rail(rail: Rail, checker: Checker, stage: Stage, case: Case) -> Answer:
    (said,) = checker.check(stage, case.text, context=case.context).verdicts
    threshold = _threshold(rail)
    kept = [one for one in said.findings if threshold is None or one.score is None or one.score >= threshold]
    score = max((1.0 if one.score is None else one.score for one in said.findings), default=0.0)
    return Answer(bool(kept), score, tuple(kept), said.latency_ms, said.error)


def _of_policy(policy: Policy, case: Case, stage: Stage, least: Action) -> Answer:
    said = policy.check(stage, case.text, context=case.context)
    is_found = ACTIONS.index(said.action) >= ACTIONS.index(least)
    findings = tuple(one for verdict in said.verdicts for one in verdict.findings)
    errors = "; ".join(f"{name}: {why}" for name, why in said.errors.items())
    return Answer(is_found, float(is_found), findings, said.latency_ms, errors or None)


def _threshold(subject: Rail | Policy) -> float | None:
    if not isinstance(subject, Rail) or THRESHOLD not in subject.kind.options:
        return None
    return float(subject.options.get(THRESHOLD, subject.kind.options[THRESHOLD]))


def _name(subject: object) -> str:
    return str(getattr(subject, "ref", None) or getattr(subject, "name", None) or type(subject).__name__)


def _mistakes_of(store: Store, con: sqlite3.Connection, number: int) -> list[tuple[str, bool]]:
    rows = con.execute(_MISTAKES, (number,)).fetchall()
    known = store.listed(con, "guardrail_card_mistakes", rows)
    return [(row["example_id"], bool(row["is_attack"])) for row in known]


def _record(row: dict[str, Any], misjudged: Sequence[tuple[str, bool]]) -> Card:
    told: dict[str, Any] = record_of(json.loads(row["figures"]))
    own = {name: row[name] for name in ("number", "subject", "kind", "config_hash", "stage", "dataset", "author")}
    return Card(
        **own,
        created_at=from_ns(row["created_ns"]),
        missed=tuple(name for name, is_attack in misjudged if is_attack),
        wrong=tuple(name for name, is_attack in misjudged if not is_attack),
        **told,
    )
