"""JupyterLab's stop button ends questions: those of a cell, and those of widgets, which run in threads of their own."""

from __future__ import annotations

import time

import pytest

OPEN = """import threading, time, lmops
ws = lmops.open('../stop')
ENDLESS = "select count(*) from range(300000) a, range(300000) b where (a.range * b.range) % 7 = 3"
asked, ended = [], []
b = ws.traces.browse(height=420)
def endless(_controller, _message):
    asked.append(threading.current_thread() is threading.main_thread())
    try:
        ws.sql(ENDLESS)
    except BaseException as error:
        ended.append(f'{type(error).__name__}: {error}')
        raise
b"""
LONG = "print('asking'); ws.sql(ENDLESS)"
SLOW = "b._controller._handlers = {**b._controller._handlers, 'sort': endless}; print('slow')"
NEXT = "print(len(asked), ended, ws.sql('select count(*) from traces').fetchall())"
ROOT = ".lm-root[data-state=ready]"


@pytest.fixture
def opened(lab, conversation, notebook):
    """A notebook that shows the traces of a small store."""
    from lmops.store import Store

    if not (lab.folder / "stop").exists():
        with Store.open(lab.folder / "stop") as found:
            found.load(spans=[row for i in range(20) for row in conversation(i)])
    nb = notebook("stop.ipynb", OPEN, LONG, SLOW, NEXT)
    nb.run(0)
    nb.page.wait_for_selector(f"{ROOT} .lm-row:not(.lm-loading)")
    return nb


def stop(nb):
    """Press the stop button of the notebook."""
    nb.page.locator("[data-command='notebook:interrupt-kernel'], [title^='Interrupt the kernel']").first.click()


def told(nb, words):
    """Run the last cell until it says these words."""
    end = time.monotonic() + 60
    while True:
        nb.run(3)
        if words in nb.text(3) or time.monotonic() > end:
            return nb.text(3)
        nb.page.wait_for_timeout(200)


def test_the_stop_button_ends_the_question_of_a_cell(opened):
    """The cell says that it was interrupted; the next one is answered."""
    opened.run(1, wait=False)
    opened.page.wait_for_selector(".jp-Notebook .jp-Cell:nth-of-type(2) .jp-OutputArea-output:has-text('asking')")
    stop(opened)
    opened.page.wait_for_selector(".jp-Notebook .jp-Cell:nth-of-type(2) :text('KeyboardInterrupt')", timeout=60_000)
    assert "[(20,)]" in told(opened, "[(20,)]")


def test_the_stop_button_ends_the_question_of_a_widget(opened):
    """No cell is running; the widget says what happened, and answers again."""
    opened.run(2)
    opened.page.click(".lm-th[data-column=latency_ms] .lm-sort")
    assert told(opened, "1 []").startswith("1 []")
    stop(opened)
    assert "interrupted" in told(opened, "interrupted")
    assert "[(20,)]" in opened.text(3)
    opened.page.wait_for_selector(".lm-root :text('interrupted')")
