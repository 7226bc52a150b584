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
    s.page.locator(".lm-root").focus()
    s.page.keyboard.press("v")
    s.page.wait_for_selector(".lm-said:has-text('read-only')")
    assert board.asked == []
