"""What a sync of files and versions did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from lmops.text import escape, plain, plain_line

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

Action = Literal["same", "saved", "written", "refreshed", "conflict", "deleted", "problem"]
Side = Literal["file", "registry"]


class SyncEntry(NamedTuple):
    """What happened to one thing: ``diff`` of a conflict is from the newest version to the file."""

    name: str
    action: Action
    version: int | None
    path: Path
    detail: str = ""
    commit: str | None = None
    diff: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SyncReport:
    """What a sync did, one by one."""

    folder: Path
    entries: tuple[SyncEntry, ...]
    #: what there would have been, such as "prompts"
    noun: str
    is_dry_run: bool = False

    @property
    def ok(self) -> bool:
        """Return whether there are neither conflicts nor files that cannot be read."""
        return not any(entry.action in ("conflict", "problem") for entry in self.entries)

    @property
    def text(self) -> str:
        """Return the report as plain text, with the differences of conflicts."""
        lines = [self._title()]
        for entry in self.entries:
            version = f"@{entry.version}" if entry.version else ""
            commit = f" (commit {entry.commit[:12]})" if entry.commit else ""
            detail = f": {plain_line(entry.detail, 400)}" if entry.detail else ""
            lines.append(f"  {entry.action:<9}  {plain_line(entry.name, 130)}{version}{commit}{detail}")
            lines += [f"      {plain(line)}" for line in (entry.diff or "").splitlines()]
        return "\n".join(lines)

    def df(self) -> pd.DataFrame:
        """Return one row a name: name, action, version, path, detail, commit, diff."""
        from lmops.base.frames import Frame

        frame = Frame(self.entries, columns=list(SyncEntry._fields))
        return frame.astype({"version": "Int64", "path": "str"})

    def __repr__(self) -> str:
        return f"<SyncReport {self._title()}>"

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.text)}</pre>"

    def _title(self) -> str:
        counts: dict[str, int] = {}
        for entry in self.entries:
            counts[entry.action] = counts.get(entry.action, 0) + 1
        said = ", ".join(f"{count} {action}" for action, count in counts.items()) or f"no {self.noun}"
        return f"{plain_line(self.folder, 200)}: {said}" + (
            " (dry run: nothing was changed)" if self.is_dry_run else ""
        )
