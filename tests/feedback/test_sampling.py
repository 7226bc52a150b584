"""What a queue takes: drawn with a probability that is known, or chosen for a reason and then in no rate."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmops.errors import QueryError, UsageError
from lmops.feedback.sampling import draw
from lmops.scorers import build
from tests.store.helpers import span

GROUPS = st.lists(st.sampled_from("abc"), min_size=1, max_size=60)


@pytest.fixture
def traffic(ws):
    """Twelve traces of two services, one of them rare; three thumbs down."""
    for number in range(12):
        service = "shop" if number < 10 else "bank"
        row = span("t", "root", trace_id=f"{number:032x}", span_id="1" * 16, service=service)
        ws.store.append_many({"spans": [row]})
        ws.feedback.record(f"{number:032x}", value="down" if number % 5 == 0 else "up")
    ws.feedback.schemas.save("support")
    return ws


def chosen(ws, *args, **options):
    """Return (trace number, stratum, probability) of the items of a new queue."""
    ws.feedback.queue("q", *args, schema="support", **options)
    rows = ws.sql("select trace_id, stratum, probability from queue_items order by position").fetchall()
    return [(int(trace_id, 16), stratum, share) for trace_id, stratum, share in rows]


@settings(deadline=None)
@given(groups=GROUPS, n=st.integers(1, 70), strategy=st.sampled_from(["random", "stratified", "rare"]))
def test_weights_give_back_the_whole(groups, n, strategy):
    """Each row once; the inverse probabilities of every group add up to its size, so that rates are unbiased."""
    drawn = draw(groups, n, strategy=strategy, seed=1)
    assert len({row for row, _ in drawn}) == len(drawn)
    assert len(drawn) == min(n, len(groups))
    if strategy != "random" and len(set(groups)) > n:
        return  # groups are drawn themselves: their weights are right on average
    weights = Counter()
    for row, share in drawn:
        weights["all" if strategy == "random" else groups[row]] += 1 / share
    sizes = {"all": len(groups)} if strategy == "random" else Counter(groups)
    assert weights == pytest.approx(dict(sizes))


@pytest.mark.parametrize("strategy", ["stratified", "rare"])
def test_of_more_groups_than_items_some_are_drawn(strategy):
    """No more items than were asked for, and every group counts as much as it is large, on average."""
    groups = [number for number in range(30) for _ in range(1 + number % 3)]
    draws = [draw(groups, 10, strategy=strategy, seed=seed) for seed in range(600)]
    assert {len(drawn) for drawn in draws} == {10}
    large = sum(1 / share for drawn in draws for row, share in drawn if groups[row] % 3 == 2)
    assert large / 600 == pytest.approx(30, rel=0.1)


@pytest.mark.parametrize("n", [0, -1])
def test_no_items_are_no_draw(traffic, n):
    """Nothing is drawn of nothing."""
    with pytest.raises(UsageError, match="1 or more"):
        traffic.feedback.queue("none", "random", schema="support", n=n)


def test_a_seed_draws_the_same(traffic):
    """And keeps the probability with each item."""
    drawn = chosen(traffic, "random", n=3, seed=7)
    assert [share for *_, share in drawn] == [0.25] * 3
    traffic.feedback.queue("again", "random", schema="support", n=3, seed=7)
    query = "select count(distinct trace_id) from queue_items"
    assert traffic.sql(query).fetchall() == [(3,)]


def test_rare_groups_are_seen(traffic):
    """As often as the others; by their share there would be one."""
    counts = Counter(stratum for _, stratum, _ in chosen(traffic, "rare", n=4, by="service"))
    assert counts == {"shop": 2, "bank": 2}
    traffic.feedback.queue("p", "stratified", schema="support", n=6, by="service")
    query = "select stratum, count(*) from queue_items where queue = 'p' group by 1 order by 1"
    assert traffic.sql(query).fetchall() == [("bank", 1), ("shop", 5)]


def test_a_condition_bounds_what_is_drawn(traffic):
    """As for a search; one that does not bind is refused, and reaches nothing outside."""
    assert {number for number, *_ in chosen(traffic, "random", where="service = 'bank' -- all")} == {10, 11}
    with pytest.raises(QueryError):
        chosen(traffic, "random", where="nothing = 1")
    with pytest.raises(QueryError):
        chosen(traffic, "rare", by='service" from read_csv("/etc/passwd") --')


def test_thumbs_down_are_in_no_rate(traffic):
    """What was chosen for a reason has no probability."""
    assert sorted(chosen(traffic, "thumbs_down")) == [(0, None, None), (5, None, None), (10, None, None)]


def test_low_agreement_looks_at_what_raters_said(traffic):
    """Items of other queues whose labels differ."""
    traffic.feedback.queue("p", [f"{number:032x}" for number in (1, 2)], schema="support", k=2)
    for at, rater, verdict in ((1, "ann", "pass"), (1, "bob", "fail"), (2, "ann", "pass"), (2, "bob", "pass")):
        traffic.feedback.queues.label("p", at, {"verdict": verdict}, rater=rater)
    traffic.feedback.queue("q", "low_agreement", schema="support", about="verdict")
    assert traffic.sql("select trace_id from queue_items where queue = 'q'").fetchall() == [(f"{1:032x}",)]


@pytest.fixture
def judged(traffic):
    """A judge that scored the recorded answers of the twelve traces twice, and a scorer of code beside it."""
    said = {f"{number:032x}": SAID[number] for number in range(12)}
    verdict = build(lambda trace_id, repeat: said[trace_id][repeat], name="kind")
    graded = build(lambda trace_id: 1 + sum(said[trace_id]), name="grade", range=(1, 3))
    rows = [{"id": one, "input": "x", "output": "y", "trace_id": one} for one in said]
    traffic.evals.run(
        "recorded", traffic.datasets.save("seen", rows), [replace(verdict, kind="judge"), graded, "latency"], repeats=2,
        progress=False,
    )  # fmt: skip  # arguments that belong together share a line
    return traffic


#: What the judge says of each trace, the first time and the second.
SAID = [(0, 0), (1, 1), (0, 0), (1, 1), (1, 0), (1, 1), (1, 1), (1, 1), (1, 1), (1, 1), (0, 1), (1, 1)]


def test_judge_against_human(judged):
    """Where the judge says something else than a thumb; it passes 5, fails 2, and 10 and 4 once."""
    assert {number for number, *_ in chosen(judged, "judge_against_human", about="kind")} == {2, 4, 5, 10}
    judged.feedback.queue("p", "judge_against_human", schema="support", n=2)
    assert judged.sql("select count(*), count(probability) from queue_items where queue = 'p'").fetchall() == [(2, 0)]


def test_a_judge_is_meant_unless_another_is_named(judged):
    """A latency is no verdict; a scale is cut in its middle."""
    assert {number for number, *_ in chosen(judged, "judge_against_human")} == {2, 4, 5, 10}
    judged.feedback.queue("p", "judge_against_human", schema="support", about="grade")
    found = judged.sql("select trace_id from queue_items where queue = 'p'").fetchall()
    assert {int(one, 16) for (one,) in found} == {2, 5, 10}


def test_judge_uncertainty(judged):
    """Repeats that contradict each other come first; a judge that always says the same is sure."""
    assert sorted(number for number, *_ in chosen(judged, "judge_uncertainty")) == [4, 10]
    judged.feedback.queue("p", "judge_uncertainty", schema="support", about="grade")
    found = judged.sql("select trace_id from queue_items where queue = 'p' order by position").fetchall()
    assert [int(one, 16) for (one,) in found] == [4, 10]


def test_a_strategy_finds_what_was_hidden_in_the_traffic(ws):
    """Of 300 simulated traces exactly those where judge and thumb disagree, whatever the share."""
    chance = random.Random(4)
    said = {f"{number:032x}": (chance.random() < 0.7, chance.random() < 0.6) for number in range(300)}
    ws.store.append_many({"spans": [span("t", "root", trace_id=one, span_id="1" * 16) for one in said]})
    for one, (human, _) in said.items():
        ws.feedback.record(one, value="up" if human else "down")
    judge = replace(build(lambda trace_id: said[trace_id][1], name="kind"), kind="judge")
    rows = [{"id": one, "input": "x", "output": "y", "trace_id": one} for one in said]
    ws.evals.run("recorded", ws.datasets.save("seen", rows), [judge], progress=False)
    ws.feedback.schemas.save("support")
    ws.feedback.queue("q", "judge_against_human", schema="support", n=1000)
    found = {one for (one,) in ws.sql("select trace_id from queue_items").fetchall()}
    assert found == {one for one, (human, judge) in said.items() if human != judge}


def test_cases_of_a_comparison_are_items(ws):
    """Those of the run that is judged, each with probability 1, in an order that does not go by their names."""
    ws.datasets.save("cases", [{"id": f"e{n:02}", "input": str(n), "expected": "a"} for n in range(30)])
    new, old = (ws.evals.run(lambda text: text, "cases", ["exact_match"], name=name, progress=False) for name in "ab")
    ws.feedback.schemas.save("support")
    ws.feedback.queue("q", ws.evals.compare(new, old), schema="support")
    rows = ws.sql("select run_id, example_id, probability from queue_items order by position").fetchall()
    assert {run_id for run_id, *_ in rows} == {new.run_id}
    assert {share for *_, share in rows} == {1.0}
    names = [name for _, name, _ in rows]
    assert names != sorted(names)
    assert len(set(names)) == 30


def test_cases_of_a_run_are_items(ws):
    """Each of its own, with its trace where there is one; a comparison gives those of the run that is judged."""
    ws.datasets.save("cases", [{"id": one, "input": one, "expected": "a"} for one in "ab"])
    run = ws.evals.run(lambda text: text, "cases", scorers=["exact_match"], name="one")
    ws.feedback.schemas.save("support")
    assert ws.feedback.queue("q", run, schema="support").count == 2
    assert ws.feedback.queue("p", run.df().assign(run_id=run.run_id), schema="support").count == 2
    rows = ws.sql("select queue, run_id, example_id, repeat from queue_items order by all").fetchall()
    assert rows == [(queue, run.run_id, example, 0) for queue in "pq" for example in "ab"]


def test_a_strategy_needs_what_it_groups_by(traffic):
    """And one that draws from all alike takes none."""
    with pytest.raises(UsageError, match="give by="):
        chosen(traffic, "rare")
    with pytest.raises(UsageError, match="'random' draws from all alike"):
        chosen(traffic, "random", by="service")
    with pytest.raises(UsageError, match="no strategy named 'randm'; did you mean 'random'"):
        chosen(traffic, "randm")
