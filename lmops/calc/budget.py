"""Where the error of a judged score comes from, and what the next calls or labels would take off it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lmops.calc.arrays import Floats, Ints, check_level, cluster_codes, is_missing, matrix, show, z_value
from lmops.calc.corrected import Errors, allocate_labels, no_correction, smoothed
from lmops.calc.intervals import clustered_se

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import ArrayLike


class Step(NamedTuple):
    """Something to spend the next calls or labels on."""

    what: str  # "items", "repeats", "labels", or the name of a setting: another level of it
    amount: int  # calls, or labels
    se: float  # what the standard error would be then
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorBudget:
    """The squared error of a mean score by where it comes from; NaN for what these scores do not tell."""

    estimate: float  # corrected where errors of the judge are given
    se: float
    half_width: float
    level: float
    parts: Mapping[str, float]  # squared error by source: items, judge noise, judge bias, each setting
    steps: Sequence[Step]  # best first
    n: int  # items
    n_missing: int  # items without a score in every column
    answers: int  # columns
    reason: str | None = None  # why something is NaN

    @property
    def shares(self) -> dict[str, float]:
        """The parts as shares of what is known of the squared error."""
        total = sum(part for part in self.parts.values() if not math.isnan(part))
        return {name: part / total if total > 0 else math.nan for name, part in self.parts.items()}

    def __repr__(self) -> str:
        shares = ", ".join(f"{name} {show(share)}" for name, share in self.shares.items())
        best = f"; next: {self.steps[0].advice}" if self.steps else ""
        return f"ErrorBudget({show(self.estimate)} -+ {show(self.half_width)}: {shares}{best})"


def error_budget(
    scores: ArrayLike,
    *,
    settings: Mapping[str, Sequence[object]] | None = None,
    errors: Errors | None = None,
    clusters: ArrayLike | Iterable[object] | None = None,
    spend: int = 50,
    level: float = 0.95,
    is_difference: bool = False,
) -> ErrorBudget:
    """Return the parts of a mean score's squared error, and which next calls or labels narrow it most.

    With n items in C columns, M the mean square of what item and column leave over: judge noise ``M/(n C)``; items
    ``s^2/n - M/(n C)`` with s^2 the (clustered) variance of the items' means; a setting whose levels have r_l columns
    ``v sum (r_l/C)^2`` with v the variance between its levels, ``(MS_between - M/n)/r``. With the judge's errors these
    are divided by J^2 = (sensitivity + specificity - 1)^2 and judge bias is
    ``((1-theta)^2 q0(1-q0)/m0 + theta^2 q1(1-q1)/m1)/J^2``, as in :func:`lmops.calc.corrected.corrected_pass_rate`. No
    part is below 0. Of a difference d = a - b of verdicts judge bias is
    ``d^2 (q0(1-q0)/m0 + q1(1-q1)/m1)/J^2``, as if the judge erred alike on both. Sources: variance components of
    R. L. Brennan, Generalizability Theory (2001), chapters 2 and 3; E. Miller, arXiv 2411.00640 (2024); C. Lee et al.,
    arXiv 2511.21140 (2025).

    More calls lower items by n/(n + m), noise by the calls that there are, a setting by its levels; more labels lower
    judge bias, allotted by :func:`lmops.calc.corrected.allocate_labels`.

    Args:
        scores: items x columns, each column one repeat of the judge under one setting; an item with a NaN is left out.
        settings: what varied between the columns, such as {"wording": ["a", "a", "b", "b"], "temperature": [0, 1, 0,
            1]}, crossed; None: the columns are repeats.
        errors: sensitivity and specificity of the judge, by which the mean is corrected; None: its bias is not known.
        clusters: the cluster of each item; None for independent items.
        spend: calls, or labels, to give next.
        level: confidence level in (0, 1), of the half-width.
        is_difference: whether the scores are differences of verdicts, a - b.

    Returns:
        An ErrorBudget. One column: noise is part of items, its own part NaN. A setting with one level: NaN.

    Raises:
        ValueError: a setting that does not name one level a column, or fewer than one call to spend.
    """
    check_level(level)
    if spend < 1:
        raise ValueError(f"spend must be at least 1, not {spend}")
    given = matrix(scores, "scores")
    known = ~np.isnan(given).any(axis=1)
    data = given[known]
    n, columns = data.shape
    codes = np.arange(n) if clusters is None else cluster_codes(clusters, len(given))[known]
    levels = {name: _levels(name, named, columns) for name, named in (settings or {}).items()}
    parts, reason = _parts(data, levels, codes), None
    estimate = float(data.mean()) if n else math.nan
    parts["judge bias"] = math.nan
    if errors is None:
        reason = "judge bias is not known without labels"
    elif reason := no_correction(errors):
        estimate = math.nan
    else:
        youden = errors.sensitivity + errors.specificity - 1
        shift, least = (0.0, -1.0) if is_difference else (errors.specificity - 1, 0.0)
        estimate = min(1.0, max(least, (estimate + shift) / youden))
        parts = {name: part / youden**2 for name, part in parts.items()}
        parts["judge bias"] = _bias(estimate, errors, is_difference=is_difference)
    se = math.sqrt(_total(parts))
    steps = [*_calls(parts, levels, n, columns, spend)]
    if errors is not None and reason is None and n:
        steps.append(_labels(parts, errors, estimate, spend, is_difference=is_difference))
    return ErrorBudget(
        estimate=estimate,
        se=se,
        half_width=z_value(level) * se,
        level=level,
        parts=parts,
        steps=sorted(steps, key=lambda step: step.se),
        n=n,
        n_missing=len(given) - n,
        answers=columns,
        reason=reason,
    )


def _levels(name: str, named: Sequence[object], columns: int) -> list[list[int]]:
    """Return the columns of each level of a setting."""
    if len(named) != columns:
        raise ValueError(
            f"settings[{name!r}] must name one level per column: {len(named)} levels for {columns} columns"
        )
    if any(is_missing(level) for level in named):
        raise ValueError(f"settings[{name!r}] must be known of every column")
    found: dict[object, list[int]] = {}
    for column, level in enumerate(named):
        found.setdefault(level, []).append(column)
    return list(found.values())


def _parts(data: Floats, levels: Mapping[str, list[list[int]]], codes: Ints) -> dict[str, float]:
    n, columns = data.shape
    if n < 2:
        return dict.fromkeys(("items", "judge noise", *levels), math.nan)
    means = data.mean(axis=1)
    of_items = clustered_se(means, codes) ** 2
    if columns < 2:
        return {"items": of_items, "judge noise": math.nan} | dict.fromkeys(levels, math.nan)
    by_column = data.mean(axis=0)
    left = data - means[:, None] - by_column + data.mean()
    noise = float(np.square(left).sum()) / ((n - 1) * (columns - 1))
    parts = {"items": max(0.0, of_items - noise / (n * columns)), "judge noise": noise / (n * columns)}
    return parts | {name: _between(by_column, groups, noise / n) for name, groups in levels.items()}


def _between(by_column: Floats, groups: list[list[int]], noise: float) -> float:
    """Return what a setting adds to the squared error: the variance between its levels over their number."""
    if len(groups) < 2:
        return math.nan
    sizes = np.array([len(group) for group in groups], dtype=np.float64)
    columns = float(sizes.sum())
    means = np.array([by_column[group].mean() for group in groups])
    square = float((sizes * np.square(means - by_column.mean())).sum()) / (len(groups) - 1)
    typical = (columns - float(np.square(sizes).sum()) / columns) / (len(groups) - 1)
    return max(0.0, (square - noise) / typical) * float(np.square(sizes / columns).sum())


def _bias(rate: float, errors: Errors, *, is_difference: bool) -> float:
    _, of_q0 = smoothed(errors.specificity, errors.n_fail)
    _, of_q1 = smoothed(errors.sensitivity, errors.n_pass)
    youden = errors.sensitivity + errors.specificity - 1
    of_fails, of_passes = (rate, rate) if is_difference else (1 - rate, rate)
    return (of_fails**2 * of_q0 + of_passes**2 * of_q1) / youden**2


def _calls(
    parts: Mapping[str, float], levels: Mapping[str, list[list[int]]], n: int, columns: int, spend: int
) -> Iterable[Step]:
    """Return what so many more calls of the judge would do: on new items, or again on the ones that are there."""
    if n < 2:
        return
    more = spend / columns
    shrunk = {name: part * n / (n + more) if name in {"items", "judge noise"} else part for name, part in parts.items()}
    each = "" if columns == 1 else f", {columns} a piece"
    yield Step("items", spend, math.sqrt(_total(shrunk)), f"judge {math.ceil(more)} more items{each}")
    less = n * columns / (n * columns + spend)
    again = {"judge noise": parts["judge noise"] * less}
    if not math.isnan(parts["judge noise"]):
        yield Step("repeats", spend, math.sqrt(_total({**parts, **again})), f"ask the judge {spend} times more")
    for name, groups in levels.items():
        if not math.isnan(parts[name]):
            other = {**parts, **again, name: parts[name] * less}
            advice = f"ask {spend} times under another {name} than the {len(groups)} that there are"
            yield Step(name, spend, math.sqrt(_total(other)), advice)


def _labels(parts: Mapping[str, float], errors: Errors, rate: float, spend: int, *, is_difference: bool) -> Step:
    split = allocate_labels(
        spend,
        rate=0.5 if is_difference else rate,  # of a difference both errors count alike
        sensitivity=errors.sensitivity,
        n_pass=errors.n_pass,
        specificity=errors.specificity,
        n_fail=errors.n_fail,
    )
    later = errors._replace(n_pass=split.target_pass, n_fail=split.target_fail)
    advice = f"label {split.add_pass} more passes and {split.add_fail} more fails"
    less = {**parts, "judge bias": _bias(rate, later, is_difference=is_difference)}
    return Step("labels", spend, math.sqrt(_total(less)), advice)


def _total(parts: Mapping[str, float]) -> float:
    """Return the sum of the parts that are known; NaN when none is."""
    known = [part for part in parts.values() if not math.isnan(part)]
    return sum(known) if known else math.nan
