"""Queues of what people label: items in, handed out one by one, and every act of a rater kept."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any, Final

from lmops.base.kinds import refuses_wrong_kinds
from lmops.errors import ConflictError, UsageError
from lmops.feedback import _draws, _turns
from lmops.feedback._answers import Answers
from lmops.feedback._bounds import refuse_outside
from lmops.feedback._budget import JudgeBudget
from lmops.feedback._handed import check_rater, items_given, kept, position_of, refuse_closed, refuse_gone, turn_of
from lmops.feedback._looking import items_of, progress_of, tags_of
from lmops.feedback._opening import check_asked, check_order, chosen_of, put, queue_of, refuse_other
from lmops.feedback._turns import Act
from lmops.feedback.sampling import chosen_by
from lmops.feedback.schemas import checked_values
from lmops.records import States, check_word, check_words
from lmops.text import plain_line
from lmops.times import to_ns

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    import pandas as pd

    from lmops.feedback._label_records import Kept, Queue, QueueProgress, Turn
    from lmops.records import Change

LIFE: Final = States(
    thing="queue",
    table="queues",
    steps={"open": ("closed", "archived"), "closed": ("open", "archived"), "archived": ("open",)},
)
#: So long an item is held for whoever has it before their eyes.
LEASE_S: Final = 300.0
ALL: Final = "select queue from queues order by queue"


@refuses_wrong_kinds
class Queues(Answers):
    """The queues of a workspace: ``ws.feedback.queues``; ``ws.feedback.queue(...)`` makes one.

    What raters do is no change of the audit chain's, as signals are none: every act is in ``label_history``. Events say
    what was done with queues and schemas, to many items at once, and where raters disagreed.
    """

    def __repr__(self) -> str:
        states = self.list()["status"]
        return f"<Queues: {len(states):,}, {(states == 'open').sum():,} of them open>"

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
        order: str | None = None,
        seed: int = 0,
        reason: str | None = None,
    ) -> Queue:
        """Make a queue, or add items to the one of this name, and return it; an item is in a queue once.

        Args:
            name: Of the queue.
            items: Trace ids, a frame of ``ws.traces.search()`` or rows with trace_id and perhaps span_id, probability
                and stratum; a run, a comparison (the cases of its first run), or rows with run_id and example_id; the
                error budget of one (``ws.feedback.budget``: the cases whose labels tell most); or a strategy. "random",
                "stratified" and "rare" draw with a known probability, into a queue that is there as well: once more,
                unless it is asked in the same words (and with the same seed). "thumbs_down", "judge_against_human",
                "judge_uncertainty" and "low_agreement" look for what tells most, and are in no rate.
            schema: What raters are asked, as "name" or "name@3"; needed for a new queue.
            raters: Who may label; everybody by default.
            k: Raters of an item; one by default, two where there is an overlap.
            overlap: The share of the items that k raters are asked for; one rater has the others.
            blind: Show no label of others before the own one.
            n: Of a strategy the most items; of an error budget so many on average.
            by: Of "stratified" and "rare": the column of traces that groups them.
            where: Of strategies that draw: traces by a condition, as for ``ws.traces.search``.
            about: Of the others: the name of the signals, the scorer, or the field of labels.
            order: In which raters are handed the items of a new queue: "given", as they were put in, or "random", in an
                order of their own for each rater, which follows from the seed, the queue and the rater. By default what
                was drawn is in random order, and what was chosen for a reason in the given one.
            seed: Of what is drawn, and of the orders.
            reason: Why, for the audit chain.

        Raises:
            UsageError: A new queue has no schema, the items are none, k, overlap and raters do not fit, or a queue that
                is there was made in another way.
            NotFoundError: There is no such schema.
            ConflictError: The queue is closed.
        """
        check_word(name, "a queue")
        if n < 1:
            raise UsageError(f"n={n}: give how many items to draw, 1 or more")
        names = tuple(dict.fromkeys(check_rater(one) for one in raters))
        asked = check_asked(k, overlap, names)
        with self._project.reading() as con:
            seen = len(_draws.known(con, name))
        told = {"n": n, "by": by, "where": where, "about": about}
        strategy, found = self._found(items, told, seed=seed, seen=seen)
        version = None if schema is None else self._schemas.get(schema)
        asking = json.dumps(names) if names else None
        how: dict[str, Any] = {"raters": asking, "item_order": check_order(order, items), "seed": seed}
        with self._project.change(reason=reason) as change:
            row = change.store.record(change.con, "queues", name)
            if row is not None:
                refuse_closed(row)
                refuse_other(row, version, names, k=k, overlap=overlap, order=order)
                count, digest = _added(change, row, found, seen=seen)
            else:
                if version is None:
                    raise UsageError(f"queue {name!r} is new: say what raters are asked, as schema='support'")
                count, digest = put(change.con, name, found.items, after=0, asked=asked)
                if found.draw is not None:
                    _draws.keep(change, name, found.draw, last=count)
                how |= {"schema": version.name, "schema_version": version.version, "strategy": strategy}
                how |= {"count": count, "k": asked[0], "overlap": asked[1], "is_blind": blind}
                LIFE.begin(change, {"queue": name, **how, "author": change.actor, "created_ns": change.at_ns})
            if row is None or count or change.unsaid:
                change.say("queue.add", name, after={"items": count, "strategy": strategy, "checksum": digest})
            return self._get(change.con, name, added=count)

    def _found(self, items: Any, told: dict[str, Any], *, seed: int, seen: int) -> tuple[str, _draws.Given]:
        """Return what was asked for as items, and what that is called; of a queue each draw is of its own chance."""
        own: int | tuple[int, int] = (seed, seen) if seen else seed
        if isinstance(items, str):
            named = {"n": told["n"], "by": told["by"], "where": told["where"], "name": told["about"]}
            drawn = chosen_by(self._project.store, items, seed=own, **named)
            return items, _draws.given({"strategy": items, **told, "seed": seed}, drawn.items, drawn.frame)
        if isinstance(items, JudgeBudget):
            said = {"strategy": "active", "n": told["n"], "seed": seed, "judge": items.judge, "runs": items.runs}
            return "active", _draws.given(said, items.draw(told["n"], seed=own), items.frame(told["n"]))
        chosen = [] if items is None else chosen_of(self._project.store, items)
        return "given", _draws.given({"strategy": "given"}, chosen, None)

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

    def ask_again(self, name: str, *, reason: str | None = None) -> Queue:
        """Hand out again what was labelled under earlier versions of the schema; return the queue with how many items.

        Until it is labelled anew an item keeps its label, which says its version, and the rater sees it.

        Args:
            name: Of the queue, which shows raters the new version: see :meth:`use`.
            reason: Why.

        Raises:
            NotFoundError: There is no such queue.
            ConflictError: The queue is closed.
        """
        with self._project.change(reason=reason) as change:
            row = self._row(change.con, name)
            refuse_closed(row)
            version = row["schema_version"]
            change.replace("queues", {**dict(row), "since_version": version})
            count = _turns.ask_again(change.con, name, version)
            change.say("queue.ask_again", name, after={"since_version": version, "items": count})
            return self._get(change.con, name, added=count)

    def rebuild(self, name: str | None = None, *, reason: str | None = None) -> tuple[str, ...]:
        """Derive anew what holds of each item, and whose turn it is, from what raters did; return the queues' names.

        Labels are kept as acts in ``label_history``. When ``audit verify`` or ``check`` says that what is derived from
        them is not what they say, this puts it right. What is held is held on; each rater goes through the queue once
        more, past what is done.

        Args:
            name: Of the queue; all by default.
            reason: Why.

        Raises:
            NotFoundError: There is no such queue.
        """
        with self._project.change(reason=reason) as change:
            rows = [self._row(change.con, name)] if name is not None else change.con.execute(ALL).fetchall()
            for row in rows:
                _turns.rebuild(change.con, row["queue"])
                change.say("queue.rebuild", row["queue"])
        return tuple(row["queue"] for row in rows)

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
        return next(iter(self.ahead(name, 1, rater=rater, lease_s=lease_s)), None)

    def ahead(
        self, name: str, n: int, *, rater: str | None = None, have: Collection[int] = (), lease_s: float = LEASE_S
    ) -> tuple[Turn, ...]:
        """Hand a rater the next items as :meth:`next` does, so that a page shows one as soon as the last is labelled.

        Args:
            name: Of the queue.
            n: The most; there are fewer where the queue has no more for this rater.
            rater: Who; who acts by default.
            have: Positions that are before the rater's eyes already: they are held on, and not handed out again.
            lease_s: Seconds until somebody else may have them.
        """
        who, now_ns = self._rater(rater), to_ns(self._project.now())
        with self._project.store.transaction(durable=False) as con:
            row = self._asked(con, name, who)
            found = _turns.ahead(con, name, who, n, have, now_ns=now_ns, until_ns=now_ns + round(lease_s * 1e9))
            return tuple(turn_of(con, row, position, who) for position in found)

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
            if mine not in ("done", "held", "old") and _turns.is_full(con, name, position):
                refuse_gone(con, name, position)
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
        refuse_outside(self._project.store, name, item, schema, given)
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

    def undo(
        self,
        name: str,
        *,
        rater: str | None = None,
        client: str | None = None,
        sequence: int = 1,
        of: int | None = None,
    ) -> Kept | None:
        """Take back what this rater did last in a queue and did not take back; None where there is nothing.

        There is no limit, and it goes on after a restart. What was said of the item before holds again; an item that
        nothing is said of any more is held for the rater. Where there was nothing, a client's number is used up.

        Args:
            name: Of the queue.
            rater: Who; who acts by default.
            client: Who sends it, where it may be sent again.
            sequence: 1, 2, 3, ... of that client.
            of: The number of the act of the same client that is meant, whatever the rater did elsewhere since.

        Raises:
            NotFoundError: There is no such queue.
            ConflictError: The queue is closed; the client sent something else under this number, or skipped one.
        """
        who, now_ns = self._rater(rater), to_ns(self._project.now())
        with self._project.change() as change:
            con = change.con
            row = self._row(con, name)
            act = Act(name, who, "undo", (), client or uuid.uuid4().hex, int(sequence), None, None, None, None, now_ns)
            if repeated := _turns.known(con, act):
                positions = [one["position"] for one in repeated if one["position"] != _turns.NOWHERE]
                undid, at = _turns.undone(con, repeated), repeated[-1]["seq"]
                return kept(act, positions, at, is_repeated=True, undid=undid) if positions else None
            refuse_closed(row)
            targets = _turns.last_act(con, name, who) if of is None else _turns.act_of(con, name, who, act.client, of)
            if not targets:
                if client is not None:
                    _turns.write(con, act._replace(positions=(_turns.NOWHERE,)), at_ns=now_ns, undoes=[None])
                return None
            act = act._replace(positions=tuple(one["position"] for one in targets))
            seq = _turns.write(con, act, at_ns=now_ns, undoes=[one["seq"] for one in targets])
            for position in act.positions:
                _turns.settle(con, name, position, who)
            if targets[0]["action"] != "note" and _turns.status(con, name, act.positions[0], who) in (None, "old"):
                _turns.hold(con, name, act.positions[0], who, until_ns=now_ns + round(LEASE_S * 1e9))
            if len(targets) > 1:
                change.say("queue.undo", name, after={"items": len(targets), "rater": who, "seq": seq})
            return kept(act, act.positions, seq, undid=targets[0]["field_values"])

    def tags(self, name: str, field: str) -> tuple[str, ...]:
        """Return the tags that raters gave in a field so far, the most frequent first: what to complete from."""
        return tags_of(self._project.store, name, field)

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
        given = items_given(item)
        if seconds is not None and not 0 <= seconds < 1e9:
            raise UsageError(f"seconds={seconds!r}: give a time from 0 on")
        with self._project.change() as change:
            con = change.con
            row = self._row(con, name)
            positions = tuple(dict.fromkeys(position_of(con, name, one) for one in given))
            sent, said_ns = client or uuid.uuid4().hex, now_ns if at is None else to_ns(at)
            spent = None if seconds is None else float(seconds)
            act = Act(name, who, action, positions, sent, int(sequence), version, values, note, spent, said_ns)
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


def _added(change: Change, row: sqlite3.Row, found: _draws.Given, *, seen: int) -> tuple[int, str]:
    """Put further items into a queue that is there; return how many are new, and the checksum over them."""
    name, after = row["queue"], row["count"]
    taken, draws = _draws.taken(change, name, after, found, seen=seen)
    count, digest = put(change.con, name, taken, after=after, asked=(row["k"], row["overlap"]))
    if len(draws) > seen:
        _draws.settle(change.con, name, after, draws)
        _draws.keep(change, name, draws[-1], last=after + count)
    if count:
        change.replace("queues", {**dict(row), "count": after + count})
    return count, digest
