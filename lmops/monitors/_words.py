"""What monitors say: numbers in the unit of their metric, times, series."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lmops.base.units import amount, counted
from lmops.text import plain_line
from lmops.times import from_ns

if TYPE_CHECKING:
    from lmops.metrics import Metric
    from lmops.monitors._records import Figures

__all__ = ["amount", "estimate_words", "series_words", "time_words"]


def estimate_words(metric: Metric, figures: Figures) -> str:
    """Return an estimate with its interval and what it is of."""
    low, high = (amount(value, metric.unit) for value in (figures.low, figures.high))
    return f"{amount(figures.estimate, metric.unit)} [{low}, {high}] of {counted(figures.n, 'item')}"


def time_words(ns: int) -> str:
    """Return a time to the minute."""
    return f"{from_ns(ns):%Y-%m-%d %H:%M}"


def series_words(series: str) -> str:
    """Return the values that tell a series apart, as a person reads them; "" for all."""
    try:
        said = json.loads(series)
    except ValueError:  # somebody was erased from it
        return plain_line(series, 80)
    parts = (f"{column} {'(none)' if value is None else value}" for column, value in said.items())
    return plain_line(", ".join(parts), 120)
