"""The demo tells its story, once; the code of the README runs after it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from lmops.cli import main
from tests import warm

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An empty folder, where somebody begins with lmops."""
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def told(folder):
    """What the demo says in JSON the first time, and the second time."""
    words = ["demo", "--store", str(folder / ".lmops-demo"), "--json"]
    with pytest.MonkeyPatch.context() as patched:
        warm.use(patched)
        said = [CliRunner().invoke(main, words) for _ in range(2)]
    assert [one.exit_code for one in said] == [0, 0], [(one.output, one.exception) for one in said]
    return [json.loads(one.output, parse_float=lambda text: round(float(text), 9)) for one in said]


def test_the_demo_tells_the_story_once(told):
    """The main job: a summary, a report, a verified recovery, what alerts are worth; and a second run adds nothing."""
    first, second = told
    summarises(first)
    recovers(first["story"], Path(first["run"]["html_path"]).parent)
    judges(first["story"])
    assert first["audit"]["ok"]
    assert without_plans(second) == without_plans(first)


def without_plans(found):
    """Return it without the dry runs: what was done is not planned again."""
    incidents = [{**one, "plans": None} for one in found["story"]["incidents"]]
    return {**found, "story": {**found["story"], "incidents": incidents}}


@pytest.mark.usefixtures("told")
def test_the_code_runs_as_it_stands(folder):
    """A stranger's lines in the folder of the demo end with what the README says; .ci/tour.py holds what it prints."""
    code = "\n".join(re.findall(r"```python\n(.*?)```", README, re.DOTALL))
    checks = (
        "\nassert ws.sql('select count(*) from traces').fetchall()[0][0] >= 2000\nassert ws.runbooks.runs()\n"
        "assert verdict.outcome == 'fail'\nassert ws.prompts.get('support-answer@production').version == 2\n"
        "assert ws.audit.verify().ok\n"
    )
    command = [sys.executable, "-W", "error::UserWarning", "-c", code + checks]
    found = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=180, check=False)
    assert found.returncode == 0, found.stderr


def summarises(found):
    """Hold that totals, feedback, releases and the report are those of the two weeks."""
    assert found["totals"]["traces"] == 2000
    assert found["totals"]["unpriced_calls"] > 0
    assert (found["feedback"]["with_feedback"], found["feedback"]["traces"]) == (171, 2000)
    assert found["run"]["status"] == "ok"
    assert found["run"]["html_path"].endswith(".html")
    assert [row["to"] for row in found["releases"] if row["alias"] == "production"] == [1, 2, 3]


def recovers(story, folder):
    """Hold that the prompt that accounts for an alert is rolled back, and that new traffic says that this was it."""
    (found,) = story["incidents"]
    assert "support-answer@3" in found["incident"]["explained"]
    assert [(one["action"], one["state"]) for one in found["plans"]] == [
        ("roll_back", "planned"),
        ("reroute", "planned"),
        ("tighten_guardrail", "planned"),
    ]
    assert found["plans"][0]["then"] == {"support-answer@production": 2}
    assert [act["action"] for act in found["done"]] == ["roll_back", "reroute", "tighten_guardrail"]
    assert (found["state"], found["incident"]["status"]) == ("recovered", "resolved")
    assert (len(found["incident"]["alerts"]) > 1, found["incident"]["is_verified"]) == (True, True)
    assert story["after"] > 100
    assert "roll" in (folder / "postmortem_1.md").read_text(encoding="utf-8")


def judges(story):
    """Hold that all that was planted is found, and that what is of nothing is counted."""
    missed = [one["name"] for one in story["planted"] if one["alert"] is None]
    wrong = [one["alert"] for one in story["alerts"] if not one["of"]]
    assert (missed, story["recall"]) == ([], 1)
    assert story["precision"] == pytest.approx(1 - len(wrong) / len(story["alerts"]))
