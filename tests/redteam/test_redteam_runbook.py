"""The runbook of a red team: what it plans, what it says, how it fails."""

from __future__ import annotations

import pytest

from lmops.errors import RunbookError

pytestmark = pytest.mark.usefixtures("warm_kernels")


def run(ws, **given):
    return ws.runbooks.run("redteam", {"target": "desk", **given}, progress=False, html=False)


def test_it_plans_then_attacks_and_gates(ws):
    """A dry run asks nothing; then the verdict is the decision, and a second run is paired with the first."""
    ws.prompts.save("desk", "Question:\n{{ question }}", model="standin:ferry-1")
    ws.datasets.save("own", [{"input": {"question": f"When does ferry {number} leave?"}} for number in range(9)])
    planned = run(ws, limit=30).raise_for_status()
    assert (planned.result["decision"], planned.changes) == ("planned", [])
    assert ws.evals.list().empty
    done = run(ws, limit=30, twins="own", dry_run=False).raise_for_status()
    assert done.result["decision"] in ("fail", "inconclusive")
    assert done.result["ids"]["verdict"].startswith("verdict-")
    assert (done.result["summary"]["attacks"], done.result["summary"]["suite"]) == (30, "core-own-twins@1")


def test_it_fails_clearly(ws):
    """A prompt that is not there ends the runbook with an error that names it."""
    with pytest.raises(RunbookError, match="desk"):
        run(ws, dry_run=False).raise_for_status()
