"""What holds of the items of a queue: where raters disagree, what was decided, answers that are known, data sets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from lmops.base.kinds import refuses_wrong_kinds
from lmops.datasets import Datasets
from lmops.errors import NotFoundError, UsageError
from lmops.feedback._gold import accuracy_of, answers_of
from lmops.feedback._handed import position_of, refuse_closed
from lmops.feedback._into_dataset import add_rows, rows_for_dataset
from lmops.feedback._label_records import Adjudication, Queue
from lmops.feedback._opening import put, queue_of, take_back
from lmops.feedback._settling import disputes, labels_of_queue, settle, text_field, texts_of
from lmops.feedback.schemas import LabelSchemas, checked_values
from lmops.records import check_word

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    import pandas as pd

    from lmops.datasets import DatasetVersion
    from lmops.feedback._measured import GoldAccuracy
    from lmops.records import Project

#: The most answers that are known: they are looked through when one is due.
_MOST_GOLD: Final = 2_000


@refuses_wrong_kinds
class Answers:
    """What holds of the items of queues; a part of ``ws.feedback.queues``."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._schemas = LabelSchemas(project)

    def get(self, name: str) -> Queue:
        """Return a queue.

        Raises:
            NotFoundError: There is no such queue.
        """
        with self._project.reading() as con:
            return self._get(con, name)

    def withdraw(self, queue: Queue, *, reason: str | None = None) -> Queue:
        """Take the items that were just put into a queue out of it again, and return the queue; it stays, if empty.

        Args:
            queue: As :meth:`open` returned it: the ``added`` items that came with that call go.
            reason: Why, for the audit chain.

        Raises:
            ConflictError: Others were added since, a rater has gone on in the queue, or it is closed.
            NotFoundError: There is no such queue.
        """
        with self._project.change(reason=reason) as change:
            return take_back(change, queue)

    def disagreements(self, name: str) -> pd.DataFrame:
        """Return the items of which raters said different things, and nobody decided yet.

        Returns:
            position, item, trace_id, field, answers (JSON object: rater -> value), run_id, example_id, repeat; one row
            an item and field. As items of another queue they are looked at again: ``ws.feedback.adjudicate``.

        Raises:
            NotFoundError: There is no such queue.
        """
        from lmops.base.frames import Frame

        schema = self._schemas.get(self.get(name).schema_ref)
        found = disputes(labels_of_queue(self._project.store, name), texts_of(schema))
        case = ["run_id", "example_id", "repeat"]
        return Frame(found, columns=["position", "item", "trace_id", "field", "answers", *case])

    def adjudicate(
        self, name: str, item: int | str, values: Mapping[str, Any], *, reason: str | None = None
    ) -> Adjudication:
        """Decide what holds of an item, whatever raters said; who acts decides, and the chain has it.

        A later decision takes the place of an earlier one. Labels stay as they are.

        Args:
            name: Of the queue.
            item: Its position or id.
            values: Field -> value, under the version of the schema that the queue has now.
            reason: Why.

        Raises:
            NotFoundError: There is no such queue or item.
            UsageError: A value does not suit the schema.
        """
        queue = self.get(name)
        given = checked_values(self._schemas.get(queue.schema_ref), values)
        with self._project.change(reason=reason) as change:
            position = position_of(change.con, name, item)
            before = change.store.record(change.con, "adjudications", name, position)
            row = {
                "queue": name,
                "position": position,
                "schema_version": queue.schema_version,
                "field_values": json.dumps(given, ensure_ascii=False, sort_keys=True),
                "actor": change.actor,
                "reason": change.reason,
                "created_ns": change.at_ns,
            }
            change.replace("adjudications", row)
            said = {"schema": queue.schema_ref}
            event_id = change.say(
                "queue.adjudicate", f"{name}/{position}", before=None if before is None else said, after=said
            )
        return Adjudication(
            queue=name, position=position, values=given, actor=change.actor, reason=change.reason, event_id=event_id
        )

    def to_dataset(
        self,
        name: str,
        dataset: str,
        *,
        expected: str | None = None,
        split: str | None = None,
        shares: Mapping[str, float] | None = None,
        seed: int = 0,
        note: str = "",
    ) -> DatasetVersion:
        """Add the labelled items of a queue to a data set as a new version that says what changed; return it.

        The case of a run becomes the example that was evaluated, a trace of production an example of its own.

        A decision counts before labels; of several labels a field has what most raters said, and nothing where none is
        ahead; of a text the newest. Each example keeps where its labels come from: queue, version of the schema,
        raters, probability. Done again after people labelled anew, examples keep their place and take the new labels;
        a correction that was withdrawn is no longer expected.

        Args:
            name: Of the queue.
            dataset: The data set; made when there is none.
            expected: The text field with what the answer should have been; by default the only one of the schema.
            split: The split of new examples.
            shares: Share of each split, such as ``{"dev": 0.8, "test": 0.2}``, given to every example of the data set.
            seed: Of the shares.
            note: Why; by default what changed.

        Raises:
            NotFoundError: There is no such queue.
            UsageError: Nothing is labelled yet, or there is no such field.
        """
        queue = self.get(name)
        schema = self._schemas.get(queue.schema_ref)
        written = texts_of(schema)
        settled = (settle(labels, written) for labels in labels_of_queue(self._project.store, name))
        rows = rows_for_dataset(settled, queue, schema, expected=text_field(schema, expected))
        datasets = Datasets(self._project)
        made = add_rows(self._project.store, datasets, dataset, rows, split=split, queue=name, note=note)
        if shares is None:
            return made
        said = ", ".join(f"{part} {share:g}" for part, share in shares.items())
        return datasets.split(dataset, shares, seed=seed, note=f"{made.note}; split {said}, seed {seed}")

    def gold(self, name: str, answers: Any, *, share: float = 0.05, reason: str | None = None) -> Queue:
        """Mix items whose answers are known into what raters are handed; return the queue with how many are new.

        Nobody sees which they are. They are in no rate, no data set and no progress; :meth:`accuracy` holds raters to
        them. Each rater has each of them once.

        Args:
            name: Of the queue.
            answers: Trace id -> values, field -> value, as for :meth:`label`; or rows with ``values`` beside what an
                item is, as for :meth:`open`; or the name of a queue, of which what was decided is taken.
            share: The share of what a rater is handed, in (0, 0.5]: one at an unforeseen place of every 1 / share.
            reason: Why.

        Raises:
            UsageError: An answer does not suit the schema, an item is in the queue to be labelled, or there are none.
            NotFoundError: There is no such queue.
            ConflictError: The queue is closed.
        """
        if not 0 < share <= 0.5:
            raise UsageError(f"share={share!r}: give a share above 0, at most 0.5")
        queue = self.get(name)
        schema = self._schemas.get(queue.schema_ref)
        found = [(item, checked_values(schema, said)) for item, said in answers_of(self._project.store, answers)]
        with self._project.change(reason=reason) as change:
            row = self._row(change.con, name)
            refuse_closed(row)
            count, digest = put(change.con, name, [item for item, _ in found], after=row["count"], asked=None)
            for item, said in found:
                position = position_of(change.con, name, item.item)
                if position <= row["count"] and change.store.record(change.con, "queue_gold", name, position) is None:
                    raise UsageError(f"item {position} of {name} is to be labelled: what is known is another item")
                change.replace(
                    "queue_gold",
                    {
                        "queue": name,
                        "position": position,
                        "schema_version": schema.version,
                        "field_values": json.dumps(said, ensure_ascii=False, sort_keys=True),
                        "author": change.actor,
                        "created_ns": change.at_ns,
                    },
                )
            held = change.con.execute("select count(*) from queue_gold where queue = ?", (name,)).fetchone()[0]
            if not 0 < held <= _MOST_GOLD:
                raise UsageError(f"{held:,} known answers: give 1 to {_MOST_GOLD:,}")
            change.replace("queues", {**dict(row), "count": row["count"] + count, "gold_share": share})
            change.say("queue.gold", name, after={"items": count, "share": share, "checksum": digest})
            return self._get(change.con, name, added=count)

    def accuracy(self, name: str) -> GoldAccuracy:
        """Return how often raters gave the answers that are known, over time, and who drifts.

        An answer is right where each field that is known has what is known, critiques aside. A rater drifts where the
        later half of the answers is right more or less often than the earlier half: Fisher's exact test, adjusted for
        the number of raters by Holm, p below .05.

        Raises:
            NotFoundError: There is no such queue.
        """
        self.get(name)
        return accuracy_of(self._project.store, name)

    def _row(self, con: sqlite3.Connection, name: str) -> sqlite3.Row:
        row = self._project.store.record(con, "queues", check_word(name, "a queue"))
        if row is None:
            known = [one[0] for one in con.execute("select queue from queues")]
            raise NotFoundError.of("queue", name, known, hint="ws.feedback.queue(name, items, schema=...) makes one")
        return row

    def _get(self, con: sqlite3.Connection, name: str, *, added: int = 0) -> Queue:
        return queue_of(self._row(con, name), added=added)
