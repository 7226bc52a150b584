"""Moves of aliases: one as it is handed out, and the view over all of a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lmops.store.schema import TIME, View, stored_name
from lmops.text import plain_line

if TYPE_CHECKING:
    from datetime import datetime

    from lmops.store.schema import Column


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Move:
    """One move of an alias; ``event_id`` is its place in the audit chain.

    When ``is_moved`` is False nothing was changed: the alias was there already, or the call was a dry run.
    """

    name: str
    alias: str
    action: str
    #: None: the alias did not exist
    from_version: int | None
    to_version: int
    at: datetime
    actor: str
    reason: str | None = None
    evidence: tuple[str, ...] = ()
    is_forced: bool = False
    event_id: int | None = None
    is_moved: bool = True
    is_dry_run: bool = False

    def __repr__(self) -> str:
        start = "nothing" if self.from_version is None else str(self.from_version)
        path = f"{self.name}@{self.alias}: {start} -> {self.to_version}"
        if self.is_dry_run:
            return f"<Move {path} (dry run: nothing was changed)>"
        if not self.is_moved:
            return f"<Move {self.name}@{self.alias} is {self.to_version} already: nothing to do>"
        forced = ", FORCED" if self.is_forced else ""
        return f"<Move {path} ({self.action}{forced}, {self.at:%Y-%m-%d %H:%M:%S} UTC by {plain_line(self.actor, 40)})>"


def moves_view(name: str, table: str, *moved: Column) -> View:
    """Return the view over a table of moves.

    Args:
        name: Its name.
        table: The table, with a column for each of the view's.
        moved: The columns that say which alias was moved.
    """
    columns: tuple[Column, ...] = (
        ("event_id", "BIGINT", "in the audit chain"),
        *moved,
        ("action", "VARCHAR", "promote or rollback"),
        ("from_version", "BIGINT", "NULL: the alias did not exist"),
        ("to_version", "BIGINT", "where it points from then on"),
        ("at", TIME, "when"),
        ("actor", "VARCHAR", "who"),
        ("reason", "VARCHAR", "why"),
        ("evidence", "VARCHAR", "JSON list of ids"),
        ("is_forced", "BOOLEAN", "to a protected alias without evidence"),
    )
    stored = ", ".join(map(stored_name, columns))
    return View(name, columns, f"select {stored} from {table} order by event_id", (table,))
