"""Policies: how long a check takes, traced and not, what a wrapped function costs, how soon others see a change.

python -m tests.bench.bench_guardrails [--checks 3000]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import lmops
from tests.forked import Program

if TYPE_CHECKING:
    from collections.abc import Callable

#: Eight rails of ours, none of which asks a model.
RAILS = [
    "secrets",
    "pii",
    "injection",
    "hidden",
    "marks",
    {"rail": "links", "allow": ["shop.example"]},
    {"rail": "denied", "phrases": ["free of charge", "legal advice"]},
    {"rail": "limits", "max_characters": 20_000},
]
SENTENCE = "I ordered two pairs of shoes on the 12th of March, order TL-44817, and the parcel has not come yet. "
MESSAGE = (SENTENCE * 11)[:1000]
WATCHER = """
import sys, time, lmops
ws = lmops.open(sys.argv[1])
policy = ws.guardrails.get("support@production")
print(policy.check("input", "hello").policy, flush=True)
for wanted in ("support@2", "support@1", "off"):
    while True:
        found = policy.check("input", "hello")
        if wanted in (found.policy, None if len(found.verdicts) == 8 else "off"):
            print(time.time(), flush=True)
            break
        time.sleep(0.002)
"""


def timed(call: Callable[[], object], count: int) -> str:
    """Return the percentiles of a call by the clock, and its mean by the processor's time alone."""
    took = []
    for _ in range(50):
        call()
    spent = time.thread_time()
    for _ in range(count):
        began = time.perf_counter_ns()
        call()
        took.append(time.perf_counter_ns() - began)
    spent = time.thread_time() - spent
    took.sort()
    p50, p95 = took[count // 2] / 1e6, took[count * 95 // 100] / 1e6
    return f"p50 {p50:.3f} ms, p95 {p95:.3f} ms (bar 1), of the processor {spent / count * 1000:.3f} ms"


def checks(ws: lmops.Workspace, count: int) -> None:
    """Print how long a check of eight rails takes on a message of 1,000 characters."""
    policy = ws.guardrails.get("support@production")
    by_rail: dict[str, list[float]] = {}
    for _ in range(200):
        for one in policy.check("input", MESSAGE).verdicts:
            by_rail.setdefault(one.rail, []).append(one.latency_ms)
    print("by rail (median ms):", ", ".join(f"{name} {sorted(ms)[100]:.3f}" for name, ms in by_rail.items()))
    print(f"check of eight rails, 1,000 characters: {timed(lambda: policy.check('input', MESSAGE), count)}")
    reply = policy.wrap(lambda question: question)
    print(f"a wrapped function, both ways:          {timed(lambda: reply(MESSAGE), count)}")
    ws.traces.instrument(clients=False)
    print(f"the same check, traced:                 {timed(lambda: policy.check('input', MESSAGE), count)}")
    ws.traces.stop_instrumentation()


def seen(ws: lmops.Workspace) -> None:
    """Print how soon another process sees a promotion, a rollback and a switch."""
    process = Program(WATCHER, ws.store.path)
    try:
        process.stdout.readline()
        for said, change in (
            ("a promotion", lambda: ws.guardrails.promote("support", 2, to="production")),
            ("a rollback", lambda: ws.guardrails.rollback("support", reason="bench")),
            ("a switch", lambda: ws.guardrails.switch_off("support", "limits", reason="bench")),
        ):
            change()
            began = time.time()
            print(f"{said} is seen elsewhere after {float(process.stdout.readline()) - began:.2f} s (bar 1)")
    finally:
        process.kill()
        process.wait()


def main() -> None:
    """Print all of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--checks", type=int, default=3000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, lmops.open(Path(folder) / ".lmops", actor="bench") as ws:
        ws.guardrails.save("support", input=RAILS, output=["secrets", "pii"])
        ws.guardrails.promote("support", 1, to="production")
        ws.guardrails.save("support", input=RAILS, output=["secrets"])
        checks(ws, asked.checks)
        seen(ws)


if __name__ == "__main__":
    main()
