"""Monitors: what they find of the sample's incidents, false alarms by simulation, and how long a check takes."""

from __future__ import annotations

import argparse
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

import lmops
from lmops.calc.detectors import Watch
from lmops.monitors._state import Core, Held
from lmops.monitors.detecting import advance, edges
from lmops.monitors.reading import Values
from lmops.sample import data_dir
from tests.bench._data import fill

#: Planted incidents: name, since, until, and the default monitors that can see it.
PLANTED = (
    ("tool-outage", "2026-10-23T09:00Z", "2026-10-23T18:00Z", ("tool-failures", "errors")),
    ("prompt-v3", "2026-10-24T08:00Z", "2026-10-26T12:00Z", ("support",)),
    ("chunking", "2026-10-27T05:00Z", "2026-10-28T12:00Z", ("support", "documents-found", "retrieval")),
    ("model-update", "2026-10-29T06:00Z", "2026-10-30T12:00Z", ("answer-length", "cost", "latency")),
    ("model-errors", "2026-10-31T11:00Z", "2026-10-31T18:00Z", ("model-errors", "errors")),
)
CLEAN = datetime.fromisoformat("2026-10-21T09:00Z")


def sample(every: str) -> None:
    """Replay the default monitors over the sample, and print what each incident's monitors said, and when."""
    with tempfile.TemporaryDirectory() as folder, lmops.open(Path(folder) / "store") as ws:
        ws.traces.ingest(str(data_dir() / "traces" / "*.jsonl.gz"), progress=False)
        ws.monitors.score(["source_support"], progress=False)
        ws.monitors.save_defaults()
        ws.monitors.save("support", metric="score.source_support")
        fired = []
        for name in sorted(set(ws.monitors.names()) - {"thumbs-down"}):  # of feedback, which is not read here
            began = time.perf_counter()
            found = ws.monitors.backtest(name, every=every)
            took = time.perf_counter() - began
            print(f"  {name:18} fired {len(found.fired)} times  ({took:.1f} s)")
            fired += [{**one, "monitor": name} for one in found.fired]
    print(f"on the clean first days: {sum(one['fired_at'] < CLEAN for one in fired)} alerts")
    for name, since, until, monitors in PLANTED:
        begin, end = datetime.fromisoformat(since), datetime.fromisoformat(until)
        seen = [one for one in fired if one["monitor"] in monitors and begin <= one["fired_at"] <= end]
        said = ", ".join(
            f"{one['monitor']} after {(one['fired_at'] - begin) / timedelta(hours=1):.1f} h" for one in seen
        )
        print(f"  {name:13} {said or 'not found'}")


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
    """Print how long a cold check and the next one take."""
    with tempfile.TemporaryDirectory() as folder, lmops.open(Path(folder) / "store") as ws:
        fill(ws.store, spans)
        for number in range(count):
            metric = ("error_rate", "latency_p95", "cost_per_query", "answer_length")[number % 4]
            ws.monitors.save(f"m{number}", metric=metric, by="service")
        (end,) = ws.sql("select max(start_at) from traces").fetchall()[0]
        for what, at in (("cold", end), ("incremental", end + timedelta(hours=1)), ("again", end + timedelta(hours=1))):
            began = time.perf_counter()
            found = ws.monitors.check(at=at)
            took = time.perf_counter() - began
            print(f"  {what:12} {took:6.2f} s  {count} monitors, {len(found.series)} series, {spans:,} spans")


def main() -> None:
    """Print all three."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", default="3h")
    parser.add_argument("--fortnights", type=int, default=200)
    parser.add_argument("--spans", type=int, default=1_000_000)
    parser.add_argument("--monitors", type=int, default=20)
    parser.add_argument("--only", choices=["sample", "false", "speed"])
    options = parser.parse_args()
    if options.only in (None, "false"):
        false_alarms(options.fortnights)
    if options.only in (None, "sample"):
        sample(options.every)
    if options.only in (None, "speed"):
        speed(options.spans, options.monitors)


if __name__ == "__main__":
    main()
