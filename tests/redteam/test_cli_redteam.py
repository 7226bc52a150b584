"""``lmops redteam``: run, report, gate."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from lmops.cli import main
from tests.redteam.conftest import SUITE


@pytest.fixture
def call(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    suite = tmp_path / "suite.jsonl"
    suite.write_text("\n".join(map(json.dumps, SUITE)), encoding="utf-8")
    (tmp_path / "desk.py").write_text(
        'def answer(question):\n    return question.split(\'"\')[1] if "reply with" in question else "Fine."\n',
        encoding="utf-8",
    )

    def run(*words):
        return CliRunner().invoke(main, ["redteam", *words, "--store", str(tmp_path / "store")])

    return run


def test_run_report_and_gate(call):
    """A function is attacked, reported and gated; the exit code is that of the verdict."""
    done = call("run", "desk:answer", "--suite", "suite.jsonl", "--name", "desk", "--quiet")
    assert done.exit_code == 0, done.output
    report = json.loads(call("report", "desk", "--json").output)
    assert report["rates"][0]["success"] == 1.0
    assert "by family" in call("report", "desk").output
    assert call("gate", "desk").exit_code == 1
    assert call("gate", "desk", "--max-success", "1", "--min-benign", "0.3").exit_code == 0
    assert call("report", "nowhere").exit_code == 2


def test_seeds_and_ways_are_listed(call):
    """Seeds and ways are listed for people and as JSON."""
    call("run", "desk:answer", "--suite", "suite.jsonl", "--quiet")
    assert json.loads(call("seeds", "--json").output)["suite"] == "core"
    assert "base64" in call("ways").output


def test_plan_and_results_of_others(call, tmp_path):
    """A plan asks nothing; a report of garak becomes a run."""
    call("run", "desk:answer", "--suite", "suite.jsonl", "--quiet")
    plan = json.loads(call("plan", "desk:answer", "--suite", "suite.jsonl", "--json").output)
    assert (plan["attacks"], plan["left_out"]) == (6, {"document_end: the target takes no documents": 6})
    attempt = {
        "entry_type": "attempt",
        "uuid": "u",
        "status": 2,
        "probe_classname": "a.B",
        "prompt": "p",
        "outputs": ["o"],
    }
    (tmp_path / "g.jsonl").write_text(json.dumps({**attempt, "detector_results": {"d": [1.0]}}), encoding="utf-8")
    assert call("import-garak", "g.jsonl").exit_code == 0
    assert json.loads(call("report", "garak", "--json").output)["rates"][0]["success"] == 1.0
    assert call("import-promptfoo", "g.jsonl").exit_code == 2
