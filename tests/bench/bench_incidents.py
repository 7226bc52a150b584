"""What the default monitors find of the incidents in the sample, what explains them, and what they find where none is.

Monitors see traces alone: the times of the incidents, by which they are judged here, are no input of theirs.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

import lmops
from lmops.monitors.defaults import DEFAULTS
from lmops.sample import data_dir
from lmops.sample.telemetry import json_lines
from lmops.sample.traffic import (
    END_NS,
    FIRST_MODEL,
    LOOSE_PROMPT,
    UPDATED_MODEL,
    Session,
    Stand,
    simulate_after,
)
from lmops.times import from_ns
from tests.monitors.planted import dear

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lmops.monitors import Alert

HOUR = timedelta(hours=1)
DAY_NS = 86_400_000_000_000
#: What is planted to see what is found: days after the beginning, and the monitors that can see it.
CHANGES = {
    "prompt": (5, ("support", "orders-obeyed", "answer-length")),
    "index": (8, ("documents-found", "retrieval")),
    "model": (11, ("answer-length", "cost", "latency")),
}
CLEAN = datetime.fromisoformat("2026-10-23T09:00Z")


class Planted(NamedTuple):
    """An incident: when, the monitors that can see it, how soon they are to, and what is to account for it."""

    name: str
    since: str
    until: str
    monitors: tuple[str, ...]
    hours: float
    by: tuple[tuple[str, str], ...]


PLANTED = (
    Planted("tool-outage", "2026-10-23T09:00Z", "2026-10-23T12:00Z", ("tool-failures", "errors"), 2,
            (("error_type", "ToolUnavailableError"),)),
    Planted("prompt-v3", "2026-10-24T08:00Z", "2026-10-27T05:00Z", ("support",), 24, (("prompt", "support-answer@3"),)),
    Planted("injection", "2026-10-24T08:00Z", "2026-10-27T05:00Z", ("orders-obeyed",), 12,
            (("prompt", "support-answer@3"),)),
    Planted("chunking", "2026-10-27T05:00Z", "2026-10-29T06:00Z", ("documents-found", "retrieval"), 24,
            (("index", "idx_d50249d0e998"),)),
    Planted("model-update", "2026-10-29T06:00Z", "2026-10-31T06:00Z", ("answer-length", "cost", "latency"), 12,
            (("fingerprint", "fp_070a1f797b"),)),
    Planted("model-errors", "2026-10-31T11:00Z", "2026-10-31T14:00Z", ("rate-limits", "error-burst"), 2,
            (("error_type", "ModelError"),)),
)  # fmt: skip  # a row an incident


@contextmanager
def watched(*files: str) -> Iterator[lmops.Workspace]:
    """Yield a workspace with traces, what the deterministic scorer says of them, and the default monitors."""
    with tempfile.TemporaryDirectory() as folder, lmops.open(Path(folder) / "store") as ws:
        for one in files:
            ws.traces.ingest(one, progress=False)
        ws.monitors.score(["source_support"], progress=False)
        ws.monitors.save_defaults()
        yield ws


def fired(ws: lmops.Workspace, every: str) -> list[dict[str, Any]]:
    """Return all that the monitors would have fired, looked at so often."""
    names = sorted(set(ws.monitors.names()) - {"thumbs-down"})  # of feedback, which is not read here
    found = [{**one, "monitor": name} for name in names for one in ws.monitors.backtest(name, every=every).fired]
    return sorted(found, key=lambda one: one["fired_at"])


def incidents(every: str) -> int:
    """Print when each incident was found and what explains it first; return how many are as they are to be."""
    with watched(str(data_dir() / "traces" / "*.jsonl.gz")) as ws:
        found = fired(ws, every)
        early = [one for one in found if one["fired_at"] < CLEAN]
        print(f"on the first days, before the first incident: {len(early)} alerts")
        print(f"{'incident':13} {'found by':16} {'after':>7} {'bar':>6}   explained first by (accounts for)")
        right = 0
        for planted in PLANTED:
            begin, end = map(datetime.fromisoformat, (planted.since, planted.until))
            seen = [one for one in found if one["monitor"] in planted.monitors and begin <= one["fired_at"] <= end]
            if not seen:
                print(f"{planted.name:13} not found")
                continue
            seen.sort(key=lambda one, names=planted.monitors: (one["fired_at"], names.index(one["monitor"])))
            alert = opened(ws, seen[0])
            after = (alert.opened_at - begin) / HOUR
            words, is_it = explained(ws, alert, planted, end)
            is_right = after <= planted.hours and is_it
            right += is_right
            print(
                f"{planted.name:13} {seen[0]['monitor']:16} {after:5.1f} h {planted.hours:4.0f} h   {words}"
                f"{'' if is_right else '  MISSED'}"
            )
        others = [one for one in found if not any(_belongs(one, planted) for planted in PLANTED)]
        print(f"{right} of {len(PLANTED)} as they are to be; other alerts: {len(others)}")
        for one in others:
            print(f"  {one['fired_at']:%m-%d %H:%M} {one['monitor']}: {one['words'][:110]}")
    return right


def _belongs(one: dict[str, Any], planted: Planted) -> bool:
    return datetime.fromisoformat(planted.since) <= one["fired_at"] <= datetime.fromisoformat(planted.until) + 24 * HOUR


def opened(ws: lmops.Workspace, one: dict[str, Any]) -> Alert:
    """Return the alert that a check opens at the time at which a backtest has fired."""
    report = ws.monitors.check([one["monitor"]], at=one["fired_at"])
    (alert,) = (found for found in report.alerts if found.monitor == one["monitor"])
    return alert


def explained(ws: lmops.Workspace, alert: Alert, planted: Planted, end: datetime) -> tuple[str, bool]:
    """Return what comes first in what explains an alert, and whether it is what was planted.

    Where so soon too little is there to say anything, it is asked again when the incident is over.
    """
    for when, until in (("at once", None), ("once it is over", end)):
        found = ws.monitors.explain(alert.alert, until=until)
        if found.accounts:
            first = found.accounts[0]
            is_it = any(first.dimension == name and value in first.values for name, value in planted.by)
            sure = "" if first.is_clear else ", not yet sure"
            return f"{first.title}: {', '.join(first.values)} ({first.share:.0%}{sure}, {when})", is_it
    return f"nothing: {found.state}", False


def unchanged(_session: Session, _at_ns: int) -> Stand:
    """Return what answers where nothing is released."""
    return Stand(revision=FIRST_MODEL, is_rebuilt=False, prompt_version=2)


def changed(_session: Session, at_ns: int) -> Stand:
    """Return what answers where the prompt, the index and the model of the sample come, some days after each other."""
    is_there = {name: at_ns >= END_NS + day * DAY_NS for name, (day, _) in CHANGES.items()}
    return Stand(
        revision=UPDATED_MODEL if is_there["model"] else FIRST_MODEL,
        is_rebuilt=is_there["index"],
        prompt_version=LOOSE_PROMPT if is_there["prompt"] else 2,
    )


def fortnight(seed: str, stands: Callable[[Session, int], Stand], every: str) -> list[dict[str, Any]]:
    """Return all that the monitors would have fired in a fortnight of the sample's application."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "traces.jsonl"
        made = simulate_after(END_NS, 14, seed=seed, stands=stands).telemetry.values()
        lines = sorted(line for telemetry in made for line in json_lines(telemetry.spans))
        path.write_text("".join(f"{line}\n" for _, line in lines), encoding="utf-8")
        with watched(str(path)) as ws:
            return fired(ws, every)


def clean(fortnights: int, every: str) -> int:
    """Print the alerts of fortnights in which nothing was planted; return how many have any."""
    alarmed, alerts = 0, 0
    for number in range(1, fortnights + 1):
        found = fortnight(f"clean {number}", unchanged, every)
        alarmed += bool(found)
        alerts += len(found)
        said = "; ".join(f"{one['monitor']} {one['fired_at']:%m-%d %H:%M} {one['words'][:90]}" for one in found)
        print(f"  fortnight {number:2}: {said or 'quiet'}", flush=True)
    print(f"{fortnights} clean fortnights, looked at every {every}: {alarmed} with an alert, {alerts} alerts (bar 1)")
    return alarmed


def power(fortnights: int, every: str) -> None:
    """Print in how many of the same fortnights each change of the sample is found where it is planted, and how soon."""
    delays: dict[str, list[float]] = {name: [] for name in CHANGES}
    for number in range(1, fortnights + 1):
        found = fortnight(f"clean {number}", changed, every)
        for name, (day, monitors) in CHANGES.items():
            begin = from_ns(END_NS + day * DAY_NS)
            later = [one["fired_at"] for one in found if one["monitor"] in monitors and one["fired_at"] >= begin]
            delays[name] += [(at - begin) / HOUR for at in later[:1] if at - begin <= 72 * HOUR]
    for name, found_after in delays.items():
        middle = f"{median(found_after):.0f} h" if found_after else "-"
        print(f"power: {name:6} planted in {fortnights}, found within 72 h in {len(found_after)}, median {middle}")


def dear_queries(count: int) -> None:
    """Print how many single queries of twenty times the usual cost the check after each names, and of what all are."""
    with tempfile.TemporaryDirectory() as folder, lmops.open(Path(folder) / "store") as ws:
        ws.traces.ingest(str(data_dir() / "traces" / "*.jsonl.gz"), progress=False)
        planted = dear(ws, count)
        ws.monitors.save("dear-queries", **DEFAULTS["dear-queries"])
        known: set[str] = set()
        soon = 0
        for trace_id, at in planted.items():
            alerts = ws.monitors.check(at=at + 0.27 * HOUR).alerts  # what is a quarter of an hour old is looked at
            named = {one for alert in alerts for one in alert.examples}
            soon, known = soon + (trace_id in named), known | named
    right = len(known & set(planted))
    print(
        f"{count} queries of 20 times the usual cost: {soon} named by the check after each (bar {count}); "
        f"precision {right / max(len(known), 1):.2f} of {len(known)} that are named (bar .90)"
    )


def main() -> None:
    """Print all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", default="1h")
    parser.add_argument("--fortnights", type=int, default=20)
    parser.add_argument("--only", choices=["incidents", "dear", "clean", "power"])
    options = parser.parse_args()
    began = time.perf_counter()
    if options.only in (None, "incidents"):
        incidents(options.every)
    if options.only in (None, "dear"):
        dear_queries(40)
    if options.only in (None, "clean"):
        clean(options.fortnights, options.every)
    if options.only in (None, "power"):
        power(options.fortnights, options.every)
    print(f"{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
