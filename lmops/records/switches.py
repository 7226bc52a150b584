"""Switches: what is off, by whom and why; in every process within a second, and never by an edited file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from lmops.errors import DamagedStoreError, UsageError
from lmops.records.words import check_words
from lmops.store.schema import schema

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping

    from lmops.records.change import Change
    from lmops.store import Store

S = TypeVar("S")


def switch_reason(reason: object) -> str:
    """Return why something is switched.

    Raises:
        UsageError: There is no reason, or it is no text.
    """
    words = check_words(reason, "reason")
    if not words:
        raise UsageError("a switch needs a reason, which the audit chain shows: reason='...'")
    return words


@dataclass(frozen=True, kw_only=True)
class Switches(Generic[S]):
    """The switches of one kind of thing; what was never switched is on, and has no row.

    Args:
        things: What they switch, for messages, such as "routes".
        table: Where they are: a key that says what is switched, and flag, actor, moved_ns, reason.
        flag: The column that says that it is off, such as "is_off".
        off: What the audit chain calls switching off, such as "policy.switch_off".
        on: And on.
        made: Makes the record of a row.
    """

    things: str
    table: str
    flag: str
    off: str
    on: str
    made: Callable[[Mapping[str, Any]], S]

    def read(self, store: Store, con: sqlite3.Connection) -> list[S]:
        """Return all switches, on or off.

        Args:
            store: Where they are.
            con: Inside a transaction of it.

        Raises:
            DamagedStoreError: One is not what was written: nothing may be on, or off, because somebody edited a file.
        """
        return [self.made(row) for row in self._rows(store, con)]

    def turn(self, change: Change, key: Mapping[str, str], *, is_off: bool, dry_run: bool = False) -> S:
        """Switch something and return its switch; what is as it is asked to be is left alone.

        Args:
            change: Who, why and when; what it is part of.
            key: What is switched, by the columns of the key.
            is_off: Off, or on.
            dry_run: Only say what the switch would be.

        Raises:
            DamagedStoreError: A switch is not what was written.
        """
        rows = self._rows(change.store, change.con)
        was = next((row for row in rows if all(row[name] == one for name, one in key.items())), None)
        now = {**key, self.flag: int(is_off), "actor": change.actor, "moved_ns": change.at_ns, "reason": change.reason}
        if (was is not None and bool(was[self.flag])) == is_off:
            return self.made(was if was is not None else now | {"reason": None})
        if not dry_run:
            change.replace(self.table, now)
            word = self.flag.removeprefix("is_")
            subject = "/".join(key[name] for name in schema().tables[self.table].key if key[name])
            change.say(self.off if is_off else self.on, subject, before={word: not is_off}, after={word: is_off})
        return self.made(now)

    def _rows(self, store: Store, con: sqlite3.Connection) -> list[Mapping[str, Any]]:
        rows, altered = store.records(con, self.table)
        if altered:
            raise DamagedStoreError(
                f"what says which {self.things} are switched off is not what was written; lmops store check"
            )
        return [dict(row) for row in rows]
