"""06_incidents runs from end to end on the sample."""

from __future__ import annotations

from pathlib import Path

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "06_incidents.ipynb"


def test_the_notebook_runs(ws, warm_kernels):
    """It finds the longer answers, opens an incident, rolls the prompt back and writes the post-mortem."""
    run = ws.runbooks.run(NOTEBOOK, {}, progress=False, html=False).raise_for_status()
    assert run.status == "ok"
    found = ws.incidents.get(1)
    assert (found.status, found.owner) == ("mitigated", "mara")
    assert ws.prompts.aliases("support-answer") == {"production": 1}
    assert ws.audit.verify().ok
