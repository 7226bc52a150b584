"""The notebooks of prompts: they run, a dry run changes nothing, a second run has nothing to do, a failure is said."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from lmops.errors import RunbookError
from lmops.sample.releases import release

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
NAME = "support-answer"
pytestmark = pytest.mark.usefixtures("warm_kernels")


def prepare(ws):
    """Make the sample's releases, and a fourth version."""
    release(ws.store)
    ws.prompts.save(
        NAME, "Answer {{ question }} from {{ sources }}. <img src=x onerror=alert(1)>", note="<b>fourth</b>"
    )


@pytest.fixture
def sample(made_once):
    """A store with four versions, the third in production."""
    with made_once(prepare) as ws:
        yield ws


def run(ws, runbook, /, **given):
    return ws.runbooks.run(NOTEBOOKS / "runbooks" / f"{runbook}.ipynb", given, progress=False)


def production(ws):
    return ws.prompts.get(f"{NAME}@production").version


def test_a_release_is_shown_first_and_made_on_demand(sample):
    """Dry run, release, again: three decisions, one move, the actor of the run."""
    shown = run(sample, "prompt_release").raise_for_status()
    assert (shown.result["decision"], production(sample)) == ("would promote", 3)
    assert "<img" not in shown.html_path.read_text()
    made = run(sample, "prompt_release", dry_run=False, reason="better", expected="3").raise_for_status()
    assert (made.result["decision"], production(sample)) == ("promoted", 4)
    assert made.result["summary"] == {"prompt": NAME, "alias": "production", "from": 3, "to": 4, "forced": False}
    newest = sample.prompts.history(NAME, alias="production").iloc[-1]
    assert (newest["actor"], newest["reason"]) == ("tester", "better")
    assert newest["event_id"] == made.result["ids"]["audit_event"]
    again = run(sample, "prompt_release", dry_run=False, expected="3").raise_for_status()
    assert again.result["decision"] == "nothing to do"


def test_a_release_without_evidence_is_refused(sample):
    """In a dry run it is a decision; else the run fails, and nothing moves."""
    sample.prompts.protect(NAME)
    shown = run(sample, "prompt_release").raise_for_status()
    assert shown.result["decision"] == "refused"
    assert "needs evidence" in shown.result["reasons"][0]
    failed = run(sample, "prompt_release", dry_run=False, evidence="verdict-1, verdict-2")
    assert failed.status == "failed"
    assert "'verdict-1' is no verdict of this store" in failed.error
    with pytest.raises(RunbookError, match="needs evidence"):
        failed.raise_for_status()
    assert production(sample) == 3
    forced = run(sample, "prompt_release", dry_run=False, force=True, reason="on fire").raise_for_status()
    assert forced.result["summary"]["forced"] is True


def test_a_release_on_a_state_that_has_changed_fails(sample):
    """Somebody was faster: the run says who."""
    sample.prompts.promote(NAME, 2, to="production", actor="bob")
    failed = run(sample, "prompt_release", dry_run=False, expected="3")
    assert "bob moved it from 3 to 2" in failed.error
    assert production(sample) == 2


def test_a_first_release_needs_no_alias(ws):
    """There is nothing to compare with, and that is no error."""
    ws.prompts.save("greet", "Hello")
    made = run(ws, "prompt_release", name="greet", dry_run=False).raise_for_status()
    assert (made.result["decision"], made.result["summary"]["from"]) == ("promoted", None)


def test_a_rollback_is_shown_first_and_is_safe_to_run_twice(sample):
    """Dry run, rollback, again: nothing to do; further back only by name."""
    shown = run(sample, "prompt_rollback").raise_for_status()
    assert (shown.result["decision"], shown.result["summary"]["to"], production(sample)) == ("would roll back", 2, 3)
    made = run(sample, "prompt_rollback", dry_run=False, reason="claims without a source").raise_for_status()
    assert (made.result["decision"], production(sample)) == ("rolled back", 2)
    again = run(sample, "prompt_rollback", dry_run=False, reason="claims without a source").raise_for_status()
    assert (again.result["decision"], production(sample)) == ("nothing to do", 2)
    other = run(sample, "prompt_rollback", dry_run=False, reason="r", bad_version="3").raise_for_status()
    assert (other.result["decision"], production(sample)) == ("nothing to do", 2)
    further = run(sample, "prompt_rollback", dry_run=False, reason="r", bad_version="2").raise_for_status()
    assert (further.result["decision"], production(sample)) == ("rolled back", 1)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"dry_run": False}, "needs a reason"),
        ({"name": "suport-answer"}, "did you mean 'support-answer'"),
        ({"alias": "prod"}, "did you mean 'production'"),
    ],
)
def test_a_rollback_that_cannot_be_made_says_why(sample, given, words):
    """The failing path: the run is recorded as failed and nothing moves."""
    failed = run(sample, "prompt_rollback", **given)
    assert failed.status == "failed"
    assert words in failed.error
    assert production(sample) == 3
    assert sample.audit.verify().ok


def test_the_exploring_notebook_runs_twice(ws):
    """02_prompts saves one version more, and only once; production stays."""
    for _ in range(2):
        done = ws.runbooks.run(NOTEBOOKS / "02_prompts.ipynb", progress=False).raise_for_status()
    assert len(ws.prompts.versions(NAME)) == 4
    assert production(ws) == 3
    assert "only from the sources" in ws.prompts.get(NAME).messages[0]["content"]
    notebook = nbformat.read(done.notebook_path, 4)
    assert done.notebook_path.stat().st_size < 200_000
    assert "widgets" not in notebook.metadata
