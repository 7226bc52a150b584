"""The query side of the trace browser: one listing is computed once per filter and read by windows of row numbers.

A listing keeps the narrow columns of every trace that matches, with the texts cut to previews: about 0.5 kB a trace,
spilled to disk by the engine when memory is short. It stays what it was when new traces arrive.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import NotFoundError
from lmops.store import Bounds
from lmops.traces._predicate import SCORE
from lmops.traces._said import SAID_COLUMNS, compiled, names_said, source_of, touches_spans, with_said
from lmops.traces._search import NO_EVALUATION, range_sql, rows_of_trace, seconds, time_range
from lmops.traces._trace import Trace
from lmops.traces.groups import Groups
from lmops.traces.periods import over_time
from lmops.traces.rows import COLUMNS, NS, Found, ListColumn, Rows, score_column, time_edges
from lmops.types import EVALUATION

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    import numpy as np
    import pandas as pd

    from lmops.store import Store

#: values that a summary lists, and bars that a histogram has at most
TOP: Final = 4
BINS: Final = 24
#: versions of prompts that are looked at
_REFS: Final = 200
_LOG_STEPS: Final = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)


def check_predicate(where: str | None) -> None:
    """Raise :class:`QueryError` when the text is not a search."""
    compiled(where)


class TraceSource:
    """What the trace browser asks of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def bounds(
        self, last: str | None, since: str | datetime | None, until: str | datetime | None
    ) -> tuple[Bounds, bool]:
        """Return the time range that these arguments mean, and whether it counts back from the newest trace.

        ``last`` does so where the newest trace is older than the whole range: in an archive.
        """
        now_ns = time.time_ns()
        found = time_range(self._store, last=last, since=since, until=until)
        is_shifted = (
            last is not None
            and until is None
            and found.since_ns is not None
            and found.since_ns < now_ns - int(seconds(last) * NS) - NS
        )
        return found, is_shifted

    def newest_ns(self) -> int | None:
        """Return the start of the newest trace; None in an empty store."""
        ranges = self._store.fact_ranges("traces")
        return ranges[0][1] if ranges else None

    def stamp(self) -> object:
        """Return something that changes when traces are written."""
        return tuple(self._store.fact_ranges("traces"))

    def listing(self, where: str | None, bounds: Bounds) -> Listing:
        """Return the traces of a time range that match a search.

        Raises:
            QueryError: The search cannot be read or names something unknown.
        """
        return Listing(self._store, where, bounds)

    def groups(self, where: str | None, bounds: Bounds, by: str) -> Groups:
        """Return the traces of a time range that match a search, by what they have in one column.

        Raises:
            QueryError: The search cannot be read or names something unknown.
            UsageError: It is no column that groups.
        """
        return Groups(self._store, where, bounds, by)

    def over_time(self, listing: Listing, where: str | None, bounds: Bounds, *, is_archive: bool) -> dict[str, Any]:
        """Return what a list has over time, beside the range before it; see :func:`lmops.traces.periods.over_time`."""
        return over_time(self._store, listing, where, bounds, self.newest_ns(), is_archive=is_archive)

    def without_evaluations(self, where: str | None) -> str | None:
        """Return a search without the traces of evaluations; as it is where there are none, or it names environments.

        Raises:
            QueryError: The search cannot be read or names something unknown.
        """
        asked = compiled(where)
        if "environment" in asked.trace_columns | asked.span_columns:
            return where
        query = f"select 1 from traces where environment = '{EVALUATION}' limit 1"
        if not self._store.sql(query).fetchall():
            return where
        return f"{NO_EVALUATION} and ({where})" if where and where.strip() else NO_EVALUATION

    def trace(self, trace_id: str) -> Trace:
        """Return one trace with all its spans.

        Raises:
            NotFoundError: It is not in the store.
        """
        return Trace.from_rows(rows_of_trace(self._store, trace_id))

    def previews(self, trace_id: str) -> dict[str, Any]:
        """Return the texts of one trace as the view ``traces`` has them."""
        query = "select input, output, error_type, error_message, session_id, user_id from traces where trace_id = ?"
        found = self._store.sql(query, [trace_id]).to_arrow_table().to_pylist()
        if not found:
            raise NotFoundError(f"the trace {trace_id[:40]!r} is no longer in the store")
        return dict(found[0])

    def asked(self, trace_ids: Sequence[str], characters: int) -> dict[str, str]:
        """Return how the inputs of some traces begin, as far as they are in the store."""
        query = "select trace_id, left(input, ?) from traces where trace_id in (select unnest(?::varchar[]))"
        return {row[0]: row[1] or "" for row in self._store.sql(query, [characters, list(trace_ids)]).fetchall()}

    def session(self, session_id: str, limit: int) -> tuple[int, list[dict[str, Any]]]:
        """Return (turns in all, the first ``limit`` turns in the order of time) of one conversation."""
        query = (
            "select trace_id, name, start_ns, latency_ms, status, error_type, input, output, input_tokens, "
            "output_tokens, cost_usd, count(*) over () as turns from traces where session_id = ? "
            "order by start_ns, trace_id limit ?"
        )
        found = self._store.sql(query, [session_id, limit]).to_arrow_table().to_pylist()
        return (found[0]["turns"] if found else 0), found

    def frame(self, sql: str) -> pd.DataFrame:
        """Return the rows of one query."""
        frame: pd.DataFrame = self._store.sql(sql).df()
        return frame


class Listing(Rows):
    """All traces of a range that match a search, numbered in the order of one sort."""

    key = "trace_id"

    def __init__(self, store: Store, where: str | None, bounds: Bounds) -> None:
        started = time.perf_counter()
        self._store = store
        self._found = found = Found(store, where, bounds)
        self.has_feedback = found.has_feedback
        scores = map(score_column, found.scorers)
        self.columns = COLUMNS | {column.name: column for column in scores}
        shown = ", ".join(f"{column.sql} as {column.id}" for column in self.columns.values())
        query = f"select {shown} from {found.source} where {found.condition}"
        super().__init__(store.sql(query, bounds=found.bounds))
        total, errors = self._ask("select count(*), count(*) filter (status = 'error') from listing")[0]
        self.total = int(total)
        self.errors = int(errors)
        self.sort("start_at", descending=True)
        #: milliseconds that the query and the first sort took
        self.query_ms = (time.perf_counter() - started) * 1e3

    @property
    def _tie(self) -> str:
        return "start_at desc, trace_id"

    @property
    def sql(self) -> str:
        """The same rows, with every column of ``traces``, as a query for ``ws.sql``."""
        physical = {"start_at": "start_ns"}.get(self.sort_column, self.columns[self.sort_column].id)
        predicate = self._found.predicate
        parts = [part for part in (range_sql(self._found.range, "t."), predicate.sql) if part != "true"]
        condition = f"\nwhere {' and '.join(parts)}" if parts else ""
        direction = "desc" if self.is_descending else "asc"
        tie = "" if physical == "start_ns" else ", t.start_ns desc"
        sorted_by = self.columns[self.sort_column].sort.strip('"')
        is_said = names_said(predicate) or sorted_by in SAID_COLUMNS or sorted_by.startswith(SCORE)
        known = [SCORE + one for one in self._found.scorers]
        source = with_said({*SAID_COLUMNS, *predicate.trace_columns, sorted_by}, known=known) if is_said else "traces t"
        return f"select t.*\nfrom {source}{condition}\norder by t.{physical} {direction} nulls last{tie}, t.trace_id"

    def count_now(self) -> int:
        """Return how many traces match at this moment."""
        found = self._found
        narrow = Bounds(found.range.since_ns, None) if touches_spans(found.predicate) else found.range
        query = f"select count(*) from {source_of(found.predicate)} where {found.condition}"
        return int(self._store.sql(query, bounds=narrow).fetchall()[0][0])

    def summary(self, name: str) -> dict[str, Any]:
        """Return what one column holds: ``missing``, and ``top`` values or the ``bins`` of a histogram."""
        column = self.columns[name]
        if column.kind in ("category", "list", "bool"):
            return self._top(column)
        if column.kind in ("number", "time"):
            return self._histogram(column)
        missing = self._ask(f"select count(*) filter ({column.id} is null or {column.id} = '') from listing")[0][0]
        return {"missing": missing}

    def figures(self, figures: str) -> dict[str, Any]:
        """Return figures over all rows, given as the columns of a SELECT."""
        with self._lock:
            return dict(self._run(f"select {figures} from listing").to_arrow_table().to_pylist()[0])

    def starts(self) -> dict[str, np.ndarray]:
        """Return when each trace started, ``x`` in nanoseconds, and whether it ``failed``."""
        return self._columns("select start_at as x, status = 'error' as failed from listing")

    def first_seen(self) -> list[tuple[str, int]]:
        """Return (name@version, start of its first trace) of the prompts that most traces were asked with."""
        rows = self._ask(
            "select ref, min(start_at) from (select unnest(prompt_refs) as ref, start_at from listing) "
            f"group by ref order by count(*) desc, ref limit {_REFS}"
        )
        return [(str(ref), int(at)) for ref, at in rows]

    # -- inside ----------------------------------------------------------------------------------------------------

    def _top(self, column: ListColumn) -> dict[str, Any]:
        name = column.id
        value = f"unnest({name})" if column.kind == "list" else name
        source = f"(select {value} as value, status from listing)"
        rows = self._ask(
            "select value, traces, errors, count(*) over () from (select value, count(*) as traces, "
            f"count(*) filter (status = 'error') as errors from {source} where value is not null group by 1) "
            f"order by traces desc, value limit {TOP}"
        )
        empty = f"len({name}) = 0 or " if column.kind == "list" else ""
        missing = self._ask(f"select count(*) filter ({empty}{name} is null) from listing")[0][0]
        return {
            "missing": missing,
            "distinct": rows[0][3] if rows else 0,
            "top": [{"value": row[0], "count": row[1], "errors": row[2]} for row in rows],
        }

    def _histogram(self, column: ListColumn) -> dict[str, Any]:
        import numpy as np

        name = column.id
        found = self._columns(f"select {name} as x, status = 'error' as failed from listing where {name} is not null")
        x, failed = found["x"], np.ma.filled(found["failed"], False).astype(bool)
        if x.dtype.kind == "f":
            keep = np.isfinite(x)
            x, failed = x[keep], failed[keep]
        if not len(x):
            return {"missing": self.total, "bins": []}
        low, high = float(x.min()), float(x.max())
        edges: Sequence[float]
        if column.kind == "time":
            edges = time_edges(int(x.min()), int(x.max()), BINS)
        else:
            is_whole = bool((x == np.floor(x)).all())
            is_log = column.scale == "log" and low >= 0
            edges = _log_edges(x) if is_log else _linear_edges(low, high, is_whole=is_whole)
        place = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, len(edges) - 2)
        counts = np.bincount(place, minlength=len(edges) - 1)
        errors = np.bincount(place[failed], minlength=len(edges) - 1)
        bins = [
            {"low": edges[i], "high": edges[i + 1], "count": int(counts[i]), "errors": int(errors[i])}
            for i in range(len(edges) - 1)
        ]
        p50, p95 = (float(value) for value in np.quantile(x, [0.5, 0.95]))
        return {
            "missing": self.total - len(x),
            "bins": bins,
            "min": x.min().item(),
            "max": x.max().item(),
            "p50": p50,
            "p95": p95,
        }


def _linear_edges(low: float, high: float, *, is_whole: bool) -> list[float]:
    """Return round numbers that cover [low, high]."""
    if high <= low:
        return [low, low + 1]
    raw = (high - low) / (BINS - 4)
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * size for factor in (1, 2, 5, 10) if factor * size >= raw)
    if is_whole:
        step = max(step, 1.0)
    first = math.floor(low / step)
    return [_tidy(step * i) for i in range(first, math.floor(high / step) + 2)]


def _log_edges(x: np.ndarray) -> list[float]:
    """Return round numbers, growing by equal factors, that cover the values; what is 0 is in the first bar."""
    import numpy as np

    positive = x[x > 0]
    if not len(positive):
        return [0.0, 1.0]
    # A few extreme values would leave one bar for all the others: the lowest bar takes them.
    low, high = float(np.quantile(positive, 0.002)), float(positive.max())
    decades = math.log10(high / low) if high > low else 0.0
    factors = next((steps for steps in _ladders() if decades * len(steps) <= BINS - 2), (1.0,))
    edges = list(_rungs(factors, low, high))
    if float(x.min()) < edges[0]:
        edges[0] = 0.0
    return edges


def _ladders() -> Iterator[tuple[float, ...]]:
    yield _LOG_STEPS
    yield (1.0, 2.0, 5.0)
    yield (1.0,)


def _rungs(factors: tuple[float, ...], low: float, high: float) -> Iterator[float]:
    power = math.floor(math.log10(low))
    all_rungs = [_tidy(factor * 10.0**p) for p in range(power, math.floor(math.log10(high)) + 2) for factor in factors]
    below = [rung for rung in all_rungs if rung <= low]
    yield below[-1] if below else _tidy(10.0**power)
    for rung in all_rungs:
        if rung > low:
            yield rung
            if rung > high:
                return


def _tidy(value: float) -> float:
    return float(f"{value:.12g}")
