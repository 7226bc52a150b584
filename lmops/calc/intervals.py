"""Intervals for what a table of traffic shows: rates and quantiles. Pure functions on numpy arrays."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


def wilson(successes: ArrayLike, n: ArrayLike, level: float = 0.95) -> tuple[Floats, Floats]:
    r"""Return the lower and upper limit of the Wilson score interval of a rate.

    With p = successes / n and z the normal quantile of (1 + level) / 2 the limits are::

        (p + z^2/2n -+ z * sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927)
    209-212; method 3 of R. G. Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in
    Medicine 17 (1998) 857-872. The trials must be independent: it is too narrow for clustered data.

    Args:
        successes: counts in 0..n, a number or an array.
        n: numbers of trials, broadcast against ``successes``.
        level: confidence level in (0, 1).

    Returns:
        Two arrays of fractions in 0..1, of the broadcast shape. NaN where n is 0 or either is NaN. For 0 successes the
        lower limit is exactly 0, for n successes the upper limit exactly 1.

    Raises:
        ValueError: ``level`` outside (0, 1), a negative count, or more successes than trials.

    >>> low, high = wilson(15, 148)
    >>> f"{low:.4f} {high:.4f}"
    '0.0624 0.1605'
    """
    import numpy as np

    _check_level(level)
    k, trials = np.broadcast_arrays(np.asarray(successes, dtype=np.float64), np.asarray(n, dtype=np.float64))
    if bool(np.any(k < 0)) or bool(np.any(k > trials)):
        msg = "successes must be between 0 and n"
        raise ValueError(msg)
    z = NormalDist().inv_cdf((1 + level) / 2)
    total = np.where(trials > 0, trials, np.nan)
    rate = k / total
    centre = rate + z * z / (2 * total)
    half = z * np.sqrt(rate * (1 - rate) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    # The formula reaches the ends only up to rounding.
    low = np.where(k == 0, np.where(trials > 0, 0.0, np.nan), np.clip((centre - half) / scale, 0.0, 1.0))
    high = np.where(k == trials, np.where(trials > 0, 1.0, np.nan), np.clip((centre + half) / scale, 0.0, 1.0))
    return low, high


def quantile_interval(values: ArrayLike, q: float, level: float = 0.95) -> tuple[float, float]:
    """Return the distribution-free interval of a quantile, two order statistics of the values.

    The number of values below the true q-quantile is Binomial(n, q). The limits are the r-th and s-th smallest value
    with r the largest rank such that P(B < r) <= (1 - level)/2, and s the smallest such that P(B >= s) <=
    (1 - level)/2; so each tail is held and the coverage is at least ``level``. Ties only widen it.

    Source: W. J. Conover, Practical Nonparametric Statistics, 3rd ed. (1999), section 3.2; G. J. Hahn and
    W. Q. Meeker, Statistical Intervals (1991), section 5.2.

    Args:
        values: independent observations in any order; NaN are left out.
        q: the quantile, a fraction in (0, 1); 0.95 for a p95.
        level: confidence level in (0, 1).

    Returns:
        (low, high) in the unit of the values. A limit is NaN when no order statistic can hold its tail: for a p95 at
        95 % the upper limit needs at least 72 values. Both are NaN for no values.

    Raises:
        ValueError: ``q`` or ``level`` outside (0, 1).

    >>> quantile_interval(range(1, 101), 0.5)
    (40.0, 61.0)
    """
    import numpy as np

    _check_level(level)
    if not 0 < q < 1:
        msg = f"q must be between 0 and 1, not {q}"
        raise ValueError(msg)
    data = np.asarray(values, dtype=np.float64).ravel()
    data = np.sort(data[~np.isnan(data)])
    low_rank, high_rank = quantile_ranks(int(data.size), q, level)
    low = math.nan if low_rank is None else float(data[low_rank - 1])
    high = math.nan if high_rank is None else float(data[high_rank - 1])
    return low, high


def quantile_ranks(n: int, q: float, level: float = 0.95) -> tuple[int | None, int | None]:
    """Return the 1-based ranks of the two order statistics of :func:`quantile_interval`; None where there is none.

    Exact binomial tails, summed outward from the mode in logarithms; a query engine can then take the ranks itself.

    >>> quantile_ranks(100, 0.5)
    (40, 61)
    >>> quantile_ranks(71, 0.95), quantile_ranks(72, 0.95)
    ((63, None), (64, 72))
    """
    if n <= 0:
        return None, None
    cdf = _binomial_cdf(n, q)
    tail = (1 - level) / 2 * (1 + 1e-12)
    # cdf[k] = P(B <= k); P(B < r) = cdf[r - 1].
    r = int(cdf.searchsorted(tail, side="right"))
    # P(B >= s) = 1 - cdf[s - 1] <= tail, with the upper tail summed from the top so that it keeps its digits.
    above = _binomial_cdf(n, 1 - q)  # above[k] = P(B >= n - k)
    s = n - int(above.searchsorted(tail, side="right")) + 1
    return (r if r >= 1 else None), (s if s <= n else None)


def _binomial_cdf(n: int, q: float) -> Floats:
    """Return P(B <= k) for k = 0..n."""
    import numpy as np

    k = np.arange(1, n + 1, dtype=np.float64)
    steps: Any = np.log(n - k + 1) - np.log(k) + math.log(q) - math.log1p(-q)
    log_pmf = np.concatenate(([n * math.log1p(-q)], n * math.log1p(-q) + np.cumsum(steps)))
    cdf: Floats = np.cumsum(np.exp(log_pmf))
    return cdf


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        msg = f"level must be between 0 and 1, not {level}"
        raise ValueError(msg)
