"""``meta.sqlite``: connections, transactions, migrations, and errors in words."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import resource
import sqlite3
import tempfile
import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from lmops.base.endings import Undone
from lmops.errors import (
    DamagedStoreError,
    LmopsError,
    NewerStoreError,
    ReadOnlyError,
    StoreError,
    StoreFullError,
    full_message,
    of_system,
)
from lmops.store._acknowledged import Acknowledged
from lmops.store._at_rest import AtRest, quoted
from lmops.store._filesystem import (
    META,
    filesystem_type,
    fsync_dir,
    is_network,
    is_store,
    make_file,
    make_store_folder,
    refuse_links,
)
from lmops.store._fork import GATE
from lmops.store._identity import OlderDatabaseError, refuse_lost, refuse_other
from lmops.store._relist import relist
from lmops.store._shape import make_tables, migrations, put_right, refuse_unknown, statements
from lmops.store._turn import BUSY_TIMEOUT_S, begin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lmops.store._at_rest import Opened

log = logging.getLogger(__name__)

#: What a system says of its disk, folders and files; other errors are those of whoever writes.
_OF_THE_DISK: Final = frozenset(
    getattr(errno, name)
    for name in (
        "ENOSPC",
        "EDQUOT",
        "EFBIG",
        "EMFILE",
        "ENFILE",
        "EACCES",
        "EPERM",
        "EROFS",
        "EIO",
        "EISDIR",
        "ENOTDIR",
        "ELOOP",
        "EEXIST",
        "ENAMETOOLONG",
    )
)
#: SQLite says "full" only of pages: a quota, a limit of the file's size and the log's index on a full disk are these.
_FULL: Final = frozenset((sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE))
_PROBE_BYTES: Final = 1 << 16
#: A write-ahead log that a burst made longer than this is cut back.
WAL_BYTES: Final = 64_000_000
#: The key under which ``info`` says what was lost.
LOST: Final = "lost_writes"
_LOST_AND_MADE: Final = (
    "select (select value from counters where name = 'commits'), (select value from info where key = ?)"
)
_GIVES_BACK: Final = "pragma auto_vacuum=incremental"
_COUNT: Final = "update counters set value = value + ? where name = ?"
_COUNTED: Final = "select value from counters where name = ?"
#: Rows by table and key; None for one that is not there.
Rows = dict[tuple[Any, ...], sqlite3.Row | None]
#: Connections that came with a fork. Closing one would meddle with the locks of the process that opened it.
_INHERITED: list[sqlite3.Connection] = []


@contextlib.contextmanager
def in_words(path: object) -> Iterator[None]:
    """Turn errors of SQLite and of the system into errors that say what happened and what is safe."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise _in_words(error, path) from error
    except (sqlite3.InterfaceError, sqlite3.ProgrammingError):
        raise  # a value that cannot be bound, a statement that is wrong: the store is as it was
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        # What SQLite says of a damaged schema may hold its bytes, which are no text.
        # SQLite takes a disk that gives nothing back for a database that is damaged.
        failure = _failure(path, os.O_RDONLY)
        if failure is not None and failure.errno == errno.EIO:
            raise of_system(failure, f"the store {path}") from error
        said = "what SQLite says of it is no text" if isinstance(error, UnicodeDecodeError) else error
        message = (
            f"{path}/{META} is damaged ({said}); restore it from a backup (ws.store.backup writes one), or let "
            "lmops store rescue build it again from the segments and the newest backup"
        )
        raise DamagedStoreError(message) from error
    except OSError as error:
        if isinstance(error, LmopsError) or error.errno not in _OF_THE_DISK:
            raise
        raise of_system(error, f"the store {path}") from error


def _in_words(error: sqlite3.OperationalError, path: object) -> StoreError:
    """Return the error of ours for one of SQLite that says nothing of what is in the database."""
    text = str(error)
    if "full" in text or error.sqlite_errorcode in _FULL:
        failure = _failure(path, os.O_RDWR)
        is_write = error.sqlite_errorcode == sqlite3.SQLITE_IOERR_WRITE
        if failure is None and is_write and resource.getrlimit(resource.RLIMIT_FSIZE)[0] < 0:
            failure = OSError(errno.EIO, f"{text} although there is room")
        if failure is not None and failure.errno == errno.EIO:
            return of_system(failure, f"the store {path}")
        return StoreFullError(full_message(f"the store {path}"))
    if "unable to open" in text:
        _raise_if_too_many(path)
    cannot_write = "unable to open" in text and os.path.lexists(str(path)) and not _is_writable(str(path))
    if "readonly" in text or "read-only" in text or cannot_write:
        return ReadOnlyError(
            f"the store {path} cannot be written: {text}; open it with read_only=True or mend its permissions"
        )
    if "locked" in text or "busy" in text:
        return StoreError(
            f"the store {path} stayed locked by another process for {BUSY_TIMEOUT_S:.0f} s; nothing was written"
        )
    if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_IOERR:
        return of_system(OSError(errno.EIO, text), f"the store {path}")
    return StoreError(f"the store {path}: {text}")


def _raise_if_too_many(path: object) -> None:
    """Raise when this process can open no further file, which SQLite does not tell from a file that is not there."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        raise of_system(error, f"the store {path}") from error


def _failure(path: object, way: int) -> OSError | None:
    """Return what the system says of reading the database and its log, or of writing a file beside them."""
    try:
        if way == os.O_RDWR:
            there = next((one for one in (Path(str(path)), *Path(str(path)).parents) if one.is_dir()), None)
            with tempfile.NamedTemporaryFile(prefix=f"{META}-", dir=there) as file:
                file.write(bytes(_PROBE_BYTES))
                file.flush()
                os.fsync(file.fileno())
        else:
            for name in (META, f"{META}-wal"):
                with Path(str(path), name).open("rb") as file:
                    while file.read(_PROBE_BYTES):
                        pass
    except OSError as error:
        return error
    return None


def _is_writable(path: str) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


class Meta:
    """The SQLite side of a store: one connection a thread and process, transactions, migrations."""

    def __init__(self, folder: Path, *, read_only: bool, network: bool | None = None) -> None:
        self.folder = folder
        self.path = folder / META
        self.read_only = read_only
        #: whoever keeps looking into it by itself stops then
        self.is_closed = False
        self._local = threading.local()
        self._open_here: dict[int, tuple[sqlite3.Connection, threading.RLock]] = {}
        self._at_rest = AtRest(self.path, self._open)
        if not read_only:
            with in_words(folder):
                make_store_folder(folder)
        elif not is_store(folder):
            raise StoreError(f"there is no store at {folder} to open read-only; lmops.open({str(folder)!r}) makes one")
        self.is_network = is_network(filesystem_type(folder)) if network is None else network
        with in_words(folder):
            self.newest = max(version for version, _ in migrations())
        self.version = 0
        with in_words(folder), GATE.passing():
            refuse_links(folder)
            refuse_lost(folder)
            if not read_only:
                make_file(self.path)
            version = refuse_unknown(self.connection(), self.newest, self.path)
            store_id = self._refuse_other()
            self.version = self._migrate(version)
        if self.version > self.newest:
            self.read_only = True
        self._acknowledged = Acknowledged(folder)
        with in_words(folder), GATE.passing():
            self.store_id = store_id or str(_info(self.connection(), "store_id"))
            #: what is known to be lost of what was acknowledged, in words
            self.lost = self._lost_writes()
        #: what dead processes left on the disk and cannot be read: what is wrong, by path in the store
        self.unread: dict[str, str] = {}

    def _refuse_other(self) -> str | None:
        """Refuse a database that is not the one of the segments, and return its id, None for a new one.

        One that a power cut cut short is completed.
        """
        try:
            return refuse_other(self.folder, self.connection())
        except OlderDatabaseError:
            is_present = self.connection().execute("pragma user_version").fetchone()[0] == self.newest
            if self.read_only or not is_present or not relist(self.folder, self.connection()):
                raise
            return refuse_other(self.folder, self.connection())

    def connection(self) -> sqlite3.Connection:
        """Return this thread's connection in this process, opened when needed."""
        return self._hold().con

    def _hold(self) -> _Held:
        held: _Held | None = getattr(self._local, "held", None)
        # A connection must not cross a fork: SQLite's locks would be lost.
        if held is None or held.pid != os.getpid() or self._has_moved(held.at_rest):
            self._local.held = None  # what is read of files at rest is that of one moment
            held = _Held(*self._connect(), self._open_here)
            self._local.held = held
        return held

    def _has_moved(self, opened: Opened | None) -> bool:
        return opened is not None and not opened.con.in_transaction and opened.state != self._at_rest.state()

    def _connect(self) -> tuple[sqlite3.Connection, Opened | None]:
        if not self.read_only:
            return self._connect_to_write(), None
        try:
            con = self._open(f"file:{quoted(self.path)}?mode=ro")
            con.execute("select count(*) from sqlite_master")
        except sqlite3.OperationalError:
            # A folder that cannot be written has no place for the log's index.
            opened = self._at_rest.open()
            return opened.con, opened
        return con, None

    def _connect_to_write(self) -> sqlite3.Connection:
        is_new = not self.path.exists() or not self.path.stat().st_size
        con = self._open(f"file:{quoted(self.path)}")
        if is_new:  # asked of one that is there, it would write to it whenever somebody opens it
            con.execute(_GIVES_BACK)
        _set_journal_mode(con, "delete" if self.is_network else "wal")
        return con

    def _open(self, uri: str) -> sqlite3.Connection:
        con = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        con.row_factory = sqlite3.Row
        return con

    def refuse_read_only(self) -> None:
        """Raise when the store must not be written."""
        if self.version > self.newest:
            known = f"this lmops knows {self.newest}: pip install -U lmops"
            message = f"the store {self.folder} has schema {self.version} and {known}"
            raise NewerStoreError(message)
        if self.read_only:
            raise ReadOnlyError(f"the store {self.folder} is open read-only; nothing was written")

    @contextlib.contextmanager
    def write(
        self, *, durable: bool = False, wait: bool = True, rows: int | None = None
    ) -> Iterator[sqlite3.Connection]:
        """Run one ``BEGIN IMMEDIATE`` transaction; commit at the end, roll back on any error.

        Args:
            durable: Survive a power cut, not only a killed process (records, labels, audit).
            wait: Wait for whoever writes at the moment; otherwise raise BusyError.
            rows: So many go into the inbox; how many wait there then is in :meth:`waiting_rows`.
        """
        self.refuse_read_only()
        with in_words(self.folder), GATE.passing(), self._hold() as held:
            con = held.con
            level = "full" if durable or self.is_network else "normal"
            if held.synchronous is None:
                con.execute(f"pragma journal_size_limit={WAL_BYTES}")
            if held.synchronous != level:
                con.execute(f"pragma synchronous={level}")
                held.synchronous = level
            begin(con, wait=wait)
            held.begin()
            with Undone(con.rollback):
                yield con
                # Plain statements by the key: "returning" makes a table of its own, ten times as slow.
                if rows is not None:
                    con.execute(_COUNT, (rows, "inbox_rows"))
                    waiting = con.execute(_COUNTED, ("inbox_rows",)).fetchone()
                    held.waiting_rows = waiting[0] if waiting else 0
                commits = None
                if held.has_changed:  # nothing can be lost of a transaction that wrote nothing
                    con.execute(_COUNT, (1, "commits"))
                    commits = con.execute(_COUNTED, ("commits",)).fetchone()
                con.execute("commit")
            if commits is not None:
                self._acknowledged.write(self.store_id, commits[0])

    def known_rows(self, con: sqlite3.Connection) -> Rows | None:
        """Return what is known of rows in this thread's transaction; None in one that has changed something."""
        held: _Held | None = getattr(self._local, "held", None)
        return None if held is None or held.con is not con else held.known_rows()

    def waiting_rows(self) -> int:
        """Return how many rows waited in the inbox after this thread's last write to it."""
        return self._hold().waiting_rows

    def oldest_s(self) -> float:
        """Return the age of the oldest row of the inbox in seconds."""
        row = self.connection().execute("select written_ns from inbox order by seq limit 1").fetchone()
        return 0.0 if row is None else (time.time_ns() - row[0]) / 1e9

    @contextlib.contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Run one read transaction: everything read inside is one consistent snapshot."""
        with in_words(self.folder), GATE.passing(), self._hold() as held:
            con = held.con
            if con.in_transaction:
                yield con
                return
            con.execute("begin")
            held.begin()
            try:
                yield con
            finally:
                con.execute("rollback")
            if held.at_rest is not None and held.at_rest.is_in_place and self._has_moved(held.at_rest):
                raise StoreError(f"the store {self.folder} was written by somebody else while it was read; try again")

    def checkpoint(self) -> None:
        """Fold the log of the commits into the database and empty it, unless somebody is reading or writing.

        SQLite does it by itself some time later. After a bulk load nothing of it then hangs on a second file, whoever
        copies the database or reads it where the log cannot be.
        """
        if self.read_only or self.is_network:
            return
        with in_words(self.folder), GATE.passing(), self._hold() as held:
            held.con.execute("pragma busy_timeout=0")
            try:
                held.con.execute("pragma wal_checkpoint(truncate)").fetchall()
            except sqlite3.OperationalError as error:
                log.debug("the log of %s stays as it is: %s", self.path, error)
            finally:
                held.con.execute(f"pragma busy_timeout={int(BUSY_TIMEOUT_S * 1000)}")

    def copy_to(self, path: Path) -> None:
        """Write the database, as it is at one moment and without free pages, into a new file."""
        make_file(path)
        with in_words(self.folder), GATE.passing(), contextlib.closing(sqlite3.connect(path)) as copy:
            self.connection().backup(copy)
            copy.execute("pragma journal_mode=delete")
            copy.execute("vacuum")

    def rewrite(self) -> None:
        """Write the whole database anew: what was deleted earlier is still in pages that are free."""
        self.refuse_read_only()
        with in_words(self.folder), GATE.passing():
            con = self.connection()
            con.execute(_GIVES_BACK)  # an older database begins to give pages back here
            con.execute("vacuum")

    def cut_log(self, *, wait_s: float) -> bool:
        """Move the write-ahead log into the database and cut it to nothing; False when a reader holds it up so long."""
        end = time.monotonic() + wait_s
        while True:
            with in_words(self.folder), GATE.passing():
                busy = self.connection().execute("pragma wal_checkpoint(truncate)").fetchone()[0]
            if not busy or time.monotonic() > end:
                return not busy
            time.sleep(0.1)

    def _lost_writes(self) -> str | None:
        """Return what was acknowledged and is not in the database; a writer keeps it there until it is settled."""
        # The file first: what is acknowledged meanwhile is then in the database.
        acknowledged = self._acknowledged.read(self.store_id)
        count, known = self.connection().execute(_LOST_AND_MADE, (LOST,)).fetchone()
        made = count if isinstance(count, int) else 0
        if count is None or made >= acknowledged:
            return None if known is None else str(known)
        found = (
            f"{META} has lost {acknowledged - made} of {acknowledged} acknowledged writes: the end of its log is "
            "missing or damaged, or it is an older copy (a backup may have them; check(repair=True) notes the loss)"
        )
        if not self.read_only:
            with self.write(durable=True) as con:
                con.execute("insert or replace into info values (?, ?)", (LOST, found))
                con.execute("update counters set value = max(value, ?) where name = 'commits'", (acknowledged,))
        return found

    def settle_lost(self, con: sqlite3.Connection) -> None:
        """Take it as known that writes were lost, inside the caller's transaction."""
        con.execute("delete from info where key = ?", (LOST,))
        self.lost = None

    def _migrate(self, version: int) -> int:
        """Bring a database of this version to the newest, and return the version that it then has."""
        con = self.connection()
        if version > self.newest:
            log.warning(
                "the store %s has schema %d and this lmops knows %d: opened read-only; pip install -U lmops",
                self.folder,
                version,
                self.newest,
            )
            return version
        if self.read_only:
            if version < self.newest:
                message = (
                    f"the store {self.folder} has schema {version} and this lmops needs {self.newest}: "
                    "open it once without read_only to migrate it"
                )
                raise StoreError(message)
            return version
        if version < self.newest:
            con.execute("pragma synchronous=full")
            self._apply(con)
            # The entries of the database in its folder, and of the folder itself.
            fsync_dir(self.folder)
            fsync_dir(self.folder.parent)
        return self.newest

    def _apply(self, con: sqlite3.Connection) -> None:
        """Apply the pending migrations in one transaction: a killed process leaves the old state."""
        con.execute("begin immediate")
        with Undone(con.rollback):
            # Another process may have migrated while this one waited for the lock.
            version = int(con.execute("pragma user_version").fetchone()[0])
            put_right(con, version, self.path)
            version = version or make_tables(con)
            for number, script in migrations():
                if number > version:
                    for statement in statements(script):
                        con.execute(statement)
                    con.execute(f"pragma user_version={number}")
            con.execute("insert or ignore into info values ('store_id', ?)", (uuid.uuid4().hex,))
            con.execute("insert or ignore into info values ('created_ns', ?)", (str(time.time_ns()),))
            con.execute("commit")

    def close(self) -> None:
        """Close every connection that this process opened; a thread that is using its own closes it afterwards."""
        self.is_closed = True
        for con, lock in list(self._open_here.values()):
            _close(con, lock)
        self._open_here.clear()
        self._local = threading.local()
        self._at_rest.close()
        self._acknowledged.close()

    def after_fork(self) -> None:
        """Leave the parent's connections alone and start without any; called in the child."""
        _INHERITED.extend(con for con, _ in self._open_here.values())
        self._open_here = {}
        self._local = threading.local()
        self._at_rest = AtRest(self.path, self._open)


def _close(con: sqlite3.Connection, lock: threading.RLock) -> None:
    """Close a connection, unless another thread is in the middle of something: SQLite does not survive that."""
    if lock.acquire(blocking=False):
        try:
            with contextlib.suppress(sqlite3.Error):
                con.close()
        finally:
            lock.release()


def _info(con: sqlite3.Connection, key: str) -> str | None:
    row = con.execute("select value from info where key = ?", (key,)).fetchone()
    return None if row is None else str(row[0])


def counter(con: sqlite3.Connection, name: str) -> int:
    """Return a counter of the store.

    Raises:
        DamagedStoreError: It is not there, or no count.
    """
    row = con.execute("select value from counters where name = ?", (name,)).fetchone()
    if row is None or not isinstance(row[0], int) or row[0] < 0:
        message = f"{META} is damaged (its counter {name!r} is {'missing' if row is None else row[0]!r})"
        raise DamagedStoreError(
            f"{message}; lmops store rescue builds it again from the segments and the newest backup"
        )
    return row[0]


class _Held:
    """A thread's connection: closed when the thread ends, in the process that opened it."""

    def __init__(
        self,
        con: sqlite3.Connection,
        at_rest: Opened | None,
        register: dict[int, tuple[sqlite3.Connection, threading.RLock]],
    ) -> None:
        self.con = con
        self.at_rest = at_rest
        #: how commits are synced at present; not known until the first
        self.synchronous: str | None = None
        self.waiting_rows = 0
        #: ``total_changes`` when the transaction began: what is read after a change of its own may be rolled back
        self._began_at = -1
        self._state = (-1, -1)
        self._is_known = False
        self._rows: Rows = {}
        self.lock = threading.RLock()
        self.pid = os.getpid()
        self._register = register
        register[id(con)] = (con, self.lock)

    def begin(self) -> None:
        """Note that a transaction has begun."""
        self._began_at = self.con.total_changes
        self._is_known = False

    @property
    def has_changed(self) -> bool:
        """Whether the transaction has written any row."""
        return self.con.total_changes != self._began_at

    def known_rows(self) -> Rows | None:
        """Return the rows that were found to be what was written in this state of the database."""
        if self.has_changed:
            return None
        if not self._is_known:
            # The version is the connection's own count of what others commit; within a transaction it stays.
            state = (self.con.execute("pragma data_version").fetchone()[0], self._began_at)
            if state != self._state:
                self._state, self._rows = state, {}
            self._is_known = True
        return self._rows

    def __enter__(self) -> Self:
        """Keep it from being closed by another thread."""
        self.lock.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        """Let it be closed."""
        self.lock.release()

    def __del__(self) -> None:
        if self.pid == os.getpid():
            self._register.pop(id(self.con), None)
            _close(self.con, self.lock)
        else:
            _INHERITED.append(self.con)


def _set_journal_mode(con: sqlite3.Connection, mode: str) -> None:
    """Set the journal mode; SQLite's busy timeout does not cover this switch when several processes open at once."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while con.execute("pragma journal_mode").fetchone()[0] != mode:
        try:
            con.execute(f"pragma journal_mode={mode}")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
