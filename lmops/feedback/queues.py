"""Queues of what people label: items in, handed out one by one, and every act of a rater kept."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any, Final

from lmops.base.kinds import refuses_wrong_kinds
from lmops.datasets import Datasets
from lmops.errors import ConflictError, NotFoundError, UsageError
from lmops.feedback import _turns
from lmops.feedback._handed import check_rater, kept, position_of, refuse_closed, turn_of
from lmops.feedback._label_records import Adjudication, Kept, Queue, QueueProgress, Turn
from lmops.feedback._looking import items_of, progress_of
from lmops.feedback._opening import check_asked, chosen_of, put, queue_of
from lmops.feedback._settling import add_rows, disputes, labels_of_queue, rows_for_dataset, settle, text_field
from lmops.feedback._turns import Act
from lmops.feedback.sampling import chosen_by
from lmops.feedback.schemas import LabelSchemas, checked_values
from lmops.records import States, check_word, check_words
from lmops.text import plain_line
from lmops.times import to_ns

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import pandas as pd

    from lmops.datasets import DatasetVersion
    from lmops.records import Project

LIFE: Final = States(
    thing="queue",
    table="queues",
    steps={"open": ("closed", "archived"), "closed": ("open", "archived"), "archived": ("open",)},
)
#: So long an item is held for whoever has it before their eyes.
LEASE_S: Final = 300.0
_MOST_AT_ONCE: Final = 10_000


@refuses_wrong_kinds
class Queues:
    """The queues of a workspace: ``ws.feedback.queues``; ``ws.feedback.queue(...)`` makes one.

    What raters do is no change of the audit chain's, as signals are none: every act is in ``label_history``. Events say
    what was done with queues and schemas, to many items at once, and where raters disagreed.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._schemas = LabelSchemas(project)

    # -- queues ----------------------------------------------------------------------------------------------------

    def open(
        self,
        name: str,
        items: Any = None,
        *,
        schema: str | None = None,
        raters: Sequence[str] = (),
        k: int | None = None,
        overlap: float | None = None,
        blind: bool = True,
        n: int = 100,
        by: str | None = None,
        where: str | None = None,
        about: str | None = None,
        seed: int = 0,
        reason: str | None = None,
    ) -> Queue:
        """Make a queue, or add items to the one of this name, and return it; an item is in a queue once.

        Args:
            name: Of the queue.
            items: Trace ids, a frame of ``ws.traces.search()`` or rows with trace_id and perhaps span_id, probability
                and stratum; a run, a comparison (the cases of its first run), or rows with run_id and example_id; or a
                strategy. "random", "stratified" and "rare" draw with a known probability; "thumbs_down",
                "judge_against_human", "judge_uncertainty" and "low_agreement" look for what tells most, and are in no
                rate.
            schema: What raters are asked, as "name" or "name@3"; needed for a new queue.
            raters: Who may label; everybody by default.
            k: Raters of an item; one by default, two where there is an overlap.
            overlap: The share of the items that k raters are asked for; one rater has the others.
            blind: Show no label of others before the own one.
            n: Of a strategy: the most items.
            by: Of "stratified" and "rare": the column of traces that groups them.
            where: Of strategies that draw: traces by a condition, as for ``ws.traces.search``.
            about: Of the others: the name of the signals, the scorer, or the field of labels.
            seed: Of what is drawn.
            reason: Why, for the audit chain.

        Raises:
            UsageError: A new queue has no schema, the items are none, or k, overlap and raters do not fit.
            NotFoundError: There is no such schema.
            ConflictError: The queue is closed.
        """
        check_word(name, "a queue")
        names = tuple(dict.fromkeys(check_rater(one) for one in raters))
        asked = check_asked(k, overlap, names)
        strategy = items if isinstance(items, str) else "given"
        if isinstance(items, str):
            found = chosen_by(self._project.store, items, n=n, by=by, where=where, name=about, seed=seed)
        else:
            found = [] if items is None else chosen_of(self._project.store, items)
        version = None if schema is None else self._schemas.get(schema)
        told: dict[str, Any] = {"items": 0, "strategy": strategy, "checksum": ""}
        with self._project.change(reason=reason) as change:
            row = change.store.record(change.con, "queues", name)
            if row is None and version is None:
                raise UsageError(f"queue {name!r} is new: say what raters are asked, as schema='support'")
            if row is not None:
                refuse_closed(row)
                asked = row["k"], row["overlap"]
            after = 0 if row is None else row["count"]
            told["items"], told["checksum"] = put(change.con, name, found, after=after, k=asked[0], overlap=asked[1])
            if row is not None and told["items"]:
                change.replace("queues", {**dict(row), "count": after + told["items"]})
            if row is None and version is not None:
                LIFE.begin(
                    change,
                    {
                        "queue": name,
                        "schema": version.name,
                        "schema_version": version.version,
                        "strategy": strategy,
                        "count": told["items"],
                        "k": asked[0],
                        "overlap": asked[1],
                        "raters": json.dumps(names) if names else None,
                        "is_blind": blind,
                        "author": change.actor,
                        "created_ns": change.at_ns,
                    },
                )
            if row is None or told["items"]:
                change.say("queue.add", name, after=told)
            return self._get(change.con, name, added=told["items"])

    def get(self, name: str) -> Queue:
        """Return a queue.

        Raises:
            NotFoundError: There is no such queue.
        """
        with self._project.reading() as con:
            return self._get(con, name)

    def list(self) -> pd.DataFrame:
        """Return one row a queue: the columns of the view ``queues``."""
        frame: pd.DataFrame = self._project.store.sql("select * from queues order by created_at desc, queue").df()
        return frame

    def close(self, name: str, *, reason: str | None = None) -> Queue:
        """Hand out no more items and take no more labels; return the queue.

        Raises:
            NotFoundError: There is no such queue.
        """
        return self._move(name, "closed", "close", reason)

    def reopen(self, name: str, *, reason: str | None = None) -> Queue:
        """Go on with a queue that was closed or archived; return it.

        Raises:
            NotFoundError: There is no such queue.
        """
        return self._move(name, "open", "reopen", reason)

    def archive(self, name: str, *, reason: str | None = None) -> Queue:
        """Put a queue away: its labels stay; return it.

        Raises:
            NotFoundError: There is no such queue.
        """
        return self._move(name, "archived", "archive", reason)

    def use(self, name: str, schema: str, *, reason: str | None = None) -> Queue:
        """Show raters another version of the queue's schema from now on; labels keep theirs. Return the queue.

        Args:
            name: Of the queue.
            schema: The version, as "name@4" or "name" for the newest.
            reason: Why the criteria changed.

        Raises:
            UsageError: It is a version of another schema.
            NotFoundError: There is no such queue or version.
        """
        version = self._schemas.get(schema)
        with self._project.change(reason=reason) as change:
            row = self._row(change.con, name)
            if version.name != row["schema"]:
                raise UsageError(f"queue {name} is labelled under {row['schema']}, not under {version.name}")
            if version.version != row["schema_version"]:
                change.replace("queues", {**dict(row), "schema_version": version.version})
                change.say(
                    "queue.use",
                    name,
                    before={"schema_version": row["schema_version"]},
                    after={"schema_version": version.version},
                )
            return self._get(change.con, name)

    def progress(self, name: str) -> QueueProgress:
        """Return how far a queue and each of its raters are.

        Raises:
            NotFoundError: There is no such queue.
        """
        with self._project.reading() as con:
            queue = self._get(con, name)
            return progress_of(con, queue)

    def items(
        self, name: str, which: str = "all", *, rater: str | None = None, after: int = 0, n: int = 1000
    ) -> pd.DataFrame:
        """Return items of a queue in their order: the columns of the view ``queue_items``.

        Args:
            name: Of the queue.
            which: "all", "open", "done" by all that were asked, or "mine": labelled by the rater.
            rater: Who; who acts by default.
            after: Only items behind this position.
            n: The most.

        Raises:
            NotFoundError: There is no such queue.
            UsageError: ``which`` is another word.
        """
        self.get(name)
        return items_of(self._project.store, name, which, rater=self._rater(rater), after=after, n=n)

    # -- what raters do --------------------------------------------------------------------------------------------

    def next(self, name: str, *, rater: str | None = None, lease_s: float = LEASE_S) -> Turn | None:
        """Hand a rater the next item and hold it a while; None where there is none for this rater.

        An item that the rater holds already comes first. What ran out, or was let go by an undo, comes back to all.

        Args:
            name: Of the queue.
            rater: Who; who acts by default.
            lease_s: Seconds until somebody else may have it.

        Raises:
            NotFoundError: There is no such queue.
            UsageError: This rater is not asked.
            ConflictError: The queue is closed.
        """
        who, now_ns = self._rater(rater), to_ns(self._project.now())
        with self._project.store.transaction(durable=False) as con:
            row = self._asked(con, name, who)
            _turns.expire(con, name, now_ns)
            until_ns = now_ns + round(lease_s * 1e9)
            mine = _turns.held(con, name, who)
            if mine:
                _turns.hold(con, name, mine[0], who, until_ns=until_ns)
            position = mine[0] if mine else _turns.take(con, name, who, until_ns=until_ns)
            return None if position is None else turn_of(con, row, position, who)

    def jump(self, name: str, item: int | str, *, rater: str | None = None, lease_s: float = LEASE_S) -> Turn:
        """Hand a rater one item, such as one that was labelled or skipped before, and what was said of it.

        Args:
            name: Of the queue.
            item: Its position or id.
            rater: Who; who acts by default.
            lease_s: Seconds until somebody else may have it.

        Raises:
            NotFoundError: There is no such queue or item.
            UsageError: This rater is not asked.
            ConflictError: Others have it; or the queue is closed.
        """
        who, now_ns = self._rater(rater), to_ns(self._project.now())
        with self._project.store.transaction(durable=False) as con:
            row = self._asked(con, name, who)
            _turns.expire(con, name, now_ns)
            position = position_of(con, name, item)
            mine = _turns.status(con, name, position, who)
            if mine not in ("done", "held") and not _turns.is_open(con, name, position):
                raise ConflictError(f"item {position} of {name} is with others, or done by them. Nothing was changed")
            if mine != "done":
                _turns.hold(con, name, position, who, until_ns=now_ns + round(lease_s * 1e9))
            return turn_of(con, row, position, who)

    def label(
        self,
        name: str,
        item: int | str | Sequence[int | str],
        values: Mapping[str, Any],
        *,
        rater: str | None = None,
        version: int | None = None,
        seconds: float | None = None,
        at: str | datetime | None = None,
        client: str | None = None,
        sequence: int = 1,
    ) -> Kept:
        """Keep what a rater says of an item, or of several at once; it survives a power cut when this returns.

        The same item again takes the place of what was said, and an undo brings that back. A label that comes after its
        time ran out is kept as well: nothing that somebody decided is lost.

        Args:
            name: Of the queue.
            item: Its position or id; a list for many with one label, and one undo.
            values: Field -> value.
            rater: Who; who acts by default.
            version: Of the schema, as the rater saw it; the queue's by default.
            seconds: Spent on it.
            at: When; now by default.
            client: Who sends it, where it may be sent again.
            sequence: 1, 2, 3, ... of that client.

        Raises:
            NotFoundError: There is no such queue, item or version of the schema.
            UsageError: A value does not suit the schema, or this rater is not asked.
            ConflictError: The queue is closed; the client sent something else under this number, or skipped one.
        """
        queue = self.get(name)
        schema = self._schemas.get(f"{queue.schema}@{version or queue.schema_version}")
        given = checked_values(schema, values)
        return self._act(
            name,
            "label",
            item,
            rater=rater,
            values=given,
            version=schema.version,
            seconds=seconds,
            at=at,
            client=client,
            sequence=sequence,
        )

    def skip(
        self, name: str, item: int | str, *, rater: str | None = None, client: str | None = None, sequence: int = 1
    ) -> Kept:
        """Pass an item by: another rater is asked, and this one can jump back to it.

        Raises:
            NotFoundError: There is no such queue or item.
            ConflictError: The queue is closed; the client sent something else under this number, or skipped one.
        """
        return self._act(name, "skip", item, rater=rater, client=client, sequence=sequence)

    def note(
        self,
        name: str,
        item: int | str,
        words: str,
        *,
        rater: str | None = None,
        client: str | None = None,
        sequence: int = 1,
    ) -> Kept:
        """Note something on an item, labelled or not; the last note counts.

        Raises:
            NotFoundError: There is no such queue or item.
            UsageError: The note is too long.
        """
        said = check_words(words, "note") or ""
        return self._act(name, "note", item, rater=rater, note=said, client=client, sequence=sequence)

    def undo(self, name: str, *, rater: str | None = None, client: str | None = None, sequence: int = 1) -> Kept | None:
        """Take back what this rater did last in a queue and did not take back; None where there is nothing.

        There is no limit, and it goes on after a restart. What was said of the item before holds again; an item that
        nothing is said of any more is held for the rater. Where there was nothing, the client's number stays free.

        Raises:
            NotFoundError: There is no such queue.
            ConflictError: The queue is closed; the client sent something else under this number, or skipped one.
        """
        who, now_ns = self._rater(rater), to_ns(self._project.now())
        with self._project.change() as change:
            con = change.con
            row = self._row(con, name)
            act = Act(name, who, "undo", (), client or uuid.uuid4().hex, sequence, None, None, None, None, now_ns)
            if repeated := _turns.known(con, act):
                return kept(act, [one["position"] for one in repeated], repeated[-1]["seq"], is_repeated=True)
            refuse_closed(row)
            targets = _turns.last_act(con, name, who)
            if not targets:
                return None
            act = act._replace(positions=tuple(one["position"] for one in targets))
            seq = _turns.write(con, act, at_ns=now_ns, undoes=[one["seq"] for one in targets])
            for position in act.positions:
                _turns.settle(con, name, position, who)
            if targets[0]["action"] != "note" and _turns.status(con, name, act.positions[0], who) is None:
                _turns.hold(con, name, act.positions[0], who, until_ns=now_ns + round(LEASE_S * 1e9))
            if len(targets) > 1:
                change.say("queue.undo", name, after={"items": len(targets), "rater": who, "seq": seq})
            return kept(act, act.positions, seq)

    def tags(self, name: str, field: str) -> tuple[str, ...]:
        """Return the tags that raters gave in a field so far, the most frequent first: what to complete from."""
        query = (
            "select tag, count(*) as n from (select unnest(json_extract_string(field_values, $path)) as tag "
            "from labels where queue = $queue) group by tag order by n desc, tag limit 1000"
        )
        path = "$." + json.dumps(field) + "[*]"
        return tuple(row[0] for row in self._project.store.sql(query, {"path": path, "queue": name}).fetchall())

    # -- what raters said ------------------------------------------------------------------------------------------

    def disagreements(self, name: str) -> pd.DataFrame:
        """Return the items of which raters said different things, and nobody decided yet.

        Returns:
            position, item, trace_id, field, answers (JSON object: rater -> value), one row an item and field.

        Raises:
            NotFoundError: There is no such queue.
        """
        import pandas as pd

        self.get(name)
        found = disputes(labels_of_queue(self._project.store, name))
        return pd.DataFrame(found, columns=["position", "item", "trace_id", "field", "answers"])

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
        """Add the labelled traces of a queue to a data set as a new version that says what changed; return it.

        A decision counts before labels; of several labels a field has what most raters said, and nothing where none is
        ahead. Each example keeps where its labels come from: queue, version of the schema, raters, probability. Done
        again after people labelled anew, examples keep their place and take the new labels.

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
        rows = rows_for_dataset(
            map(settle, labels_of_queue(self._project.store, name)),
            queue,
            schema,
            expected=text_field(schema, expected),
        )
        if not rows:
            raise UsageError(f"queue {name} has no labelled trace yet: ws.feedback.queues.progress({name!r})")
        datasets = Datasets(self._project)
        made = add_rows(self._project.store, datasets, dataset, rows, split=split, queue=name, note=note)
        return made if shares is None else datasets.split(dataset, shares, seed=seed)

    # -- steps -----------------------------------------------------------------------------------------------------

    def _act(
        self,
        name: str,
        action: str,
        item: int | str | Sequence[int | str],
        *,
        rater: str | None,
        client: str | None,
        sequence: int,
        values: dict[str, Any] | None = None,
        version: int | None = None,
        note: str | None = None,
        seconds: float | None = None,
        at: str | datetime | None = None,
    ) -> Kept:
        """Keep one act; what was kept before is said again and not done again."""
        who, now_ns = self._rater(rater), to_ns(self._project.now())
        given = [item] if isinstance(item, int | str) else list(item)
        if not 0 < len(given) <= _MOST_AT_ONCE:
            raise UsageError(f"{len(given):,} items: give 1 to {_MOST_AT_ONCE:,} at once")
        if seconds is not None and not 0 <= seconds < 1e9:
            raise UsageError(f"seconds={seconds!r}: give a time from 0 on")
        with self._project.change() as change:
            con = change.con
            row = self._row(con, name)
            positions = tuple(dict.fromkeys(position_of(con, name, one) for one in given))
            act = Act(
                name,
                who,
                action,
                positions,
                client or uuid.uuid4().hex,
                sequence,
                version,
                values,
                note,
                seconds,
                now_ns if at is None else to_ns(at),
            )
            if repeated := _turns.known(con, act):
                return kept(act, positions, repeated[-1]["seq"], is_repeated=True)
            self._asked(con, name, who, row)
            seq = _turns.write(con, act, at_ns=now_ns, undoes=[None] * len(positions))
            for position in positions if action != "note" else ():
                _turns.settle(con, name, position, who)
            if len(positions) > 1:
                change.say(f"queue.{action}_many", name, after={"items": len(positions), "rater": who, "seq": seq})
            return kept(act, positions, seq)

    def _rater(self, rater: str | None) -> str:
        return check_rater(self._project.actor if rater is None else rater)

    def _row(self, con: sqlite3.Connection, name: str) -> sqlite3.Row:
        row = self._project.store.record(con, "queues", check_word(name, "a queue"))
        if row is None:
            known = [one[0] for one in con.execute("select queue from queues")]
            raise NotFoundError.of("queue", name, known, hint="ws.feedback.queue(name, items, schema=...) makes one")
        return row

    def _get(self, con: sqlite3.Connection, name: str, *, added: int = 0) -> Queue:
        return queue_of(self._row(con, name), added=added)

    def _asked(self, con: sqlite3.Connection, name: str, rater: str, row: sqlite3.Row | None = None) -> sqlite3.Row:
        """Return the row of a queue that is open to a rater."""
        row = self._row(con, name) if row is None else row
        refuse_closed(row)
        raters = json.loads(row["raters"] or "[]")
        if raters and rater not in raters:
            asked = plain_line(", ".join(raters), 200)
            raise UsageError(f"{plain_line(rater, 60)!r} is not asked in queue {name}: its raters are {asked}")
        return row

    def _move(self, name: str, to: str, action: str, reason: str | None) -> Queue:
        with self._project.change(reason=reason) as change:
            self._row(change.con, name)
            return queue_of(LIFE.move(change, name, to=to, action=action))
