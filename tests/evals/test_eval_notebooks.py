"""The notebooks of evaluations run from end to end, and their runbooks fail where they should."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from lmops.sample import golden
from lmops.sample.releases import release

ROOT = Path(__file__).resolve().parent.parent.parent / "notebooks"
GATE = ROOT / "runbooks" / "eval_gate.ipynb"
DRIFT = ROOT / "runbooks" / "prompt_drift.ipynb"
pytestmark = pytest.mark.usefixtures("warm_kernels")
FAST = {"scorers": "source_support refusal", "dry_run": False}


def prepare(ws):
    release(ws.store)
    ws.datasets.save("golden", golden())


@pytest.fixture
def sample(made_once):
    with made_once(prepare) as ws:
        yield ws


def start(ws, path, **given):
    return ws.runbooks.run(path, given, progress=False, html=False)


def ids(run):
    return run.raise_for_status().result["ids"]


@pytest.mark.slow
def test_the_exploring_notebook_runs(ws):
    """03_evals goes from a dataset to a verdict, and leaves progress and figures that read without a kernel."""
    run = start(ws, ROOT / "03_evals.ipynb", limit=40)
    run.raise_for_status()
    notebook = nbformat.read(run.notebook_path, 4)
    texts = [
        output.data.get("text/plain", "")
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "data" in output
    ]
    assert any("80 of 80 cases (100%)" in text and "/s" in text for text in texts)
    assert ws.sql("select count(*) from verdicts").fetchall() == [(1,)]


def test_the_gate_fails_v3_and_passes_what_is_no_worse(sample):
    """The decision, its reasons and the verdict's id are in the result; the baseline is asked once."""
    run = start(sample, GATE, prompt_ref="support-answer@3", baseline="support-answer@2", **FAST)
    assert ids(run)["verdict"]
    assert run.result["decision"] == "fail"
    assert "source_support.max_loss" in run.result["reasons"][0]
    again = start(sample, GATE, prompt_ref="support-answer@2", baseline=ids(run)["baseline"], clustered=False, **FAST)
    assert again.raise_for_status().result["decision"] == "pass"
    verdict = sample.evals.verdict(ids(again)["verdict"])
    assert (verdict.outcome, verdict.prompt_ref) == ("pass", "support-answer@2")
    third = start(sample, GATE, prompt_ref="support-answer@2", baseline="support-answer@2", clustered=False, **FAST)
    assert ids(third)["baseline"] == ids(again)["run"]


def test_the_gate_asks_nothing_in_a_dry_run(sample):
    """It says how many calls there would be."""
    run = start(sample, GATE, limit=10)
    assert run.raise_for_status().result["decision"] == "planned"
    assert run.result["reasons"] == ["20 calls would be made"]
    assert len(sample.evals.list()) == 0


@pytest.mark.parametrize(
    ("path", "given", "words"),
    [
        (GATE, {"prompt_ref": "support-anser@2"}, "did you mean 'support-answer'"),
        (GATE, {"dataset": "goldn"}, "did you mean 'golden'"),
        (GATE, {"margins": "source_support"}, "give NAME=NUMBER"),
        (GATE, {"dry_run": False, "scorers": "source_suport", "limit": 5}, "did you mean 'source_support'"),
        (DRIFT, {"baseline": "run-000000"}, "no run named"),
    ],
)
def test_a_slip_fails_the_runbook(sample, path, given, words):
    """The failing cell and the message are recorded."""
    run = start(sample, path, **given)
    assert run.status == "failed"
    assert words in run.error


def test_the_drift_runbook_tells_a_changed_model(sample):
    """A baseline, no change, and then another model under the same name."""
    asked = {"prompt_ref": "support-answer@2", "limit": 40, "scorers": "source_support", "dry_run": False}
    decisions = [
        start(sample, DRIFT, **asked, **more).raise_for_status().result["decision"]
        for more in ({}, {}, {"model": "standin:ferry-1@2"})
    ]
    assert decisions == ["baseline_recorded", "no_change", "drifted"]
    assert start(sample, DRIFT).raise_for_status().result["decision"] == "planned"
