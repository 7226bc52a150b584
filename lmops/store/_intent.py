"""Changes that take long: written down before they begin, so that one that was cut short is finished, not forgotten.

A change is noted in the transaction that decides it, with all that its work needs. The work may be repeated from any
point without harm. When it is done the note goes, in the transaction that completes the change. Whoever finds the note
of a process that is gone does the rest of the work:

    with store.transaction() as con:
        ...                                               # what decides the change
        change = store.changes.begin(con, kind="retain", subject="store", arguments={"days": 30}, actor=actor)
    store.changes.carry_out(change, work)                 # work(change), now, and again when it was cut short

``work`` may keep how far it came (:meth:`Changes.move`) and may end the change itself (:meth:`Changes.finish`) in the
transaction of its last step, with the audit event that says so.
"""

from __future__ import annotations

import contextlib
import json
import logging
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from lmops.base.endings import Logged, Undone
from lmops.store._alive import Process, is_alive, this_process
from lmops.text import plain_line
from lmops.times import from_ns

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from lmops.store._meta import Meta

log = logging.getLogger(__name__)

T = TypeVar("T")
#: What a change has passed over, among its arguments; and how one is called that did not come so far.
_PASSED: Final = "passed"
_CUT: Final = "was cut short"
#: The last step of a rescue.
RESCUE: Final = "rescue"
#: The changes that a thread of this process works on, by the word that holds them.
_HELD: Final[set[str]] = set()


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PendingChange:
    """A change that is not finished.

    Args:
        change_id: 1, 2, 3, ...
        kind: What is done, such as "reprice".
        subject: On what.
        arguments: All that the work needs.
        progress: How far it came.
        actor: Who asked for it.
        started_at: When.
        is_running: Whether a living process works on it; otherwise it was cut short.
    """

    change_id: int
    kind: str
    subject: str
    arguments: dict[str, Any]
    progress: dict[str, Any]
    actor: str
    started_at: datetime
    is_running: bool
    owner: str | None = None

    def __str__(self) -> str:
        what = f"{self.kind} of {plain_line(self.subject, 80)}"
        return f"{what}, asked for by {plain_line(self.actor, 60)} at {self.started_at:%Y-%m-%d %H:%M:%S} UTC"

    @property
    def passed(self) -> list[dict[str, Any]]:
        """The files that it has passed over, because they could not be read: of them alone it is not finished."""
        found: list[dict[str, Any]] = self.arguments.get(_PASSED, [])
        return found

    @property
    def why(self) -> str:
        """Say why it is not finished."""
        files = len(self.passed)
        return f"has passed over {files} {'file' if files == 1 else 'files'} that could not be read" if files else _CUT

    def __repr__(self) -> str:
        state = "running" if self.is_running else "WAITS FOR A REPAIR" if self.passed else "CUT SHORT"
        return f"<PendingChange {self.change_id} {state}: {self}>"


class Changes:
    """The unfinished changes of one store: ``store.changes``."""

    def __init__(self, meta: Meta) -> None:
        self._meta = meta

    def begin(
        self, con: sqlite3.Connection, *, kind: str, subject: str, arguments: Mapping[str, Any], actor: str
    ) -> PendingChange:
        """Note a change in the caller's transaction; this process holds it from then on."""
        owner, now = secrets.token_hex(8), time.time_ns()
        holder = this_process()
        values = (kind, subject, _json(arguments), actor, now, owner, holder.pid, holder.started, holder.host, now)
        found = con.execute(
            "insert into pending_changes (kind, subject, arguments, progress, actor, started_ns, owner, pid, "
            "pid_started, host, heartbeat_ns) values (?, ?, ?, '{}', ?, ?, ?, ?, ?, ?, ?) returning *",
            values,
        ).fetchone()
        _HELD.add(owner)
        return _pending(found, now)

    def move(self, con: sqlite3.Connection, change: PendingChange, progress: Mapping[str, Any]) -> None:
        """Keep how far a change came, in the caller's transaction; the next to work on it finds it there."""
        change.progress.clear()
        change.progress.update(progress)
        con.execute(
            "update pending_changes set progress = ?, heartbeat_ns = ? where change_id = ?",
            (_json(progress), time.time_ns(), change.change_id),
        )

    def leave_passed(
        self,
        con: sqlite3.Connection,
        change: PendingChange,
        passed: Sequence[Mapping[str, Any]],
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        """Finish a change but for the files that it has passed over, for which another one waits from then on.

        Args:
            con: The caller's transaction.
            change: What is finished.
            passed: The files: the path of each, and where its rows lie in time.
            arguments: All that the other one needs; those of the change by default.
        """
        self.finish(con, change)
        if passed:
            needs = change.arguments if arguments is None else arguments
            con.execute(
                "insert into pending_changes (kind, subject, arguments, progress, actor, started_ns) "
                "values (?, ?, ?, '{}', ?, ?)",
                (change.kind, change.subject, _json({**needs, _PASSED: list(passed)}), change.actor, time.time_ns()),
            )

    def finish(self, con: sqlite3.Connection, change: PendingChange) -> None:
        """Take the note of a finished change away, in the caller's transaction."""
        con.execute("delete from pending_changes where change_id = ?", (change.change_id,))

    def pending(self) -> tuple[PendingChange, ...]:
        """Return the changes that are not finished, oldest first."""
        now = time.time_ns()
        with self._meta.read() as con:
            rows = con.execute("select * from pending_changes order by change_id").fetchall()
        return tuple(_pending(row, now) for row in rows)

    def carry_out(self, change: PendingChange, work: Callable[[PendingChange], T]) -> T:
        """Do the work of a change that this process holds, and return what it returns.

        Cut short by an error or by Ctrl+C it stays noted, for whoever opens the store next.
        """
        try:
            with Undone(lambda: self._cut_short(change)):
                found = work(change)
                with self._meta.write(durable=True) as con:
                    self.finish(con, change)
        finally:
            _HELD.discard(change.owner or "")
        return found

    def _cut_short(self, change: PendingChange) -> None:
        self._let_go(change)
        log.warning("the %s was cut short; lmops.open finishes it when it opens the store the next time", change)

    def resume(
        self, ways: Mapping[str, Callable[[PendingChange], object]], *, waits: Callable[[PendingChange], bool]
    ) -> list[PendingChange]:
        """Finish the changes of these kinds that were cut short; return those that were.

        Args:
            ways: The work of each kind of change.
            waits: Whether a change has to wait for something else.
        """
        finished = []
        for change in self.pending():
            if change.is_running or change.kind not in ways or waits(change) or not self._take(change):
                continue
            log.warning("the %s %s; it is being finished now", change, change.why)
            # What is wrong with one change must not keep everybody out of the store.
            with Logged(log, "the %s could not be finished", change, level=logging.ERROR):
                self.carry_out(self._mine(change), ways[change.kind])
                log.warning("the %s is finished", change)
                finished.append(change)
        return finished

    def _take(self, change: PendingChange) -> bool:
        """Take over a change from a process that is gone; False when somebody else was faster."""
        owner, holder = secrets.token_hex(8), this_process()
        # Held before it is written that it is held: another thread must not take it for left behind.
        _HELD.add(owner)
        with self._meta.write(durable=True) as con:
            taken = con.execute(
                "update pending_changes set owner = ?, pid = ?, pid_started = ?, host = ?, heartbeat_ns = ? "
                "where change_id = ? and owner is ?",
                (owner, holder.pid, holder.started, holder.host, time.time_ns(), change.change_id, change.owner),
            ).rowcount
        if not taken:
            _HELD.discard(owner)
        return bool(taken)

    def _mine(self, change: PendingChange) -> PendingChange:
        """Return a change as it is now that it was taken over."""
        return next(one for one in self.pending() if one.change_id == change.change_id)

    def _let_go(self, change: PendingChange) -> None:
        # A full disk may refuse even this: then it is found when this process is gone.
        with contextlib.suppress(Exception), self._meta.write() as con:
            con.execute(
                "update pending_changes set owner = null, pid = null where change_id = ? and owner is ?",
                (change.change_id, change.owner),
            )


def _pending(row: sqlite3.Row, now_ns: int) -> PendingChange:
    return PendingChange(
        change_id=row["change_id"],
        kind=row["kind"],
        subject=row["subject"],
        arguments=json.loads(row["arguments"]),
        progress=json.loads(row["progress"]),
        actor=row["actor"],
        started_at=from_ns(row["started_ns"]),
        is_running=_is_held(row, now_ns),
        owner=row["owner"],
    )


def _is_held(row: sqlite3.Row, now_ns: int) -> bool:
    if row["owner"] is None or row["pid"] is None:
        return False
    holder = Process(row["pid"], row["pid_started"], row["host"])
    if holder == this_process():
        return row["owner"] in _HELD
    return is_alive(holder, heartbeat_ns=row["heartbeat_ns"], now_ns=now_ns)


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(dict(value), ensure_ascii=False, separators=(",", ":"))
