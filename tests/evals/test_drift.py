"""Drift: a changed model is told from noise, and both from worse answers."""

from __future__ import annotations

import numpy as np
import pytest

from lmops.errors import UsageError
from lmops.evals import TaskResult
from lmops.evals._drift import Drift, permuted
from lmops.sample import golden

from .ferry import save_prompts
from .judged import calibrated, judged, truth


def answers(*rows):
    return np.array(rows)


def test_equal_answers_do_not_differ():
    """Nothing differs, nothing is significant."""
    same = np.zeros((20, 3), dtype=int)
    assert permuted(same, same, draws=200, seed=0) == (0, 0, 1)


def test_a_change_is_more_than_noise():
    """Every answer another one, and none within a run: as small a p-value as the deals allow."""
    differing, noise, p_value = permuted(np.zeros((20, 3), dtype=int), np.ones((20, 3), dtype=int), draws=999, seed=0)
    assert (differing, noise, p_value) == (1, 0, 0.001)


def test_noise_is_no_change():
    """Runs that draw from one source are found different in about alpha of the cases."""
    rng = np.random.default_rng(1)
    found = [
        permuted(rng.integers(0, 3, (15, 3)), rng.integers(0, 3, (15, 3)), draws=99, seed=seed)[2] <= 0.1
        for seed in range(200)
    ]
    assert 0.03 < np.mean(found) < 0.17


def test_without_repeats_noise_is_not_known():
    """One answer a side says that they differ, and not why."""
    differing, noise, p_value = permuted(answers([0], [1]), answers([0], [2]), draws=99, seed=0)
    assert differing == 0.5
    assert np.isnan(noise)
    assert np.isnan(p_value)


def test_missing_answers_are_left_out():
    """A repeat that failed is no other answer."""
    assert permuted(answers([0, -1], [1, 1]), answers([0, 0], [1, -1]), draws=99, seed=0)[:2] == (0, 0)


@pytest.fixture
def sample(ws):
    save_prompts(ws)
    ws.datasets.save("golden", golden()[:60])
    return ws


def drift(ws, **given):
    return ws.evals.drift("support-answer@2", "golden", ["source_support"], progress=False, **given)


def test_the_update_of_the_base_model_is_found(sample):
    """The sample's model updated under the same name: another fingerprint, other answers, more of them."""
    assert drift(sample).outcome == "baseline_recorded"
    again = drift(sample)
    assert (again.outcome, again.is_model_changed) == ("no_change", False)
    assert 0 < again.differing < again.noise
    changed = drift(sample, model="standin:ferry-1@2")
    assert changed.outcome == "drifted"
    assert changed.is_model_changed
    assert {name for name, _ in (*changed.before, *changed.after)} == {"ferry-1"}
    assert changed.p_value < 0.01
    assert changed.comparison["output_tokens"].outcome == "worse"
    assert "the model says that it is another" in changed.text
    assert drift(sample, model="standin:ferry-1@2").outcome == "drifted", "a check is no new baseline"
    assert drift(sample, model="standin:ferry-1@2", rebase=True).outcome == "baseline_recorded"
    assert drift(sample, model="standin:ferry-1@2").outcome == "no_change"
    assert sample.sql("select count(*) from audit where action = 'eval.drift'").fetchall() == [(6,)]


def test_answers_that_change_under_the_same_name_are_found(ws):
    """A model that says nothing and answers differently: drift without an announcement."""
    rows = [{"example_id": f"e{n}", "input": f"q{n}"} for n in range(20)]
    version = ws.prompts.save("p", "{{ input }}", model="standin:ferry-1")

    def run(suffix, fingerprint):
        return ws.evals.run(
            lambda q: TaskResult(q + suffix, model="m", system_fingerprint=fingerprint),
            rows,
            ["length"],
            repeats=2,
            prompt=version,
            progress=False,
        )

    from lmops.evals._drift import measure

    def found(a, b):
        comparison = ws.evals.compare(a, b)
        return measure(ws.store, a, b, comparison, alpha=0.05, seed=0).outcome

    before = run("", "fp1")
    assert found(run("!", "fp1"), before) == "drifted_silently"
    assert found(run("", "fp2"), before) == "model_changed"
    assert found(run("!", "fp2"), before) == "drifted"
    assert found(run("", "fp1"), before) == "no_change"


def test_a_run_that_did_not_finish_says_nothing(sample):
    """Half of the answers are no basis."""
    sample.models.set_price("ferry-1", input_usd_per_mtok=1000, output_usd_per_mtok=1000)
    with pytest.raises(UsageError, match=r"did not finish \(the budget of .* is spent"):
        drift(sample, budget_usd=0.5)


def test_a_judge_says_what_people_would_find(ws):
    """By its calibration; uncalibrated it says so, and what a coin says is no loss."""
    new, old = (judged(ws, truth(200, rate=rate, seed=seed), f"r{seed}") for rate, seed in ((0.4, 1), (0.8, 2)))

    def found():
        return Drift(outcome="drifted", run=new, baseline=old, comparison=ws.evals.compare(new, old))

    assert found().worse == ("polite",)
    assert "not corrected: uncalibrated" in found().text
    calibrated(ws)
    one = found().comparison["polite"]
    assert f"polite: worse, {one.corrected:+.4g}" in found().reasons[-1]
    assert "corrected by calibration 1" in found().reasons[-1]
    assert one.corrected < one.difference
    calibrated(ws, sensitivity=0.5, specificity=0.5)
    assert found().worse == ()
