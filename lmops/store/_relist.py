"""After a power cut: changes of the manifest that the end of SQLite's log took with it are made again.

The files of an ingest are on the disk before the manifest lists them, and the journal says which they are. When the
database was not closed (its log is there) and the journal goes on where the database ends, nothing needs to be lost.
A database without a log was closed, so one that is behind is an older copy, whose records are old as well: that is
for a person to decide.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from typing import TYPE_CHECKING, Final

from lmops.base.endings import Undone
from lmops.store._chain import append_event, default_actor
from lmops.store._duck import in_memory
from lmops.store._filesystem import META
from lmops.store._journal import Told, read
from lmops.store._manifest import LOCK, replaced_rows, write_dead
from lmops.store._segments import Written

if TYPE_CHECKING:
    from pathlib import Path

_WAIT_S: Final = 30.0
_WAL_HEADER: Final = 32


def relist(folder: Path, con: sqlite3.Connection) -> bool:
    """Make the changes again that the journal knows and the database does not; return whether that could be done."""
    import filelock

    log = folder / f"{META}-wal"
    if not log.is_file() or log.stat().st_size <= _WAL_HEADER:
        return False
    lock = filelock.FileLock(folder / LOCK, fallback_to_soft=False, preserve_lock_file=True)
    with contextlib.suppress(filelock.Timeout, sqlite3.Error, OSError, KeyError), lock.acquire(timeout=_WAIT_S):
        told = read(folder)
        if told is None or not told.is_whole:
            return False
        dead = _dead(folder, told)
        con.execute("begin immediate")
        with Undone(con.rollback):
            done = _replay(folder, con, told, dead)
            con.execute("commit" if done else "rollback")
        return done
    return False


def _dead(folder: Path, told: Told) -> list[tuple[str, str, str, int, int]]:
    """Return what was replaced among the rows of the files that are there."""
    import duckdb

    with contextlib.closing(in_memory()) as cursor, contextlib.suppress(duckdb.Error):
        return replaced_rows(cursor, folder, [(record["tbl"], path) for path, record in told.files.items()])
    raise OSError("a file of the journal cannot be read")


def _replay(folder: Path, con: sqlite3.Connection, told: Told, dead: list[tuple[str, str, str, int, int]]) -> bool:
    known = int(con.execute("select value from counters where name = 'manifest'").fetchone()[0])
    if known >= told.generation:
        return True  # somebody else was first
    listed = {row[0] for row in con.execute("select path from segments")}
    added = [record for path, record in told.files.items() if path not in listed]
    gone = [path for path in listed if path not in told.files]
    if not told.dropped.issuperset(gone) or not all((folder / record["path"]).is_file() for record in added):
        return False
    for record in added:
        Written.from_record(record).insert(con)
    con.executemany("delete from segments where path = ?", [(path,) for path in gone])
    now = time.time_ns()
    con.executemany("insert or replace into retired values (?, ?)", [(path, now) for path in gone])
    write_dead(con, dead)
    con.execute("update counters set value = (select count(*) from segments) where name = 'segments'")
    con.execute(
        "update counters set value = max(value, coalesce((select max(rev) from segments), 0)) where name = 'rev'"
    )
    con.execute("update counters set value = ? where name = 'manifest'", (told.generation,))
    con.execute("update counters set value = value + ? where name = 'commits'", (told.generation - known,))
    append_event(
        con,
        actor=default_actor(),
        action="store.relist",
        subject="manifest",
        reason=f"the end of the log of {META} was lost, as in a power cut",
        after={"changes": told.generation - known, "added": len(added), "dropped": len(gone)},
    )
    return True
