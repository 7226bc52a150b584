"""Erasing traces with everything that was made of them, so that no file of the store holds any of it.

The work is noted before it begins and may be repeated from any point: whoever opens the store after it was cut short
finishes it. Rows are written anew without what goes, replaced files are removed at once, the database is written anew
as a whole, because SQLite keeps what was deleted in pages that are free.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError
from lmops.store._chain import append_event
from lmops.store._erase_plan import ERASED, Plan, Planner, waiting
from lmops.store._hashes import key_text
from lmops.store._manifest import move_manifest
from lmops.store._meta import in_words
from lmops.store._results import result_hashes, seal_case
from lmops.store.schema import schema

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    import pyarrow as pa

    from lmops.store._blobs import Blobs
    from lmops.store._drain import Publisher
    from lmops.store._engine import Engine
    from lmops.store._intent import Changes, PendingChange
    from lmops.store._maintenance import Maintenance
    from lmops.store._meta import Meta
    from lmops.store._segments import Segment

#: The events of copies that are no backups.
_EXPORTS: Final = ("store.export", "dataset.export")
#: How long others may hold up that the log of the database is cut.
_WAIT_S: Final = 10.0
#: What an example keeps: its place in its versions, its id and its split.
_EXAMPLE: Final = (
    "update example_contents set input = ?, expected = null, metadata = null, tags = null, cluster = ?, "
    "trace_id = null, output = null, documents = null, labels = null where content_id = ?"
)
_CASE: Final = (
    "update eval_results set output = case when output is null then null else ? end, output_is_json = 0, "
    "error = case when error is null then null else ? end, documents = null, tool_calls = null, cluster = ?, "
    "trace_id = null, scores = ? where run_id = ? and example_id = ? and repeat = ?"
)
_RUN: Final = (
    "update runbook_runs set parameters = '{}', result = null, failing_cell = null, notebook_path = null, "
    "html_path = null, sha256 = null, error = ? where run_id = ?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EraseReport:
    """What was erased, or with ``dry_run`` would be.

    ``backups`` and ``exports`` are copies that still hold it; ``left`` says what could not be erased and why;
    ``unsearched`` are examples of data sets that name no trace, by data set: nothing says whose texts they are.
    """

    by: str
    dry_run: bool
    traces: int
    spans: int
    blobs: int
    cached_answers: int
    examples: int
    cases: int
    runbook_runs: int
    files: int
    backups: tuple[str, ...] = ()
    exports: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    unsearched: dict[str, int] = field(default_factory=dict)
    event_id: int | None = None

    def __repr__(self) -> str:
        """Say it in one line, and below what still holds it."""
        counts = (
            (self.traces, "traces"), (self.spans, "spans"), (self.blobs, "blobs"),
            (self.cached_answers, "cached answers"), (self.examples, "examples"), (self.cases, "cases of evaluations"),
            (self.runbook_runs, "executed runbooks"), (self.files, "other files"),
        )  # fmt: skip
        said = ", ".join(f"{count:,} {what}" for count, what in counts if count) or "nothing"
        lines = [f"<EraseReport {'would erase' if self.dry_run else 'erased'} {said}>"]
        lines += [f"  a backup still holds what was there when it was made: {path}" for path in self.backups]
        lines += [f"  an export still holds what was there when it was made: {path}" for path in self.exports]
        lines += [
            f"  not searched: {count:,} examples of the data set {name} that name no trace (typed by hand, or from a "
            f"file); ws.datasets.get({name!r}).filter(lambda one: 'WORD' in str(one.as_dict())) looks into them"
            for name, count in sorted(self.unsearched.items())
        ]
        lines += [f"  LEFT: {what}" for what in self.left]
        lines += ["  nothing was changed: dry_run=False and a reason erase it"] if self.dry_run else []
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


def report(
    plan: Plan, *, dry_run: bool, backups: tuple[str, ...] = (), exports: tuple[str, ...] = (),
    left: tuple[str, ...] = (), event_id: int | None = None,
) -> EraseReport:  # fmt: skip
    """Return what a plan says as a report."""
    return EraseReport(
        by=plan.by, dry_run=dry_run, traces=plan.counts.get("traces", 0), spans=plan.counts.get("spans", 0),
        blobs=len(plan.blobs), cached_answers=len(plan.cached), examples=len(plan.examples), cases=len(plan.cases),
        runbook_runs=len(plan.runbooks), files=len(plan.files), backups=backups, exports=exports, left=left,
        unsearched=plan.unsearched, event_id=event_id,
    )  # fmt: skip


class Eraser:
    """Carries out a plan."""

    def __init__(
        self, folder: Path, meta: Meta, engine: Engine, publisher: Publisher, blobs: Blobs, maintenance: Maintenance,
        changes: Changes,
    ) -> None:  # fmt: skip
        self._planner = Planner(folder, meta, engine, blobs)
        self._folder = folder
        self._meta = meta
        self._engine = engine
        self._publisher = publisher
        self._blobs = blobs
        self._maintenance = maintenance
        self._changes = changes

    def erase(
        self, trace_ids: Iterable[str], *, by: str, words: Collection[str], reason: str | None, dry_run: bool,
        actor: str,
    ) -> EraseReport:  # fmt: skip
        """Find what has to go, and unless it is a dry run note it and do it; ``ws.erase`` says what that is.

        Args:
            trace_ids: The traces.
            by: How they were chosen, for the audit chain.
            words: Ids of the person or the session, which notebooks may show.
            reason: Why, for the audit chain.
            dry_run: Only say what would go.
            actor: Who asks.

        Raises:
            UsageError: No reason was given.
        """
        if not dry_run:
            self._meta.refuse_read_only()
        plan = self._planner.plan(trace_ids, by=by, words=words, salt=secrets.token_hex(8))
        if dry_run or not plan:
            return report(plan, dry_run=dry_run, backups=self.copies("store.backup"), exports=self.copies(*_EXPORTS))
        if reason is None or not reason.strip():
            raise UsageError("erase(dry_run=False) needs reason='...': the audit chain keeps why, and not what")
        with self._meta.write(durable=True) as con:
            arguments = {"plan": plan.to_dict(), "reason": reason}
            change = self._changes.begin(con, kind="erase", subject="traces", arguments=arguments, actor=actor)
        return self._changes.carry_out(change, self.carry_out)

    def copies(self, *actions: str) -> tuple[str, ...]:
        """Return where the audit chain says that copies were written to, as far as something is still there."""
        query = (
            "select coalesce(json_extract(after, '$.path'), subject), json_extract(after, '$.records') from audit "
            "where action in (select value from json_each(?)) order by event_id"
        )
        with self._meta.read() as con:
            paths = [path for row in con.execute(query, (json.dumps(actions),)) for path in row if path]
        return tuple(path for path in dict.fromkeys(paths) if Path(path).exists())

    def carry_out(self, change: PendingChange) -> EraseReport:
        """Erase what a noted change holds; safe to repeat."""
        plan = Plan(**change.arguments["plan"])
        with in_words(self._folder):
            unread = self._maintenance.erase_traces(plan.trace_ids)
            left = [f"{path} cannot be read and may hold rows of these traces: lmops store check" for path in unread]
            self._drop_blobs(plan)
            self._records(plan)
            self._segments_of_results(plan)
            left += self._files(plan)
            left += [
                f"{path} holds spans of these traces that a living process is about to store: erase them once more then"
                for path in waiting(self._folder, plan.trace_ids)
            ]
            self._meta.rewrite()
            event_id = self._say(plan, change, left)
            if not self._meta.cut_log(wait_s=_WAIT_S):
                left.append("meta.sqlite-wal is cut when the processes that read it now have ended their reading")
        return report(
            plan, dry_run=False, backups=self.copies("store.backup"), exports=self.copies(*_EXPORTS),
            left=tuple(left), event_id=event_id,
        )  # fmt: skip

    def _drop_blobs(self, plan: Plan) -> None:
        if not plan.blobs:
            return
        used = self._maintenance.blobs_in_use(self._engine.snapshot())
        for name in set(plan.blobs) - used:
            # one that was used since then belongs to a row that may not be committed yet
            self._blobs.remove(name, untouched_since_ns=plan.planned_ns)

    # -- records ---------------------------------------------------------------------------------------------------

    def _records(self, plan: Plan) -> None:
        """Change the records, in one transaction."""
        with self._meta.write(durable=True) as con:
            con.executemany("delete from response_cache where key = ?", [(key,) for key in plan.cached])
            with _unlocked(con, "example_contents_no_update"):
                for one in plan.examples:
                    row = con.execute("select cluster from example_contents where content_id = ?", (one,)).fetchone()
                    if row is not None:
                        con.execute(_EXAMPLE, (json.dumps(ERASED), _word(plan, row["cluster"]), one))
            query = "select cluster, scores from eval_results where run_id = ? and example_id = ? and repeat = ?"
            for case in plan.cases:
                row = con.execute(query, case).fetchone()
                if row is not None:
                    scores = _without_words(row["scores"])
                    con.execute(_CASE, (ERASED, ERASED, _word(plan, row["cluster"]), scores, *case))
                    seal_case(con, *case)
            said = f"{ERASED}: it showed traces that were erased"
            con.executemany(_RUN, [(said, run_id) for run_id in plan.runbooks])
            move_manifest(con)

    def _segments_of_results(self, plan: Plan) -> None:
        """Write the segments of results that hold the cases again without their texts."""
        if not plan.cases:
            return
        keys = {tuple(case) for case in plan.cases}
        runs = {run for run, _, _ in keys}
        with self._publisher.locked():
            replaced: list[Segment] = []
            with self._publisher.files() as written:
                for tbl, files in self._engine.results.live().files.items():
                    for segment in files:
                        table = self._emptied(segment, tbl, keys, runs, plan)
                        if table is not None:
                            replaced.append(segment)
                            written.append(self._publisher.write_file(tbl, table))
                if replaced:
                    with self._meta.write(durable=True) as con:
                        for file in written:
                            file.insert(con)
                        self._publisher.retire(con, [segment.path for segment in replaced])
                        move_manifest(con)
            self._publisher.sweep(grace_s=0)

    def _emptied(self, segment: Segment, tbl: str, keys: set[Any], runs: set[str], plan: Plan) -> pa.Table | None:
        """Return a segment with the texts of some cases erased; None when it holds none of them."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            table = pq.read_table(self._folder / segment.path, partitioning=None)
        except (OSError, pa.ArrowException):
            return None
        if not runs.intersection(table["run_id"].unique().to_pylist()):
            return None
        columns = [table[name].to_pylist() for name in ("run_id", "example_id", "repeat")]
        mask = [key in keys for key in zip(*columns, strict=True)]
        if not any(mask):
            return None
        changed: dict[str, Callable[[Any], Any]]
        if tbl == "results":
            changed = {
                "output": _erased, "output_is_json": lambda _: False, "error": _erased, "documents": _none,
                "tool_calls": _none, "cluster": lambda cluster: _word(plan, cluster), "trace_id": _none,
            }  # fmt: skip
        else:
            changed = {"rationale": _erased, "detail": _none, "reason": _erased, "trace_id": _none}
        for name, change in changed.items():
            field = table.schema.field(name)
            values = [change(value) if hit else value for value, hit in zip(table[name].to_pylist(), mask, strict=True)]
            table = table.set_column(table.schema.get_field_index(name), field, pa.array(values, field.type))
        return table

    # -- files and the database ------------------------------------------------------------------------------------

    def _files(self, plan: Plan) -> list[str]:
        """Remove notebooks, their pages and the other files; return what could not be removed."""
        left = []
        for path in [*map(Path, plan.notebooks), *(self._folder / name for name in plan.files)]:
            try:
                path.unlink(missing_ok=True)
                with contextlib.suppress(OSError):
                    path.parent.rmdir()
            except OSError as error:
                left.append(f"{path} cannot be removed ({error.strerror})")
        return left

    def _say(self, plan: Plan, change: PendingChange, left: Sequence[str]) -> int:
        """Append the event, which says that and why and not what, and take the note away."""
        runs = sorted({case[0] for case in plan.cases})
        named = {key_text([run_id]): result_hashes(self._engine.sql, run_id).get(run_id) for run_id in runs}
        after = {
            key: value for key, value in report(plan, dry_run=False).to_dict().items()
            if key not in ("dry_run", "backups", "exports", "left", "unsearched", "event_id") and value
        }  # fmt: skip
        rows = [
            *(("response_cache", key) for key in plan.cached), *(("example_contents", one) for one in plan.examples),
            *(("runbook_runs", run_id) for run_id in plan.runbooks),
        ]  # fmt: skip
        with self._meta.write(durable=True) as con:
            con.execute("pragma secure_delete = on")
            event_id = append_event(
                con, actor=change.actor, action="store.erase", subject="traces", reason=change.arguments["reason"],
                after={**after, "left": len(left)}, rows=rows, named={schema().packed.table: named} if named else None,
            )  # fmt: skip
            self._changes.finish(con, change)
        return event_id


@contextlib.contextmanager
def _unlocked(con: sqlite3.Connection, trigger: str) -> Iterator[None]:
    """Take a trigger away for a moment of the caller's transaction."""
    made = con.execute("select sql from sqlite_master where type = 'trigger' and name = ?", (trigger,)).fetchone()
    con.execute(f"drop trigger if exists {trigger}")
    yield
    if made is not None:
        con.execute(made[0])


def _word(plan: Plan, cluster: str | None) -> str | None:
    """Return the word that stands for a cluster from now on: one for each, which tells nothing of it."""
    if cluster is None or cluster.startswith("erased-"):
        return cluster
    return f"erased-{hashlib.sha256(f'{plan.salt}{cluster}'.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def _without_words(scores: str) -> str:
    """Return the scores of a case with their numbers alone."""
    kept = [
        [scorer, value, status, _erased(reason), _erased(rationale), None]
        for scorer, value, status, reason, rationale, _ in json.loads(scores)
    ]
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


def _erased(text: str | None) -> str | None:
    return None if text is None else ERASED


def _none(_: object) -> None:
    return None
