"""A copy of a whole store, as it is at one moment, while others go on writing; and a store made of it again.

A backup is a store of its own, with a list of all its files (``backup.json``: bytes and SHA-256) that is written last,
when everything has been read again and found right. Until then its database has another name, so that what was cut
short passes for no backup and for no store.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lmops.base.endings import Undone
from lmops.base.units import counted, size
from lmops.errors import DamagedStoreError, NotFoundError, UsageError
from lmops.owners import refuse_stranger
from lmops.store._acknowledged import ACKNOWLEDGED, Acknowledged
from lmops.store._bundles import BUNDLES_DIR
from lmops.store._filesystem import META, fsync_dir, inside, make_file, make_folder, make_store_folder
from lmops.store._journal import JOURNAL
from lmops.store._meta import counter, in_words
from lmops.store._quarantine import held
from lmops.store._segments import Segment, file_sha256, manifest
from lmops.store.schema import schema
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lmops.store._drain import Publisher
    from lmops.store._meta import Meta
    from lmops.store.schema import Table

#: What a backup consists of, in the backup.
LISTING: Final = "backup.json"
KIND: Final = "lmops backup"
FORMAT: Final = 1
#: The name of the database until everything else is there.
UNFINISHED: Final = f"{META}.unfinished"
#: What is copied as it is: payloads, what runs of runbooks left, the journal of the manifest.
_BESIDE: Final = ("blobs", "runs", JOURNAL)
_BLOCK: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupReport:
    """What a backup, or a store restored from one, consists of; all of it was read again and found right.

    Attributes:
        path: Where it is.
        store_id: Of which store.
        files: How many files, the database included.
        bytes: Their size.
        rows: Stored rows by table, replaced ones included.
        records: Rows of the tables of records.
        head: Where the audit chain ends, as ``ws.audit.head().line``.
        notes: What is not in it, and why.
        waiting: Rows that were received and are in no segment yet; the database has them.
    """

    path: Path
    store_id: str
    files: int
    bytes: int
    rows: dict[str, int]
    records: dict[str, int]
    head: str
    notes: tuple[str, ...] = ()
    waiting: int = 0

    def __repr__(self) -> str:
        """Say it in one line, and below what is not in it."""
        return "\n  ".join([f"<BackupReport {self.line}>", *self.notes])

    @property
    def line(self) -> str:
        """Where it is, how large, and how much of what is in it."""
        facts = [f"{count:,} {table}" for table, count in sorted(self.rows.items())]
        facts += [f"{counted(self.waiting, 'received row')} in no segment yet"] if self.waiting else []
        held = ", ".join([*(facts or ["no traces"]), counted(sum(self.records.values()), "record")])
        return f"{self.path}: {counted(self.files, 'file')}, {size(self.bytes)}; {held}"


def backup(folder: Path, meta: Meta, publisher: Publisher, target: Path) -> BackupReport:
    """Copy the store in ``folder`` into a new folder, while others go on writing.

    Raises:
        UsageError: There is something at ``target``.
        DamagedStoreError: A file of the store is missing or damaged; nothing is left at ``target``.
    """
    _refuse_used(target, "backup")
    with undone(target):
        make_store_folder(target)
        make_file(target / UNFINISHED)
        # The lock keeps every file of the copied manifest in its place until it is copied.
        with publisher.locked(), contextlib.closing(sqlite3.connect(target / UNFINISHED)) as copy:
            meta.connection().backup(copy)
            copy.row_factory = sqlite3.Row
            copy.execute("delete from retired")
            copy.commit()
            segments, problems = manifest(copy)
            files = _copy_segments(folder, segments, problems, target)
            files |= _copy_beside(folder, target)
            files |= _copy_bundles(folder, copy, target)
            listing = _listing(copy, segments)
            # How many writes this copy has, and not how many were made while it was copied.
            commits = copy.execute("select value from counters where name = 'commits'").fetchone()
            acknowledged = Acknowledged(target)
            acknowledged.write(listing["store_id"], commits[0])
            acknowledged.close()
            files[ACKNOWLEDGED] = _of(target / ACKNOWLEDGED)
        listing["notes"] = _notes(folder, listing.pop("notebooks"), files)
        for name in (f"{UNFINISHED}-wal", f"{UNFINISHED}-shm"):
            (target / name).unlink(missing_ok=True)
        _sync(target / UNFINISHED)
        files[META] = _of(target / UNFINISHED)
        _verify(target, files, names={META: UNFINISHED})
        (target / UNFINISHED).rename(target / META)
        listing["files"] = {name: {"bytes": size, "sha256": digest} for name, (size, digest) in sorted(files.items())}
        _write_last(target / LISTING, json.dumps(listing, indent=1, ensure_ascii=False).encode())
        return _report(target, listing)


def restore(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> BackupReport:
    """Make a store of a backup, at a new place, and return what is in it.

    Every file is compared with what the backup says of it before, while and after it is copied.

    Args:
        source: A folder of ``Store.backup``.
        target: A new or empty folder.

    Raises:
        NotFoundError: There is no finished backup at ``source``.
        UsageError: There is something at ``target``.
        DamagedStoreError: The backup is not what was written; nothing is left at ``target``.
    """
    with in_words(target):
        return _restore(Path(source).expanduser().absolute(), Path(target).expanduser().absolute())


def _restore(source: Path, target: Path) -> BackupReport:
    listing = read_listing(source)
    _refuse_used(target, "restored store")
    files = {name: (one["bytes"], one["sha256"]) for name, one in listing["files"].items()}
    _verify(source, files)
    with undone(target):
        make_store_folder(target)
        for name, (_, digest) in files.items():
            if _copy(source / name, target / (UNFINISHED if name == META else name)) != digest:
                raise DamagedStoreError(f"{source / name} changed while it was copied; restore it again")
        _verify(target, files, names={META: UNFINISHED})
        (target / UNFINISHED).rename(target / META)
        fsync_dir(target)
    return _report(target, listing)


def read_listing(source: Path) -> dict[str, Any]:
    """Return what a backup says that it consists of.

    Raises:
        NotFoundError: There is no finished backup.
        DamagedStoreError: It cannot be read, or names files outside of it.
    """
    path = source / LISTING
    if not path.is_file():
        hint = f"its {UNFINISHED} shows that it was cut short" if (source / UNFINISHED).is_file() else f"no {LISTING}"
        raise NotFoundError(
            f"there is no finished backup at {source} ({hint}); one of an older lmops is a store as it is: "
            f"lmops store check --store {source}"
        )
    refuse_stranger(source, path, what="the backup")
    try:
        listing = json.loads(path.read_bytes())
        known = listing["kind"] == KIND
        files = [(name, int(one["bytes"]), str(one["sha256"])) for name, one in listing["files"].items()]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedStoreError(f"{path} is damaged: {plain_line(error, 120)}") from error
    if not known or listing.get("format") != FORMAT:
        raise DamagedStoreError(f"{path} has format {listing.get('format')!r} and this lmops reads {FORMAT}")
    for name, _, _ in files:
        if inside(source, name) is None:
            raise DamagedStoreError(f"{path} names {plain_line(name, 120)!r}, which leads out of the backup")
    return dict(listing)


def described(place: str | os.PathLike[str]) -> BackupReport:
    """Return what a backup says that it consists of."""
    return _report(Path(place), read_listing(Path(place)))


def at_home(folder: Path, path: str | None) -> str | None:
    """Return where what a record names is now: a store that was copied or moved has what was in it then."""
    if path is not None and path.startswith(f"{BUNDLES_DIR}/"):
        return None if (found := inside(folder, path)) is None else str(found)
    if path is None or os.path.exists(path):  # noqa: PTH110  # a record may hold anything
        return path
    place = folder / "runs" / Path(*Path(path).parts[-2:])
    return str(place) if place.is_file() else path


def files_at_home(folder: Path, path: str | None) -> list[Path]:
    """Return the files that a column of a record names: one, or all of a folder.

    Args:
        folder: Of the store.
        path: As the record has it.
    """
    place = at_home(folder, path)
    if not place:
        return []
    return sorted(one for one in Path(place).iterdir() if one.is_file()) if Path(place).is_dir() else [Path(place)]


# -- steps -------------------------------------------------------------------------------------------------------------


def _refuse_used(target: Path, what: str) -> None:
    if target.is_symlink() or (target.exists() and (not target.is_dir() or any(target.iterdir()))):
        why = " (an unfinished one: remove it)" if (target / UNFINISHED).is_file() else ""
        raise UsageError(f"{target} is there already{why}; name a new or empty folder for the {what}")


@contextlib.contextmanager
def undone(target: Path) -> Iterator[None]:
    """Leave nothing at a place that was free, when what is made there is not finished."""
    was_there = target.is_dir()

    def leave_nothing() -> None:
        for path in target.iterdir() if target.is_dir() else ():
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        if not was_there:
            with contextlib.suppress(OSError):
                target.rmdir()

    with Undone(leave_nothing):
        yield


def _copy_segments(
    folder: Path, segments: Sequence[Segment], problems: Sequence[str], target: Path
) -> dict[str, tuple[int, str]]:
    """Copy the files of the manifest, each compared with what it should be; all that are not are named together."""
    files: dict[str, tuple[int, str]] = {}
    wrong = list(problems)
    for segment in segments:
        source = inside(folder, segment.path)
        try:
            digest = None if source is None else _copy(source, target / segment.path)
        except FileNotFoundError:
            wrong.append(f"{segment.path} is missing")
            continue
        if source is None:
            wrong.append(f"{segment.path!r} leads out of the store")
        elif digest != segment.sha256:
            wrong.append(f"{segment.path} is not what was written")
        else:
            files[segment.path] = segment.bytes, segment.sha256
    if wrong:
        named = "; ".join(wrong[:5]) + (f"; and {len(wrong) - 5} more" if len(wrong) > 5 else "")
        raise DamagedStoreError(
            f"the store {folder} is not whole, so that no backup was made: {named}. Put the files back, or "
            "keep what is whole of them first: lmops store check --repair"
        )
    return files


def _copy_beside(folder: Path, target: Path) -> dict[str, tuple[int, str]]:
    """Copy blobs, what runs of runbooks left and the journal."""
    files: dict[str, tuple[int, str]] = {}
    for name in _BESIDE:
        there = [folder / name] if (folder / name).is_file() else sorted((folder / name).rglob("*"))
        for source in there:
            relative = source.relative_to(folder).as_posix()
            if source.suffix == ".tmp" or inside(folder, relative) is None or not source.is_file():
                continue
            digest = _copy(source, target / relative)
            if name == "blobs" and digest != source.name:
                raise DamagedStoreError(
                    f"{relative} of the store {folder} is not what was written, so that no backup was made; "
                    "put it back, or remove it: lmops store check names what it belongs to"
                )
            files[relative] = (target / relative).stat().st_size, digest
    return files


def _copy_bundles(folder: Path, copy: sqlite3.Connection, target: Path) -> dict[str, tuple[int, str]]:
    """Copy the folders of files that the copied records name; what nothing names is unfinished."""
    files: dict[str, tuple[int, str]] = {}
    for table in (one for one in schema().tables.values() if one.files):
        for path in (path for row in _paths(copy, table) for path in row if path and path.startswith(BUNDLES_DIR)):
            for source in files_at_home(folder, path):
                relative = source.relative_to(folder).as_posix()
                files[relative] = source.stat().st_size, _copy(source, target / relative)
    return files


def _listing(copy: sqlite3.Connection, segments: list[Segment]) -> dict[str, Any]:
    """Return what is in the database of a backup."""
    verdict = copy.execute("pragma integrity_check").fetchone()[0]
    if verdict != "ok":
        raise DamagedStoreError(f"the copied {META} is damaged: {verdict}; no backup was made")
    head = copy.execute("select events, hash from audit_head").fetchone() or (0, "0" * 64)
    tables = [table for table in schema().tables.values() if table.files]
    names = [row[0] for row in copy.execute("select name from sqlite_master where type = 'table' order by name")]
    rows: dict[str, int] = {}
    for segment in segments:
        rows[segment.tbl] = rows.get(segment.tbl, 0) + segment.rows
    return {
        "kind": KIND,
        "format": FORMAT,
        "made_ns": time.time_ns(),
        "store_id": str(copy.execute("select value from info where key = 'store_id'").fetchone()[0]),
        "schema": int(copy.execute("pragma user_version").fetchone()[0]),
        "head": f"{head[0]}:{head[1]}",
        "rows": rows,
        "waiting": counter(copy, "inbox_rows"),
        "records": {name: int(copy.execute(f"select count(*) from {name}").fetchone()[0]) for name in names},
        "notebooks": [path for table in tables for row in _paths(copy, table) for path in row if path],
    }


def _paths(copy: sqlite3.Connection, table: Table) -> sqlite3.Cursor:
    return copy.execute(f"select {', '.join(table.files)} from {table.name}")


def _notes(folder: Path, notebooks: list[str], files: dict[str, tuple[int, str]]) -> list[str]:
    """Return what is not in a backup, and why."""
    notes = [f"not copied, set aside in the store: {name} ({size:,} bytes)" for name, size in held(folder)]
    copied = {Path(name).parts[-2:] for name in files} | {Path(name).parent.parts[-2:] for name in files}
    away = [path for path in notebooks if Path(path).parts[-2:] not in copied]
    notes += [f"not copied, outside of the store or gone: {path}" for path in away]
    return notes


def _verify(place: Path, files: dict[str, tuple[int, str]], names: dict[str, str] | None = None) -> None:
    """Read every file again and compare its size and its SHA-256.

    Raises:
        DamagedStoreError: One differs or is missing.
    """
    for name, (length, digest) in files.items():
        path = place / (names or {}).get(name, name)
        if not path.is_file():
            raise DamagedStoreError(f"{path} is missing: {place} is not what was written")
        if (path.stat().st_size, file_sha256(path)) != (length, digest):
            raise DamagedStoreError(f"{path} is not what was written (its size or its SHA-256 differs)")


def _copy(source: Path, target: Path) -> str:
    """Copy a file to the disk and return its SHA-256; no link, so that damage to one does not reach the other."""
    digest = hashlib.sha256()
    with source.open("rb") as read:
        make_folder(target.parent)
        make_file(target)
        with target.open("r+b") as write:
            while block := read.read(_BLOCK):
                digest.update(block)
                write.write(block)
            write.flush()
            os.fsync(write.fileno())
    return digest.hexdigest()


def _of(path: Path) -> tuple[int, str]:
    return path.stat().st_size, file_sha256(path)


def _sync(path: Path) -> None:
    with path.open("r+b") as handle:
        os.fsync(handle.fileno())


def _write_last(path: Path, content: bytes) -> None:
    """Write the file that says that all others are there, after they are."""
    for folder in {entry.parent for entry in path.parent.rglob("*")}:
        fsync_dir(folder)
    beside = path.with_suffix(".tmp")
    make_file(beside)
    beside.write_bytes(content)
    _sync(beside)
    beside.rename(path)
    fsync_dir(path.parent)


def _report(place: Path, listing: dict[str, Any]) -> BackupReport:
    files = listing["files"]
    return BackupReport(
        path=place,
        store_id=listing["store_id"],
        files=len(files),
        bytes=sum(one["bytes"] for one in files.values()),
        rows=listing["rows"],
        waiting=listing.get("waiting", 0),
        records=listing["records"],
        head=listing["head"],
        notes=tuple(listing.get("notes", ())),
    )
