"""What people would say where a judge speaks: figures of monitors corrected by its calibration, or why they are not.

A detector watches what the judge says: while the judge stays what it was, and is better than a coin, a change of that
is a change of what people would say, in the same direction. How large it is, is another number.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.base.units import amount
from lmops.calc.anytime import anytime_rate
from lmops.feedback import known_calibration
from lmops.monitors import reading
from lmops.text import plain_line
from lmops.times import from_ns

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lmops.calc.arrays import Floats
    from lmops.feedback import JudgeCalibration
    from lmops.monitors._records import Figures
    from lmops.monitors._state import Held
    from lmops.monitors.reading import Traffic

Span = tuple[int, int]
_JUDGES: Final = "select scorer_version, model from trace_scorers where scorer = $scorer and kind = 'judge'"
_SPOKE: Final = (
    "select scorer_version, bool_and(score in (0, 1)) from trace_scores where scorer = $scorer and status = 'value' "
    "and start_at >= $since and start_at < $until group by scorer_version"
)


class Basis(NamedTuple):
    """By what the verdicts of some times are corrected.

    Args:
        records: A calibration for each time; empty where they stay what the judge says.
        words: The same in words; "" where no judge speaks.
    """

    records: tuple[JudgeCalibration, ...] = ()
    words: str = ""


class Judged:
    """The judge whose verdicts a monitor watches, if it watches any.

    Args:
        traffic: What the monitor watches.
    """

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._scorer = traffic.monitor.watched.score
        self._models: dict[str, str | None] | None = None if self._scorer else {}
        self._spoke: dict[Span, JudgeCalibration | str] = {}

    @property
    def is_one(self) -> bool:
        """Whether a judge speaks."""
        return bool(self._versions())

    def told(self, series: str, now: Figures, span: Span, held: Held | None = None) -> tuple[Figures, str]:
        """Return figures of a time beside their baseline, as people would find them where that is known, and by what.

        Args:
            series: Whose figures they are.
            now: What the judge says, or whatever else the metric is.
            span: Of which time.
            held: What it is held against; None: nothing.
        """
        raw = now._replace(baseline=None if held is None else held.estimate)
        basis = self.basis(span, *([] if held is None else [(held.since_ns, held.until_ns)]))
        if not basis.records or not now.n:
            return raw, basis.words
        known, clusters, *_ = reading.by_series(self._traffic, *span, series=series)[series]
        found = _corrected(raw, known, clusters, basis.records[0])
        if found is None:
            return raw, ", as the judge says it: too few to be corrected"
        said = amount(raw.estimate, self._traffic.monitor.watched.unit)
        return found._replace(baseline=point(raw.baseline, basis.records[-1])), f"{basis.words} (the judge: {said})"

    def basis(self, *spans: Span) -> Basis:
        """Return by what the verdicts of some times are corrected: all of them, or none."""
        if not self.is_one:
            return Basis()
        found = [self._spoken(span) for span in spans]
        for one in found:
            if isinstance(one, str):
                return Basis((), f", as the judge says it: {one}")
        records = tuple(one for one in found if not isinstance(one, str))
        numbers = " and ".join(dict.fromkeys(str(one.number) for one in records))
        return Basis(records, f", as people would say it by calibration {numbers}")

    def _versions(self) -> dict[str, str | None]:
        """Return the versions of the judge that ever scored, and their models."""
        if self._models is None:
            self._models = dict(self._ask(_JUDGES))
        return self._models

    def _ask(self, query: str, **params: object) -> list[tuple[Any, ...]]:
        return self._traffic.store.sql(query, {"scorer": self._scorer, **params}).fetchall()

    def _spoken(self, span: Span) -> JudgeCalibration | str:
        """Return the calibration of the judge that spoke in a time, or why there is none that holds."""
        if span not in self._spoke:
            self._spoke[span] = self._looked_up(span)
        return self._spoke[span]

    def _looked_up(self, span: Span) -> JudgeCalibration | str:
        since, until = (from_ns(max(ns, 0)) for ns in span)
        spoke = self._ask(_SPOKE, since=since, until=until)
        if len(spoke) != 1:
            return f"{len(spoke)} versions of it spoke" if spoke else "it said nothing"
        ((version, is_verdict),) = spoke
        if not is_verdict:
            return "only a pass or a fail can be corrected"
        record = known_calibration(self._traffic.store, str(self._scorer), version, self._versions()[version])
        if record is None:
            return "it is uncalibrated"
        if not record.is_fresh:
            return f"its calibration is stale, {plain_line('; '.join(record.stale), 120)}"
        return record


def _corrected(raw: Figures, known: Floats, clusters: NDArray[np.uint64], record: JudgeCalibration) -> Figures | None:
    """Return the rate without the errors that the calibration found; None where it cannot be known."""
    rate = anytime_rate(known, clusters=clusters)
    worth = rate.n_effective  # so many outcomes of one look have limits as wide as those of every look
    if math.isnan(worth):
        return None
    made = record.corrected(rate.estimate * worth, worth, level=rate.level)
    if made.reason is not None:
        return None
    estimate, low, high = map(reading.number, (made.estimate, made.low, made.high))
    return raw._replace(estimate=estimate, low=low, high=high)


def point(rate: float | None, record: JudgeCalibration) -> float | None:
    """Return the rate that people would give where a judge gives one, without limits; None where none is known."""
    if rate is None or not 0 <= rate <= 1:
        return rate
    return reading.number(record.corrected(rate, 1.0).estimate)
