"""What is asked of the rows of runs and verdicts, statement by statement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lmops.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    import sqlite3


def run_row(con: sqlite3.Connection, run_id: str) -> sqlite3.Row:
    """Return the row of a run.

    Raises:
        NotFoundError: There is none.
    """
    row: sqlite3.Row | None = con.execute("select * from eval_runs where run_id = ?", (run_id,)).fetchone()
    if row is None:
        known = [found[0] for found in con.execute("select run_id from eval_runs order by started_ns desc limit 1000")]
        raise NotFoundError.of("run", run_id, known, hint="ws.evals.list() shows them")
    return row


def asked_row(con: sqlite3.Connection, asked: str) -> sqlite3.Row:
    """Return the row of the run that is meant: by its id, the start of its id, or the newest of an experiment's name.

    Raises:
        NotFoundError: There is none.
        UsageError: The start of an id fits several.
    """
    rows = con.execute("select run_id, name from eval_runs order by started_ns desc").fetchall()
    exact = [row["run_id"] for row in rows if row["run_id"] == asked]
    starting = [row["run_id"] for row in rows if len(asked) > 4 and row["run_id"].startswith(asked)]
    if not exact and len(starting) > 1:
        raise UsageError(f"{asked!r} is the start of {len(starting)} runs: {', '.join(starting[:5])}")
    of_name = [row["run_id"] for row in rows if row["name"] == asked]
    if found := exact or starting or of_name:
        return run_row(con, found[0])
    known = [row["run_id"] for row in rows[:1000]] + [row["name"] for row in rows[:1000]]
    raise NotFoundError.of("run", asked, known, hint="ws.evals.list() shows them")


def count(con: sqlite3.Connection) -> int:
    """Return how many runs there are."""
    return int(con.execute("select count(*) from eval_runs").fetchone()[0])


def complete(con: sqlite3.Connection, *, prompt_hash: str, dataset_hash: str, examples: int) -> list[str]:
    """Return the complete runs of exactly this prompt over all of exactly this dataset, newest first."""
    query = (
        "select run_id from eval_runs where prompt_hash = ? and dataset_hash = ? and task_kind = 'prompt' "
        "and status = 'finished' and cases = ? * repeats order by started_ns desc"
    )
    return [row[0] for row in con.execute(query, (prompt_hash, dataset_hash, examples))]


def baseline(con: sqlite3.Connection, *, name: str, prompt_hash: str, dataset_hash: str) -> str | None:
    """Return the newest complete run of a name, prompt and dataset; None when there is none."""
    row = con.execute(
        "select run_id from eval_runs where name = ? and prompt_hash = ? and dataset_hash = ? "
        "and status = 'finished' and cases = examples * repeats order by started_ns desc limit 1",
        (name, prompt_hash, dataset_hash),
    ).fetchone()
    return None if row is None else str(row[0])


def verdict_row(con: sqlite3.Connection, verdict_id: str) -> sqlite3.Row:
    """Return the row of a verdict.

    Raises:
        NotFoundError: There is none.
    """
    row: sqlite3.Row | None = con.execute("select * from verdicts where verdict_id = ?", (verdict_id,)).fetchone()
    if row is None:
        known = [one[0] for one in con.execute("select verdict_id from verdicts order by created_ns desc limit 500")]
        raise NotFoundError.of("verdict", verdict_id, known)
    return row
