"""What the audit chain says of the records: each event names the rows that it wrote with the hash of their content.

A hash is over the typed content of a row: its columns by name, NULL left out, so that a text is not the bytes of that
text, 1 is not 1.0, and nothing is not the empty text. The newest event that names a row decides what must be there.

Rows that no event can name yet (of older stores, of a run that goes on, answers that wait for their event) are listed
in ``unsealed``; a row that is neither named nor listed came past the chain. Examples of datasets are held by the hash
of their version, cases and scores of a run by one hash over all of them.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import MissingDependencyError
from lmops.store._hashes import by_key, key_of, key_text, row_hash, rows_of
from lmops.store.schema import checks, schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

Row = dict[str, Any]
#: The event of a repair that names runs with what is left of their cases.
LOST_CASES: Final = "store.lost_cases"
#: table -> key -> (event, hash that it names; None: it removed the row)
Named = dict[str, dict[str, tuple[int, str | None]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What comparing the records with the chain found."""

    covered: int
    not_covered: dict[str, int]
    problems: tuple[tuple[int | None, str], ...]


def seal(
    con: sqlite3.Connection, rows: Iterable[Sequence[Any]], named: Mapping[str, Mapping[str, str | None]]
) -> str | None:
    """Return what an event says of rows as they are now, in the caller's transaction; None when there are none.

    Args:
        con: Inside the transaction that wrote them.
        rows: (table, *key) of each; one that is gone is named as removed.
        named: Hashes that the caller made: table -> key -> hash.
    """
    found: dict[str, dict[str, str | None]] = {table: dict(keys) for table, keys in named.items()}
    for table, *key in rows:
        held = next(rows_of(con, by_key(table), key), None)
        found.setdefault(table, {})[key_text(key)] = None if held is None else row_hash(table, held)
    if not found:
        return None
    keys = [(table, key) for table, named_keys in found.items() for key in named_keys]
    con.executemany("delete from unsealed where tbl = ? and key = ?", keys)
    return _ENCODER.encode(found)


#: ``json.dumps`` makes one for each call.
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def leave_open(con: sqlite3.Connection, table: str, *key: object) -> int:
    """List a row that a later event will name; return how many rows of its table wait for one."""
    con.execute("insert or ignore into unsealed (tbl, key) values (?, ?)", (table, key_text(key)))
    return int(con.execute("select count(*) from unsealed where tbl = ?", (table,)).fetchone()[0])


def unsealed(con: sqlite3.Connection, table: str | None = None) -> list[tuple[str, list[Any]]]:
    """Return (table, key) of the rows that no event names yet."""
    rows = con.execute("select tbl, key from unsealed where ? is null or tbl = ? order by tbl, key", (table, table))
    return [(row[0], json.loads(row[1])) for row in rows]


def note(named: Named, event_id: int, records: object) -> None:
    """Add what one event says of rows; a later event replaces what an earlier one said."""
    if not isinstance(records, str):
        return
    for table, keys in json.loads(records).items():
        for key, digest in keys.items():
            named.setdefault(table, {})[key] = (event_id, digest)


def forsaken(con: sqlite3.Connection, runs: Iterable[str]) -> list[tuple[str, str, bool]]:
    """Return the rows that are not what the events say which are left of a chain, and that a lost one may have written.

    Args:
        con: Inside a transaction.
        runs: The ids of the runs that have cases: each stands for them.

    Returns:
        (table, key, whether an event that is left says something else) of each.
    """
    events = con.execute("select event_id, records from audit order by event_id").fetchall()
    named: Named = {}
    for event_id, said in events:
        note(named, event_id, said)
    top = max((event_id for event_id, _ in events), default=0)
    head = con.execute("select max(events) from audit_head").fetchone()[0] or 0
    lost = set(range(1, head + 1)).union(range(1, top)).difference(event_id for event_id, _ in events)
    if head < top or not events:
        lost.add(top + 1)  # the head is lost, and nothing says that this was the last
    waiting = {(row[0], row[1]) for row in con.execute("select tbl, key from unsealed")}
    found = []
    for table in schema().sealed:
        for row in rows_of(con, f"select * from {table}"):  # our own names
            key = _key(table, row)
            event, said = named.get(table, {}).get(key, (0, None))
            if said != row_hash(table, row) and event < max(lost, default=0):
                found.append((table, key, said is not None))
    packed = schema().packed.table
    cases = [key_text([run_id]) for run_id in runs] if lost else []
    found += [(packed, key, False) for key in cases if key not in named.get(packed, {})]
    return [one for one in found if one[:2] not in waiting]


def lost_cases(con: sqlite3.Connection, named: Named) -> dict[str, int]:
    """Return the runs, by key, whose results are as a repair that lost some of them left them, and its event."""
    said = {row[0] for row in con.execute("select event_id from audit where action = ?", (LOST_CASES,))}
    held = named.get(schema().packed.table, {})
    return {key: event for key, (event, digest) in held.items() if digest and event in said}


def disagreement(table: str, key: str, digest: str | None, named: tuple[int | None, str | None]) -> str | None:
    """Return how a row differs from what the newest event that names it says, in words; None when it does not.

    Args:
        table: Where it is.
        key: Its key as an event names it.
        digest: Its hash; None when there is no such row.
        named: That event and the hash that it names; (None, None) when no event names the row.
    """
    event, said = named
    if digest == said:
        return None
    if digest is None:
        return f"{table} {key} is missing: event {event} wrote it"
    if said is not None:
        return f"{table} {key} is not what event {event} wrote"
    if event is not None:
        return f"{table} {key} is there although event {event} removed it"
    what = "is named by no event" if schema().tables[table].check is None else "is not what its hash says"
    return f"{table} {key} {what}"


@contextlib.contextmanager
def _usual_text(con: sqlite3.Connection) -> Iterator[None]:
    factory, con.text_factory = con.text_factory, str
    try:
        yield
    finally:
        con.text_factory = factory


def compare(con: sqlite3.Connection, named: Named, results: Callable[[], Mapping[str, str]]) -> Coverage:
    """Compare every record with what the chain says of it.

    Args:
        con: Inside a read transaction, within :func:`lmops.store._segments.any_text`.
        named: What the events of that transaction say.
        results: Returns the hash of the results of each run that has any.
    """
    waiting: dict[str, set[str]] = defaultdict(set)
    for table, key in con.execute("select tbl, key from unsealed"):
        waiting[table].add(key)
    check = Check(con, named, waiting)
    for table in schema().sealed:
        rows = rows_of(con, f"select * from {table}")
        check.compare(table, ((_key(table, row), row_hash(table, row)) for row in rows))
    packed = schema().packed.table
    if not check.misfits():
        try:
            with _usual_text(con):
                found = results()
        except MissingDependencyError:
            raise  # what this installation cannot read is not broken
        except Exception as error:  # noqa: BLE001  # whatever somebody put there
            check.problems.append((None, f"{packed} cannot be read: {error}"))
        else:
            check.compare(packed, ((key_text([run_id]), digest) for run_id, digest in found.items()))
    for own_check in checks(schema().tables.values()):
        own_check(check)
    return Coverage(covered=check.covered, not_covered=dict(check.open), problems=tuple(check.problems))


class Check:
    """One comparison."""

    def __init__(
        self,
        con: sqlite3.Connection,
        named: Named,
        waiting: Mapping[str, set[str]],
        checked: dict[str, int] | None = None,
        seen: dict[str, set[int]] | None = None,
    ) -> None:
        self.con = con
        self._checked: dict[str, int] = {} if checked is None else checked
        self._seen: dict[str, set[int]] = {} if seen is None else seen
        self._named = named
        self._waiting = waiting
        self.covered = 0
        self.open: Counter[str] = Counter()
        self.problems: list[tuple[int | None, str]] = []
        #: those of them that need no event to be sure of
        self.damage: set[str] = set()

    def compare(self, table: str, rows: Iterable[tuple[str, str]]) -> None:
        """Compare the rows of a table, given as (key, hash), with what events say."""
        left = dict(self._named.get(table, {}))
        for key, digest in rows:
            event, said = left.pop(key, (None, None))
            waits = key in self._waiting.get(table, ())
            if waits and (said is None or table == schema().packed.table):  # a run that is resumed gets other cases
                self.open[table] += 1
            elif (problem := disagreement(table, key, digest, (event, said))) is not None:
                self.problems.append((event, problem))
            else:
                self.covered += 1
        for key, named in left.items():
            problem = disagreement(table, key, None, named)
            if problem is not None and key not in self._waiting.get(table, ()):
                self.problems.append((named[0], problem))

    def misfits(self) -> bool:
        """Note the cases with a value of another type than their column has; such results cannot be read."""
        packed = schema().packed
        columns = self.con.execute(f"pragma table_info({packed.table})").fetchall()
        tests = [f"typeof({row[1]}) not in ('{str(row[2]).lower()}', 'null')" for row in columns]
        tests += [f"{name} not in (0, 1)" for name, sql, _ in packed.rows.columns if sql == "BOOLEAN"]
        tests += [f"not json_valid({packed.parts.name})", f"{packed.parts.name} <> json({packed.parts.name})"]
        query = f"select {', '.join(packed.rows.key)} from {packed.table} where {' or '.join(tests)}"
        found = self.con.execute(query).fetchall()
        for owner, *rest in found:
            event, _ = self.said(packed.table, key_text([owner]))
            self.problems.append((event, f"{packed.table} {key_text([owner, *rest])} holds a value of another type"))
        return bool(found)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return rows of the database, bytes where a text is none; the usual way of reading is twice as fast."""
        cursor = self.con.cursor()
        cursor.row_factory = None
        try:
            with _usual_text(self.con):
                return cursor.execute(query).fetchall()
        except sqlite3.OperationalError:
            return cursor.execute(query).fetchall()

    def said(self, table: str, key: str) -> tuple[int | None, str | None]:
        """Return the event that names a row, and the hash that it names."""
        return self._named.get(table, {}).get(key, (None, None))

    def named(self, table: str) -> Mapping[str, tuple[int | None, str | None]]:
        """Return all that events say of the rows of a table, by their keys."""
        return self._named.get(table, {})

    def seen(self, table: str) -> set[int]:
        """Return the hashes of rows that were compared before, to be added to."""
        return self._seen.setdefault(table, set())

    def since(self, table: str) -> int:
        """Return the number up to which the rows of a growing table were checked before; 0 for none."""
        return self._checked.get(table, 0)

    def checked(self, table: str, last: int) -> None:
        """Note the number up to which the rows of a growing table are checked now."""
        self._checked[table] = last

    def differs(self, event: int | None, problem: str) -> None:
        """Note what is not as the chain has it, with the event that says so where one does."""
        self.problems.append((event, problem))

    def damaged(self, event: int | None, problem: str) -> None:
        """Note what is not what was once written, whether or not an event says so."""
        self.damage.add(problem)
        self.differs(event, problem)


def _key(table: str, row: Mapping[str, Any]) -> str:
    return key_text(row[name] for name in key_of(table))
