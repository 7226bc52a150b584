"""Aliases in the store: where they point, every move that brought them there, the way back, and protections.

A rollback is an undo. Each alias keeps the versions it came from; a promotion adds the one it leaves, a rollback takes
the latest one out again and goes there. So two rollbacks walk two versions back, and a version that was rolled back is
not returned to by the next rollback.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.errors import ConflictError, DamagedStoreError, NotFoundError, RefusedError
from lmops.text import plain_line
from lmops.times import from_ns

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from lmops.records.change import Change
    from lmops.records.moves import Move
    from lmops.store import Store

#: how many rollbacks in a row there can be
_WAY_BACK: Final = 1000


class Tables(NamedTuple):
    """Where aliases are kept.

    Args:
        aliases: Where each points now. "earlier": the versions that a rollback returns to, the latest last.
        moves: Every move that brought it there.
        protections: The aliases whose promotions need evidence.
        are_shared: They hold the aliases of every kind, and name it in a first column "kind".
    """

    aliases: str
    moves: str
    protections: str
    are_shared: bool


#: What every kind uses that has no tables of its own.
SHARED: Final = Tables("aliases", "alias_moves", "alias_protections", are_shared=True)


class Aliases:
    """The aliases of all things of one kind.

    Args:
        tables: Where they are.
        kind: Such as "dataset".
        noun: Where a workspace has its things, for messages, such as "datasets".
    """

    def __init__(self, tables: Tables, *, kind: str, noun: str) -> None:
        self._tables = tables
        self._kind = kind
        self._noun = noun
        self._own: dict[str, str] = {"kind": kind} if tables.are_shared else {}
        self._keys = (*self._own.values(),)
        self._where = "kind = ? and name = ?" if tables.are_shared else "name = ?"

    def names(self, con: sqlite3.Connection, name: str) -> list[str]:
        """Return the aliases of one thing, sorted."""
        query = f"select alias from {self._tables.aliases} where {self._where} order by alias"
        return [row[0] for row in con.execute(query, (*self._keys, name))]

    def all(self, con: sqlite3.Connection) -> dict[str, dict[str, int]]:
        """Return where the aliases point, by the name of the thing and their own, sorted."""
        where = "where kind = ?" if self._keys else ""
        query = f"select name, alias, version from {self._tables.aliases} {where} order by name, alias"
        found: dict[str, dict[str, int]] = {}
        for name, alias, version in con.execute(query, self._keys):
            found.setdefault(name, {})[alias] = version
        return found

    def listed(self, store: Store, con: sqlite3.Connection) -> dict[str, dict[str, int]]:
        """Return where the aliases point, as :meth:`all`; those that are not what was written are left out and told."""
        found: dict[str, dict[str, int]] = {}
        for row in store.records(con, self._tables.aliases)[0]:
            if not self._own or row["kind"] == self._kind:
                found.setdefault(row["name"], {})[row["alias"]] = row["version"]
        return found

    def pointed(self, store: Store, con: sqlite3.Connection, name: str, alias: str) -> int | None:
        """Return the version an alias points to, None when it does not exist.

        Raises:
            DamagedStoreError: It is not where it was put.
        """
        row = self._row(store, con, name, alias)
        return None if row is None else int(row["version"])

    def seen(self, con: sqlite3.Connection, name: str, alias: str) -> int | None:
        """Return the version an alias points to, None when it does not exist, whether or not it was put there."""
        query = f"select version from {self._tables.aliases} where {self._where} and alias = ?"
        row = con.execute(query, (*self._keys, name, alias)).fetchone()
        return None if row is None else int(row[0])

    def way_back(self, store: Store, con: sqlite3.Connection, name: str, alias: str) -> list[int]:
        """Return the versions a rollback walks back through when an alias leaves where it is, the nearest last."""
        try:
            row = self._row(store, con, name, alias)
        except DamagedStoreError:
            return []  # a promotion puts it right; what somebody changed is no way back
        return [] if row is None else [*json.loads(row["earlier"]), row["version"]]

    def check_expected(self, con: sqlite3.Connection, name: str, alias: str, expected: int | None) -> None:
        """Refuse to move an alias that is not where the caller saw it.

        Raises:
            ConflictError: Somebody moved it meanwhile; the message says who, when and where to.
        """
        now = self.seen(con, name, alias)
        if now == expected:
            return
        last = next(reversed(self.moves(con, name, alias)), None)
        seen = "not there yet" if expected is None else f"at {expected}"
        told = "it does not exist"
        if last is not None:
            told = (
                f"{plain_line(last['actor'], 60)} moved it from {last['from_version'] or 'nothing'} to "
                f"{last['to_version']} at {from_ns(last['at_ns']):%Y-%m-%d %H:%M:%S} UTC ({last['action']}, "
                f"reason: {plain_line(last['reason'], 120) or 'none given'})"
            )
        raise ConflictError(
            f"{name}@{alias} was {seen} when you decided and is {'not there' if now is None else f'at {now}'} now: "
            f"{told}. Nothing was changed; look at ws.{self._noun}.history({name!r}) and call again"
        )

    def move(self, change: Change, found: Move, *, earlier: Sequence[int], details: dict[str, Any]) -> Move:
        """Write one move: the pointer, the history and the audit event."""
        event_id = change.event_id
        place = {**self._own, "name": found.name, "alias": found.alias}
        way_back = json.dumps(list(earlier)[-_WAY_BACK:])
        pointer = {**place, "version": found.to_version, "earlier": way_back, "event_id": event_id}
        change.replace(self._tables.aliases, pointer)
        change.insert(
            self._tables.moves,
            {
                "event_id": event_id,
                **place,
                "action": found.action,
                "from_version": found.from_version,
                "to_version": found.to_version,
                "at_ns": change.at_ns,
                "actor": found.actor,
                "reason": found.reason,
                "evidence": json.dumps(found.evidence) if found.evidence else None,
                "is_forced": found.is_forced,
            },
        )
        change.say(
            f"{self._kind}.{found.action}",
            f"{found.name}@{found.alias}",
            before=None if found.from_version is None else {"version": found.from_version},
            after={"version": found.to_version, **details},
        )
        return replace(found, event_id=event_id)

    def previous(self, store: Store, con: sqlite3.Connection, name: str, alias: str) -> tuple[int, list[int]]:
        """Return the version a rollback goes to, and those that are before it then.

        Raises:
            NotFoundError: The alias does not exist.
            RefusedError: There is no earlier version.
            DamagedStoreError: The alias is not what was written.
        """
        row = self._row(store, con, name, alias)
        if row is None:
            known = self.names(con, name)
            raise NotFoundError.of(f"alias of {name}", alias, known, hint="there is nothing to roll back")
        before: list[int] = json.loads(row["earlier"])
        if not before:
            raise RefusedError(
                f"{name}@{alias} is at {row['version']} and no version was there before it: nothing to roll back to; "
                f"ws.{self._noun}.promote({name!r}, VERSION, to={alias!r}) goes to any version"
            )
        return before[-1], before[:-1]

    def moves(self, con: sqlite3.Connection, name: str, alias: str | None = None) -> list[dict[str, Any]]:
        """Return every move of the aliases of one thing, oldest first."""
        query = f"select * from {self._tables.moves} where {self._where} and (? is null or alias = ?) order by event_id"
        return [dict(row) for row in con.execute(query, (*self._keys, name, alias, alias))]

    def at(self, con: sqlite3.Connection, name: str, alias: str, at_ns: int) -> int:
        """Return the version an alias pointed to at a time.

        Raises:
            NotFoundError: The alias did not exist then; the message says since when it does.
        """
        moves = self.moves(con, name, alias)
        if not moves:
            raise NotFoundError.of(f"alias of {name}", alias, self.names(con, name))
        before = [move for move in moves if move["at_ns"] <= at_ns]
        if before:
            return int(before[-1]["to_version"])
        first = moves[0]
        raise NotFoundError(
            f"{name}@{alias} did not exist at {from_ns(at_ns):%Y-%m-%d %H:%M:%S} UTC: it exists since "
            f"{from_ns(first['at_ns']):%Y-%m-%d %H:%M:%S} UTC, when it became {first['to_version']}"
        )

    def is_protected(self, store: Store, con: sqlite3.Connection, name: str, alias: str) -> bool:
        """Return whether promotions to an alias need evidence.

        Raises:
            DamagedStoreError: The protection was changed or taken away past the audit chain.
        """
        return store.record(con, self._tables.protections, *self._keys, name, alias) is not None

    def protect(self, change: Change, name: str, alias: str, *, on: bool) -> bool:
        """Protect an alias or stop to; return whether that changed anything."""
        was = self.is_protected(change.store, change.con, name, alias)
        if was == on:
            return False
        if on:
            row = {**self._own, "name": name, "alias": alias, "event_id": change.event_id}
            change.insert(self._tables.protections, row)
        else:
            change.delete(self._tables.protections, *self._keys, name, alias)
        action = f"{self._kind}.{'protect' if on else 'unprotect'}"
        change.say(action, f"{name}@{alias}", before={"protected": was}, after={"protected": on})
        return True

    def broken(self, con: sqlite3.Connection) -> list[str]:
        """Return the moves and pointers that are not what the audit chain and each other say."""
        problems: list[str] = []
        at: dict[tuple[str, str], int] = {}
        where = "where m.kind = ?" if self._keys else ""
        rows = con.execute(
            f"select m.*, e.action as told, e.subject, e.actor as by, e.at_ns as told_ns, e.after from "
            f"{self._tables.moves} m left join audit e using (event_id) {where} order by event_id",
            self._keys,
        )
        for row in rows:
            alias = f"{row['name']}@{row['alias']}"
            after = json.loads(row["after"]) if row["after"] else {}
            said = (row["told"], row["subject"], row["by"], row["told_ns"], after.get("version"))
            if said != (f"{self._kind}.{row['action']}", alias, row["actor"], row["at_ns"], row["to_version"]):
                problems.append(f"{alias}: the audit chain tells another move as event {row['event_id']}")
            if row["from_version"] != at.get((row["name"], row["alias"])):
                problems.append(
                    f"{alias}: the move of event {row['event_id']} does not start where the one before ended"
                )
            at[row["name"], row["alias"]] = row["to_version"]
        now = {(name, alias): one for name, found in self.all(con).items() for alias, one in found.items()}
        for name, alias in sorted(at.keys() | now.keys()):
            if at.get((name, alias)) != now.get((name, alias)):
                where_now, last = now.get((name, alias), "nothing"), at.get((name, alias), "nothing")
                problems.append(f"{name}@{alias} points to {where_now} and its last move led to {last}")
        return problems

    def _row(self, store: Store, con: sqlite3.Connection, name: str, alias: str) -> sqlite3.Row | None:
        return store.record(con, self._tables.aliases, *self._keys, name, alias)
