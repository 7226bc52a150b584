"""A gate that stops when it knows: a fixed order, bounds that hold at every look, errors that stay in bounds."""

import random

import numpy as np
import pytest

from lmops.errors import UsageError
from lmops.evals import TaskResult, read_criteria
from lmops.evals._until import FAILED, Watch, ordered
from tests.bench import bench_calc as simulate

from .conftest import right, rows_of
from .test_compare import skilled

MIN = {"scorers": {"exact_match": {"min": 0.8}}}
LOSS = {"scorers": {"exact_match": {"max_loss": 0.05}}}


@pytest.mark.parametrize(
    ("share", "criteria", "outcome"),
    [(1.0, MIN, "pass"), (0.3, MIN, "fail"), (1.0, LOSS, "pass"), (0.3, LOSS, "fail")],
)
def test_it_stops_at_pass_and_at_fail(ws, quiet, share, criteria, outcome):
    """Long before the last example, and the gate says that it looked early."""
    rows = rows_of(400)
    base = {} if criteria is MIN else {"baseline": quiet(skilled(0.95), rows, name="old")}
    run = quiet(skilled(share), rows, until=criteria, concurrency=4, name="new", **base)
    assert (run.status, run.totals.cases < 250) == ("finished", True)
    assert f"looked early: {outcome} after" in run.error
    verdict = ws.evals.gate(run)
    assert (verdict.outcome, verdict.results[0].name) == (outcome, "looked early")
    assert "in an order fixed beforehand" in verdict.text
    assert verdict.results[-1].low <= verdict.results[-1].value <= verdict.results[-1].high
    assert ws.evals.gate(run, criteria=criteria).outcome == outcome


def test_where_nothing_is_decided_every_example_is_asked(ws, quiet):
    """And the verdict is inconclusive."""
    run = quiet(skilled(0.8), rows_of(120), until=MIN, name="new")
    assert run.totals.cases == 120
    verdict = ws.evals.gate(run)
    assert verdict.outcome == "inconclusive"
    assert "120 of 120 examples decided nothing" in verdict.text


def test_a_run_that_was_looked_at_is_judged_by_its_own_criteria(ws, quiet):
    """By others it would pass too often."""
    run = quiet(right, rows_of(100), until=MIN, name="new")
    other = quiet(right, rows_of(100), name="old")
    with pytest.raises(UsageError, match="by criteria of its own"):
        ws.evals.gate(run, criteria={"scorers": {"exact_match": {"min": 0.5}}})
    with pytest.raises(UsageError, match="by criteria of its own"):
        ws.evals.gate(run, other, MIN)


def test_a_run_that_is_resumed_goes_on_in_its_order(ws, quiet):
    """What it saw counts, and a run that was decided is left as it is."""
    rows, asked = rows_of(200), []

    def task(question):
        asked.append(question)
        return TaskResult(right(question), cost_usd=1.0)

    part = quiet(task, rows, until=MIN, concurrency=1, budget_usd=8, name="new")
    assert (part.status, ws.evals.gate(part).outcome) == ("over_budget", "inconclusive")
    run = ws.evals.resume(part.run_id, task=task, budget_usd=1000, progress=False)
    order = [example.input for example in ordered(ws.datasets.get(run.dataset).examples, {"criteria": MIN, "seed": 0})]
    assert list(dict.fromkeys(asked)) == order[: len(set(asked))]
    assert ws.evals.gate(run).outcome == "pass"
    before = len(asked)
    assert ws.evals.resume(run.run_id, task=task, progress=False).totals.cases == run.totals.cases
    assert len(asked) == before


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"until": {"max_cost_usd": 1}}, "criteria ask for none of these"),
        ({"until": {"scorers": {"other": {"min": 1}}}}, "criteria ask for other"),
        ({"until": LOSS}, "give one, run"),
        ({"baseline": "x"}, "give until=criteria as well"),
        ({"until": {"scorers": {"length": {"max": 5}}}, "scorers": ["length"]}, "no scale with two ends"),
    ],
)
def test_what_cannot_be_watched_is_refused(ws, given, words):
    """Before anything is run."""
    with pytest.raises(UsageError, match=words):
        ws.evals.run(right, rows_of(5), given.pop("scorers", ["exact_match"]), progress=False, **given)


def test_a_comparison_says_that_a_run_was_looked_at(ws, quiet):
    """Its intervals do not count the looks; where it stopped there is nothing to resume."""
    run, old = quiet(right, rows_of(300), until=MIN, name="new"), quiet(skilled(0.5), rows_of(300), name="old")
    with pytest.raises(UsageError, match="stopped as soon as the criteria were decided"):
        ws.evals.compare(run, old)
    assert "was looked at while it ran" in ws.evals.compare(run, old, allow_unmatched=True).text


def test_a_cluster_is_asked_as_a_whole_and_makes_one_bet(ws, quiet):
    """Unless the clusters may be ignored; then fewer calls are made."""
    rows = [row | {"cluster": f"s{place // 5}"} for place, row in enumerate(rows_of(300))]
    run = quiet(right, rows, until=MIN, concurrency=1)
    plain = quiet(right, rows, until={"clustered": False, **MIN}, concurrency=1)
    assert plain.totals.cases < run.totals.cases < 300
    assert run.totals.cases % 5 == 0
    verdict = ws.evals.gate(run)
    assert verdict.outcome == "pass"
    assert f"after {run.totals.cases // 5} looks" in verdict.text
    assert 0.8 <= verdict.results[-1].low < verdict.results[-1].high == 1


def test_repeats_of_an_example_are_asked_together_and_averaged(ws, quiet):
    """It counts when the last of them is known."""
    run = quiet(right, rows_of(200), until=MIN, repeats=2, concurrency=1)
    assert (run.totals.cases < 200, run.totals.cases % 2, ws.evals.gate(run).outcome) == (True, 0, "pass")
    watch = Watch(read_criteria(MIN), ["a"], {"exact_match": {"range": [0, 1]}}, {"exact_match": {}}, repeats=2)
    watch.add("a", {"exact_match": 1.0})
    assert watch.looks == 0
    watch.add("a", {"exact_match": 0.0})
    assert (watch.looks, watch.questions[0].values) == (1, [0.5])


def test_looking_at_clusters_errs_seldom():
    """Clusters of unequal sizes that are wholly right or wrong, at the border; as single examples they would err."""
    rng = np.random.default_rng(3)
    sizes = np.tile([1, 2, 4, 8], 15)
    clusters = {f"{group}-{place}": str(group) for group, size in enumerate(sizes) for place in range(size)}
    wrong = {True: 0, False: 0}
    for _ in range(100):
        passes = rng.random(sizes.size) < 0.8
        order = [
            example for group in rng.permutation(sizes.size) for example in clusters if clusters[example] == str(group)
        ]
        for known in wrong:
            given = clusters if known else {}
            watch = Watch(read_criteria({"scorers": {"s": {"min": 0.8}}}), order, {"s": {"range": [0, 1]}}, {"s": {}},
                          clusters=given)  # fmt: skip  # arguments that belong together share a line
            for example in order:
                watch.add(example, {"s": float(passes[int(clusters[example])])})
            wrong[known] += watch.outcome is not None
    assert wrong[True] <= 6 < wrong[False]


def test_the_order_of_answers_does_not_count():
    """Only the fixed order does: a fast answer is no early look."""
    ids = [f"e{place}" for place in range(60)]
    values = dict(zip(ids, (np.random.default_rng(1).random(60) < 0.95).astype(float), strict=True))
    found = []
    for seed in range(5):
        watch = Watch(read_criteria({"scorers": {"s": {"min": 0.6}}}), ids, {"s": {"range": [0, 1]}}, {"s": {}})
        for example in random.Random(seed).sample(ids, len(ids)):
            watch.add(example, {"s": values[example]})
        found.append((watch.outcome, watch.looks))
    assert len(set(found)) == 1


def test_a_pair_without_one_score_counts_as_the_worst():
    """For a pass, and as the best for a fail."""
    ids = [f"e{place}" for place in range(300)]
    made = {}
    for missing in ("worst", "pairs"):
        criteria = read_criteria({"missing": missing, "scorers": {"s": {"max_loss": 0.05}}})
        watch = Watch(criteria, ids, {"s": {"range": [0, 1]}}, {"s": dict.fromkeys(ids, 1.0)})
        for place, example in enumerate(ids):
            watch.add(example, {"s": None if place % 6 == 0 else 1.0})
        made[missing] = watch.outcome
    assert made == {"worst": None, "pairs": "pass"}


def failing(question):
    """Fail three times in ten, and answer rightly otherwise."""
    if int(question[1:]) % 10 < 3:
        raise ValueError
    return right(question)


def test_cases_that_failed_are_no_pass(ws, quiet):
    """As in a gate that does not look early: nobody knows what their answers would have been."""
    run = quiet(failing, rows_of(200), until=MIN)
    verdict = ws.evals.gate(run)
    assert (verdict.outcome, run.totals.cases) == ("inconclusive", 200)
    assert (verdict.results[-1].value, verdict.results[-1].high) == (0.7, 1.0)
    assert ws.evals.gate(quiet(failing, rows_of(200), until=MIN | {"missing": "pairs"})).outcome == "pass"


def test_a_repeat_that_failed_counts_by_its_share():
    """One of two: between half and one; what had nothing to measure says nothing."""
    watch = Watch(read_criteria(MIN), ["a", "b"], {"exact_match": {"range": [0, 1]}}, {"exact_match": {}}, repeats=2)
    for score in (1.0, FAILED):
        watch.add("a", {"exact_match": score})
    for score in (1.0, None):
        watch.add("b", {"exact_match": score})
    assert (watch.questions[0].bets, watch.questions[0].hopes) == ([0.5, 1.0], [1.0, 1.0])


@pytest.mark.parametrize(("rate", "wrong"), [(0.8, "fail"), (0.7999, "pass")])
def test_looking_after_every_example_errs_seldom(rate, wrong):
    """At the border itself, where a look too many shows first."""
    outcomes = simulate.stopped(rate, {"min": 0.8}, 400, trials=150)[0]
    assert outcomes.get(wrong, 0) <= 0.06


def test_clear_differences_save_half_of_the_calls():
    """On average, of five hundred examples."""
    for rate in (0.95, 0.65):
        _, share = simulate.stopped(rate, {"min": 0.8}, 500, trials=40)
        assert share < 0.5
