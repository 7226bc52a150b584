"""The items of monitors as arrays: monitors of one view are read together, each column once, and only as far as asked.

A check of twenty monitors asks the store a few questions; what series and sessions are is told apart here, in memory.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import numpy as np

from lmops.errors import UsageError
from lmops.metrics import together_sql
from lmops.store import in_memory
from lmops.times import from_ns

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb
    import pyarrow as pa
    from numpy.typing import NDArray

    from lmops.calc.arrays import Floats, Ints
    from lmops.monitors._records import Monitor
    from lmops.store import Store

US: Final = 1_000
#: What these look at is another stretch of time than that of all others: they are read by themselves.
_APART: Final = ("anomaly", "burn", "silence")
#: So that hashes of items can be added up.
PRIME: Final = 1_000_000_007


class Items(NamedTuple):
    """The items of one monitor, by series, in each by cluster, in each by time.

    Args:
        names: Of the series.
        ends: The items of series i are those from ends[i] to ends[i + 1].
        us: When, microseconds since 1970.
        cluster: A hash of what is alike.
        value: A finite number.
        digest: A hash of the item, below ``PRIME``.
        row: Its place in what was read.
    """

    names: tuple[str, ...]
    ends: Ints
    us: Ints
    cluster: NDArray[np.uint64]
    value: Floats
    digest: Ints
    row: Ints

    def of(self, place: int) -> slice:
        """Return which items are those of a series."""
        return slice(int(self.ends[place]), int(self.ends[place + 1]))


class Source:
    """What some monitors of one view watch, read from the store once for all of them.

    Args:
        store: Where they are.
        monitors: Whose metrics are of one view, and of one column of times.
        until_ns: Items before it are read.
    """

    def __init__(self, store: Store, monitors: Sequence[Monitor], until_ns: int) -> None:
        self.store = store
        self.monitors = tuple(monitors)
        self.until_ns = until_ns
        self.loads = 0  # how often it was read: what was made of it before is old
        self._since_ns: int | None = None
        self._read: pa.Table | None = None
        self._orders: dict[tuple[str, str], tuple[tuple[str, ...], Ints, Ints]] = {}
        self._ends: dict[int, list[tuple[int, int] | None]] = {}
        self._apart: dict[str, Source] = {}
        self._open = contextlib.ExitStack()
        self._con: duckdb.DuckDBPyConnection | None = None

    def close(self) -> None:
        """Let go of what was read."""
        for one in self._apart.values():
            one.close()
        self._open.close()

    def of(self, monitor: Monitor) -> Source:
        """Return the source to read a monitor from: where those of all cannot be asked together, one of its own."""
        return self._apart.get(monitor.ref, self)

    def split(self, monitor: Monitor) -> Source:
        """Return a source of one monitor alone."""
        return self._apart.setdefault(monitor.ref, Source(self.store, [monitor], self.until_ns))

    def ends(self, monitor: Monitor, until_ns: int) -> tuple[int, int] | None:
        """Return when the first and the last item of a monitor before a time was, of any time; None without any."""
        if until_ns not in self._ends:
            made = together_sql([(one.watched, one.by) for one in self.monitors])
            asked = ", ".join(
                f'epoch_us(min("at") filter (v{name} is not null)), epoch_us(max("at") filter (v{name} is not null))'
                for name in made.values
            )
            query = f"select {asked} from ({made.sql})"
            (found,) = self.store.sql(query, _times(0, until_ns)).fetchall()
            pairs = zip(found[::2], found[1::2], strict=True)
            self._ends[until_ns] = [None if low is None else (low * US, high * US) for low, high in pairs]
        return self._ends[until_ns][self._place(monitor)]

    def has(self, since_ns: int, load: int) -> bool:
        """Return whether what a load read is still what there is, and reaches back to a time."""
        return load == self.loads and self._since_ns is not None and since_ns >= self._since_ns

    def items(self, monitor: Monitor, since_ns: int) -> Items:
        """Return the items of a monitor from a time on, and earlier ones where more has been read."""
        if self._since_ns is None or since_ns < self._since_ns:
            self._load(since_ns)
        made = together_sql([(one.watched, one.by) for one in self.monitors])
        value, cluster, series = (names[self._place(monitor)] for names in (made.values, made.clusters, made.series))
        names, codes, order = self._order(series, cluster)
        column = self.column(f"v{value}")
        kept = order[np.isfinite(column[order])]
        return Items(
            names=names,
            ends=np.searchsorted(codes[kept], np.arange(len(names) + 1)),
            us=self.column("us")[kept],
            cluster=self.column(f"c{cluster}")[kept],
            value=column[kept],
            digest=self.column(f"h{value}")[kept],
            row=kept,
        )

    def column(self, name: str) -> NDArray[Any]:
        """Return a column of numbers that was read."""
        assert self._read is not None
        found: NDArray[Any] = self._read[name].to_numpy()
        return found

    def traces(self, rows: Ints) -> list[str | None]:
        """Return the ids of the traces of some rows of what was read."""
        assert self._read is not None
        found: list[str | None] = self._read["trace_id"].take(rows).to_pylist()
        return found

    def database(self) -> duckdb.DuckDBPyConnection:
        """Return a connection in memory of which one is made for all."""
        if self._con is None:  # a database takes longer to make than a look without anything new
            self._con = self._open.enter_context(in_memory({"threads": 1}))
        return self._con

    def _load(self, since_ns: int) -> None:
        made = together_sql([(one.watched, one.by) for one in self.monitors])
        columns = [f"c{name}" for name in dict.fromkeys(made.clusters)]
        columns += [f"s{name}" for name in dict.fromkeys(made.series)]
        for name in dict.fromkeys(made.values):
            columns += [f"v{name}", f"((hash(trace_id, v{name}) >> 20) % {PRIME})::BIGINT as h{name}"]
        query = f'select trace_id, epoch_us("at") as us, {", ".join(columns)} from ({made.sql})'
        read = self.store.sql(query, _times(since_ns, self.until_ns)).to_arrow_table()
        names = [name for name in read.column_names if name.startswith("v")]
        for name in names:  # a number that is not there is NaN in arrays
            read = read.set_column(read.column_names.index(name), name, read[name].fill_null(float("nan")))
        self._read, self._since_ns, self._orders = read, since_ns, {}
        self.loads += 1

    def _order(self, series: str, cluster: str) -> tuple[tuple[str, ...], Ints, Ints]:
        """Return what series are called, that of each row, and the rows in the order of ``Items``."""
        if (series, cluster) not in self._orders:
            assert self._read is not None
            found: Any = self._read[f"s{series}"].dictionary_encode().unify_dictionaries().combine_chunks()
            labels = found.dictionary.to_pylist() if self._read.num_rows else []
            codes = found.indices.to_numpy(zero_copy_only=False).astype(np.int64)
            rank = np.argsort(np.argsort(np.asarray(labels, dtype=object), kind="stable"), kind="stable")
            codes = rank[codes] if labels else codes
            order = np.lexsort((self.column("us"), self.column(f"c{cluster}"), codes))
            self._orders[series, cluster] = (tuple(sorted(labels)), codes, order)
        return self._orders[series, cluster]

    def _place(self, monitor: Monitor) -> int:
        return next(place for place, one in enumerate(self.monitors) if one.ref == monitor.ref)


class Sources:
    """What the monitors of one check watch.

    Args:
        store: Where it is.
        monitors: All that look.
        until_ns: Items before it are read.
    """

    def __init__(self, store: Store, monitors: Sequence[Monitor], until_ns: int) -> None:
        groups: dict[tuple[str, str, str], list[Monitor]] = {}
        for one in monitors:
            with contextlib.suppress(UsageError):  # what it watches is gone: it says so when it looks
                groups.setdefault(_key(one), []).append(one)
        self._made = {key: Source(store, group, until_ns) for key, group in groups.items()}
        self._store, self._until_ns = store, until_ns

    def __enter__(self) -> Self:
        """Return the sources themselves."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Let go of what was read."""
        for one in self._made.values():
            one.close()

    def of(self, monitor: Monitor) -> Source:
        """Return what a monitor is read from."""
        return self._made[_key(monitor)]


def _key(monitor: Monitor) -> tuple[str, str, str]:
    metric = monitor.watched
    return metric.view, metric.at, monitor.method if monitor.method in _APART else ""


def _times(since_ns: int, until_ns: int) -> dict[str, Any]:
    return {"since": from_ns(max(since_ns, 0)), "until": from_ns(until_ns)}
