"""Retention: what is older than so many days goes, with one event that says how much; cut short, it is finished."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from lmops.errors import UsageError
from lmops.store._chain import append_event
from lmops.store._hashes import key_text
from lmops.store._meta import in_words
from lmops.store._results import old_runs
from lmops.store.schema import schema

if TYPE_CHECKING:
    from pathlib import Path

    from lmops.store._intent import Changes, PendingChange
    from lmops.store._maintenance import Maintenance
    from lmops.store._meta import Meta

#: How such a change is noted.
KIND: Final = "retain"


class Retention:
    """Removes what is old from one store."""

    def __init__(self, folder: Path, meta: Meta, maintenance: Maintenance, changes: Changes) -> None:
        self._folder = folder
        self._meta = meta
        self._maintenance = maintenance
        self._changes = changes

    def planned(self, *, days: float, now_ns: int | None) -> dict[str, int]:
        """Return how many traces, spans and cases would go."""
        with in_words(self._folder):
            return self._maintenance.old(_since(days, now_ns))

    def begin(self, *, days: float, now_ns: int | None, actor: str) -> PendingChange:
        """Note that traces of more than so many days before ``now_ns`` (the present by default) are to go."""
        arguments = {"days": days, "since_ns": _since(days, now_ns)}
        with self._meta.write(durable=True) as con:
            return self._changes.begin(con, kind=KIND, subject="store", arguments=arguments, actor=actor)

    def carry_out(self, change: PendingChange, reason: str | None) -> dict[str, int]:
        """Do the work, and return the rows removed; the audit event comes once, with all that was."""
        with in_words(self._folder):
            removed = self._maintenance.retain(
                change.arguments["since_ns"],
                before=change.progress.get("removed", {}),
                note=lambda con, removed: self._changes.move(con, change, {"removed": removed}),
            )
        left = [table.outlives for table in schema().tables.values() if table.outlives is not None]
        with self._meta.read() as con:
            needed = {row[0] for one in left for row in con.execute(one.traces)}
        missing = needed - self._maintenance.known(needed)
        with self._meta.write(durable=True) as con:
            for one in left:
                one.told(con, missing)
            gone = {key_text([run_id]): None for run_id in old_runs(con, change.arguments["since_ns"])}
            append_event(
                con,
                actor=change.actor,
                action="store.retain",
                subject="store",
                reason=reason,
                after={"days": change.arguments["days"], "removed": removed},
                named={schema().packed.table: gone} if gone else None,
            )
            self._changes.finish(con, change)
        return removed


def _since(days: float, now_ns: int | None) -> int:
    """Return the time before which traces are old."""
    if not days > 0:
        raise UsageError(f"retain(days={days!r}): give a positive number of days to keep, such as days=90")
    return (time.time_ns() if now_ns is None else now_ns) - int(days * 86_400e9)
