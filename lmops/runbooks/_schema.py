"""The table of the runs of runbooks, what holds their notebooks, and the view over it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from lmops.store import at_home, file_sha256
from lmops.store.schema import TIME, Erased, Room, Table, View

if TYPE_CHECKING:
    import sqlite3


def notebook_problem(path: str | Path | None, sha256: str | None) -> str | None:
    """Return why an executed notebook is no evidence of its run, or None when it is what was recorded.

    Args:
        path: Where it was written; None when there was none.
        sha256: Its SHA-256 as it was recorded; None when none was.
    """
    if path is None or sha256 is None:
        return None
    file = Path(path)
    try:
        found = file_sha256(file) if file.is_file() else None
    except OSError as error:
        return f"the executed notebook cannot be read ({error.strerror})"
    if found is None:
        return "the executed notebook is missing"
    if found == sha256:
        return None
    return f"the executed notebook was changed after its run: its SHA-256 is {found[:12]}, recorded was {sha256[:12]}"


def check_notebooks(con: sqlite3.Connection, folder: Path) -> list[str]:
    """Return one sentence for every recorded run whose executed notebook is not what was recorded."""
    rows = con.execute(
        "select run_id, name, notebook_path, sha256 from runbook_runs where sha256 is not null order by started_ns"
    ).fetchall()
    found = [(row, notebook_problem(at_home(folder, row["notebook_path"]), row["sha256"])) for row in rows]
    return [f"run {row['run_id']} of {row['name']}: {problem}" for row, problem in found if problem is not None]


TABLES: Final = (
    Table(
        "runbook_runs",
        ("run_id",),
        moving=frozenset({"heartbeat_ns"}),
        files=("notebook_path", "html_path"),
        check_files=check_notebooks,
        erased=Erased(
            "executed runbooks",
            texts=("parameters", "result", "failing_cell", "error"),
            left={
                "parameters": "{}", "result": None, "failing_cell": None, "notebook_path": None, "html_path": None,
                "sha256": None, "error": "[erased]: it showed traces that were erased",
            },
        ),
    ),
)  # fmt: skip  # one line for each table where it fits
VIEWS: Final = (
    View(
        "runbook_runs",
        (
            ("run_id", "VARCHAR", "unique"),
            ("name", "VARCHAR", "runbook"),
            ("notebook", "VARCHAR", "path of its source"),
            ("status", "VARCHAR", "running, ok, failed, timeout, killed, refused, lost"),
            ("parameters", "VARCHAR", "JSON object"),
            ("started_at", TIME, "start"),
            ("duration_s", "DOUBLE", "seconds"),
            ("notebook_path", "VARCHAR", "the executed notebook"),
            ("html_path", "VARCHAR", "its HTML"),
            ("sha256", "VARCHAR", "of the executed notebook"),
            ("result", "VARCHAR", "JSON, what the runbook decided"),
            ("failing_cell", "VARCHAR", "JSON: index, source, error"),
            ("error", "VARCHAR", "what went wrong"),
            ("actor", "VARCHAR", "who ran it"),
            ("changes", "VARCHAR", "JSON list of {event_id, action, subject}: the audit events of what it changed"),
        ),
        "select run_id, name, notebook, status, parameters, started_ns, duration_s, notebook_path, html_path, sha256, "
        "result, failing_cell, error, actor, changes from runbook_runs order by started_ns",
        ("runbook_runs",),
    ),
)
ROOM: Final = Room(TABLES, VIEWS)
