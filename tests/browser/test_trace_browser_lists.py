"""Groups, the range over time, saved views, files and narrow pages in Chromium, over a real controller."""

from __future__ import annotations

import pytest


def test_groups_are_listed_opened_and_left(controller, stage):
    """By keys: b lists them, Enter opens one as a filter, Escape goes back to the groups."""
    s = stage(controller(60))
    s.root.focus()
    s.press("b")
    s.page.click(".lm-choice:has-text('by user')")
    s.page.wait_for_selector(".lm-root[data-grouped][data-total='5']")
    s.quiet()
    s.press("j", "Enter")
    s.page.wait_for_selector(".lm-root:not([data-grouped])[data-total='12']")
    assert s.controller.where == "user_id = 'u0'"
    s.quiet()
    s.press("Escape")
    s.page.wait_for_selector(".lm-root[data-grouped][data-total='5']")
    assert s.controller.where is None
    assert not s.page_errors


def test_a_part_of_the_time_is_chosen_by_keys_and_by_dragging(controller, stage):
    """The bars that are brushed are the range that is shown then."""
    s = stage(controller(60))
    chart = s.page.locator(".lm-timeline[aria-valuetext]")
    chart.focus()
    s.press("Home", "ArrowRight", "Shift+ArrowRight", "Shift+ArrowRight")
    assert s.page.locator(".lm-band").is_visible()
    said = chart.get_attribute("aria-valuetext")
    s.press("Enter")
    s.until(lambda: s.controller.state("x")["range"]["since"])
    s.quiet()
    assert f": {s.data('total')} trace" in said
    s.page.click(".lm-range:has-text('all')")
    s.page.wait_for_selector(".lm-root[data-total='60']")
    s.quiet()
    box = chart.bounding_box()
    s.page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 25)
    s.page.mouse.down()
    s.page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 25, steps=3)
    s.page.mouse.up()
    s.until(lambda: s.controller.state("x")["range"]["until"])
    assert 10 <= s.controller.total <= 22
    assert not s.page_errors


def test_a_view_is_saved_opened_and_removed(stage, ws, conversation):
    """In the menu: a name and Enter saves what is shown, a click shows it again."""
    ws.store.load(spans=[row for i in range(20) for row in conversation(i)])
    s = stage(ws.traces.browse("status = 'error'")._controller)
    s.root.focus()
    s.press("v")
    s.page.fill("input[name=view]", "failed")
    s.press("Enter")
    s.until(lambda: s.data("said") == "saved: ws.traces.browse(view='failed')")
    s.page.click(".lm-chip-close")
    s.page.wait_for_selector(".lm-root[data-total='20']")
    s.root.focus()
    s.press("v")
    s.page.click(".lm-choice:has-text('failed')")
    s.page.wait_for_selector(".lm-root[data-total='2']")
    s.press("v")
    s.page.click("[aria-label='remove failed']")
    s.until(lambda: ws.traces.views.names() == [])
    s.page.wait_for_selector("text=no saved view yet")
    assert not s.page_errors


def test_the_list_is_written_where_the_status_line_says(stage, ws, conversation, tmp_path, monkeypatch):
    """By keys, from the menu."""
    monkeypatch.chdir(tmp_path)
    ws.store.load(spans=[row for i in range(20) for row in conversation(i)])
    s = stage(ws.traces.browse()._controller)
    s.root.focus()
    s.press("x", "ArrowDown", "ArrowDown", "Enter")
    s.until(lambda: (s.data("said") or "").startswith("20 traces written to "))
    assert s.data("said").removeprefix("20 traces written to ") == str(*tmp_path.glob("*.csv"))


def test_a_link_opens_its_trace(stage, ws, conversation):
    """The first view shows it; what is copied is the call that shows it."""
    ws.store.load(spans=[row for i in range(20) for row in conversation(i)])
    s = stage(ws.traces.browse(view=f"{7:032x}")._controller)
    s.page.wait_for_selector(f".lm-pane[data-trace-id='{7:032x}'][data-ready=true]")
    s.page.evaluate("() => Object.defineProperty(navigator, 'clipboard', {value: {writeText: async () => {}}})")
    s.page.click("[aria-label='export']")
    s.page.click("text=copy link")
    s.until(lambda: s.data("said") == f'copied: ws.traces.browse(view="{7:032x}")')


def test_hostile_groups_and_marks_are_text(controller, stage, traffic, conversation):
    """What a user or a prompt is called comes from traces: it is shown, and nothing of it runs."""
    bad = "<img src=x onerror='window.__xss = 1'>"
    rows = [
        row | {"user_id": bad, "prompt_name": bad, "prompt_version": str(i // 4)}
        for i in range(12)
        for row in conversation(i)
    ]
    store = traffic(0)
    store.load(spans=rows)
    s = stage(controller(store=store))
    s.page.wait_for_selector(f'.lm-release:has-text("{bad}@1")')
    s.root.focus()
    s.press("b")
    s.page.click(".lm-choice:has-text('by user')")
    s.page.wait_for_selector(f'.lm-root[data-grouped] .lm-row:has-text("{bad}")')
    s.quiet()
    assert s.page.locator("img").count() == 0
    assert s.page.evaluate("() => window.__xss") is None


@pytest.mark.parametrize("width", [900, 390])
def test_a_narrow_browser_stacks_and_every_control_is_reached(controller, stage, width):
    """Nothing reaches over the edge; a trace stands below the list; menus lie inside."""
    s = stage(controller(40), width=width)
    outside = """() => { const edge = document.querySelector('.lm-root').getBoundingClientRect();
      const buttons = document.querySelectorAll(':is(.lm-bar-top, .lm-foot, .lm-pane-head) button');
      return [...buttons].map((el) => el.getBoundingClientRect()).filter((box) => box.width
        && (box.right > edge.right || box.left < edge.left || box.bottom > edge.bottom)).length; }"""
    assert s.page.evaluate(outside) == 0
    s.root.focus()
    s.press("j", "Enter")
    s.page.wait_for_selector(".lm-pane[data-ready=true]")
    listed, pane = (s.page.locator(one).bounding_box() for one in (".lm-list", ".lm-pane"))
    assert pane["y"] >= listed["y"] + listed["height"]
    assert abs(pane["width"] - listed["width"]) < 2
    assert s.page.evaluate(outside) == 0
    foot = s.page.locator(".lm-foot").bounding_box()
    assert pane["y"] + pane["height"] <= foot["y"] + 1
    s.press("Escape", "c")
    menu = s.page.locator(".lm-columns").bounding_box()
    assert menu["x"] >= 0
    assert menu["x"] + menu["width"] <= width
