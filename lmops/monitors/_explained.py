"""What is known of a change: how large it is, what accounts for it, when it was, and what cannot be told apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from lmops import charts
from lmops.base.shown import Shown

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd
    import plotly.graph_objects as go

    from lmops.calc.mix import Part
    from lmops.metrics import Unit

#: Fewer items than that are few: it is said, and what rests on more comes first.
SUPPORT: Final = 30
#: What there is to say: something accounts for it, nothing that is known does, nothing changed, or too few to say.
State = Literal["explained", "unexplained", "no_change", "cannot_tell"]
#: One value took the place of another; there is more or less of a kind; a kind moved otherwise than the others.
How = Literal["replaced", "mix", "rate"]

_COLUMNS: Final = (
    *(
        "dimension",
        "title",
        "also",
        "how",
        "words",
        "accounts",
        "low",
        "high",
        "share",
        "share_low",
        "share_high",
        "mix",
    ),
    *("apart", "p_value", "is_clear", "support", "at", "gap_s"),
)
_OF_VALUES: Final = (
    *("n_before", "n_after", "share_before", "share_after", "mean_before", "mean_after"),
    *("rate", "rate_low", "rate_high", "mix", "mix_low", "mix_high"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """The items of one period; an estimate of none, and limits that are not known, are None."""

    since: datetime
    until: datetime
    n: int
    clusters: int
    estimate: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What one dimension accounts for of a change; amounts are in the unit of the metric."""

    dimension: str
    title: str
    also: tuple[str, ...]  # other dimensions that part the items in the same way
    group: str
    how: How
    values: tuple[str, ...]  # that there is more of, or that moved otherwise
    left: tuple[str, ...]  # that they took the place of
    accounts: float
    low: float
    high: float
    share: float  # of the change
    share_low: float
    share_high: float
    mix: float
    apart: float
    p_value: float  # adjusted for all dimensions
    is_clear: bool
    support: int  # items that it rests on: the fewer of those that are compared
    at: datetime | None  # when the values came, or moved
    gap_s: float | None  # from the change of the metric to that; negative: before
    parts: tuple[Part, ...]  # every value: what it accounts for by mix and by rate
    merged: int  # rare values that count as one

    @property
    def is_few(self) -> bool:
        """Whether it rests on fewer items than one should go by."""
        return self.support < SUPPORT

    @property
    def words(self) -> str:
        """What happened, in words."""
        values = _list(self.values)
        if self.how == "replaced":
            return f"{_list(self.left)} → {values}"
        if self.how == "rate":
            return f"{values}: moved otherwise than all others"
        return f"{'fewer' if self.is_fewer else 'more'} of {values}"

    @property
    def key(self) -> str:
        """What tells it apart: its dimension and values, not how they came about."""
        return f"{self.dimension}: {'fewer of ' if self.is_fewer else ''}{', '.join(sorted(self.values))}"

    @property
    def is_fewer(self) -> bool:
        """Whether there is less of its values, and nothing took their place."""
        grown = [one for one in self.parts if one.kind in self.values and one.share_after > one.share_before]
        return self.how == "mix" and not sum(one.mix for one in grown)


def _list(values: tuple[str, ...]) -> str:
    shown = ", ".join(one if len(one) <= 60 else one[:59] + "…" for one in values[:3])
    return f"{shown} and {len(values) - 3:,} more" if len(values) > 3 else shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Tie:
    """Two dimensions that moved together."""

    titles: tuple[str, str]
    words: tuple[str, str]
    gap_s: float | None  # between them
    only: tuple[int, int]  # items that have what is new in the one and not in the other
    stays: int | None  # the place of the one that accounts for it where they differ; None: it cannot be told


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """Values of two dimensions that account together for what either does by itself."""

    titles: tuple[str, str]
    values: tuple[str, str]
    accounts: float
    low: float
    high: float
    share: float
    n_before: int
    n_after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event of the audit chain near the change."""

    event_id: int
    at: datetime
    actor: str
    action: str
    subject: str
    reason: str | None
    of: str  # what moved nearest to it: the metric, or a dimension
    gap_s: float  # from that to the event; negative: before


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation(Shown):
    """What accounts for a change of a metric: the most likely first. It names no causes."""

    metric: str
    title: str
    unit: Unit
    state: State
    before: Period
    after: Period
    change: float | None
    low: float | None
    high: float | None
    level: float
    needed: int | None = None  # items that are missing before anything can be said
    at: datetime | None = None  # when the metric moved
    at_low: datetime | None = None
    at_high: datetime | None = None
    accounts: tuple[Account, ...] = ()
    ties: tuple[Tie, ...] = ()
    together: tuple[Together, ...] = ()
    events: tuple[Event, ...] = ()
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        first = f", first {self.accounts[0].title}" if self.accounts else ""
        return f"<Explanation of {self.metric}: {self.state}{first}>"

    def df(self) -> pd.DataFrame:
        """Return what accounts for the change, one row a dimension.

        Returns:
            dimension, title, also (other dimensions that part the items in the same way), how (replaced, mix, rate),
            words (what happened), accounts, low, high (in the unit of the metric), share, share_low, share_high (of the
            change), mix, apart, p_value, is_clear, support, at, gap_s.
        """
        return _frame([[getattr(one, name) for name in _COLUMNS] for one in self.accounts], _COLUMNS)

    def values(self, dimension: str | None = None) -> pd.DataFrame:
        """Return what each value of the dimensions accounts for by mix and by rate.

        Args:
            dimension: Only those of this one.

        Returns:
            dimension, value, n_before, n_after, share_before, share_after, mean_before, mean_after, rate, rate_low,
            rate_high, mix, mix_low, mix_high.
        """
        rows = [
            [one.dimension, part.kind, *(getattr(part, name) for name in _OF_VALUES)]
            for one in self.accounts
            if dimension in (None, one.dimension)
            for part in one.parts
        ]
        return _frame(rows, ("dimension", "value", *_OF_VALUES))

    def figure(self) -> go.Figure:
        """Return a chart: the share of the change that each dimension accounts for, with its limits."""
        return charts.accounts(self.df(), title=f"What accounts for the change of {self.title}")


def _frame(rows: list[list[Any]], columns: tuple[str, ...]) -> pd.DataFrame:
    from lmops.base.frames import Frame

    return Frame(rows, columns=list(columns))
