"""One move of an alias, as it is handed out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lmops.text import plain_line

if TYPE_CHECKING:
    from datetime import datetime


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
