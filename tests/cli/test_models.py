"""Models, traces, runs and verdicts from a shell."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

import lmops
from lmops.cli import main


@pytest.fixture
def run(tmp_path):
    """Return a function that runs a command on one store."""

    def run(*words, code=0, stdin=None):
        found = CliRunner().invoke(main, [*map(str, words), "--store", str(tmp_path / "store")], input=stdin)
        assert found.exit_code == code, (found.output, found.exception)
        return found.stdout

    return run


def test_an_endpoint_has_a_name(run):
    """Registered, listed, forgotten; the audit chain says who."""
    words = ("--base-url", "http://127.0.0.1:9/v1", "--model", "llama", "--header", "X-Team=support", "--actor", "ada")
    assert json.loads(run("model", "register", "mine", *words, "--json"))["model"] == "llama"
    assert run("model", "register", "other", *words[:4]).strip() == "other: llama at http://127.0.0.1:9/v1"
    assert "mine" in run("model", "list")
    assert "forgotten" in run("model", "unregister", "mine", "--reason", "gone", "--yes")
    assert "mine" not in run("model", "list")
    assert "ada" in run("audit", "report", "--action", "model.register")
    run("model", "unregister", "mine", "--yes", code=2)


def test_a_price_is_set(run):
    """With its rates in US dollars per million tokens; a negative one is refused."""
    rates = ("--input-usd-per-mtok", "1.5", "--output-usd-per-mtok", "6", "--valid-from", "2026-01-01")
    assert json.loads(run("model", "set-price", "llama", *rates, "--json")) == {"calls": 0}
    (price,) = json.loads(run("model", "prices", "--json"))
    assert price["model"] == "llama"
    assert "0 calls" in run("trace", "reprice", "llama")
    run("model", "set-price", "llama", "--input-usd-per-mtok", "-1", "--output-usd-per-mtok", "6", code=2)


def test_one_answer(run):
    """The stand-in answers without a key; the text alone is on the standard output."""
    found = json.loads(run("model", "complete", "standin:ferry-1", "When does the ferry leave?", "--json"))
    assert (
        run("model", "complete", "standin:ferry-1", "-", stdin="When does the ferry leave?").strip() == found["content"]
    )
    assert "no-such" in run("model", "complete", "no-such", "?", "--json", code=2)
    run("model", "register", "gone", "--base-url", "http://127.0.0.1:9/v1", "--model", "x", "--timeout", "1")
    assert json.loads(run("model", "complete", "gone", "?", "--max-wait", 0, "--json", code=1))["status"] == "error"
    assert "forgot 0 answers" in run("model", "clear-cache", "--yes")


def test_figures_over_traces(run, tmp_path):
    """By time and by group; one row for all."""
    with lmops.open(tmp_path / "store") as ws:
        handle = ws.traces.instrument(set_global=False)
        for name in ("ask", "ask", "book"):
            with handle.get_tracer("test").start_as_current_span(name):
                pass
    rows = json.loads(run("trace", "stats", "--by", "name", "--every", "all", "--json"))
    assert {row["name"]: row["traces"] for row in rows} == {"ask": 2, "book": 1}
    assert "0.0 %" in run("trace", "stats", "--every", "all")
    assert json.loads(run("trace", "renormalise", "--json")) == {"spans": 0}


def test_results_from_elsewhere_become_runs(run, tmp_path):
    """Two systems side by side, compared and shown; a kept verdict ends as its gate did."""
    path = tmp_path / "rows.json"
    rows = [{"id": str(i), "input": f"q{i}", "small_correct": i % 2, "large_correct": 1} for i in range(8)]
    path.write_text(json.dumps(rows), encoding="utf-8")
    made = json.loads(run("eval", "import", path, "--name", "models", "--systems", "small,large", "--json"))
    ids = [one["run_id"] for one in made]
    assert len(json.loads(run("eval", "summary", *ids, "--json"))) == 2
    (tmp_path / "c.json").write_text('{"scorers": {"correct": {"min": 0.9}}}', encoding="utf-8")
    verdict = json.loads(run("eval", "gate", ids[0], "--criteria", tmp_path / "c.json", "--json", code=1))
    assert json.loads(run("eval", "verdict", verdict["verdict_id"], "--json", code=1)) == verdict
    assert "FAIL" in run("eval", "verdict", verdict["verdict_id"], code=1)


def test_versions_of_a_prompt(run):
    """One row each, newest first."""
    run("prompt", "save", "greet", "-", stdin="Hello {{ name }}")
    run("prompt", "save", "greet", "-", "--note", "kinder", stdin="Dear {{ name }}")
    assert [line.split()[0] for line in run("prompt", "versions", "greet").splitlines()] == ["version", "2", "1"]
    assert [one["note"] for one in json.loads(run("prompt", "versions", "greet", "--json"))] == ["kinder", None]


def test_runs_of_runbooks(run):
    """None yet is said."""
    run("model", "clear-cache", code=2)
    run("prompt", "save", "greet", "-", stdin="Hello")
    assert "no runbook was run" in run("runbook", "runs")
    assert json.loads(run("runbook", "runs", "--json")) == []


def test_what_had_no_json_has_it(run):
    """One trace, a merge, an export, trusted folders."""
    run("prompt", "save", "greet", "-", stdin="Hello")
    assert json.loads(run("store", "compact", "--json")) == {"segments": 0}
    assert json.loads(CliRunner().invoke(main, ["trust", "--json"]).stdout)["added"] is None
