"""The eval explorer in JupyterLab: what only the real page can show."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "widgets"))
from eval_samples import LOST, evaluated


@pytest.fixture
def store(lab):
    """A store with two runs beside the notebooks."""
    import lmops

    if not (lab.folder / "evals").exists():
        with lmops.open(lab.folder / "evals", actor="ada") as ws:
            evaluated(ws)


def test_a_comparison_is_explored_and_its_cases_are_values(store, notebook):
    """No key edits the notebook; the next cell has marks and filter; Ctrl+S saves both forms; a restart is said."""
    nb = notebook(
        "explore.ipynb",
        "import lmops\nws = lmops.open('../evals')",
        "c = ws.evals.compare('new', 'old'); c",
        "e = c.explorer; print(e.selected_ids, e.selected.example_id, len(e.df()), e.where['regressions'])",
    )
    nb.run(0)
    cell = nb.run(1)
    cell.locator(".lm-root[data-state=ready], .jp-RenderedText").first.wait_for()
    assert cell.locator(".lm-root").count() == 1, cell.inner_text()
    cell.locator(".lm-row[data-case=e00]").wait_for()
    root = cell.locator(".lm-root")
    root.focus()
    for key in ("r", "j", " ", "j", " ", "b", "d", "d", "x", "a", "Escape", "m", "1", "Enter", "Escape"):
        nb.page.keyboard.press(key)
    nb.page.wait_for_selector(f".lm-root[data-total='11'][data-selected='{LOST[0]}']")
    nb.page.wait_for_timeout(300)
    assert nb.page.locator(".jp-Notebook .jp-Cell").count() == 3
    nb.run(2)
    assert nb.text(2).strip() == f"['e05', '{LOST[0]}'] {LOST[0]} 11 True"  # e05 has no score any more
    root.focus()
    data = nb.save()["cells"][1]["outputs"][0]["data"]
    assert set(data) == {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"}
    assert "worst regressions first" in "".join(data["text/html"])
    nb.page.click(
        '[data-command="notebook:restart-kernel"], [title^="Restart the kernel"], [data-jp-item-name="restart"] *'
    )
    nb.page.locator(".jp-Dialog .jp-mod-accept").click()
    nb.page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]")
    nb.page.wait_for_timeout(800)
    cell.get_by_label("only flips").click()
    nb.page.wait_for_selector(".lm-root[data-state=dead], .lm-root[data-state=slow]", timeout=20_000)
    assert cell.locator(".lm-row[data-case]").count() >= 10
