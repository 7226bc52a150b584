"""06_incidents runs from end to end on the sample."""

from __future__ import annotations

from pathlib import Path

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "06_incidents.ipynb"


def test_the_notebook_runs(ws, warm_kernels):
    """It finds the careless prompt, rolls it back, and new traffic of the sample says that this was it."""
    run = ws.runbooks.run(NOTEBOOK, {}, progress=False, html=False).raise_for_status()
    assert run.status == "ok"
    found = ws.incidents.get(1)
    assert (found.status, found.owner, found.is_verified) == ("resolved", "mara", True)
    assert "support-answer@3" in found.explained
    assert ws.prompts.aliases("support-answer")["production"] == 2
    assert ws.audit.verify().ok
