"""The views in Notebook, which is made of JupyterLab's parts and is served beside it."""

from __future__ import annotations

from .conftest import Notebook
from .test_trace_browser_lab import OPEN, ROW, store

__all__ = ["store"]  # a fixture


def test_a_view_of_a_notebook_answers_in_notebook_as_in_jupyterlab(store, lab, chromium):
    """Its rows come, and what is chosen is a value in the next cell."""
    nb = Notebook(lab, chromium.new_page(), "classic.ipynb").write(OPEN, "print(b.selected.trace_id)")
    nb.page.goto(f"{lab.url}/notebooks/classic.ipynb")
    nb.idle()
    nb.run(0)
    nb.page.locator(f"{ROW}[data-index='1'] .lm-cell").nth(3).click()
    nb.page.wait_for_selector(".lm-peek:not([hidden])", timeout=60_000)
    nb.run(1)
    assert nb.text(1).strip() == nb.page.get_attribute(".lm-root", "data-selected")
    nb.page.close()
