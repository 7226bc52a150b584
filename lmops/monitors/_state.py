"""What a monitor knows of each series between two looks, and how it is kept."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from lmops.calc.detectors import Watch
from lmops.errors import DamagedStoreError
from lmops.monitors._records import Figures, Look
from lmops.monitors._schema import STATE
from lmops.store.schema import checksum

if TYPE_CHECKING:
    import sqlite3

    from lmops.monitors._records import Monitor

_READ: Final = (
    f"select {', '.join(STATE)}, body, checksum from monitor_states where monitor = ? and version = ? order by series"
)
_WRITE: Final = (
    f"insert or replace into monitor_states ({', '.join(STATE)}, body, checksum) "
    f"values ({', '.join('?' * (len(STATE) + 2))})"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a series is held against for a time: figures of its baseline."""

    since_ns: int  # of the baseline
    until_ns: int
    n: int  # sessions
    from_ns: int  # when it counts
    to_ns: int | None  # None: for good
    low: float | None = None  # what is unwelcome beyond; None of a rate
    high: float | None = None
    edges: dict[str, list[float]] = field(default_factory=dict)  # by direction; one, or one for each hour of the week
    estimate: float | None = None  # of the metric, in its unit
    shares: dict[str, float] = field(default_factory=dict)  # of a distribution: of each part


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """Where a series stands: all that goes on to its next value."""

    first_ns: int | None = None
    held: Held | None = None
    watches: dict[str, Watch] = field(default_factory=dict)  # by direction
    fires: str | None = None  # in which direction; "silence" of silence
    fired_ns: int | None = None
    back: Watch = field(default_factory=Watch)  # evidence that it is well again
    usual: dict[str, list[float]] = field(default_factory=dict)  # of an anomaly, by kind: the middle, the spread, n
    told: tuple[str, ...] = ()  # of an anomaly: the traces of its window that were told

    def data(self) -> dict[str, Any]:
        """Return it as plain data."""
        held = None if self.held is None else {name: getattr(self.held, name) for name in Held.__slots__}
        return {
            "first_ns": self.first_ns,
            "held": held,
            "watches": {way: _watch_data(watch) for way, watch in self.watches.items()},
            "fires": self.fires,
            "fired_ns": self.fired_ns,
            "back": _watch_data(self.back),
            "usual": self.usual,
            "told": list(self.told),
        }

    @classmethod
    def of(cls, data: dict[str, Any]) -> Core:
        """Return it of plain data."""
        held = None if data["held"] is None else Held(**data["held"])
        watches = {way: _watch(one) for way, one in data["watches"].items()}
        told = {"first_ns": data["first_ns"], "fires": data["fires"], "fired_ns": data["fired_ns"]}
        kept = {"usual": data.get("usual", {}), "told": tuple(data.get("told", ()))}
        return cls(held=held, watches=watches, back=_watch(data["back"]), **kept, **told)


def _watch_data(watch: Watch) -> list[Any]:
    return [watch.n, [one if math.isfinite(one) else None for one in watch.evidence]]


def _watch(data: list[Any]) -> Watch:
    n, evidence = data
    return Watch(n=n, evidence=tuple(-math.inf if one is None else one for one in evidence))


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """One series of a version of a monitor.

    Args:
        look: What was last said of it.
        through_ns: Everything before it was looked at.
        seq: How often it was written.
        core: Where it stands.
        before: Where it stood at some times of the last two days, by time.
        ticks: What was there in each quarter of an hour of them: how many items, and a sum of hashes of them.
    """

    look: Look
    through_ns: int = 0
    seq: int = 0
    core: Core = field(default_factory=Core)
    before: tuple[tuple[int, Core], ...] = ()
    ticks: dict[str, list[int]] = field(default_factory=dict)


def read(con: sqlite3.Connection, monitor: Monitor) -> dict[str, State]:
    """Return the series of a monitor.

    Raises:
        DamagedStoreError: One is not what was written.
    """
    found = {}
    for *values, digest in map(tuple, con.execute(_READ, (monitor.name, monitor.version))):
        if checksum(values) != digest:
            raise DamagedStoreError(
                f"what {monitor.ref} knows of {values[2]:.200} is not what was written; save a new version of it"
            )
        row = dict(zip((*STATE, "body"), values, strict=True))
        body = json.loads(row["body"])
        shown = Figures(*(row[name] for name in Figures._fields))
        found[row["series"]] = State(
            look=Look(row["series"], row["status"], shown, row["words"], row["needed"]),
            through_ns=row["looked_until_ns"],
            seq=row["seq"],
            core=Core.of(body["core"]),
            before=tuple((at, Core.of(core)) for at, core in body["before"]),
            ticks=body["ticks"],
        )
    return found


def written(con: sqlite3.Connection, monitor: Monitor) -> dict[str, int]:
    """Return how often each series of a monitor was written."""
    query = "select series, seq from monitor_states where monitor = ? and version = ? order by series"
    return dict(con.execute(query, (monitor.name, monitor.version)).fetchall())


def write(con: sqlite3.Connection, monitor: Monitor, states: dict[str, State], *, at_ns: int) -> None:
    """Write the series of a monitor inside the caller's transaction."""
    for series, state in states.items():
        look = state.look
        before = [[at, core.data()] for at, core in state.before]
        row = {
            "monitor": monitor.name,
            "version": monitor.version,
            "series": series,
            "status": look.status,
            **look.figures._asdict(),
            "needed": look.needed,
            "words": look.words,
            "looked_until_ns": state.through_ns,
            "checked_ns": at_ns,
            "seq": state.seq + 1,
        }
        body = json.dumps({"core": state.core.data(), "before": before, "ticks": state.ticks}, allow_nan=False)
        values = [*(row[name] for name in STATE), body]
        con.execute(_WRITE, (*values, checksum(values)))


def rewound(state: State, ns: int) -> State:
    """Return a series as it stood at the newest kept time that is not after one; where none is, at its beginning."""
    kept = [(at, core) for at, core in state.before if at <= ns]
    at, core = kept[-1] if kept else (state.core.first_ns or 0, Core(first_ns=state.core.first_ns))
    return replace(state, through_ns=at, core=core, before=tuple(kept))


def replaced(state: State, core: Core) -> State:
    """Return a series that goes on from somewhere else."""
    return replace(state, core=core, look=state.look._replace(status="quiet"))
