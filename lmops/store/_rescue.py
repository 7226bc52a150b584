"""Rescue: a database that is lost, empty, older or damaged is built again from what there is.

Which files are the store's is in the journal, and in the footers of the files themselves; records (prompts, prices,
runs, the audit chain) are in the newest database that can be had: the present one, a backup's or an export's. What is
found is written into a new database beside the old one, which takes its place at the end, in one step: a killed rescue
is repeated. The old database is set aside, never removed.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from lmops.errors import DamagedStoreError, LmopsError, NotFoundError, StoreError, UsageError
from lmops.owners import refuse_stranger
from lmops.store._acknowledged import Acknowledged
from lmops.store._chain import append_event, default_actor
from lmops.store._duck import in_memory
from lmops.store._filesystem import META, fsync_dir, is_store, make_file, make_folder, refuse_links
from lmops.store._hashes import key_of
from lmops.store._identity import UNFINISHED, refuse_lost, refuse_other, segment_files, stamp_of
from lmops.store._intent import RESCUE, Changes
from lmops.store._journal import JOURNAL, Told, note, read
from lmops.store._manifest import LOCK, replaced_rows, write_dead
from lmops.store._meta import LOST, Meta, in_words
from lmops.store._quarantine import QUARANTINE, set_aside
from lmops.store._salvage import described, salvage
from lmops.store._seals import forsaken, leave_open
from lmops.store._segments import MANIFEST_COLUMNS, Stamp, Written, file_sha256, write_segment
from lmops.store._sources import BESIDE, newest
from lmops.store._tables import filed
from lmops.store.schema import schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from lmops.store._check import CheckReport
    from lmops.store._sources import Source

#: How long a rescue waits for somebody who drains or compacts.
_WAIT_S: Final = 10.0
#: So many records whose events are lost are named, the others counted.
_NAMED: Final = 5
#: What a database that is built again must not take over: it is found out anew.
_MANIFEST: Final = ("segments", "retired", "dead_rows")
#: Facts are the same in two files with the same revision; a row of results is by its key.
_SAME: Final = {
    "spans": ("trace_id", "span_id", "rev"),
    "traces": ("trace_id", "rev"),
    "logs": ("trace_id", "span_id", "time_ns", "name", "body", "attributes", "rev"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RescueReport:
    """What a rescue found, and what it could not have.

    Attributes:
        path: The store.
        store_id: Its id.
        reason: Why it could not be opened.
        records_from: The database that the records are from; None when there was none.
        segments: Files that the manifest lists again.
        rows: Rows in them, replaced ones included.
        lost: What cannot be had, one sentence each.
    """

    path: str
    store_id: str
    reason: str
    records_from: str | None
    segments: int
    rows: int
    lost: tuple[str, ...]

    def __repr__(self) -> str:
        """Say it in one line, and below what cannot be had."""
        head = f"<RescueReport {self.path}: {self.segments} segments, {self.rows} rows"
        return "\n  ".join([f"{head}; records from {self.records_from or 'nowhere'}>", *self.lost])


@dataclass(slots=True)
class _Found:
    """The files of a store."""

    files: list[Written] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


class Opened(Protocol):
    """A store, as far as a rescue looks into it before and after."""

    def check(self) -> CheckReport:
        """Return what is wrong with it."""

    def end_rescue(self) -> None:
        """Put the rows of traces in step with the spans, and set aside what nobody lists."""


class Opens(Protocol):
    """Opens a store for as long as a block takes."""

    def __call__(self, path: Path, *, read_only: bool = False) -> contextlib.AbstractContextManager[Opened]:
        """Return the open store."""


def rebuilt(folder: Path, *, records: str | os.PathLike[str] | None, actor: str | None, opened: Opens) -> RescueReport:
    """Build the database of a store again: what :func:`lmops.store.rescue` says.

    Args:
        folder: The store.
        records: A backup or an export to take the records from.
        actor: Who does it.
        opened: Opens a store.
    """
    import filelock

    refuse_stranger(folder, folder / META, what="the store")
    refuse_links(folder)
    if not is_store(folder) and not (folder / JOURNAL).is_file():
        raise NotFoundError(f"there is no store at {folder} to rescue")
    lock = filelock.FileLock(folder / LOCK, fallback_to_soft=False, preserve_lock_file=True)
    try:
        with in_words(folder), lock.acquire(timeout=_WAIT_S):
            report = _Rescue(folder, records, actor or default_actor(), opened).run()
    except filelock.Timeout:
        raise StoreError(f"somebody writes to the store {folder}; end that process, then rescue again") from None
    except UsageError:
        # A store that can be opened, perhaps by a rescue that was killed before its last step.
        with contextlib.suppress(LmopsError), opened(folder) as store:
            store.end_rescue()
        raise
    with opened(folder) as store:
        store.end_rescue()
    return report


class _Rescue:
    def __init__(self, folder: Path, records: str | os.PathLike[str] | None, actor: str, opened: Opens) -> None:
        self._folder = folder
        self._opened = opened
        self._records = None if records is None else Path(records).expanduser().absolute()
        self._actor = actor
        self._told = read(folder)
        self._paths = sorted(found for found in segment_files(folder) if found.endswith(".parquet"))

    def run(self) -> RescueReport:
        reason = self._reason()
        for left in self._folder.glob(f"{UNFINISHED}*"):
            shutil.rmtree(left)  # copies that a killed rescue made
        with tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=self._folder) as temporary:
            work = Path(temporary)
            source = newest(self._folder, self._records, self._owners(), work)
            store_id = self._store_id(source)
            self._refuse_foreign(store_id)
            found = self._files(store_id)
            meta = self._records_into(work / "new", source, store_id)
            found.lost += self._missing(source)
            generation = self._fill(meta, found, source, reason)
            meta.close()
            self._swap(work / "new" / META, store_id, generation)
        return RescueReport(
            path=str(self._folder), store_id=store_id, reason=reason,
            records_from=None if source is None else str(source.path), segments=len(found.files),
            rows=sum(file.rows for file in found.files), lost=tuple(found.lost),
        )  # fmt: skip  # arguments that belong together share a line

    def _reason(self) -> str:
        """Return why the store cannot be opened."""
        try:
            refuse_lost(self._folder)
            with contextlib.closing(_read_only(self._folder / META)) as con:
                refuse_other(self._folder, con)
                verdict = str(con.execute("pragma integrity_check").fetchone()[0])
        except DamagedStoreError as error:
            return str(error)
        except sqlite3.Error as error:
            return f"{META} is damaged ({error})"
        if verdict != "ok":
            return f"{META}: {verdict}"
        with self._opened(self._folder, read_only=True) as store:
            problems = [problem for problem in store.check().problems if problem.startswith(META)]
        if problems:
            return problems[0]
        raise UsageError(f"the store {self._folder} can be opened; lmops store check looks for damage in it")

    # -- records ---------------------------------------------------------------------------------------------------

    def _store_id(self, source: Source | None) -> str:
        """Return whose segments these are."""
        owners = self._owners()
        if source is not None and (not owners or source.store_id in owners):
            return source.store_id
        return next(iter(owners), None) or os.urandom(16).hex()

    def _refuse_foreign(self, store_id: str) -> None:
        """Raise when all segments are another store's: neither its facts nor these records would be served."""
        stamps = [stamp_of(self._folder / path) for path in self._paths]
        whose = {stamp[0] for stamp in stamps if stamp is not None}
        if whose and None not in stamps and store_id not in whose:
            raise DamagedStoreError(
                f"nothing was changed: the records in {self._folder} are of the store {store_id}, and all of its "
                f"segments/ of the store {min(whose)}; put the right segments/ back, or move {META} and {JOURNAL} "
                "away to rescue these segments by themselves"
            )

    def _owners(self) -> dict[str, int]:
        """Return the ids of stores that the files and the journal name, the most frequent first."""
        found: dict[str, int] = {}
        for path in self._paths:
            stamp = stamp_of(self._folder / path)
            if stamp is not None:
                found[stamp[0]] = found.get(stamp[0], 0) + 1
        if self._told is not None:
            found[self._told.store_id] = found.get(self._told.store_id, 0) + 1
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    def _records_into(self, target: Path, source: Source | None, store_id: str) -> Meta:
        """Return a database with the records of a source and nothing in its manifest."""
        make_folder(target)
        make_file(target / META)
        if source is not None and source.is_whole:
            copied = target.parent / "source" / META
            with contextlib.closing(sqlite3.connect(copied)) as old, contextlib.closing(
                sqlite3.connect(target / META)
            ) as new:  # fmt: skip  # one line for each of the two databases
                old.backup(new)
        meta = Meta(target, read_only=False, network=False)
        if source is not None and not source.is_whole:
            _copy_rows(target.parent / "source" / META, meta)
        with meta.write(durable=True) as con:
            for table in _MANIFEST:
                con.execute(f"delete from {table}")  # fixed names
            con.execute("insert or replace into info values ('store_id', ?)", (store_id,))
        meta.store_id = store_id
        return meta

    def _missing(self, source: Source | None) -> list[str]:
        """Return what of the records cannot be had."""
        if source is None:
            records = "records (prompts, prices, runs, data sets, the audit chain)"
            return [
                f"{records}: no database of this store was found; --records names a backup or an export",
                "writes that were acknowledged and not yet in a segment",
            ]
        lost = []
        if source.path != self._folder / META:
            when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(source.path.stat().st_mtime))
            lost.append(f"records, and writes not yet in a segment, that are newer than {source.path} ({when} UTC)")
        elif self._told is not None and self._told.generation > source.generation:
            lost.append("records, and writes not yet in a segment, that are newer than the older database")
        if not source.is_whole:
            lost.append(f"rows of {source.path} that could not be read")
        return lost

    # -- facts -----------------------------------------------------------------------------------------------------

    def _files(self, store_id: str) -> _Found:
        """Return the files that are the store's, by the journal and by their footers."""
        found = _Found()
        told = self._told if self._told is not None and self._told.store_id == store_id else None
        listed: list[Written] = []  # and whole
        unknown: list[Written] = []
        for path in self._paths:
            if told is not None and path in told.files:
                continue
            if told is not None and (path in told.dropped or self._is_stray(path, told)):
                continue
            stamp = stamp_of(self._folder / path)
            if stamp is None or stamp[0] == store_id:
                unknown += self._described(path, store_id, found)
        for path, record in told.files.items() if told is not None else ():
            if (self._folder / path).is_file():
                found.files.append(Written.from_record(record))
                if file_sha256(self._folder / path) == record["sha256"]:
                    listed.append(found.files[-1])
                else:
                    found.lost.append(f"{path}: damaged; check(repair=True) keeps what is whole of it")
            else:
                found.lost.append(f"{path}: missing; {record['rows']} rows of {record['tbl']}")
        for file in unknown:
            found.files += self._not_replaced(file, listed, unknown, store_id)
        if unknown and (told is None or not told.is_whole):
            found.lost.append("which files had been removed: what was removed in the last minutes may be back")
        return found

    def _is_stray(self, path: str, told: Told) -> bool:
        """Return whether a file was never listed: the journal is whole, goes further and does not know of it."""
        stamp = stamp_of(self._folder / path)
        return told.is_whole and stamp is not None and stamp[1] <= told.generation

    def _described(self, path: str, store_id: str, found: _Found) -> list[Written]:
        try:
            return [described(self._folder, path)]
        except DamagedStoreError as error:
            tbl = Path(path).parts[1]
            rows = salvage(self._folder / path, tbl) if tbl in filed() else None
            kept = 0 if rows is None else rows.num_rows
            found.lost.append(f"{error}; {kept} rows of {tbl} were kept, the file is set aside")
            if rows is None or not kept:
                return []
            return [self._written(tbl, rows, path, store_id)]

    def _written(self, tbl: str, rows: pa.Table, path: str, store_id: str) -> Written:
        """Write the rows that are left of a file into one of the same age."""
        stamp = stamp_of(self._folder / path)
        return write_segment(self._folder, tbl, rows, Stamp(store_id=store_id, generation=stamp[1] if stamp else 0))

    def _not_replaced(
        self, file: Written, listed: Sequence[Written], unknown: Sequence[Written], store_id: str
    ) -> list[Written]:
        """Return a file without the rows that are elsewhere.

        What a newer file has, a merge or a removal has replaced. What a listed file has, somebody was about to replace,
        who was killed before it counted; or the journal has lost that it did: the row is there once either way.
        """
        import pyarrow.parquet as pq

        others = [*listed, *(other for other in unknown if self._age(other) > self._age(file))]
        elsewhere = [str(self._folder / other.path) for other in others if other.tbl == file.tbl]
        if not elsewhere:
            return [file]
        names = _SAME.get(file.tbl) or filed()[file.tbl].key
        same = " and ".join(f"here.{name} is not distinct from other.{name}" for name in names)
        query = (
            "select here.* from read_parquet(?) as here where not exists "
            f"(select 1 from read_parquet(?) as other where {same})"  # fixed names
        )
        with contextlib.closing(in_memory()) as con:
            con.execute("set TimeZone='UTC'")
            rest = con.sql(query, params=[[str(self._folder / file.path)], elsewhere]).to_arrow_table()
        if rest.num_rows == file.rows:
            return [file]
        rest = rest.cast(pq.read_schema(self._folder / file.path))
        return [self._written(file.tbl, rest, file.path, store_id)] if rest.num_rows else []

    def _age(self, file: Written) -> tuple[int, int]:
        return file.generation or 0, (self._folder / file.path).stat().st_mtime_ns

    # -- the new database ------------------------------------------------------------------------------------------

    def _fill(self, meta: Meta, found: _Found, source: Source | None, reason: str) -> int:
        """List the files, count, and write the event; return the generation."""
        whole = [file for file in found.files if file_sha256(self._folder / file.path) == file.sha256]
        with contextlib.closing(in_memory()) as cursor:
            dead = replaced_rows(cursor, self._folder, [(file.tbl, file.path) for file in whole])
            packed = schema().packed
            files = [str(self._folder / file.path) for file in whole if file.tbl == packed.rows.name]
            query = f"select distinct {packed.owner} from read_parquet(?)"  # our own name
            owners = [row[0] for row in cursor.execute(query, [files]).fetchall()] if files else []
        generations = [file.generation or 0 for file in found.files]
        generations += [source.generation if source else 0, self._told.generation if self._told else 0]
        generation = max(generations) + 1
        with meta.write(durable=True) as con:
            con.execute("update counters set value = 0 where name = 'segments'")
            for file in found.files:
                file.insert(con)
            write_dead(con, dead)
            # What the store itself had replaced goes as it would have gone.
            replaced = [path for path in self._paths if self._told is not None and path in self._told.dropped]
            con.executemany("insert into retired values (?, ?)", [(path, time.time_ns()) for path in replaced])
            rev = max((file.rev or 0 for file in found.files), default=0)
            con.execute("update counters set value = max(value, ?) where name = 'rev'", (rev,))
            con.execute("update counters set value = ? where name = 'manifest'", (generation,))
            # Which segments a change had done is said by numbers that others may have now: it is done again.
            con.execute("update pending_changes set progress = json_remove(progress, '$.done')")
            # What is lost is said here, and needs not be found out again.
            con.execute("delete from info where key = ?", (LOST,))
            acknowledged = Acknowledged(self._folder).read(meta.store_id)
            con.execute("update counters set value = max(value, ?) where name = 'commits'", (acknowledged,))
            con.execute(
                "update counters set value = (select coalesce(sum(rows), 0) from inbox) where name = 'inbox_rows'"
            )
            owners += [row[0] for row in con.execute(f"select distinct {packed.owner} from {packed.table}")]
            open_rows = [] if source is None or source.is_whole else forsaken(con, sorted(set(owners)))
            found.lost += _in_words(open_rows)
            self._say(con, found, source, reason, open_rows)
            # Killed before its last step, it is finished by whoever opens the store next.
            Changes(meta).begin(con, kind=RESCUE, subject="store", arguments={}, actor=self._actor)
            for table, key, _ in open_rows:
                leave_open(con, table, *json.loads(key))
        con = meta.connection()
        con.execute("pragma wal_checkpoint(truncate)")
        return generation

    def _say(
        self,
        con: sqlite3.Connection,
        found: _Found,
        source: Source | None,
        reason: str,
        open_rows: Sequence[tuple[str, str, bool]],
    ) -> None:
        """Write the event; what an older one says of the records that are left open must not be held against them."""
        withdrawn: dict[str, dict[str, str | None]] = defaultdict(dict)
        for table, key, is_named in open_rows:
            if is_named:
                withdrawn[table][key] = None
        after = {
            "records_from": None if source is None else str(source.path),
            "segments": len(found.files),
            "rows": sum(file.rows for file in found.files),
            "lost": found.lost,
        }
        append_event(
            con,
            actor=self._actor,
            action="store.rescue",
            subject="store",
            reason=reason,
            named=withdrawn,
            after=after,
        )

    def _swap(self, new: Path, store_id: str, generation: int) -> None:
        """Put the new database in the place of the old one, which is set aside."""
        with new.open("rb") as handle:
            os.fsync(handle.fileno())
        aside = self._folder / QUARANTINE / f"meta-{time.time_ns()}"
        make_folder(aside)
        # The log and what it belongs to go together or not at all: a store without a database is refused.
        for suffix in BESIDE:
            if (self._folder / f"{META}{suffix}").is_file():
                shutil.copy2(self._folder / f"{META}{suffix}", aside)
        for suffix in BESIDE:
            (self._folder / f"{META}{suffix}").unlink(missing_ok=True)
        new.replace(self._folder / META)
        fsync_dir(self._folder)
        if (self._folder / JOURNAL).is_file():
            set_aside(self._folder, JOURNAL)
        with contextlib.closing(_read_only(self._folder / META)) as con:
            con.row_factory = sqlite3.Row
            rows = [dict(row) for row in con.execute(f"select {', '.join(MANIFEST_COLUMNS)} from segments")]
        note(self._folder, store_id, generation, since=generation, added=(), dropped=(), whole=lambda: rows)


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


def _in_words(forsaken_rows: Sequence[tuple[str, str, bool]]) -> list[str]:
    """Return one sentence on the records whose events are lost, if there are any."""
    if not forsaken_rows:
        return []
    named = ", ".join(f"{table} {key}" for table, key, _ in forsaken_rows[:_NAMED])
    more = len(forsaken_rows) - _NAMED
    words = f"events that say what was written last to {named}{f' and {more} more' if more > 0 else ''}"
    return [
        f"{words}: these records are as they were found, and not covered until lmops audit cover takes them for right"
    ]


def _copy_rows(source: Path, meta: Meta) -> None:
    """Copy every row that can still be read, table by table."""
    with contextlib.closing(sqlite3.connect(source)) as old, meta.write(durable=True) as new:
        tables = [row[0] for row in new.execute("select name from sqlite_master where type = 'table'")]
        for table in tables:
            if table.startswith("sqlite_") or table in (*_MANIFEST, "counters", "info"):
                continue
            # A page that cannot be read ends the reading: what is behind it is read from the other end.
            from_the_end = ", ".join(f"{name} desc" for name in key_of(table))
            if not _copy_table(old, new, table) and from_the_end:
                _copy_table(old, new, table, f" order by {from_the_end}")


def _copy_table(old: sqlite3.Connection, new: sqlite3.Connection, table: str, order: str = "") -> bool:
    """Copy the rows of a table up to the first that cannot be read; return whether all of them could be."""
    try:
        cursor = old.execute(f'select * from "{table}"{order}')  # names of our own schema
        names = ", ".join(f'"{column[0]}"' for column in cursor.description)
        marks = ", ".join("?" * len(cursor.description))
        for row in cursor:
            with contextlib.suppress(sqlite3.Error):
                new.execute(f'insert or replace into "{table}" ({names}) values ({marks})', row)
    except sqlite3.Error:
        return False
    return True
