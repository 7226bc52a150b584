"""What monitors say: numbers in the unit of their metric, times, series."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lmops.base.units import counted, duration, money, share
from lmops.text import plain_line
from lmops.times import from_ns

if TYPE_CHECKING:
    from lmops.monitors._records import Figures
    from lmops.monitors.metrics import Metric


def amount(value: float | None, unit: str, *, signed: bool = False) -> str:
    """Return a number in the unit of a metric, a difference with its sign; "?" for None.

    Example:
        >>> amount(0.125, "share"), amount(-0.03, "share", signed=True), amount(1250.4, "tokens", signed=True)
        ('12.5 %', '-3.0 pp', '+1,250')
    """
    if value is None:
        return "?"
    if unit == "share":
        return share(value, signed=signed)
    sign = "-" if value < 0 else "+" if signed and value > 0 else ""
    if unit == "ms":
        return f"{sign}{duration(abs(value))}"
    return f"{sign}{money(abs(value))}" if unit == "usd" else f"{sign}{abs(value):,.4g}"


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
