"""Executed notebooks: whether the file is still the one whose SHA-256 was recorded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lmops.store._backup import at_home
from lmops.store._segments import file_sha256

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
    return (
        None
        if found == sha256
        else (
            f"the executed notebook was changed after its run: its SHA-256 is {found[:12]}, recorded was {sha256[:12]}"
        )
    )


def notebook_problems(con: sqlite3.Connection, folder: Path) -> list[str]:
    """Return one sentence for every recorded run whose executed notebook is not what was recorded."""
    rows = con.execute(
        "select run_id, name, notebook_path, sha256 from runbook_runs where sha256 is not null order by started_ns"
    ).fetchall()
    found = [(row, notebook_problem(at_home(folder, row["notebook_path"]), row["sha256"])) for row in rows]
    return [f"run {row['run_id']} of {row['name']}: {problem}" for row, problem in found if problem is not None]
