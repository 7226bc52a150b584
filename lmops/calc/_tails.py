"""Limits of a mean of values with long tails, such as costs and latencies, of items or of clusters. Private to calc.

Student's limits of such means hold the truth too seldom for two reasons, and each has its correction:

- The error itself is known worse than Student says. ``Var(s^2)/s^4 = 2/df + kappa/G`` with kappa the excess kurtosis
  (Fisher's unbiased estimate, at least 0) gives fewer degrees of freedom, as F. E. Satterthwaite, Biometrics Bulletin 2
  (1946) 110-114, would have them.
- Mean and error go together, so the limits lean to one side: P. Hall, JRSS B 54 (1992) 221-228, his cubic transform,
  which can be inverted exactly.

G values show less of a long tail than there is: kappa counts 1 + 40 kappa/G times and the lean 1 + 2/sqrt(G) times.
Nearly all limits that miss the truth come from samples that drew none of the largest values, of small lean and middling
kappa: so kappa counts the more the larger it is. Where one was drawn the error is large by itself: the degrees of
freedom are never less than two, and the lean never more than 0.7, beyond which Hall's limits draw nearer again. All
chosen by simulation (lognormal, exponential, differences of lognormal values one to three; 20 to 1,000 items, 8 to 40
clusters). A tail of which nothing was seen, such as one case in twenty that costs twenty times as much, no limits can
allow for.

The limits are the wider of the two on each side, and the p-value the larger: neither can contradict the other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lmops.calc.arrays import Floats, t_two_sided_p, t_value

_FEWEST = 4  # the kurtosis of fewer values cannot be estimated
_UNSEEN = 40  # what G values hide of the kurtosis
_FEWEST_DF = 2.0  # however long the tails: Student's limits of fewer reach out without end
_MOST_LEAN = 0.7  # where Hall's limits are past their farthest at any usual level


@dataclass(frozen=True, slots=True)
class Tails:
    """What the values of G items or clusters say about the tails of their mean."""

    df: float  # Student's
    df_error: float  # of the error, fewer when tails are long
    lean: float  # Hall's, skewness / sqrt(G), and what few values hide of it; -0.7..0.7

    def limits(self, mean: float, se: float, level: float) -> tuple[float, float]:
        """Return the limits of a mean with this error."""
        wide, usual = t_value(level, self.df_error), t_value(level, self.df)
        return mean - max(wide, self._turned(usual)) * se, mean - min(-wide, self._turned(-usual)) * se

    def p_value(self, t: float) -> float:
        """Return the two-sided p-value of mean/se, at most alpha exactly where the limits leave 0 out."""
        a = self.lean / 3
        cubic = t + a * t**2 + a**2 * t**3 / 3 + self.lean / 6
        return max(t_two_sided_p(t, self.df_error), t_two_sided_p(cubic, self.df))

    def _turned(self, quantile: float) -> float:
        """Return the value that Hall's transform takes to a quantile."""
        a = self.lean / 3
        if abs(a) < 1e-9:
            return quantile
        return (math.cbrt(1 + 3 * a * (quantile - self.lean / 6)) - 1) / a


def tails(values: Floats, df: float) -> Tails:
    """Return what values, one per unit and centred, say about the tails; df are Student's degrees of freedom."""
    n = values.size
    spread = float(np.square(values).mean()) if n else 0.0
    if n < _FEWEST or not spread > 0 or not df > 0:
        return Tails(df, df, 0.0)
    excess = float((values**4).mean()) / spread**2 - 3
    kurtosis = max((n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * excess + 6), 0.0)
    kurtosis *= 1 + _UNSEEN * kurtosis / n
    skewness = float((values**3).mean()) / spread**1.5 * n**2 / ((n - 1) * (n - 2))
    lean = skewness / math.sqrt(n) * (1 + 2 / math.sqrt(n))
    df_error = max(2 / (2 / df + kurtosis / n), _FEWEST_DF)
    return Tails(df, min(df, df_error), min(max(lean, -_MOST_LEAN), _MOST_LEAN))
