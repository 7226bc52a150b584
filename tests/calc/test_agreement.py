"""Agreement: the classic worked examples, an oracle, invariances, coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats import inter_rater

from lmops.calc.agreement import agreement_report, cohen_kappa, fleiss_kappa, gwet_ac1, krippendorff_alpha

# Krippendorff (2011), "Computing Krippendorff's alpha-reliability", example C: 4 observers, 12 units
KRIPPENDORFF = list(
    zip(
        [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
        [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
        strict=True,
    )
)
# Fleiss (1971), table 1: 30 patients, 6 psychiatrists, 5 diagnoses
FLEISS = [
    "00060", "03003", "01401", "00006", "03030", "20400", "00402", "20310", "20040", "00006",
    "10050", "11040", "03300", "10050", "02031", "00501", "30012", "51000", "02040", "10203",
    "00006", "01050", "02013", "20040", "10041", "05010", "40002", "02040", "10500", "00006",
]  # fmt: skip  # many words: packed, they are read at a glance
FEW = {"draws": 50}
RATINGS = st.lists(st.lists(st.sampled_from([1, 2, 3, None]), min_size=3, max_size=3), min_size=2, max_size=15)


def raters(rows):
    """Return items x raters from counts per label."""
    return [[label for label, count in enumerate(row) for _ in range(int(count))] for row in rows]


@pytest.mark.parametrize(("scale", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_krippendorff_published(scale, alpha):
    """Krippendorff (2011), section C and D: missing ratings, three scales."""
    found = krippendorff_alpha(KRIPPENDORFF, scale=scale, **FEW)
    assert found.value == pytest.approx(alpha, abs=5e-4)
    assert (found.n, found.n_raters) == (11, 4)


def test_krippendorff_two_raters():
    """Krippendorff (2011), section A: binary data of two observers, alpha .095."""
    a = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0]
    b = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    assert krippendorff_alpha(list(zip(a, b, strict=True)), **FEW).value == pytest.approx(0.095, abs=5e-4)


def test_fleiss_published():
    """Fleiss (1971): kappa .430; base rates .144, .144, .167, .306, .239."""
    found = fleiss_kappa(raters(FLEISS), **FEW)
    assert found.value == pytest.approx(0.430, abs=5e-4)
    assert list(found.base_rates.values()) == pytest.approx([0.144, 0.144, 0.167, 0.306, 0.239], abs=5e-4)
    table = np.array([list(map(int, row)) for row in FLEISS])
    assert found.value == pytest.approx(inter_rater.fleiss_kappa(table))


def test_cohen_published():
    """Cohen (1960), table 1: agreement .70, kappa .492."""
    cells = {("a", "a"): 88, ("a", "b"): 14, ("a", "c"): 18, ("b", "a"): 10, ("b", "b"): 40, ("b", "c"): 10,
             ("c", "a"): 2, ("c", "b"): 6, ("c", "c"): 12}  # fmt: skip  # keys that belong together share a line
    pairs = [pair for pair, count in cells.items() for _ in range(count)]
    found = cohen_kappa(*zip(*pairs, strict=True), **FEW)
    assert found.value == pytest.approx(0.492, abs=5e-4)
    assert found.raw == pytest.approx(0.70)


def test_gwet_published():
    """Gwet (2008): 118 + 5 + 2 + 0 of 125; kappa -.023, though raters agree on 94 %; AC1 .941. irrCAC 0.4: .77544."""
    pairs = [("+", "+")] * 118 + [("+", "-")] * 5 + [("-", "+")] * 2
    assert gwet_ac1(pairs, **FEW).value == pytest.approx(0.9408, abs=5e-4)
    assert cohen_kappa(*zip(*pairs, strict=True), **FEW).value == pytest.approx(-0.0234, abs=5e-4)
    assert gwet_ac1(KRIPPENDORFF, **FEW).value == pytest.approx(0.77544, abs=5e-6)


@pytest.mark.parametrize("weights", [None, "linear", "quadratic"])
def test_weighted_kappa_is_that_of_statsmodels(weights):
    """The same kappa from the table of both raters."""
    rng = np.random.default_rng(1)
    a = rng.integers(0, 4, 200)
    b = np.clip(a + rng.integers(-1, 2, 200), 0, 3)
    table = np.zeros((4, 4))
    np.add.at(table, (a, b), 1)
    expected = inter_rater.cohens_kappa(table, wt=weights)
    found = cohen_kappa(a, b, weights=weights)
    assert found.value == pytest.approx(expected.kappa)
    if weights is None:
        assert found.high - found.low == pytest.approx(expected.kappa_upp - expected.kappa_low, rel=0.15)


@given(RATINGS, st.randoms())
@settings(max_examples=40, deadline=None)
def test_order_and_names_do_not_matter(ratings, shuffler):
    """Items, raters and (on a nominal scale) labels may be renamed and shuffled; 1 is the most."""
    items = list(ratings)
    shuffler.shuffle(items)
    renamed = [[{1: "x", 2: "a", 3: "m", None: math.nan}[label] for label in row[::-1]] for row in items]
    for function in (krippendorff_alpha, fleiss_kappa, gwet_ac1):
        one, other = function(ratings, **FEW), function(renamed, **FEW)
        assert other.value == pytest.approx(one.value, nan_ok=True)
        assert (other.raw, other.n) == (pytest.approx(one.raw, nan_ok=True), one.n)
        assert math.isnan(one.value) or one.value <= 1 + 1e-12
    numbers = [[None if label is None else 10 * label - 3 for label in row] for row in ratings]
    plain = krippendorff_alpha(ratings, scale="interval", **FEW).value
    assert krippendorff_alpha(numbers, scale="interval", **FEW).value == pytest.approx(plain, nan_ok=True, abs=1e-9)


def test_perfect_and_undefined():
    """All agree: 1. One label only: kappa and alpha have nothing to correct for, AC1 is 1. Nothing: NaN and n = 0."""
    same = [[1, 1], [2, 2], [1, 1]]
    assert all(found.value == pytest.approx(1) for found in agreement_report(same, **FEW).values())
    only = [["yes", "yes"]] * 5
    assert math.isnan(krippendorff_alpha(only, **FEW).value)
    assert math.isnan(cohen_kappa(["yes"] * 5, ["yes"] * 5, **FEW).value)
    assert gwet_ac1(only, **FEW).value == 1
    for empty in ([], [[1, None], [None, 2]], np.empty((0, 2))):
        for scale in ("nominal", "ordinal", "interval"):
            found = krippendorff_alpha(empty, scale=scale, **FEW)
            assert math.isnan(found.value)
            assert found.n == 0
    assert math.isnan(gwet_ac1([[1]], **FEW).value)


def test_arrays_and_lists_are_the_same():
    """An array of numbers takes a shorter way to the same numbers, gaps and given categories included."""
    ratings = np.random.default_rng(3).integers(0, 3, (40, 2)).astype(float)
    ratings[5, 1] = np.nan
    for categories in (None, (2.0, 1.0, 0.0, 9.0)):
        options = {"categories": categories, "scale": "ordinal", **FEW}
        assert repr(agreement_report(ratings, **options)) == repr(agreement_report(ratings.tolist(), **options))
    a, b = ratings.T
    assert cohen_kappa(a, b, **FEW) == cohen_kappa(a.tolist(), b.tolist(), **FEW)
    mixed = cohen_kappa(np.array([1, 2]), np.array(["1", "x"]), **FEW)
    assert mixed.raw == 0


def test_report_names_what_the_table_allows():
    """Two raters: Cohen; equal numbers of ratings: Fleiss; always alpha and AC1."""
    assert set(agreement_report([[1, 2], [2, 2]], **FEW)) == {
        "krippendorff_alpha",
        "gwet_ac1",
        "cohen_kappa",
        "fleiss_kappa",
    }
    assert set(agreement_report(KRIPPENDORFF, **FEW)) == {"krippendorff_alpha", "gwet_ac1"}


def test_refusals():
    """Unknown labels, unequal lengths, words on an interval scale."""
    with pytest.raises(ValueError, match="not among the categories"):
        gwet_ac1([[1, 2]], categories=[1], **FEW)
    with pytest.raises(ValueError, match="same items"):
        cohen_kappa([1], [1, 2])
    with pytest.raises(ValueError, match="at most 100 labels, found 101"):
        cohen_kappa(range(101), range(101))
    with pytest.raises(ValueError, match="needs numbers"):
        krippendorff_alpha([["a", "b"]], scale="interval")


@pytest.mark.parametrize("function", [gwet_ac1, krippendorff_alpha])
def test_intervals_cover(function):
    """Two raters of 80 items: the bootstrap over items holds the value of a very long table."""
    rng = np.random.default_rng(2)

    def table(n):
        truth = rng.random(n) < 0.7
        return np.where(rng.random((n, 2)) < 0.15, ~truth[:, None], truth[:, None]).astype(int)

    value = function(table(50_000), draws=2).value
    held = 0
    for i in range(250):
        found = function(table(80), draws=500, seed=i)
        held += found.low <= value <= found.high
    assert 0.91 * 250 <= held <= 0.985 * 250
