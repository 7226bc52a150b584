"""The prompt playground in Chromium, with a fake page and a scripted model."""

# ruff: noqa: E501 - scripts of the page stand on one line

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace

import pytest

from tests.widgets.prompt_samples import saved

INPUTS = [{"sources": "[a] Dogs travel free.", "question": "My dog?"}, {"sources": "", "question": "A refund?"}]


class Scripted:
    """A model that answers with what it was asked, when it is let."""

    def __init__(self):
        self.gate = threading.Event()
        self.gate.set()
        self.asked = []

    async def acomplete(self, model, messages, /, *, params=None, tools=None, response_schema=None, prompt=None):
        self.asked.append((model, messages[-1]["content"], prompt))
        while not self.gate.is_set():  # noqa: ASYNC110  # it is opened from another thread
            await asyncio.sleep(0.005)
        if "refund" in messages[-1]["content"]:
            raise ConnectionError("no route to the model")
        return SimpleNamespace(
            content=f"{model} says yes", tool_calls=(), usage=SimpleNamespace(input_tokens=812, output_tokens=24),
            latency_ms=412.0, cost_usd=0.000123, finish_reason="stop", is_cached=False, trace_id=None,
        )  # fmt: skip  # arguments that belong together share a line


@pytest.fixture
def ws():
    """A workspace with the sample prompt."""
    import lmops

    with lmops.open(":memory:", actor="ada") as found:
        yield saved(found)


@pytest.fixture
def model():
    """The scripted model."""
    return Scripted()


@pytest.fixture
def opened(stage, ws, model):
    """The playground of versions 2 and 3 on two inputs, on a page."""
    from lmops.widgets.prompts.playground_controller import PlaygroundController

    def open_it(inputs=INPUTS, versions=(2, 3), **options):
        controller = PlaygroundController(
            ws.prompts,
            "support-answer",
            complete=model.acomplete,
            versions=versions,
            inputs=inputs,
            models=lambda: ["standin:ferry-1", "openai:gpt-5-mini"],
        )
        found = stage(controller, name="prompts/playground", **options)
        found.pushed = []
        found.controller.on_change = found.pushed.append
        found.page.wait_for_selector(".lm-play-cell")
        return found

    return open_it


def arrive(s):
    """Hand the page what the run's thread has sent so far; Chromium is driven from this thread only."""
    while s.pushed:
        s.push(s.pushed.pop(0))


def done(s):
    """Wait for the end of a run that the page has asked for, and show it."""
    s.quiet()
    assert s.controller.wait(10)
    arrive(s)
    s.quiet()
    s.page.wait_for_selector(".lm-root[data-running=false]")


def test_ctrl_enter_runs_from_a_field_and_answers_come_with_their_facts(opened, model):
    """Four cells: latency, tokens, cost; what failed says why and stops nobody else."""
    s = opened()
    s.page.locator(".lm-play-field textarea").first.focus()
    s.press("Control+Enter")
    done(s)
    first = s.page.locator(".lm-play-cell").first
    assert first.locator(".lm-play-answer").inner_text() == "standin:ferry-1 says yes"
    assert first.locator(".lm-play-facts span[title]").all_inner_texts() == ["412 ms", "812 → 24 tok", "$0.000123"]
    assert s.page.locator(".lm-play-cell[data-state=error]").count() == 2
    assert "no route to the model" in s.page.locator(".lm-play-error").first.inner_text()
    assert s.data("answers") == "4"
    assert "2 failed" in s.page.locator(".lm-summary-line").inner_text()
    assert {prompt for _, _, prompt in model.asked} == {("support-answer", "2"), ("support-answer", "3")}
    assert not s.page_errors


def test_the_kernel_answers_while_models_are_slow_and_stop_keeps_what_is_there(opened, model):
    """A slow model blocks nothing; a run can be stopped; one run at a time."""
    model.gate.clear()
    s = opened()
    s.page.get_by_label("run", exact=True).click()
    s.page.wait_for_selector(".lm-waiting")
    s.page.get_by_label("add an input").click()
    s.page.wait_for_selector(".lm-play-input >> nth=2")
    assert s.page.get_by_label("run", exact=True).is_disabled()
    s.root.focus()
    s.press("c")
    s.until(lambda: s.controller.wait(0.1))
    arrive(s)
    s.page.wait_for_selector(".lm-root[data-running=false]")
    assert s.data("said") == "stopped after 0 of 4 answers"
    assert s.page.locator(".lm-waiting").count() == 0
    model.gate.set()
    s.page.get_by_label("run this input").first.click()
    done(s)
    assert s.page.locator(".lm-play-cell[data-state=done]").count() == 2


def test_editing_makes_a_draft_that_runs_and_is_saved_as_a_version(opened, ws):
    """Its variables and errors are shown while one types; saving makes version 4, and Python has it."""
    s = opened(inputs=INPUTS[:1])
    s.root.focus()
    s.press("e")
    s.page.wait_for_selector(".lm-draft:not([hidden])")
    assert s.page.locator(".lm-play-head").count() == 3
    area = s.page.locator(".lm-draft-messages textarea").first
    area.fill("You are brief. {{ tone")
    s.page.wait_for_selector(".lm-draft-error:not([hidden])")
    save = s.page.get_by_label("Save as new version")
    assert save.is_disabled()
    area.fill("You are brief and {{ tone }}.")
    s.page.wait_for_selector(".lm-play-field:has-text('tone')")
    assert s.page.locator(".lm-draft .lm-grow-back .lm-var").first.inner_text() == "{{ tone }}"
    s.page.get_by_label("tone, input 1").fill("kind")
    s.press("Control+Enter")
    s.until(lambda: s.controller.df().shape[0] == 3)
    done(s)
    assert s.controller.trials[2].messages[0]["content"] == "You are brief and kind."
    s.page.get_by_label("note").fill("kinder")
    s.press("Enter")
    s.page.wait_for_selector(".lm-draft[hidden]", state="attached")
    assert s.data("said") == "saved as support-answer@4"
    assert s.controller.saved.note == "kinder"
    assert ws.prompts.get("support-answer").parent == 3
    assert s.page.locator(".lm-play-version").last.input_value() == "4"


def test_a_draft_stands_whole_beside_the_version_it_is_made_of(opened):
    """In the width that a notebook leaves, neither head is behind the inputs nor beyond the edge."""
    s = opened(versions=[3], inputs=INPUTS[:1], width=1250)
    s.root.focus()
    s.press("e")
    s.page.wait_for_selector(".lm-play-head >> nth=1")
    corner = s.page.locator(".lm-play-corner").bounding_box()
    first, last = (s.page.locator(".lm-play-head").nth(at).bounding_box() for at in (0, 1))
    assert first["x"] >= corner["x"] + corner["width"] - 1
    assert last["x"] + last["width"] <= 1250
    assert min(first["width"], last["width"]) >= 320


def test_what_is_typed_after_an_answer_makes_it_old(opened):
    """The answer stays, faded, and says so; another model for one column as well."""
    s = opened(inputs=INPUTS[:1])
    s.page.get_by_label("run", exact=True).click()
    done(s)
    s.page.get_by_label("question, input 1").fill("My cat?")
    s.page.wait_for_selector(".lm-play-cell[data-state=stale] >> nth=1")
    s.page.get_by_label("model").last.fill("openai:gpt-5-mini")
    s.page.get_by_label("model").last.press("Tab")
    s.page.get_by_label("run this column").last.click()
    done(s)
    assert s.page.locator(".lm-play-answer").last.inner_text() == "openai:gpt-5-mini says yes"
    assert s.page.locator(".lm-play-cell[data-state=stale]").count() == 1


def test_two_views_agree_and_do_not_disturb_who_types(opened):
    """What is typed in one view is seen in the other; a field that is being typed in keeps its text."""
    s = opened()
    s.page.evaluate("() => { window.second = window.mount('there'); }")
    s.page.wait_for_selector("#there .lm-root[data-state=ready] .lm-play-field textarea")
    s.page.locator("#here .lm-play-field textarea").nth(1).fill("Where is the port?")
    s.page.wait_for_function(
        "() => document.querySelectorAll('#there .lm-play-field textarea')[1].value === 'Where is the port?'"
    )
    s.page.locator("#here .lm-play-field textarea").nth(1).focus()
    s.page.keyboard.type(" And")
    s.page.evaluate(
        "() => { const area = document.querySelectorAll('#there .lm-play-field textarea')[3]; area.value = 'x'; area.dispatchEvent(new Event('input')); }"
    )
    s.page.wait_for_function("() => document.querySelectorAll('#here .lm-play-field textarea')[3].value === 'x'")
    assert s.page.locator("#here .lm-play-field textarea").nth(1).input_value() == "Where is the port? And"


def test_errors_and_a_dead_kernel_are_said(opened):
    """A refused message is shown; without a kernel what is there stays and can be read."""
    s = opened()
    s.page.get_by_label("remove this input").first.click()
    s.page.wait_for_function("() => document.querySelectorAll('.lm-play-input').length === 1")
    assert s.page.get_by_label("remove this input").count() == 0
    s.quiet()
    s.page.evaluate("window.isDead = true")
    s.page.get_by_label("run", exact=True).click()
    s.page.wait_for_selector(".lm-root[data-state=dead]")
    assert "kernel" in s.data("said")
    assert s.page.locator(".lm-play-field textarea").first.input_value() == ""


def test_ctrl_enter_is_kept_from_the_notebook_and_escape_gives_back(opened):
    """JupyterLab runs the cell on Ctrl+Enter unless the attribute is there in that very key event; Ctrl+S saves."""
    s = opened(
        init="window.seen = []; document.addEventListener('keydown', (e) => window.seen.push([e.key, e.target.closest('[data-lm-suppress-shortcuts]') !== null]), true);"
    )
    s.page.locator(".lm-play-field textarea").first.focus()
    s.press("Control+Enter")
    done(s)
    s.press("Control+s", "Escape", "x")
    seen = [one for one in s.page.evaluate("window.seen") if one[0] != "Control"]
    assert seen == [["Enter", True], ["s", False], ["Escape", True], ["x", True]]
    s.press("Escape")
    assert s.page.evaluate("document.activeElement.className") == "jp-Cell"
