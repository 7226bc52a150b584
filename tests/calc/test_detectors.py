"""Detectors: the promised run between false alarms, how soon a change is found, going on where one left off."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lmops.calc.detectors import Watch, detect, first_of_clusters, values_until_found


def passes(rng, n, rate):
    return (rng.random(n) < rate).astype(float)


def test_it_keeps_its_promise():
    """A rate at the very edge: the values between alarms are as many as was said, in the mean."""
    rng = np.random.default_rng(5)
    found = detect(passes(rng, 400_000, 0.8), 0.8, every=500)
    assert len(found.alarms) <= 400_000 / 500


@pytest.mark.parametrize("direction", ["below", "above"])
def test_a_drop_is_found_soon_and_few_alarms_are_false(direction):
    """From .90 to .80, as often as not within 160 values; of stationary series of 2,000 few fire."""
    rng = np.random.default_rng(1)
    false, delays = 0, []
    for _ in range(400):
        series = np.concatenate((passes(rng, 2_000, 0.9), passes(rng, 3_000, 0.8)))
        values, edge = (series, 0.88) if direction == "below" else (1 - series, 0.12)
        alarms = detect(values, edge, direction=direction).alarms
        false += bool(alarms) and alarms[0] < 2_000
        delays.append(next(place for place in alarms if place >= 2_000) - 1_999)
    assert false <= 0.05 * 400
    assert np.median(delays) <= 160


@pytest.mark.parametrize(("before", "after", "edge"), [(0.02, 0.07, 0.03), (0.4, 0.55, 0.44), (0.1, 0.4, 0.12)])
def test_a_rise_is_found_nearly_as_soon_as_by_who_knew_it(before, after, edge):
    """Whoever bets on the true odds alone would need hardly a third fewer values, whatever the rates are."""
    found = values_until_found(after, edge, before=before, direction="above", draws=60)
    gain = after * math.log(after / edge) + (1 - after) * math.log((1 - after) / (1 - edge))
    assert found.estimate <= 1.5 * math.log(10_000) / gain


def test_few_alarms_are_false_where_sessions_are_alike():
    """2,000 items in sessions of 5 that pass or fail together as often as not."""
    rng, false = np.random.default_rng(6), 0
    for _ in range(200):
        alike, common = np.repeat(rng.random((2, 400)) < np.array([[0.5], [0.9]]), 5, axis=1)
        values = np.where(alike, common, rng.random(2_000) < 0.9).astype(float)
        false += bool(detect(first_of_clusters(values, np.arange(2_000) // 5)[0], 0.88).alarms)
    assert false <= 0.05 * 200


def test_it_goes_on_where_it_was():
    """In pieces of any size it fires where it fires in one go; missing values keep their places."""
    values = passes(np.random.default_rng(2), 3_000, 0.7)
    values[[0, 5, 2_999]] = np.nan
    whole = detect(values, 0.8, every=300)
    watch, alarms, start = Watch(), [], 0
    for part in np.split(values, [1, 7, 400, 401, 2_222]):
        found = detect(part, 0.8, every=300, watch=watch)
        watch, alarms, start = found.watch, alarms + [start + i for i in found.alarms], start + part.size
    assert alarms == list(whole.alarms)
    assert alarms
    assert watch.n == whole.watch.n
    assert watch.evidence == pytest.approx(whole.watch.evidence)
    assert whole.n_missing == 3


def test_an_edge_for_each_value():
    """A rate that falls every night is no alarm where the edge falls with it."""
    rng = np.random.default_rng(3)
    rates = np.tile(np.repeat((0.95, 0.7), 50), 20)
    values = (rng.random(rates.size) < rates).astype(float)
    assert detect(values, 0.9).alarms
    assert not detect(values, rates - 0.02).alarms


def test_sessions_count_once():
    """Turns of a session are alike: over turns a detector fires for nothing, over sessions it does not."""
    rng = np.random.default_rng(4)
    rates = rng.beta(1.35, 0.15, 600)
    turns = (rng.random((600, 10)) < rates[:, None]).astype(float).ravel()
    sessions = np.repeat(np.arange(600), 10).tolist()
    means, places = first_of_clusters(turns, sessions)
    assert detect(turns, 0.88).alarms
    assert not detect(means, 0.88).alarms
    assert places[:3] == (0, 10, 20)


def test_first_of_clusters_leaves_out_what_was_seen():
    """Known clusters, missing values and missing clusters."""
    means, places = first_of_clusters([1, 0, 1, math.nan, 0, 1], ["a", "b", "b", "c", None, None], known=["a"])
    assert (means.tolist(), places) == ([0.5, 0.0, 1.0], (1, 4, 5))
    assert first_of_clusters([math.nan], ["a"]) == (pytest.approx(np.zeros(0)), ())
    with pytest.raises(ValueError, match="one cluster per item"):
        first_of_clusters([1, 0], ["a"])


def test_how_soon_is_said():
    """A larger drop is found sooner; what is no drop is not found."""
    large, small = (values_until_found(rate, 0.88, before=0.9, draws=60) for rate in (0.6, 0.8))
    assert large.estimate < small.estimate < math.inf
    assert values_until_found(0.9, 0.88, before=0.9, draws=4, most=500).estimate == math.inf


@pytest.mark.parametrize(
    ("values", "edge", "options", "words"),
    [
        ([1.5], 0.5, {}, r"values must be in \[0, 1\]"),
        ([1], 1.0, {}, r"edge must be in \(0, 1\)"),
        ([1, 0], [0.5, 0.5, 0.5], {}, "one for each value"),
        ([1], 0.5, {"every": 0}, "every must be at least 1"),
        ([1], 0.5, {"direction": "up"}, "direction must be one of"),
    ],
)
def test_what_cannot_be_watched_is_refused(values, edge, options, words):
    """In words."""
    with pytest.raises(ValueError, match=words):
        detect(values, edge, **options)


def test_nothing_is_silent():
    """No value, no evidence."""
    found = detect([], 0.5)
    assert (found.alarms, found.n, found.evidence) == ((), 0, 0.0)
