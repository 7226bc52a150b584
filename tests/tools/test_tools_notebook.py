"""09_tools runs from end to end on the sample."""

from pathlib import Path

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "09_tools.ipynb"


def test_the_notebook_runs(ws, warm_kernels):
    """The recordings and the tool are kept, and nothing is broken."""
    run = ws.runbooks.run(NOTEBOOK, {}, progress=False, html=False).raise_for_status()
    assert run.status == "ok"
    assert len(ws.datasets.get("bookings")) > 200
    assert ws.tools.get("booking_status").is_read_only
    assert ws.tools.asks()["tool"].tolist() == ["refund"]
    assert ws.audit.verify().ok
