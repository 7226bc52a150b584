"""Scores of production: traces scored by code and by a judge that answers at once, the same call again, what is asked.

python -m tests.bench.bench_scores [--traces 20000] [--spans 5]
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import lmops
from lmops.monitors import Monitors
from lmops.scorers import build
from tests.store.helpers import START, llm, span

if TYPE_CHECKING:
    from collections.abc import Iterator

JUDGED = 2_000


class Model:
    """Answers at once, for a tenth of a cent."""

    async def acomplete(self, *_given: Any, **_options: Any) -> Any:
        """Return an answer."""
        await asyncio.sleep(0)
        return SimpleNamespace(content="good", cost_usd=0.001)


async def polite(output: Any, complete: Any) -> bool:
    """Ask the model."""
    return bool((await complete("m", [{"role": "user", "content": output}])).content)


@contextmanager
def timed(what: str, count: int = 0) -> Iterator[None]:
    """Print how long something took, and how many a second that are."""
    began = time.perf_counter()
    yield
    took = time.perf_counter() - began
    print(f"{what:<52} {took:8.3f} s" + (f"  ({count / took:,.0f}/s)" if count else ""), flush=True)


def fill(ws: lmops.Workspace, traces: int, spans: int) -> None:
    """Write traces of a call and other spans."""
    for begin in range(0, traces, 10_000):
        rows = []
        for number in range(begin, min(begin + 10_000, traces)):
            at, name = START + number * 1_000_000_000, f"{number:08}"
            given = {
                "input": f"How late is ferry {number}?",
                "output": "It is on time. " * 8,
                "session_id": f"c{number // 3}",
            }
            rows.append(llm(name, name, start=at, **given))
            rows += [span(name, f"{one}{number:07}", name, start=at + one) for one in range(1, spans)]
        ws.store.load(rows)


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--traces", type=int, default=20_000)
    parser.add_argument("--spans", type=int, default=5)
    asked = parser.parse_args()
    code = build(lambda output: len(output) > 10, name="long", range=(0, 1))
    judge = build(polite, name="polite", kind="judge", range=(0, 1))
    with tempfile.TemporaryDirectory() as folder, lmops.open(Path(folder) / ".lmops") as ws:
        fill(ws, asked.traces, asked.spans)
        monitors = Monitors(ws.project, models=Model)
        with timed(f"{asked.traces:,} traces of {asked.spans} spans by code", asked.traces):
            monitors.score(code, progress=False)
        with timed("the same call again"):
            monitors.score(code, progress=False)
        share = min(1.0, JUDGED / asked.traces)
        with timed(f"about {JUDGED:,} of them by a judge", JUDGED):
            monitors.score(judge, sample=share, progress=False)
        with timed("the same call again"):
            monitors.score(judge, sample=share, progress=False)
        for what, every in (("rates", None), ("rates by the hour", "hour")):
            with timed(what):
                monitors.scores(every=every)
        with timed("a search by a score"):
            ws.traces.search("score.long < 1 and score.polite = 1")
        with timed("the trace browser's list"):
            ws.traces.browse()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
