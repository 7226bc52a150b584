"""Limits of a mean over few clusters whose values have long tails, such as costs and latencies. Private to calc.

Student's limits of such means hold the truth too seldom for two reasons, and each has its correction:

- The error itself is known worse than Student says. ``Var(s^2)/s^4 = 2/df + kappa/G`` with kappa the excess kurtosis
  (Fisher's unbiased estimate, at least 0) gives fewer degrees of freedom, as F. E. Satterthwaite, Biometrics Bulletin 2
  (1946) 110-114, would have them. G values show less of a long tail than there is: kappa counts 1 + 8/G times, chosen
  by simulation.
- Mean and error go together, so the limits lean to one side: P. Hall, JRSS B 54 (1992) 221-228, his cubic transform,
  which can be inverted exactly.

The limits are the wider of the two on each side, and the p-value the larger: neither can contradict the other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lmops.calc._arrays import Floats, t_two_sided_p, t_value

_FEWEST = 4  # the kurtosis of fewer values cannot be estimated


@dataclass(frozen=True, slots=True)
class Tails:
    """What the values of G clusters say about the tails of their mean."""

    df: float  # Student's
    df_error: float  # of the error, fewer when tails are long
    lean: float  # Hall's: skewness / sqrt(G)

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
    """Return what values, one per cluster and centred, say about the tails; df are Student's degrees of freedom."""
    n = values.size
    spread = float(np.square(values).mean()) if n else 0.0
    if n < _FEWEST or not spread > 0 or not df > 0:
        return Tails(df, df, 0.0)
    excess = float((values**4).mean()) / spread**2 - 3
    kurtosis = max((n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * excess + 6), 0.0) * (1 + 8 / n)
    skewness = float((values**3).mean()) / spread**1.5 * n**2 / ((n - 1) * (n - 2))
    return Tails(df, min(df, max(2 / (2 / df + kurtosis / n), 1.0)), skewness / math.sqrt(n))
