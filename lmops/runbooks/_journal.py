"""The record of runs: written before the first cell, closed at the end, or by whoever looks when the runner has died.

A row of ``runbook_runs`` and its audit event are one transaction. What a run changed is told by the audit chain: events
that happen in its kernel, or in anything the kernel started, name the run.
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from lmops.errors import ReadOnlyError, StoreError
from lmops.runbooks._processes import end_all
from lmops.runbooks._records import RunbookRun, from_row, to_row
from lmops.store import Process, at_home, file_sha256, is_alive, run_changes, this_process

if TYPE_CHECKING:
    import sqlite3

    from lmops.records import Change, Project

_log: Final = logging.getLogger(__name__)
#: How often a run says that it is still there, in seconds; it is lost on another host after a minute of silence.
BEAT_S: Final = 15.0
_SAID: Final = ("run_id", "status", "parameters", "sha256", "error")


class Journal:
    """The runs of one store.

    Args:
        project: Whose runs they are.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._store = project.store

    def begin(self, run: RunbookRun) -> None:
        """Write down that a run begins; when this cannot be written, nothing may run."""
        process = this_process()
        holder = {
            "pid": process.pid,
            "pid_started": process.started,
            "host": process.host,
            "heartbeat_ns": time.time_ns(),
        }
        try:
            with self._project.change(actor=run.actor) as change:
                change.insert("runbook_runs", {**to_row(run), **holder, "event_id": change.event_id})
                change.say("runbook.start", run.name, after={"run_id": run.run_id, "parameters": run.parameters})
        except ReadOnlyError:
            _log.warning("run %s of %s is not recorded: the store is open read-only", run.run_id, run.name)

    def beat(self, run_id: str) -> None:
        """Say that a run is still there."""
        if self._store.is_read_only:
            return
        try:
            with self._project.change(durable=False) as change:
                change.con.execute(
                    "update runbook_runs set heartbeat_ns = ? where run_id = ?", (time.time_ns(), run_id)
                )
        except StoreError:
            _log.debug("run %s could not say that it is still there", run_id, exc_info=True)

    def finish(self, run: RunbookRun) -> RunbookRun:
        """Write down how a run ended and return it with what it changed."""
        if self._store.is_read_only:
            return run
        with self._project.change(actor=run.actor) as change:
            begun = change.con.execute("select event_id from runbook_runs where run_id = ?", (run.run_id,)).fetchone()
            if begun is not None:
                run = replace(run, changes=run_changes(change.con, run.run_id, after_event=begun[0]))
            _close(change, run, action="runbook.run")
        return run

    def refuse(self, run: RunbookRun) -> None:
        """Write down that a run was refused: nothing ran."""
        if not self._store.is_read_only:
            with self._project.change(actor=run.actor) as change:
                _close(change, run, action="runbook.run")

    def runs(self, limit: int) -> list[RunbookRun]:
        """Return the newest runs, the newest first; one whose runner is gone is lost."""
        lost = {run.run_id: run for run in self.settle()}
        query = "select * from runbook_runs order by started_ns desc limit ?"
        with self._store.reading() as con:
            rows = con.execute(query, (limit,)).fetchall()
        return [lost.get(row["run_id"]) or self._run(row) for row in rows]

    def settle(self) -> list[RunbookRun]:
        """Close the record of every run whose runner is gone, end what it left running, and return these runs."""
        query = "select * from runbook_runs where status = 'running'"
        with self._store.reading() as con:
            gone = [row for row in con.execute(query).fetchall() if not _is_held(row)]
        return [self._lose(row) for row in gone]

    def _run(self, row: sqlite3.Row) -> RunbookRun:
        places = {name: at_home(self._store.path, row[name]) for name in ("notebook_path", "html_path")}
        return from_row({**dict(row), **places})

    def _lose(self, row: sqlite3.Row) -> RunbookRun:
        run = self._run(row)
        error = f"lost: its runner (process {row['pid']} on {row['host']}) ended without a word"
        run = replace(run, status="lost", error=error)
        if self._store.is_read_only:
            with self._store.reading() as con:
                return replace(run, changes=run_changes(con, run.run_id, after_event=row["event_id"]))
        if row["host"] == this_process().host:
            end_all(run.run_id)
        if run.notebook_path is not None and run.notebook_path.is_file():
            run = replace(run, sha256=file_sha256(run.notebook_path))
        with self._project.change() as change:
            now = change.con.execute("select * from runbook_runs where run_id = ?", (run.run_id,)).fetchone()
            if now["status"] != "running":  # somebody else has closed it meanwhile
                return self._run(now)
            run = replace(run, changes=run_changes(change.con, run.run_id, after_event=row["event_id"]))
            _close(change, run, action="runbook.lost")
        return run


def _is_held(row: sqlite3.Row) -> bool:
    holder = Process(row["pid"], row["pid_started"], row["host"])
    return is_alive(holder, heartbeat_ns=row["heartbeat_ns"], now_ns=time.time_ns())


def _close(change: Change, run: RunbookRun, *, action: str) -> None:
    """Write the row of a run that is over, and its event."""
    row = to_row(run)
    named = ", ".join(f"{name} = :{name}" for name in row if name != "run_id")
    if change.con.execute(f"update runbook_runs set {named} where run_id = :run_id", row).rowcount:
        change.wrote("runbook_runs", run.run_id)
    else:
        change.insert("runbook_runs", row)
    after = {key: getattr(run, key) for key in _SAID}
    if run.changes:
        after["changes"] = [one["event_id"] for one in run.changes]
    change.say(action, run.name, after=after)
