"""What changed: which dimension accounts for how much of the change of a metric between two periods."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.base.units import amount
from lmops.errors import UsageError
from lmops.metrics import items_sql
from lmops.monitors._explained import SUPPORT, Event, Explanation, Period
from lmops.monitors.dimensions import (
    DIMENSIONS,
    HOUR,
    WEEKDAY,
    attribute_of,
    items_by_dimension,
    own_of,
)
from lmops.store import Bounds
from lmops.text import plain_line
from lmops.times import from_ns, to_ns, utc_now
from lmops.traces import found_sql, time_range

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import pyarrow as pa

    from lmops.calc.arrays import Ints
    from lmops.calc.changes import ChangePoint
    from lmops.metrics import Metric
    from lmops.monitors._explained import Account
    from lmops.monitors._ranked import Coded, Items
    from lmops.monitors._records import Alert, Monitor
    from lmops.monitors.dimensions import Dimension
    from lmops.store import Store

_DAY_NS: Final = 86_400_000_000_000
#: So many values of a dimension are told apart, the others are one.
_VALUES: Final = 100
OTHERS: Final = "(all others)"
_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
#: Events that can change what an application does: those of aliases by the end of their name.
_EVENTS: Final = (
    'select event_id, "at", actor, action, subject, reason from audit where "at" >= $low and "at" <= $high and ('
    "action in ('price.set', 'model.register', 'model.unregister', 'runbook.run') or "
    "regexp_matches(action, '[.](promote|rollback|remove_alias)$')) order by event_id"
)
_EVENT: Final = ("event_id", "at", "actor", "action", "subject", "reason")
#: What accounts for less of a change than that is not told; and what accounts for most of it.
_WORTH: Final = 0.05
_MOSTLY: Final = 0.8
#: How long before and after a change they are looked for; of them, and of dimensions, the most that are told.
_NEAR: Final = timedelta(hours=2)
_MOST: Final = 10


class Periods(NamedTuple):
    """What is compared: items from since to until, with those from before_since to before_until."""

    since: datetime
    until: datetime
    before_since: datetime
    before_until: datetime


def periods_of(
    store: Store,
    since: str | datetime,
    until: str | datetime | None,
    before: str | tuple[str | datetime, str | datetime] | None,
) -> Periods:
    """Return the two periods that are meant.

    Args:
        store: Whose newest trace ends a period that is open, where that is older than now.
        since: Start of the period after the change.
        until: Its end; now by default.
        before: A length that ends where the other begins, "7d"; two times, as a pair or "TIME/TIME"; by default the
            same length, and at least a day.

    Raises:
        UsageError: A time or length is none, a period ends before it begins, or the two overlap.
    """
    since_ns = to_ns(since)
    found = time_range(store, last=None, since=since, until=until)
    until_ns = found.until_ns if found.until_ns is not None else _end(store, since_ns)
    if until_ns <= since_ns:
        raise UsageError(f"since={plain_line(since, 60)!r}: the time after it is empty; give an earlier one")
    ends = before.split("/") if isinstance(before, str) and "/" in before else before
    if isinstance(ends, tuple | list):
        earlier = Bounds(*map(to_ns, ends)) if len(ends) == 2 else Bounds(None, None)
    elif ends is None:
        earlier = Bounds(since_ns - max(until_ns - since_ns, _DAY_NS), since_ns)
    else:
        earlier = time_range(store, last=ends, since=None, until=from_ns(since_ns))
    low, high = earlier
    if low is None or high is None or low >= high or high > since_ns:
        raise UsageError(
            f"before={plain_line(before, 80)!r}: give a length such as '7d', or two times of which the second is "
            f"later, and at the latest at since={plain_line(since, 60)!r}"
        )
    return Periods(from_ns(since_ns), from_ns(until_ns), from_ns(low), from_ns(high))


class About(NamedTuple):
    """What an alert is about."""

    metric: Metric
    since: datetime
    until: datetime


def of_alert(alert: Alert, monitor: Monitor, metric: Metric) -> About:
    """Return what an alert is about: what its monitor watches, of its series alone, for one window from the change on.

    A later time would count what came after, too; what was found only after a window counts up to then.

    Args:
        alert: Which.
        monitor: The version that found it.
        metric: What it found: what the monitor watches, or of a drift the share of a part.
    """
    parts = [f"({metric.where})"]
    for column, value in alert.series.items():
        said = value if isinstance(value, str) else json.dumps(value)
        quoted = "NULL" if value is None else "'" + said.replace("'", "''") + "'"
        parts.append(f'"{column}"::VARCHAR is not distinct from {quoted}')
    window = timedelta(microseconds=monitor.window_ns // 1000)
    since = alert.since_at or alert.found_at - window
    until = max(alert.found_at + timedelta(microseconds=1), since + window)
    return About(replace(metric, where=" and ".join(parts)), since, until)


def _end(store: Store, since_ns: int) -> int:
    """Return the time now; just after the newest trace, where that is older and later than the start."""
    now = to_ns(utc_now())
    newest = [found[1] for found in store.fact_ranges("traces") if found[1] is not None]
    return min(now, newest[0] + 1000) if newest and newest[0] >= since_ns else now


def explained(
    store: Store,
    metric: Metric,
    periods: Periods,
    *,
    where: str | None = None,
    by: Sequence[str] = (),
    level: float = 0.95,
) -> Explanation:
    """Return what accounts for the change of a metric between two periods; see :meth:`lmops.monitors.Monitors.explain`.

    Args:
        store: Where the traces are.
        metric: What is watched.
        periods: What is compared.
        where: As for a search of traces: only the items of those that it finds.
        by: Attributes of spans that are looked at beside the dimensions that are known.
        level: Of all intervals, and of what is clear.
    """
    from lmops.calc.arrays import check_level
    from lmops.monitors._pairs import ties, together
    from lmops.monitors._ranked import Change, moved_at, ranked

    check_level(level)
    items, dimensions = _read(store, metric, periods, where, [*DIMENSIONS, *map(attribute_of, by)])
    items, notes = _bounded(metric, items)
    found = _compared(metric, items, periods, level=level, notes=notes)
    estimate, low, high = found.change, found.low, found.high
    few = _lacking(found.before, found.after)
    if not estimate or low is None or high is None or (low <= 0 <= high and few <= 0):
        return found  # of few items it is said what is likely, though even the change may be chance
    df = min(found.before.clusters, found.after.clusters) - 1.0
    change = Change(estimate, low, high, level, df, *_when(*moved_at(items, items.values, draws=199)))
    accounts = ranked(items, dimensions, change)
    said = _worth_telling([account for _, account in accounts])
    is_clear = any(one.is_clear for one in said)
    found = replace(
        found,
        state="explained" if is_clear else "cannot_tell" if few > 0 else "unexplained",
        needed=few if few > 0 and not is_clear else None,
        at=_time(change.at_us),
        at_low=_time(change.first_us),
        at_high=_time(change.last_us),
        accounts=said,
        ties=ties(items, accounts, change),
        together=together(items, accounts, change),
        notes=(*notes, *_said(dimensions)),
    )
    return replace(found, events=_events(store, found))


def _compared(metric: Metric, items: Items, periods: Periods, *, level: float, notes: tuple[str, ...]) -> Explanation:
    """Return how the periods differ, with nothing that accounts for it."""
    before, after = (_period(metric, items, periods, is_after=is_after, level=level) for is_after in (False, True))
    estimate, low, high = _difference(before, after)
    few = _lacking(before, after)
    is_sure = low is not None and high is not None and (few <= 0 or low > 0 or high < 0)
    return Explanation(
        metric=metric.name,
        title=metric.words,
        unit="share" if metric.kind == "quantile" else metric.unit,
        state="no_change" if is_sure else "cannot_tell",
        before=before,
        after=after,
        change=estimate,
        low=low,
        high=high,
        level=level,
        needed=None if is_sure else max(few, 1),
        notes=notes,
    )


def _lacking(before: Period, after: Period) -> int:
    """Return how many items the smaller period lacks; none where it is 0 or less."""
    return SUPPORT - min(before.n, after.n)


def _worth_telling(accounts: Sequence[Account]) -> tuple[Account, ...]:
    """Return what accounts for enough of a change; what is not clear only where nothing clear accounts for most."""
    is_known = any(one.is_clear and one.share >= _MOSTLY for one in accounts)
    return tuple(one for one in accounts if one.share >= _WORTH and (one.is_clear or not is_known))[:_MOST]


def _read(
    store: Store, metric: Metric, periods: Periods, where: str | None, dimensions: Sequence[Dimension]
) -> tuple[Items, list[Coded]]:
    """Return the items of both periods in the order of time, and what each says by dimension."""
    import numpy as np

    from lmops.monitors._ranked import Coded, Items, compact

    told = store.sql(f"describe select * from {metric.view}").fetchall()
    own = own_of(dimensions, {row[0] for row in told})
    # a trace may be much older than what is said of it
    is_near = metric.at == "start_at"
    near = "start_at >= $since - interval 1 day and start_at < $until + interval 1 day" if is_near else "true"
    bounds = Bounds(to_ns(periods.before_since) - _DAY_NS if is_near else None, None)
    asked = items_by_dimension(
        items_sql(metric, also={f"o{place}": sql for place, sql in own.items()}),
        found_sql(where, bounds, evaluations=False),
        dimensions,
        own,
        near=near,
    )
    wanted = {"since": periods.before_since, "until": periods.until}
    table = store.sql(asked.sql, {**asked.params, **wanted}).to_arrow_table()
    at_us = table["at_us"].to_numpy()
    since, until = (to_ns(one) // 1000 for one in (periods.since, periods.before_until))
    kept = np.flatnonzero((at_us >= since) | (at_us < until))
    kept = kept[np.argsort(at_us[kept], kind="stable")]
    clusters = _codes(table["cluster"])[1][kept]
    items = Items(at_us[kept], clusters, table["value"].to_numpy()[kept], at_us[kept] >= since)
    coded = [_coded(one, table[f"d{place}"], kept) for place, one in enumerate(dimensions)]
    hours = items.at_us // 3_600_000_000
    coded += [
        Coded(HOUR, tuple(f"{hour:02}:00" for hour in range(24)), hours % 24, 0),
        Coded(WEEKDAY, _WEEKDAYS, (hours // 24 + 3) % 7, 0),
    ]
    return items, [compact(one) for one in coded]


def _codes(column: pa.ChunkedArray[Any]) -> tuple[list[str | None], Ints]:
    """Return the different texts of a column, and the place of that of each row; a missing one comes last."""
    import numpy as np

    found: Any = column.dictionary_encode().unify_dictionaries().combine_chunks()  # its type says too little
    labels = found.dictionary.to_pylist()
    codes = found.indices.fill_null(len(labels)).to_numpy(zero_copy_only=False).astype(np.int64)
    return [*labels, None], codes


def _coded(dimension: Dimension, column: pa.ChunkedArray[Any], kept: Ints) -> Coded:
    """Return what items say by a dimension: the commonest values, and all others as one."""
    import numpy as np

    from lmops.monitors._ranked import NONE, Coded

    labels, codes = _codes(column)
    codes = codes[kept]
    counts = np.bincount(codes, minlength=len(labels))
    order = np.argsort(-counts, kind="stable")
    rare = order[_VALUES:]
    merged = int((counts[rare] > 0).sum())
    places = np.full(len(labels), min(len(labels), _VALUES), np.int64)
    places[order[:_VALUES]] = np.arange(min(len(labels), _VALUES))
    named = [NONE if labels[at] is None else labels[at] for at in order[:_VALUES].tolist()]
    return Coded(dimension, (*named, OTHERS), places[codes], merged)


def _bounded(metric: Metric, items: Items) -> tuple[Items, tuple[str, ...]]:
    """Return what means can be taken of: of a percentile, whether an item lies above that of the period before."""
    import numpy as np

    earlier = items.values[~items.is_after]
    if metric.kind != "quantile" or metric.level is None or not earlier.size:
        return items, ()
    limit = float(np.quantile(earlier, metric.level))
    now = items.values[items.is_after]
    later = f", {amount(float(np.quantile(now, metric.level)), metric.unit)} after" if now.size else ""
    note = (
        f"looked at: the share of items above {amount(limit, metric.unit)}, the {round(100 * metric.level)}th "
        f"percentile before{later}"
    )
    return items._replace(values=(items.values > limit).astype(np.float64)), (note,)


def _period(metric: Metric, items: Items, periods: Periods, *, is_after: bool, level: float) -> Period:
    from lmops.calc.intervals import mean_interval, proportion_interval

    mask = items.is_after == is_after
    interval = mean_interval if metric.kind == "mean" else proportion_interval
    found = interval(items.values[mask], clusters=items.clusters[mask], level=level)
    since, until = periods[:2] if is_after else periods[2:]
    return Period(
        since=since,
        until=until,
        n=found.n,
        clusters=len(set(items.clusters[mask].tolist())),
        estimate=_known(found.estimate),
        low=_known(found.low),
        high=_known(found.high),
    )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _difference(before: Period, after: Period) -> tuple[float | None, float | None, float | None]:
    """Return the change with its limits: those of both sides squared and added (Newcombe's way, for means too)."""
    if before.estimate is None or after.estimate is None:
        return None, None, None
    change = after.estimate - before.estimate
    if before.low is None or before.high is None or after.low is None or after.high is None:
        return change, None, None
    low = change - math.hypot(after.estimate - after.low, before.high - before.estimate)
    high = change + math.hypot(after.high - after.estimate, before.estimate - before.low)
    return change, low, high


def _when(found: ChangePoint, starts: Ints) -> tuple[int, int, int] | tuple[None, None, None]:
    """Return when a series moved, with the limits; None where it cannot be said."""
    if found.at is None or found.low is None or found.high is None or found.p_value > 1 - found.level:
        return None, None, None
    return int(starts[found.at]), int(starts[found.low]), int(starts[found.high])


def _time(at_us: int | None) -> datetime | None:
    return None if at_us is None else from_ns(at_us * 1000)


def _events(store: Store, found: Explanation) -> tuple[Event, ...]:
    """Return the events of the audit chain near the change of the metric or of what accounts for it, nearest first."""
    said = [("the metric", found.at), *((one.title, one.at) for one in found.accounts if one.is_clear)]
    moved = [(of, at) for of, at in said if at is not None] or [("the metric", found.after.since)]
    rows = store.sql(_EVENTS, {"low": min(at for _, at in moved) - _NEAR, "high": max(at for _, at in moved) + _NEAR})
    events = []
    for row in rows.fetchall():
        gap_s, of = min((((row[1] - at).total_seconds(), of) for of, at in moved), key=lambda one: abs(one[0]))
        if abs(gap_s) <= _NEAR.total_seconds():
            events.append(Event(**dict(zip(_EVENT, row, strict=True)), of=of, gap_s=gap_s))
    return tuple(sorted(events, key=lambda one: abs(one.gap_s))[:_MOST])


def _said(dimensions: Sequence[Coded]) -> tuple[str, ...]:
    """Return what to say of dimensions whose rare values are one."""
    return tuple(
        f"{one.dimension.title}: {one.merged:,} rare values count as one, {OTHERS}" for one in dimensions if one.merged
    )
