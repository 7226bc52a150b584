"""Questions over a large store: p50 and p95 of repeated calls, beside DuckDB on a native table of the same rows."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import lmops
from tests.bench._data import DAYS, START_NS, fill

if TYPE_CHECKING:
    from collections.abc import Callable

ROLL_UP = """
select start_at::date as day, model, count(*), quantile_cont(latency_ms, 0.5), quantile_cont(latency_ms, 0.95),
  sum(input_tokens), sum(output_tokens), sum(cost_usd) from llm_calls group by all order by all
"""


def measured(question: Callable[[], object], *, repeats: int) -> tuple[float, float]:
    """Return p50 and p95 of a call in ms, after one warm-up."""
    question()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        question()
        times.append((time.perf_counter() - began) * 1000)
    times.sort()
    return statistics.median(times), times[min(len(times) - 1, int(len(times) * 0.95))]


def main() -> None:
    """Print a table of questions with their bars."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--store", help="a store made by an earlier run; made anew in a temporary folder by default")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(options.store or folder) / "store"
        fresh = not path.exists()
        with lmops.open(path) as ws:
            if fresh:
                began = time.perf_counter()
                fill(ws.store, options.spans)
                print(f"made {options.spans:,} spans in {time.perf_counter() - began:.0f} s")
            report(ws, repeats=options.repeats)
        verification(path)


def report(ws: lmops.Workspace, *, repeats: int) -> None:
    """Ask every question and print its figures."""
    ids = ws.sql("select trace_id from traces using sample 50 rows (reservoir, 7)").fetchall()
    turn = iter(range(10**9))
    end = START_NS + DAYS * 86_400_000_000_000
    day = f"make_timestamptz({(end - 86_400_000_000_000) // 1000})"
    search, sql = ws.traces.search, ws.sql
    questions: list[tuple[str, float, Callable[[], object]]] = [
        ("latest 100 traces", 60, lambda: search(limit=100)),
        ("latest 100, ws.sql", 60, lambda: sql("select * from traces order by start_at desc limit 100").df()),
        ("errors, latest 100", 60, lambda: search("status = 'error'", limit=100)),
        ("model filter, latest 100", 60, lambda: search("model = 'gpt-5-mini'", limit=100)),
        ("errors of the last day", 60, lambda: search("status = 'error'", last="1d", limit=None)),
        ("last day, ws.sql", 60, lambda: sql(f"select count(*) from spans where start_at >= {day}").fetchall()),
        ("trace by id", 60, lambda: ws.traces.get(ids[next(turn) % 50][0])),
        ("roll-up day x model", 60, lambda: sql(ROLL_UP).df()),
        ("traces.stats by model, day", 100, lambda: ws.traces.stats(by="model", every="1d")),
        ("attribute filter, latest 100", 250, lambda: search("attributes['app.tier'] = 'gold'", limit=100)),
        ("attribute filter, count", 250, lambda: sql(
            "select count(*) from spans where (attributes->>'app.tier') = 'gold'").fetchall()),
        ("text filter, latest 100", 250, lambda: search("any_span.output ilike '%bicycle%'", limit=100)),
        ("text filter, count", 250, lambda: sql(
            "select count(*) from spans where contains(output, 'bicycle lounge')").fetchall()),
        ("10 dearest traces", 60, lambda: search(order="cost_usd desc", limit=10)),
    ]  # fmt: skip  # items that belong together share a line
    floor = native(ws)
    print(f"{'question':32}{'p50 ms':>9}{'p95 ms':>9}{'bar':>7}")
    for name, bar, question in questions:
        p50, p95 = measured(question, repeats=repeats)
        print(f"{name:32}{p50:9.1f}{p95:9.1f}{bar:7.0f}{'' if p95 <= bar else '  MISSED'}")
    for name, (p50, p95) in floor.items():
        print(f"{name:32}{p50:9.1f}{p95:9.1f}  floor")


def verification(path: Path) -> None:
    """Print what it costs that every file is verified (SHA-256) before a process reads it for the first time."""
    with lmops.open(path) as ws:
        ws.sql("select 1").fetchall()
        engine = ws.store._engine
        files = [one for found in engine.manifest().segments.values() for one in found]
        size = sum(one.bytes for one in files) / 1e6
        began = time.perf_counter()
        engine.verified.broken(files)
        first = (time.perf_counter() - began) * 1000
        _, again = measured(lambda: engine.verified.broken(files), repeats=20)
    print(
        f"verification: {len(files)} files, {size:.0f} MB: {first:.0f} ms once a process "
        f"({size / first * 1000:.0f} MB/s), {again:.2f} ms with every later question over all of them"
    )


def native(ws: lmops.Workspace) -> dict[str, tuple[float, float]]:
    """Return the roll-up and the latest 100 over a native in-memory DuckDB table of the same rows."""
    import duckdb

    with duckdb.connect(":memory:") as con:
        con.register(
            "calls",
            ws.sql(
                "select start_at, model, latency_ms, input_tokens, output_tokens, cost_usd from llm_calls"
            ).to_arrow_table(),
        )
        con.execute("create table llm_calls as select * from calls")
        con.register("t", ws.sql("select * from traces").to_arrow_table())
        con.execute("create table traces as select * from t")
        return {
            "floor: roll-up, native table": measured(lambda: con.sql(ROLL_UP).df(), repeats=10),
            "floor: latest 100, native table": measured(
                lambda: con.sql("select * from traces order by start_at desc limit 100").df(), repeats=10
            ),
        }


if __name__ == "__main__":
    main()
