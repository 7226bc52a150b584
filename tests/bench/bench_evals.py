"""The eval runner beside plain asyncio and SQLite: width, CPU per item, memory, frames, and a killed run.

The floor does what no runner can leave out: N workers over one iterator, and one row per item into SQLite, committed
in batches. The task and the scorer are the same on both sides; what a bare loop over them costs is taken off both.

    python tests/bench/bench_evals.py [--items 20000] [--results 200000]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[2]))

if TYPE_CHECKING:
    from lmops.workspace import Workspace

WIDE = 64


def rows(count: int) -> list[dict[str, str]]:
    """Return examples."""
    return [
        {
            "example_id": f"e{n:06}",
            "input": f"what is question number {n} about ferries, tickets and pets?",
            "expected": f"answer {n}",
        }
        for n in range(count)
    ]


async def quick(question: str) -> str:
    """Answer after one turn of the loop."""
    await asyncio.sleep(0)
    return f"an ordinary answer of about a hundred characters, which is what a help desk says to: {question}"


async def slow(question: str) -> str:
    """Answer after 50 ms."""
    await asyncio.sleep(0.05)
    return question


async def bare(task: Any, questions: list[str], wide: int) -> None:
    """Do nothing but call the task."""
    work = iter(questions)

    async def worker() -> None:
        for question in work:
            await task(question)

    await asyncio.gather(*(worker() for _ in range(wide)))


async def floor(task: Any, examples: list[dict[str, str]], wide: int, path: str) -> None:
    """Call the task and keep every answer in SQLite, in batches of 100."""
    con = sqlite3.connect(path, isolation_level=None)
    con.execute("pragma journal_mode=wal")
    con.execute("pragma synchronous=normal")
    con.execute("create table r (example_id text primary key, output text, score real, latency_ms real, at integer)")
    work, waiting = iter(examples), []

    def flush() -> None:
        con.execute("begin immediate")
        con.executemany("insert into r values (?, ?, ?, ?, ?)", waiting)
        con.execute("commit")
        waiting.clear()

    async def worker() -> None:
        for example in work:
            began = time.perf_counter()
            output = await task(example["input"])
            score = float(output == example["expected"])
            took = (time.perf_counter() - began) * 1000
            waiting.append((example["example_id"], output, score, took, time.time_ns()))
            if len(waiting) >= 100:
                flush()

    await asyncio.gather(*(worker() for _ in range(wide)))
    flush()
    con.close()


def timed(function: Any) -> tuple[float, float]:
    """Return the wall and CPU seconds that a function takes."""
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    function()
    return time.perf_counter() - wall, time.process_time() - cpu


def open_store(folder: str, name: str) -> Workspace:
    """Return a new workspace."""
    import lmops

    return lmops.open(Path(folder) / name)


def width(folder: str) -> None:
    """1,000 items of 50 ms, 64 wide."""
    count, ideal = 1000, 0.05 * -(-1000 // WIDE)
    plain, _ = timed(lambda: asyncio.run(floor(slow, rows(count), WIDE, f"{folder}/width.sqlite")))
    ws = open_store(folder, "width")
    dataset = ws.datasets.save("d", rows(count))
    options: dict[str, Any] = {"concurrency": WIDE, "progress": False}
    ws.evals.run(slow, dataset, ["exact_match"], limit=64, **options)  # imports are not what is measured
    wall, _ = timed(lambda: ws.evals.run(slow, dataset, ["exact_match"], **options))
    run = ws.evals.get(ws.evals.list(limit=1)["run_id"][0])
    ws.close()
    took = run.totals.duration_s
    print(
        f"1,000 x 50 ms x {WIDE} wide: ideal {ideal:.3f} s; floor {plain:.3f} s ({plain / ideal:.3f} x); "
        f"runner {took:.3f} s ({took / ideal:.3f} x, bar 1.1), whole call {wall:.3f} s"
    )


def cost(folder: str, items: int) -> None:
    """CPU per item above the bare task, tracing off and on."""
    examples = rows(items)
    _, base = timed(lambda: asyncio.run(bare(quick, [row["input"] for row in examples], WIDE)))
    _, plain = timed(lambda: asyncio.run(floor(quick, examples, WIDE, f"{folder}/cost.sqlite")))
    print(f"{items:,} items, CPU above the task: floor {(plain - base) / items * 1e6:.0f} us an item")
    for tracing, bar in ((False, 100), (True, 400)):
        ws = open_store(folder, f"cost-{tracing}")
        dataset = ws.datasets.save("d", examples)
        len(dataset.examples)
        options: dict[str, Any] = {"concurrency": WIDE, "progress": False, "tracing": tracing}
        ws.evals.run(quick, dataset, ["exact_match"], limit=200, **options)
        taken = [
            timed(
                lambda ws=ws, dataset=dataset, options=options: ws.evals.run(  # type: ignore[misc]  # bound now
                    quick, dataset, ["exact_match"], **options
                )
            )
            for _ in range(3)
        ]
        wall, cpu = min(taken, key=lambda found: found[1])
        each = (cpu - base) / items * 1e6
        spans = ws.sql("select count(*) from spans").fetchall()[0][0]
        kept = ws.sql("select count(*) from results").fetchall()[0][0]
        ws.close()
        said = "on " if tracing else "off"
        print(
            f"  tracing {said}: {each:.0f} us an item (bar {bar}), {items / wall:,.0f} items/s; "
            f"{kept:,} results, {spans:,} spans"
        )


MEMORY = """
import sys
sys.path[:0] = [{root!r}]
from tests.bench.bench_evals import open_store, quick, rows
ws = open_store({folder!r}, "memory-{tracing}")
dataset = ws.datasets.save("d", rows({items}))
def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
before = peak()
ws.evals.run(quick, dataset, ["exact_match"], concurrency=64, progress=False, tracing={tracing})
print(before / 1000, peak() / 1000)
"""


def memory(folder: str, items: int) -> None:
    """Peak memory of a process that runs so many items."""
    for tracing in (False, True):
        code = MEMORY.format(root=str(Path(__file__).parents[2]), folder=folder, items=items, tracing=tracing)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        before, peak = map(float, done.stdout.split())
        print(
            f"peak memory, {items:,} items, tracing {'on' if tracing else 'off'}: {peak:.0f} MB (bar 400), of which "
            f"{before:.0f} MB before the run"
        )


def frames(folder: str, count: int) -> None:
    """Open a run of many results as a frame."""
    ws = open_store(folder, "frames")
    run = ws.evals.run(quick, ws.datasets.save("d", rows(count // 2)), ["exact_match", "length"], repeats=2,
                       concurrency=WIDE, progress=False)  # fmt: skip  # arguments that belong together share a line
    import duckdb
    import pandas as pd

    parquet = f"{folder}/floor.parquet"
    ws.sql("select * from results").df().to_parquet(parquet)
    plain, _ = timed(lambda: pd.read_parquet(parquet))
    first, _ = timed(run.df)
    again, _ = timed(run.df)
    query, _ = timed(lambda: ws.sql("select scorer, avg(value), count(*) from scores group by 1").fetchall())
    summary, _ = timed(run.summary)
    ws.close()
    print(
        f"{count:,} results as a frame: {first:.2f} s, again {again:.2f} s (bar 1; pandas alone on one file "
        f"{plain:.2f} s); mean by scorer in SQL {query * 1000:.0f} ms; summary with intervals {summary:.2f} s; "
        f"duckdb {duckdb.__version__}"
    )


KILLED = """
import os, sys, time
sys.path[:0] = [{root!r}]
import lmops
calls = os.open({calls!r}, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
async def task(question):
    import asyncio
    os.write(calls, (question.split()[4] + "\\n").encode())
    await asyncio.sleep(0.01)
    return lmops.evals.TaskResult("a " + question, cost_usd=0.001, input_tokens=10, output_tokens=5)
if __name__ == "__main__":
    import lmops.evals
    ws = lmops.open({store!r})
    ws.evals.run(task, "d", ["exact_match"], name="killed", concurrency=64, progress=False)
"""


def killed(folder: str) -> None:
    """kill -9 at half way, then resume: what was repeated, what was lost."""
    import lmops
    from lmops.evals import TaskResult

    count, store, calls = 4000, f"{folder}/killed", Path(folder) / "calls.txt"
    with lmops.open(store) as ws:
        ws.datasets.save("d", rows(count))
    root = str(Path(__file__).parents[2])
    process = subprocess.Popen([sys.executable, "-c", KILLED.format(root=root, calls=str(calls), store=store)])
    while not calls.is_file() or calls.read_bytes().count(b"\n") < count // 2:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()

    async def task(question: str) -> TaskResult:
        with calls.open("a") as out:
            out.write(question.split()[4] + "\n")
        return TaskResult("a " + question, cost_usd=0.001, input_tokens=10, output_tokens=5)

    with lmops.open(store) as ws:
        before = ws.evals.get("killed").totals
        run = ws.evals.resume("killed", task=task, concurrency=WIDE, progress=False)
        totals = run.totals
        found = ws.sql("select count(*), count(distinct example_id) from results").fetchall()[0]
    asked = calls.read_text().split()
    again = len(asked) - len(set(asked))
    print(
        f"kill -9 after {before.cases:,} of {count:,} rows: repeated calls {again} (bar {WIDE}), "
        f"lost rows {count - found[1]}, doubled {found[0] - found[1]}; tokens {totals.input_tokens:,} of "
        f"{count * 10:,}, cost ${totals.cost_usd:.3f} of ${count * 0.001:.3f}, duration {totals.duration_s:.2f} s in "
        f"{totals.sessions} sessions (first {before.duration_s:.2f} s)"
    )


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--results", type=int, default=200_000)
    options = parser.parse_args()
    print(json.dumps({"cores": os.cpu_count(), "load": os.getloadavg()[0]}))
    with tempfile.TemporaryDirectory() as folder:
        width(folder)
        cost(folder, options.items)
        memory(folder, options.items)
        frames(folder, options.results)
        killed(folder)


if __name__ == "__main__":
    main()
