"""The runbook of a response: a dry run, the action once, and what it says when it cannot go on."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.incidents.conftest import BAD, broken
from tests.monitors.traffic import DAY, add, sessions

pytestmark = pytest.mark.usefixtures("warm_kernels")


def run(ws, **given):
    asked = {"params": {"prompt": "answer"}, **given}
    return ws.runbooks.run("incident_response", asked, progress=False, html=False)


def test_a_dry_run_then_the_action_then_what_became_of_it(made_once):
    """The incident is the same; a second real run finds it done, and tests again."""
    with made_once(broken) as ws:
        dry = run(ws).raise_for_status()
        assert (dry.result["decision"], dry.exit_code, ws.incidents.get(1).status) == ("would act", 0, "open")
        assert ws.prompts.aliases("answer") == {"production": 2}
        seen = dry.result["summary"]["seen"]
        done = run(ws, dry_run=False, seen=seen, reason="half of it fails").raise_for_status()
        assert (done.result["decision"], done.exit_code) == ("cannot tell", 3)
        assert ws.prompts.aliases("answer") == {"production": 1}
        assert run(ws, dry_run=False, seen=seen, reason="half of it fails").raise_for_status().exit_code == 3
        assert len(ws.incidents.acts(1)) == 1
        assert ws.audit.verify().ok


@pytest.mark.parametrize(("bad", "decision", "code"), [(None, "recovered", 0), (BAD, "not recovered", 1)])
def test_traffic_after_the_action_says_whether_it_is_over(made_once, bad, decision, code):
    """The same call again, once users have come back: it is done already, and tested anew."""
    asked = {"dry_run": False, "reason": "half of it fails", "until": f"{datetime.now(UTC) + 4 * DAY:%Y-%m-%dT%H:%M}"}
    with made_once(broken) as ws:
        run(ws, **asked).raise_for_status()
        now = datetime.now(UTC)
        failing = {} if bad is None else {"bad": bad}
        add(ws, sessions(now, now + 3 * DAY, name="after", prompt_name="answer", prompt_version="1", **failing))
        found = run(ws, **asked).raise_for_status()
        assert (found.result["decision"], found.exit_code) == (decision, code)
        assert len(ws.incidents.acts(1)) == 1


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"alert": 99}, "no alert 99"),
        ({"params": {"prompt": "anwser"}}, "did you mean"),
        ({"dry_run": False}, "needs a reason"),
        ({"dry_run": False, "reason": "x", "seen": "other"}, "Nothing was changed"),
        ({"action": "roll_bak"}, "did you mean"),
    ],
)
def test_what_cannot_be_done_fails_and_changes_nothing(made_once, given, words):
    """Without an alert, a prompt or a reason, after somebody moved it, with an action that is not there."""
    with made_once(broken) as ws:
        found = run(ws, **given)
        assert (found.status, found.exit_code) == ("failed", 1)
        assert words in str(found.failing_cell)
        assert ws.prompts.aliases("answer") == {"production": 2}


def test_without_an_alert_there_is_nothing_to_do(ws):
    """A store on which all is well."""
    found = run(ws).raise_for_status()
    assert (found.result["decision"], found.exit_code) == ("nothing to do", 0)
