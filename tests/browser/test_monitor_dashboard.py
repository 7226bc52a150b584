"""The dashboard of monitors on a page."""

from __future__ import annotations

from lmops.widgets.monitors.controller import DashboardController
from tests.widgets.monitor_samples import Board, full

NAME = "monitors/dashboard"


def test_keys_go_through_alerts_and_tiles_and_open_what_is_behind(stage):
    """No mouse is needed; the focus stays inside."""
    board = full()
    s = stage(DashboardController(board), name=NAME)
    s.page.locator(".lm-root").focus()
    for key in ("j", "a"):
        s.page.keyboard.press(key)
    s.page.wait_for_selector(".lm-alerts:not(:has([data-alert='1']))")
    for key in ("End", "k", "w", "]"):
        s.page.keyboard.press(key)
    s.page.wait_for_selector(".lm-range.lm-on:text-is('14d')")
    assert s.page.locator(".lm-tile.lm-cursor").get_attribute("data-status") == "learning"
    assert s.page.locator(".lm-spark-earlier").count() == 4
    s.page.keyboard.press("Enter")
    s.page.wait_for_selector(".lm-said:has-text('ws.traces.browse')")
    s.page.keyboard.press("/")
    s.page.keyboard.type("booking")
    s.page.wait_for_selector(".lm-tiles:not(:has(.lm-tile:nth-child(2)))")
    s.page.keyboard.press("Escape")
    s.page.wait_for_selector(".lm-tile:nth-child(6)")
    assert s.page.evaluate("() => document.activeElement.closest('.lm-root') !== null")
    assert board.asked[0] == ("7d", "6h")
    assert (1, "acknowledge") in board.asked
    assert s.page_errors == []


def test_nothing_is_cut_on_a_narrow_page_and_a_read_only_store_disables(stage):
    """One tile a row, buttons that say why they do nothing."""
    s = stage(DashboardController(full(), refused="this store is read-only"), name=NAME, width=390)
    assert s.page.evaluate(
        "() => { const m = document.querySelector('.lm-main'); return m.scrollWidth <= m.clientWidth; }"
    )
    lefts = s.page.evaluate("() => [...document.querySelectorAll('.lm-tile')].map((one) => one.offsetLeft)")
    assert len(set(lefts)) == 1
    button = s.page.get_by_role("button", name="acknowledge")
    assert button.is_disabled()
    assert button.get_attribute("title") == "this store is read-only"


def test_without_monitors_it_says_what_to_call(stage):
    """An empty board is a first step."""
    s = stage(DashboardController(Board([], [])), name=NAME)
    assert "ws.monitors.save" in s.page.locator(".lm-tiles").inner_text()


def test_it_is_no_higher_than_it_was_asked_to_be(stage):
    """What is below scrolls inside, so that the keys are in sight; tiles of one metric are told apart."""
    s = stage(DashboardController(full()), name=NAME, width=390, height=500)
    s.root.focus()
    s.press("?")
    box, keys = s.root.bounding_box(), s.page.locator(".lm-help").bounding_box()
    assert box["height"] == 500
    assert box["y"] <= keys["y"]
    assert "errors" in s.page.locator(".lm-tile").first.inner_text()
