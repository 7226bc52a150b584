"""Traffic in which something was changed at noon of the second day."""

from __future__ import annotations

import json

import numpy as np

from lmops.times import from_ns, to_ns
from tests.store.helpers import EMPTY, llm, span

NOON = "2026-10-02T12:00"
HOUR = 3_600_000_000_000
ALL = {"since": NOON, "until": "2026-10-04T00:00", "before": f"2026-10-01T00:00/{NOON}"}


def traces(count, say, *, seed=0):
    """Return spans of traces, spread over three days, each of a root and a model call.

    Args:
        count: How many.
        say: Of (a generator, whether it is after noon of the second day): columns of the model call, and of the root
            those in a mapping "root".
        seed: Of the generator.
    """
    rng, first, rows = np.random.default_rng(seed), to_ns("2026-10-01T00:00"), []
    for number in range(count):
        start = first + number * 72 * HOUR // count
        said = dict(say(rng, start >= to_ns(NOON)))
        attributes = json.dumps(said.pop("attributes", {}))
        root = {"session_id": f"s{number // 2}", "output": "x", **said.pop("root", {})}
        root["end_ns"] = start + int(1e6 * root.get("latency_ms", 1.0))
        rows.append(span(f"t{number}", "root", start=start, **root))
        rows.append(llm(f"t{number}", "call", "root", start=start + 1000, attributes=attributes, **said))
    return rows


def prompt(version):
    """Return the columns of a call that renders a version of a prompt."""
    return {"prompt_name": "answer", "prompt_version": str(version)}


def dear(ws, count, *, times=20, since="2026-10-22", seed=0):
    """Ask some questions of a store again, each for so many times what is usual; return when each was, by trace.

    Args:
        ws: With traces that have costs.
        count: How many.
        times: How many times as dear as the median of all.
        since: Those from then on are asked again.
        seed: Of which.
    """
    query = "select trace_id, cost_usd from traces where cost_usd > 0 and unpriced_calls = 0 and start_at >= $since"
    costs = dict(ws.sql(f"{query} order by all", {"since": from_ns(to_ns(since))}).fetchall())
    chosen = np.random.default_rng(seed).choice([*costs], count, replace=False).tolist()
    dearest = times * float(np.median([*costs.values()]))
    spans = ws.sql("select * from spans where list_contains($chosen, trace_id)", {"chosen": chosen}).to_arrow_table()
    rows = [{name: one[name] for name in EMPTY} for one in spans.to_pylist()]
    for row in rows:
        factor = dearest / costs[row["trace_id"]]
        row["trace_id"] = row["trace_id"][::-1]
        row["session_id"] = f"dear {row['trace_id']}"
        row |= {"response_id": None, "cost_usd": row["cost_usd"] and row["cost_usd"] * factor}
    ws.store.append_many({"spans": rows})
    ends = {row["trace_id"]: row["end_ns"] for row in rows if row["parent_span_id"] is None}
    return {trace_id: from_ns(end) for trace_id, end in sorted(ends.items(), key=lambda one: one[1])}
