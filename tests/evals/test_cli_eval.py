"""``lmops eval``: runs, comparisons and gates for CI, with exit codes that mean something."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import lmops
from lmops.cli import main
from lmops.cli.evals import _run_code
from lmops.errors import UsageError
from lmops.evals import read_criteria
from lmops.sample import golden

from .conftest import rows_of
from .ferry import save_prompts
from .test_compare import skilled


def run(*words, code=0):
    """Run a command and return what it prints."""
    found = CliRunner().invoke(main, [str(word) for word in words])
    assert found.exit_code == code, (found.output, found.exception)
    return found.output


@pytest.fixture
def store(tmp_path):
    """A store with the prompts of the sample, a dataset and three runs of a function."""
    path = tmp_path / "store"
    with lmops.open(path) as ws:
        save_prompts(ws)
        ws.datasets.save("golden", golden()[:20])
        for name, share in (("bad", 0.4), ("good", 0.9), ("alike", 0.9)):
            ws.evals.run(skilled(share), rows_of(150), "exact_match", name=name, progress=False)
    return path


@pytest.fixture
def criteria(tmp_path):
    """A criteria file."""
    path = tmp_path / "criteria.yaml"
    path.write_text("scorers:\n  exact_match: {min: 0.7, max_loss: 0.05}\n")
    return path


def test_a_prompt_is_run(store):
    """The whole record and summary as JSON, or as text."""
    asked = (
        "eval",
        "run",
        "support-answer@2",
        "-d",
        "golden",
        "-s",
        "source_support",
        "-s",
        '{"scorer": "regex", "pattern": "ferr"}',
        "-p",
        "temperature=0",
        "--store",
        store,
    )
    found = json.loads(run(*asked, "--json"))
    assert (found["status"], found["prompt_ref"], found["totals"]["cases"]) == ("finished", "support-answer@2", 20)
    assert found["params"]["temperature"] == 0
    assert [one["scorer"] for one in found["summary"]] == ["source_support", "regex"]
    assert "20 of 20 cases" in run(*asked, "--quiet")


def test_a_function_is_run(store, tmp_path, monkeypatch):
    """``module:name`` from the working directory."""
    (tmp_path / "my_app.py").write_text("def answer(question):\n    return 'Ferry'\n")
    monkeypatch.chdir(tmp_path)
    found = json.loads(run("eval", "run", "my_app:answer", "-d", "golden", "--store", store, "--json"))
    assert (found["task"], found["cases"]) == ("my_app:answer", 20)
    assert "cannot be loaded" in run("eval", "run", "my_app:nothing", "-d", "golden", "--store", store, code=2)


def test_a_spent_budget_is_inconclusive_and_resumes(store):
    """Exit code 3, then 0."""
    with lmops.open(store) as ws:
        ws.models.set_price("ferry-1", input_usd_per_mtok=1000, output_usd_per_mtok=1000)
    asked = (
        "eval",
        "run",
        "support-answer@2",
        "-d",
        "golden",
        "--name",
        "dear",
        "--concurrency",
        "1",
        "--store",
        store,
    )
    found = json.loads(run(*asked, "--budget-usd", "0.9", "--json", code=3))
    assert found["status"] == "over_budget"
    found = json.loads(run("eval", "resume", "dear", "--budget-usd", "1000", "--store", store, "--json"))
    assert (found["status"], found["totals"]["cases"], found["totals"]["sessions"]) == ("finished", 20, 2)


@pytest.mark.parametrize(
    ("a", "b", "margin", "code"), [("bad", "good", "0.05", 1), ("alike", "good", "0.05", 0), ("alike", "good", None, 3)]
)
def test_compare_ends_with_what_it_found(store, a, b, margin, code):
    """Worse 1, inconclusive 3, otherwise 0."""
    more = () if margin is None else ("--margin", f"exact_match={margin}")
    found = json.loads(run("eval", "compare", a, b, *more, "--store", store, "--json", code=code))
    assert found["differences"][0]["name"] == "exact_match"
    assert "exact_match" in run("eval", "compare", a, b, *more, "--store", store, code=code)


@pytest.mark.parametrize(("name", "outcome", "code"), [("good", "pass", 0), ("bad", "fail", 1)])
def test_gate_writes_what_ci_reads(store, criteria, tmp_path, name, outcome, code):
    """Verdict as JSON on standard output, JUnit XML and Markdown as files."""
    junit, page = tmp_path / "junit.xml", tmp_path / "summary.md"
    found = json.loads(run(
        "eval", "gate", name, "--baseline", "alike", "--criteria", criteria, "--junit", junit, "--markdown", page,
        "--store", store, "--json", "--actor", "ci", code=code,
    ))  # fmt: skip  # arguments that belong together share a line
    assert (found["outcome"], found["exit_code"], found["actor"]) == (outcome, code, "ci")
    assert 'tests="3"' in junit.read_text()
    assert f"## Gate: {outcome}" in page.read_text()


def test_gate_that_cannot_tell_ends_with_3(store, tmp_path):
    """Neither pass nor fail."""
    path = tmp_path / "criteria.json"
    path.write_text('{"scorers": {"exact_match": {"min": 0.9}}}')
    assert "INCONCLUSIVE" in run("eval", "gate", "good", "--criteria", path, "--store", store, code=3)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "support-answer@2", "-d", "golde"), "did you mean 'golden'"),
        (("run", "support-answer@9", "-d", "golden"), "support-answer"),
        (("run", "support-answer@2", "-d", "golden", "-s", "source_suport"), "did you mean 'source_support'"),
        (("run", "support-answer@2", "-d", "golden", "-s", "{broken"), "no JSON"),
        (("run", "support-answer@2", "-d", "golden", "-p", "temperature"), "give NAME=VALUE"),
        (("compare", "bad", "goo"), "did you mean 'good'"),
        (("compare", "bad", "good", "--margin", "x"), "give a number"),
        (("gate", "bad", "--criteria", "nowhere.yaml"), "there is no criteria file"),
        (("resume", "never"), "no run named 'never'"),
        (("show", "never"), "no run named 'never'"),
    ],
)
def test_slips_end_with_2_and_one_line(store, words, said):
    """What was asked, and the nearest that there is."""
    assert said in run("eval", *words, "--store", store, code=2)


def test_runs_are_listed_and_shown(store):
    """Newest first; failures on request."""
    assert [row["name"] for row in json.loads(run("eval", "list", "--store", store, "--json"))] == [
        "alike",
        "good",
        "bad",
    ]
    assert "alike" in run("eval", "list", "--limit", "1", "--store", store)
    assert "150 of 150 cases" in run("eval", "show", "good", "--failures", "--store", store)
    assert json.loads(run("eval", "show", "good", "--store", store, "--json"))["summary"][0]["n"] == 150


def test_drift_ends_with_what_it_found(store):
    """A baseline, no change, another model."""
    asked = ("eval", "drift", "support-answer@2", "-d", "golden", "-s", "source_support", "--store", store, "--json")
    assert json.loads(run(*asked))["outcome"] == "baseline_recorded"
    assert json.loads(run(*asked))["outcome"] == "no_change"
    found = json.loads(run(*asked, "--model", "standin:ferry-1@2", code=1))
    assert (found["outcome"], found["is_model_changed"]) == ("drifted", True)


def test_a_stopped_job_keeps_what_is_finished(store, tmp_path):
    """SIGTERM, as schedulers send it: exit code 1, and the run goes on later."""
    (tmp_path / "slow_app.py").write_text(
        "import time, os\ndef answer(question):\n    os.write(2, b'.')\n    time.sleep(0.05)\n    return question\n"
    )
    with lmops.open(store) as ws:
        ws.datasets.save("long", rows_of(400))
    process = subprocess.Popen(
        [sys.executable, "-m", "lmops", "eval", "run", "slow_app:answer", "-d", "long", "--name", "stopped", "--quiet",
         "--store", str(store)],
        cwd=tmp_path, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(lmops.__file__).parent.parent)},
    )  # fmt: skip  # arguments that belong together share a line
    with process:
        assert process.stderr.read(40) == b"." * 40
        process.send_signal(signal.SIGTERM)
        said = process.stderr.read().decode()
    assert process.returncode == 1
    assert "finished cases are kept" in said
    with lmops.open(store) as ws:
        stopped = ws.evals.get("stopped")
        assert stopped.status == "interrupted"
        assert 20 <= stopped.totals.cases < 400


def test_what_a_task_prints_is_not_in_the_json(tmp_path, monkeypatch):
    """The output of a job is read by a program."""
    (tmp_path / "noisy_task.py").write_text("def answer(question):\n    print('noise')\n    return question\n")
    monkeypatch.chdir(tmp_path)
    with lmops.open(tmp_path / "store") as ws:
        ws.datasets.save("small", rows_of(3))
    asked = ("eval", "run", "noisy_task:answer", "-d", "small", "--store", tmp_path / "store", "--json")
    found = CliRunner().invoke(main, [str(word) for word in asked])
    assert json.loads(found.stdout)["status"] == "finished"
    assert found.stderr.count("noise") == 3


@pytest.mark.parametrize(
    ("name", "body"), [("c.yaml", b"\xff\xfe"), ("c.yaml", b"[" * 100_000), ("c.json", b"[" * 100_000)]
)
def test_a_criteria_file_that_cannot_be_read_is_said(tmp_path, name, body):
    """Bytes that are no text, and lists in lists without end."""
    (tmp_path / name).write_bytes(body)
    with pytest.raises(UsageError, match=r"is not UTF-8 text|is no YAML|is no JSON"):
        read_criteria(tmp_path / name)


def test_a_run_in_which_every_case_failed_says_the_first_reason(store, tmp_path, monkeypatch):
    """And does not end with 0; nor does one of which nothing could be scored."""
    (tmp_path / "my_bad_app.py").write_text("def answer(question):\n    raise ValueError('the key is wrong')\n")
    (tmp_path / "my_odd_app.py").write_text("def answer(question):\n    return 'Ferry'\n")
    monkeypatch.chdir(tmp_path)
    asked = ("eval", "run", "my_bad_app:answer", "-d", "golden", "--store", store, "--quiet", "--retries", "0")
    assert "every case failed, the first, " in (said := run(*asked, code=1))
    assert "the key is wrong" in said


def test_a_run_of_which_nothing_could_be_scored_ends_with_1(store, capsys):
    """With the first reason."""

    def broken(output):
        raise ValueError("no such file")

    with lmops.open(store) as ws:
        made = ws.evals.run(lambda question: "a", rows_of(3), [broken], name="odd", progress=False)
        assert _run_code(made) == 1
    assert "nothing was scored, the first, broken of e000: ValueError: no such file" in capsys.readouterr().err


def test_a_gate_that_stops_when_it_knows(store, tmp_path, monkeypatch):
    """It runs what it judges, and ends like any gate."""
    (tmp_path / "my_good_app.py").write_text("def answer(question):\n    return question.replace('q', 'a')\n")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text("scorers:\n  exact_match: {min: 0.7}\n")
    with lmops.open(store) as ws:
        ws.datasets.save("many", rows_of(200))
    asked = ("eval", "gate", "my_good_app:answer", "--criteria", tmp_path / "c.yaml", "--store", store)
    found = json.loads(run(*asked, "--stop-early", "-d", "many", "-s", "exact_match", "--json"))
    assert (found["outcome"], found["results"][0]["name"]) == ("pass", "looked early")
    stop = ("--stop-early", "-d", "many", "-s", "exact_match", "--repeats", "2", "--json")
    assert json.loads(run(*asked, *stop))["outcome"] == "pass"
    with lmops.open(store) as ws:
        assert ws.evals.list()["planned"].max() == 400
    assert "give --dataset and --scorer" in run(*asked, "--stop-early", code=2)
    assert "--stop-early" in run(*asked, "-d", "many", code=2)


@pytest.mark.parametrize(
    ("decision", "code"), [("ok", 0), ("attention", 1), ("fail", 1), ("inconclusive", 3), ("no data", 3)]
)
def test_a_runbook_ends_as_it_decided(store, tmp_path, warm_kernels, decision, code):
    """0 well, 1 against, 3 cannot tell."""
    import nbformat

    cells = [
        nbformat.v4.new_markdown_cell("# Decide\n\nQuestion: none. Changes nothing."),
        nbformat.v4.new_code_cell("limit: int = 1  # count: nothing", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(f"import lmops.runbooks\n\nlmops.runbooks.show_result({decision!r})"),
    ]
    path = tmp_path / "decide.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    run("runbook", "run", str(path), "--store", store, "--quiet", "--no-html", code=code)
