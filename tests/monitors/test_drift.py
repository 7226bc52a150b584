"""Drift: a distribution that moved is found, its part named; one that did not, or hardly, is left alone."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lmops.errors import UsageError
from lmops.monitors import drifting
from lmops.monitors._state import Core, Held
from lmops.monitors.boards import tiles
from lmops.monitors.detecting import advance
from tests.monitors.traffic import HOUR, MINUTE, add, day, sessions


def write(ws, begin, end, say, *, seed=0):
    """Write sessions of which each says what a function of a generator says: columns of its call."""
    rng = np.random.default_rng(seed)
    add(ws, [{**row, **say(rng)} for row in sessions(begin, end, every=10 * MINUTE, name=f"d{seed}")])


def long(mean):
    return lambda rng: {"output": "x" * int(rng.lognormal(np.log(mean), 0.5))}


def of_model(share):
    return lambda rng: {"model": "large" if rng.random() < share else "small"}


def test_longer_answers_are_found_and_dated(ws):
    """The part that grew is named, in the unit of the metric; the share of it has limits and a baseline."""
    write(ws, day(0), day(4), long(200))
    write(ws, day(4), day(6), long(320), seed=1)
    ws.monitors.save("lengths", metric="answer_length", method="drift")
    (alert,) = ws.monitors.check(at=day(6)).firing
    assert "drift of length of an answer" in alert.words
    assert "more than" in alert.words
    assert abs(alert.since_at - day(4)) < 4 * HOUR
    assert alert.low > alert.baseline
    assert (alert.direction, len(alert.examples)) == (None, 5)


def test_another_mix_of_models_is_found(ws):
    """Kinds are parts by what they are; the word of the look is the part."""
    write(ws, day(0), day(4), of_model(0.2))
    write(ws, day(4), day(6), of_model(0.6), seed=1)
    ws.monitors.save("models", metric="model_mix", method="drift")
    found = ws.monitors.check(at=day(6))
    assert "large: " in found.firing[0].words
    assert found.series[0]["estimate"] == pytest.approx(0.6, abs=0.12)
    assert found.series[0]["baseline"] == pytest.approx(0.2, abs=0.06)
    assert float(found.series[0]["words"].partition("Cramer's V ")[2][:4]) == pytest.approx(0.4, abs=0.12)


def test_a_kind_that_was_never_there_is_found(ws):
    """Whatever it is called."""
    write(ws, day(0), day(4), of_model(0.2))
    write(ws, day(4), day(6), lambda rng: {"model": "new <b>" if rng.random() < 0.5 else "small"}, seed=1)
    ws.monitors.save("models", metric="model_mix", method="drift")
    (alert,) = ws.monitors.check(at=day(6)).firing
    assert "what the baseline does not have" in alert.words or "not large" in alert.words


@pytest.mark.parametrize("after", [200, 210])
def test_no_drift_and_a_tiny_one_are_left_alone(ws, after):
    """What is within the limit is none, however sure it is."""
    write(ws, day(0), day(4), long(200))
    write(ws, day(4), day(10), long(after), seed=1)
    ws.monitors.save("lengths", metric="answer_length", method="drift")
    found = ws.monitors.check(at=day(10))
    assert found.outcome == "quiet"
    assert "Kolmogorov-Smirnov distance 0.0" in found.series[0]["words"]


def test_it_does_not_matter_how_often_somebody_looks(ws):
    """A look each six hours ends where one look ends, and the drift that ended is resolved."""
    write(ws, day(0), day(4), long(200))
    write(ws, day(4), day(5), long(400), seed=1)
    write(ws, day(5), day(7), long(200), seed=2)
    saved = ws.monitors.save("lengths", metric="answer_length", method="drift")
    often, once = (ws.monitors.backtest(saved, every=every) for every in ("6h", "30d"))
    assert [one["since_at"] for one in often.fired] == [one["since_at"] for one in once.fired]
    assert len(often.fired) == 1
    assert often.fired[0]["resolved_at"] is not None


def embedded(rng, middle, size=16):
    """Return the columns of a call that embedded a text near a middle."""
    vector = (middle + rng.normal(size=size)).round(4).tolist()
    return {"attributes": json.dumps({"embedding.embeddings.0.embedding.vector": vector})}


def test_texts_that_are_about_something_else_are_found_by_their_embeddings(ws):
    """By their distance from the middle of the first; vectors of another length are no items."""
    here, there = np.random.default_rng(9).normal(size=(2, 16)) * 3
    write(ws, day(0), day(4), lambda rng: embedded(rng, here))
    write(ws, day(4), day(6), lambda rng: embedded(rng, there if rng.random() < 0.5 else here), seed=1)
    add(ws, [{**row, **embedded(np.random.default_rng(2), 0, 3)} for row in sessions(day(3), day(4), name="short")])
    ws.monitors.save("meaning", metric="embedding_shift", method="drift")
    assert ws.monitors.check(at=day(4)).outcome == "quiet"
    (alert,) = ws.monitors.check(at=day(6)).firing
    assert "distance of embeddings" in alert.words
    assert alert.estimate > 0.3 > alert.baseline


def simulated(*, after, change, rng, n=2_000, learn=300):
    """Return after how many sessions a drift of normal numbers is found; None where it is not."""
    said = np.concatenate([rng.normal(0, 1, learn + change), rng.normal(after, 1, n - change)])
    at = np.arange(said.size) * 10**12
    whole = drifting.Said(at, np.arange(said.size), said, at // 1000, np.arange(said.size), np.zeros(said.size))
    base = whole.between(0, learn * 10**12)
    shares = {way: float(base.of(way).mean()) for way in drifting.parts(base)}
    edges = drifting.edges(shares, learn, 0.1)
    held = Held(since_ns=0, until_ns=1, n=learn, from_ns=0, to_ns=None, edges=edges, shares=shares)
    told = advance(Core(held=held), whole.between(learn * 10**12, 2**62), every=10_000 * len(edges))
    return None if not told[1] else told[1][0].at_ns // 10**12 - learn - change


def test_false_alarms_are_few_and_drifts_are_found():
    """At most one of sixty series that stay; each of twenty that move by .7 of a deviation, in some hundreds."""
    rng = np.random.default_rng(0)
    assert sum(simulated(after=0.0, change=0, rng=rng) is not None for _ in range(60)) <= 1
    delays = [simulated(after=0.7, change=200, rng=rng) for _ in range(20)]
    assert all(delay is not None and delay > 0 for delay in delays)
    assert np.median(delays) < 350


@pytest.mark.parametrize(
    ("given", "said"),
    [({"metric": "model_mix"}, "method='drift'"), ({"metric": "error_rate", "method": "drift"}, "method='detector'")],
)
def test_what_has_no_distribution_or_no_level_is_refused(ws, given, said):
    """The error names the method that does."""
    with pytest.raises(UsageError, match=said):
        ws.monitors.save("x", **given)


@pytest.mark.parametrize("kind", ['a"b', "it's", "<b>", "\\", ""])
def test_names_of_kinds_are_data(kind):
    """Whatever a kind is called, it is a part."""
    texts = np.asarray([kind, "other"], dtype=object)
    assert drifting.part_of(json.dumps(["=", kind]), texts).tolist() == [True, False]
    assert drifting.part_of(json.dumps(["none of", ["other"]]), texts).tolist() == [True, False]


@pytest.fixture
def other_model(ws):
    """A model that was never there takes over half of the traffic; the alert that says so."""
    write(ws, day(0), day(4), of_model(0.2))
    write(ws, day(4), day(6), lambda rng: {"model": "it's {new} $1" if rng.random() < 0.5 else "small"}, seed=1)
    ws.monitors.save("models", metric="model_mix", method="drift")
    (alert,) = ws.monitors.check(at=day(6)).firing
    return alert.alert


def test_what_is_said_of_a_drift_is_the_share_of_its_part(ws, other_model):
    """What accounts for it, and whether it is over, count the part that grew, and the mean of nothing else."""
    found = ws.monitors.explain(other_model)
    assert "what the baseline does not have" in found.text
    assert (found.before.estimate, found.after.estimate) == pytest.approx((0, 0.5), abs=0.1)
    over = ws.monitors.recovered(other_model, since=day(5), until=day(6))
    assert over.estimate == pytest.approx(0.5, abs=0.1)
    assert over.state == "not recovered"


def test_the_traces_of_a_drift_are_those_of_its_part(ws, other_model):
    """Whatever the kind is called."""
    about = ws.monitors.traces_sql(other_model, until=day(6))
    models = ws.sql(f"select distinct model from llm_calls where trace_id in ({about})").fetchall()
    assert models == [("it's {new} $1",)]


def test_kinds_are_literals_in_the_query_of_their_traces(ws):
    """A quote in a kind ends no text."""
    write(ws, day(0), day(4), lambda rng: {"model": "o'x" if rng.random() < 0.2 else "small"})
    write(ws, day(4), day(6), lambda rng: {"model": "o'x" if rng.random() < 0.7 else "small"}, seed=1)
    ws.monitors.save("models", metric="model_mix", method="drift")
    (alert,) = ws.monitors.check(at=day(6)).firing
    about = ws.monitors.traces_sql(alert.alert, until=day(6))
    assert ws.sql(f"select distinct model from llm_calls where trace_id in ({about})").fetchall() == [("o'x",)]


def test_a_tile_and_a_line_of_a_drift_are_of_its_part(ws):
    """Shares of sessions beside that of the baseline, under the name of the part."""
    write(ws, day(0), day(4), long(200))
    write(ws, day(4), day(6), long(320), seed=1)
    ws.monitors.save("lengths", metric="answer_length", method="drift")
    (alert,) = ws.monitors.check(at=day(6)).firing
    (tile,) = tiles(ws.project, ws.monitors.current(), last="6d", every="12h")
    line = ws.monitors.line(alert.alert, since=day(0), until=day(6))
    assert tile.title.startswith("more than ")
    assert tile.title == line.title
    assert tile.now[1] > tile.baseline[0] == pytest.approx(line.baseline)
    for points in (tile.points, line.points):
        assert all(0 <= share <= 1 for _, n, share in points if n)
        assert points[-1][2] > points[0][2]
