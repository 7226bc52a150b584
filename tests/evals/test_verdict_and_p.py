"""The word, the p-value and the limits of a comparison never contradict each other, whatever the scores are."""

import functools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmops.evals._differences import _difference
from lmops.scorers import build

from .conftest import rows_of
from .test_one_sided import SCORER

#: Scores and the ends of their scale: verdicts, shares, stars, and amounts without a scale.
KINDS = {
    (0.0, 1.0): st.sampled_from([0.0, 1.0]) | st.floats(0, 1),
    (1.0, 5.0): st.sampled_from([1.0, 2.0, 5.0]),
    (-math.inf, math.inf): st.sampled_from([0.001, 3.0]) | st.floats(1e-4, 1e5),
}


def compared(a, b, ends, clusters=None, *, margin=None, higher=True):
    left, right = (np.array(side, dtype=float).reshape(-1, 1) for side in (a, b))
    ids = [str(place) for place in range(len(left))]
    return _difference(
        "s", "scorer", ids, left, right, clusters, ends=ends, margin=margin, higher=higher, alpha=0.05, place="", seed=0
    )


@given(st.data(), st.sampled_from(list(KINDS)), st.sampled_from([None, 0.0, 0.1]), st.booleans(), st.booleans())
@settings(max_examples=150, deadline=None)
def test_they_agree(data, ends, margin, higher, has_clusters):
    """Also with gaps, ties, few pairs, clusters of any size, and where less is better."""
    scores = KINDS[ends] | st.just(math.nan)
    pairs = data.draw(st.lists(st.tuples(scores, scores, st.sampled_from(["x", "y", "z", None])), max_size=30))
    a, b, clusters = zip(*pairs, strict=True) if pairs else ((), (), ())
    found = compared(a, b, ends, list(clusters) if has_clusters else None, margin=margin, higher=higher)
    is_told = found.p_value <= 0.05
    if not math.isnan(found.low):
        assert is_told == (found.low > 0 or found.high < 0)
        assert found.low - 1e-9 <= found.difference <= found.high + 1e-9
        assert found.high - found.low <= 2 * (ends[1] - ends[0])
    assert found.outcome not in ("better", "worse") or is_told
    assert found.outcome != "inconclusive" or not is_told or found.missing_a or found.missing_b
    assert found.n_needed is None or found.n_needed > found.n


@pytest.mark.parametrize(("n", "outcome"), [(20, "worse"), (4, "inconclusive")])
def test_pairs_that_all_lose_the_same_are_worse(n, outcome):
    """Stars, of which every one is two fewer: there is no spread, and the exact test tells."""
    found = compared([1.0] * n, [3.0] * n, (1.0, 5.0))
    assert found.outcome == outcome
    assert (found.low == -2) == (outcome == "worse")


def test_limits_end_where_the_scale_does(quiet):
    """Of a run and of a comparison: no mean of stars is above five."""
    run = quiet(
        lambda _: "x",
        rows_of(4),
        [build(lambda output, expected: 5.0 - (expected == "a0"), name="stars", range=(1, 5))],
    )
    one = run.summary()[0]
    assert (one.mean, one.high) == (4.75, 5.0)
    assert compared([5.0, 4.0], [1.0, 2.0], (1.0, 5.0)).high == 4


def say(words, question):
    return words


def test_a_side_without_any_score_is_said_by_the_gate(ws, quiet):
    """Nothing to compare, and why."""
    runs = [quiet(functools.partial(say, said), rows_of(20), [SCORER]) for said in ("refused", "a")]
    verdict = ws.evals.gate(*runs, {"scorers": {"support": {"max_loss": 0.1}}})
    assert verdict.outcome == "inconclusive"
    assert "20 examples have a score in the baseline only (e000, e001" in verdict.reasons[0]
