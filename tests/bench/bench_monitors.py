"""Monitors: false alarms and delays by simulation, beside river's detectors, and how long a check takes."""

from __future__ import annotations

import argparse
import tempfile
import time
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import lmops
from lmops.calc.detectors import Watch, detect, first_of_clusters
from lmops.monitors._state import Core, Held
from lmops.monitors.detecting import advance, edges
from lmops.monitors.reading import Values
from tests.bench._data import fill, rss_mb

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lmops.calc.arrays import Floats, Ints

COLD_S, AGAIN_S, MEGABYTES = 10.0, 1.0, 1000.0
EVERY, LEAD, DRAWS = 10_000, 2_000, 200


def series(rng: np.random.Generator, *, rate: float, count: int, alike: int) -> tuple[Floats, Ints]:
    """Return passes and failures, and the session of each: sessions of so many, half of which are all of one kind."""
    clusters = np.arange(count) // alike
    own = rng.random(count) < rate
    common = (rng.random(count // alike + 1) < rate)[clusters]
    is_alike = (rng.random(count // alike + 1) < (0.5 if alike > 1 else 0))[clusters]
    return np.where(is_alike, common, own).astype(float), clusters


def detectors() -> None:
    """Print false alarms among stationary items, and how soon a drop is found; river's detectors where it is there."""
    found = {f"e-SR, edge {edge:g}": partial(_fired, edge) for edge in (0.88, 0.885)} | _river()
    for name, alarms in found.items():
        rng = np.random.default_rng(2)
        false = {1: 0, 5: 0}
        delays = []
        for _ in range(DRAWS):
            for alike in false:
                values, clusters = series(rng, rate=0.9, count=LEAD, alike=alike)
                seen = first_of_clusters(values, clusters)[0] if alike > 1 and name.startswith("e-SR") else values
                false[alike] += bool(alarms(seen))
            drop = np.concatenate((rng.random(LEAD) < 0.9, rng.random(4_000) < 0.8)).astype(float)
            later = [at - LEAD + 1 for at in alarms(drop) if at >= LEAD]
            delays.append(later[0] if later else np.inf)
        print(
            f"  {name:16} false alarms in {LEAD:,} items: {false[1] / DRAWS:.1%} (bar 5 %), by sessions of 5: "
            f"{false[5] / DRAWS:.1%}; .90 -> .80 found after a median of {np.median(delays):.0f} (bar 160)"
        )


def _fired(edge: float, values: Floats) -> Sequence[int]:
    """Return where a detector fired; .88 is the edge of a monitor's own margin, .885 that of a baseline of 2,000."""
    return detect(values, edge, every=EVERY).alarms


def _river() -> dict[str, Callable[[Floats], Sequence[int]]]:
    """Return river's detectors; it is no dependency: ``pip install river`` beside this adds them."""
    try:
        from river import drift
    except ImportError:
        print("  river is not installed: ADWIN and Page-Hinkley are left out (pip install river)")
        return {}

    def run(made: Callable[[], Any]) -> Callable[[Floats], Sequence[int]]:
        def alarms(values: Floats) -> list[int]:
            detector, found = made(), []
            for at, value in enumerate(values.tolist()):
                detector.update(value)
                found += [at] if detector.drift_detected else []
            return found

        return alarms

    return {"ADWIN": run(drift.ADWIN), "Page-Hinkley": run(lambda: drift.PageHinkley(mode="down"))}


def false_alarms(fortnights: int, *, monitors: int = 12, per_day: int = 140, every: float = 10_000) -> None:
    """Print how many of some clean fortnights have an alarm of any monitor, and what would be promised."""
    rng = np.random.default_rng(1)
    alarmed, alarms = 0, 0
    learn, rest = 3 * per_day, 11 * per_day
    for _ in range(fortnights):
        rates = rng.choice([0.005, 0.02, 0.05, 0.25, 0.4], size=monitors)
        here = 0
        for rate in rates:
            bad = (rng.random(learn + rest) < rate).astype(float)
            at = np.arange(learn + rest, dtype=np.int64) * 10**9
            limit = edges(at[:learn], bad[:learn], 0.2, hours=False)
            held = Held(since_ns=0, until_ns=1, n=learn, from_ns=1, to_ns=None, edges={"above": limit})
            core = Core(held=held, watches={"above": Watch()})
            values = Values(at[learn:], bad[learn:], 1 - bad[learn:])
            here += sum(turn.fires for turn in advance(core, values, every=every)[1])
        alarms += here
        alarmed += here > 0
    print(
        f"{fortnights} clean fortnights, {monitors} monitors, {per_day} sessions a day: {alarmed} with an alarm, "
        f"{alarms} alarms (promised at most {fortnights * monitors * rest / every:.0f} on average)"
    )


def speed(spans: int, count: int) -> None:
    """Print how long a cold check of monitors of ten series each and the next one take."""
    metrics = ("error_rate", "latency_p95", "cost_per_query", "answer_length")
    with tempfile.TemporaryDirectory() as folder, lmops.open(Path(folder) / "store") as ws:
        fill(ws.store, spans, services=10)
        for number in range(count):
            ws.monitors.save(f"m{number}", metric=metrics[number % 4], by="service")
        (end,) = ws.sql("select max(start_at) from traces").fetchall()[0]
        later = end + timedelta(hours=1)
        for what, at, bar in (("cold", end, COLD_S), ("incremental", later, AGAIN_S), ("nothing new", later, AGAIN_S)):
            began, used = time.perf_counter(), time.process_time()
            found = ws.monitors.check(at=at)
            took, cpu = time.perf_counter() - began, time.process_time() - used
            print(
                f"  {what:12} {took:6.2f} s, {cpu:.2f} s of a processor (bar {bar:g} s"
                f"{'' if took <= bar else ', MISSED'})  "
                f"{count} monitors, {len(found.series)} series, {spans:,} spans"
            )
        print(f"  memory {rss_mb():,.0f} MB (bar {MEGABYTES:,.0f})")


def main() -> None:
    """Print all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fortnights", type=int, default=200)
    parser.add_argument("--spans", type=int, default=1_000_000)
    parser.add_argument("--monitors", type=int, default=20)
    parser.add_argument("--only", choices=["detectors", "false", "speed"])
    options = parser.parse_args()
    if options.only in (None, "detectors"):
        detectors()
    if options.only in (None, "false"):
        false_alarms(options.fortnights)
    if options.only in (None, "speed"):
        speed(options.spans, options.monitors)


if __name__ == "__main__":
    main()
