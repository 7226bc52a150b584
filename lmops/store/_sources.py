"""Where a rescue takes records from: the newest database of a store that can be had, of its own, of backups, exports.

There may be many databases beside a store, and large ones: of each only the pages are read that say whose it is and how
new. What may be the newest is copied and looked through, and nothing after the first that is whole.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.errors import NotFoundError
from lmops.store._export import RECORDS, records_of
from lmops.store._filesystem import META
from lmops.store._quarantine import QUARANTINE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: The ends of the names of a database, of its log and of the log's index.
BESIDE: Final = ("", "-wal", "-shm")


class Source(NamedTuple):
    """A database that records may be taken from."""

    path: Path
    store_id: str
    events: int
    generation: int
    is_whole: bool

    @property
    def rank(self) -> tuple[int, int]:
        """How new it is."""
        return self.events, self.generation


def newest(folder: Path, records: Path | None, owners: Mapping[str, int], work: Path) -> Source | None:
    """Copy the newest database of a store that can be read to ``source`` in a folder, and return what it is.

    Args:
        folder: The store.
        records: A backup or an export that was named: no other is taken.
        owners: The ids of stores that its files and its journal name, the most frequent first.
        work: Where the copies are made.

    Raises:
        NotFoundError: What was named has none.
    """
    known = dict(owners)
    sources: list[tuple[Source, Path]] = []

    def examine(candidate: Path) -> None:
        copy = Path(tempfile.mkdtemp(prefix="source-", dir=work)) / META
        # The present database is this store's, also when the page that says so cannot be read.
        source = _examined(candidate, copy, next(iter(known), None) if candidate == folder / META else None)
        if source is not None and (not known or source.store_id in known):
            sources.append((source, copy))
            # No file says whose store this is: what is in it does, and not what lies beside it.
            known.setdefault(source.store_id, 1)

    own = [folder / META, *sorted((folder / QUARANTINE).glob(f"*/{META}"))]
    for candidate in own if records is None else [_database_of(records)]:
        examine(candidate)
    beside = _beside(folder, known) if records is None and known else ()
    for glance in sorted(beside, key=lambda found: found.rank, reverse=True):
        if any(source.is_whole and source.rank >= glance.rank for source, _ in sources):
            break
        examine(glance.path)
    if not sources:
        if records is not None:
            raise NotFoundError(
                f"{records} holds no {META} and no {RECORDS} of this store; name a backup or an export of it "
                "(exports of older releases hold views only)"
            )
        return None
    best, copy = max(sources, key=lambda found: (found[0].is_whole, found[0].rank))
    copy.parent.rename(work / "source")
    return best


def _beside(folder: Path, known: Mapping[str, int]) -> Iterator[Source]:
    """Yield the databases in the folders beside a store that say that they are of one of these stores, none else's."""
    owner = folder.stat().st_uid
    for place in (folder.parent, folder.parent.parent):
        for pattern in (f"*/{META}", f"*/.lmops/{META}", f"*/{RECORDS}", f"*.{RECORDS}"):
            with contextlib.suppress(OSError):
                for found in sorted(place.glob(pattern)):
                    if found.parent != folder and found.stat().st_uid == owner:
                        glance = _glanced(found)
                        if glance is not None and glance.store_id in known:
                            yield glance


def _glanced(path: Path) -> Source | None:
    """Return what a database says that it is, read where it lies; None when it says nothing.

    Its log is left out, and nothing is locked or written: whoever uses it does not notice. With a log it may be newer
    than it says, and counts as the newest.
    """
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as con:
            source = _described(con, path, None)
        has_log = path.with_name(f"{path.name}{BESIDE[1]}").is_file()
    except (OSError, sqlite3.Error):
        return None
    return source._replace(events=sys.maxsize) if source is not None and has_log else source


def _examined(path: Path, copy: Path, own_id: str | None) -> Source | None:
    """Copy a database, with its log, and return what it is; None when it is none of a store.

    Args:
        path: The database.
        copy: Where to.
        own_id: Whose it is when it does not say so any more.
    """
    try:
        for suffix in BESIDE[:2]:
            beside = path.with_name(path.name + suffix)
            if beside.is_file():
                shutil.copyfile(beside, copy.with_name(copy.name + suffix))
        with contextlib.closing(sqlite3.connect(copy)) as con:
            source = _described(con, path, own_id)
            is_whole = _said(con, "pragma integrity_check", None) == "ok"
        return None if source is None else source._replace(is_whole=is_whole)
    except (OSError, sqlite3.Error):
        return None


def _described(con: sqlite3.Connection, path: Path, own_id: str | None) -> Source | None:
    """Return what a database says of itself; None when it is none of a store."""
    tables = con.execute("select count(*) from sqlite_master where name in ('info', 'audit')").fetchone()[0]
    store_id = _said(con, "select value from info where key = 'store_id'", own_id)
    generation = _said(con, "select value from counters where name = 'manifest'", 0)
    events = _said(con, "select count(*) from audit", _said(con, "select events from audit_head", 0))
    return None if tables < 2 or store_id is None else Source(path, store_id, events, generation, is_whole=False)


def _said(con: sqlite3.Connection, query: str, otherwise: Any) -> Any:
    """Return what a database says to a query of one value; a damaged page says nothing."""
    try:
        row = con.execute(query).fetchone()
    except (sqlite3.Error, UnicodeDecodeError):
        return otherwise
    return otherwise if row is None or (otherwise is not None and not isinstance(row[0], type(otherwise))) else row[0]


def _database_of(place: Path) -> Path:
    """Return the database of a backup or an export; a file is taken for one itself."""
    if place.is_dir():
        return place / META if (place / META).is_file() else place / RECORDS
    return records_of(place) if place.suffix == ".duckdb" else place
