"""Things with a life: items of a queue, alerts, incidents. Each is in one state and goes on to those that may follow.

Every step is a row and its event in one transaction: who, when and why stand in both. Whoever works on a thing may hold
it for a while: until then nobody else moves it, and a hold that ran out binds nobody, without anything being written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import ConflictError, NotFoundError, UsageError
from lmops.store.schema import schema
from lmops.text import plain_line
from lmops.times import from_ns

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from lmops.records.change import Change

Row = dict[str, Any]
#: The condition of a query of the room for things that nobody holds; its parameter is the time in nanoseconds.
FREE: Final = "(until_ns is null or until_ns <= ?)"


@dataclass(frozen=True, kw_only=True)
class States:
    """The life of the things of one kind.

    Args:
        thing: What one is called, such as "alert"; events are "alert.open", "alert.close", ...
        table: Where they are: the columns of the room, and status, owner, until_ns, actor, moved_ns, reason.
        steps: By state, those that may follow. The first one is where a thing begins.
    """

    thing: str
    table: str
    steps: Mapping[str, Collection[str]]

    def begin(self, change: Change, row: Mapping[str, Any], *, action: str = "open") -> Row:
        """Write a new thing in its first state, and the event; return its row.

        Args:
            change: What it is part of.
            row: The columns of the room.
            action: What the audit chain calls it.
        """
        told = self._told(change, next(iter(self.steps)))
        number = change.insert(self.table, {**row, **told})
        key = tuple(row.get(name, number) for name in schema().tables[self.table].key)
        change.say(f"{self.thing}.{action}", _subject(key), after={"status": told["status"]})
        return self.row(change, *key)

    def move(
        self,
        change: Change,
        *key: object,
        to: str,
        action: str,
        seen: str | None = None,
        row: Mapping[str, Any] | None = None,
    ) -> Row:
        """Bring a thing into another state and return its row; where it is there already nothing happens.

        Args:
            change: Who, why and when; what it is part of.
            key: Of the thing.
            to: The state.
            action: What the audit chain calls it.
            seen: The state in which it was when somebody decided.
            row: Columns of the room that change with it.

        Raises:
            NotFoundError: There is no such thing.
            ConflictError: It was moved meanwhile, or somebody else holds it; nothing was changed.
            UsageError: This state does not follow the one that it is in.
            DamagedStoreError: It was changed past the audit chain.
        """
        before = self.row(change, *key)
        status = before["status"]
        if status == to:
            return before
        if seen is not None and status != seen:
            raise ConflictError(
                f"{self.thing} {_subject(key)} was {seen} when you decided and is {status} now: {_by(before)}. "
                "Nothing was changed"
            )
        self._refuse_held(change, key, before)
        if to not in self.steps[status]:
            possible = ", ".join(self.steps[status]) or "nothing"
            raise UsageError(f"{self.thing} {_subject(key)} is {status} and cannot become {to}: {possible} may follow")
        after = {**(row or {}), "status": to}
        change.replace(self.table, {**before, **after, **self._told(change, to)})
        told = {name: before[name] for name in after}
        change.say(f"{self.thing}.{action}", _subject(key), before=told, after=after)
        return self.row(change, *key)

    def hold(self, change: Change, *key: object, for_s: float) -> Row:
        """Hold a thing for whoever makes the change and return its row; who holds it already holds it longer.

        Args:
            change: Who and when; what it is part of.
            key: Of the thing.
            for_s: So many seconds from now; 0 lets it go.

        Raises:
            NotFoundError: There is no such thing.
            ConflictError: Somebody else holds it; nothing was changed.
            DamagedStoreError: It was changed past the audit chain.
        """
        before = self.row(change, *key)
        self._refuse_held(change, key, before)
        held = {"owner": change.actor, "until_ns": change.at_ns + round(for_s * 1e9)}
        after = held if for_s > 0 else dict.fromkeys(held)
        change.replace(self.table, {**before, **after})
        action = f"{self.thing}.{'hold' if for_s > 0 else 'let_go'}"
        change.say(action, _subject(key), before={name: before[name] for name in after}, after=after)
        return self.row(change, *key)

    def _told(self, change: Change, status: str) -> Row:
        who = {"actor": change.actor, "moved_ns": change.at_ns, "reason": change.reason}
        return {"status": status, **who, "owner": None, "until_ns": None}

    def row(self, change: Change, *key: object) -> Row:
        """Return the row of a thing.

        Raises:
            NotFoundError: There is no such thing.
            DamagedStoreError: It was changed past the audit chain.
        """
        found = change.store.record(change.con, self.table, *key)
        if found is None:
            raise NotFoundError(f"there is no {self.thing} {_subject(key)}")
        return dict(found)

    def _refuse_held(self, change: Change, key: tuple[object, ...], row: Row) -> None:
        if row["owner"] not in (None, change.actor) and row["until_ns"] > change.at_ns:
            raise ConflictError(
                f"{plain_line(row['owner'], 60)} holds {self.thing} {_subject(key)} until "
                f"{from_ns(row['until_ns']):%Y-%m-%d %H:%M:%S} UTC. Nothing was changed"
            )


def _subject(key: tuple[object, ...]) -> str:
    return "/".join(str(part) for part in key)


def _by(row: Row) -> str:
    """Return who made the last step, when and why."""
    why = plain_line(row["reason"], 120) or "none given"
    return f"{plain_line(row['actor'], 60)} at {from_ns(row['moved_ns']):%Y-%m-%d %H:%M:%S} UTC (reason: {why})"
