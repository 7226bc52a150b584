"""Limits of what is made of several rates, out of the limits of each: the variance is recovered from them.

MOVER: G. Y. Zou, A. Donner, Statistics in Medicine 27 (2008) 1693-1702. Private to calc.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lmops.calc.arrays import Floats, z_value
from lmops.calc.intervals import jeffreys

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


class Square(NamedTuple):
    """What an x has to keep at most at 0 to be within limits: ``square x^2 - 2 middle x + rest``."""

    square: float
    middle: float
    rest: float

    def at(self, x: float) -> float:
        """Return its value."""
        return (self.square * x - 2 * self.middle) * x + self.rest

    def roots(self) -> tuple[float, ...]:
        """Return where it is 0."""
        inside = self.middle**2 - self.square * self.rest
        if inside < 0:
            return ()
        # the sum that does not cancel
        sure = self.middle + math.copysign(math.sqrt(inside), self.middle)
        found = [(sure, self.square), (self.rest, sure)]
        return tuple(top / bottom for top, bottom in found if bottom)


def ends(estimate: float, below: Square, above: Square, least: float) -> tuple[float, float]:
    """Return the least and the greatest x in least..1 that are held: by one square below the estimate, another above.

    What is held need not hang together: where a ratio's divisor may be 0 it is the whole scale but for a stretch. Where
    nothing on the scale is held, both ends are the one that is nearest to the estimate; or it is all left, where the
    divisor may be 0.
    """
    turn = min(1.0, max(least, estimate))
    sides = [side for side in ((least, turn, below), (turn, 1.0, above)) if side[0] < side[1]]
    held = [x for low, high, of in sides for x in (low, high) if of.at(x) <= 0]
    held += [x for low, high, of in sides for x in of.roots() if low <= x <= high]
    if held:
        return min(held), max(held)
    return (turn, turn) if all(of.square > 0 for _, _, of in sides) else (least, 1.0)


def away(rates: ArrayLike, sizes: ArrayLike, level: float, quantile: float | None = None) -> tuple[Floats, Floats]:
    """Return the squares of how far each rate may be from what it was measured as: downwards, and upwards.

    The limits are Jeffreys' (L. D. Brown et al., Statistical Science 16 (2001) 101-133), which lean as a rate of few
    does.

    Args:
        rates: fractions.
        sizes: of how many, or of how many independent ones as they are worth.
        level: confidence level in (0, 1).
        quantile: Student's at that level, where it is to count instead of the normal one.
    """
    found, of = np.asarray(rates, dtype=np.float64), np.asarray(sizes, dtype=np.float64)
    lows, highs = jeffreys(found * of, of, level)
    wider = 1.0 if quantile is None else (quantile / z_value(level)) ** 2
    return np.square(found - lows) * wider, np.square(highs - found) * wider
