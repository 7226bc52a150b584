"""Whose segments are these? A database that is lost, empty, older or another store's must not pass for this one's.

``meta.sqlite`` and every segment carry the store's id and a generation: the number of the state of the manifest that
first listed the file. Only the holder of the drain lock changes the manifest, and it stamps its files with the state
after the present one. So what a killed writer wrote and never listed is one generation ahead at most, and the journal
does not know of it either; a file further ahead, or a journal that is ahead, was written under a newer database.
"""

from __future__ import annotations

import contextlib
import os
import shlex
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.errors import DamagedStoreError, raise_if_of_process
from lmops.store._filesystem import META
from lmops.store._journal import JOURNAL, head
from lmops.store._segments import FOOTER_GENERATION, FOOTER_STORE, SEGMENTS_DIR

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

#: The folder that a rescue works in begins so.
UNFINISHED: Final = "rescue-"
#: What a database says of the store. One statement is one snapshot.
_KNOWN: Final = """
select 'store_id', value from info where key = 'store_id'
union all select 'generation', value from counters where name = 'manifest'
union all select 'path', path from segments
union all select 'path', path from retired
"""
#: SQLite's log holds nothing but its header.
_WAL_HEADER: Final = 32


class OlderDatabaseError(DamagedStoreError):
    """The database knows fewer changes of the segments than the journal of this store."""


class Known(NamedTuple):
    """What a database says of the store."""

    store_id: str
    generation: int
    #: paths of files, those that were replaced included
    paths: frozenset[str]


def segment_files(folder: Path) -> list[str]:
    """Return the paths, relative to the store, of all files under ``segments/``."""
    found: list[str] = []
    if not (folder / SEGMENTS_DIR).is_symlink():  # what is behind a link is not the store's
        _walk(f"{folder}/{SEGMENTS_DIR}", SEGMENTS_DIR, found)
    return found


def _walk(place: str, name: str, found: list[str]) -> None:
    """Collect the files below a folder. Who may not look into it must not take it for empty, as ``os.walk`` does."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(place) as entries:
        for entry in entries:
            inside = f"{name}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                _walk(entry.path, inside, found)
            elif not (entry.is_symlink() and entry.is_dir()):
                found.append(inside)


def stamp_of(path: Path) -> tuple[str, int] | None:
    """Return (store id, generation) in the footer of a segment; None when it says nothing that can be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        return None  # a pipe would be waited for
    try:
        metadata = pq.read_metadata(path).metadata or {}
        return metadata[FOOTER_STORE.encode()].decode("ascii"), int(metadata[FOOTER_GENERATION.encode()])
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise_if_of_process(error, path)
        return None


def refuse_lost(folder: Path) -> None:
    """Raise when there is no database and there are segments: a new one would know none of them."""
    meta = folder / META
    size = meta.stat().st_size if meta.is_file() else None
    if size:
        return
    found = [path for path in segment_files(folder) if path.endswith(".parquet")]
    log = folder / f"{META}-wal"
    if found:
        raise _refusal(folder, f"{META} is {'missing' if size is None else 'empty'}, and {_words(folder, found)}")
    if size is None and any(folder.glob(f"{UNFINISHED}*/new/{META}")):
        raise _refusal(folder, f"{META} is missing: a rescue was cut short")
    if size is None and log.is_file() and log.stat().st_size > _WAL_HEADER:
        raise _refusal(folder, f"{META} is missing, and its log {log.name} holds {log.stat().st_size:,} bytes")


def refuse_other(folder: Path, con: sqlite3.Connection) -> str | None:
    """Return the id of the store, None before it has one; raise for a database that is not the one of the segments."""
    # The files first: what is listed meanwhile is then known, and what is swept meanwhile is gone when it is read.
    found = [path for path in segment_files(folder) if path.endswith(".parquet")]
    known = _known(folder, con)
    if known is None:
        if found:
            raise _refusal(folder, f"{META} is empty, and {_words(folder, found)}")
        return None
    told = head(folder)
    is_mine = told is None or told[0] == known.store_id
    if told is not None and is_mine and told[1] > known.generation:
        found_out = _older(known, told[1], f"{JOURNAL} says that it had come to {told[1]}")
        raise OlderDatabaseError(str(_refusal(folder, found_out)))
    strays = [path for path in found if path not in known.paths]
    if not strays:
        return known.store_id
    # A store whose own files are here is itself, whatever lies beside them.
    is_at_home = len(strays) < len(found)
    for path in strays:
        stamp = stamp_of(folder / path)
        if stamp is None:
            continue
        store_id, generation = stamp
        if store_id == known.store_id and generation > known.generation + 1:
            raise _refusal(folder, _older(known, generation, f"{path} is of {generation}"))
        if store_id != known.store_id and not is_at_home:
            raise _refusal(folder, f"{META} is of the store {known.store_id}, and {path} of the store {store_id}")
    if not is_at_home and not is_mine:
        raise _refusal(folder, f"{META} is of another store than {JOURNAL}, and {_words(folder, found)}")
    return known.store_id


def _known(folder: Path, con: sqlite3.Connection) -> Known | None:
    """Return what the database says; None for one without tables."""
    if not con.execute("pragma user_version").fetchone()[0]:
        return None
    found: dict[str, list[Any]] = {"store_id": [], "generation": [], "path": []}
    for kind, value in con.execute(_KNOWN):
        found[kind].append(value)
    store_id, generation = (found[kind][0] if found[kind] else None for kind in ("store_id", "generation"))
    if store_id is None or not isinstance(generation, int):
        raise DamagedStoreError(f"{META} is damaged (its own id or its generation is missing); {_way_out(folder)}")
    return Known(str(store_id), generation, frozenset(found["path"]))


def _older(known: Known, generation: int, why: str) -> str:
    """Return that a database is older than the segments."""
    behind = generation - known.generation
    return f"{META} is older than the segments: it knows {known.generation} changes of them, {why} ({behind} more)"


def _words(folder: Path, found: list[str]) -> str:
    """Return what files there are."""
    size = sum(_size(folder / path) for path in found)
    owner = next(filter(None, (stamp_of(folder / path) for path in found)), None)
    whose = f" of the store {owner[0]}" if owner else ""
    return f"{SEGMENTS_DIR}/ holds {len(found):,} files{whose} ({size:,} bytes)"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _refusal(folder: Path, found: str) -> DamagedStoreError:
    return DamagedStoreError(f"the store {folder} was not opened and nothing was changed: {found}; {_way_out(folder)}")


def _way_out(folder: object) -> str:
    """Return what helps."""
    return (
        f"put the right {META} back, or let `lmops store rescue --store {shlex.quote(str(folder))}` build it again "
        "from the segments and the newest backup"
    )
