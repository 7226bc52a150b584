"""Dimensions two at a time: which cannot be told apart, and which account for more together. Pure."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Final

import numpy as np

from lmops.calc.mix import decompose_sums
from lmops.monitors._explained import SUPPORT, Tie, Together
from lmops.monitors._ranked import NONE, p_value_of, periods

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lmops.monitors._explained import Account
    from lmops.monitors._ranked import Change, Found, Items

#: So many dimensions are looked at in pairs, each of at most so many values.
_PAIRED: Final = 4
_VALUES: Final = 12
#: Dimensions that are compared: neither how something shows nor when it was.
_NAMED: Final = ("version", "traffic")
#: What one of two accounts for where the other does not vary is worth a word from that share of the change on.
_WORTH: Final = 0.2
#: What a pair accounts for, of what the better one of the two does; and how many are told.
_MOST_OF_IT: Final = 0.8
_TOLD: Final = 3


def ties(items: Items, found: Sequence[tuple[Found, Account]], change: Change) -> tuple[Tie, ...]:
    """Return which of the first dimensions moved together, and which of two accounts for it where they differ."""
    named = [
        (one, account)
        for one, account in found
        if account.is_clear and account.how != "rate" and account.group in _NAMED and NONE not in account.values[:1]
    ][:_PAIRED]
    made = (_tie(items, *one, *other, change) for one, other in combinations(named, 2))
    return tuple(one for one in made if one is not None)


def _tie(items: Items, one: Found, said: Account, other: Found, told: Account, change: Change) -> Tie | None:
    only = int((one.is_it & ~other.is_it).sum()), int((other.is_it & ~one.is_it).sum())
    both = int((one.is_it & other.is_it).sum())
    if both < max(sum(only), 1):
        return None  # they have little to do with each other
    stays = None
    if max(only) >= SUPPORT:
        clear = _by_each(items, one, other, change)
        if clear[0] == clear[1]:
            return None  # both account for something of their own
        stays = 0 if clear[0] else 1
    gap_s = None if one.at_us is None or other.at_us is None else (other.at_us - one.at_us) / 1e6
    return Tie(titles=(said.title, told.title), words=(said.words, told.words), gap_s=gap_s, only=only, stays=stays)


def _by_each(items: Items, one: Found, other: Found, change: Change) -> tuple[bool, bool]:
    """Return whether each of two accounts for the change where the other does not vary.

    By least squares of the values on both, with errors by cluster.
    """
    x = np.column_stack((np.ones(items.values.size), one.is_it, other.is_it)).astype(np.float64)
    inverse = np.linalg.pinv(x.T @ x)
    slopes = inverse @ x.T @ items.values
    off = x * (items.values - x @ slopes)[:, None]
    groups = int(items.clusters.max()) + 1
    moves = np.column_stack([np.bincount(items.clusters, weights=column, minlength=groups) for column in off.T])
    errors = np.sqrt(np.maximum(np.diag(inverse @ (moves.T @ moves) @ inverse), 0.0))  # rounding may leave less
    moved = [float(each.is_it[items.is_after].mean() - each.is_it[~items.is_after].mean()) for each in (one, other)]
    is_clear = [
        bool(abs(slope) > 2 * error and slope * move / change.estimate > _WORTH)
        for slope, error, move in zip(slopes[1:], errors[1:], moved, strict=True)
    ]
    return is_clear[0], is_clear[1]


def together(items: Items, found: Sequence[tuple[Found, Account]], change: Change) -> tuple[Together, ...]:
    """Return the pairs of values that account for what either does by itself: one alone says too much.

    A model that got worse in one language makes both the model and the language move otherwise than all others.
    """
    first = [
        (one, account)
        for one, account in found
        if account.is_clear and account.how == "rate" and account.group in _NAMED and len(one.coded.labels) <= _VALUES
    ][:_PAIRED]
    made: list[Together] = []
    for (one, said), (other, told) in combinations(first, 2):
        size = len(other.coded.labels)
        codes = one.coded.codes * size + other.coded.codes
        whole = decompose_sums(range(len(one.coded.labels) * size), *periods(items, codes), level=change.level)
        known = [part for part in whole.parts if min(part.n_before, part.n_after) >= SUPPORT]
        for part in known:
            p_value = p_value_of(part.apart, part.apart_high - part.apart, change)
            share = part.apart / change.estimate
            place = int(part.kind)  # type: ignore[call-overload]  # the kinds are places
            values = (one.coded.labels[place // size], other.coded.labels[place % size])
            is_both = values[0] in said.values and values[1] in told.values
            is_clear = p_value * len(known) <= 1 - change.level
            if is_both and is_clear and share >= _MOST_OF_IT * max(said.share, told.share):
                pair = Together(
                    titles=(said.title, told.title),
                    values=values,
                    accounts=part.apart,
                    low=part.apart_low,
                    high=part.apart_high,
                    share=share,
                    n_before=part.n_before,
                    n_after=part.n_after,
                )
                made.append(pair)
    return tuple(sorted(made, key=lambda one: -one.share)[:_TOLD])
