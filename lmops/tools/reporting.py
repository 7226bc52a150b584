"""How tools did in production: calls, errors with intervals, times and cost, by whatever tells calls apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError, did_you_mean
from lmops.traces import found_sql, time_range

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import pandas as pd

    from lmops.store import Bounds, Store

#: What calls can be told apart by -> SQL over a call (c), its span (s) and the model call before it (m).
BY: Final = {
    "tool": "c.tool_name",
    "version": "s.attributes->>'lmops.tool.version'",
    "model": "m.model",
    "agent": "s.attributes->>'gen_ai.agent.name'",
    "outcome": "coalesce(s.attributes->>'lmops.tool.outcome', case c.status when 'error' then 'error' else 'ok' end)",
    "error_type": "c.error_type",
    "service": "c.service",
    "environment": "c.environment",
    "day": "date_trunc('day', c.start_at)",
    "hour": "date_trunc('hour', c.start_at)",
}
#: What a client calls a time that ran out.
TIMEOUT: Final = "(c.status = 'error' and regexp_matches(coalesce(c.error_type, ''), '(?i)time.?out|deadline'))"
_INVALID: Final = "(s.attributes->>'lmops.tool.outcome' = 'invalid_arguments')"
#: The call of the same tool with the same arguments so often in one trace is a loop.
_LOOP: Final = 3
_CALLS: Final = """
with recursive calls as (
  select c.trace_id, c.span_id, c.tool_name, c.arguments, c.status, c.latency_ms, {columns},
    {timeout} as is_timeout, coalesce({invalid}, false) as is_invalid,
    count(*) over (partition by c.trace_id, c.tool_name, c.arguments) as alike
  from tool_calls c join spans s on s.trace_id = c.trace_id and s.span_id = c.span_id
  {asked} where {range} and c.trace_id in ({traces})
)"""
#: Below a call that runs an agent are its model calls; one that lies below two calls of a group counts once.
_BELOW: Final = """, below as (
  select {names}, trace_id, span_id from calls union
  select {of_below}, s.trace_id, s.span_id from below b join spans s
    on s.trace_id = b.trace_id and s.parent_span_id = b.span_id
), costs as (
  select {of_below}, sum(l.cost_usd) as cost_usd, count(*) filter (l.cost_usd is null) as unpriced
  from below b join llm_calls l on l.trace_id = b.trace_id and l.span_id = b.span_id group by all
)"""
_FIGURES: Final = """
select {of_calls}, count(*) as calls, count(distinct calls.trace_id) as traces,
  count(*) filter (calls.status = 'error') as errors, count(*) filter (calls.is_timeout) as timeouts,
  count(*) filter (calls.is_invalid) as invalid_arguments, count(*) filter (calls.alike >= {loop}) as looping_calls,
  quantile_cont(calls.latency_ms, 0.5) as p50_ms, quantile_cont(calls.latency_ms, 0.95) as p95_ms,
  any_value(costs.cost_usd) as cost_usd, coalesce(any_value(costs.unpriced), 0)::BIGINT as unpriced_calls
from calls left join costs on {same} group by {of_calls} order by {of_calls}
"""


def by_names(by: str | Sequence[str]) -> list[str]:
    """Return what to tell calls apart by, each once.

    Raises:
        UsageError: One is unknown; the nearest is named.
    """
    names = [by] if isinstance(by, str) else list(dict.fromkeys(by))
    for name in names:
        if name not in BY:
            raise UsageError(did_you_mean("column to tell calls of tools apart by", str(name), BY))
    return names


def report(
    store: Store,
    *,
    by: str | Sequence[str],
    where: str | None,
    last: str | None,
    since: str | datetime | None,
    until: str | datetime | None,
    level: float,
) -> pd.DataFrame:
    """Return the figures; see ``Tools.report``."""
    from lmops.base.frames import Frame
    from lmops.calc.intervals import wilson

    names = by_names(by)
    if not 0 < level < 1:
        raise UsageError(f"level={level:g}: give a number between 0 and 1, such as 0.95")
    bounds = time_range(store, last=last, since=since, until=until)
    found = store.sql(_query(names, where, bounds), bounds=bounds).df()
    low, high = wilson(found["errors"], found["calls"], level)
    found.insert(found.columns.get_loc("errors") + 1, "error_rate", found["errors"] / found["calls"])
    found.insert(found.columns.get_loc("errors") + 2, "error_rate_low", low)
    found.insert(found.columns.get_loc("errors") + 3, "error_rate_high", high)
    return Frame(found if names else found.drop(columns="everything"))


def _query(names: list[str], where: str | None, bounds: Bounds) -> str:
    told = names or ["everything"]
    columns = ", ".join(f"{BY.get(name, chr(39) + 'all' + chr(39))} as {name}" for name in told)
    asked = (
        "asof left join (select trace_id, start_at, model from llm_calls) m "
        "on m.trace_id = c.trace_id and c.start_at >= m.start_at"
    )
    parts: dict[str, Any] = {
        "columns": columns,
        "timeout": TIMEOUT,
        "invalid": _INVALID,
        "asked": asked if "model" in told else "",
        "range": _times(bounds),
        "traces": found_sql(where, bounds, evaluations=False),
        "names": ", ".join(told),
        "of_below": ", ".join(f"b.{name}" for name in told),
        "of_calls": ", ".join(f"calls.{name}" for name in told),
        "same": " and ".join(f"calls.{name} is not distinct from costs.{name}" for name in told),
        "loop": _LOOP,
    }
    return (_CALLS + _BELOW + _FIGURES).format(**parts)


def _times(bounds: Bounds) -> str:
    since = f"s.start_ns >= {int(bounds.since_ns)}" if bounds.since_ns is not None else "true"
    return since if bounds.until_ns is None else f"{since} and s.start_ns < {int(bounds.until_ns)}"
