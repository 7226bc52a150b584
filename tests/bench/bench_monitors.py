"""Monitors: false alarms and delays by simulation, beside river's detectors, and how long a check takes."""

from __future__ import annotations

import argparse
import multiprocessing
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
from tests.bench._data import fill, multiply, peak_mb

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lmops.calc.arrays import Floats, Ints

COLD_S, AGAIN_S, MEGABYTES = 10.0, 1.0, 1000.0
EVERY, LEAD, DRAWS = 10_000, 2_000, 400


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
    print(
        f"  .90 -> .80 after {LEAD:,} items, promised run {EVERY:,}; false alarms (bar 5 %) and median delay (bar 160)"
    )
    for name, alarms in found.items():
        said = []
        for alike, words in ((1, "items"), (5, "sessions of 5")):
            # river's know no sessions: they are given each item
            by = alike if name.startswith("e-SR") else 1
            false, delays = _tried(alarms, alike, by)
            middle, late = np.quantile(delays, (0.5, 0.9), method="inverted_cdf")
            said.append(f"{words}: false {false:5.1%}, found after {middle:4.0f} (90 %: {late:4.0f})")
        print(f"  {name:16} {'; '.join(said)}")


def _tried(alarms: Callable[[Floats], Sequence[int]], alike: int, by: int) -> tuple[float, list[float]]:
    """Return the share of stationary series that fire, and after how many items each drop was found.

    Args:
        alarms: Of values the places at which it fired.
        alike: Items of a session.
        by: So many items are one value of the detector.
    """
    rng, false, delays = np.random.default_rng(2), 0, []
    for _ in range(DRAWS):
        parts = [series(rng, rate=rate, count=count, alike=alike) for rate, count in ((0.9, LEAD), (0.8, 4_000))]
        lead, later = (first_of_clusters(*part)[0] if by > 1 else part[0] for part in parts)
        fired = alarms(np.concatenate((lead, later)))
        false += any(at < lead.size for at in fired)
        delays.append(next((by * (at - lead.size + 1.0) for at in fired if at >= lead.size), np.inf))
    return false / DRAWS, delays


def _fired(edge: float, values: Floats) -> Sequence[int]:
    """Return where a detector fired; .88 is the edge of a monitor's own margin, .885 that of a margin of 0.15."""
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


def speed(spans: int, count: int, times: int = 1) -> None:
    """Print how long a cold check of monitors of ten series each and the next one take.

    Args:
        spans: Of the store that is made.
        count: Monitors.
        times: So often what is in the store is copied, with ids of its own.
    """
    metrics = ("error_rate", "latency_p95", "cost_per_query", "answer_length")
    with tempfile.TemporaryDirectory() as folder:
        with lmops.open(Path(folder) / "store") as ws:
            fill(ws.store, spans, services=10)
            multiply(ws.store, times)
        # in a process of its own: its memory is that of checks alone
        args = (Path(folder) / "store", spans * times, count, metrics)
        child = multiprocessing.get_context("spawn").Process(target=checked, args=args)
        child.start()
        child.join()


def checked(path: Path, spans: int, count: int, metrics: Sequence[str]) -> None:
    """Print how long checks of a store take, and an explanation, and what memory the process came to."""
    with lmops.open(path) as ws:
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
                f"{count} monitors, {len(found.series)} series, {spans:,} spans",
                flush=True,
            )
        print(f"  memory {peak_mb():,.0f} MB (bar {MEGABYTES:,.0f})", flush=True)
        began = time.perf_counter()
        ws.monitors.explain("output_tokens", since=end - timedelta(days=7), until=end, before="7d", level=0.01)
        print(f"  explain      {time.perf_counter() - began:6.2f} s, memory {peak_mb():,.0f} MB")


def main() -> None:
    """Print all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fortnights", type=int, default=200)
    parser.add_argument("--spans", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=1, help="copies of what is made: --times 10 is ten million spans")
    parser.add_argument("--monitors", type=int, default=20)
    parser.add_argument("--only", choices=["detectors", "false", "speed"])
    options = parser.parse_args()
    if options.only in (None, "detectors"):
        detectors()
    if options.only in (None, "false"):
        false_alarms(options.fortnights)
    if options.only in (None, "speed"):
        speed(options.spans, options.monitors, options.times)


if __name__ == "__main__":
    main()
