"""One change of the records: rows and the event that says so, in one transaction, or nothing at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lmops.store import append_event, chain_end, leave_open
from lmops.store.schema import schema
from lmops.times import to_ns

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from lmops.store import Store


class Change:
    """A change that is being made; ``project.change()`` gives one.

    Args:
        store: Where the records are.
        con: Inside its transaction.
        actor: Who makes it.
        reason: Why.
        evidence: Ids of what it rests on.
        at: When.
        is_dry_run: Nothing that is written stays.
    """

    def __init__(
        self,
        store: Store,
        con: sqlite3.Connection,
        *,
        actor: str,
        reason: str | None,
        evidence: tuple[str, ...],
        at: datetime,
        is_dry_run: bool = False,
    ) -> None:
        self.store = store
        self.con = con
        self.actor = actor
        self.reason = reason
        self.evidence = evidence
        self.at = at
        self.is_dry_run = is_dry_run
        self._rows: list[tuple[Any, ...]] = []
        self._end: tuple[int, str] | None = None

    @property
    def at_ns(self) -> int:
        """When, in nanoseconds since 1970 UTC."""
        return to_ns(self.at)

    @property
    def event_id(self) -> int:
        """The id of the event that is said next, for rows that hold it."""
        self._end = self._end or chain_end(self.con)
        return self._end[0] + 1

    @property
    def unsaid(self) -> list[str]:
        """The tables with rows that were written since the last event."""
        return sorted({row[0] for row in self._rows})

    def insert(self, table: str, row: Mapping[str, Any]) -> int:
        """Write a new row and return its number in SQLite, which is its key where the row has none yet."""
        return self._put("insert", table, row)

    def replace(self, table: str, row: Mapping[str, Any]) -> int:
        """Write a row in the place of the one with its key."""
        return self._put("insert or replace", table, row)

    def delete(self, table: str, *key: object) -> None:
        """Remove a row."""
        where = " and ".join(f"{name} = ?" for name in schema().tables[table].key)
        self.con.execute(f"delete from {table} where {where}", key)
        self.wrote(table, *key)

    def wrote(self, table: str, *key: object) -> None:
        """Take it that a statement of the room wrote or removed a row, so that the next event names it."""
        if schema().tables[table].held_by is None:
            self._rows.append((table, *key))

    def leave_open(self, table: str, *key: object) -> int:
        """List a row that a later event will name; return how many rows of its table wait for one."""
        return leave_open(self.con, table, *key)

    def say(
        self,
        action: str,
        subject: str,
        *,
        before: object = None,
        after: object = None,
        evidence: Sequence[str] = (),
        named: Mapping[str, Mapping[str, str | None]] | None = None,
    ) -> int:
        """Append the event of what was written since the last one, and return its id.

        Args:
            action: What was done, such as "price.set".
            subject: On what.
            before: What it was, plain data.
            after: What it is, plain data.
            evidence: Ids of what it rests on, beside those of the change.
            named: Hashes of records that the room made: table -> key -> hash, None for what is gone.
        """
        rows, self._rows = self._rows, []
        end, self._end = self._end, None
        return append_event(
            self.con,
            actor=self.actor,
            action=action,
            subject=subject,
            reason=self.reason,
            before=before,
            after=after,
            evidence=tuple(dict.fromkeys((*self.evidence, *evidence))),
            at_ns=self.at_ns,
            rows=rows,
            named=named,
            end=end,
        )

    def _put(self, verb: str, table: str, row: Mapping[str, Any]) -> int:
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        number = self.con.execute(f"{verb} into {table} ({names}) values ({marks})", [*row.values()]).lastrowid or 0
        self.wrote(table, *(row.get(name, number) for name in schema().tables[table].key))
        return number
