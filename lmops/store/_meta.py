"""``meta.sqlite``: connections, transactions, migrations, and errors in words."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import sqlite3
import threading
import time
import uuid
from importlib import resources
from typing import TYPE_CHECKING, Final

from lmops.errors import DamagedStoreError, NewerStoreError, ReadOnlyError, StoreError, StoreFullError
from lmops.store._filesystem import META, filesystem_type, is_network
from lmops.store._fork import GATE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

log = logging.getLogger(__name__)

BUSY_TIMEOUT_S: Final = 30.0
#: A write-ahead log that a burst made longer than this is cut back.
WAL_BYTES: Final = 64_000_000
#: Connections that came with a fork. Closing one would meddle with the locks of the process that opened it.
_INHERITED: list[sqlite3.Connection] = []


def migrations() -> list[tuple[int, str]]:
    """Return the migrations of this code in order, as (version, SQL)."""
    found = []
    for entry in resources.files("lmops.store").joinpath("migrations").iterdir():
        match = re.fullmatch(r"(\d{4})_\w+\.sql", entry.name)
        if match:
            found.append((int(match[1]), entry.read_text(encoding="utf-8")))
    return sorted(found)


def statements(script: str) -> Iterator[str]:
    """Split an SQL script into whole statements (triggers included), so that they run inside one transaction."""
    buffer = ""
    for line in script.splitlines(keepends=True):
        if not buffer and (not line.strip() or line.lstrip().startswith("--")):
            continue
        buffer += line
        if sqlite3.complete_statement(buffer):
            yield buffer
            buffer = ""
    if buffer.strip():
        yield buffer


@contextlib.contextmanager
def in_words(path: object) -> Iterator[None]:
    """Turn errors of SQLite and of the system into errors that say what happened and what is safe."""
    try:
        yield
    except sqlite3.OperationalError as error:
        text = str(error)
        # SQLite says "full" only for ENOSPC; a quota and a limit of the file's size are failed writes to it.
        if "full" in text or error.sqlite_errorcode == sqlite3.SQLITE_IOERR_WRITE:
            raise StoreFullError(full_message(path)) from error
        if "readonly" in text or "read-only" in text:
            message = f"the store {path} cannot be written: {text}; open it with read_only=True or mend its permissions"
            raise ReadOnlyError(message) from error
        if "locked" in text or "busy" in text:
            message = (
                f"the store {path} stayed locked by another process for {BUSY_TIMEOUT_S:.0f} s; nothing was written"
            )
            raise StoreError(message) from error
        raise StoreError(f"the store {path}: {text}") from error
    except (sqlite3.InterfaceError, sqlite3.ProgrammingError):
        raise  # a value that cannot be bound, a statement that is wrong: the store is as it was
    except sqlite3.DatabaseError as error:
        message = f"{path}/{META} is damaged ({error}); restore it from a backup (ws.store.backup writes one)"
        raise DamagedStoreError(message) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise StoreFullError(full_message(path)) from error
        raise


def full_message(path: object) -> str:
    """Return what a full disk means for this store."""
    return (
        f"no space left for the store {path}: the last write was not made, everything before it is intact; "
        "free some space and repeat it"
    )


class Meta:
    """The SQLite side of a store: one connection a thread and process, transactions, migrations."""

    def __init__(self, folder: Path, *, read_only: bool, network: bool | None = None) -> None:
        self.folder = folder
        self.path = folder / META
        self.read_only = read_only
        self._local = threading.local()
        self._open_here: dict[int, sqlite3.Connection] = {}
        if not read_only:
            with in_words(folder):
                folder.mkdir(parents=True, exist_ok=True)
        elif not self.path.is_file():
            raise StoreError(f"there is no store at {folder} to open read-only; lmops.open({str(folder)!r}) makes one")
        self.is_network = is_network(filesystem_type(folder)) if network is None else network
        self.newest = max(version for version, _ in migrations())
        self.version = 0
        with in_words(folder), GATE.passing():
            self.version = self._migrate()
        if self.version > self.newest:
            self.read_only = True

    def connection(self) -> sqlite3.Connection:
        """Return this thread's connection in this process, opened when needed."""
        held: _Held | None = getattr(self._local, "held", None)
        # A connection must not cross a fork: SQLite's locks would be lost.
        if held is None or held.pid != os.getpid():
            held = _Held(self._connect(), self._open_here)
            self._local.held = held
        return held.con

    def _connect(self) -> sqlite3.Connection:
        if self.read_only:
            try:
                con = self._open(f"file:{_quoted(self.path)}?mode=ro")
                con.execute("select count(*) from sqlite_master")
            except sqlite3.OperationalError:
                # A folder that cannot be written has no place for the WAL's index; a file at rest reads without it.
                con = self._open(f"file:{_quoted(self.path)}?mode=ro&immutable=1")
            return con
        con = self._open(f"file:{_quoted(self.path)}")
        _set_journal_mode(con, "delete" if self.is_network else "wal")
        con.execute(f"pragma synchronous={'full' if self.is_network else 'normal'}")
        con.execute(f"pragma journal_size_limit={WAL_BYTES}")
        return con

    def _open(self, uri: str) -> sqlite3.Connection:
        con = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        con.row_factory = sqlite3.Row
        con.execute(f"pragma busy_timeout={int(BUSY_TIMEOUT_S * 1000)}")
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
    def write(self, *, durable: bool = False, wait: bool = True) -> Iterator[sqlite3.Connection]:
        """Run one ``BEGIN IMMEDIATE`` transaction; commit at the end, roll back on any error.

        Args:
            durable: Survive a power cut, not only a killed process (records, labels, audit).
            wait: Wait for whoever writes at the moment; otherwise raise BusyError.
        """
        self.refuse_read_only()
        with in_words(self.folder), GATE.passing():
            con = self.connection()
            con.execute(f"pragma synchronous={'full' if durable or self.is_network else 'normal'}")
            _begin(con, wait=wait)
            try:
                yield con
            except BaseException:
                if con.in_transaction:
                    con.execute("rollback")
                raise
            try:
                con.execute("commit")
            except BaseException:
                if con.in_transaction:
                    con.execute("rollback")
                raise

    @contextlib.contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Run one read transaction: everything read inside is one consistent snapshot."""
        with in_words(self.folder), GATE.passing():
            con = self.connection()
            if con.in_transaction:
                yield con
                return
            con.execute("begin")
            try:
                yield con
            finally:
                con.execute("rollback")

    def _migrate(self) -> int:
        con = self.connection()
        version = int(con.execute("pragma user_version").fetchone()[0])
        if version > self.newest:
            log.warning(
                "the store %s has schema %d and this lmops knows %d: opened read-only; pip install -U lmops",
                self.folder, version, self.newest,
            )  # fmt: skip
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
            self._apply(con)
        return self.newest

    def _apply(self, con: sqlite3.Connection) -> None:
        """Apply the pending migrations in one transaction: a killed process leaves the old state."""
        con.execute("begin immediate")
        try:
            # Another process may have migrated while this one waited for the lock.
            version = int(con.execute("pragma user_version").fetchone()[0])
            for number, script in migrations():
                if number > version:
                    for statement in statements(script):
                        con.execute(statement)
                    con.execute(f"pragma user_version={number}")
            con.execute("insert or ignore into info values ('store_id', ?)", (uuid.uuid4().hex,))
            con.execute("insert or ignore into info values ('created_ns', ?)", (str(time.time_ns()),))
            con.execute("commit")
        except BaseException:
            if con.in_transaction:
                con.execute("rollback")
            raise

    def close(self) -> None:
        """Close every connection that this process opened."""
        for con in list(self._open_here.values()):
            with contextlib.suppress(sqlite3.Error):
                con.close()
        self._open_here.clear()
        self._local = threading.local()

    def after_fork(self) -> None:
        """Leave the parent's connections alone and start without any; called in the child."""
        _INHERITED.extend(self._open_here.values())
        self._open_here = {}
        self._local = threading.local()


def _begin(con: sqlite3.Connection, *, wait: bool) -> None:
    if wait:
        con.execute("begin immediate")
        return
    con.execute("pragma busy_timeout=0")
    try:
        con.execute("begin immediate")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
            raise BusyError("somebody else writes at the moment") from error
        raise
    finally:
        con.execute(f"pragma busy_timeout={int(BUSY_TIMEOUT_S * 1000)}")


class BusyError(StoreError):
    """Somebody else writes at the moment, and the caller does not want to wait."""


class _Held:
    """A thread's connection: closed when the thread ends, in the process that opened it."""

    def __init__(self, con: sqlite3.Connection, register: dict[int, sqlite3.Connection]) -> None:
        self.con = con
        self.pid = os.getpid()
        self._register = register
        register[id(con)] = con

    def __del__(self) -> None:
        if self.pid == os.getpid():
            self._register.pop(id(self.con), None)
            with contextlib.suppress(sqlite3.Error):
                self.con.close()
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


def _quoted(path: Path) -> str:
    """Return a path for a ``file:`` URI."""
    return str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
