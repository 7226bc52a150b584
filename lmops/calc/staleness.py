"""Does a judge still err as its calibration says? Newer labels against the older ones, by an exact test."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lmops.calc.arrays import Floats, Ints, check_open_unit, cluster_codes, is_binary, show, vector
from lmops.calc.judge import drawn_rate
from lmops.calc.multiple import holm

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike

    from lmops.calc.corrected import Errors
    from lmops.calc.intervals import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Staleness:
    """Whether newer labels disagree with a record, and in what."""

    is_stale: bool
    sensitivity_p: float  # adjusted for there being two; NaN where either has no label
    specificity_p: float
    sensitivity: float  # by the newer labels
    specificity: float
    n_pass: int  # newer human passes
    n_fail: int
    alpha: float

    def __repr__(self) -> str:
        return (
            f"Staleness({'stale' if self.is_stale else 'no sign of it'}, sensitivity {show(self.sensitivity)} "
            f"p={show(self.sensitivity_p)}, specificity {show(self.specificity)} p={show(self.specificity_p)}, "
            f"newer labels {self.n_pass} pass + {self.n_fail} fail)"
        )


def staleness(
    record: Errors,
    verdicts: ArrayLike,
    labels: ArrayLike,
    *,
    clusters: ArrayLike | Iterable[object] | None = None,
    weights: ArrayLike | None = None,
    alpha: float = 0.05,
) -> Staleness:
    """Return whether newer labels show another sensitivity or specificity than a record.

    Fisher's exact test of each, adjusted by Holm: with a judge that has not changed a record is called stale in at most
    alpha of the cases, however few labels there are. That nothing is found says little where they are few. Sources:
    R. A. Fisher, The Design of Experiments (1935); S. Holm, Scandinavian J. of Statistics 6 (1979) 65-70.

    Args:
        record: sensitivity and specificity of the record, and the human passes and fails behind them.
        verdicts: the judge's on items that were labeled since, 0 or 1; NaN are left out with their label.
        labels: people's of the same items.
        clusters: the cluster of each item; items then count as so many independent ones as they are worth.
        weights: of each item, 1 over the chance that it was drawn with; likewise. None: alike.
        alpha: share of false alarms, in (0, 1).

    Raises:
        ValueError: different numbers of items, a value that is not 0 or 1, or alpha outside (0, 1).

    >>> from lmops.calc.corrected import Errors
    >>> staleness(Errors(0.9, 100, 0.9, 50), [1] * 20 + [0] * 20, [1] * 40)
    Staleness(stale, sensitivity 0.5 p=8.32e-07, specificity nan p=nan, newer labels 40 pass + 0 fail)
    """
    check_open_unit("alpha", alpha)
    judge, human = vector(verdicts, "verdicts"), vector(labels, "labels")
    if judge.size != human.size:
        raise ValueError(f"verdicts and labels must hold the same items: {judge.size} and {human.size}")
    weight = np.ones(human.size) if weights is None else vector(weights, "weights")
    codes = np.arange(human.size) if clusters is None else cluster_codes(clusters, human.size)
    known = ~np.isnan(judge + human)
    judge, human, weight, codes = judge[known], human[known], weight[known], codes[known]
    if judge.size and not is_binary(np.concatenate((judge, human))):
        raise ValueError("verdicts and labels must be 0 or 1, or NaN for a missing one")
    groups = None if clusters is None else codes
    of_pass, of_fail = (_right(judge, human, label, weight, groups) for label in (1, 0))
    adjusted = holm(
        [
            _against(record.sensitivity, record.n_pass, of_pass),
            _against(record.specificity, record.n_fail, of_fail),
        ]
    )
    return Staleness(
        is_stale=bool((adjusted <= alpha).any()),
        sensitivity_p=float(adjusted[0]),
        specificity_p=float(adjusted[1]),
        sensitivity=of_pass.estimate,
        specificity=of_fail.estimate,
        n_pass=of_pass.n,
        n_fail=of_fail.n,
        alpha=alpha,
    )


def fisher_p(successes_a: int, n_a: int, successes_b: int, n_b: int) -> float:
    """Return the two-sided p-value of Fisher's exact test of two rates: the tables that are no likelier than this one.

    Args:
        successes_a: in 0..n_a.
        n_a: trials of one group.
        successes_b: in 0..n_b.
        n_b: trials of the other.

    Returns:
        NaN where a group is empty.

    >>> round(fisher_p(3, 4, 1, 4), 4)
    0.4857
    """
    for successes, n in ((successes_a, n_a), (successes_b, n_b)):
        if not 0 <= successes <= n:
            raise ValueError(f"successes must be between 0 and n: {successes} of {n}")
    if not (n_a and n_b):
        return math.nan
    total = successes_a + successes_b
    counts = range(max(0, total - n_b), min(total, n_a) + 1)
    weights = np.array([_log_choose(n_a, k) + _log_choose(n_b, total - k) for k in counts])
    chances: Floats = np.exp(weights - weights.max())
    observed = chances[successes_a - counts[0]]
    # equal chances differ in their last digits
    return min(1.0, float(chances[chances <= observed * (1 + 1e-9)].sum() / chances.sum()))


def _right(judge: Floats, human: Floats, label: int, weight: Floats, codes: Ints | None) -> Interval:
    part = human == label
    right = (judge[part] == label).astype(np.float64)
    groups = None if codes is None else codes[part]
    return drawn_rate(right, weight[part], heaviest=float(weight.max(initial=0.0)), clusters=groups)


def _against(rate: float, n: float, newer: Interval) -> float:
    """Return how likely two such rates are; each on so many whole items as it is worth."""
    n, size = math.floor(n), 0 if math.isnan(newer.n_effective) else math.floor(newer.n_effective + 1e-9)
    return fisher_p(round(rate * n), n, round(newer.estimate * size), size) if n and size else math.nan


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
