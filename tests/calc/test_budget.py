"""Error budgets: a table by hand, components that were put in come out, what to do next."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lmops.calc.budget import error_budget
from lmops.calc.corrected import Errors

JUDGE = Errors(sensitivity=0.9, n_pass=30, specificity=0.8, n_fail=30)


def made(rng, n, *, items, wording, noise, wordings=4, repeats=3):
    """Scores of n items by so many wordings, each asked so often, with these standard deviations."""
    of_wording = np.repeat(rng.normal(scale=wording, size=wordings), repeats)
    spread = rng.normal(scale=items, size=(n, 1))
    return 0.5 + spread + of_wording + rng.normal(scale=noise, size=(n, wordings * repeats))


def test_budget_by_hand():
    """Two items in two columns, without anything that item and column leave over: all of it is the items'."""
    found = error_budget([[0.2, 0.4], [0.6, 0.8]], settings={"wording": ["a", "b"]})
    assert found.parts["judge noise"] == pytest.approx(0, abs=1e-15)
    assert found.parts["items"] == pytest.approx(np.var([0.3, 0.7], ddof=1) / 2)
    assert found.parts["wording"] == pytest.approx(np.var([0.4, 0.6], ddof=1) / 2)
    assert found.estimate == pytest.approx(0.5)
    assert found.reason == "judge bias is not known without labels"


def test_components_come_out_as_they_went_in():
    """On average over many tables: unbiased but for the floor at 0."""
    rng = np.random.default_rng(6)
    wordings = np.repeat(["a", "b", "c", "d"], 3).tolist()
    parts = [
        error_budget(made(rng, 60, items=0.2, wording=0.05, noise=0.3), settings={"wording": wordings}).parts
        for _ in range(300)
    ]
    mean = {name: np.mean([one[name] for one in parts]) for name in ("items", "judge noise", "wording")}
    expected = {"items": 0.04 / 60, "judge noise": 0.09 / 60 / 12, "wording": 0.0025 / 4}
    assert mean == pytest.approx(expected, rel=0.12)


def test_error_holds_the_truth():
    """The half-width of new items, new wordings and new answers together."""
    rng = np.random.default_rng(7)
    wordings = list(range(12))
    held = 0
    for _ in range(400):
        scores = made(rng, 80, items=0.2, wording=0.05, noise=0.3, wordings=12, repeats=1)
        found = error_budget(scores, settings={"wording": wordings})
        held += abs(found.estimate - 0.5) <= found.half_width
    assert held >= 0.9 * 400


@pytest.mark.parametrize(
    ("scores", "options", "best"),
    [
        (np.tile([[1.0], [1.0], [0.0]], (10, 1)), {}, "items"),
        (np.tile([[1.0], [1.0], [0.0]], (2000, 1)), {"errors": JUDGE}, "labels"),
        (np.tile([[0.2, 0.8], [0.3, 0.9]], (10, 1)), {"settings": {"wording": ["a", "b"]}}, "wording"),
    ],
)
def test_what_to_do_next(scores, options, best):
    """More of what the error comes from."""
    found = error_budget(scores, **options)
    assert found.steps[0].what == best
    assert found.steps[0].se < found.se


def test_correction_makes_every_part_larger():
    """A judge that sees less of a difference; its bias is a part of its own."""
    scores = np.tile([[1.0, 1.0], [1.0, 0.0], [0.0, 0.0]], (20, 1))
    raw, found = error_budget(scores), error_budget(scores, errors=JUDGE)
    assert found.parts["items"] == pytest.approx(raw.parts["items"] / 0.49)
    assert found.estimate == pytest.approx((0.5 + 0.8 - 1) / 0.7)
    assert sum(found.shares.values()) == pytest.approx(1)
    assert math.isnan(raw.parts["judge bias"])


def test_parts_of_a_difference():
    """It is not shifted by the judge, and its bias grows with its size: none where there is no difference."""
    scores = np.tile([[1.0], [0.0], [0.0], [-1.0], [1.0]], (20, 1))
    found = error_budget(scores, errors=JUDGE, is_difference=True)
    assert found.estimate == pytest.approx(0.2 / 0.7)
    assert found.parts["judge bias"] > 0
    none = error_budget(np.tile([[1.0], [-1.0]], (20, 1)), errors=JUDGE, is_difference=True)
    assert (none.estimate, none.parts["judge bias"]) == (0, 0)


def test_clusters_are_of_the_items():
    """Items that repeat one another make their part larger, and no other."""
    scores = np.repeat(np.random.default_rng(8).random((20, 3)), 4, axis=0)
    plain, grouped = error_budget(scores), error_budget(scores, clusters=np.repeat(np.arange(20), 4))
    assert grouped.parts["items"] > 2 * plain.parts["items"]
    assert grouped.parts["judge noise"] == plain.parts["judge noise"]


def test_what_cannot_be_told():
    """A coin, no items, one column, a setting of one level, missing scores, names that do not fit."""
    coin = error_budget([[1.0], [0.0], [1.0]], errors=Errors(0.5, 20, 0.5, 20))
    assert "coin" in coin.reason
    assert math.isnan(coin.estimate)
    assert math.isnan(error_budget(np.empty((0, 2))).se)
    alone = error_budget([[1.0, math.nan], [0.0, 1.0], [1.0, 1.0]], settings={"wording": ["a", "a"]})
    assert (alone.n, alone.n_missing) == (2, 1)
    assert math.isnan(alone.parts["wording"])
    assert math.isnan(error_budget([[1.0], [0.0]]).parts["judge noise"])
    with pytest.raises(ValueError, match="one level per column"):
        error_budget([[1.0, 0.0]], settings={"wording": ["a"]})
    with pytest.raises(ValueError, match="spend must"):
        error_budget([[1.0]], spend=0)
