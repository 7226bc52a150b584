"""Erasing traces with everything that was made of them, so that no file of the store holds any of it.

The work is noted before it begins and may be repeated from any point: whoever opens the store after it was cut short
finishes it. Rows are written anew without what goes, replaced files are removed at once, the database is written anew
as a whole, because SQLite keeps what was deleted in pages that are free.
"""

from __future__ import annotations

import contextlib
import json
import logging
import secrets
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError
from lmops.store._chain import append_event
from lmops.store._erase_plan import Plan, Planner, hashed, waiting
from lmops.store._grown import remove_kept
from lmops.store._hashes import key_text
from lmops.store._maintenance import GRACE_S
from lmops.store._manifest import move_manifest
from lmops.store._meta import in_words
from lmops.store._results import seal_case
from lmops.store.schema import Becomes, schema
from lmops.text import plain_line

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from lmops.store._blobs import Blobs
    from lmops.store._drain import Publisher
    from lmops.store._engine import Engine
    from lmops.store._intent import Changes, PendingChange
    from lmops.store._maintenance import Maintenance
    from lmops.store._meta import Meta
    from lmops.store._segments import Segment
    from lmops.store.schema import Keys

log = logging.getLogger(__name__)

#: The events of copies that are no backups.
_EXPORTS: Final = ("store.export", "dataset.export", "trace.export")
#: So many rows that stay are named, the others counted.
_NAMED: Final = 20
#: How long others may hold up that the log of the database is cut.
_WAIT_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EraseReport:
    """What was erased, or with ``dry_run`` would be.

    ``records`` counts the rows of each kind, such as "examples"; ``backups`` and ``exports`` are copies that still hold
    it; ``left`` says what could not be erased and why; ``alike`` names what only has a stretch of text in common, by
    kind: it stays unless it is asked for.
    """

    by: str
    dry_run: bool
    traces: int
    spans: int
    blobs: int
    records: dict[str, int]
    files: int
    backups: tuple[str, ...] = ()
    exports: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    alike: dict[str, list[str]] = field(default_factory=dict)
    event_id: int | None = None

    def __repr__(self) -> str:
        """Say it in one line, and below what still holds it."""
        counts = [
            (self.traces, "traces"), (self.spans, "spans"), (self.blobs, "blobs"),
            *((count, called) for called, count in self.records.items()), (self.files, "other files"),
        ]  # fmt: skip  # counts that belong together share a line
        said = ", ".join(f"{count:,} {what}" for count, what in counts if count) or "nothing"
        lines = [f"<EraseReport {'would erase' if self.dry_run else 'erased'} {said}>"]
        lines += [f"  a backup still holds what was there when it was made: {path}" for path in self.backups]
        lines += [f"  an export still holds what was there when it was made: {path}" for path in self.exports]
        for called, names in self.alike.items():
            more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
            shown = ", ".join(plain_line(name, 80) for name in names[:_NAMED])
            lines += [f"  STAY: {called} with a stretch of text in common, unless they are named: {shown}{more}"]
        lines += [f"  LEFT: {what}" for what in self.left]
        lines += ["  nothing was changed: dry_run=False and a reason erase it"] if self.dry_run else []
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


def report(
    plan: Plan, *, dry_run: bool, backups: tuple[str, ...] = (), exports: tuple[str, ...] = (),
    left: tuple[str, ...] = (), event_id: int | None = None,
) -> EraseReport:  # fmt: skip  # arguments that belong together share a line
    """Return what a plan says as a report."""
    called = {table: erased.called for table, erased in schema().erased.items()}
    return EraseReport(
        by=plan.by, dry_run=dry_run, traces=plan.counts.get("traces", 0), spans=plan.counts.get("spans", 0),
        blobs=len(plan.blobs), records={called[table]: len(keys) for table, keys in plan.rows.items()},
        files=len(plan.files), backups=backups, exports=exports, left=left, alike=plan.alike, event_id=event_id,
    )  # fmt: skip  # arguments that belong together share a line


class Eraser:
    """Carries out a plan."""

    def __init__(
        self, folder: Path, meta: Meta, engine: Engine, publisher: Publisher, blobs: Blobs, maintenance: Maintenance,
        changes: Changes,
    ) -> None:  # fmt: skip  # arguments that belong together share a line
        self._planner = Planner(folder, meta, engine, blobs)
        self._folder = folder
        self._meta = meta
        self._engine = engine
        self._publisher = publisher
        self._blobs = blobs
        self._maintenance = maintenance
        self._changes = changes

    def erase(
        self, trace_ids: Iterable[str], *, by: str, words: Collection[str], who: Mapping[str, str], named: Keys,
        reason: str | None, dry_run: bool, actor: str,
    ) -> EraseReport:  # fmt: skip  # arguments that belong together share a line
        """Find what has to go, and unless it is a dry run note it and do it; ``ws.erase`` says what that is.

        Args:
            trace_ids: The traces.
            by: How they were chosen, for the audit chain.
            words: Ids and other words of the person or the session, which texts may show.
            who: The id of the user or session that was asked for, by its column.
            named: Rows of records that were asked for, by table.
            reason: Why, for the audit chain.
            dry_run: Only say what would go.
            actor: Who asks.

        Raises:
            UsageError: No reason was given.
        """
        if not dry_run:
            self._meta.refuse_read_only()
            with in_words(self._folder), self._publisher.locked():
                # Files that a killed process never listed are looked through with what else was set aside.
                self._publisher.sweep(grace_s=GRACE_S)
        unread, salt = self._maintenance.unreadable(), secrets.token_hex(8)
        hashes = {column: hashed(salt, value) for column, value in who.items()}
        plan = self._planner.plan(trace_ids, by=by, words=words, named=named, salt=salt, who=hashes, unread=unread)
        if dry_run or not (plan or plan.has_more):
            return report(
                plan,
                dry_run=dry_run,
                backups=self.copies("store.backup"),
                exports=self.copies(*_EXPORTS),
                left=tuple(_unread(plan)),
            )
        if reason is None or not reason.strip():
            raise UsageError("erase(dry_run=False) needs reason='...': the audit chain keeps why, and not what")
        with self._meta.write(durable=True) as con:
            arguments = {"plan": plan.to_dict(), "reason": reason}
            change = self._changes.begin(con, kind="erase", subject="traces", arguments=arguments, actor=actor)
        return self._changes.carry_out(change, self.carry_out)

    def resume(self, change: PendingChange) -> EraseReport:
        """Finish what was cut short, or look for what had waited for files that could not be read, and erase that."""
        if not change.passed:
            return self.carry_out(change)
        waiting_plan = Plan.kept(change.arguments["plan"])
        unread = self._maintenance.unreadable()
        ids, words = self._planner.found_again(waiting_plan, change.passed)
        named = {table: list(map(tuple, keys)) for table, keys in waiting_plan.rows.items()}
        plan = self._planner.plan(
            ids,
            by=waiting_plan.by,
            words=words,
            named=named,
            salt=waiting_plan.salt,
            who=waiting_plan.who,
            unread=unread,
        )
        # What came after it was asked for is somebody's again, also when it waits once more.
        plan = replace(plan, planned_ns=waiting_plan.planned_ns)
        with self._meta.write(durable=True) as con:
            arguments = {"plan": plan.to_dict(), "reason": change.arguments["reason"]}
            begun = self._changes.begin(con, kind="erase", subject="traces", arguments=arguments, actor=change.actor)
            self._changes.finish(con, change)
        found = self._changes.carry_out(begun, self.carry_out)
        for words_left in found.left:
            log.warning("the %s: %s", change, words_left)
        return found

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
        plan = Plan.kept(change.arguments["plan"])
        with in_words(self._folder):
            # What was damaged when the plan was made may have hidden some of them from it; the rest hides them now.
            found = {one["path"]: one for one in (*plan.unread, *self._maintenance.unreadable())}
            plan = replace(plan, unread=list(found.values()))
            self._maintenance.erase_traces(plan.trace_ids)
            left = _unread(plan)
            self._drop_blobs(plan)
            self._records(plan)
            self._segments_of_results(plan)
            remove_kept(self._folder)
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
        )  # fmt: skip  # arguments that belong together share a line

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
        packed = schema().packed
        with self._meta.write(durable=True) as con:
            for table, keys in plan.rows.items():
                where = " and ".join(f"{name} = ?" for name in schema().tables[table].key)  # our own names
                left = schema().erased[table].left
                with _unlocked(con, table):
                    for key in keys:
                        row = con.execute(f"select * from {table} where {where}", key).fetchone()
                        if row is None:
                            continue
                        if left is None:
                            con.execute(f"delete from {table} where {where}", key)
                            continue
                        values = {name: _becomes(rule, row[name], plan) for name, rule in left.items()}
                        if table == packed.table:
                            values[packed.parts.name] = _parts_left(row[packed.parts.name], plan)
                        names = ", ".join(f"{name} = ?" for name in values)
                        con.execute(f"update {table} set {names} where {where}", [*values.values(), *key])
                        if table == packed.table:
                            seal_case(con, *key)
            move_manifest(con)

    def _segments_of_results(self, plan: Plan) -> None:
        """Write the segments of results that hold the cases again without their texts."""
        cases = plan.rows.get(schema().packed.table)
        if not cases:
            return
        keys = {tuple(case) for case in cases}
        runs = {run for run, *_ in keys}
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

        if self._publisher.is_damaged(segment):
            return None
        table = pq.read_table(self._folder / segment.path, partitioning=None)
        packed = schema().packed
        if not runs.intersection(table[packed.owner].unique().to_pylist()):
            return None
        columns = [table[name].to_pylist() for name in packed.rows.key]
        mask = [key in keys for key in zip(*columns, strict=True)]
        if not any(mask):
            return None
        left = packed.part_left if tbl == packed.parts.name else schema().erased[packed.table].left
        for name, rule in (left or {}).items():
            field = table.schema.field(name)
            values = [
                _becomes(rule, value, plan) if hit else value
                for value, hit in zip(table[name].to_pylist(), mask, strict=True)
            ]
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
        """Append the event, which says that and why and not what; only what could not be read stays noted."""
        packed = schema().packed.table
        runs = sorted({case[0] for case in plan.rows.get(packed, ())})
        named = {
            key_text([run_id]): self._engine.results.hashes(self._engine.sql, run_id).get(run_id) for run_id in runs
        }
        after = {
            key: value for key, value in report(plan, dry_run=False).to_dict().items()
            if key not in ("dry_run", "backups", "exports", "left", "alike", "event_id") and value
        }  # fmt: skip  # one line for what is kept of the report
        rows = [(table, *key) for table, keys in plan.rows.items() if table != packed for key in keys]
        with self._meta.write(durable=True) as con:
            con.execute("pragma secure_delete = on")
            passed = plan.unread if plan.has_more else ()
            needs = {"plan": plan.rest().to_dict(), "reason": change.arguments["reason"]}
            self._changes.leave_passed(con, change, passed, needs)
            return append_event(
                con, actor=change.actor, action="store.erase", subject="traces", reason=change.arguments["reason"],
                after={**after, "left": len(left)}, rows=rows, named={packed: named} if named else None,
            )  # fmt: skip  # arguments that belong together share a line


@contextlib.contextmanager
def _unlocked(con: sqlite3.Connection, table: str) -> Iterator[None]:
    """Take the triggers of a table away, which forbid to change it, for a moment of the caller's transaction."""
    query = "select name, sql from sqlite_master where type = 'trigger' and tbl_name = ?"
    triggers = con.execute(query, (table,)).fetchall()
    for trigger in triggers:
        con.execute(f"drop trigger {trigger['name']}")  # our own names
    yield
    for trigger in triggers:
        con.execute(trigger["sql"])


def _becomes(rule: Becomes | str | int | None, value: Any, plan: Plan) -> Any:
    """Return what a value of an erased row becomes."""
    if not isinstance(rule, Becomes):
        return rule
    if rule is Becomes.ERASED:
        return None if value is None else rule.value
    if value is None or str(value).startswith(rule.value):
        return value
    return rule.value + hashed(plan.salt, value)[:12]


def _unread(plan: Plan) -> list[str]:
    """Return what could not be read and may hold more of them, one sentence each."""
    then = "what is erased now goes from it when it can be read again (lmops store check --repair, or put it back)"
    if plan.by != "trace_ids" and not plan.who:
        then += "; more that is meant may be in it, which is not known before: erase it once more then"
    left = [f"{one['path']} cannot be read: {then}" for one in plan.unread]
    return left + [
        f"{path} was set aside, can be read in part at most, and may hold it: nothing brings it back into the store; "
        "look at it, and remove it"
        for path in plan.obscure
    ]


def _parts_left(parts: str, plan: Plan) -> str:
    """Return the parts of a row without their words."""
    packed = schema().packed
    kept = [
        [_becomes(packed.part_left.get(name, value), value, plan) for name, value in zip(packed.own, part, strict=True)]
        for part in json.loads(parts)
    ]
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))
