"""What explaining a change costs over a large store, beside the query alone and the least that can be asked."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import lmops
from lmops.times import from_ns
from tests.bench._data import DAYS, START_NS, fill, rss_mb

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 5.0
MEGABYTES = 1000.0
DAY = 86_400_000_000_000
#: The least: how the metric was in both halves, read from the same rows.
FLOOR = """select start_at >= $middle, count(*), avg(output_tokens) from traces
    where start_at >= $since and start_at < $until group by all"""


def seconds(question: Callable[[], object], *, repeats: int) -> float:
    """Return the median of the seconds that a question takes."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        question()
        times.append(time.perf_counter() - began)
    return sorted(times)[len(times) // 2]


def report(ws: lmops.Workspace, *, repeats: int) -> None:
    """Print how long each question takes, and what memory the process came to."""
    since, middle, until = (from_ns(START_NS + days * DAY) for days in (0, DAYS // 2, DAYS))
    times = {"since": since, "middle": middle, "until": until}
    options = {"since": middle, "until": until, "before": (since, middle)}
    began = time.perf_counter()
    first = ws.monitors.explain("output_tokens", **options)
    print(f"{'explain, the first time':44}{time.perf_counter() - began:8.2f} s  {first!r}")
    # the made traffic is the same all along: at so low a level it counts as changed, and every dimension is looked at
    for words, level in (("explain, nothing changed", 0.95), ("explain, every dimension looked at", 0.01)):
        took = seconds(
            lambda level=level: ws.monitors.explain("output_tokens", **options, level=level), repeats=repeats
        )
        print(f"{words:44}{took:8.2f} s  bar {SECONDS:.0f} s{'' if took <= SECONDS else '  MISSED'}")
    took = seconds(lambda: ws.monitors.explain("output_tokens", **options, level=0.01, by="app.build"), repeats=repeats)
    print(f"{'explain, an attribute of every span as well':44}{took:8.2f} s")
    took = seconds(lambda: ws.sql(FLOOR, times).fetchall(), repeats=repeats)
    print(f"{'floor: both means, one query':44}{took:8.2f} s")
    used = rss_mb()
    print(
        f"{'memory of the process':44}{used:8.0f} MB  bar {MEGABYTES:.0f} MB{'' if used <= MEGABYTES else '  MISSED'}"
    )


def main() -> None:
    """Make a store, or take one that was made, and ask it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--store", help="a store made by an earlier run; made anew in a temporary folder by default")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(options.store or folder) / "store"
        is_new = not path.exists()
        with lmops.open(path) as ws:
            if is_new:
                fill(ws.store, options.spans)
        with lmops.open(path) as ws:
            report(ws, repeats=options.repeats)


if __name__ == "__main__":
    main()
