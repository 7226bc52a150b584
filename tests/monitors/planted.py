"""Traffic in which something was changed at noon of the second day."""

from __future__ import annotations

import json

import numpy as np

from lmops.times import to_ns
from tests.store.helpers import llm, span

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
