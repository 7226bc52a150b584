"""What a run writes down: its plan before it starts, its finished cases in batches, and how it ended.

One process works on a run at a time. It holds the run through ``owner``, which every batch checks, so that a process
that was taken for dead writes nothing any more.
"""

from __future__ import annotations

import contextlib
import operator
import secrets
import time
from typing import TYPE_CHECKING, Any, Final

from lmops.base.endings import Undone
from lmops.errors import UsageError
from lmops.evals._provenance import lmops_version
from lmops.evals._rows import run_row
from lmops.evals._schema import CASES
from lmops.scorers.asking import known_sum
from lmops.store import Process, case_seal, is_alive, key_text, this_process

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Sequence

    from lmops.evals._records import Case, Plan
    from lmops.records import Project

_VALUES: Final = (
    f"into {CASES.table} ({', '.join(CASES.stored)}, seal) values ({', '.join('?' * len(CASES.stored))}, ?)"
)
_INSERT: Final = f"insert or replace {_VALUES}"
_MOVE: Final = """
update eval_runs set cases = cases + :cases, errors = errors + :errors, unpriced = unpriced + :unpriced,
  input_tokens = case when :input_tokens is null then input_tokens else coalesce(input_tokens, 0) + :input_tokens end,
  output_tokens =
    case when :output_tokens is null then output_tokens else coalesce(output_tokens, 0) + :output_tokens end,
  cost_usd = case when :cost_usd is null then cost_usd else coalesce(cost_usd, 0) + :cost_usd end,
  scoring_cost_usd =
    case when :scoring is null then scoring_cost_usd else coalesce(scoring_cost_usd, 0) + :scoring end,
  duration_s = :duration_s, heartbeat_ns = :now
where run_id = :run_id and owner = :owner
"""
_SUMMED: Final = (
    "cases", "errors", "unpriced", "input_tokens", "output_tokens", "cost_usd", "scoring_cost_usd"
)  # fmt: skip  # many words: packed, they are read at a glance
_SUMS: Final = """
select count(*) filter (status <> 'not_run') as cases, count(*) filter (status in ('error', 'timeout')) as errors,
  count(*) filter (status <> 'not_run' and cost_usd is null) as unpriced, sum(input_tokens)::BIGINT as input_tokens,
  sum(output_tokens)::BIGINT as output_tokens, sum(cost_usd) as cost_usd, sum(scoring_cost_usd) as scoring_cost_usd
from results where run_id = ?
"""

#: The owners that this process works for: one that could not record its end, on a full disk, lets go all the same.
_HELD: Final[set[str]] = set()


class Journal:
    """The record of one run, held by this process until it is released.

    Args:
        project: Whose run it is.
        run_id: The run.
        owner: The word that says it is held by this object.
        worked_s: Seconds of work before this session.
    """

    def __init__(self, project: Project, run_id: str, *, owner: str, worked_s: float) -> None:
        self.run_id = run_id
        self._project = project
        self._owner = owner
        self._worked_s = worked_s
        self._began = time.monotonic()

    @classmethod
    def create(cls, project: Project, plan: Plan, *, code_version: str | None, environment: str) -> Journal:
        """Write down a plan and return its journal."""
        import orjson

        # The caller's global seed must not repeat ids.
        run_id, owner = f"run-{secrets.token_hex(6)}", secrets.token_hex(8)
        process = this_process()
        record = {
            "run_id": run_id, "name": plan.name, "status": "running", "task_kind": plan.task_kind, "task": plan.task,
            "dataset": plan.dataset, "dataset_hash": plan.dataset_hash, "prompt_ref": plan.prompt_ref,
            "prompt_hash": plan.prompt_hash, "model": plan.model,
            "params": None if plan.params is None else orjson.dumps(plan.params).decode(),
            "scorers": orjson.dumps(plan.scorers).decode(), "settings": orjson.dumps(plan.settings).decode(),
            "examples": plan.examples, "repeats": plan.repeats, "seed": plan.seed, "code_version": code_version,
            "lmops_version": lmops_version(), "environment": environment, "actor": project.actor,
            "owner": owner, "pid": process.pid, "pid_started": process.started, "host": process.host,
            "heartbeat_ns": time.time_ns(),
        }  # fmt: skip  # columns that belong together share a line
        with _taking(owner), project.change() as change:
            change.insert("eval_runs", {**record, "started_ns": change.at_ns})
            change.say("eval.run", run_id, after={name: record[name] for name in ("name", "task", "dataset", "model")})
            change.leave_open("eval_results", run_id)
        return cls(project, run_id, owner=owner, worked_s=0.0)

    @classmethod
    def resume(cls, project: Project, run_id: str, *, retry_errors: bool, settings: str | None) -> Journal:
        """Take over a run that nobody works on and return its journal.

        Cases that were not run, and with ``retry_errors`` those that failed, are taken off the record to be run.

        Raises:
            NotFoundError: There is no such run.
            UsageError: A living process works on it.
        """
        owner, process, now_ns = secrets.token_hex(8), this_process(), time.time_ns()
        with _taking(owner):
            with project.change() as change:
                con = change.con
                row = run_row(con, run_id)
                refuse_held(row, now_ns=now_ns)
                con.execute(
                    "update eval_runs set status = 'running', owner = ?, pid = ?, pid_started = ?, host = ?, "
                    "heartbeat_ns = ?, ended_ns = null, error = null, sessions = sessions + 1, "
                    "settings = coalesce(?, settings) where run_id = ?",
                    (owner, process.pid, process.started, process.host, now_ns, settings, run_id),
                )
                gone = ("not_run", "error", "timeout") if retry_errors else ("not_run",)
                marks = ", ".join("?" * len(gone))
                con.execute(f"delete from eval_results where run_id = ? and status in ({marks})", (run_id, *gone))
                change.wrote("eval_runs", run_id)
                change.say("eval.resume", run_id)
                change.leave_open("eval_results", run_id)
            journal = cls(project, run_id, owner=owner, worked_s=row["duration_s"])
            journal.settle()
        return journal

    @property
    def seconds(self) -> float:
        """Seconds of work, over all sessions."""
        return self._worked_s + time.monotonic() - self._began

    def done(self) -> set[tuple[str, int]]:
        """Return the (example id, repeat) of the cases that are finished."""
        query = "select example_id, repeat from results where run_id = ? and status <> 'not_run'"
        return set(self._project.store.sql(query, [self.run_id]).fetchall())

    def write(self, rows: Sequence[Case], *, wait: bool = True) -> None:
        """Commit finished cases with the totals they move; with none, say that the process is alive.

        Raises:
            BusyError: Somebody else writes at the moment, and ``wait`` is False; nothing was written.
        """
        try:
            self._write(rows, wait=wait)
        except UnicodeEncodeError:
            # A lone surrogate in one text must not cost the others.
            self._write([{name: _encodable(value) for name, value in row.items()} for row in rows], wait=wait)

    def _write(self, rows: Sequence[Case], *, wait: bool) -> None:
        status, read, written, cost, scoring = zip(*map(_counted_of, rows), strict=True) if rows else ((),) * 5
        moved = {
            "cases": len(rows), "errors": len(rows) - status.count("ok"), "unpriced": cost.count(None),
            "input_tokens": known_sum(read), "output_tokens": known_sum(written), "cost_usd": known_sum(cost),
            "scoring": known_sum(scoring),
            "duration_s": self.seconds, "now": time.time_ns(), "run_id": self.run_id, "owner": self._owner,
        }  # fmt: skip  # columns that belong together share a line
        with self._project.change(durable=False, wait=wait) as change:
            if rows:
                change.con.executemany(_INSERT, map(_sealed, rows))
            if change.con.execute(_MOVE, moved).rowcount != 1:
                raise UsageError(
                    f"run {self.run_id} was taken over by another process while this one was silent; "
                    "nothing more was written here"
                )

    def write_not_run(self, keys: Iterable[tuple[str, int, str | None]]) -> None:
        """Record cases (example id, repeat, cluster) that were not started."""
        nothing = dict.fromkeys(CASES.stored) | {
            "run_id": self.run_id, "status": "not_run", "output_is_json": 0, "scores": "[]",
        }  # fmt: skip  # columns that belong together share a line
        rows = [nothing | {"example_id": one, "repeat": repeat, "cluster": cluster} for one, repeat, cluster in keys]
        with self._project.change(durable=False) as change:
            change.con.executemany(f"insert or ignore {_VALUES}", map(_sealed, rows))

    def settle(self) -> None:
        """Put the totals in step with the cases: exact, whatever was replaced."""
        values = self._project.store.sql(_SUMS, [self.run_id]).fetchall()[0]
        with self._project.change(durable=False) as change:
            change.con.execute(
                f"update eval_runs set {', '.join(f'{name} = ?' for name in _SUMMED)} where run_id = ? and owner = ?",
                [*values, self.run_id, self._owner],
            )

    def end(self, status: str, *, error: str | None) -> None:
        """Record how the session ended."""
        seconds = self.seconds
        # Before the totals are written: then the cases are read once for both.
        digest = self._project.store.result_hashes(self.run_id)
        if status != "finished":
            self.settle()  # who was stopped may have written a batch twice
        with self._project.change() as change:
            is_mine = change.con.execute(
                "update eval_runs set status = ?, error = ?, ended_ns = ?, duration_s = ?, owner = null, pid = null "
                "where run_id = ? and owner = ?",
                (status, error, change.at_ns, seconds, self.run_id, self._owner),
            ).rowcount
            if is_mine:
                change.wrote("eval_runs", self.run_id)
                named = {"eval_results": {key_text([self.run_id]): digest.get(self.run_id)}}
                change.say("eval.end", self.run_id, after={"status": status}, named=named)

    def release(self) -> None:
        """Let go of the run, whether or not its end could be recorded."""
        _HELD.discard(self._owner)


@contextlib.contextmanager
def _taking(owner: str) -> Iterator[None]:
    """Hold a run from before it is written that it is held; let go when that fails."""
    _HELD.add(owner)
    with Undone(lambda: _HELD.discard(owner)):
        yield


def refuse_held(row: sqlite3.Row, *, now_ns: int) -> None:
    """Refuse to touch a run that a living process works on.

    Raises:
        UsageError: It is held.
    """
    if is_held(row, now_ns=now_ns):
        raise UsageError(
            f"run {row['run_id']} is being worked on by process {row['pid']} on {row['host']}; "
            "wait for it, or stop that process and resume again"
        )


def is_held(row: sqlite3.Row, *, now_ns: int) -> bool:
    """Return whether somebody works on a run: a process that lives; this one, while its session goes on."""
    if row["status"] != "running" or row["owner"] is None:
        return False
    holder = Process(row["pid"], row["pid_started"], row["host"])
    if holder == this_process():
        return row["owner"] in _HELD
    return is_alive(holder, heartbeat_ns=row["heartbeat_ns"], now_ns=now_ns)


_values_of: Final = operator.itemgetter(*CASES.stored)
_counted_of: Final = operator.itemgetter("status", "input_tokens", "output_tokens", "cost_usd", "scoring_cost_usd")


def _sealed(row: Case) -> tuple[Any, ...]:
    """Return the values of a case in the order of its row, its checksum last."""
    values = _values_of(row)
    return (*values, case_seal(values))


def _encodable(value: Any) -> Any:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
