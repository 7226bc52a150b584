"""Four processes at 20 operations a second on one store, drains running, beside plain SQLite in the same run.

Of five operations four append an eight-span trace and one writes a record; every tenth also reads an aggregate and one
trace. The floor is four processes that insert the same payloads into a plain SQLite table at the same rate.

    python tests/bench/bench_concurrency.py [--seconds 10] [--processes 4] [--rate 20]
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import sqlite3
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[2]))

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.synchronize import Barrier

Row = dict[str, Any]


@dataclass
class Report:
    """What one process did: times in seconds."""

    writes: list[float] = field(default_factory=list)
    reads: list[float] = field(default_factory=list)
    trace_ids: list[str] = field(default_factory=list)
    records: int = 0
    operations: int = 0


def pool(number: int) -> list[list[Row]]:
    """Return traces to copy from."""
    from tests.bench._data import traces

    return list(traces(50, seed=number))


def renewed(rows: list[Row], chance: random.Random) -> list[Row]:
    """Return a trace like this one that happens now, with ids of its own."""
    now, trace_id = time.time_ns(), f"{chance.getrandbits(128):032x}"
    fresh = {"trace_id": trace_id, "start_ns": now, "end_ns": now + 1_000_000_000}
    return [
        row | fresh | ({"response_id": f"r{chance.getrandbits(64):x}"} if row["response_id"] else {}) for row in rows
    ]


def paced(rate: float, seconds: float, operation: Callable[[int], None]) -> int:
    """Call an operation at a rate, never catching up by more than it fell behind; return how many were in time."""
    began = time.monotonic()
    done = 0
    while True:
        due = began + done / rate
        if due > began + seconds or time.monotonic() > began + seconds:
            return done
        time.sleep(max(0.0, due - time.monotonic()))
        operation(done)
        done += 1


def work(path: str, number: int, rate: float, seconds: float, barrier: Barrier, results: Any) -> None:
    """Write and read one store."""
    from lmops.store import Store, append_event

    chance, report, shapes = random.Random(number + time.time_ns()), Report(), pool(number)
    with Store.open(path) as store:

        def operation(step: int) -> None:
            began = time.perf_counter()
            if step % 5 == 4:
                with store.transaction() as con:
                    append_event(con, actor="bench", action="bench.write", subject=f"{number}-{step}")
                report.records += 1
            else:
                rows = renewed(shapes[step % len(shapes)], chance)
                began = time.perf_counter()
                store.append_many({"spans": rows})
                report.trace_ids.append(rows[0]["trace_id"])
            report.writes.append(time.perf_counter() - began)
            if step % 10 == 9:
                began = time.perf_counter()
                store.sql("select model, count(*), sum(cost_usd) from llm_calls group by 1").fetchall()
                store.sql("select * from spans where trace_id = ?", [report.trace_ids[-1]]).fetchall()
                report.reads.append(time.perf_counter() - began)

        # Imports and the first plan are not what is measured.
        store.append_many({"spans": renewed(shapes[0], chance)})
        store.sql("select * from spans where trace_id = ?", ["x"]).fetchall()
        barrier.wait()
        report.operations = paced(rate, seconds, operation)
    results.put(report)


def floor(path: str, number: int, rate: float, seconds: float, barrier: Barrier, results: Any) -> None:
    """Insert the same payloads into a plain table."""
    import orjson

    chance, report, shapes = random.Random(number), Report(), pool(number)
    con = sqlite3.connect(path, timeout=30, isolation_level=None)
    con.execute("pragma synchronous=normal")

    def operation(step: int) -> None:
        payload = orjson.dumps(renewed(shapes[step % len(shapes)], chance))
        began = time.perf_counter()
        con.execute("begin immediate")
        con.execute("insert into inbox (payload) values (?)", (payload,))
        con.execute("commit")
        report.writes.append(time.perf_counter() - began)

    barrier.wait()
    report.operations = paced(rate, seconds, operation)
    con.close()
    results.put(report)


def together(target: Callable[..., None], path: str, options: argparse.Namespace) -> list[Report]:
    """Run the processes at the same time and return their reports."""
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(options.processes), context.Queue()
    processes = [
        context.Process(target=target, args=(path, number, options.rate, options.seconds, barrier, results))
        for number in range(options.processes)
    ]
    for process in processes:
        process.start()
    reports = [results.get(timeout=options.seconds + 60) for _ in processes]
    for process in processes:
        process.join()
    return reports


def quantiles(values: list[float]) -> str:
    """Return p50, p99 and the greatest of some times."""
    ordered = sorted(values)
    chosen = (ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)], ordered[-1])
    return "p50 {:.1f}, p99 {:.1f}, max {:.1f} ms".format(*(value * 1000 for value in chosen))


def measure(options: argparse.Namespace) -> None:
    """Run both and print what was measured."""
    from lmops.store import Store

    with tempfile.TemporaryDirectory() as folder:
        plain = str(Path(folder) / "plain.sqlite")
        with sqlite3.connect(plain) as con:
            con.execute("pragma journal_mode=wal")
            con.execute("create table inbox (seq integer primary key autoincrement, payload blob)")
        base = together(floor, plain, options)
        path = str(Path(folder) / ".lmops")
        Store.open(path).close()
        reports = together(work, path, options)
        with Store.open(path) as store:
            stored = [row[0] for row in store.sql("select trace_id from traces").fetchall()]
            torn = store.sql("select count(*) from traces where span_count <> 8").fetchall()[0][0]
            ((records,),) = store.sql("select count(*) from audit where action = 'bench.write'").fetchall()
            stats = store.stats()
    wanted = options.rate * options.processes
    asked = {name for report in reports for name in report.trace_ids}
    rate = sum(report.operations for report in reports) / options.seconds
    per_process = ", ".join(str(report.operations) for report in reports)
    base_rate = sum(report.operations for report in base) / options.seconds
    print(
        f"floor: plain SQLite inserts   {base_rate:6.1f} of {wanted:.0f} ops/s; "
        f"write {quantiles([t for r in base for t in r.writes])}"
    )
    print(
        f"store                         {rate:6.1f} of {wanted:.0f} ops/s ({per_process} by process); "
        f"write {quantiles([t for r in reports for t in r.writes])}"
    )
    print(f"read (aggregate and trace)    {quantiles([t for r in reports for t in r.reads])}")
    print(
        f"lost {len(asked - set(stored))}, doubled {len(stored) - len(set(stored))}, torn {torn}, "
        f"records lost {sum(r.records for r in reports) - records}; drained {stats.spans - stats.inbox_rows:,} of "
        f"{stats.spans:,} spans into {stats.segments} segments; {os.cpu_count()} cores"
    )


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--rate", type=float, default=20)
    measure(parser.parse_args())


if __name__ == "__main__":
    main()
