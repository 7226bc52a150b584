"""The feedback button in Chromium: keys and mouse, what is kept, hostile text, narrow pages."""

from __future__ import annotations

import pytest

from tests.browser.test_hostile import HOSTILE, nothing_ran


@pytest.fixture
def button(stage, conversation):
    """Return a function that puts the button of a trace on a page, and the workspace."""
    import lmops

    with lmops.open(":memory:", actor="ada") as ws:
        ws.store.load(spans=conversation(0) + conversation(1, text=HOSTILE))

        def make(number=1, **options):
            view = ws.feedback.button(f"{number:032x}", user=options.pop("user", None))
            s = stage(view._controller, name="feedback/button", **options)
            s.root.focus()
            return s

        yield make, ws


def said(ws):
    return ws.sql("select name, value, comment from feedback order by name").fetchall()


def test_a_thumb_by_key_and_a_comment_in_place(button):
    """d, c, words, Enter: both are kept, and the focus is back for the next key."""
    make, ws = button
    s = make()
    s.press("d")
    s.until(lambda: s.data("value") == "down")
    s.press("c")
    s.page.keyboard.type("too long")
    s.press("Enter")
    s.until(lambda: said(ws) == [("thumb", "down", "too long")])
    s.until(lambda: s.page.evaluate("() => document.activeElement.classList.contains('lm-root')"))
    s.page.click("[aria-label=good]")
    s.until(lambda: said(ws) == [("thumb", "up", "too long")])
    assert s.page.get_attribute("[aria-label=good]", "aria-pressed") == "true"
    assert not s.page_errors


def test_a_comment_without_a_thumb_says_what_is_missing(button):
    """Nothing is kept and nothing is lost: it goes with the thumb."""
    make, ws = button
    s = make()
    s.press("c")
    s.page.keyboard.type("hm")
    s.press("Enter")
    s.until(lambda: "choose a thumb" in s.data("said"))
    assert said(ws) == []
    s.press("Escape", "u")
    s.until(lambda: said(ws) == [("thumb", "up", "hm")])


def test_a_correction_begins_with_the_answer(button):
    """e opens it, Enter is a new line, Shift+Enter keeps it, Escape leaves it."""
    make, ws = button
    s = make()
    s.press("e")
    answer = s.page.input_value(".lm-fb-text")
    assert answer
    s.press("Escape")
    assert s.page.locator(".lm-fb-text").is_hidden()
    s.press("e")
    s.page.fill(".lm-fb-text", "One.")
    s.press("Enter")
    s.page.keyboard.type("Two.")
    s.press("Shift+Enter")
    s.until(lambda: said(ws) == [("correction", "One.\nTwo.", None)])
    s.press("e")
    assert s.page.input_value(".lm-fb-text") == "One.\nTwo."
    s.page.fill(".lm-fb-text", "")
    s.page.click("text=keep the correction")
    s.page.wait_for_selector(".lm-said-error")
    assert s.page.locator(".lm-fb-text").is_visible()


@pytest.mark.parametrize("width", [1200, 360])
def test_hostile_text_is_text_at_any_width(button, width):
    """Question, answer, comment, correction and user; nothing runs, and nothing is wider than the page."""
    make, ws = button
    ws.feedback.record(f"{2:032x}", value="down", user=HOSTILE, comment=HOSTILE)
    ws.feedback.record(f"{2:032x}", value=HOSTILE, kind="correction", name="correction", user=HOSTILE)
    s = make(2, user=HOSTILE, width=width)
    assert "onerror" in s.page.locator(".lm-fb-answer").inner_text()
    s.press("e", "Escape", "?")
    nothing_ran(s.page)
    assert s.page.evaluate("() => document.querySelector('.lm-root').scrollWidth <= innerWidth")
    assert not s.page_errors
