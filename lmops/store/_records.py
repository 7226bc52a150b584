"""Records are compared with what the audit chain says of them when they are read: a flipped bit does not go unsaid.

A view says what is wrong with its rows; a single record that is not what was written is not handed out. A row is hashed
once in each process, and again when it has changed. The pages of a table are examined once for the views, so that a row
that is gone from its page is missed. ``audit verify`` does more: it compares everything, at once.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import DamagedStoreError
from lmops.store._arrow import record_table
from lmops.store._chain import GENESIS, event_hash
from lmops.store._filesystem import META
from lmops.store._grown import Grown, read_rows
from lmops.store._hashes import by_key, key_of, key_text, row_hash
from lmops.store._results import misplaced, with_liveness
from lmops.store._seals import Check, Named, disagreement, note
from lmops.store._segments import any_text
from lmops.store.schema import checks, schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import pyarrow as pa

    from lmops.store._meta import Rows
    from lmops.store.schema import Table, View

Row = dict[str, Any]
#: The key of a row that is not what was written, and the event that names it.
Altered = tuple[tuple[Any, ...], int | None]
#: So many problems of one view are named, the others counted.
_NAMED: Final = 5
#: So many single rows a connection remembers.
_KNOWN_ROWS: Final = 10_000


class Records:
    """What this process knows of the records of one store.

    Args:
        folder: The store's.
        keeps: Whether rows that never change may be put into files.
    """

    def __init__(self, folder: Path, *, keeps: bool) -> None:
        self._lock = threading.Lock()
        self._tables: tuple[object, dict[str, pa.Table], dict[str, tuple[str, ...]]] = (None, {}, {})
        self._named: Named = {}
        self._events = 0
        self._last = GENESIS
        #: the rows of the state of the database that the chain was read in last
        self._read_in: Rows | None = None
        self._damaged_events: list[str] = []
        self._examined: set[str] = set()
        self._grown = Grown(folder, keeps=keeps)
        #: up to which row growing tables were checked, and what was found wrong with them, by view
        self._checked: dict[str, int] = {}
        #: by table the hashes of rows that were compared with their checksums
        self._seen: dict[str, set[int]] = {}
        self._wrong: dict[str, list[str]] = {}
        #: by the content of a row: its key and its hash
        self._known: dict[int, tuple[str, str]] = {}

    def forget(self) -> None:
        """Drop the tables that are kept."""
        self._tables = (None, {}, {})
        self._grown.forget()

    def table(self, con: sqlite3.Connection, name: str) -> tuple[pa.Table, tuple[str, ...]]:
        """Return what a view of records shows as Arrow, and what is wrong with it; the caller lets one in at a time."""
        # The version is the connection's own count, and threads that end leave their numbers to new ones.
        state = (con, con.execute("pragma data_version").fetchone()[0], con.total_changes)
        if self._tables[0] != state:
            self._tables = (state, {}, {})
        _, tables, problems = self._tables
        view = schema().views[name]
        if view.grows_by is not None and name not in tables:
            tables[name], problems[name] = self._growing(con, view)
        if name not in problems:
            problems[name] = self.problems(con, name)
        if name in tables:
            return tables[name], problems[name]
        rows = read_rows(con, view.sql)
        if view.gone is not None:
            # A process that dies changes nothing here: whether one is alive is asked every time.
            columns = [column for column, _, _ in view.columns]
            return record_table(view, with_liveness(rows, columns, gone=view.gone)), problems[name]
        tables[name] = record_table(view, rows)
        return tables[name], problems[name]

    def _growing(self, con: sqlite3.Connection, view: View) -> tuple[pa.Table, tuple[str, ...]]:
        """Return what a view that only grows shows, and what is wrong with it."""
        table, checked = self._grown.read(con, view)
        if checked is not None:
            # Other rows than before: those out of a file were checked when it was written.
            self._checked[view.behind[0]] = checked
            self._wrong.pop(view.name, None)
        problems = self.problems(con, view.name)
        if not problems:
            self._grown.keep(view)
        return table, problems

    def record(
        self, con: sqlite3.Connection, table: str, key: Sequence[Any], rows: Rows | None = None
    ) -> sqlite3.Row | None:
        """Return one row by its key, None when there is none, in the caller's transaction.

        Args:
            con: Inside that transaction.
            table: Where it is.
            key: Its key.
            rows: The rows that are known already in this state of the database; this one is added.

        Raises:
            DamagedStoreError: It is not what its event wrote, or is gone, or came past the chain.
        """
        if rows is not None and (table, *key) in rows:
            return rows[table, *key]
        with self._lock:
            try:
                row, problem = self._looked_up(con, table, key, rows)
            except sqlite3.OperationalError:
                with any_text(con):  # bytes that are no text; the other way is twice as fast
                    row, problem = self._looked_up(con, table, key, rows)
        if problem is not None:
            raise DamagedStoreError(
                f"{META}: {problem}; it is not handed out. A backup has it as it was (lmops store restore); "
                "lmops audit verify names every record that is not what was written"
            )
        if rows is not None:
            if len(rows) >= _KNOWN_ROWS:
                rows.clear()
            rows[table, *key] = row
        return row

    def _looked_up(
        self, con: sqlite3.Connection, table: str, key: Sequence[Any], rows: Rows | None
    ) -> tuple[sqlite3.Row | None, str | None]:
        """Return a row, and what is wrong with it."""
        if rows is None or rows is not self._read_in:
            self._read_chain(con)
            self._read_in = rows
        row = con.execute(by_key(table), key).fetchone()
        return row, self._problem(con, table, key_text(key), row)

    def intact(self, con: sqlite3.Connection, table: str) -> tuple[list[sqlite3.Row], dict[Altered, str]]:
        """Return the rows of a table that are what was written, by key, and what is wrong with the others."""
        rows: list[sqlite3.Row] = []
        problems: dict[Altered, str] = {}
        keys = key_of(table)
        with self._lock, any_text(con):
            self._read_chain(con)
            left = dict(self._named.get(table, {}))
            for row in con.execute(f"select * from {table} order by {', '.join(keys)}").fetchall():
                key = key_text(row[name] for name in keys)
                left.pop(key, None)
                problem = self._problem(con, table, key, row)
                if problem is None:
                    rows.append(row)
                else:
                    problems[_altered(key, self._named_by(table, key))] = problem
            for key, named in left.items():
                problem = self._problem(con, table, key, None)
                if problem is not None:
                    problems[_altered(key, named)] = problem
        return rows, {one: f"{META}: {problem}" for one, problem in problems.items()}

    def listed(self, con: sqlite3.Connection, table: str, rows: Iterable[Row]) -> tuple[list[Row], dict[Altered, str]]:
        """Return those of some rows that are what was written, and what is wrong with the others.

        Args:
            con: Inside a read transaction.
            table: Whose rows they are.
            rows: All columns of each, and perhaps others.
        """
        whole: list[Row] = []
        problems: dict[Altered, str] = {}
        with self._lock, any_text(con):
            self._read_chain(con)
            columns = [row[1] for row in con.execute(f"pragma table_info({table})")]  # our own names
            for row in rows:
                key = key_text(row[name] for name in key_of(table))
                problem = self._problem(con, table, key, {name: row[name] for name in columns})
                if problem is None:
                    whole.append(row)
                else:
                    problems[_altered(key, self._named_by(table, key))] = f"{META}: {problem}"
        return whole, problems

    def _named_by(self, table: str, key: str) -> tuple[int | None, str | None]:
        return self._named.get(table, {}).get(key, (None, None))

    def _problem(self, con: sqlite3.Connection, table: str, key: str, row: sqlite3.Row | Row | None) -> str | None:
        """Return what is wrong with a row, None for nothing; rows that wait for their event pass as they are."""
        digest = None
        if row is not None:
            names = list(row.keys())
            digest = self._hash_of(table, names, tuple(row[name] for name in names))[1]
        named = self._named_by(table, key)
        problem = disagreement(table, key, digest, named)
        if problem is None or (digest is not None and named[1] is not None):
            return problem
        waits = con.execute("select 1 from unsealed where tbl = ? and key = ?", (table, key)).fetchone()
        return None if waits else problem

    def after_fork(self) -> None:
        """Replace the lock, which a thread of the parent may have held; called in the child."""
        self._lock = threading.Lock()

    def problems(self, con: sqlite3.Connection, view: str) -> tuple[str, ...]:
        """Return what is wrong with the rows that a view shows, in the caller's read transaction."""
        tables = [schema().tables[name] for name in schema().views[view].behind]
        found: list[str] = []
        with self._lock, any_text(con):
            # One that only grows is counted: a row that is gone from its page is missed as well.
            paged = [] if schema().views[view].grows_by is not None else tables
            for name in ("audit", *(table.name for table in paged)):
                if name not in self._examined:
                    astray = misplaced(con, name)
                    found += astray
                    if not astray:
                        self._examined.add(name)
            found += self._read_chain(con)
            if view == "audit":
                found += self._missing_events(con)
            check = Check(con, self._named, self._waiting(con), self._checked, self._seen)
            for table in tables:
                if table.held_by is None:
                    check.compare(table.name, self._hashed(con, table))
            for own_check in checks(tables):
                own_check(check)
        # A row that no event names came past the chain: that is for "audit verify" to say, no damage.
        wrong = [f"{META}: {text}" for event, text in check.problems if event is not None or text in check.damage]
        if schema().views[view].grows_by is not None:
            # What was checked before is not looked at again: what was wrong with it still is.
            wrong = self._wrong[view] = [*self._wrong.get(view, ()), *wrong]
        found += wrong
        found = list(dict.fromkeys(found))
        more = len(found) - _NAMED
        return tuple([*found[:_NAMED], f"{META}: {more} more records of {view}"] if more > 0 else found)

    def _read_chain(self, con: sqlite3.Connection) -> list[str]:
        """Read the events that are new, and return what is wrong with any."""
        self._read_in = None
        query = "select * from audit where event_id >= ? order by event_id"
        found = con.execute(query, (self._events,))
        if self._events:
            last = found.fetchone()
            if last is None and con.execute("select 1 from audit").fetchone() is None:
                return self._damaged_events
            if last is None or (last["event_id"], last["hash"]) != (self._events, self._last):
                # An older state than the one that was read last, or that one was never committed: all of it anew.
                self._named, self._events, self._last, self._damaged_events = {}, 0, GENESIS, []
                found = con.execute(query, (0,))
        for row in found:
            event = dict(row)
            self._events = event["event_id"]
            try:
                is_whole = event_hash(event) == event["hash"]
                if is_whole:
                    note(self._named, event["event_id"], event.get("records"))
                    is_whole = event["previous_hash"] == self._last
            except (TypeError, ValueError, AttributeError):
                is_whole = False
            if not is_whole:
                self._damaged_events.append(f"{META}: audit [{event['event_id']}] is not what its hash says")
            self._last = event["hash"]
        return self._damaged_events

    def _missing_events(self, con: sqlite3.Connection) -> list[str]:
        head = con.execute("select events, hash from audit_head").fetchone()
        count = con.execute("select count(*) from audit").fetchone()[0]
        said = (0, GENESIS) if head is None else tuple(head)
        is_same = said == (self._events, self._last) and count == self._events
        return [] if is_same else [f"{META}: the audit chain does not end as its head says"]

    @staticmethod
    def _waiting(con: sqlite3.Connection) -> dict[str, set[str]]:
        waiting: dict[str, set[str]] = defaultdict(set)
        for table, key in con.execute("select tbl, key from unsealed"):
            waiting[table].add(key)
        return waiting

    def _hashed(self, con: sqlite3.Connection, table: Table) -> list[tuple[str, str]]:
        """Return the key and the hash of every row of a table."""
        cursor = con.execute(f"select * from {table.name}")
        names = [column[0] for column in cursor.description]
        found = [self._hash_of(table.name, names, row) for row in map(tuple, cursor)]
        if len(self._known) > 4 * len(found) + 100_000:
            self._known = {}  # rows come and go; what is remembered of them must not only grow
        return found

    def _hash_of(self, table: str, names: Sequence[str], row: tuple[Any, ...]) -> tuple[str, str]:
        """Return the key and the hash of a row."""
        content = hash((table, row))
        known = self._known.get(content)
        if known is None:
            held: dict[str, Any] = dict(zip(names, row, strict=True))
            known = self._known[content] = (key_text(held[name] for name in key_of(table)), row_hash(table, held))
        return known


def _altered(key: str, named: tuple[int | None, str | None]) -> Altered:
    return tuple(json.loads(key)), named[0]
