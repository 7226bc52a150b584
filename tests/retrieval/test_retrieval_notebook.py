"""08_retrieval runs from end to end on the sample."""

from __future__ import annotations

from pathlib import Path

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "08_retrieval.ipynb"


def test_the_notebook_runs(ws, warm_kernels):
    """It saves two versions of settings, and says what changed and what did not."""
    run = ws.runbooks.run(NOTEBOOK, {}, progress=False, html=False).raise_for_status()
    assert run.status == "ok"
    assert ws.retrieval.list()["name"].tolist() == ["help", "pages", "snippets"]
    assert set(ws.retrieval.indexes()["name"]) == {"pages", "snippets"}
    shown = next(iter(ws.store.path.glob("runs/*/*.ipynb"))).read_text(encoding="utf-8")
    assert "the settings changed: idx_f4132ed268e0 -> idx_d50249d0e998" in shown
    assert "nDCG" in shown
    assert "nothing changed: the same settings (idx_f4132ed268e0)" in shown
