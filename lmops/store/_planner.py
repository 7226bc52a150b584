"""Reads a query before it runs: is it a read, which views does it touch, and which times can it need?

A second in-memory DuckDB holds the same views over empty tables. Planning there costs about a millisecond, opens no
file, and says with the engine's own optimiser which time bounds reach each table. They pick files by the manifest.
"""

from __future__ import annotations

import functools
import json
import os
import re
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.errors import QueryError, did_you_mean
from lmops.store._duck import in_memory
from lmops.store._views import (
    AROUND_TABLE,
    base_views,
    derived_views,
    table_ddl,
    view_names,
)
from lmops.store._whole import MACROS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Params = "Sequence[Any] | Mapping[str, Any] | None"

_TIME: Final = r"'(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?)\+00'::TIMESTAMP WITH TIME ZONE"
_BOUND: Final = re.compile(rf"start_at ?(>=|<=|=|>|<) ?{_TIME}")
_TERM: Final = rf"(?:optional: )?\(?start_at(?: ?(?:>=|<=|=|>|<) ?{_TIME}| IS NOT NULL)\)?"
#: A filter that is nothing but bounds joined by AND. In any other (CASE, IS DISTINCT FROM, OR, a cast) a comparison
#: may be turned round, so that it bounds nothing.
_ONLY_BOUNDS: Final = re.compile(rf"\(?{_TERM}(?: AND {_TERM})*\)?")
#: What the optimiser must not do, or it would plan for the emptiness of these tables.
_DISABLED: Final = "statistics_propagation,empty_result_pullup,late_materialization,join_filter_pushdown"


class Bounds(NamedTuple):
    """Times a query can need of one table; None is open."""

    since_ns: int | None
    until_ns: int | None


#: all of a table
OPEN: Final = Bounds(None, None)


#: Bounds that no row satisfies: of a view that is named and never read, as in ``select * from traces where false``.
NOWHERE: Final = Bounds(2**63 - 1, -(2**63))


#: Functions that read a table whose name is a text.
_OF_TEXT: Final = ("query", "query_table")
#: Plans are kept of so many questions, each of at most so many characters.
_KEPT: Final = 256
_KEPT_CHARACTERS: Final = 20_000


class Plan(NamedTuple):
    """The base views a query names, each with the time bounds within which it reads them."""

    views: dict[str, Bounds]


def planner() -> Planner:
    """Return the planner of this process: its tables are empty, so that one serves every store."""
    return _planner_of(os.getpid())


class Planner:
    """Plans queries over the public views."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._kept: dict[str, Plan] = {}
        config: dict[str, str | bool | int | float | list[str]] = {
            "enable_external_access": "false",
            "python_enable_replacements": "false",
            "threads": "1",
        }
        self._con = in_memory(config)
        self._con.execute("set global TimeZone='UTC'")  # cursors do not inherit a session's own
        self._con.execute(f"set disabled_optimizers='{_DISABLED}'")
        self._names, self._base = view_names(), base_views()
        for name, columns in self._base.items():
            self._con.execute(table_ddl(name, columns))
        self._con.execute(AROUND_TABLE)
        for name, derived in derived_views().items():
            self._con.execute(f"create view {name} as {derived.sql}")
        for macro in MACROS:
            self._con.execute(macro)

    def plan(self, query: str, params: Any = None) -> Plan:  # what DuckDB takes
        """Return what a query reads.

        Raises:
            QueryError: It is not one SELECT, it does not parse, or it names something that is not there.
        """
        import duckdb

        with self._lock:
            known = self._kept.get(query)
            if known is not None:
                return known
            try:
                self._check_is_read(query)
                rows = self._con.execute("explain (format json) " + query, params).fetchall()
            except duckdb.Error as error:
                raise self.explained(error) from error
            plan = self._planned(query, rows[0][1])
            named = self._named(query) if len(query) <= _KEPT_CHARACTERS else None
            if named is None:
                return plan
            # A column may be called as a view is.
            plan = Plan({name: found for name, found in plan.views.items() if name in named or found != NOWHERE})
            # It bounds no view that the query reads; then it holds at any time, with any parameters.
            if all(plan.views.get(name, OPEN) == OPEN for name in named):
                if len(self._kept) >= _KEPT:
                    self._kept.clear()
                self._kept[query] = plan
            return plan

    def columns(self, view: str) -> list[tuple[str, str]]:
        """Return the columns of a public view, each with its type."""
        with self._lock:
            return [(row[0], row[1]) for row in self._con.execute(f'describe "{view}"').fetchall()]

    def _named(self, query: str) -> set[str] | None:
        """Return the base views of the tables that a query names; None when it cannot be told."""
        rows = self._con.execute("select json_serialize_sql(?)", [query]).fetchall()
        nodes = list(_dicts(json.loads(rows[0][0])))
        if any(node.get("error") or node.get("function_name") in _OF_TEXT for node in nodes):
            return None
        tables = {node["table_name"].lower() for node in nodes if node.get("table_name")}
        derived = derived_views()
        return {base for name in tables for base in (derived[name].bases if name in derived else (name,))}

    def _planned(self, query: str, explained: str) -> Plan:
        """Return the plan that an explained query amounts to."""
        views: dict[str, Bounds] = {}
        for node in _nodes(json.loads(explained)):
            name = str(node.get("extra_info", {}).get("Table", "")).rsplit(".", 1)[-1]
            if name in self._base:
                bounds = _bounds(node["extra_info"].get("Filters", ()))
                views[name] = _widest(views[name], bounds) if name in views else bounds
        text, derived = query.lower(), derived_views()
        for name in self._names:
            if name in text:
                for base in derived[name].bases if name in derived else (name,):
                    views.setdefault(base, NOWHERE)
        return Plan(views)

    def _check_is_read(self, query: str) -> None:
        import duckdb

        statements = self._con.extract_statements(query)
        if len(statements) == 1 and statements[0].type == duckdb.StatementType.SELECT:
            return
        if len(statements) == 1 and statements[0].type == duckdb.StatementType.MULTI:
            message = "ws.sql runs one SELECT, and a PIVOT without its values is several; name them: "
            raise QueryError(f"{message}select * from (pivot traces on status in ('ok', 'error') using count(*))")
        asked = ", ".join(statement.type.name for statement in statements) or "nothing"
        message = (
            f"ws.sql runs one read-only SELECT; found {asked}. The store is written only through its own calls; "
            "write results elsewhere with .df() or .arrow(), or the whole store with ws.store.export(path)"
        )
        raise QueryError(message)

    def _columns(self) -> list[str]:
        """Return every column of every view."""
        with self._lock:
            rows = self._con.execute("select distinct column_name from duckdb_columns() where not internal").fetchall()
        return [row[0] for row in rows]

    def _views_with(self, column: str) -> list[str]:
        """Return the views that have a column."""
        query = "select table_name from duckdb_columns() where not internal and column_name = ? order by 1"
        with self._lock:
            return [row[0] for row in self._con.execute(query, [column]).fetchall()]

    def explained(self, error: Exception) -> QueryError:
        """Return an error of DuckDB as one that says what would work."""
        text = str(error)
        table = re.search(r"Table with name (\S+) does not exist", text)
        if table:
            return QueryError(did_you_mean("view", table[1], self._names))
        if "disabled by configuration" in text or "Permission" in type(error).__name__:
            message = "ws.sql reads the views of the store and no other files or databases"
            return QueryError(f"{message} (views: {', '.join(self._names)})")
        column = re.search(r'Referenced column "([^"]+)" not found|does not have a column named "([^"]+)"', text)
        if column:
            name = column[1] or column[2]
            views = self._views_with(name)
            hint = "columns of a view: ws.sql('describe VIEW')"
            if views:
                return QueryError(
                    f"no column named {name!r} in what this query reads; it is one of {', '.join(views)} ({hint})"
                )
            return QueryError(did_you_mean("column", name, self._columns(), hint=hint))
        return QueryError(text)


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:  # JSON
    """Yield every node of an explained plan."""
    stack = list(tree)
    while stack:
        node = stack.pop()
        yield node
        stack.extend(node.get("children", ()))


def _dicts(value: Any) -> Iterator[dict[str, Any]]:  # JSON
    """Yield every object of a parsed query."""
    stack = [value]
    while stack:
        found = stack.pop()
        if isinstance(found, dict):
            yield found
            stack.extend(found.values())
        elif isinstance(found, list):
            stack.extend(found)


def _bounds(filters: str | Sequence[str]) -> Bounds:
    """Return the time bounds that a scan's filters imply: they are joined by AND, so any may be left out."""
    since: datetime | None = None
    until: datetime | None = None
    for text in [filters] if isinstance(filters, str) else filters:
        if not _ONLY_BOUNDS.fullmatch(text):
            continue
        for operator, value in _BOUND.findall(text):
            moment = datetime.fromisoformat(value).replace(tzinfo=UTC)
            if operator in (">", ">=", "="):
                since = moment if since is None else max(since, moment)
            if operator in ("<", "<=", "="):
                until = moment if until is None else min(until, moment)
    # Shown times are cut to microseconds (towards 1970), so a bound must admit all nanoseconds around its own.
    return Bounds(None if since is None else _ns(since) - 1000, None if until is None else _ns(until) + 1000)


def _ns(moment: datetime) -> int:
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1_000_000_000 + delta.microseconds * 1000


def _widest(one: Bounds, other: Bounds) -> Bounds:
    """Return bounds that hold both."""
    since = None if one.since_ns is None or other.since_ns is None else min(one.since_ns, other.since_ns)
    until = None if one.until_ns is None or other.until_ns is None else max(one.until_ns, other.until_ns)
    return Bounds(since, until)


def both(one: Bounds, other: Bounds) -> Bounds:
    """Return the bounds that satisfy both."""
    since = max((ns for ns in (one.since_ns, other.since_ns) if ns is not None), default=None)
    until = min((ns for ns in (one.until_ns, other.until_ns) if ns is not None), default=None)
    return Bounds(since, until)


@functools.cache
def _planner_of(_pid: int) -> Planner:
    """Return a planner for each process: the threads of a database do not come along when one forks."""
    return Planner()
