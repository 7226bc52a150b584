"""Which dimensions account for a change, and how much: pure, on numbers of items and codes of their values."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from lmops.calc.arrays import t_two_sided_p, t_value
from lmops.calc.changes import change_point
from lmops.calc.mix import Sums, decompose_sums
from lmops.calc.multiple import holm
from lmops.monitors._explained import SUPPORT, Account
from lmops.times import from_ns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lmops.calc.arrays import Floats, Ints
    from lmops.calc.changes import ChangePoint
    from lmops.calc.mix import Decomposition, Part
    from lmops.monitors._explained import How
    from lmops.monitors.dimensions import Dimension

    Bools = NDArray[np.bool_]

#: With fewer items on one side the mean of a value is compared with nothing.
LEAST: Final = 10
#: What a value that is missing is called.
NONE: Final = "(none)"
#: At most so many values of a dimension that move otherwise than the others.
_MOST: Final = 5
_STRETCHES: Final = 400
#: Of two that account for the same: what somebody changed comes before what the traffic is, before how it shows.
_ORDER: Final = {"version": 1.0, "traffic": 0.95, "outcome": 0.9, "time": 0.85}
#: What moved so long before or after the metric did is near it.
_NEAR_S: Final = 3_600.0
#: What accounts for the change but for so much of it accounts for the whole.
_WHOLE: Final = 0.1
#: A value belongs to a replacement when it is so much rarer on the other side.
_RARE: Final = 0.05


class Items(NamedTuple):
    """The items of both periods in the order of time."""

    at_us: Ints
    clusters: Ints
    values: Floats
    is_after: Bools


class Coded(NamedTuple):
    """What each item says by one dimension."""

    dimension: Dimension
    labels: tuple[str, ...]
    codes: Ints
    merged: int  # rare values that count as one
    also: tuple[str, ...] = ()  # other dimensions that part the items in the same way


class Change(NamedTuple):
    """How much a metric moved, and when; times in microseconds."""

    estimate: float
    low: float
    high: float
    level: float
    df: float  # clusters of the period that has fewer, but for one
    at_us: int | None
    first_us: int | None
    last_us: int | None

    @property
    def half(self) -> float:
        """Half the width of its interval."""
        return (self.high - self.low) / 2


class Found(NamedTuple):
    """What one dimension says before all are compared."""

    coded: Coded
    how: How
    chosen: Ints  # codes that there is more of, or that moved otherwise
    left: Ints
    is_it: Bools  # items that show it
    mix: float
    apart: float
    half: float
    p_value: float
    support: int
    weight: float  # share of the traffic that the chosen values are
    at_us: int | None
    parts: tuple[Part, ...]

    @property
    def accounts(self) -> float:
        """What it accounts for, in the unit of the metric."""
        return self.mix + self.apart


def moved_at(items: Items, values: Floats, which: Bools | None = None, *, draws: int = 2) -> tuple[ChangePoint, Ints]:
    """Return the change point of values in the order of time, by stretches of equally many, and when each began."""
    at_us, x = (items.at_us, values) if which is None else (items.at_us[which], values[which])
    edges = np.linspace(0, x.size, min(x.size, _STRETCHES) + 1).astype(np.int64)
    means = np.add.reduceat(x, edges[:-1]) / np.diff(edges) if x.size else x
    return change_point(means, draws=draws), at_us[edges[:-1]] if x.size else at_us


def ranked(items: Items, dimensions: Sequence[Coded], change: Change) -> list[tuple[Found, Account]]:
    """Return what accounts for a change, the most likely first."""
    found = [one for alike in _alike(dimensions) if (one := _best(items, alike, change)) is not None]
    # what is replaced as a whole accounts for the whole by arithmetic: no test that may err among many
    is_tested = [not (one.how == "replaced" and abs(one.accounts / change.estimate - 1) < _WHOLE) for one in found]
    tested = iter(holm([one.p_value for one, is_one in zip(found, is_tested, strict=True) if is_one]).tolist())
    adjusted = [next(tested) if is_one else one.p_value for one, is_one in zip(found, is_tested, strict=True)]
    pairs = sorted(zip(found, adjusted, strict=True), key=lambda pair: -_score(pair[0], pair[1], change))
    return [(one, _account(one, p_value, change)) for one, p_value in pairs]


def _alike(dimensions: Sequence[Coded]) -> list[list[Coded]]:
    """Return the dimensions by the way in which they part items."""
    found: dict[bytes, list[Coded]] = {}
    for coded in dimensions:
        _, first, codes = np.unique(coded.codes, return_index=True, return_inverse=True)
        found.setdefault(np.argsort(np.argsort(first))[codes].astype(np.int32).tobytes(), []).append(coded)
    return list(found.values())


def _best(items: Items, alike: Sequence[Coded], change: Change) -> Found | None:
    """Return what dimensions that part items in the same way account for, by the one that says it best.

    A call that failed has an error and no fingerprint: both part the items alike, and the error has a name.
    """
    found = [one for coded in alike if (one := _found(items, coded, change)) is not None]
    if not found:
        return None
    best = max(found, key=lambda one: _score(one, 0.0, change))
    also = tuple(one.coded.dimension.title for one in found if one is not best)
    return best._replace(coded=best.coded._replace(also=also))


def _found(items: Items, coded: Coded, change: Change) -> Found | None:
    """Return what a dimension accounts for; None where all items are alike in it."""
    is_time = coded.dimension.group == "time"
    weight = 0.0 if is_time else 0.5
    told, codes = _with_means(items, coded, is_time=is_time)
    size = len(coded.labels)
    if np.unique(codes).size < 2 or told.is_after.all() or not told.is_after.any():
        return None
    whole = decompose_sums(range(size), *periods(told, codes), weight=weight, level=change.level)
    chosen, apart, half_apart = _moved_otherwise(told, codes, change, weight)
    half_mix = whole.mix_high - whole.mix
    is_mix = not chosen.size or p_value_of(whole.mix, half_mix, change) <= (1 - change.level)
    mix = whole.mix if is_mix else 0.0
    half = math.hypot(half_mix if is_mix else 0.0, half_apart)
    accounts = mix + apart
    # what all items moved by cannot be known better than the change itself
    half = max(half, abs(accounts / change.estimate) * change.half)
    if abs(mix) >= abs(apart):
        how, chosen, left, is_it = _by_mix(coded, whole, change)
        is_new = bool(is_it.any()) and not bool(is_it[~items.is_after].any())
        at_us = int(items.at_us[is_it][0]) if is_new else _at(*moved_at(items, is_it.astype(np.float64)))
    else:
        how, left, is_it = "rate", chosen[:0], np.isin(coded.codes, chosen)
        at_us = _at(*moved_at(items, items.values, is_it))
        is_it = is_it & items.is_after
    return Found(
        coded=coded,
        how=how,
        chosen=chosen,
        left=left,
        is_it=is_it,
        mix=mix,
        apart=apart,
        half=half,
        p_value=p_value_of(accounts, half, change),
        support=_support(whole, how, chosen, left),
        weight=float(np.isin(coded.codes, chosen).mean()),
        at_us=at_us,
        parts=tuple(part for part in whole.parts if part.n_before or part.n_after),
    )


def compact(coded: Coded) -> Coded:
    """Return a dimension without the values that no item has."""
    there, codes = np.unique(coded.codes, return_inverse=True)
    return coded._replace(labels=tuple(coded.labels[at] for at in there.tolist()), codes=codes.astype(np.int64))


def _with_means(items: Items, coded: Coded, *, is_time: bool) -> tuple[Items, Ints]:
    """Return the items, and their codes, without the few that would give a value a mean on one side by chance.

    A value that is common on one side has no mean on the other by a handful of items there: it came, or it left. Who
    chose the periods chose their hours: an hour of which little is known before says nothing.
    """
    before, after = (
        np.bincount(coded.codes[mask], minlength=len(coded.labels)) for mask in (~items.is_after, items.is_after)
    )
    if is_time:
        kept = (before >= SUPPORT)[coded.codes]
    else:
        sides = ((before, after), (after, before))
        chance = [(few < LEAST) & (few <= _RARE * few.sum()) & (many >= SUPPORT) for few, many in sides]
        kept = ~np.where(items.is_after, chance[1][coded.codes], chance[0][coded.codes])
    told = Items(items.at_us[kept], items.clusters[kept], items.values[kept], items.is_after[kept])
    return told, coded.codes[kept]


def _moved_otherwise(items: Items, codes: Ints, change: Change, weight: float) -> tuple[Ints, float, float]:
    """Return the values that moved otherwise than all others, what that accounts for, and half its interval."""
    size = int(codes.max()) + 1
    chosen: list[int] = []
    for _ in range(_MOST):
        rest = _without(items, codes, chosen)
        if not all(one.kinds.size for one in rest):
            break
        found = decompose_sums(range(size), *rest, weight=weight, level=change.level)
        known = [part for part in found.parts if _is_enough(part, rest)]
        best = max(known, key=lambda part: part.apart * change.estimate, default=None)
        if best is None or best.apart * change.estimate <= 0:
            break
        if p_value_of(best.apart, best.apart_high - best.apart, change) * len(known) > 1 - change.level:
            break
        chosen.append(int(best.kind))  # type: ignore[call-overload]  # the kinds are places
    if not chosen:
        return np.array([], np.int64), 0.0, 0.0
    joined = np.where(np.isin(codes, chosen), chosen[0], codes)
    whole = decompose_sums(range(size), *periods(items, joined), weight=weight, level=change.level)
    part = next(one for one in whole.parts if one.kind == chosen[0])
    return np.array(chosen), part.apart, part.apart_high - part.apart


def _is_enough(part: Part, periods: tuple[Sums, Sums]) -> bool:
    """Return whether a value and all others have enough items in both periods."""
    n_before, n_after = (one.counts.sum() for one in periods)
    return bool(min(part.n_before, part.n_after, n_before - part.n_before, n_after - part.n_after) >= LEAST)


def _by_mix(coded: Coded, whole: Decomposition, change: Change) -> tuple[How, Ints, Ints, Bools]:
    """Return how the shares moved: the values that came or grew, those that left, and the items that show it."""
    parts = [one for one in whole.parts if one.mix * change.estimate > 0]
    came = [one for one in parts if one.share_after >= _RARE and one.share_before <= _RARE * one.share_after]
    gone = [one for one in parts if one.share_before >= _RARE and one.share_after <= _RARE * one.share_before]
    by_them = sum(one.mix for one in (*came, *gone))
    if (
        coded.dimension.group != "time"
        and came
        and gone
        and by_them * 2 * math.copysign(1, change.estimate) >= abs(whole.mix)
    ):
        chosen = _codes(came)
        return "replaced", chosen, _codes(gone), np.isin(coded.codes, chosen)
    grown = [one for one in parts if one.share_after > one.share_before]
    if grown:
        chosen = _codes(_enough(grown))
        return "mix", chosen, chosen[:0], np.isin(coded.codes, chosen)
    chosen = _codes(_enough(parts or list(whole.parts)))
    return "mix", chosen, chosen[:0], ~np.isin(coded.codes, chosen)


def _enough(parts: Sequence[Part]) -> list[Part]:
    """Return the first parts that account for two thirds of what all do."""
    wanted = sum(abs(one.mix) for one in parts) * 2 / 3
    sums = np.cumsum([abs(one.mix) for one in parts])
    return list(parts[: int(np.searchsorted(sums, wanted)) + 1])


def _codes(parts: Sequence[Part]) -> Ints:
    ordered = sorted(parts, key=lambda one: -max(one.n_before, one.n_after))
    return np.array([one.kind for one in ordered], np.int64)


def _support(whole: Decomposition, how: How, chosen: Ints, left: Ints) -> int:
    """Return how many items the thing rests on: of those that are compared, the fewer."""
    parts = {one.kind: one for one in whole.parts}
    before = sum(parts[int(code)].n_before for code in chosen)
    after = sum(parts[int(code)].n_after for code in chosen)
    if how == "replaced":
        return min(sum(parts[int(code)].n_before for code in left), after)
    if how == "rate":
        return min(before, after, whole.n_before - before, whole.n_after - after)
    return max(before, after)


def periods(items: Items, codes: Ints) -> tuple[Sums, Sums]:
    """Return the values of both periods by the code of each item."""
    return _without(items, codes, [])


def _without(items: Items, codes: Ints, left_out: list[int]) -> tuple[Sums, Sums]:
    """Return the values of both periods by the code of each item, but for some codes."""
    kept = ~np.isin(codes, left_out)
    before, after = (
        Sums(codes[mask], items.clusters[mask], np.ones(int(mask.sum())), items.values[mask])
        for mask in (kept & ~items.is_after, kept & items.is_after)
    )
    return before, after


def p_value_of(estimate: float, half: float, change: Change) -> float:
    """Return the two-sided p-value that an estimate with half an interval has."""
    if math.isnan(half) or estimate == 0:
        return 1.0
    if half == 0:
        return 0.0
    return t_two_sided_p(abs(estimate) / half * t_value(change.level, change.df), change.df)


def _at(found: ChangePoint, starts: Ints) -> int | None:
    return None if found.at is None else int(starts[found.at])


def gap_s(at_us: int | None, change: Change) -> float | None:
    """Return the seconds from the interval of the change of the metric to a time; 0 within."""
    if at_us is None or change.first_us is None or change.last_us is None:
        return None
    return (min(at_us - change.first_us, 0) or max(at_us - change.last_us, 0)) / 1e6


def _score(found: Found, p_value: float, change: Change) -> float:
    """Return by what the dimensions are ordered: how much each accounts for, when it moved, what it is."""
    gap = gap_s(found.at_us, change)
    near = 0.85 if gap is None else 1.0 if abs(gap) <= _NEAR_S else 0.6
    named = any(found.coded.labels[int(code)] != NONE for code in found.chosen)
    few = 0.8 if found.support < SUPPORT else 1.0
    # that nearly all moved and a few did not tells hardly more than that all did
    told = 1.0 - found.weight**2 if found.how == "rate" else 1.0
    share = min(found.accounts / change.estimate, 1.0)
    score = share * near * _ORDER[found.coded.dimension.group] * (1.0 if named else 0.5) * few * told
    return round(score - 10 * (p_value > 1 - change.level or score <= 0), 2)


def _account(found: Found, p_value: float, change: Change) -> Account:
    labels = found.coded.labels
    accounts = found.accounts
    ends = sorted(one / change.estimate for one in (accounts - found.half, accounts + found.half))
    return Account(
        dimension=found.coded.dimension.name,
        title=found.coded.dimension.title,
        also=found.coded.also,
        group=found.coded.dimension.group,
        how=found.how,
        values=tuple(labels[int(code)] for code in found.chosen),
        left=tuple(labels[int(code)] for code in found.left),
        accounts=accounts,
        low=accounts - found.half,
        high=accounts + found.half,
        share=accounts / change.estimate,
        share_low=ends[0],
        share_high=ends[1],
        mix=found.mix,
        apart=found.apart,
        p_value=p_value,
        is_clear=p_value <= 1 - change.level and accounts * change.estimate > 0,
        support=found.support,
        at=None if found.at_us is None else from_ns(found.at_us * 1000),
        gap_s=gap_s(found.at_us, change),
        parts=tuple(_named(part, labels) for part in found.parts),
        merged=found.coded.merged,
    )


def _named(part: Part, labels: tuple[str, ...]) -> Part:
    return replace(part, kind=labels[int(part.kind)])  # type: ignore[call-overload]  # the kinds are places
