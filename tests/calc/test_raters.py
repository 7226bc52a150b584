"""Labels as rows: published agreement, pairs, categories, disputes."""

from __future__ import annotations

import math

import pytest

from lmops.calc.agreement import fleiss_kappa
from lmops.calc.raters import agreement_by_field

#: Two raters of 100 items: 40 both pass, 30 both fail, 20 and 10 apart.
CELLS = {("pass", "pass"): 40, ("pass", "fail"): 20, ("fail", "pass"): 10, ("fail", "fail"): 30}


def of_cells():
    pairs = [pair for pair, count in CELLS.items() for _ in range(count)]
    for item, (ann, bob) in enumerate(pairs):
        yield item, "ok", "ann", ann
        yield item, "ok", "bob", bob


def test_two_raters():
    """Cohen's kappa of the textbook table, the confusion, and specific agreement of each label."""
    (found,) = agreement_by_field(of_cells(), draws=50)
    (pair,) = found.pairs
    assert pair.kappa.value == pytest.approx(0.4)
    assert (pair.rater_a, pair.rater_b, pair.confusion) == ("ann", "bob", CELLS)
    shares = {one.category: one.agreement for one in found.categories}
    assert shares == pytest.approx({"pass": 80 / 110, "fail": 60 / 90})
    assert found.categories[0].taken_for == {"pass": 30}
    assert (found.n_items, found.n_compared, len(found.disagreements)) == (100, 100, 30)


def test_several_raters_who_did_not_rate_all():
    """Pairs without an item in common are left out; those most at odds come first in what is in dispute."""
    rows = [
        ("a", "tone", "ann", "kind"),
        ("a", "tone", "bob", "kind"),
        ("a", "tone", "eve", "rude"),
        ("b", "tone", "ann", "kind"),
        ("b", "tone", "bob", "rude"),
        ("c", "tone", "eve", "rude"),
        ("c", "tone", "joe", "rude"),
    ]
    (found,) = agreement_by_field(rows, draws=50)
    assert [(pair.rater_a, pair.rater_b) for pair in found.pairs] == [
        ("ann", "bob"),
        ("ann", "eve"),
        ("bob", "eve"),
        ("eve", "joe"),
    ]
    assert found.disagreements == ["b", "a"]
    assert found.coefficients["gwet_ac1"].n == 3


def test_each_field_by_itself():
    """With the coefficients of its own table, and categories that nobody used when they are named."""
    rows = [
        *of_cells(),
        ("x", "tone", "ann", 1),
        ("x", "tone", "bob", 1),
        ("y", "tone", "ann", 2),
        ("y", "tone", "bob", 1),
    ]
    first, second = agreement_by_field(rows, categories={"tone": (1, 2, 3)}, draws=50)
    assert (first.field, second.field) == ("ok", "tone")
    assert second.coefficients["fleiss_kappa"].value == fleiss_kappa([[1, 1], [2, 1]], draws=50).value
    assert math.isnan(second.categories[2].agreement)


def test_last_row_counts_and_missing_ones_do_not():
    """A label that was changed, and one that was taken back."""
    rows = [
        ("a", "ok", "ann", 0),
        ("a", "ok", "ann", 1),
        ("a", "ok", "bob", 1),
        ("a", "ok", "eve", 0),
        ("a", "ok", "eve", None),
    ]
    (found,) = agreement_by_field(rows, draws=10)
    assert found.disagreements == []
    assert [pair.confusion for pair in found.pairs] == [{(1, 1): 1}]


def test_nothing_to_compare():
    """No rows: no field. One rater: a field whose coefficients are not known."""
    assert agreement_by_field([]) == []
    (alone,) = agreement_by_field([("a", "ok", "ann", 1)], draws=10)
    assert (alone.pairs, alone.n_compared) == ([], 0)
    assert all(math.isnan(one.value) for one in alone.coefficients.values())
