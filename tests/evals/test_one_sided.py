"""Examples with a score on one side only, many scorers, and runs that are the same: never silent."""

import math

import numpy as np
import pytest

from lmops.errors import NotFoundError, UsageError
from lmops.evals import TaskResult
from lmops.evals._differences import _agreed
from lmops.scorers import Score, build

from .conftest import right, rows_of
from .test_compare import skilled


def answered(output):
    """Score what was answered; a refusal has nothing to measure."""
    return Score.unmeasured("it refuses") if output == "refused" else float(output.startswith("a"))


SCORER = build(answered, name="support", range=(0, 1))


def number(question):
    return int(question[1:])


def refusing(question):
    """Refuse every sixth question, answer the others rightly."""
    return "refused" if number(question) % 6 == 0 else right(question)


def inventing(question):
    """Make something up where the other refuses."""
    return "no" if number(question) % 6 == 0 else right(question)


@pytest.fixture
def pair(ws, quiet):
    """A version that invents against one that refuses: 20 of 120 pairs vanish."""
    rows = rows_of(120)
    return quiet(inventing, rows, [SCORER], name="invents"), quiet(refusing, rows, [SCORER], name="refuses")


def test_they_are_named_counted_and_on_top(ws, pair):
    """In the record, the coverage, the notes and the cases."""
    comparison = ws.evals.compare(*pair)
    found = comparison["support"]
    assert (found.n, found.coverage) == (100, pytest.approx(100 / 120))
    assert (found.missing_a, len(found.missing_b), found.missing_b[:2]) == ((), 20, ("e000", "e006"))
    assert any("20 newly answered" in note and "e000, e006" in note for note in comparison.notes)
    cases = comparison.cases("support")
    assert cases["flip"][:20].tolist() == ["missing in b"] * 20
    assert len(cases) == 120


def test_a_gate_does_not_pass_by_pairs_that_vanish(ws, pair):
    """Their worst case counts, unless the criteria say otherwise; then it is said."""
    verdict = ws.evals.gate(*pair, {"scorers": {"support": {"max_loss": 0.05}}})
    assert verdict.outcome == "inconclusive"
    assert "20 examples have a score in the run only (e000, e006" in verdict.reasons[0]
    wide = ws.evals.gate(*pair, {"scorers": {"support": {"max_loss": 0.5}}})
    assert wide.outcome == "pass"
    assert "also when 20 examples have a score in the run only (e000, e006" in wide.reasons[-1]
    verdict = ws.evals.gate(*pair, {"missing": "pairs", "scorers": {"support": {"max_loss": 0.05}}})
    assert verdict.outcome == "pass"
    assert "20 examples have a score in one run only, left out" in verdict.text
    with pytest.raises(UsageError, match="missing is 'none'; give 'worst' or 'pairs'"):
        ws.evals.gate(*pair, {"missing": "none", "max_latency_ms": 1})


def test_good_news_that_their_worst_case_would_change_are_inconclusive(ws, pair):
    """Also in a comparison."""
    found = ws.evals.compare(*pair, margin=0.05)["support"]
    assert found.outcome == "inconclusive"
    assert "20 examples have a score in one run only, and at worst the gain is -0." in found.reason
    assert found.low_all < -0.05 < found.low


def test_a_pair_without_any_score_is_no_side(ws, quiet):
    """Both refuse: there is nothing to compare, and coverage says so."""
    rows = rows_of(120)
    runs = [quiet(refusing, rows, [SCORER], name=name) for name in ("one", "other")]
    found = ws.evals.compare(*runs, margin=0.05)["support"]
    assert (found.outcome, found.missing_a, found.missing_b) == ("non_inferior", (), ())
    assert found.coverage == pytest.approx(100 / 120)


def test_the_mean_of_a_run_and_that_of_the_pairs_are_told_apart(ws, pair):
    """One run has one mean, over all its examples."""
    found = ws.evals.compare(*pair)["support"]
    summary = pair[0].summary()[0]
    assert (found.overall_a, found.mean_a) == (pytest.approx(summary.mean), 1.0)
    text = ws.evals.compare(*pair).text
    assert "a (pairs)" in text
    assert "over all its examples a has 0.8333, b 1" in text


def test_unknown_costs_and_latencies_are_no_low_ones(ws, quiet):
    """Inconclusive; a failure that the known ones alone show is one."""

    def partly(question):
        return TaskResult("x", cost_usd=0.001 if number(question) < 3 else None, latency_ms=None)

    run = quiet(partly, rows_of(20), name="partly")
    verdict = ws.evals.gate(run, criteria={"max_cost_usd": 0.002})
    assert verdict.outcome == "inconclusive"
    assert "the cost of 17 of 20 cases is unknown" in verdict.reasons[0]
    assert ws.evals.gate(run, criteria={"max_cost_usd": 0.00001}).outcome == "fail"


def noise(place):
    """Return a scorer of chance: the same for the same output."""
    return build(
        lambda output: float(np.random.default_rng([place, int(output)]).random() < 0.5), name=f"s{place}", range=(0, 1)
    )


def scorers_of(count):
    return [noise(place) for place in range(count)]


def test_many_scorers_raise_no_more_false_alarms_than_one(ws, quiet):
    """Ten scorers of noise: the outcome follows the adjusted p, and no verdict contradicts it."""
    rows, made = rows_of(60), scorers_of(10)
    alarms = lone = 0
    for seed in range(10):
        runs = [
            quiet(lambda q, at=at: str(number(q) + 1000 * at), rows, made, name="noise")
            for at in (2 * seed + 1, 2 * seed + 2)
        ]
        found = ws.evals.compare(*runs).scorers
        alarms += any(one.outcome in ("better", "worse") for one in found)
        lone += any(one.p_value <= 0.05 for one in found)
        for one in found:
            assert (one.outcome in ("better", "worse")) == (one.p_adjusted <= 0.05)
            assert (one.low > 0 or one.high < 0) == (one.p_value <= 0.05)
    assert alarms <= 2
    assert lone > alarms


def test_only_what_decides_is_a_family(ws, quiet):
    """The others are exploratory, and say so."""
    rows, made = rows_of(60), scorers_of(3)
    runs = [quiet(lambda q, at=at: str(number(q) + at), rows, made, name="noise") for at in (0, 500)]
    comparison = ws.evals.compare(*runs, decide=["s1"])
    assert [one.is_exploratory for one in comparison.scorers] == [True, False, True]
    assert comparison["s1"].p_adjusted == comparison["s1"].p_value
    assert math.isnan(comparison["s0"].p_adjusted)
    assert "exploratory: " in comparison.text
    assert "s1 decide; the other scorers are exploratory" in comparison.text
    assert [one.is_exploratory for one in ws.evals.compare(*runs, margin={"s2": 0.1}).scorers] == [True, True, False]
    with pytest.raises(NotFoundError, match="did you mean"):
        ws.evals.compare(*runs, decide=["s9"])
    with pytest.raises(UsageError, match="name the scorers"):
        ws.evals.compare(*runs, decide=[])


@pytest.mark.parametrize("p_value", [0.001, 0.04, 0.05, 0.06, 0.5])
@pytest.mark.parametrize("shift", [-0.3, 0.0, 0.1, 0.3])
def test_interval_and_p_value_agree(p_value, shift):
    """Zero is left out exactly when p is at most alpha."""
    from lmops.calc.paired import paired_difference

    scores = np.random.default_rng(3).random(40)
    interval, p = _agreed(paired_difference(scores, scores[::-1] - shift), p_value, 0.05)
    assert (interval.low > 0 or interval.high < 0) == (p <= 0.05)


def test_runs_that_are_the_same_say_so(ws, quiet):
    """A gate of a version against itself shows chance only."""
    rows = rows_of(30)
    one, other = (quiet(skilled(0.9), rows, name="exp") for _ in range(2))
    verdict = ws.evals.gate(one, other, {"scorers": {"exact_match": {"max_loss": 0.2}}})
    assert "all 30 outputs of the two runs are the same" in verdict.text
    assert any("the same" in reason for reason in verdict.reasons)
    assert "all 30 outputs of the two runs are the same" in ws.evals.compare(one, other).text
    with pytest.raises(UsageError, match="gated against itself"):
        ws.evals.gate(one, one, {"scorers": {"exact_match": {"min": 0.2}}})


def test_cases_that_failed_do_not_vanish_from_a_level(ws, quiet):
    """A third of the answers missing is no pass of the rest, unless the criteria say that they are left out."""

    def task(question):
        if number(question) % 3 == 0:
            raise TimeoutError("no answer")
        return right(question)

    run = quiet(task, rows_of(60), retries=0)
    asked = {"scorers": {"exact_match": {"min": 0.8}}}
    found = ws.evals.gate(run, criteria=asked)
    assert found.outcome == "inconclusive"
    assert "20 failed: with them it may be 0.6667 at worst" in found.results[-1].reason
    assert ws.evals.gate(run, criteria=asked | {"missing": "pairs"}).outcome == "pass"
    asked["scorers"]["exact_match"]["min"] = 0.6
    assert ws.evals.gate(run, criteria=asked).outcome == "pass"
