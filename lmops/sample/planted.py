"""What was planted in the two weeks, out of the truth that is kept beside them, and how alerts stand up to it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from lmops.calc.arrays import Floats, Ints

#: An alert is of what began at most so long before or after the time at which it says that something began.
NEAR: Final = timedelta(days=1)


class Planted(NamedTuple):
    """One incident of the truth: what it is called, from when until when it was worst, and how many traces it met."""

    name: str
    since: datetime
    until: datetime
    traces: int


class Firing(NamedTuple):
    """An alert that began to fire, or came back: when that was seen, and since when it says that something is wrong.

    Where it can say so, something began between ``low`` and ``high``.
    """

    alert: int
    monitor: str
    at: datetime
    since: datetime
    low: datetime | None
    high: datetime | None


class Judged(NamedTuple):
    """How alerts stand up to the truth.

    Each alert with what it is of, nothing where none of that was planted; and the first alert of all that was planted,
    None where it was missed.
    """

    alerts: tuple[tuple[Firing, tuple[Planted, ...]], ...]
    found: tuple[tuple[Planted, Firing | None], ...]

    @property
    def precision(self) -> float | None:
        """The share of alerts that are of something that was planted; None without any."""
        return _share([bool(of) for _, of in self.alerts])

    @property
    def recall(self) -> float | None:
        """The share of what was planted that an alert was of; None without any."""
        return _share([one is not None for _, one in self.found])

    @property
    def delays_h(self) -> dict[str, float | None]:
        """Hours from the beginning of each incident to its first alert; None where it was missed."""
        return {
            planted.name: None if firing is None else (firing.at - planted.since) / timedelta(hours=1)
            for planted, firing in self.found
        }


def planted(truth: Path) -> list[Planted]:
    """Return the incidents that a file of truth tells of, by their beginning.

    Some of them, such as single errors of a model, happen all along. An incident is the stretch of production in which
    it met traces least as before and after.

    Args:
        truth: A JSON line a trace, as ``truth.jsonl`` of the sample.
    """
    lines = truth.read_text(encoding="utf-8").splitlines()
    rows = sorted((json.loads(line) for line in lines), key=lambda row: str(row["start_at"]))
    rows = [row for row in rows if row["environment"] == "production"]
    names = {name for row in rows for name in row["incidents"] if _is_met(name, row)}
    return sorted((_worst(name, rows) for name in names), key=lambda one: one.since)


def judged(firings: Iterable[Firing], known: Sequence[Planted]) -> Judged:
    """Return how alerts stand up to what was planted.

    An alert is of what began within the limits that it gives for the beginning; where there is none, of what began
    nearest to it, at most a day from it. Nothing that began after the alert counts.

    Args:
        firings: In the order in which they were seen.
        known: What was planted.
    """
    alerts = tuple((firing, _of(firing, known)) for firing in firings)
    first = {one.name: firing for firing, of in reversed(alerts) for one in of}
    return Judged(alerts, tuple((one, first.get(one.name)) for one in known))


def _of(firing: Firing, known: Sequence[Planted]) -> tuple[Planted, ...]:
    begun = [one for one in known if one.since <= firing.at]
    if firing.low is not None and firing.high is not None:
        within = tuple(one for one in begun if firing.low <= one.since <= firing.high)
        if within:
            return within
    near = [one for one in begun if abs(one.since - firing.since) <= NEAR]
    return tuple(sorted(near, key=lambda one: abs(one.since - firing.since))[:1])


def _worst(name: str, rows: Sequence[dict[str, Any]]) -> Planted:
    """Return the stretch of rows in which an incident was least like chance: that of the highest likelihood ratio."""
    import numpy as np

    met = np.array([_is_met(name, row) for row in rows])
    places = np.flatnonzero(met)
    best, first, last = -np.inf, 0, 0
    for number, start in enumerate(places):
        lengths, hits = places[number:] - start + 1, np.arange(1, len(places) - number + 1)
        ratios = _fit(hits, lengths) + _fit(len(places) - hits, len(rows) - lengths)
        end = int(ratios.argmax())
        if ratios[end] > best:
            best, first, last = ratios[end], int(start), int(places[number + end])
    since, until = (datetime.fromisoformat(rows[place]["start_at"]) for place in (first, last))
    return Planted(name, since, until, int(met[first : last + 1].sum()))


def _fit(hits: Ints, of: Ints) -> Floats:
    """Return the log likelihood of so many hits among so many, at the share that fits best."""
    return _times_log(hits) + _times_log(of - hits) - _times_log(of)


def _times_log(numbers: Ints) -> Floats:
    import numpy as np

    return np.asarray(numbers * np.log(np.maximum(numbers, 1)), dtype=np.float64)


def _is_met(name: str, row: dict[str, Any]) -> bool:
    """Return whether a trace came to an incident; an order that was not obeyed is none."""
    return name in row["incidents"] and (name != "injection" or bool(row["injection_succeeded"]))


def _share(of: Sequence[bool]) -> float | None:
    return sum(of) / len(of) if of else None
