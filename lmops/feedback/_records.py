"""What a signal is, what an import did, and what the signals of a time say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from lmops.base.shown import Shown, Viewed
from lmops.base.units import share

if TYPE_CHECKING:
    import pandas as pd

Target = Literal["trace", "span", "response", "session"]
Kind = Literal["thumb", "number", "category", "text", "correction"]
#: What recording a signal did: it is new; it took the place of an earlier one; it was there already; something that was
#: said later was there already.
Change = Literal["new", "changed", "same", "late"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal(Shown):
    """What a user said of one answer, span, trace or conversation; ``value`` is text, ``number`` of thumbs and numbers.

    ``at_ns`` is when it was said, None where nobody says; ``key`` tells signals of nobody known apart. ``is_waiting``
    says that what it is on is not in the store yet; None: nobody looked.
    """

    target: Target
    trace_id: str | None = None
    span_id: str | None = None
    response_id: str | None = None
    session_id: str | None = None
    name: str
    kind: Kind
    value: str
    number: float | None = None
    scale_low: float | None = None
    scale_high: float | None = None
    comment: str | None = None
    user_id: str | None = None
    source: str | None = None
    at_ns: int | None = None
    key: str | None = None
    change: Change | None = None
    is_waiting: bool | None = None

    @property
    def place(self) -> str:
        """The id of what it is on."""
        return str(getattr(self, f"{self.target}_id"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport(Shown):
    """What an import of signals did.

    ``new``, ``changed`` (they took the place of earlier ones), ``same`` (there already) and ``late`` (newer ones were
    there) count signals; ``waiting`` those of them whose target is not in the store yet; ``rejected`` holds (where,
    why) of what could not be read, at most 1,000 of the ``rejected_count``.
    """

    new: int = 0
    changed: int = 0
    same: int = 0
    late: int = 0
    waiting: int = 0
    rejected: tuple[tuple[str, str], ...] = ()
    rejected_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackStats(Viewed):
    """Rates of signals with their intervals: ``df()``, the chart as ``view``, and how much of the traffic gave any.

    Args:
        frame: One row per interval of time and group; :meth:`lmops.feedback.Feedback.stats` has its columns.
        name: The name of the signals.
        kind: Their kind.
        by: The groups.
        traces: Traces in the range.
        with_feedback: Of them, those with such a signal.
        notes: What a reader has to know besides.
    """

    frame: pd.DataFrame = field(repr=False)
    name: str
    kind: str
    by: tuple[str, ...]
    traces: int
    with_feedback: int
    notes: tuple[str, ...] = ()

    def df(self) -> pd.DataFrame:
        """Return the rows as a frame of its own."""
        return self.frame.copy()

    @property
    def share(self) -> float | None:
        """Share of the traces with such a signal; None where there is no trace."""
        return self.with_feedback / self.traces if self.traces else None

    @property
    def title(self) -> str:
        """What it is, with the share of the traffic that it rests on."""
        by = f" by {', '.join(self.by)}" if self.by else ""
        given = "" if self.share is None else f" ({share(self.share)} of traffic gave any)"
        return f"{self.name}{by}{given}"

    def data(self) -> dict[str, Any]:
        """Return the figures and the rows as plain data."""
        rows = self.frame.astype(object).where(self.frame.notna(), None).to_dict("records")
        return {
            "name": self.name,
            "kind": self.kind,
            "traces": self.traces,
            "with_feedback": self.with_feedback,
            "share": self.share,
            "notes": list(self.notes),
            "rows": rows,
        }
