"""Evaluation runs that were made under a version of a thing: verdicts on them are evidence for that version."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lmops.errors import NotFoundError, UsageError
from lmops.records.evidence import Proof, is_confirmed

if TYPE_CHECKING:
    import sqlite3

    from lmops.records.change import Change
    from lmops.records.kinds import Version
    from lmops.store import Store


class NotedRuns(NamedTuple):
    """Which run was made under which version.

    Args:
        kind: What has the versions, such as "policy"; its events are "policy.note_run".
        table: Of a room, with the key run_id, the name of the thing in ``column``, and version, actor, noted_ns.
        column: That of the name.
    """

    kind: str
    table: str
    column: str

    def proof(self, made_by: str) -> Proof:
        """Return the evidence that verdicts on such runs are.

        Args:
            made_by: The call that makes one, for messages.
        """
        return Proof(self._verdict, made_by)

    def note(self, change: Change, run: object, version: Version) -> None:
        """Note a run under a version, once; the event is said.

        Args:
            change: That it is part of.
            run: The run, or its id.
            version: Under which it was made.

        Raises:
            NotFoundError: There is no such run.
            UsageError: The run is noted under another version.
        """
        run_id = str(getattr(run, "run_id", run))
        if change.store.record(change.con, "eval_runs", run_id) is None:
            raise NotFoundError(f"no run {run_id!r}: ws.evals.list() shows them")
        noted = change.store.record(change.con, self.table, run_id)
        if noted is None:
            row = {"run_id": run_id, self.column: version.name, "version": version.version}
            change.insert(self.table, {**row, "actor": change.actor, "noted_ns": change.at_ns})
            change.say(f"{self.kind}.note_run", version.ref, after=row)
        elif (noted[self.column], noted["version"]) != (version.name, version.version):
            raise UsageError(f"{run_id} ran under {noted[self.column]}@{noted['version']}, and not under {version.ref}")

    def _verdict(self, store: Store, con: sqlite3.Connection, one: str) -> tuple[str, str] | None:
        """Return the outcome of a verdict and the version that its run was made under; None where it was under none."""
        row = con.execute("select * from verdicts where verdict_id = ?", (one,)).fetchone()
        run = None if row is None else store.record(con, self.table, row["run_id"])
        if run is None or not is_confirmed(con, row):
            return None
        return row["outcome"], f"{run[self.column]}@{run['version']}"
