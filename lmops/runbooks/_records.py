"""What is recorded of a run: the record, its row in the store, and whether its notebook is still what was recorded."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from lmops.errors import RunbookError
from lmops.runbooks._decision import EXIT_CODES, kind_of
from lmops.runbooks._schema import notebook_problem
from lmops.text import plain
from lmops.times import from_ns, to_ns

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

#: running: not over; lost: whoever ran it is gone and said nothing.
Status = Literal["running", "ok", "failed", "timeout", "killed", "refused", "lost"]
_JSON: Final = ("parameters", "result", "failing_cell", "changes")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunbookRun:
    """One run of a runbook, as it is recorded.

    ``failing_cell`` says where it stopped: index and number of the cell, its id, title, source and error.
    ``result`` is what the notebook passed to ``show_result``. ``sha256`` is of the executed notebook's file, and
    ``problem`` says when that file is no longer what was recorded. ``changes`` are the audit events of what it changed.
    """

    run_id: str
    name: str
    notebook: Path
    status: Status
    parameters: dict[str, object]
    started_at: datetime
    actor: str
    duration_s: float | None = None
    notebook_path: Path | None = None
    html_path: Path | None = None
    sha256: str | None = None
    result: dict[str, object] | None = None
    failing_cell: dict[str, object] | None = None
    error: str | None = None
    changes: list[dict[str, object]] = field(default_factory=list)
    problem: str | None = None

    def __repr__(self) -> str:
        took = "" if self.duration_s is None else f" in {self.duration_s:.1f} s"
        lines = [f"run {self.run_id} of {self.name}: {self.status}{took}"]
        if self.failing_cell is not None:
            cell = self.failing_cell
            lines.append(f"  cell {cell['number']} of {cell['of']} ({cell['title']})")
        lines += [
            f"  {name}: {value}"
            for name, value in (
                ("error", self.error),
                ("decision", (self.result or {}).get("decision")),
                ("notebook", self.notebook_path),
                ("html", self.html_path),
                ("PROBLEM", self.problem),
            )
            if value
        ]
        lines += [f"  changed: {one['action']} {one['subject']} (event {one['event_id']})" for one in self.changes]
        return "\n".join(plain(line) for line in lines)

    @property
    def exit_code(self) -> int:
        """How its command ends: 0, 1 when it failed or decided against something, 3 when it could not tell."""
        return 1 if self.status != "ok" else EXIT_CODES[kind_of((self.result or {}).get("decision"))]

    def raise_for_status(self) -> Self:
        """Return this run when every cell ran and the executed notebook is still the one that was recorded.

        Raises:
            RunbookError: It did not; the message names the cell, the error and the executed notebook.
        """
        if self.status != "ok" or self.problem is not None:
            raise RunbookError(repr(self))
        return self

    def to_dict(self) -> dict[str, object]:
        """Return the run as plain values that have a JSON form."""
        values = {**asdict(self), "started_at": self.started_at.isoformat()}
        return {key: str(value) if isinstance(value, Path) else value for key, value in values.items()}


def to_row(run: RunbookRun) -> dict[str, object]:
    """Return the run as the columns of ``runbook_runs``."""
    row = run.to_dict()
    row["started_ns"] = to_ns(str(row.pop("started_at")))
    del row["problem"]
    for key in _JSON:
        row[key] = None if row[key] is None else json.dumps(row[key], ensure_ascii=False)
    return row


def from_row(row: Mapping[str, Any]) -> RunbookRun:
    """Return the run that a row of ``runbook_runs`` holds, with what is wrong with its notebook."""
    values = {key: row[key] for key in RunbookRun.__dataclass_fields__ if key in row}
    for key in _JSON:
        if isinstance(values.get(key), str):
            values[key] = json.loads(values[key])
    for key in ("notebook", "notebook_path", "html_path"):
        values[key] = Path(values[key]) if values.get(key) else None
    values["started_at"] = from_ns(row["started_ns"])
    values["changes"] = values["changes"] or []
    return RunbookRun(**values, problem=notebook_problem(values["notebook_path"], values["sha256"]))
