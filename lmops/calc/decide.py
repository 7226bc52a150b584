"""From a paired difference to one of four words: better, worse, non_inferior, inconclusive (with the items needed)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal, Protocol

from lmops.base.units import counted
from lmops.calc.arrays import show
from lmops.calc.power import minimum_detectable_effect, n_for_difference, n_for_non_inferiority

_MOST_ITEMS = 10**9
Outcome = Literal["better", "worse", "non_inferior", "inconclusive"]


class Difference(Protocol):
    """What is decided on: a :class:`lmops.calc.paired.PairedDifference` or an unpaired difference."""

    @property
    def difference(self) -> float:
        """The mean difference a - b."""

    @property
    def low(self) -> float:
        """Its lower limit."""

    @property
    def high(self) -> float:
        """Its upper limit."""

    @property
    def se(self) -> float:
        """Its standard error."""

    @property
    def sd(self) -> float:
        """The standard deviation of the differences of pairs; NaN when they are not paired."""

    @property
    def design_effect(self) -> float:
        """The clustered variance over the plain one; 1 for independent items, NaN when nothing varies."""

    @property
    def method(self) -> str:
        """How the limits were made."""

    @property
    def level(self) -> float:
        """The confidence level of the limits."""

    @property
    def n(self) -> int:
        """The number of items; in both groups together when they are not paired."""

    @property
    def n_clusters(self) -> int | None:
        """The number of clusters; None without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The outcome of one comparison, why, and what it would take to know more."""

    outcome: Outcome
    reason: str
    difference: float  # a - b in the unit of the score, whatever the direction
    low: float
    high: float
    level: float
    margin: float | None
    n: int
    n_needed: int | None  # items in all; None when decided, or when no number of items would do
    minimum_detectable_effect: float  # with these n items

    @property
    def passes(self) -> bool | None:
        """True for better and non_inferior, False for worse, None when it cannot be told."""
        return {"better": True, "non_inferior": True, "worse": False, "inconclusive": None}[self.outcome]

    def __repr__(self) -> str:
        need = f", n needed {self.n_needed}" if self.n_needed else ""
        return (
            f"Decision({self.outcome}: {show(self.difference)} [{show(self.low)}, {show(self.high)}], n={self.n}{need})"
        )


def decide(
    difference: Difference,
    *,
    margin: float | None = None,
    higher_is_better: bool = True,
    effect: float | None = None,
    power: float = 0.8,
) -> Decision:
    """Return whether a is better, worse, or not worse by more than the margin than b - or that it cannot be told.

    With the interval turned so that a gain is positive:

    - ``better``: the interval lies above 0;
    - ``non_inferior``: it lies above -margin, so that the loss, if there is one, is acceptable;
    - ``worse``: it lies below 0, and a loss larger than the margin is possible;
    - ``inconclusive``: everything else. "No difference" is never claimed; the items needed are.

    Items needed: with a margin, those that show non-inferiority when the two are alike in truth, or, when that many
    were already there, when the loss seen here is true; without one, those that find ``effect``. Both from the variance
    seen here, clustering and repeats included. When no pair differs they cannot be told from that: the reason says how
    many it would take if none ever does, and if as many do as 0 of n leaves possible at 95 % (3/n, the rule of three:
    J. A. Hanley, A. Lippman-Hand, JAMA 249 (1983) 1743-1745).

    Source: CONSORT extension for non-inferiority trials, G. Piaggio et al., JAMA 308 (2012) 2594-2604; FDA,
    Non-Inferiority Clinical Trials (2016).

    Args:
        difference: a - b, of :func:`lmops.calc.paired.paired_difference` or of ``unpaired``.
        margin: the largest acceptable loss in the unit of the score, not negative; None: no loss is acceptable, and
            ``non_inferior`` is not an outcome.
        higher_is_better: False for cost, latency, error rates.
        effect: without a margin, the smallest difference worth finding; None: the difference seen here (an optimistic
            guess: small samples overstate it).
        power: probability in (0, 1) with which ``n_needed`` items decide.

    Returns:
        A Decision. No interval (n < 2, one cluster): inconclusive, with the reason.

    Raises:
        ValueError: a negative margin or effect.
    """
    if margin is not None and not margin >= 0:
        raise ValueError(f"margin must not be negative, not {margin:g}")
    if effect is not None and not effect >= 0:
        raise ValueError(f"effect must not be negative, not {effect:g}")
    d = difference
    low, high = (d.low, d.high) if higher_is_better else (-d.high, -d.low)
    outcome, reason = _outcome(low, high, margin, d)
    variance = d.se**2 * d.n  # per item, with what clustering adds
    alpha = 1 - d.level
    needed = None
    if outcome == "inconclusive":
        gain = d.difference if higher_is_better else -d.difference
        if margin and _has_pseudo_pairs(d) and d.sd == 0 and d.difference == 0:
            reason += f"; {_untold(margin, d, alpha, power)}"
        elif margin and _has_pseudo_pairs(d):
            needed = _n_with_pseudo_pairs(gain, margin, d, max(d.sd**2, 1 / d.n), alpha, power)
        else:
            # two pseudo-pairs are no spread of the items: they fade as items come
            seen = d.sd**2 * max(d.design_effect, 1.0) if _has_pseudo_pairs(d) and d.sd > 0 else variance
            needed = _n_needed(gain, margin, effect, seen, d.n, alpha, power, _beyond_normal(low, high, gain, d, alpha))
        if needed is None and d.n > 1 and (margin or effect) and d.sd > 0:
            reason += "; more items of this kind would hardly change that"
    return Decision(
        outcome=outcome,
        reason=reason,
        difference=d.difference,
        low=d.low,
        high=d.high,
        level=d.level,
        margin=margin,
        n=d.n,
        n_needed=needed,
        minimum_detectable_effect=minimum_detectable_effect(d.n, variance=variance, alpha=alpha, power=power),
    )


def _n_needed(
    gain: float,
    margin: float | None,
    effect: float | None,
    variance: float,
    n: int,
    alpha: float,
    power: float,
    beyond: float,
) -> int | None:
    """Return the items in all, more than there are; None where no number of them would decide."""
    more = n + 1  # plans take the spread as known; with a handful of items the interval is wider than that

    def planned(needed: int | None) -> int | None:
        return None if needed is None else _with_tails(needed, n, beyond, alpha, power)

    def alike(loss: float) -> int | None:
        return planned(
            n_for_non_inferiority(margin or 0.0, variance=variance, true_difference=loss, alpha=alpha / 2, power=power)
        )

    if margin:
        needed = alike(0.0)
        if needed is None or needed > n:
            return needed
        needed = alike(min(gain, 0.0))
        return None if needed is None else max(needed, more)
    needed = planned(n_for_difference(gain if effect is None else effect, variance=variance, alpha=alpha, power=power))
    if effect is None:
        return None if needed is None else max(needed, more)
    return None if needed is None or needed <= n else needed


def _beyond_normal(low: float, high: float, gain: float, d: Difference, alpha: float) -> float:
    """Return by how many errors a limit that allows for long tails lies farther out than the normal one; else 0.

    It is the limit on the side of the loss, from which "not worse" and "better" are told.
    """
    if "long tails" not in d.method or not d.se > 0 or math.isnan(low) or math.isnan(high):
        return 0.0
    return max((gain - low) / d.se - NormalDist().inv_cdf(1 - alpha / 2), 0.0)


def _with_tails(needed: int, n: int, beyond: float, alpha: float, power: float) -> int:
    """Return a plan that allows for what a limit lies farther out than the normal one: that shrinks as 1/sqrt(items).

    ``room = s/sqrt(m) (z + z_power + beyond sqrt(n/m))``, solved for m; with s and room as in the normal plan.
    """
    normal = NormalDist()
    both = normal.inv_cdf(1 - alpha / 2) + normal.inv_cdf(power)
    return math.ceil(needed * ((1 + math.sqrt(1 + 4 * beyond / both * math.sqrt(n / needed))) / 2) ** 2)


def _has_pseudo_pairs(d: Difference) -> bool:
    return d.method.startswith(("bonett-price", "plus two pairs")) and not math.isnan(d.sd)


def _untold(margin: float, d: Difference, alpha: float, power: float) -> str:
    """Return what is known of the items needed when no pair differs."""
    most = min(3 / d.n, 1.0)
    few, many = (_n_with_pseudo_pairs(0.0, margin, d, spread, alpha, power) for spread in (0.0, most))
    least, more = (f"{items:,}" if items else "more than can be had" for items in (few, many))
    return (
        f"no pair of {d.n:,} differs, which does not say how many are needed: {least} if none ever does, "
        f"{more} if {100 * most:.2g} % do (rule of three)"
    )


def _n_with_pseudo_pairs(
    gain: float, margin: float, d: Difference, spread: float, alpha: float, power: float
) -> int | None:
    """Return the items that show non-inferiority by an interval with two pseudo-pairs, whose weight fades with n.

    With few pairs that differ the error of such an interval is nearly all theirs; taken for the spread of the items it
    would ask for many times too many. With s2 the variance of the pairs (``spread``) the lower limit at m
    items is ``c m/(m + 2) - z sqrt((m s2 + 2)/(m + 2)^2)`` for a true gain c, and the limit itself varies by ``s2/m``.
    """
    normal = NormalDist()
    z, z_power = normal.inv_cdf(1 - alpha / 2), normal.inv_cdf(power)
    design = d.n / d.n_clusters if d.n_clusters and not d.sd > 0 else d.design_effect
    design = design if design > 1 else 1.0

    def is_enough(items: float, true: float) -> bool:
        m = items / design
        half = z * math.sqrt((m * spread + 2) / (m + 2) ** 2)
        return margin + true * m / (m + 2) >= half + z_power * math.sqrt(spread / m)

    for true in (0.0, min(gain, 0.0)):
        if margin + true <= 0 or not is_enough(_MOST_ITEMS, true):
            return None
        low, high = 1, _MOST_ITEMS
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if is_enough(middle, true) else (middle + 1, high)
        if low > d.n:
            return low
    return d.n + 1


def _outcome(low: float, high: float, margin: float | None, d: Difference) -> tuple[Outcome, str]:
    """Return the outcome and its reason, from the limits of the gain."""
    if math.isnan(low) or math.isnan(high):
        what = counted(d.n, "item") if d.n_clusters is None or d.n < 2 else counted(d.n_clusters, "cluster")
        return "inconclusive", f"{what}: no interval can be computed"
    if low > 0:
        return "better", "the whole interval is a gain"
    if margin is not None and low > -margin:
        return "non_inferior", f"a loss of {margin:g} or more is excluded" + (", though it is a loss" * (high < 0))
    open_loss = "" if margin is None else f"; a loss of {margin:g} or more is not excluded"
    if high < 0:
        return "worse", "the whole interval is a loss" + open_loss
    return "inconclusive", "the interval holds gain and loss" + open_loss
