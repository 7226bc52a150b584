"""The ranking explorer on a page: keys, moves, own queries, two views, narrow pages, a kernel that is gone."""

from __future__ import annotations

import pytest

from tests.retrieval.asked import explored

NAME = "retrieval/explorer"


@pytest.fixture
def shown(ws, stage):
    """The explorer of two cuts on a page."""

    def show(**options):
        found = stage(explored(ws)._controller, name=NAME, **options)
        found.root.focus()
        return found

    return show


def test_keys_go_through_queries_and_hits(shown):
    """No mouse is needed: the next query, a hit open with its text and why, the same hit of the other ranking."""
    s = shown(width=1400, height=640)
    first = s.data("cursor")
    s.press("j")
    s.page.wait_for_function(f"() => document.querySelector('.lm-root').dataset.cursor !== '{first}'")
    s.press("k", "n", "Enter")
    s.page.wait_for_selector(".lm-rank-hit.lm-cursor .lm-rank-more")
    assert s.data("cursor") == first
    assert s.page.locator(".lm-rank-hit.lm-cursor .lm-rank-why").count() == 2
    here = s.page.locator(".lm-rank-hit.lm-cursor .lm-rank-around").first.inner_text()
    assert here
    s.press("x")
    assert s.data("hit").startswith("1:")
    s.press("f")
    s.page.wait_for_function(
        "() => { const all = [...document.querySelectorAll('.lm-rank-row b')];"
        " return all.length && all.every((one) => one.textContent.startsWith('\u2212')); }"
    )
    assert s.page_errors == []


def test_lines_lead_from_one_ranking_to_the_other(shown):
    """One for each thing that both found; what is relevant is marked in words, not by colour alone."""
    s = shown(width=1400)
    pair = s.controller.handle({"kind": "hello", "id": "t", "view": "t"})[0]["pair"]
    assert s.page.locator(".lm-rank-lines path").count() == sum(hit[6] is not None for hit in pair["a"])
    assert s.page.locator(".lm-rank-hit.lm-gold").count() == sum(bool(hit[5]) for side in "ab" for hit in pair[side])
    assert "relevant 3" in s.page.locator(".lm-rank-hit.lm-gold").first.inner_text()


def test_a_query_of_ones_own(shown):
    """Typed after a slash; text that is typed while Python is busy is not lost; Escape gives the keys back."""
    s = shown(width=1200)
    s.press("/")
    s.page.keyboard.type("cancelled ferry")
    s.press("Enter")
    s.page.wait_for_selector(".lm-rank-question:has-text('cancelled ferry')")
    assert s.page.locator(".lm-rank-column:last-child .lm-rank-id").first.inner_text().startswith("refunds")
    s.press("j")
    s.page.wait_for_selector(".lm-rank-row.lm-cursor")


@pytest.mark.parametrize("width", [1400, 390])
def test_nothing_is_cut_and_nothing_is_wider_than_the_page(shown, width):
    """Both rankings side by side where there is room, one below the other where there is none."""
    s = shown(width=width, height=640)
    assert s.root.bounding_box()["height"] == 640
    wide = "(name) => { const el = document.querySelector(name); return el.scrollWidth <= el.clientWidth; }"
    assert all(s.page.evaluate(wide, name) for name in (".lm-root", ".lm-rank-reader", ".lm-rank-list"))
    left, right = (one.bounding_box() for one in s.page.locator(".lm-rank-column").all())
    assert (left["y"] == right["y"]) is (width > 600)


def test_two_views_show_the_same_query(shown):
    """What is opened in one is opened in the other."""
    s = shown()
    s.page.evaluate("() => { window.second = window.mount('there'); }")
    s.page.wait_for_selector("#there .lm-root[data-state=ready]")
    s.root.focus()
    s.press("End")
    s.page.wait_for_selector("#there .lm-rank-row:last-child.lm-cursor")
    s.page.evaluate("() => window.second()")
    s.press("Home")
    s.page.wait_for_selector(".lm-rank-row:first-child.lm-cursor")
    assert s.page_errors == []


def test_a_dead_kernel_is_said_and_what_is_there_can_be_read(shown):
    """The hits that are loaded still open."""
    s = shown()
    s.page.evaluate("() => { window.model.send = () => { throw new Error('gone'); }; }")
    s.press("j")
    s.page.wait_for_selector(".lm-root[data-state=dead]")
    assert s.page.locator(".lm-rank-hit").count() > 4
