"""The table of the runs of runbooks, and the view over it."""

from __future__ import annotations

from typing import Final

from lmops.store.schema import TIME, Room, Table, View

TABLES: Final = (
    Table(
        "runbook_runs",
        ("run_id",),
        moving=frozenset({"heartbeat_ns"}),
        files=("notebook_path", "html_path"),
    ),
)
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
