"""Recordings: what tools returned in traces, kept as a data set, so that versions, export and erasure are those of one.

An example is one call: its input the tool and the arguments, expected what came of it.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from lmops.calc.trajectories import canonical
from lmops.errors import UsageError
from lmops.redact import Redactor
from lmops.tools.doubts import read_arguments
from lmops.tools.reporting import TIMEOUT
from lmops.traces import found_sql, time_range

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from lmops.store import Store

#: What came of a call that stands for the tool; what a policy or a budget refused says nothing of it.
KEPT: Final = ("ok", "error", "timeout", "invalid_result")
_CALLS: Final = """
select c.trace_id, c.span_id, c.tool_name, c.arguments as input, c.result as output, c.latency_ms, c.error_message,
  c.error_type, coalesce(s.attributes->>'lmops.tool.outcome',
    case when {timeout} then 'timeout' when c.status = 'error' then 'error' else 'ok' end) as outcome,
  s.attributes->>'lmops.tool.version' as version, s.attributes->>'lmops.tool.is_replayed' as is_replayed
from tool_calls c join spans s on s.trace_id = c.trace_id and s.span_id = c.span_id
where {chosen} order by s.start_ns, c.span_id
"""


def key_of(tool: str, arguments: object, redactor: Redactor) -> str:
    """Return what a call is found by: its tool and its arguments in one form, without keys."""
    return f"{tool} {canonical(redactor.value(_read(arguments)))}"


def recorded_calls(
    store: Store,
    *,
    traces: Iterable[str] | None,
    where: str | None,
    last: str | None,
    since: str | datetime | None,
    until: str | datetime | None,
    tools: Sequence[str] | None,
) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    """Return the rows of a data set of the calls in traces, and what was left out with the reason.

    Raises:
        UsageError: Traces are named beside a condition, or no call is found.
    """
    given = None if traces is None else list(traces)
    if given is not None and any(one is not None for one in (where, last, since, until)):
        raise UsageError("give traces=[...] or where=, last=, since=, until=; not both")
    bounds = time_range(store, last=last, since=since, until=until)
    params: list[Any] = []
    if given is not None:
        chosen, params = f"c.trace_id in ({', '.join('?' * len(given)) or 'null'})", list(map(str, given))
    else:
        chosen = f"c.trace_id in ({found_sql(where, bounds, evaluations=True)})"
    if tools is not None:
        chosen += f" and c.tool_name in ({', '.join('?' * len(tools)) or 'null'})"
        params += list(tools)
    relation = store.sql(_CALLS.format(timeout=TIMEOUT, chosen=chosen), params)
    names = relation.columns
    rows = store.whole([dict(zip(names, row, strict=True)) for row in relation.fetchall()])
    if not rows:
        raise UsageError("these traces hold no call of a tool: look at ws.sql('select * from tool_calls')")
    return _examples(rows)


def _examples(rows: Iterable[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    redactor = Redactor.of("keys") or Redactor()
    found, skipped = [], []
    times: Counter[str] = Counter()
    for row in rows:
        if why := _left_out(row):
            skipped.append((row["span_id"], why))
            continue
        tool, is_ok = str(row["tool_name"]), row["outcome"] == "ok"
        arguments = redactor.value(_read(row["input"]))
        key = f"{tool} {canonical(arguments)}"
        at = times[key]
        times[key] += 1
        value = redactor.value(row["output"]) if is_ok else None
        error = None if is_ok else redactor.text(row["error_message"] or row["output"] or row["error_type"] or "failed")
        found.append(
            {
                "id": hashlib.blake2b(f"{key} {at}".encode("utf-8", "replace"), digest_size=8).hexdigest(),
                "input": {"tool": tool, "arguments": arguments},
                "expected": {"outcome": row["outcome"], "value": value, "is_json": _is_json(value), "error": error},
                "number": at,
                "tool_version": None if row["version"] is None else int(row["version"]),
                "latency_ms": row["latency_ms"],
                "trace_id": row["trace_id"],
                "tags": [tool[:80]],
            }
        )
    return found, skipped


def _left_out(row: Mapping[str, Any]) -> str | None:
    """Return why a call is not recorded; None: it is."""
    if row["tool_name"] is None:
        return "the span names no tool"
    if row["is_replayed"] == "true":
        return "it was replayed itself"
    if row["outcome"] not in KEPT:
        return f"it never reached the tool: {row['outcome']}"
    if row["outcome"] == "ok" and row["output"] is None:
        return "the trace does not hold its result"
    return None


def _read(arguments: object) -> object:
    read = read_arguments(arguments)
    return arguments if read is None else read


def _is_json(text: str | None) -> bool:
    """Return whether a result is JSON: it is kept as text, in the order in which a model saw it."""
    try:
        json.loads(text or "")
    except (ValueError, RecursionError):
        return False
    return True
