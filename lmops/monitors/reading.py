"""Questions of monitors over the views: the items of a metric, by series, as figures and as values of a detector."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import numpy as np

from lmops.calc.intervals import mean_interval, proportion_interval, quantile_interval
from lmops.monitors._records import Figures
from lmops.monitors.metrics import items_sql
from lmops.store import in_memory
from lmops.times import from_ns

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

    from lmops.calc.arrays import Floats, Ints
    from lmops.monitors._records import Monitor
    from lmops.monitors.metrics import Metric
    from lmops.store import Store

#: Times of a monitor are whole ones of these, so that it does not matter how often somebody looks.
TICK_NS: Final = 15 * 60 * 10**9
#: What a session says in so long is one value; after so long without a word it says another.
REACH_NS: Final = 15 * 60 * 10**9
_APART_NS: Final = 24 * 3600 * 10**9
_EXAMPLES: Final = 5
_US: Final = 1_000


class Stretch(NamedTuple):
    """A time in which a series is held against the same numbers; what is beyond them is unwelcome."""

    series: str
    since_ns: int
    until_ns: int
    low: float | None = None  # None: of a rate, whose values say themselves what is unwelcome
    high: float | None = None


class Values(NamedTuple):
    """One value for each session, in the order of time: the share of what it said that is unwelcome, either way."""

    at: Ints
    above: Floats
    below: Floats


class Seen(NamedTuple):
    """What there is of a series."""

    first_ns: int
    last_ns: int
    n: int


def level_of(metric: Metric, direction: str) -> float:
    """Return the level of the baseline's percentile whose far side is unwelcome: of a mean that of a quarter."""
    if metric.level is not None:
        return metric.level
    return 0.75 if direction == "above" else 0.25


class Traffic:
    """The items that a monitor watches: read from the store once, and asked in memory as often as it takes.

    Args:
        store: Where they are.
        monitor: Whose they are.
        until_ns: Items before it are read.
    """

    def __init__(self, store: Store, monitor: Monitor, until_ns: int) -> None:
        self._store = store
        self.monitor = monitor
        self._until_ns = until_ns
        self._since_ns: int | None = None
        self._open = contextlib.ExitStack()
        self._con: duckdb.DuckDBPyConnection | None = None

    def __enter__(self) -> Self:
        """Return the traffic itself."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Let go of the items."""
        self._open.close()

    def ends(self, until_ns: int) -> tuple[int, int] | None:
        """Return when the first and the last item before a time was; None without any."""
        query = f'select epoch_us(min("at")), epoch_us(max("at")) from ({self._sql()})'
        first, last = self._store.sql(query, _times(0, until_ns)).fetchall()[0]
        return None if first is None else (first * _US, last * _US)

    def ask(self, query: str, since_ns: int, until_ns: int, **_params: Any) -> duckdb.DuckDBPyRelation:
        """Run a query over the items between two times: ``{items}`` in it is what they are.

        Each has trace_id, us (when, microseconds since 1970), cluster (a hash of it), value and series.
        """
        since = max(since_ns, 0)
        con = self._con
        if con is None or self._since_ns is None or since < self._since_ns:
            con = self._load(since)
        items = f"(select * from items where us >= {since // _US} and us < {until_ns // _US})"
        return con.sql(query.replace("{items}", items), params=_params)

    def _load(self, since_ns: int) -> duckdb.DuckDBPyConnection:
        query = (
            'select trace_id, epoch_us("at") as us, hash(cluster) as cluster, value, series '
            f"from ({self._sql()}) where isfinite(value)"
        )
        read = self._store.sql(query, _times(since_ns, self._until_ns)).to_arrow_table()
        if self._con is None:  # a database takes longer to make than a look without anything new
            base = self._open.enter_context(in_memory({"threads": 1}))  # so few rows that more threads would only wait
            self._con = self._open.enter_context(base.cursor())
        self._con.register("items", read)
        self._since_ns = since_ns
        return self._con

    def _sql(self) -> str:
        return items_sql(self.monitor.watched, by=self.monitor.by)


def seen(traffic: Traffic, since_ns: int, until_ns: int) -> dict[str, Seen]:
    """Return which series there are between two times."""
    query = "select series, min(us), max(us), count(*) from {items} group by series order by series"
    rows = traffic.ask(query, since_ns, until_ns).fetchall()
    return {series: Seen(first * _US, last * _US, n) for series, first, last, n in rows}


def cuts(traffic: Traffic, since_ns: int, until_ns: int) -> dict[str, tuple[float, float]]:
    """Return of each series the two percentiles beyond which a value is unwelcome."""
    levels = [level_of(traffic.monitor.watched, direction) for direction in ("below", "above")]
    query = f"select series, quantile_cont(value, {levels!r}) from {{items}} group by series"
    return {series: (found[0], found[1]) for series, found in traffic.ask(query, since_ns, until_ns).fetchall()}


_VALUES: Final = f"""
with told as (
  select unnest($names::VARCHAR[]) as series, unnest($froms::BIGINT[]) as from_us, unnest($tos::BIGINT[]) as to_us,
    unnest($lows::DOUBLE[]) as low, unnest($highs::DOUBLE[]) as high
),
gaps as (
  select series, cluster, us, value, us - lag(us) over (partition by series, cluster order by us) as gap from {{items}}
),
begun as (
  select series, cluster, us, value, max(case when gap is null or gap >= {_APART_NS // _US} then us end)
    over (partition by series, cluster order by us rows unbounded preceding) as start_us from gaps
)
select b.series, b.start_us, avg(case when t.high is null then b.value else (b.value > t.high)::INT end) as above,
  avg(case when t.low is null then 1 - b.value else (b.value < t.low)::INT end) as below
from begun as b join told as t on t.series = b.series and b.start_us >= t.from_us and b.start_us < t.to_us
where b.us < b.start_us + {REACH_NS // _US}
group by b.series, b.cluster, b.start_us order by b.start_us, b.cluster"""


def values(traffic: Traffic, stretches: Sequence[Stretch]) -> dict[str, Values]:
    """Return of each series one value for each session that began in one of its stretches.

    What a session says is alike, so that all it says in its first quarter of an hour is one value: the share of it that
    is unwelcome. A session that is silent for a day begins anew. A session counts where it began, so that it does not
    matter how often somebody looks.
    """
    if not stretches:
        return {}
    since, until = min(one.since_ns for one in stretches), max(one.until_ns for one in stretches)
    columns = zip(*stretches, strict=True)
    names, froms, tos, lows, highs = (list(column) for column in columns)
    told = {"names": names, "froms": [ns // _US for ns in froms], "tos": [ns // _US for ns in tos]}
    found = traffic.ask(_VALUES, since - _APART_NS, until + REACH_NS, **told, lows=lows, highs=highs).fetchnumpy()
    series = np.asarray(found["series"], dtype=object)
    result = {}
    for name in dict.fromkeys(names):
        mine = series == name
        at = np.asarray(found["start_us"][mine], dtype=np.int64) * _US
        result[name] = Values(at, *(np.asarray(found[way][mine], dtype=np.float64) for way in ("above", "below")))
    return result


def ticks(traffic: Traffic, since_ns: int, until_ns: int) -> dict[str, dict[str, list[int]]]:
    """Return of each series and quarter of an hour how many items there are, and a sum of hashes of them."""
    query = (
        f"select series, us // {TICK_NS // _US} as tick, count(*), "
        f"(sum((hash(trace_id, value) >> 20)::HUGEINT) % 1000000007)::BIGINT "
        "from {items} group by series, tick"
    )
    result: dict[str, dict[str, list[int]]] = {}
    for series, tick, n, digest in traffic.ask(query, since_ns, until_ns).fetchall():
        result.setdefault(series, {})[str(tick)] = [n, digest]
    return result


def figures(
    traffic: Traffic, since_ns: int, until_ns: int, *, series: str | None = None, level: float = 0.95
) -> dict[str, Figures]:
    """Return the metric of each series, or of one, between two times with its interval; sessions are clusters."""
    which = "" if series is None else " where series = $series"
    query = f"select series, value, cluster from {{items}}{which}"
    asked = {} if series is None else {"series": series}
    found = traffic.ask(query, since_ns, until_ns, **asked).fetchnumpy()
    names = np.asarray(found["series"], dtype=object)
    result = {}
    for name in dict.fromkeys(names.tolist()):
        mine = names == name
        result[name] = _figures(
            traffic.monitor.watched, np.asarray(found["value"][mine]), found["cluster"][mine], level
        )
    return result


def _figures(metric: Metric, known: Floats, clusters: Ints, level: float) -> Figures:
    if metric.kind == "quantile":
        at = metric.level or 0.5
        low, high = quantile_interval(known, at, level, clusters=clusters)
        return Figures(known.size, float(np.quantile(known, at)), number(low), number(high))
    interval = proportion_interval if metric.kind == "rate" else mean_interval
    one = interval(known, clusters=clusters, level=level)
    return Figures(one.n, number(one.estimate), number(one.low), number(one.high))


def number(value: float) -> float | None:
    """Return a number, None for what is none."""
    return float(value) if math.isfinite(value) else None


def examples(traffic: Traffic, series: str, since_ns: int, until_ns: int, *, direction: str | None) -> tuple[str, ...]:
    """Return the ids of the worst traces of a series between two times; the newest first of those that are alike."""
    order = "asc" if direction == "below" else "desc"
    bad = f"value = {int(direction != 'below')}" if traffic.monitor.watched.kind == "rate" else "true"
    query = (
        f"select trace_id from {{items}} where series = $series and {bad} and trace_id is not null "
        f"group by trace_id order by {'min' if order == 'asc' else 'max'}(value) {order}, max(us) desc, trace_id "
        f"limit {_EXAMPLES}"
    )
    return tuple(row[0] for row in traffic.ask(query, since_ns, until_ns, series=series).fetchall())


def _times(since_ns: int, until_ns: int) -> dict[str, Any]:
    return {"since": from_ns(max(since_ns, 0)), "until": from_ns(until_ns)}
