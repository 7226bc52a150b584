"""Ratings as a table: items by raters, by the numbers of their labels, and by how often each label was given.

Private to calc.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from lmops.calc.arrays import Floats, Ints, is_missing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

Ratings: TypeAlias = "ArrayLike | Sequence[Sequence[object]] | Table"
_MOST_LABELS = 100


class Rated(NamedTuple):
    """The items with at least one rating."""

    chosen: NDArray[np.bool_]  # which of all items these are
    counts: Floats  # items x labels
    is_compared: NDArray[np.bool_]  # with two ratings or more
    share: Floats  # of the pairs of ratings that are the same; 0 for one rating


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Ratings of items by raters."""

    labels: tuple[object, ...]
    codes: Ints  # items x raters, -1 for a missing rating
    counts: Floats  # items x labels

    def compared(self) -> Floats:
        """Return the counts of the items with at least two ratings."""
        chosen: Floats = self.counts[self.counts.sum(axis=1) > 1]
        return chosen

    def rated(self) -> Rated:
        """Return the items with at least one rating: with one they say how often a label is given, and no more."""
        per_item = self.counts.sum(axis=1)
        counts: Floats = self.counts[per_item > 0]
        return Rated(per_item > 0, counts, per_item[per_item > 0] > 1, pair_share(counts))

    def few_labels(self, what: str) -> int:
        """Return the number of labels; refuse more than can be put into a table."""
        size = max(1, len(self.labels))
        if size > _MOST_LABELS:
            raise ValueError(
                f"{what} takes at most {_MOST_LABELS} labels, found {size}; "
                "krippendorff_alpha(scale='interval') takes any number of different values"
            )
        return size

    def numbers(self, scale: str = "interval") -> Floats:
        """Return the labels as numbers; refuse words."""
        try:
            return np.array([float(label) for label in self.labels or (0.0,)])  # type: ignore[arg-type]  # words are refused
        except (TypeError, ValueError):
            kinds = sorted({type(label).__name__ for label in self.labels})
            raise ValueError(f"scale={scale!r} needs numbers as labels, found {', '.join(kinds)}") from None


def table_of(ratings: Ratings, categories: Sequence[object] | None) -> Table:
    """Return ratings as a table; one that is a table already as it is."""
    if isinstance(ratings, Table):
        return ratings
    if is_numeric(ratings) and np.ndim(ratings) == 2:  # type: ignore[arg-type]  # any sequence will do
        return _numeric_table(np.asarray(ratings), categories)
    rows = [list(row) for row in ratings]  # type: ignore[union-attr, arg-type]  # a table has gone already
    width = max((len(row) for row in rows), default=0)
    used = {label for row in rows for label in row if not is_missing(label)}
    labels = _ordered(used) if categories is None else tuple(categories)
    place = _places(labels, used)
    codes = np.full((len(rows), width), -1, dtype=np.int64)
    for i, row in enumerate(rows):
        codes[i, : len(row)] = [-1 if is_missing(label) else place[label] for label in row]
    return _of_codes(labels, codes)


def is_numeric(values: object) -> bool:
    """Return whether these are an array of numbers."""
    return isinstance(values, np.ndarray) and values.dtype.kind in "biuf"


def _numeric_table(ratings: np.ndarray[tuple[Any, ...], Any], categories: Sequence[object] | None) -> Table:
    """Return the table of an array of numbers, without a step per rating."""
    values, back = np.unique(ratings, return_inverse=True)
    known = ~np.isnan(values.astype(np.float64))
    used = values[known].tolist()
    labels: tuple[object, ...] = tuple(used) if categories is None else tuple(categories)
    place = _places(labels, set(used))
    code_of = np.full(values.size, -1, dtype=np.int64)
    code_of[known] = [place[label] for label in used]
    return _of_codes(labels, code_of[back].reshape(ratings.shape))


def _places(labels: tuple[object, ...], used: set[object]) -> dict[object, int]:
    place = {label: i for i, label in enumerate(labels)}
    if unknown := used - place.keys():
        raise ValueError(f"labels {sorted(map(repr, unknown))[:5]} are not among the categories {list(labels)[:10]}")
    return place


def _of_codes(labels: tuple[object, ...], codes: Ints) -> Table:
    size = max(1, len(labels))
    item, rater = np.nonzero(codes >= 0)
    counts = np.bincount(item * size + codes[item, rater], minlength=len(codes) * size)
    return Table(labels=labels, codes=codes, counts=counts.astype(np.float64).reshape(len(codes), size))


def _ordered(labels: set[object]) -> tuple[object, ...]:
    try:
        return tuple(sorted(labels))  # type: ignore[type-var]  # or they have no order
    except TypeError:
        return tuple(sorted(labels, key=lambda label: (type(label).__name__, repr(label))))


def pair_share(counts: Floats) -> Floats:
    """Return for each item the share of pairs of its ratings that are the same; 0 for fewer than two ratings."""
    m = counts.sum(axis=1)
    share: Floats = (counts * (counts - 1)).sum(axis=1) / np.maximum(m * (m - 1), 1)
    return share
