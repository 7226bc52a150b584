"""The runbook of a canary release: what it proposes, what it moves, and how it fails."""

from __future__ import annotations

import pytest

from lmops.errors import RunbookError
from tests.routing.trials import PLAN, arms, traffic

pytestmark = pytest.mark.usefixtures("warm_kernels")


def run(ws, **given):
    return ws.runbooks.run("canary_release", given, progress=False, html=False)


def release(ws):
    """Give an arm a tenth, which fails far more often."""
    ws.routing.set("support", arms(0.1, canary=PLAN))
    traffic(ws, users=900, failing={"next": 0.6})


def test_it_says_then_moves_and_is_safe_to_run_again(made_once):
    """A dry run proposes and moves nothing; then the arm is stopped, once, and the command ends with 1."""
    with made_once(release) as ws:
        planned = run(ws).raise_for_status()
        assert (planned.result["decision"], planned.exit_code, planned.changes) == ("would stop", 1, [])
        done = run(ws, dry_run=False, reason="as planned").raise_for_status()
        assert (done.result["decision"], done.exit_code) == ("stopped", 1)
        assert ws.routing.live("support").weights["next"] == 0
        again = run(ws, dry_run=False, reason="as planned").raise_for_status()
        assert (again.result["decision"], again.changes) == ("stopped", [])


@pytest.mark.parametrize(
    ("given", "words"), [({"dry_run": False}, "needs a reason"), ({"route": "suport"}, "did you mean 'support'")]
)
def test_what_cannot_be_done_fails_and_moves_nothing(made_once, given, words):
    """Without a reason, of a route that is not there."""
    with made_once(release) as ws:
        found = run(ws, **given)
        assert (found.status, found.exit_code) == ("failed", 1)
        assert words in str(found.failing_cell)
        assert ws.routing.live("support").version == 1


def test_a_protected_route_is_not_moved(made_once):
    """Who protects the alias decides: the run fails and nothing moves."""
    with made_once(release) as ws:
        ws.routing.protect("support", reason="a freeze")
        found = run(ws, dry_run=False, reason="as planned")
        assert (found.status, "protected" in str(found.failing_cell)) == ("failed", True)
        assert ws.routing.live("support").version == 1


def test_where_the_split_is_off_it_waits(ws):
    """Requests of an arm that are not recorded: neither more traffic nor a stop."""
    ws.routing.set("support", arms(0.5, canary=PLAN))
    traffic(ws, users=900, each=1, failing={"next": 0.6}, lost=("next",))
    found = run(ws, dry_run=False, reason="as planned").raise_for_status()
    assert (found.result["decision"], found.exit_code) == ("waits", 3)
    assert ws.routing.live("support").version == 1


def test_it_waits_for_traffic_and_a_route_without_a_plan_ends_it(ws):
    """Before anybody asked it waits, which its command ends with 3; without a plan the run fails and says how."""
    ws.routing.set("support", arms(0.1, canary=PLAN))
    waiting = run(ws).raise_for_status()
    assert (waiting.result["decision"], waiting.exit_code) == ("waits", 3)
    ws.routing.set("support", arms(0.1))
    with pytest.raises(RunbookError, match="has no plan"):
        run(ws).raise_for_status()
