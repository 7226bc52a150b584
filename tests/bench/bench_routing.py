"""Routes: how long a choice takes, how evenly keys spread, how soon others see a change, and a storm of fallbacks.

python -m tests.bench.bench_routing [--keys 1000000] [--requests 1000]
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import tempfile
import time
from pathlib import Path

import lmops
from tests.forked import Program
from tests.models.conftest import Endpoint, Reply, completion

MODEL = "standin:ferry-1"
WATCHER = """
import sys, time, lmops
ws = lmops.open(sys.argv[1])
print(ws.routing.choose("support", "u1").arm, flush=True)
for wanted in ("b", "a", None):
    while True:
        try:
            now = ws.routing.choose("support", "u1").arm
        except lmops.RefusedError:
            now = None
        if now == wanted:
            print(time.time(), flush=True)
            break
        time.sleep(0.002)
"""
WRITER = """
import sys, time, lmops
ws, number = lmops.open(sys.argv[1]), 0
print("begun", flush=True)
while True:
    number += 1
    ws.feedback.record("a" * 32, value=number, name="stars")
    time.sleep(0.02)
"""


def weighted(**weights: float) -> dict[str, object]:
    """Return a route of arms with shares."""
    return {"arms": {arm: {"model": MODEL, "weight": weight} for arm, weight in weights.items()}}


def choices(ws: lmops.Workspace, count: int) -> None:
    """Print how long a choice takes, how keys spread, and which move from 10 to 20 %."""
    ws.routing.set("support", weighted(a=0.6, b=0.3, c=0.1))
    keys = [f"user-{number}" for number in range(count)]
    took, before = [], []
    for key in keys:
        began = time.perf_counter_ns()
        found = ws.routing.choose("support", key, {"segment": "vip"})
        took.append(time.perf_counter_ns() - began)
        before.append(found.arm)
    took.sort()
    print(f"choose: p50 {took[count // 2] / 1000:.1f} us, p99 {took[count * 99 // 100] / 1000:.1f} us (bar 20)")
    for arm, weight in (("a", 0.6), ("b", 0.3), ("c", 0.1)):
        away = (before.count(arm) - count * weight) / math.sqrt(count * weight * (1 - weight))
        print(f"spread of {count:,} keys: {arm} {before.count(arm) / count:.4%}, {away:+.2f} standard deviations")
    ws.routing.set("support", weighted(a=0.5, b=0.3, c=0.2))
    moved: dict[tuple[str, str], int] = {}
    for key, was in zip(keys, before, strict=True):
        now = ws.routing.choose("support", key).arm
        if now != was:
            moved[was, now] = moved.get((was, now), 0) + 1
    said = ", ".join(f"{was} to {now} {number / count:.4%}" for (was, now), number in moved.items())
    print(f"c from 10 to 20 %: {said}")


def elsewhere(folder: Path) -> None:
    """Print how long it takes until another process sees a promotion, a rollback and a switch, while four write."""
    with lmops.open(folder) as ws:
        ws.routing.set("support", weighted(a=1))
        ws.routing.set("support", weighted(b=1), to=None)
        watcher, *writers = Program(WATCHER, folder), *(Program(WRITER, folder) for _ in range(4))
        try:
            for one in (watcher, *writers):
                one.stdout.readline()
            for what, act in (
                ("a promotion", lambda: ws.routing.promote("support", 2, to="production")),
                ("a rollback", lambda: ws.routing.rollback("support", reason="worse")),
                ("a switch", lambda: ws.routing.kill("support", reason="leaks")),
            ):
                act()
                done = time.time()
                seen_ms = (float(watcher.stdout.readline()) - done) * 1000
                print(f"{what} is seen elsewhere after {seen_ms:.0f} ms (bar 1000)")
        finally:
            for one in (watcher, *writers):
                one.kill()
                one.wait()


def storm(ws: lmops.Workspace, count: int) -> None:
    """Print what a dying arm costs who asks."""
    main, spare = Endpoint(), Endpoint()
    os.environ["NO_PROXY"] = "127.0.0.1"
    for name, one in (("first", main), ("second", spare)):
        ws.models.register(name, base_url=one.url, model="house-1")
    main.answer = lambda _asked: Reply(completion()) if len(main.asked) <= count // 2 else Reply("", delay_s=10)
    ws.routing.set(
        "storm",
        {
            "arms": {"main": {"model": "first", "weight": 1}, "spare": {"model": "second"}},
            "fallbacks": ["spare"],
            "timeout_s": 3.0,
        },
    )

    async def all_of_it() -> list[float]:
        await ws.models.awarm("first")
        places = asyncio.Semaphore(16)

        async def one(number: int) -> float:
            async with places:
                began = time.perf_counter()
                await ws.routing.acall("storm", "Hello?", key=str(number))
                return time.perf_counter() - began

        return sorted(await asyncio.gather(*map(one, range(count))))

    took = asyncio.run(all_of_it())
    print(
        f"{count:,} requests, the arm silent from half way (one timeout is 3 s): all answered, "
        f"p50 {took[count // 2] * 1000:.0f} ms, p99 {took[count * 99 // 100] * 1000:.0f} ms, "
        f"slowest {took[-1] * 1000:.0f} ms; asked {len(main.asked)} and {len(spare.asked)} times"
    )
    main.close()
    spare.close()


def main() -> None:
    """Print all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--requests", type=int, default=1_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        with lmops.open(Path(folder) / "store") as ws:
            choices(ws, asked.keys)
            storm(ws, asked.requests)
        elsewhere(Path(folder) / "other")


if __name__ == "__main__":
    main()
