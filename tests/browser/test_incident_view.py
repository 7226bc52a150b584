"""The view of an incident on a page."""

from __future__ import annotations

from lmops.widgets.incidents.controller import IncidentController
from tests.widgets.incident_samples import Board

NAME = "incidents/view"


def test_keys_go_from_moments_to_a_dry_run_and_do_it(stage):
    """No mouse is needed; nothing is done before it was shown, with a reason."""
    board = Board()
    s = stage(IncidentController(board), name=NAME)
    s.page.locator(".lm-root").focus()
    for key in ("j", "j", "End"):
        s.page.keyboard.press(key)
    assert s.page.locator(".lm-inc-moment.lm-cursor").get_attribute("data-place") == "7"
    s.page.keyboard.press("a")
    s.page.keyboard.type("prompt=support-answer")
    s.page.keyboard.press("Enter")
    s.page.wait_for_selector("[data-act=planned]")
    s.page.keyboard.type("too long")
    s.page.keyboard.press("Tab")
    s.page.keyboard.press("Enter")
    s.page.wait_for_selector(".lm-said:has-text('done')")
    assert board.asked[-1] == ("roll_back", {"prompt": "support-answer"}, False, "a1b2c3", "too long")
    assert s.page.evaluate("() => document.activeElement.closest('.lm-root') !== null")
    assert s.page_errors == []


def test_nothing_is_cut_on_a_narrow_page_and_a_read_only_store_says_so(stage):
    """One part below the other; what is refused is said."""
    board = Board(line=None)
    s = stage(IncidentController(board, refused="this store is read-only"), name=NAME, width=390)
    assert s.page.evaluate(
        "() => { const m = document.querySelector('.lm-main'); return m.scrollWidth <= m.clientWidth; }"
    )
    for name in ("take it on", "is it over?"):
        button = s.page.get_by_role("button", name=name)
        assert button.is_disabled()
        assert button.get_attribute("title") == "this store is read-only"
    s.page.locator(".lm-root").focus()
    s.page.keyboard.press("v")
    s.page.wait_for_selector(".lm-said:has-text('read-only')")
    assert board.asked == []


def test_it_is_no_higher_than_it_was_asked_to_be(stage):
    """What is below scrolls inside."""
    s = stage(IncidentController(Board()), name=NAME, width=390, height=500)
    assert s.root.bounding_box()["height"] == 500


def test_two_views_show_the_same(stage):
    """What is tested in one is drawn in the other, each has a cursor of its own, and one may be closed."""
    board = Board()
    s = stage(IncidentController(board), name=NAME)
    s.page.evaluate("() => { window.second = window.mount('there'); }")
    s.page.wait_for_selector("#there [data-check='cannot tell']")
    s.root.focus()
    s.press("j", "j")
    board.given["check"] = ("recovered", "140 sessions")
    s.press("v")
    s.page.wait_for_selector("#there [data-check=recovered]:has-text('140 sessions')")
    s.page.wait_for_selector("#here [data-check=recovered]")
    assert s.page.locator("#here .lm-inc-moment.lm-cursor").count() == 1
    assert s.page.locator("#there .lm-inc-moment.lm-cursor").count() == 0
    s.page.evaluate("() => window.second()")
    board.given["check"] = ("not recovered", "150 sessions")
    s.press("v")
    s.page.wait_for_selector("#here [data-check='not recovered']")
    assert s.page_errors == []


def test_a_dead_kernel_is_said(stage):
    """What happened stays and can be gone through; nothing is done twice or in silence."""
    board = Board()
    s = stage(IncidentController(board), name=NAME)
    s.quiet()
    s.page.evaluate("window.isDead = true")
    s.root.focus()
    s.press("v")
    s.page.wait_for_selector(".lm-root[data-state=dead]")
    s.press("End")
    s.page.wait_for_selector(".lm-inc-moment.lm-cursor[data-place='7']", timeout=3000)
    assert s.page.locator(".lm-inc-moment").count() == 8
    assert (board.asked, s.page_errors) == ([], [])
