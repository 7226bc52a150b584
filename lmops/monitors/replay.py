"""When would a monitor have fired, and how large a change does it find how soon? Nothing is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lmops.calc.detectors import values_until_found
from lmops.errors import UsageError
from lmops.monitors._records import Backtest, Simulation
from lmops.monitors.checking import evaluate, row_of, traffic_of
from lmops.monitors.detecting import edge
from lmops.times import from_ns

if TYPE_CHECKING:
    from lmops.monitors._records import Monitor, Step
    from lmops.monitors._state import State
    from lmops.store import Store

_DAY_NS: Final = 24 * 3600 * 10**9
_EVER_NS: Final = 2**62
_MOST_LOOKS: Final = 20_000
_MOST_VALUES: Final = 20_000
_DRAWS: Final = 100


def backtest(
    store: Store, monitor: Monitor, *, since_ns: int | None, until_ns: int | None, every_ns: int, lateness_s: float
) -> Backtest:
    """Look at a monitor again and again as of times that have passed; see :meth:`lmops.monitors.Monitors.backtest`."""
    with traffic_of(store, monitor, until_ns or _EVER_NS) as all_of_it:
        ends = all_of_it.ends(until_ns or _EVER_NS)
    if ends is None:
        raise UsageError(
            f"backtest({monitor.name!r}): there is nothing that it watches in this store, or not in that time"
        )
    first = ends[0] if since_ns is None else since_ns
    last = (ends[1] + _DAY_NS // 24 if until_ns is None else until_ns) + int(lateness_s * 1e9)
    looks = max(-(-(last - first) // every_ns), 0)
    if looks > _MOST_LOOKS:
        raise UsageError(f"backtest would look {looks:,} times: give a larger every=, or since= and until=")
    states: dict[str, State] = {}
    fired: list[dict[str, Any]] = []
    with traffic_of(store, monitor, last) as traffic:
        for now_ns in (*range(first + every_ns, last, every_ns), last) if last > first else ():
            found = evaluate(traffic, states, now_ns=now_ns, lateness_s=lateness_s)
            states = found.states
            for step in found.steps:
                _note(fired, step, now_ns)
    return Backtest(
        monitor=monitor.ref,
        since=from_ns(first),
        until=from_ns(last),
        fired=tuple(fired),
        series=tuple(row_of(monitor, state.look) for state in states.values()),
    )


def _note(fired: list[dict[str, Any]], step: Step, now_ns: int) -> None:
    if step.is_more:  # it fires already
        return
    if not step.fires:
        for one in reversed(fired):
            if one["series"] == step.series and one["resolved_at"] is None:
                one["resolved_at"] = from_ns(now_ns)
                break
        return
    times = {f"{name}_at": getattr(step, f"{name}_ns") for name in ("since", "since_low", "since_high")}
    fired.append(
        {
            "series": step.series,
            "fired_at": from_ns(now_ns),
            **{name: None if ns is None else from_ns(ns) for name, ns in times.items()},
            "resolved_at": None,
            "direction": step.direction,
            **step.figures._asdict(),
            "words": step.words,
        }
    )


def simulate(rate: float, n_per_day: float, *, baseline: int, margin: float, every: float) -> Simulation:
    """Return how soon changes of a rate are found; see :meth:`lmops.monitors.Monitors.simulate`."""
    if not 0 < rate < 1 or not n_per_day > 0 or baseline < 2:
        raise UsageError(
            f"simulate(rate={rate!r}, n_per_day={n_per_day!r}, baseline={baseline!r}): a rate is in (0, 1), and there "
            "are sessions in a day and in the baseline"
        )
    bad = np.zeros(baseline)
    bad[: round(rate * baseline)] = 1.0
    limit = edge(bad, margin)
    rows = []
    for after in (1.5 * rate, 2 * rate, 3 * rate, 5 * rate, rate + (1 - rate) / 4, rate + (1 - rate) / 2):
        if limit < after < 1:
            found = values_until_found(
                after, limit, before=rate, direction="above", every=every, most=_MOST_VALUES, draws=_DRAWS
            )
            told = {"values": found.estimate, "values_low": found.low, "values_high": found.high}
            rows.append({"rate": after, **told, "days": found.estimate / n_per_day})
    rows.sort(key=lambda row: row["rate"])
    return Simulation(before=rate, edge=limit, n_per_day=n_per_day, every=every, rows=tuple(rows))
