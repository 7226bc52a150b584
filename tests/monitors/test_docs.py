"""What the page on monitors says runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

from lmops.monitors import METRICS
from tests.monitors.conftest import traces_of

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "monitors.md").read_text()


def test_every_block_of_the_page_runs(ws):
    """One after another, in one workspace with a little traffic."""
    ws.store.load(spans=traces_of(range(40)))
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    middle = ws.sql("select min(start_at) + (max(start_at) - min(start_at)) / 2 from traces").fetchall()[0][0]
    said = {"ws": ws}
    for block in blocks:
        exec(block.replace("2026-10-24T08:00", middle.isoformat()), said)
    assert {row["monitor"] for row in said["report"].series} >= {"slow-model", "errors", "latency"}
    assert "long-answers" in ws.monitors.names()


def test_the_page_names_each_method_and_kinds_of_metrics_that_exist():
    """A method that is added is said there."""
    from typing import get_args

    from lmops.monitors._records import Method

    assert all(f"| `{method}`" in PAGE for method in get_args(Method))
    assert {"error_rate", "latency_p95", "cost_per_query"} <= set(METRICS)
