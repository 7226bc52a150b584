"""Rows that are kept once and read by windows: which columns a list of traces has, and how it is found and sorted."""

from __future__ import annotations

import math
import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from lmops.errors import QueryError, UsageError, did_you_mean
from lmops.store import Bounds
from lmops.traces._predicate import SCORE
from lmops.traces._said import SAID_COLUMNS, compiled, has_feedback, scorers_of, scores_in, touches_spans, with_said
from lmops.traces._search import range_sql

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb
    import numpy as np

    from lmops.store import Store

Kind = Literal["id", "category", "list", "time", "number", "text", "bool"]
Scale = Literal["log", "linear"]

#: characters of a text that a row of the list carries
PREVIEW: Final = 64
#: rows that may be read for each row that is wanted
_SCATTER: Final = 4
NS: Final = 1_000_000_000
#: scorers that a list has columns for
MOST_SCORERS: Final = 12
_WORD: Final = re.compile(r"[a-z_]\w*", re.ASCII)
_TIME_STEPS_S: Final = (
    1, 2, 5, 10, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800,
    1_209_600, 2_592_000, 7_776_000, 31_536_000,
)  # fmt: skip  # steps of seconds, minutes, hours and days, packed


@dataclass(frozen=True, slots=True)
class ListColumn:
    """One column that the list can show."""

    name: str
    kind: Kind
    #: what the base table keeps, over ``traces t``
    sql: str
    #: what it is sorted by, over the base table
    sort: str
    scale: Scale = "linear"

    @property
    def id(self) -> str:
        """Its name in the base table."""
        return self.sort if self.name.startswith(SCORE) else self.name


def _column(name: str, kind: Kind, scale: Scale = "linear") -> ListColumn:
    if kind == "text":
        # One character more than is shown says that there is more.
        return ListColumn(name, kind, f"left(t.{name}, {PREVIEW + 1})", name)
    if kind == "time":
        return ListColumn(name, kind, "t.start_ns", "start_at")
    return ListColumn(name, kind, f"t.{name}", name, scale)


COLUMNS: Final[dict[str, ListColumn]] = {
    column.name: column
    for column in (
        _column("status", "category"),
        _column("start_at", "time"),
        _column("name", "category"),
        _column("input", "text"),
        _column("output", "text"),
        _column("latency_ms", "number", "log"),
        _column("input_tokens", "number", "log"),
        _column("output_tokens", "number", "log"),
        _column("cost_usd", "number", "log"),
        _column("models", "list"),
        _column("prompt_refs", "list"),
        _column("span_count", "number", "log"),
        _column("call_count", "number"),
        _column("error_count", "number"),
        _column("unpriced_calls", "number"),
        _column("error_type", "category"),
        _column("error_message", "text"),
        _column("session_id", "category"),
        _column("user_id", "category"),
        _column("service", "category"),
        _column("environment", "category"),
        _column("is_orphan", "bool"),
        _column("thumb", "category"),
        _column("comments", "text"),
        _column("trace_id", "id"),
    )
}


def score_column(scorer: str) -> ListColumn:
    """Return the column of what a scorer said, called as a search names it."""
    name = SCORE + scorer
    return ListColumn(score_name(scorer), "number", f't."{name}"', f'"{name}"')


def score_name(scorer: str) -> str:
    """Return what a search calls what a scorer said."""
    return SCORE + (scorer if _WORD.fullmatch(scorer) else f'"{scorer}"')


def column_of(name: str) -> ListColumn:
    """Return the column of a name, those of scorers among them, whether or not they have scored anything.

    Raises:
        UsageError: There is none.
    """
    scorer = name.removeprefix(SCORE).strip('"')
    if name.startswith(SCORE) and name == score_name(scorer):
        return score_column(scorer)
    if name not in COLUMNS:
        raise UsageError(did_you_mean("column", name, COLUMNS, hint="score.NAME is what a scorer said"))
    return COLUMNS[name]


class Found:
    """Where the rows of a search over traces come from, and by which condition."""

    def __init__(self, store: Store, where: str | None, bounds: Bounds) -> None:
        self.predicate = compiled(where)
        #: Whether any user said anything of any trace.
        self.has_feedback = has_feedback(store)
        #: The scorers of traces.
        self.scorers = scorers_of(store)[:MOST_SCORERS]
        scores = {SCORE + one for one in self.scorers}
        said = {*(SAID_COLUMNS if self.has_feedback else ()), *scores, *scores_in(self.predicate)}
        self.source = with_said(said, known=scores)
        self.range = bounds
        # Spans never start before their trace, so the lower bound holds for them too.
        is_wide = self.has_feedback or touches_spans(self.predicate)
        #: the time range in which anything has to be read
        self.bounds = Bounds(bounds.since_ns, None) if is_wide else bounds

    @property
    def condition(self) -> str:
        """The condition, over ``t``."""
        return f"{range_sql(self.range, 't.')} and {self.predicate.sql}"


class Rows:
    """A kept result, numbered in the order of one sort and read by windows of row numbers."""

    #: what its columns are, and the one that tells rows apart
    columns: Mapping[str, ListColumn]
    key: str

    def __init__(self, rows: duckdb.DuckDBPyRelation) -> None:
        self._rows = rows
        # The store keeps a result as a table, so its rows have numbers already; counting them anew with
        # row_number() takes twice the time and three times the memory.
        self._table = rows.alias
        self._lock = threading.Lock()

    def sort(self, column: str, *, descending: bool) -> None:
        """Number the rows anew; missing values come last, equal ones in the order that they have at first.

        Raises:
            QueryError: There is no such column.
        """
        if column not in self.columns:
            raise QueryError(did_you_mean("column to sort by", column, self.columns))
        self._order = self._sorted(column, descending=descending)
        self.sort_column, self.is_descending = column, descending

    def window(self, start: int, count: int, columns: Sequence[str]) -> list[list[Any]]:
        """Return the rows ``start`` to ``start + count - 1`` of the sorted list: the key, then these columns.

        Times are nanoseconds; lists are joined by ", ".
        """
        numbers = self._order[start : start + count].tolist()
        if not numbers:
            return []
        shown = ", ".join(_shown(self.columns[name]) for name in columns)
        low, high = min(numbers), max(numbers)
        if high - low < _SCATTER * count:  # found by the minima and maxima of the blocks
            wanted = f"between {low} and {high}"
        else:  # a join fetches only what it finds; a list of numbers is tried on every row, four times slower
            wanted = f"in (select unnest([{', '.join(map(str, numbers))}]))"
        rows = self._ask(f"select rowid, {self.key}{', ' if shown else ''}{shown} from listing where rowid {wanted}")
        by_number = {row[0]: list(row[1:]) for row in rows}
        return [by_number[number] for number in numbers]

    def position(self, key: str) -> int | None:
        """Return the place of a row in the sorted list; None when it is not in it."""
        import numpy as np

        if not (key.isascii() and key.isalnum()):
            return None
        found = self._ask(f"select rowid from listing where {self.key} = '{key}'")
        return int(np.flatnonzero(self._order == found[0][0])[0]) if found else None

    @property
    def _tie(self) -> str:
        """The order of rows that are equal."""
        raise NotImplementedError

    def _ask(self, query: str) -> list[tuple[Any, ...]]:
        with self._lock:
            rows: list[tuple[Any, ...]] = self._run(query).fetchall()
            return rows

    def _columns(self, query: str) -> dict[str, np.ndarray]:
        with self._lock:
            found: dict[str, np.ndarray] = self._run(query).fetchnumpy()
            return found

    def _run(self, query: str) -> duckdb.DuckDBPyRelation:
        """Run a query over the table ``listing``, which is the kept result; it must be complete, without values."""
        found = self._rows.query("_", query.replace("from listing", f"from {self._table}"))
        assert found is not None
        return found

    def _sorted(self, column: str, *, descending: bool) -> np.ndarray:
        direction = "desc" if descending else "asc"
        order = f"{self.columns[column].sort} {direction} nulls last, {self._tie}"
        return self._columns(f"select rowid as n from listing order by {order}")["n"]


def _shown(column: ListColumn) -> str:
    if column.kind == "text":
        return f"left({column.id}, {PREVIEW + 1})"
    return f"array_to_string({column.id}, ', ')" if column.kind == "list" else column.id


def time_edges(low_ns: int, high_ns: int, most: int) -> list[int]:
    """Return round times that cover [low, high] in at most so many steps."""
    span_s = (high_ns - low_ns) / NS
    step_s = next((step for step in _TIME_STEPS_S if span_s / step <= most - 1), math.ceil(span_s / (most - 1)))
    step = int(step_s) * NS
    first = low_ns // step * step
    return [first + i * step for i in range((high_ns - first) // step + 2)]
