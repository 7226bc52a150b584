"""The labeler in JupyterLab: what only the real page can show."""

from __future__ import annotations

import json

import pytest

OPEN = "import os, signal, lmops\nws = lmops.open('../labels', actor='ann')"
SAID = (
    "rows = ws.sql('select position, field_values from labels order by 1').fetchall()\n"
    "((acts,),) = ws.sql('select count(*) from label_history').fetchall()\n"
    "print(*(f'{at} {said}' for at, said in rows), acts, sep='|')"
)


@pytest.fixture
def store(lab, conversation):
    """A store with a queue beside the notebooks."""
    import lmops

    if not (lab.folder / "labels").exists():
        with lmops.open(lab.folder / "labels", actor="ada") as ws:
            ws.store.load(spans=[row for i in range(12) for row in conversation(i)])
            ws.feedback.schemas.save("support")
            ws.feedback.queue("q", [f"{i + 1:032x}" for i in range(12)], schema="support")


def verdicts(text):
    """Return position -> verdict of what the cell printed, and how many acts there were."""
    *found, acts = text.split("|")
    said = dict(one.split(" ", 1) for one in found)
    return {int(at): json.loads(values)["verdict"]["value"] for at, values in said.items()}, int(acts)


def test_a_kernel_that_is_killed_while_somebody_labels_loses_nothing(store, notebook):
    """No key edits the notebook; the page says that the kernel is gone; run again, the cell saves what was kept."""
    nb = notebook(
        "label.ipynb", OPEN, "ws.feedback.label('q', height=520)", SAID, "os.kill(os.getpid(), signal.SIGKILL)"
    )
    nb.run(0)
    cell = nb.run(1)
    root = cell.locator(".lm-root")
    cell.locator(".lm-root[data-state=ready]:has(.lm-role-answer)").wait_for(timeout=30_000)
    root.focus()
    for key in ("p", "f", "b", "d", "d", "x", "a", "p"):
        nb.page.keyboard.press(key)
    cell.locator(".lm-root[data-unsaved='0'][data-kept='3']").wait_for(timeout=15_000)
    assert nb.page.locator(".jp-Notebook .jp-Cell").count() == 4
    nb.run(2)
    assert verdicts(nb.text(2).strip()) == ({1: "pass", 2: "fail", 3: "pass"}, 3)
    nb.run(3, wait=False)
    cell.locator(".lm-root[data-state=dead]").wait_for(timeout=30_000)
    if nb.page.locator(".jp-Dialog").count():
        nb.page.locator(".jp-Dialog .jp-mod-accept").click()
    root.focus()
    nb.page.keyboard.press("f")
    nb.page.keyboard.press("p")
    cell.locator(".lm-root[data-saved=no][data-unsaved='2']").wait_for()
    nb.page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=60_000)
    nb.run(0)
    cell = nb.run(1)
    cell.locator(".lm-root[data-state=ready][data-unsaved='0']:has(.lm-role-answer)").wait_for(timeout=30_000)
    nb.run(2)
    assert verdicts(nb.text(2).strip()) == ({1: "pass", 2: "fail", 3: "pass", 4: "fail", 5: "pass"}, 5)
