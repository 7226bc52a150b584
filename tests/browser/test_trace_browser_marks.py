"""Marks and headings by keys and mouse in Chromium: ranges, all that the filter finds, sorting and columns."""

from __future__ import annotations


def cell(stage, index):
    return stage.page.locator(f".lm-row[data-index='{index}'] .lm-cell").nth(4)


def focus(stage, what):
    return stage.page.evaluate(f"() => document.activeElement.{what}")


def test_a_click_is_where_a_range_begins(controller, stage):
    """Shift-click marks from the row that was clicked, again and again from the same one."""
    s = stage(controller(40))
    cell(s, 3).click()
    cell(s, 6).click(modifiers=["Shift"])
    s.until(lambda: s.controller.selected_ids == [f"{40 - i:032x}" for i in (3, 4, 5, 6)])
    cell(s, 2).click(modifiers=["Shift"])
    s.until(lambda: f"{40 - 2:032x}" in s.controller.selected_ids)
    assert len(s.controller.selected_ids) == 5


def test_rows_are_marked_on_the_way_and_back(controller, stage):
    """Shift with an arrow marks what is passed; going back takes it away again."""
    s = stage(controller(40))
    s.root.focus()
    s.press("j", "Shift+ArrowDown", "Shift+ArrowDown", "Shift+ArrowUp")
    s.until(lambda: s.controller.selected_ids == [f"{40:032x}", f"{39:032x}"])


def test_all_that_the_filter_finds_are_marked(controller, stage):
    """Not only what is loaded; one can be taken out; another filter finds others, and none of them is marked."""
    s = stage(controller(300))
    s.page.click("[aria-label='mark all 300 traces']")
    s.until(lambda: len(s.controller.selected_ids) == 300)
    assert s.page.locator(".lm-mark-all").get_attribute("aria-checked") == "true"
    s.page.locator(".lm-row[data-index='1'] .lm-mark-cell").click()
    s.until(lambda: len(s.controller.selected_ids) == 299)
    assert s.page.locator(".lm-marks").inner_text().startswith("299 marked")
    s.controller.where = "status = 'error'"
    s.page.wait_for_selector(".lm-root[data-total='30']")
    assert s.page.locator(".lm-marks").is_hidden()
    assert s.controller.selected_ids == [s.controller.cursor]


def test_all_go_where_they_are_sent_but_those_left_out(controller, stage):
    """By keys: A marks all, space takes one out, and what acts gets the others."""
    from lmops.widgets.kit.actions import Action

    sent = []
    label = Action(run=lambda ids, _: sent.append(ids) or f"{len(ids)} sent")
    s = stage(controller(150, actions={"labeling": label}))
    s.root.focus()
    s.press("j", "A", "Space", "l")
    s.until(lambda: s.data("said") == "149 sent")
    assert f"{150:032x}" not in sent[0]


def test_headings_are_reached_and_sort_by_keys(controller, stage):
    """h goes to them, arrows from one to the next, Enter sorts and the heading keeps the focus, ↓ leads to the bars."""
    s = stage(controller(60))
    s.page.wait_for_selector(".lm-th[data-column=latency_ms] .lm-bar")
    s.root.focus()
    s.press("h")
    assert focus(s, "closest('.lm-th').dataset.column") == "start_at"
    s.press("End", "ArrowLeft", "Home", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight", "Enter")
    s.until(lambda: "order by t.latency_ms desc" in s.controller.sql)
    s.quiet()
    assert focus(s, "closest('.lm-th').dataset.column") == "latency_ms"
    s.page.wait_for_selector(".lm-th[data-column=latency_ms] .lm-bar")
    s.press("ArrowDown", "ArrowRight", "Enter")
    s.until(lambda: (s.controller.where or "").startswith("(latency_ms >= "))
    s.root.focus()
    s.press("h", "j")
    assert focus(s, "getAttribute('role')") == "grid"
    assert not s.page_errors


def test_columns_are_chosen_by_keys(controller, stage):
    """c opens the menu with the focus in it; arrows move, space chooses, Escape goes back to the rows."""
    s = stage(controller(10))
    s.root.focus()
    s.press("c", "ArrowDown", "Space")
    s.until(lambda: "start_at" not in s.controller.state("x")["shown"])
    s.press("Escape")
    assert focus(s, "getAttribute('role')") == "grid"


def test_rows_have_short_names(controller, stage):
    """A screen reader hears how it ended, what was asked, how long it took; not every cell."""
    s = stage(controller(10))
    assert (
        s.page.locator(".lm-row[data-index='0']").get_attribute("aria-label")
        == "ok, Refund for booking 4711, please (9), 533 ms"
    )
