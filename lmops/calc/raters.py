"""Labels as rows, one per item, field and rater: who agrees with whom, on what, and what is taken for what."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

from lmops.calc._ratings import table_of
from lmops.calc.agreement import Agreement, agreement_report, cohen_kappa, gwet_ac1
from lmops.calc.arrays import is_missing

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    from lmops.calc._ratings import Table


class PairAgreement(NamedTuple):
    """Two raters on the items that both rated."""

    rater_a: Hashable
    rater_b: Hashable
    kappa: Agreement  # Cohen's
    ac1: Agreement  # Gwet's
    confusion: Mapping[tuple[Hashable, Hashable], int]  # (label of a, label of b): items


class CategoryAgreement(NamedTuple):
    """One category among all raters."""

    category: Hashable
    agreement: float  # of the ratings in it, the share of other raters' ratings of the same item that are in it too
    rate: float  # share of all ratings of items that were rated twice or more
    n: int  # such ratings
    taken_for: Mapping[Hashable, int]  # the other category: pairs of ratings of one item that are this and that


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldAgreement:
    """What raters agree on in one field."""

    field: Hashable
    coefficients: Mapping[str, Agreement]  # as of agreement_report
    pairs: Sequence[PairAgreement]  # the ones that rated an item in common, in the order of their names
    categories: Sequence[CategoryAgreement]
    disagreements: Sequence[Hashable]  # items with two different labels or more, those most at odds first
    n_items: int  # with a label
    n_compared: int  # with two or more

    def __repr__(self) -> str:
        raw = next(iter(self.coefficients.values())).raw
        return (
            f"FieldAgreement({self.field!r}, raw {raw:.3g} of {self.n_compared} items, "
            f"{len(self.disagreements)} in dispute)"
        )


def agreement_by_field(
    rows: Iterable[tuple[Hashable, Hashable, Hashable, Hashable]],
    *,
    categories: Mapping[Hashable, Sequence[Hashable]] | None = None,
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> list[FieldAgreement]:
    """Return the agreement of each field: all coefficients, by pair of raters, by category, and what is in dispute.

    A category's agreement is the proportion of specific agreement, ``sum n_ic (n_ic - 1) / sum n_ic (n_i - 1)`` with
    n_ic of the n_i ratings of item i in c: chance plays no part in it, so that a rare category shows its own. Source:
    R. L. Spitzer, J. L. Fleiss, British J. of Psychiatry 125 (1974) 341-347; J. L. Fleiss, Statistical Methods for
    Rates and Proportions, 2nd ed. (1981), section 13.1.

    Args:
        rows: (item, field, rater, value); the last of one item, field and rater counts, and a missing value is none.
        categories: all possible values of a field in their order; None: those that were used.
        level: confidence level in (0, 1).
        draws: resamples of items.
        seed: of the resampling.

    Returns:
        One FieldAgreement a field, in the order of appearance; coefficients without anything to compare are NaN.

    >>> rows = [(1, "ok", "ann", 1), (1, "ok", "bob", 1), (2, "ok", "ann", 0), (2, "ok", "bob", 1)]
    >>> agreement_by_field(rows, draws=10)
    [FieldAgreement('ok', raw 0.5 of 2 items, 1 in dispute)]
    """
    fields: dict[Hashable, dict[tuple[Hashable, Hashable], Hashable]] = {}
    for item, field, rater, value in rows:
        given = fields.setdefault(field, {})
        if is_missing(value):
            given.pop((item, rater), None)
        else:
            given[item, rater] = value
    options = {"level": level, "draws": draws, "seed": seed}
    return [_field(field, given, (categories or {}).get(field), options) for field, given in fields.items()]


def _field(
    field: Hashable,
    given: Mapping[tuple[Hashable, Hashable], Hashable],
    categories: Sequence[Hashable] | None,
    options: Mapping[str, Any],
) -> FieldAgreement:
    items = list(dict.fromkeys(item for item, _ in given))
    raters = sorted({rater for _, rater in given}, key=lambda rater: (type(rater).__name__, str(rater)))
    ratings = [[given.get((item, rater)) for rater in raters] for item in items]
    table = table_of(ratings, categories)
    return FieldAgreement(
        field=field,
        coefficients=agreement_report(ratings, categories=table.labels, **options),
        pairs=[
            found
            for a, b in combinations(range(len(raters)), 2)
            if (found := _pair(raters[a], raters[b], [(row[a], row[b]) for row in ratings], table, options))
        ],
        categories=_by_category(table),
        disagreements=_disputed(items, table),
        n_items=len(items),
        n_compared=len(table.compared()),
    )


def _pair(
    one: Hashable, other: Hashable, rows: list[tuple[Hashable, Hashable]], table: Table, options: Mapping[str, Any]
) -> PairAgreement | None:
    both = [row for row in rows if not (is_missing(row[0]) or is_missing(row[1]))]
    if not both:
        return None
    left, right = zip(*both, strict=True)
    return PairAgreement(
        one,
        other,
        cohen_kappa(left, right, categories=table.labels, **options),
        gwet_ac1(both, categories=table.labels, **options),
        dict(Counter(both)),
    )


def _by_category(table: Table) -> list[CategoryAgreement]:
    counts = table.compared()
    per_item = counts.sum(axis=1)
    together = counts.T @ counts
    found = []
    for i, label in enumerate(table.labels):
        ratings, chances = float(counts[:, i].sum()), float((counts[:, i] * (per_item - 1)).sum())
        found.append(
            CategoryAgreement(
                label,
                float((counts[:, i] * (counts[:, i] - 1)).sum()) / chances if chances else math.nan,
                ratings / float(per_item.sum()) if per_item.size else math.nan,
                int(ratings),
                {other: int(together[i, j]) for j, other in enumerate(table.labels) if j != i and together[i, j]},
            )
        )
    return found


def _disputed(items: Sequence[Hashable], table: Table) -> list[Hashable]:
    """Return the items with different labels: first where no label has most of the ratings."""
    sizes = table.counts.sum(axis=1)
    odds = {
        item: float(table.counts[i].max() / sizes[i])
        for i, item in enumerate(items)
        if sizes[i] > 1 and table.counts[i].max() < sizes[i]
    }
    return sorted(odds, key=lambda item: odds[item])
