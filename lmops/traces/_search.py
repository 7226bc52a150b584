"""Questions over traces: lists, one trace, roll-ups. The SQL of :class:`lmops.traces.Traces`."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import NotFoundError, UsageError, did_you_mean
from lmops.store import Bounds
from lmops.times import to_ns
from lmops.traces._said import TRACE_COLUMNS, beside, compiled, scores_in, source_of, touches_spans
from lmops.types import EVALUATION

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    import duckdb
    import pandas as pd

    from lmops.store import Store
    from lmops.traces._predicate import CompiledPredicate

_UNITS: Final = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_DURATION: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(s|min|m|h|d|w)\s*")
#: The id of a trace, whole.
TRACE_ID: Final = re.compile("[0-9a-f]{32}")
#: The condition, over ``traces`` or ``spans``, that something is no part of an evaluation.
NO_EVALUATION: Final = f"environment is distinct from '{EVALUATION}'"
#: Narrow enough to sort by the million.
_ORDERS: Final = frozenset(TRACE_COLUMNS) - {"models", "prompt_refs"}


def seconds(text: str) -> float:
    """Return a duration such as "90s", "15m", "24h", "7d" or "2w" in seconds.

    Raises:
        UsageError: It is not one.
    """
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None or float(match[1]) <= 0:
        raise UsageError(f"{text!r} is not a duration; write a number and a unit: '30m', '24h', '7d', '2w'")
    return float(match[1]) * _UNITS[match[2]]


def time_range(store: Store, *, last: str | None, since: str | datetime | None, until: str | datetime | None) -> Bounds:
    """Return the time range that these arguments mean, both ends as nanoseconds; None is open.

    ``last`` counts back from ``until``, else from now; where the newest trace is older than that, from it, so that
    "the last 7 days" of an archive are its last 7 days.
    """
    if last is not None and since is not None:
        raise UsageError(f"give last={last!r} or since={since!r}, not both")
    until_ns = None if until is None else to_ns(until)
    if last is None:
        since_ns = None if since is None else to_ns(since)
    else:
        span_ns = int(seconds(last) * 1e9)
        end = until_ns if until_ns is not None else time.time_ns()
        if until_ns is None:
            newest = store.fact_ranges("traces")
            if newest and newest[0][1] is not None and newest[0][1] < end - span_ns:
                end = newest[0][1] + 1
        since_ns = end - span_ns
    if since_ns is not None and until_ns is not None and since_ns > until_ns:
        raise UsageError(f"since={since!r} is after until={until!r}")
    return Bounds(since_ns, until_ns)


def range_sql(bounds: Bounds, alias: str = "") -> str:
    """Return the condition that ``start_ns`` lies in [since, until); "true" when both are open."""
    parts = []
    if bounds.since_ns is not None:
        parts.append(f"{alias}start_ns >= {int(bounds.since_ns)}")
    if bounds.until_ns is not None:
        parts.append(f"{alias}start_ns < {int(bounds.until_ns)}")
    return " and ".join(parts) or "true"


def order_sql(order: str) -> tuple[str, str, bool]:
    """Return (ORDER BY clause, column, descending) of an order such as "cost_usd desc".

    Raises:
        UsageError: The column is unknown or the direction is neither asc nor desc.
    """
    column, _, direction = order.strip().partition(" ")
    direction = direction.strip().lower() or "asc"
    if column not in _ORDERS:
        raise UsageError(did_you_mean("column to order by", column, _ORDERS))
    if direction not in ("asc", "desc"):
        raise UsageError(f"order={order!r}: the direction is asc or desc")
    physical = {"start_at": "start_ns", "end_at": "end_ns"}.get(column, column)
    return f"t.{physical} {direction} nulls last, t.start_ns desc, t.trace_id", physical, direction == "desc"


def search(store: Store, where: str | None, bounds: Bounds, *, order: str, limit: int | None) -> pd.DataFrame:
    """Return one row per trace, the columns of the view ``traces`` and what users said."""
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 0):
        raise UsageError(f"limit={limit!r}: give a number of traces, or None for all")
    ordered, column, descending = order_sql(order)
    scores = scores_in(compiled(where))
    # One more than is shown says whether there are more.
    wanted = limit + 1 if limit else limit

    def ask(within: Bounds, columns: str = "t.*") -> duckdb.DuckDBPyRelation:
        # A span never starts before its trace, so the lower bound holds for both; the upper one only for traces.
        since = Bounds(within.since_ns, None)
        predicate = compiled(where, range_sql(since, "s."))
        condition = f"{range_sql(within, 't.')} and {predicate.sql}"
        cut = "" if wanted is None else f"limit {wanted}"
        query = f"select {columns} from {source_of(predicate)} where {condition} order by {ordered} {cut}"
        return store.sql(query, bounds=since if touches_spans(predicate) else within)

    if wanted and column == "start_ns" and descending:
        # A condition is likely to leave few rows: begin with more of them.
        for window in _windows(store, bounds, wanted * (2 if where is None else 64)):
            frame = ask(window).df()  # most often it is enough, and counting first is a question more
            if window == bounds or len(frame) >= wanted:
                return _frame(store, frame, order, limit, scores)
    elif wanted and wanted <= NARROW_ROWS:
        # Sorting keys is much cheaper than sorting rows: first which traces, then their rows.
        keys = ask(bounds, "t.trace_id, t.start_ns").fetchall()
        if not keys:
            return _frame(store, ask(bounds).df(), order, limit, scores)
        starts = ", ".join(str(int(key[1])) for key in keys)
        chosen = store.sql(
            f"select t.* from traces t where t.start_ns in ({starts}) and t.trace_id in ({', '.join('?' * len(keys))}) "
            f"order by {ordered}",
            [key[0] for key in keys],
            bounds=Bounds(min(key[1] for key in keys), max(key[1] for key in keys)),
        )
        return _frame(store, chosen.df(), order, limit, scores)
    return _frame(store, ask(bounds).df(), order, limit, scores)


def found_sql(where: str | None, bounds: Bounds, *, evaluations: bool) -> str:
    """Return the query of the ids of the traces that a condition finds, to stand in a question of another room.

    Args:
        where: As for a search.
        bounds: The time range.
        evaluations: Whether those of evaluations are found too; they are where the condition names an environment.

    Raises:
        QueryError: It cannot be read or names something unknown.
    """
    predicate = compiled(where, range_sql(Bounds(bounds.since_ns, None), "s."))
    is_all = evaluations or "environment" in predicate.trace_columns | predicate.span_columns
    condition = f"{range_sql(bounds, 't.')} and {predicate.sql}{'' if is_all else f' and t.{NO_EVALUATION}'}"
    return f"select t.trace_id from {source_of(predicate)} where {condition}"


def _frame(store: Store, frame: pd.DataFrame, order: str, limit: int | None, scores: Sequence[str]) -> pd.DataFrame:
    """Return the rows, and in the attributes of the frame whether there were more than the limit."""
    from lmops.traces._frame import TraceFrame

    is_cut = bool(limit) and len(frame) > (limit or 0)
    shown = TraceFrame(beside(store, frame.iloc[:limit] if is_cut else frame, scores))
    shown.attrs.update(limit=limit, is_cut=is_cut, order=order)
    return shown


#: A list this short is worth a look-up of its rows by key.
NARROW_ROWS: Final = 1000


def _windows(store: Store, bounds: Bounds, wanted: int) -> Iterator[Bounds]:
    """Yield ever longer ranges that end where ``bounds`` ends, the whole of it last.

    "The latest 100" is answered from the newest rows; a rare match is found after the whole range was read, at most
    a seventh dearer than reading it at once.
    """
    ranges = [found for found in store.fact_ranges("traces") if found[0] is not None and found[1] is not None]
    until = bounds.until_ns
    total = sum(found[2] for found in ranges)
    while wanted < total:
        since = _edge(ranges, until, wanted)
        if since is None or (bounds.since_ns is not None and since <= bounds.since_ns):
            break
        yield Bounds(since, until)
        wanted *= 8
    yield bounds


def _edge(ranges: list[tuple[int | None, int | None, int]], until_ns: int | None, wanted: int) -> int | None:
    """Return the time since which about ``wanted`` rows lie, taking each range's rows as evenly spread."""
    missing = float(wanted)
    for first, last, rows in ranges:
        if first is None or last is None:
            continue
        end = last if until_ns is None else min(last, until_ns)
        if end <= first:
            continue
        inside = rows * (end - first) / max(last - first, 1)
        if inside >= missing:
            return end - int((end - first) * missing / inside)
        missing -= inside
    return None


def rows_of_trace(store: Store, id_or_prefix: str) -> list[dict[str, Any]]:
    """Return all span rows of one trace, by its id or the start of it.

    Raises:
        NotFoundError: No trace, or more than one, has an id that starts so.
    """
    asked = str(id_or_prefix).strip().lower()
    if not asked:
        raise NotFoundError("give a trace id or the start of one; ws.traces.search() lists traces")
    known = store.spans_of(asked) if TRACE_ID.fullmatch(asked) else None
    if known:
        return known
    query = "select trace_id, start_ns, end_ns from traces where "
    if len(asked) == 32:
        found = store.sql(query + "trace_id = ?", [asked]).fetchall()
    else:
        found = store.sql(query + "starts_with(trace_id, ?) limit 6", [asked]).fetchall()
    if not found:
        raise NotFoundError(f"no trace whose id starts with {asked[:80]!r}; ws.traces.search() lists traces")
    if len(found) > 1:
        some = ", ".join(row[0] for row in found[:5])
        raise NotFoundError(f"{len(found) if len(found) < 6 else 'more than 5'} traces start with {asked!r}: {some}")
    trace_id, start_ns, end_ns = found[0]
    return store.spans_of(trace_id, Bounds(start_ns, end_ns)) or []


#: What can be grouped by: of a call, of a whole trace, and of both.
_OF_CALLS: Final = frozenset({"model", "requested_model", "provider", "prompt_name", "prompt_version", "kind"})
_OF_TRACES: Final = frozenset({"name", "status"})
_OF_BOTH: Final = frozenset({"service", "environment", "user_id", "session_id"})
#: Spans above a call are looked for so long before it.
_ABOVE_NS: Final = 86_400_000_000_000
#: Weeks begin on Monday.
_ORIGIN_NS: Final = 4 * 86_400_000_000_000


def bucket_sql(every: str | None, column: str) -> str:
    """Return the start of the interval that nanoseconds lie in, as a time; NULL when there is no ``every``."""
    if every is None:
        return "null::TIMESTAMP WITH TIME ZONE"
    match = _DURATION.fullmatch(every) if isinstance(every, str) else None
    if match is None or match[2] == "s" or float(match[1]) <= 0 or not float(match[1]).is_integer():
        raise UsageError(f"every={every!r}: write whole minutes, hours, days or weeks: '15m', '1h', '1d', '1w'")
    width = int(float(match[1])) * _UNITS[match[2]] * 1_000_000_000
    # Whole numbers are many times faster than calendars, and in UTC the same.
    return f"make_timestamptz((({column} - {_ORIGIN_NS}) // {width} * {width} + {_ORIGIN_NS}) // 1000)"


def stats(
    store: Store, bounds: Bounds, *, by: list[str], every: str | None, where: str | None, evaluations: bool
) -> pd.DataFrame:
    """Return figures per interval and group; see :meth:`lmops.traces.Traces.stats`."""
    from lmops.base.frames import Frame
    from lmops.calc.intervals import wilson

    unknown = [name for name in by if name not in _OF_CALLS | _OF_TRACES | _OF_BOTH]
    if unknown:
        raise UsageError(did_you_mean("grouping", unknown[0], _OF_CALLS | _OF_TRACES | _OF_BOTH))
    over_calls = bool(_OF_CALLS & set(by))
    since = Bounds(bounds.since_ns, None)
    predicate = compiled(where, range_sql(since, "s."))
    evaluations = evaluations or "environment" in predicate.trace_columns | predicate.span_columns
    if over_calls:
        source, condition, keys = _of_calls(bounds, by, predicate, evaluations=evaluations)
        # What is above a call, and its trace, began before it; a condition may look at any time.
        before = None if bounds.since_ns is None else bounds.since_ns - _ABOVE_NS
        narrowed = Bounds(before, bounds.until_ns) if predicate.sql == "true" else Bounds(None, None)
    else:
        source, condition = source_of(predicate), f"{range_sql(bounds, 't.')} and {predicate.sql}"
        condition += "" if evaluations else f" and t.{NO_EVALUATION}"
        keys = {name: f"t.{name}" for name in by}
        narrowed = since if touches_spans(predicate) else bounds
    query = (_CALL_STATS if over_calls else _TRACE_STATS).format(
        bucket=bucket_sql(every, "c.start_ns" if over_calls else "t.start_ns"),
        keys="".join(f", {sql} as {name}" for name, sql in keys.items()),
        source=source,
        condition=condition,
        grouped=", ".join(str(place + 1) for place in range(len(keys) + 1)),
    )
    frame = store.sql(query, bounds=narrowed).df()
    total = frame["calls"] if over_calls else frame["traces"]
    low, high = wilson(frame["errors"].to_numpy(), total.to_numpy())
    place = int(frame.columns.get_loc("errors"))
    frame.insert(place + 1, "error_rate", frame["errors"] / total)
    frame.insert(place + 2, "error_rate_low", low)
    frame.insert(place + 3, "error_rate_high", high)
    return Frame(frame.drop(columns="bucket") if every is None else frame)


def _of_calls(
    bounds: Bounds, by: list[str], predicate: CompiledPredicate, *, evaluations: bool
) -> tuple[str, str, dict[str, str]]:
    """Return where figures of calls come from: the source, the condition, and what each grouping is there."""
    keys = {name: f"{'t' if name in _OF_TRACES else 'c'}.{name}" for name in by}
    source, condition = "llm_calls c", range_sql(bounds, "c.")
    if _OF_TRACES & set(by):
        source += " join (select trace_id, name, status from traces) t using (trace_id)"
    if predicate.sql != "true":
        condition += f" and c.trace_id in (select t.trace_id from {source_of(predicate)} where {predicate.sql})"
    if not evaluations:
        condition += f" and c.{NO_EVALUATION} and c.trace_id not in ({_EVALUATED})"
    if "model" in by:
        source += _ANSWERED
        keys["model"] = "coalesce(answered.model, c.model)"
    if {"prompt_name", "prompt_version"} & set(by):
        source += _MARKED.format(calls=range_sql(bounds, "c."))
        keys |= {name: f"coalesce(c.{name}, marked.{name})" for name in keys if name.startswith("prompt_")}
    return source, condition, keys


_EVALUATED: Final = f"select trace_id from traces where environment = '{EVALUATION}'"
#: A call that failed has no model that answered; it counts with the one that most often answers to the asked name.
_ANSWERED: Final = """
 left join (
  select requested_model, provider, mode(model) as model from llm_calls
  where status <> 'error' and model is not null and requested_model is not null group by all
) answered on c.status = 'error' and c.model is not distinct from c.requested_model
  and answered.requested_model = c.requested_model and answered.provider is not distinct from c.provider"""
#: What the nearest span above a call says of its prompt, where the call itself says nothing.
_MARKED: Final = """
 left join (
  with recursive named as (
    select trace_id, span_id, parent_span_id, prompt_name, prompt_version from spans
    where trace_id in (select trace_id from spans where prompt_name is not null and not is_call)
  ),
  above as (
    select c.trace_id, c.span_id, c.parent_span_id as place, 1 as steps from llm_calls c
    where c.prompt_name is null and {calls}
    union all
    select above.trace_id, above.span_id, named.parent_span_id, steps + 1 from above
    join named on named.trace_id = above.trace_id and named.span_id = above.place
    where named.prompt_name is null and steps < 100
  )
  select above.trace_id, above.span_id, named.prompt_name, named.prompt_version from above
  join named on named.trace_id = above.trace_id and named.span_id = above.place and named.prompt_name is not null
) marked on marked.trace_id = c.trace_id and marked.span_id = c.span_id"""
_TRACE_STATS: Final = """
select {bucket} as bucket{keys}, count(*) as traces, sum(t.call_count)::BIGINT as calls,
  count(*) filter (t.status = 'error') as errors,
  quantile_cont(t.latency_ms, 0.5) as p50_ms, quantile_cont(t.latency_ms, 0.95) as p95_ms,
  sum(t.input_tokens)::BIGINT as input_tokens, sum(t.output_tokens)::BIGINT as output_tokens,
  sum(t.cost_usd) as cost_usd, avg(t.cost_usd) as cost_per_trace_usd, sum(t.unpriced_calls)::BIGINT as unpriced_calls
from {source} where {condition} group by {grouped} order by {grouped}
"""
_CALL_STATS: Final = """
select {bucket} as bucket{keys}, count(distinct c.trace_id) as traces, count(*) as calls,
  count(*) filter (c.status = 'error') as errors,
  quantile_cont(c.latency_ms, 0.5) as p50_ms, quantile_cont(c.latency_ms, 0.95) as p95_ms,
  sum(c.input_tokens)::BIGINT as input_tokens, sum(c.output_tokens)::BIGINT as output_tokens,
  sum(c.cost_usd) as cost_usd, sum(c.cost_usd) / count(distinct c.trace_id) as cost_per_trace_usd,
  count(*) filter (c.cost_usd is null and (c.status <> 'error' or c.input_tokens is not null)) as unpriced_calls
from {source} where {condition} group by {grouped} order by {grouped}
"""
