"""Two runs of an agent step by step in the eval explorer, in Chromium."""

from __future__ import annotations

import os

import pytest

from lmops.evals import TaskResult

EVIL = '<img src=x onerror="window.hit=1">'


def agent(tools):
    """A task that calls tools: (name, arguments, result)."""

    def task(question):
        calls = [{"name": name, "arguments": arguments, "result": result} for name, arguments, result in tools]
        return TaskResult(output="done", tool_calls=calls)

    return task


@pytest.fixture(scope="module")
def runs():
    """(workspace, run, baseline): a call that is the same, one with other arguments, one left out, one added."""
    import lmops

    with lmops.open(":memory:", actor="ada") as ws:
        ws.datasets.save("trips", [{"example_id": "e1", "input": "Book a trip", "expected": "done"}])
        find, long = ("find", {"from": "Oslo", "to": "Bergen"}, "two trains"), "no such seat " * 20
        old = [find, ("book", {"train": "R1", "seats": 2}, "ok"), ("mail", {"to": "ada"}, "sent")]
        new = [find, ("check", {"note": EVIL}, EVIL), ("book", {"train": "R1", "seats": 3}, long)]
        made = [
            ws.evals.run(agent(calls), "trips", ["exact_match"], name=name, progress=False)
            for name, calls in (("old", old), ("new", new))
        ]
        yield ws, made[1], made[0]


@pytest.fixture
def opened(stage, runs):
    """Return a function that opens the case on a page."""

    def make(*chosen, **options):
        ws, new, old = runs
        s = stage(
            ws.evals._explorer(list(chosen) or [new, old], scorer="exact_match"), name="evals/explorer", **options
        )
        s.root.focus()
        s.press("Enter")
        s.page.wait_for_selector(".lm-steps[data-open=true]")
        return s

    return make


def test_two_runs_are_shown_step_by_step(opened):
    """Kinds, what differs, words for assistive technology; p folds them; hostile text is text."""
    s = opened()
    if folder := os.environ.get("LMOPS_SHOTS"):
        s.page.screenshot(path=f"{folder}/steps.png")
    kinds = [one.get_attribute("data-kind") for one in s.page.locator(".lm-step[data-kind]").all()]
    assert kinds == ["match", "extra", "changed", "missing"]
    assert s.page.locator(".lm-step[data-kind=changed] ins").all_inner_texts() == ["3"]
    assert s.page.locator(".lm-step[data-kind=changed] del").all_inner_texts() == ["2"]
    assert "1 the same, 1 with other arguments, 1 left out, 1 added" in s.page.locator(".lm-steps").inner_text()
    assert s.page.get_by_role("table", name="steps").get_by_role("row").count() == 5
    assert EVIL in s.page.locator(".lm-step[data-kind=extra]").inner_text()
    assert s.page.evaluate("() => window.hit") is None
    s.press("p")
    s.page.wait_for_selector(".lm-steps[data-open=false]")
    s.press("p")
    s.page.wait_for_selector(".lm-steps[data-open=true]")
    assert not s.page_errors


def test_a_run_alone_shows_its_calls(opened, runs):
    """One column, and none where no tool was called; the static form names them in a line."""
    ws, new, old = runs
    s = opened(new)
    assert s.page.locator(".lm-step[data-kind=call]").count() == 3
    page = ws.evals._explorer([new, old], scorer="exact_match").bundle()["text/html"]
    assert "=find, +check, ~book, -mail" in page
    assert "<img" not in page
