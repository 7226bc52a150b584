"""Records are compared with what the audit chain says of them when they are read: a flipped bit does not go unsaid.

A row is hashed once in each process, and again when it has changed. The pages of a table are examined once, so that
a row that is gone from its page is missed. ``audit verify`` does more: it compares everything, at once.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from lmops.store._arrow import record_table
from lmops.store._chain import GENESIS, event_hash
from lmops.store._filesystem import META
from lmops.store._results import misplaced, with_liveness
from lmops.store._seals import SEALED, Check, Named, key_text, note, row_hash
from lmops.store._segments import any_text
from lmops.store._views import RECORD_VIEWS

if TYPE_CHECKING:
    import sqlite3

    import pyarrow as pa

#: The tables that a view shows, with those that its rows are found by.
BEHIND: Final[dict[str, tuple[str, ...]]] = {
    "datasets": ("dataset_versions", "dataset_heads"),
    "examples": ("dataset_versions", "dataset_heads", "example_contents", "dataset_chunks"),
    "prices": ("prices",),
    "prompts": ("prompt_versions", "prompt_aliases"),
    "prompt_versions": ("prompt_versions",),
    "prompt_history": ("prompt_moves",),
    "model_endpoints": ("model_endpoints",),
    "runbook_runs": ("runbook_runs",),
    "runs": ("eval_runs",),
    "verdicts": ("verdicts",),
    "audit": ("audit",),
}
#: So many problems of one view are named, the others counted.
_NAMED: Final = 5


class Records:
    """What this process knows of the records of one store."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tables: tuple[object, dict[str, pa.Table], dict[str, tuple[str, ...]]] = (None, {}, {})
        self._named: Named = {}
        self._events = 0
        self._last = GENESIS
        self._damaged_events: list[str] = []
        self._examined: set[str] = set()
        #: by the content of a row: its key and its hash
        self._known: dict[int, tuple[str, str]] = {}

    def forget(self) -> None:
        """Drop the tables that are kept."""
        self._tables = (None, {}, {})

    def table(self, con: sqlite3.Connection, name: str) -> tuple[pa.Table, tuple[str, ...]]:
        """Return what a view of records shows as Arrow, and what is wrong with it; the caller lets one in at a time."""
        # The version is the connection's own count, and threads that end leave their numbers to new ones.
        state = (con, con.execute("pragma data_version").fetchone()[0], con.total_changes)
        if self._tables[0] != state:
            self._tables = (state, {}, {})
        _, tables, problems = self._tables
        if name not in problems:
            problems[name] = self.problems(con, name)
        if name in tables:
            return tables[name], problems[name]
        with any_text(con):
            rows = con.execute(RECORD_VIEWS[name].sql).fetchall()
        if name == "runs":
            # A process that dies changes nothing here: whether one is alive is asked every time.
            columns = [column for column, _, _ in RECORD_VIEWS[name].columns]
            return record_table(name, with_liveness(rows, columns)), problems[name]
        tables[name] = record_table(name, rows)
        return tables[name], problems[name]

    def after_fork(self) -> None:
        """Replace the lock, which a thread of the parent may have held; called in the child."""
        self._lock = threading.Lock()

    def problems(self, con: sqlite3.Connection, view: str) -> tuple[str, ...]:
        """Return what is wrong with the rows that a view shows, in the caller's read transaction."""
        tables = BEHIND[view]
        found: list[str] = []
        with self._lock, any_text(con):
            for table in ("audit", *tables):
                if table not in self._examined:
                    wrong = misplaced(con, table)
                    found += wrong
                    if not wrong:
                        self._examined.add(table)
            found += self._read_chain(con)
            if view == "audit":
                found += self._missing_events(con)
            check = Check(con, self._named, self._waiting(con))
            for table in tables:
                if table in SEALED:
                    check.compare(table, self._hashed(con, table))
            if "example_contents" in tables:
                check.examples()
        # A row that no event names came past the chain: that is for "audit verify" to say, no damage.
        found += [f"{META}: {text}" for event, text in check.problems if event is not None or _is_held(text)]
        found = list(dict.fromkeys(found))
        more = len(found) - _NAMED
        return tuple([*found[:_NAMED], f"{META}: {more} more records of {view}"] if more > 0 else found)

    def _read_chain(self, con: sqlite3.Connection) -> list[str]:
        """Read the events that are new, and return what is wrong with any."""
        cursor = con.execute("select * from audit where event_id > ? order by event_id", (self._events,))
        for row in cursor:
            event = dict(row)
            self._events = event["event_id"]
            try:
                is_whole = event_hash(event) == event["hash"] and event["previous_hash"] == self._last
                if event_hash(event) == event["hash"]:
                    note(self._named, event["event_id"], event.get("records"))
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

    def _hashed(self, con: sqlite3.Connection, table: str) -> list[tuple[str, str]]:
        """Return the key and the hash of every row of a table."""
        cursor = con.execute(f"select * from {table}")
        names = [column[0] for column in cursor.description]
        found = []
        for row in map(tuple, cursor):
            content = hash((table, row))
            known = self._known.get(content)
            if known is None:
                held: dict[str, Any] = dict(zip(names, row, strict=True))
                known = key_text(held[name] for name in SEALED[table].key), row_hash(table, held)
                self._known[content] = known
            found.append(known)
        if len(self._known) > 4 * len(found) + 100_000:
            self._known = {}  # rows come and go; what is remembered of them must not only grow
        return found


def _is_held(problem: str) -> bool:
    """Return whether a problem that names no event is one of the content of examples, which no event names."""
    return problem.startswith(("example_contents", "dataset_chunks")) and "is in no version" not in problem
