"""The widgets of prompts in JupyterLab: what only the real page can show."""

# ruff: noqa: E501 - scripts of the page stand on one line

from __future__ import annotations

import pytest

from tests.widgets.prompt_samples import saved

OPEN = "import lmops\nws = lmops.open('../prompts')"


@pytest.fixture
def store(lab):
    """A store with the sample prompt beside the notebooks."""
    import lmops

    if not (lab.folder / "prompts").exists():
        with lmops.open(lab.folder / "prompts", actor="ada") as ws:
            saved(ws)
            rows = [{"example_id": "a", "input": {"question": "Dogs?"}}]
            ws.datasets.save("golden", rows)
            for version in (1, 2):
                ws.evals.run(
                    lambda question: f"{question} Free.", "golden", prompt=f"support-answer@{version}", progress=False
                )


def cells_of(nb):
    """Count the cells of the notebook on the page."""
    return nb.page.locator(".jp-Notebook .jp-Cell").count()


def test_the_diff_keeps_its_keys_and_is_a_value(store, notebook):
    """Jump, switch, choose a version; no key edits the notebook; the next cell has what is shown; both forms are saved."""
    nb = notebook(
        "diff.ipynb",
        OPEN,
        "d = ws.prompts.diff('support-answer', 2, 3); d",
        "v = d.view.value; print(v.title, v.stats.hunks)",
    )
    nb.run(0)
    cell = nb.run(1)
    cell.locator(".lm-diff-section[data-filled]").first.wait_for()
    root = cell.locator(".lm-root")
    root.focus()
    for key in ("n", "n", "p", "s", "b", "d", "d", "x", "a", "m", "1", "w"):
        nb.page.keyboard.press(key)
    nb.page.wait_for_timeout(200)
    assert cells_of(nb) == 3
    nb.page.wait_for_selector(".lm-root[data-mode=inline][data-left='3'][data-right='2']")
    cell.locator(".lm-select").first.select_option("1")
    nb.page.wait_for_selector(".lm-root[data-left='1']")
    nb.run(2)
    assert nb.text(2).strip() == "support-answer@1 → support-answer@2 1"
    root.focus()
    data = nb.save()["cells"][1]["outputs"][0]["data"]
    assert set(data) == {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"}
    nb.page.keyboard.press("Escape")
    assert nb.page.evaluate("() => document.activeElement.closest('.lm-root') === null")


def test_the_playground_runs_on_ctrl_enter_and_answers_while_a_cell_runs(store, notebook):
    """The cell is not run again; answers arrive although the kernel is busy; the next cell has them, and the draft saved."""
    slow = (
        "import asyncio, time\nasync def later(*args, **more):\n    await asyncio.sleep(1.5)\n"
        "    return await ws.models.acomplete(*args, **more)"
    )
    play = (
        "from lmops.widgets.prompts.playground import PromptPlayground\n"
        "from lmops.widgets.prompts.playground_controller import PlaygroundController\n"
        "inputs = [{'sources': '', 'question': 'Dogs?'}]\n"
        "p = PromptPlayground(PlaygroundController(ws.prompts, 'support-answer', complete=later, versions=[2, 3], inputs=inputs)); p"
    )
    nb = notebook(
        "play.ipynb", OPEN, slow, play, "time.sleep(6)", "print(len(p.value), p.saved, p.df()['error'].isna().all())"
    )
    for index in (0, 1):
        nb.run(index)
    cell = nb.run(2)
    cell.locator(".lm-play-field textarea").first.wait_for()
    number = cell.locator(".jp-InputArea-prompt").inner_text()
    cell.locator(".lm-play-field textarea").first.focus()
    nb.page.keyboard.press("Control+Enter")
    cell.locator(".lm-waiting").first.wait_for()
    nb.run(3, wait=False)
    cell.locator(".lm-play-cell[data-state=done]").nth(1).wait_for(timeout=20_000)
    assert "[*]" in nb.page.locator(".jp-Notebook .jp-Cell").nth(3).locator(".jp-InputArea-prompt").inner_text()
    assert cell.locator(".jp-InputArea-prompt").inner_text() == number
    nb.page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=20_000)
    cell.get_by_label("edit this version").last.click()
    cell.locator(".lm-draft-messages textarea").first.fill("Be kind.")
    cell.get_by_label("Save as new version").click()
    nb.page.wait_for_selector(".lm-root[data-said='saved as support-answer@4']")
    nb.run(4)
    assert nb.text(4).strip() == "2 <PromptVersion support-answer@4 (new)> True"


def test_the_comparison_rolls_back_and_a_restarted_kernel_is_said(store, notebook):
    """One button, a reason, the plan, done; after a restart what is there stays and the state is clear."""
    nb = notebook(
        "compare.ipynb",
        OPEN,
        "c = ws.prompts.compare('support-answer', [1, 2]); c",
        "print(ws.prompts.aliases('support-answer'))",
    )
    nb.run(0)
    cell = nb.run(1)
    cell.locator(".lm-output-row[data-filled]").wait_for()
    cell.get_by_label("roll back").click()
    cell.locator(".lm-move [name=reason]").fill("answers were invented")
    cell.locator(".lm-move .lm-main-button:enabled").click()
    cell.locator("[data-version='2'] .lm-alias").wait_for()
    nb.run(2)
    assert nb.text(2).strip() == "{'production': 2}"
    nb.page.click(
        '[data-command="notebook:restart-kernel"], [title^="Restart the kernel"], [data-jp-item-name="restart"] *'
    )
    nb.page.locator(".jp-Dialog .jp-mod-accept").click()
    nb.page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]")
    nb.page.wait_for_timeout(800)
    cell.get_by_label("copy as text").click()
    nb.page.wait_for_selector(".lm-root[data-state=dead], .lm-root[data-state=slow]", timeout=20_000)
    assert cell.locator("[data-measure]").count() > 5
