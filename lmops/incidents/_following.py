"""What follows from an incident: examples for a dataset, a monitor, something to be done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lmops.base.units import counted
from lmops.datasets import Datasets
from lmops.errors import UsageError
from lmops.incidents import _life

if TYPE_CHECKING:
    from lmops.incidents._records import Affected
    from lmops.monitors import Monitors
    from lmops.records import Project


def follow_up(
    project: Project, monitors: Monitors, found: Affected, *, dataset: str | None, monitor: str | None, limit: int
) -> tuple[str, str]:
    """Make what follows from an incident; return it in words, and its name.

    Raises:
        NotFoundError: There is no such monitor.
        UsageError: No trace is affected that could be an example.
    """
    if monitor is not None:
        ref = monitors.get(monitor).ref
        return f"monitor {ref} watches for it", ref
    query = (
        f"select trace_id from traces where trace_id in ({found.sql}) order by start_at desc, trace_id limit {limit}"
    )
    ids = [row[0] for row in project.store.sql(query).fetchall()]
    if not ids:
        raise UsageError(f"no trace is affected by incident {found.incident}, so that there is no example of it")
    tags = [f"incident-{found.incident}"]
    made = Datasets(project).add_traces(dataset or "", ids, tags=tags, note=f"of incident {found.incident}")
    return f"{counted(len(ids), 'affected trace')} in the dataset {made.ref}", made.ref


def write(project: Project, number: int, words: str, ref: str | None, *, reason: str | None) -> None:
    """Write a follow-up down, once."""
    with project.change(reason=reason) as change:
        _life.STATES.row(change, number)
        known = _life.rows_of(project.store, change.con, "incident_notes", number)
        if not any((row["kind"], row["text"]) == ("follow-up", words) for row in known):
            row = {"kind": "follow-up", "text": words, "ref": ref}
            _life.add(change, "incident_notes", number, row, said="follow_up", after={"words": words})
