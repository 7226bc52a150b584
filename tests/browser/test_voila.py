"""Every view on a page that Voila serves: it works, logs no error, and offers nothing that changes the store."""

from __future__ import annotations

import importlib.util
import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.feedback.notes import noted, trace
from tests.widgets.eval_samples import evaluated
from tests.widgets.prompt_samples import saved

if TYPE_CHECKING:
    from pathlib import Path

CELLS = (
    "import lmops\nws = lmops.open('store')",
    "ws.traces.browse()",
    "ws.prompts.diff('support-answer', 1, 3)",
    "ws.prompts.compare('support-answer', [1, 2])",
    "ws.evals.compare('new', 'old')",
    "ws.feedback.label('q', ask=True)",
    f"ws.feedback.button({trace(1)!r}, user='visitor')",
)


@pytest.fixture
def address(tmp_path):
    """Where Voila serves a notebook with every view."""
    import lmops

    if importlib.util.find_spec("voila") is None:
        pytest.skip("voila is not installed")
    with lmops.open(tmp_path / "store", actor="ada") as ws:
        noted(saved(ws))
        evaluated(ws)
    cells = [
        {"id": f"c{i}", "cell_type": "code", "source": one, "metadata": {}, "execution_count": None, "outputs": []}
        for i, one in enumerate(CELLS)
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    page = {"nbformat": 4, "nbformat_minor": 5, "metadata": kernel, "cells": cells}
    (tmp_path / "page.ipynb").write_text(json.dumps(page))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "voila", "page.ipynb", "--no-browser", f"--port={port}"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log)
    try:
        wait(f"http://127.0.0.1:{port}/static/none", process, tmp_path / "log")
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait(30)


def wait(url, process, log: Path):
    """Wait until the server answers, be it that there is no such page."""
    end = time.monotonic() + 120
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).read()
        except urllib.error.HTTPError:
            return
        except OSError:
            assert process.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < end, "voila did not start"
            time.sleep(0.2)
        else:
            return


def test_every_view_works_and_offers_visitors_no_change(address, chromium):
    """What is not theirs to do is shut or not there; a key acts in each view; the page raises nothing."""
    page = chromium.new_page(viewport={"width": 1200, "height": 900})
    page.set_default_timeout(120_000)
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(address)
    page.wait_for_function(
        "(n) => document.querySelectorAll('.lm-root:not([data-state=loading])').length === n", arg=len(CELLS) - 1
    )
    for root in page.locator(".lm-root[data-state=ready]").all():  # the labeler asks who labels
        root.focus()
        page.keyboard.press("?")
        assert root.locator(".lm-help").is_visible(), root.get_attribute("data-lm")
        page.keyboard.press("Escape")
    for one in page.get_by_label("promote", exact=True).all() + page.get_by_label("roll back", exact=True).all():
        assert one.is_disabled()
    browser = page.locator("[data-lm=trace-browser]")
    browser.focus()
    page.keyboard.press("x")
    assert browser.get_by_role("menuitem").all_inner_texts() == ["copy SQL", "copy link"]
    assert browser.get_by_label("add to a dataset").count() == 0
    assert errors == []
    page.close()
