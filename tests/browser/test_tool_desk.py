"""The desk of calls that wait for a yes, on a page."""

from __future__ import annotations

from lmops.widgets.tools.controller import DeskController
from tests.browser.test_hostile import HOSTILE, nothing_ran
from tests.widgets.desk_samples import Board, ask

NAME = "tools/desk"


def test_keys_decide_with_a_reason_and_go_on(stage):
    """Next, no with a reason, then the one that waits is looked at; an Escape decides nothing."""
    board = Board()
    s = stage(DeskController(board), name=NAME)
    s.root.focus()
    s.press("y", "Escape", "j", "n")
    s.page.keyboard.type("ask her first")
    s.press("Enter")
    s.page.wait_for_selector(".lm-said:has-text('no')")
    assert board.said == [(3, "denied", "ask her first")]
    s.page.wait_for_selector(".lm-root[data-ask='4']")
    s.press("y")
    s.page.wait_for_selector(".lm-desk-form[data-to=approved]:visible")
    s.press("Enter")
    s.page.wait_for_selector(".lm-desk-title:has-text('1 call waits')")
    assert board.said[1:] == [(4, "approved", None)]
    assert s.page.evaluate("() => document.activeElement.closest('.lm-root') !== null")
    assert s.page_errors == []


def test_nothing_is_cut_on_a_narrow_page_and_a_read_only_store_says_so(stage):
    """The call below the list; what is refused is said."""
    board = Board()
    s = stage(DeskController(board, refused="this store is read-only"), name=NAME, width=390)
    s.page.wait_for_selector(".lm-desk-args")
    for part in (".lm-main", ".lm-desk-one", ".lm-desk-list"):
        assert s.page.evaluate(
            f"() => {{ const m = document.querySelector('{part}'); return m.scrollWidth <= m.clientWidth; }}"
        )
    assert s.page.locator(".lm-desk-yes").is_disabled()
    s.root.focus()
    s.press("y")
    s.page.wait_for_selector(".lm-said:has-text('read-only')")
    assert board.said == []


def test_two_views_agree_and_a_dead_kernel_is_said(stage):
    """What is decided in one is drawn in the other; without a kernel nothing is decided in silence."""
    board = Board()
    s = stage(DeskController(board), name=NAME)
    s.page.evaluate("() => { window.second = window.mount('there'); }")
    s.page.wait_for_selector("#there .lm-desk-args")
    s.root.focus()
    s.press("n", "Enter")
    s.page.wait_for_selector("#there .lm-desk-title:has-text('2 calls wait')")
    s.page.evaluate("() => window.second()")
    s.quiet()
    s.page.evaluate("window.isDead = true")
    s.press("r")
    s.page.wait_for_selector(".lm-root[data-state=dead]")
    assert (len(board.said), s.page_errors) == (1, [])


def test_hostile_text_is_text(stage):
    """In every field of a call, marked or not."""
    told = {"tool": HOSTILE, "why": HOSTILE, "rule": HOSTILE, "role": HOSTILE, "policy": HOSTILE, "actor": HOSTILE}
    one = ask(1, **told, arguments={HOSTILE: HOSTILE, "n": [HOSTILE]}, origins={"retrieved": (HOSTILE, "img src")})
    s = stage(DeskController(Board(one)), name=NAME)
    s.page.wait_for_selector(".lm-desk-args")
    assert "<img src" in s.page.locator(".lm-desk-one").inner_text()
    nothing_ran(s.page)
    assert s.page.evaluate("() => document.querySelectorAll('#here img, #here script').length") == 0
