"""Comparisons: paired, honest about what is missing, and refused where they would mislead."""

from __future__ import annotations

import random

import pytest

from lmops.errors import NotFoundError, UsageError
from lmops.evals import TaskResult
from lmops.scorers import build

from .conftest import right, rows_of


def skilled(share, seed=0):
    """Return a task that answers this share of the questions rightly, always the same ones."""

    def task(question):
        return right(question) if random.Random(f"{question}-{seed}").random() < share else "no idea"

    return task


@pytest.fixture
def run(ws):
    def start(share, rows=None, scorers=("exact_match",), seed=0, **given):
        task = share if callable(share) else skilled(share, seed)
        return ws.evals.run(task, rows or rows_of(120), scorers, progress=False, name="exp", **given)

    return start


def test_a_worse_version_is_found_with_its_interval(ws, run):
    """Effect, interval, exact p, flips and the word."""
    found = ws.evals.compare(run(0.5), run(0.9))["exact_match"]
    assert found.outcome == "worse"
    assert found.high < 0
    assert found.low < found.difference < found.high
    assert found.p_value < 0.001
    assert found.test == "mcnemar mid-p"
    assert (found.gained, found.lost) == (0, round(-found.difference * 120))
    assert ws.evals.compare(run(0.9), run(0.5))["exact_match"].outcome == "better"


def test_two_identical_versions_do_not_differ(ws, run):
    """No difference is claimed only with a margin that is excluded; else it says what could have been seen."""
    a, b = run(0.7), run(0.7)
    found = ws.evals.compare(a, b, margin=0.05)["exact_match"]
    assert (found.outcome, found.difference, found.p_value) == ("non_inferior", 0, 1)
    assert found.low > -0.05
    found = ws.evals.compare(a, b)["exact_match"]
    assert found.outcome == "inconclusive"
    assert 0 < found.minimum_detectable_effect < 0.1
    assert "could have found" in ws.evals.compare(a, b).text


def test_too_few_examples_say_how_many_are_needed(ws, run):
    """Inconclusive is an outcome, with the number that would decide."""
    rows = rows_of(30)
    found = ws.evals.compare(run(0.6, rows), run(0.7, rows, seed=1), margin=0.02)["exact_match"]
    assert found.outcome == "inconclusive"
    assert found.n_needed > 30


def test_lower_is_better_where_it_is(ws, run):
    """A score of length or cost turns the verdict round, not the difference."""
    words = build(lambda output: float(len(output)), name="length", higher_is_better=False)
    long = run(lambda q: right(q) + " and more" * (1 + int(q[1:]) % 3), scorers=[words])
    short = run(right, scorers=[words])
    found = ws.evals.compare(long, short)["length"]
    assert found.difference > 0
    assert found.outcome == "worse"


def test_clusters_widen_the_interval(ws, run):
    """Twelve sessions of ten copies are not 120 examples."""
    rows = [row | {"cluster": f"s{number // 10}"} for number, row in enumerate(rows_of(120))]

    def task(share):
        return lambda q: right(q) if random.Random(int(q[1:]) // 10).random() < share else "no"

    clustered = ws.evals.compare(run(task(0.5), rows), run(task(0.9), rows))["exact_match"]
    plain = ws.evals.compare(run(task(0.5)), run(task(0.9)))["exact_match"]
    assert clustered.n_clusters == 12
    assert clustered.high - clustered.low > 2 * (plain.high - plain.low)
    assert clustered.test.startswith("sign flips")


def test_repeats_are_used_and_examples_are_counted(ws, run):
    """Four answers to each of 30 questions are 30 pairs, and less noisy ones."""

    def noisy(share):
        def task(example, repeat):
            chance = random.Random(f"{example.example_id}-{repeat}-{share}").random()
            return right(example.input) if chance < share else "no"

        return task

    rows = rows_of(30)
    once = ws.evals.compare(run(noisy(0.4), rows), run(noisy(0.8), rows))["exact_match"]
    more = ws.evals.compare(run(noisy(0.4), rows, repeats=8), run(noisy(0.8), rows, repeats=8))["exact_match"]
    assert (once.n, more.n) == (30, 30)
    assert more.high - more.low < once.high - once.low


def test_slices_are_compared_and_corrected(ws, run):
    """A loss in one language is found there; p-values count how many slices were looked at."""
    rows = [
        row | {"metadata": {"lang": "de" if n % 2 else "en"}, "split": "test"} for n, row in enumerate(rows_of(160))
    ]

    def task(question):
        return right(question) if int(question[1:]) % 2 == 0 or int(question[1:]) % 5 == 0 else "no"

    comparison = ws.evals.compare(run(task, rows), run(right, rows), slices=["lang", "split"])
    frame = comparison.slices().set_index("slice")
    assert frame.loc["lang=de", "outcome"] == "worse"
    assert frame.loc["lang=en", "outcome"] == "inconclusive"
    assert (frame["p_adjusted"] >= frame["p_value"]).all()
    assert set(frame.index) == {"lang=de", "lang=en", "split=test"}
    with pytest.raises(NotFoundError, match="did you mean 'lang'"):
        ws.evals.compare(comparison.a, comparison.b, slices=["lan"])


def test_what_is_missing_is_counted_and_bounded(ws, run):
    """Failed cases leave the pairs, show in the coverage, and the difference says what they could do to it."""

    def failing(question):
        if int(question[1:]) % 4 == 0:
            raise ValueError
        return right(question)

    found = ws.evals.compare(run(failing), run(right))["exact_match"]
    assert (found.n, found.coverage, found.difference) == (90, 0.75, 0)
    assert (found.worst, found.best) == (-0.25, 0)


def test_unmatched_examples_are_refused(ws, run):
    """A run of half the dataset is not compared silently."""
    ws.datasets.save("d", rows_of(40))
    a, b = run(0.9, "d", limit=30), run(0.9, "d")
    with pytest.raises(UsageError, match=r"10 examples finished in run-\w+ only \(e030, e031, e032, ...\)"):
        ws.evals.compare(a, b)
    comparison = ws.evals.compare(a, b, allow_unmatched=True)
    assert comparison["exact_match"].n == 30
    assert "left out" in comparison.notes[0]


def test_an_unfinished_run_is_refused(ws, run):
    """Cases that were not run are no pairs."""

    def costly(question):
        return TaskResult(right(question), cost_usd=1.0)

    part, whole = run(costly, budget_usd=10), run(right)
    assert part.status == "over_budget"
    with pytest.raises(UsageError, match="Resume the run that is not complete"):
        ws.evals.compare(part, whole)


def test_other_versions_are_refused(ws, run):
    """Another dataset or another scorer: differences would mean something else."""
    a, b = run(right, rows_of(20)), run(right, rows_of(20, split="x"))
    with pytest.raises(UsageError, match="differences between the versions"):
        ws.evals.compare(a, b)
    assert ws.evals.compare(a, b, allow_changed=True)["exact_match"].n == 20
    a, b = run(right, scorers=[longer_than(1)]), run(right, scorers=[longer_than(2)])
    with pytest.raises(UsageError, match=r"scorer long changed"):
        ws.evals.compare(a, b)


def longer_than(width):
    def is_long(output):
        return len(output) > width

    return build(is_long, name="long")


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"scorers": ["exact_mach"]}, NotFoundError, "did you mean 'exact_match'"),
        ({"alpha": 2}, UsageError, "alpha=2"),
        ({"margin": -1}, UsageError, "margin of exact_match"),
        ({"margin": {"exact_mach": 0.05}}, NotFoundError, "did you mean 'exact_match'"),
        ({"correction": "all"}, UsageError, "correction='all'"),
    ],
)
def test_arguments_are_checked(ws, run, given, error, words):
    """Each says what would do."""
    a, b = run(0.5, rows_of(10)), run(0.6, rows_of(10))
    with pytest.raises(error, match=words):
        ws.evals.compare(a, b, **given)
    with pytest.raises(UsageError, match="compared with itself"):
        ws.evals.compare(a, a)


def test_measures_stand_beside_the_scores(ws, run):
    """Cost and latency are compared too, without counting as scorers."""
    cheap = run(lambda q: TaskResult(right(q), cost_usd=0.01 + int(q[1:]) * 1e-5, latency_ms=100.0 + int(q[1:])))
    dear = run(lambda q: TaskResult(right(q), cost_usd=0.02 + int(q[1:]) * 3e-5, latency_ms=101.0 + int(q[1:])))
    comparison = ws.evals.compare(dear, cheap)
    assert comparison["cost_usd"].outcome == "worse"
    assert comparison["latency_ms"].difference == pytest.approx(1)
    assert [one.name for one in comparison.scorers] == ["exact_match"]


def test_the_cases_behind_it_are_a_frame(ws, run):
    """Losses first, with both answers, for an explorer or a reader."""
    cases = ws.evals.compare(run(0.5), run(0.9)).cases("exact_match")
    assert len(cases) == 120
    assert cases.iloc[0]["change"] == -1
    assert cases.iloc[0]["flip"] == "lost"
    assert cases.iloc[0]["output_a"] == "no idea"


def test_hostile_names_stay_text(ws, run):
    """What comes from prompts, scorers and datasets is escaped in HTML."""
    rows = [row | {"metadata": {"lang": "<img src=x onerror=alert(1)>"}} for row in rows_of(20)]
    a, b = run(0.5, rows), run(0.9, rows)
    page = ws.evals.compare(a, b, slices=["lang"])._repr_html_() + a._repr_html_()
    assert "<img" not in page
    assert "&lt;img" in page


def test_a_comparison_plots_itself(ws, run):
    """Differences, scores and quality against cost, as plain figures."""
    comparison = ws.evals.compare(run(0.5, rows_of(30)), run(0.9, rows_of(30)))
    assert [trace.name for trace in comparison.plot().data] == ["worse"]
    assert len(comparison.plot("scores").data) == 2
    assert comparison.plot("cost").layout.annotations[0].text == "no data"
    with pytest.raises(UsageError, match="did you mean 'scores'"):
        comparison.plot("score")


def test_a_single_run_is_summed_up(ws, run):
    """Itself, its id or its name; what is no run is refused in words."""
    one = run(0.5, rows_of(10))
    want = ws.evals.summary([one])
    for asked in (one, one.run_id, (given for given in (one,))):
        assert ws.evals.summary(asked).equals(want)
    for wrong in (None, 5, [5]):
        with pytest.raises(UsageError, match="is no run"):
            ws.evals.summary(wrong)


def test_runs_stand_side_by_side(ws, run):
    """One row per run and scorer; equal labels are told apart."""
    a, b = run(0.5, rows_of(30)), run(0.9, rows_of(30))
    frame = ws.evals.summary([a, b])
    assert frame["label"].is_unique
    assert frame["mean"].tolist() == [a.summary()[0].mean, b.summary()[0].mean]
    assert frame["p50_ms"].notna().all()
