"""A queue of 100,000 items: filled, opened, asked in SQL, handed out; and raters at work who are killed.

Raters are processes of their own that take an item and label it so many times a second, each acknowledged when it is in
the store. All of them do it at the same moment, which is the hardest. Then all are killed at once, and what was
acknowledged is compared with what is there. What the disk alone takes is measured beside it: bare commits of SQLite, as
often, that nobody else waits for. Where other work shares the processors, its share of them is most of the longest
times: ``--first`` (as root) lets all of this go first, as on a machine of its own.

    python tests/bench/bench_queues.py [--items 100000] [--raters 8] [--rate 2] [--seconds 20] [--runs 5] [--first]
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

#: Seconds that are allowed.
FILLS, OPENS, ACKNOWLEDGED_MS = 1.5, 1.0, 100.0
OPEN = """
import sys, time
import lmops, duckdb, pyarrow, pandas
began, spent = time.perf_counter(), time.process_time()
with lmops.open(sys.argv[1]) as ws:
    turn = ws.feedback.queues.next("q", rater="first")
    opened, busy = time.perf_counter() - began, time.process_time() - spent
    began = time.perf_counter()
    ((count,),) = ws.sql("select count(*) from queue_items where not is_done").fetchall()
    asked = time.perf_counter() - began
    ws.feedback.queues.label("q", turn.position, {"verdict": "pass"}, rater="first")
    began = time.perf_counter()
    ws.sql("select count(*) from queue_items where not is_done").fetchall()
    again = time.perf_counter() - began
    began = time.perf_counter()
    ws.feedback.queues.items("q", "open", n=200)
    page = time.perf_counter() - began
print(opened, busy, asked, again, page, count)
"""
RATER = """
import sys, time
import lmops
path, rater, rate = sys.argv[1], sys.argv[2], float(sys.argv[3])
with lmops.open(path) as ws:
    queues = ws.feedback.queues
    queues.progress("q")
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.monotonic()
    for sequence in range(1, 1_000_000):
        time.sleep(max(0.0, began + sequence / rate - time.monotonic()))
        before = time.perf_counter()
        turn = queues.next("q", rater=rater)
        handed = time.perf_counter()
        queues.label("q", turn.position, {"verdict": "pass"}, rater=rater, client=rater, sequence=sequence, seconds=1)
        kept = time.perf_counter()
        print(sequence, turn.position, (handed - before) * 1000, (kept - handed) * 1000, flush=True)
"""
FLOOR = """
import sqlite3, sys, time
path, rate = sys.argv[1], float(sys.argv[2])
con = sqlite3.connect(path, isolation_level=None)
con.execute("pragma journal_mode=wal")
con.execute("pragma synchronous=full")
con.execute("create table if not exists said (number integer primary key, words text)")
print("ready", flush=True)
sys.stdin.readline()
began = time.monotonic()
for number in range(1, 1_000_000):
    time.sleep(max(0.0, began + number / rate - time.monotonic()))
    before = time.perf_counter()
    con.execute("begin immediate")
    con.execute("insert into said (words) values (?)", ("x" * 1000,))
    con.execute("commit")
    print((time.perf_counter() - before) * 1000, flush=True)
"""


def said(name: str, value: float, bar: float, *, unit: str = "s", busy: float | None = None) -> None:
    """Print a figure beside what is allowed, and how much of it the processor was busy with it."""
    of_it = "" if busy is None else f", {busy:.3f} {unit} of it at work"
    print(f"{name:<44} {value:8.3f} {unit}{of_it}  (bar {bar:g} {unit}{'' if value <= bar else ': MISSED'})")


def quantiles(values: list[float]) -> str:
    """Return p50, p95, p99 and the greatest of some times in milliseconds."""
    chosen = (*(at(values, share) for share in (0.5, 0.95, 0.99)), max(values))
    return "p50 {:.1f}, p95 {:.1f}, p99 {:.1f}, max {:.1f} ms".format(*chosen)


def at(values: list[float], share: float) -> float:
    """Return the value that such a share of the values is below."""
    return sorted(values)[int(len(values) * share)]


def fill(path: str, items: int) -> None:
    """Fill a queue and ask it from a new process."""
    import lmops

    ids = [f"{number:032x}" for number in range(items)]
    with lmops.open(path) as ws:
        ws.feedback.schemas.save("support")
        began, spent = time.perf_counter(), time.process_time()
        ws.feedback.queue("q", ids, schema="support", order="random", overlap=0.1)
        wall, busy = time.perf_counter() - began, time.process_time() - spent
        said(f"filled with {items:,} items", wall, FILLS, busy=busy)
    done = subprocess.run([sys.executable, "-c", OPEN, path], capture_output=True, text=True, check=True)
    opened, busy, asked, again, page, _ = map(float, done.stdout.split())
    said("opened in a new process, first item handed", opened, OPENS, busy=busy)
    print(f"first SQL over queue_items                   {asked:8.3f} s\nSQL after a label {again:35.3f} s")
    print(f"a page of 200 open items                     {page:8.3f} s")


def hand_out(path: str) -> None:
    """Take and label a few hundred items, in a queue that is new and for a rater who comes when most is done."""
    import lmops

    with lmops.open(path) as ws:
        queues, times = ws.feedback.queues, []
        for _ in range(300):
            began = time.perf_counter()
            turn = queues.next("q", rater="alone")
            times.append((time.perf_counter() - began) * 1000)
            assert turn is not None
            queues.skip("q", turn.position, rater="alone")
        print(f"an item handed out: {quantiles(times)}")


def started(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a process that waits to be let go."""
    command = [sys.executable, "-c", code, *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def heard(process: subprocess.Popen[str]) -> list[list[str]]:
    """Return what a process that is dead has said, line by line."""
    said = process.communicate()[0].splitlines(keepends=True)
    return [line.split() for line in said if line.endswith("\n")]


def work(path: str, raters: int, rate: float, seconds: float, run: int) -> int:
    """Let raters work, kill them, compare; return how many labels were lost or doubled."""
    import lmops

    names = [f"rater{number}-{run}" for number in range(raters)]
    processes = [started(RATER, path, name, str(rate)) for name in names]
    processes.append(started(FLOOR, f"{path}-floor", str(raters * rate)))
    for one in processes:
        one.stdin.write("\n")  # type: ignore[union-attr]  # it is a pipe
        one.stdin.flush()  # type: ignore[union-attr]  # likewise
    time.sleep(seconds)
    for one in processes:
        os.kill(one.pid, signal.SIGKILL)
    *told, bare = [heard(one) for one in processes]
    lines = [line for given in told for line in given]
    kept = [float(line[3]) for line in lines]
    print(f"{raters} raters, {len(lines):,} of {raters * rate * seconds:,.0f} labels wanted")
    print(f"  handed out:        {quantiles([float(line[2]) for line in lines])}")
    print(f"  acknowledged:      {quantiles(kept)}")
    print(f"  a bare commit:     {quantiles([float(line[0]) for line in bare])}")
    said("  p99 of the acknowledgement", at(kept, 0.99), ACKNOWLEDGED_MS, unit="ms")
    with lmops.open(path) as ws:
        of_run = [f"rater%-{run}"]
        rows = ws.sql("select client, sequence, position from label_history where client like ?", of_run).fetchall()
        per_item = "select count(*) from queue_items where done > needs"
        doubled = len(rows) - len({row[:2] for row in rows}) + ws.sql(per_item).fetchall()[0][0]
        acknowledged = {
            (name, int(line[0]), int(line[1])) for name, mine in zip(names, told, strict=True) for line in mine
        }
        lost = len(acknowledged - set(rows))
        print(f"  killed: {lost} lost, {doubled} doubled; chain {'whole' if ws.audit.verify().ok else 'DAMAGED'}")
    return lost + doubled


def main() -> int:
    """Run it all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--raters", type=int, default=8)
    parser.add_argument("--rate", type=float, default=2.0)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--first", action="store_true")
    options = parser.parse_args()
    if options.first:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / ".lmops")
        fill(path, options.items)
        hand_out(path)
        worked = [work(path, options.raters, options.rate, options.seconds, run) for run in range(1, options.runs + 1)]
        return int(sum(worked) > 0)


if __name__ == "__main__":
    raise SystemExit(main())
