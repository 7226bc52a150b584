"""Two arms of traffic, by user: intervals that hold however often one looks, and whether the split is the one meant.

Who was given which arm was drawn by user, so users are what is counted: what a user did is one value, whatever the
number of items. A difference is stratified by phase, because the shares of the arms change on the way and so does the
traffic: what happened under some shares is held against what happened under the same. Differences are a - b.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from lmops.calc._recovered import away
from lmops.calc.arrays import Floats, Ints, check_level, check_open_unit, cluster_codes, is_binary, show, vector
from lmops.calc.corrected import no_correction
from lmops.calc.decide import Decision, decide
from lmops.calc.sequential import mixture_rho, normal_mixture_boundary

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from lmops.calc.corrected import Errors

#: Users of each arm before anything is said; long tails need more: so many times the square of the skewness.
FEWEST: Final = 30
_PER_SKEW: Final = 20
#: Where a bound is tightest unless told, in pairs of users: 1,000 users at half and half.
TIGHTEST: Final = 250
#: An earlier mean is made use of where at least such a share of the users has one.
_KNOWN_BEFORE: Final = 0.1
#: How sure of the meant split those are who bet against it: near it and far from it are found alike.
_SURE: Final = (10.0, 100.0, 1_000.0, 10_000.0)
_MOST_PAIRS: Final = 1e12


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmDifference:
    """A difference a - b of two arms with an interval that holds at every look; NaN where it cannot be known."""

    difference: float
    low: float
    high: float
    se: float
    level: float
    mean_a: float
    mean_b: float
    n_a: int  # users
    n_b: int
    pairs: float  # users of a and b as pairs, sum of n_a n_b/(n_a + n_b) over the phases
    reduced: float  # share of the variance that the users' earlier means took away; 0 without
    tightest_at: float
    method: str
    note: str = ""  # why there is no interval

    @property
    def n(self) -> int:
        """Users of both arms."""
        return self.n_a + self.n_b

    @property
    def n_clusters(self) -> int | None:
        """None: users are what is counted."""
        return None

    @property
    def sd(self) -> float:
        """NaN: there are no pairs of the same user."""
        return math.nan

    @property
    def design_effect(self) -> float:
        """NaN: it is in the error already."""
        return math.nan

    def __repr__(self) -> str:
        return (
            f"ArmDifference({show(self.difference)} [{show(self.low)}, {show(self.high)}], {self.level:g}, "
            f"{self.method}, users={self.n_a} and {self.n_b})"
        )


class _Side(NamedTuple):
    """One arm in one phase: its figure, and by how much each of its users moves it, times their number."""

    figure: float
    moves: Floats
    users: Ints

    @property
    def n(self) -> int:
        return self.users.size

    @property
    def variance(self) -> float:
        return float(np.square(self.moves).sum() / max(self.n - 1, 1))


class _Phase(NamedTuple):
    """Both arms in one phase, with what is taken for the variance of the difference and of its users."""

    sides: tuple[_Side, _Side]
    variance: float
    plain: float  # without what earlier means explain
    seen: float  # of the users alone, without a floor
    skew: float

    @property
    def pairs(self) -> float:
        a, b = (side.n for side in self.sides)
        return a * b / (a + b)


def arm_difference(
    values: ArrayLike,
    users: ArrayLike | Iterable[object],
    in_a: ArrayLike,
    *,
    phases: ArrayLike | None = None,
    before: ArrayLike | None = None,
    quantile: float | None = None,
    level: float = 0.95,
    tightest_at: float = TIGHTEST,
    fewest: int = FEWEST,
) -> ArmDifference:
    """Return the difference a - b of two arms, by user, with an interval that holds at every look.

    The figure of an arm is the mean of its items, ``sum y / sum m`` over users (a ratio metric), or a quantile of them.
    Each user's influence on it is linear: ``(y_i - R m_i)/mean(m)``; of a quantile ``(p m_i - #{x <= q})/(f mean(m))``
    with the density from Woodruff's limits. Phases are put together by ``n_a n_b/(n_a + n_b)``, which no outcome moves;
    what a user does in several phases goes together. Where users have earlier means they explain a part (CUPED). With
    h these pairs of users and V the variance of the difference times h, the limits are ``d -+ sqrt(V) u(h)/h``, u the
    normal mixture: the asymptotic confidence sequence of the influences. An arm is taken to vary at least as both do
    together, with a failure and a success more where values are 0 and 1: an arm of few users of whom none failed knows
    nothing of its spread.

    Sources: I. Waudby-Smith, D. Arbour, R. Sinha, E. Kennedy, A. Ramdas, "Time-uniform central limit theory and
    asymptotic confidence sequences", Annals of Statistics 52 (2024); A. Deng, Y. Xu, R. Kohavi, T. Walker, "Improving
    the sensitivity of online controlled experiments by utilizing pre-experiment data", WSDM 2013; A. Deng, U. Knoblich,
    J. Lu, "Applying the delta method in metric analytics", KDD 2018; R. Woodruff, JASA 47 (1952) 635-646.

    Args:
        values: one for each item; NaN are left out.
        users: of each item; an item whose user is missing is a user of its own.
        in_a: of each item, whether arm a had it, else arm b.
        phases: of each item, under which shares it was drawn, whole numbers; None: the shares never changed.
        before: of each item, the mean of its user before there were arms, NaN where there is none; None: of nobody.
        quantile: in (0, 1): the quantile that is compared; None: the mean.
        level: in (0, 1).
        tightest_at: where the interval is tightest, in pairs of users; chosen before one looks.
        fewest: users of each arm before there is an interval; long tails need more by themselves.

    Returns:
        An ArmDifference. Too few users, or no spread at all: no limits, and ``note`` says why.

    Raises:
        ValueError: users, arms, phases or earlier means of another length than the values.
    """
    check_level(level)
    data = vector(values)
    codes, member = cluster_codes(users, data.size), np.asarray(in_a, dtype=bool)
    phase = np.zeros(data.size, dtype=np.int64) if phases is None else np.asarray(phases, dtype=np.int64)
    earlier = None if before is None else vector(before, "before")
    for name, part in (("in_a", member), ("phases", phase), ("before", earlier)):
        if part is not None and part.shape != data.shape:
            raise ValueError(f"{name} must be of the length of the values: {part.size} and {data.size}")
    known = ~np.isnan(data)
    binary = quantile is None and is_binary(data)
    found = []
    for one in np.unique(phase[known]):
        mine = known & (phase == one)
        made = _phase(
            data[mine], codes[mine], member[mine], None if earlier is None else earlier[mine], quantile, binary=binary
        )
        found += [made] if made is not None else []
    sides = [(data[known & side], codes[known & side]) for side in (member, ~member)]
    skew = 0.0 if binary else max((one.skew for one in found), default=0.0)
    fields = {
        "level": level,
        "mean_a": _figure(sides[0][0], quantile),
        "mean_b": _figure(sides[1][0], quantile),
        "n_a": int(np.unique(sides[0][1]).size),
        "n_b": int(np.unique(sides[1][1]).size),
        "tightest_at": tightest_at,
    }
    return _put_together(found, max(fewest, math.ceil(_PER_SKEW * skew**2)), fields)


def _put_together(found: Sequence[_Phase], enough: int, fields: dict[str, Any]) -> ArmDifference:
    """Return the difference over all phases."""
    pairs = sum(one.pairs for one in found)
    shares = [one.pairs / pairs for one in found]
    gap = sum(share * (one.sides[0].figure - one.sides[1].figure) for share, one in zip(shares, found, strict=True))
    again = _again(found, shares)
    variance = sum(share**2 * one.variance for share, one in zip(shares, found, strict=True)) + again
    plain = sum(share**2 * one.plain for share, one in zip(shares, found, strict=True)) + again
    note, low, high = "", math.nan, math.nan
    smaller = min(fields["n_a"], fields["n_b"])
    if smaller < enough or not found:
        note = f"{smaller:,} users in the smaller arm: nothing is said below {enough:,}"
    elif not variance > 0:
        note = "nothing varies: no interval can be computed"
    else:
        half = half_width(pairs, variance * pairs, level=fields["level"], tightest_at=fields["tightest_at"])
        low, high = gap - half, gap + half
    return ArmDifference(
        difference=gap if found else math.nan,
        low=low,
        high=high,
        se=math.sqrt(variance) if variance > 0 else math.nan,
        pairs=pairs,
        reduced=max(0.0, 1 - variance / plain) if plain > 0 else 0.0,
        method="always valid, by user" + (", adjusted by earlier means" if 0 < variance < plain else ""),
        note=note,
        **fields,
    )


def _again(found: Sequence[_Phase], shares: Sequence[float]) -> float:
    """Return what it adds to the variance that users of several phases are the same ones; never less than nothing."""
    if len(found) < 2:
        return 0.0
    most = max(int(side.users.max()) for one in found for side in one.sides) + 1
    moved = np.zeros(most)
    for share, one in zip(shares, found, strict=True):
        for sign, side in zip((1, -1), one.sides, strict=True):
            moved[side.users] += sign * share * side.moves / side.n
    apart = sum(share**2 * one.seen for share, one in zip(shares, found, strict=True))
    return max(float(np.square(moved).sum()) - apart, 0.0)


class Spread(NamedTuple):
    """A figure, how much a user moves it, and by how many users that is known."""

    figure: float
    sd: float  # NaN below two users
    users: int


def user_spread(values: ArrayLike, users: ArrayLike | Iterable[object], *, quantile: float | None = None) -> Spread:
    """Return a mean, or a quantile, with the standard deviation of what a user moves it by; for a plan.

    Args:
        values: one for each item; NaN are left out.
        users: of each item; an item whose user is missing is a user of its own.
        quantile: in (0, 1); None: the mean.
    """
    data = vector(values)
    known = ~np.isnan(data)
    side = _side(data[known], cluster_codes(users, data.size)[known], quantile)
    return Spread(side.figure, math.sqrt(side.variance) if side.n > 1 else math.nan, side.n)


def half_width(pairs: float, variance: float, *, level: float = 0.95, tightest_at: float = TIGHTEST) -> float:
    """Return how far the limits of a difference lie from it.

    Args:
        pairs: of users, ``n_a n_b/(n_a + n_b)``.
        variance: of the difference, times the pairs: that of a user where both arms vary alike.
        level: in (0, 1).
        tightest_at: pairs at which it is tightest.
    """
    rho = mixture_rho(tightest_at, alpha=1 - level)
    return math.sqrt(variance) * float(normal_mixture_boundary(pairs, rho=rho, alpha=1 - level)) / pairs


def _phase(
    values: Floats, users: Ints, in_a: NDArray[np.bool_], before: Floats | None, quantile: float | None, *, binary: bool
) -> _Phase | None:
    """Return both arms in one phase; None where one of them has fewer than two users."""
    sides = _side(values[in_a], users[in_a], quantile), _side(values[~in_a], users[~in_a], quantile)
    if min(side.n for side in sides) < 2:
        return None
    adjusted = sides if before is None else _adjusted(sides, [before[in_a], before[~in_a]], [users[in_a], users[~in_a]])
    if binary:  # a failure and a success more
        most = int(users.max())
        values, users = np.append(values, (0.0, 1.0)), np.append(users, (most + 1, most + 2))
    floor = _side(values, users, quantile).variance
    left = [now.variance / was.variance if was.variance > 0 else 1.0 for now, was in zip(adjusted, sides, strict=True)]
    spread = [max(side.variance, floor) / side.n for side in sides]
    return _Phase(
        sides=adjusted,
        variance=sum(part * min(rest, 1.0) for part, rest in zip(spread, left, strict=True)),
        plain=sum(spread),
        seen=sum(float(np.square(side.moves).sum()) / side.n**2 for side in adjusted),
        skew=max(abs(_skewness(side.moves)) for side in sides),
    )


def _figure(values: Floats, quantile: float | None) -> float:
    if not values.size:
        return math.nan
    if quantile is not None:
        return float(np.quantile(values, quantile))
    return float(values[0] + (values - values[0]).mean())  # what hardly varies keeps its digits


def _side(values: Floats, users: Ints, quantile: float | None) -> _Side:
    """Return the figure of an arm and what each user moves it by."""
    known, place = np.unique(users, return_inverse=True)
    figure, n = _figure(values, quantile), known.size
    if not n:
        return _Side(figure, np.zeros(0), known)
    away = values - figure if quantile is None else quantile - (values <= figure)
    moves = np.bincount(place, weights=away, minlength=n) / (values.size / n)
    if quantile is None:
        return _Side(figure, moves, known)
    error = max(float(np.sqrt(np.square(moves).sum())) / n, 1 / values.size)
    ends = np.quantile(values, [max(quantile - error, 0.0), min(quantile + error, 1.0)])
    return _Side(figure, moves * float(ends[1] - ends[0]) / (2 * error), known)


def _adjusted(sides: tuple[_Side, _Side], before: Sequence[Floats], users: Sequence[Ints]) -> tuple[_Side, _Side]:
    """Return the arms without what the users' earlier means explain; who has none counts as the mean of those."""
    split = [part[np.unique(who, return_index=True)[1]] for part, who in zip(before, users, strict=True)]
    earlier = np.concatenate(split)
    known = ~np.isnan(earlier)
    if known.mean() < _KNOWN_BEFORE or known.sum() < FEWEST:
        return sides
    centre = float(earlier[known].mean())
    moved = [np.where(np.isnan(part), 0.0, part - centre) for part in split]
    within = [part - part.mean() for part in moved]
    total = sum(float(np.square(part).sum()) for part in within)
    if not total > 0:
        return sides
    slope = sum(float((side.moves * part).sum()) for side, part in zip(sides, within, strict=True)) / total
    a, b = (
        _Side(side.figure - slope * float(part.mean()), side.moves - slope * inner, side.users)
        for side, part, inner in zip(sides, moved, within, strict=True)
    )
    return a, b


def _skewness(moves: Floats) -> float:
    spread = float(np.square(moves).mean())
    return float((moves**3).mean()) / spread**1.5 if spread > 0 else 0.0


def corrected_arms(found: ArmDifference, errors: Errors, *, level: float) -> ArmDifference | str:
    """Return the difference of two pass rates that people would find, out of a judge's; or why there is none.

    Two arms on which a judge errs alike differ for people by ``(q_a - q_b)/J``, J its sensitivity + specificity - 1
    (W. J. Rogan, B. Gladen, Am. J. Epidemiology 107 (1978) 71-76). Its limits are the outermost quotients of the limits
    of both: each errs in half of the cases at most, so that together they hold at every look. Those of J are recovered
    from Jeffreys' limits of its two rates (MOVER: G. Y. Zou, A. Donner, Statistics in Medicine 27 (2008) 1693-1702).

    Args:
        found: a - b of the judge's verdicts, 0 and 1, at a level of ``(1 + level)/2``.
        errors: of the judge, known from other items.
        level: in (0, 1), of the limits that come back.
    """
    reason = no_correction(errors)
    if reason is not None:
        return reason
    q1, n_pass, q0, n_fail = errors
    index = q1 + q0 - 1
    down, up = (math.sqrt(part.sum()) for part in away([q1, q0], [n_pass, n_fail], (1 + level) / 2))
    if index <= down:
        return "its labels are too few to tell it from a coin"
    limits = [end / one for end in (found.low, found.high) for one in (index - down, min(index + up, 1.0))]
    rates = [min(max((rate + q0 - 1) / index, 0.0), 1.0) for rate in (found.mean_a, found.mean_b)]
    return replace(
        found,
        difference=float(np.clip(found.difference / index, -1, 1)),
        low=max(min(limits), -1.0),
        high=min(max(limits), 1.0),
        se=found.se / index,
        level=level,
        mean_a=rates[0],
        mean_b=rates[1],
        method=f"{found.method}, without the errors of the judge",
    )


def judge_arms(
    difference: ArmDifference, *, margin: float | None = None, higher_is_better: bool = True, power: float = 0.8
) -> Decision:
    """Return whether a is better, worse, or not worse by more than the margin than b - or that it cannot be told.

    The rules are those of :func:`lmops.calc.decide.decide`, at every look. The users needed are those with which bounds
    that hold at every look decide with this power; the shares of the arms stay as they are.

    Args:
        difference: a - b.
        margin: the largest acceptable loss, not negative; None: none is.
        higher_is_better: False for cost, latency, error rates.
        power: in (0, 1).
    """
    told = decide(difference, margin=margin, higher_is_better=higher_is_better, power=power)
    d = difference
    reason = d.note or told.reason
    if told.outcome != "inconclusive" or not d.pairs > 0 or not d.se > 0:
        return replace(told, reason=reason, n_needed=None)
    variance, alpha = d.se**2 * d.pairs, 1 - d.level
    gain = d.difference if higher_is_better else -d.difference
    rooms = [abs(gain)] if not margin else [margin, margin + min(gain, 0.0)]
    needed: int | None = None
    for room in rooms:
        pairs = pairs_needed(room, variance, alpha=alpha, power=power, tightest_at=d.tightest_at)
        needed = None if pairs is None else math.ceil(d.n * pairs / d.pairs)
        if needed is None or needed > d.n:
            break
    needed = None if needed is None else max(needed, d.n + 1)
    return replace(told, reason=reason, n_needed=needed)


def pairs_needed(
    effect: float,
    variance: float,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    tightest_at: float | None = None,
) -> int | None:
    """Return the pairs of users with which a difference is found: by a test of one look, or at any look.

    One look: ``(z_{alpha/2} + z_power)^2 variance/effect^2``. At any look: where the limits lie so near that an
    estimate z_power errors short of the effect is still told; most are told earlier.

    Args:
        effect: the difference, or the room to the margin; its sign does not matter.
        variance: of a user.
        alpha: two-sided error in (0, 1).
        power: in (0, 1).
        tightest_at: pairs at which limits that hold at any look are tightest; None: a test of one look.

    Returns:
        Whole pairs; None for no effect, or more than anyone could have.
    """
    check_open_unit("alpha", alpha)
    check_open_unit("power", power)
    delta = abs(effect)
    if not delta > 0 or not variance >= 0 or math.isinf(delta):
        return None
    normal = NormalDist()
    if tightest_at is None:
        found = (normal.inv_cdf(1 - alpha / 2) + normal.inv_cdf(power)) ** 2 * variance / delta**2
        return None if found > _MOST_PAIRS else max(1, math.ceil(found))
    spread = math.sqrt(variance)
    z = normal.inv_cdf(power)

    def is_enough(pairs: float) -> bool:
        half = half_width(pairs, variance, level=1 - alpha, tightest_at=tightest_at)
        return delta >= half + z * spread / math.sqrt(pairs)

    if not is_enough(_MOST_PAIRS):
        return None
    low, high = 1, int(_MOST_PAIRS)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle + 1, high)
    return low


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRatio:
    """Whether the users came in the shares that were meant."""

    n: int
    counts: tuple[int, ...]  # by arm
    expected: tuple[float, ...]
    p_value: float  # always valid: one over the evidence
    chi2_p: float  # Pearson's, for one look that was planned
    alpha: float

    @property
    def is_mismatch(self) -> bool:
        """Whether they did not: what is compared is then no comparison."""
        return self.p_value < self.alpha


def sample_ratio(
    counts: Sequence[Sequence[int]], shares: Sequence[Sequence[float]], *, alpha: float = 0.001
) -> SampleRatio:
    """Return whether users came in the shares that were meant, at any look.

    For each phase the evidence against its shares is the chance of the counts under a Dirichlet mixture around the
    shares, over that under the shares themselves; phases multiply. It reaches 1/alpha with probability at most alpha,
    however often one looks. Source: M. Lindon, A. Malek, "Anytime-valid inference for multinomial count data", NeurIPS
    2022; mixed over how far from the shares. Causes and the level of .001: A. Fabijan et al., KDD 2019.

    Args:
        counts: users of each arm, by phase.
        shares: the shares that were meant, by phase; an arm of share 0 must have none.
        alpha: in (0, 1).

    Returns:
        A SampleRatio; no users: p is 1.

    Raises:
        ValueError: other arms in counts than in shares, or shares that do not add up to 1.

    >>> [sample_ratio([[a, 50_000 - a]], [[0.5, 0.5]]).is_mismatch for a in (26_000, 25_150)]
    [True, False]
    """
    from scipy.special import chdtrc

    check_open_unit("alpha", alpha)
    seen, meant = np.asarray(counts, dtype=np.float64), np.asarray(shares, dtype=np.float64)
    if seen.ndim != 2 or seen.shape != meant.shape or not np.allclose(meant.sum(axis=1), 1, atol=1e-6):
        raise ValueError("counts and shares must be phases x arms of one shape, and the shares of a phase add up to 1")
    evidence = sum(_evidence(row, share) for row, share in zip(seen, meant, strict=True))
    expected = (seen.sum(axis=1, keepdims=True) * meant).sum(axis=0)
    by_phase = seen.sum(axis=1, keepdims=True) * meant
    used = by_phase > 0
    chi2 = float((np.square(seen - by_phase)[used] / by_phase[used]).sum())
    df = int(used.sum() - (used.any(axis=1)).sum())
    return SampleRatio(
        n=int(seen.sum()),
        counts=tuple(int(one) for one in seen.sum(axis=0)),
        expected=tuple(float(one) for one in expected),
        p_value=math.exp(-max(evidence, 0.0)),
        chi2_p=float(chdtrc(df, chi2)) if df > 0 else math.nan,
        alpha=alpha,
    )


def _evidence(counts: Floats, shares: Floats) -> float:
    """Return the logarithm of the evidence of one phase against its shares."""
    from scipy.special import gammaln

    if bool((counts[shares <= 0] > 0).any()):
        return math.inf
    n, share = counts[shares > 0], shares[shares > 0]
    total = float(n.sum())
    under = float((n * np.log(share)).sum())
    mixed = []
    for sure in _SURE:
        prior = sure * share
        apart = float((gammaln(prior + n) - gammaln(prior)).sum())
        mixed.append(float(gammaln(sure) - gammaln(sure + total)) + apart - under)
    return float(np.logaddexp.reduce(mixed)) - math.log(len(mixed))
