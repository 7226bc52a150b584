"""The front end in Chromium, over a real controller: keys, drawing, scale, two views, a lost kernel, hostile text."""

# ruff: noqa: E501 - scripts of the page stand on one line
from __future__ import annotations

import pytest

ROW = ".lm-row:not([hidden])"


def visible(stage, column):
    """Return the texts of one column of the rows on screen, from the top."""
    stage.page.wait_for_function("() => !document.querySelector('.lm-row.lm-loading:not([hidden])')")
    return stage.page.evaluate(
        """(column) => {
          const shown = [...document.querySelectorAll('.lm-th[data-column]')].map((th) => th.dataset.column);
          const rows = [...document.querySelectorAll('.lm-row:not([hidden])')];
          rows.sort((a, b) => a.dataset.index - b.dataset.index);
          return rows.map((row) => row.querySelectorAll('.lm-cell')[shown.indexOf(column) + 1].textContent);
        }""",
        column,
    )


def settle(stage):
    """Wait until the cursor has reached Python, and what Python says of it is drawn."""
    stage.until(lambda: stage.data("selected") and stage.controller.cursor == stage.data("selected"))
    stage.quiet()


def test_keys_move_open_and_close(controller, stage):
    """j and k move, Enter opens, brackets change the trace, Escape goes back step by step."""
    s = stage(controller(250))
    s.root.focus()
    s.press("j", "j", "j", "k")
    settle(s)
    assert s.controller.cursor == f"{249:032x}"
    s.press("Enter")
    s.page.wait_for_selector(".lm-pane[data-ready=true]")
    s.press("]")
    s.page.wait_for_selector(f".lm-pane[data-trace-id='{248:032x}'][data-ready=true]")
    s.press("j", "j")
    s.page.wait_for_selector(".lm-body[data-index='2']")
    assert s.page.locator(".lm-message .lm-role").count() >= 3
    s.press("Escape")
    assert s.page.locator(".lm-pane").is_hidden()
    s.press("Escape")
    assert s.page.evaluate("() => document.activeElement.className") == "jp-Cell"
    assert not s.page_errors


def test_the_last_row_is_reached_and_holding_a_key_asks_little(controller, stage):
    """G goes to the end; 200 keys make few messages, and the cursor is where they lead."""
    s = stage(controller(1_000))
    s.root.focus()
    s.press("G")
    settle(s)
    assert s.controller.cursor == f"{1:032x}"
    s.press("g")
    before = len(s.messages)
    s.page.evaluate(
        """() => { const root = document.querySelector('.lm-root');
          for (let i = 0; i < 200; i++) root.dispatchEvent(new KeyboardEvent('keydown', {key: 'j', bubbles: true})); }"""
    )
    s.until(lambda: s.controller.cursor == f"{800:032x}")
    assert len(s.messages) - before < 60


def test_plain_keys_are_kept_and_ctrl_s_is_not(controller, stage):
    """The attribute that stops JupyterLab's shortcuts is there for plain keys only."""
    s = stage(controller(5))
    attribute = "() => document.activeElement.hasAttribute('data-lm-suppress-shortcuts')"
    for place in (".lm-scroll", "[aria-label=live]", ".lm-search"):
        s.page.locator(place).focus()
        for keys, kept in (("m", True), ("Control+s", False), ("d", True), ("Alt+x", False)):
            s.press(keys)
            assert s.page.evaluate(attribute) is kept


def test_space_marks_and_python_has_the_ids(controller, stage):
    """Marks stay in the order they were made."""
    s = stage(controller(10))
    s.root.focus()
    s.press("j", "Space", "j", "j", "Space")
    s.until(lambda: s.controller.selected_ids == [f"{9 + 1:032x}", f"{7 + 1:032x}"])
    assert s.page.locator(".lm-row.lm-marked").count() == 2


def test_sort_and_filter_by_click(controller, stage):
    """A heading sorts; a value of a summary filters and becomes a chip; its cross takes it back."""
    s = stage(controller(60))
    s.page.click(".lm-th[data-column=latency_ms] .lm-sort")
    s.until(lambda: s.controller.sql.count("order by t.latency_ms desc"))
    s.page.wait_for_selector(".lm-th[data-column=status] .lm-top-error")
    s.page.click(".lm-th[data-column=status] .lm-top-error")
    s.until(lambda: s.controller.where == "status = 'error'")
    s.page.wait_for_selector(".lm-chip")
    assert set(visible(s, "status")) == {"error"}
    s.page.click(".lm-chip-close")
    s.until(lambda: s.controller.where is None)


def test_what_users_said_is_seen_and_filters(controller, stage, traffic):
    """A column with the thumb; a click on its summary shows what users disliked."""
    from lmops.feedback._write import write
    from lmops.feedback.signals import make_signal

    store = traffic(20)
    with store.transaction() as con:
        said = [make_signal(trace_id=f"{n:032x}", value=n % 2 == 0) for n in range(1, 7)]
        list(write(con, said, at_ns=1))
    s = stage(controller(store=store))
    assert set(visible(s, "thumb")) == {"", "up", "down"}
    s.page.wait_for_selector(".lm-th[data-column=thumb] button:has-text('down')")
    s.page.click(".lm-th[data-column=thumb] button:has-text('down')")
    s.until(lambda: s.controller.where == "thumb = 'down'")
    s.page.wait_for_selector(".lm-chip")
    assert set(visible(s, "thumb")) == {"down"}
    assert not s.page_errors


def test_the_text_field_filters_and_says_what_is_wrong(controller, stage):
    """/ goes to the field; an error stands in the status line and the text stays to be repaired."""
    s = stage(controller(60))
    s.root.focus()
    s.press("/")
    s.page.keyboard.type("latencyms > 5")
    s.press("Enter")
    s.page.wait_for_selector(".lm-said-error")
    assert "latency_ms" in s.data("said")
    assert s.page.input_value(".lm-search") == "latencyms > 5"
    s.page.fill(".lm-search", "latency_ms > 1500")
    s.press("Enter")
    s.until(lambda: s.controller.where == "latency_ms > 1500")
    s.root.focus()
    s.page.locator(".lm-chip-text").click()
    s.page.fill(".lm-search", "night ferry")
    s.press("Enter")
    s.until(lambda: "ilike '%night ferry%'" in (s.controller.where or ""))


def test_two_views_agree(controller, stage):
    """A second view shows the same list, and what one does the other shows."""
    s = stage(controller(60, where="status = 'error'"))
    s.page.evaluate("() => { window.second = window.mount('there'); }")
    s.page.wait_for_selector("#there .lm-root[data-state=ready] .lm-row:not(.lm-loading)")
    assert s.page.get_attribute("#there .lm-root", "data-total") == "6"
    s.root.focus()
    s.press("j", "Space")
    s.page.wait_for_selector("#there .lm-row.lm-cursor.lm-marked")
    s.page.locator("#there .lm-chip-close").click()
    s.page.wait_for_selector("#here .lm-root[data-total='60']")
    s.controller.where = "model = 'gpt-5'"
    s.page.wait_for_selector("#here .lm-root[data-total='15']")
    s.page.wait_for_selector("#there .lm-root[data-total='15']")
    s.page.evaluate("() => window.second()")
    assert s.page.evaluate("() => window.listeners.size") == 1


def test_new_traces_do_not_move_what_is_read(controller, stage, traffic, conversation):
    """After a refresh the same rows stand at the same place of the screen."""
    store = traffic(300)
    s = stage(controller(store=store))
    s.root.focus()
    s.press("PageDown", "PageDown", "PageDown", "PageDown")
    settle(s)
    before = visible(s, "input")[6:12]
    store.load(spans=[row for i in range(300, 330) for row in conversation(i)])
    s.page.click("[aria-label='refresh']")
    s.page.wait_for_selector(".lm-root[data-total='330']")
    s.until(lambda: visible(s, "input")[6:12] == before)
    settle(s)


def test_live_takes_them_in_on_its_own(controller, stage, traffic, conversation):
    """With live=True nobody has to ask."""
    store = traffic(20)
    s = stage(controller(store=store, is_live=True))
    store.load(spans=conversation(25))
    s.page.wait_for_selector(".lm-root[data-total='21']", timeout=8_000)
    s.page.wait_for_function("() => document.querySelector('.lm-row[data-index=\"0\"]')?.textContent.includes('(25)')")


def test_a_dead_kernel_is_said_and_what_is_loaded_stays(controller, stage):
    """The view does not go blank, and recovers when the kernel answers again."""
    s = stage(controller(50))
    s.root.focus()
    s.quiet()
    s.page.evaluate("() => { window.isDead = true; }")
    s.press("j")
    s.page.wait_for_selector(".lm-root[data-state=dead]")
    assert "run the cell again" in s.data("said")
    assert s.page.locator(ROW).count() > 5
    s.page.evaluate("() => { window.isDead = false; }")
    s.press("j")
    s.page.wait_for_selector(".lm-root[data-state=ready]")


def test_late_answers_of_an_older_list_are_dropped(controller, stage):
    """A window that comes after the list has changed is never drawn."""
    s = stage(controller(500))
    s.page.evaluate("() => { window.delay = 250; }")
    s.page.evaluate("() => { document.querySelector('.lm-scroll').scrollTop = 6000; }")
    s.until(lambda: any(one["kind"] == "window" and one["start"] >= 200 for one in s.messages))
    s.controller.where = "status = 'error'"
    s.page.evaluate("() => { window.delay = 0; }")
    s.page.wait_for_selector(".lm-root[data-total='50']")
    s.quiet()
    assert set(visible(s, "status")) == {"error"}


class Many:
    """A controller whose list is as long as it likes."""

    def __init__(self, real, total):
        self.real, self.total = real, total
        self.cursor = None

    def handle(self, message):
        (answer,) = self.real.handle(message)
        if answer["kind"] == "state":
            answer["total"] = self.total
        if message["kind"] == "window":
            rows = [
                [f"{i:032x}", "ok", 1_760_000_000_000, f"row {i}", "x", 1.0, 1, 1, 0.1, "m"]
                for i in range(message["start"], min(self.total, message["start"] + message["count"]))
            ]
            return [{**message, "kind": "window", "rows": rows}]
        self.cursor = self.real.cursor
        return [answer]


@pytest.mark.parametrize("total", [1_000_000, 5_000_000, 300_000_000])
def test_the_last_row_is_reachable_at_any_size(controller, stage, total):
    """Above what a browser can lay out the scrollbar is scaled; wheel and keys still move by rows."""
    s = stage(Many(controller(3), total))
    s.page.evaluate("() => { const el = document.querySelector('.lm-scroll'); el.scrollTop = el.scrollHeight; }")
    s.page.wait_for_selector(f".lm-row[data-index='{total - 1}']:not(.lm-loading):not([hidden])")
    s.root.focus()
    s.press("g")
    s.page.wait_for_selector(".lm-row[data-index='0']:not(.lm-loading):not([hidden])")
    s.page.mouse.move(400, 300)
    s.page.mouse.wheel(0, 240)
    s.page.wait_for_function(
        "() => Math.abs(document.querySelector('.lm-row[data-index=\"10\"]').getBoundingClientRect().top "
        "- document.querySelector('.lm-head').getBoundingClientRect().bottom) < 2"
    )


def test_30_000_spans_scroll_fold_and_end(controller, stage, traffic, span_row):
    """Few elements are drawn, folding is quick, and the last span is reached."""
    store = traffic(0)
    trace = "f" * 32
    store.load(
        spans=[
            span_row(trace, f"{i:016x}", parent_span_id=f"{i // 50:016x}" if i else None, name=f"step {i}")
            for i in range(30_000)
        ]
    )
    s = stage(controller(store=store))
    s.root.focus()
    s.press("j", "Enter")
    s.page.wait_for_selector(".lm-pane[data-ready=true]", timeout=120_000)
    s.page.wait_for_function("() => document.querySelector('.lm-tree .lm-space').offsetHeight === 30000 * 22")
    s.press("G")
    s.page.wait_for_selector(".lm-body[data-index='29999']")
    assert s.page.locator(".lm-span-row").count() < 60
    s.press("g")
    s.page.wait_for_selector(".lm-body[data-index='0']")
    took = s.page.evaluate(
        """async () => { const t = performance.now();
          document.querySelector('.lm-root').dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', bubbles: true}));
          await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
          return performance.now() - t; }"""
    )
    assert s.page.evaluate("() => document.querySelector('.lm-tree .lm-space').offsetHeight") == 22
    assert took < 1_000


def test_find_pin_session_and_raw(controller, stage):
    """Inside a trace: find marks the spans, p pins one beside another, s shows the conversation, r the attributes."""
    s = stage(controller(12))
    s.root.focus()
    s.press("j", "j", "Enter")
    s.page.wait_for_selector(".lm-pane[data-ready=true]")
    s.press("/")
    s.page.keyboard.type("pet cabins")
    s.page.wait_for_selector(".lm-span-row.lm-found.lm-cursor")
    s.page.wait_for_selector(".lm-body mark")
    s.press("Escape")
    s.press("r")
    s.page.wait_for_selector(".lm-body details[open]")
    s.press("r", "s")
    s.page.wait_for_selector(".lm-body[data-session]")
    assert s.page.locator(".lm-turn").count() == 3
    s.press("s", "p", "]")
    s.page.wait_for_selector(".lm-pinned[data-ready=true]")
    panes = s.page.locator(".lm-pane")
    s.until(
        lambda: len({panes.nth(0).get_attribute("data-trace-id"), panes.nth(1).get_attribute("data-trace-id")}) == 2
    )
    assert s.page.locator("button[aria-label=dataset]").first.is_disabled()
    assert not s.page_errors


def test_columns_are_chosen_and_resized(controller, stage):
    """What one view chooses is the state of all."""
    s = stage(controller(10))
    s.page.click("[aria-label=columns]")
    s.page.check("input[data-column=session_id]")
    s.page.wait_for_selector(".lm-th[data-column=session_id]")
    assert "session_id" in s.controller.rows(1)[0]
    grip = s.page.locator(".lm-th[data-column=name] .lm-grip").bounding_box()
    s.page.mouse.move(grip["x"] + 2, grip["y"] + 5)
    s.page.mouse.down()
    s.page.mouse.move(grip["x"] + 62, grip["y"] + 5, steps=4)
    s.page.mouse.up()
    s.until(lambda: s.controller._widths.get("name", 0) >= 190)


def test_it_is_a_grid_for_assistive_technology(controller, stage):
    """Roles, counts, the active row, and a tree for the spans."""
    s = stage(controller(30))
    s.root.focus()
    s.press("j", "Enter")
    s.page.wait_for_selector(".lm-pane[data-ready=true]")
    grid = s.page.locator("[role=grid]")
    assert grid.get_attribute("aria-rowcount") == "31"
    assert s.page.locator(f"#{grid.get_attribute('aria-activedescendant')}").get_attribute("aria-selected") == "true"
    assert s.page.locator("[role=columnheader][aria-sort=descending]").count() == 1
    assert s.page.locator("[role=tree] [role=treeitem][aria-expanded=true]").count() == 2
    unnamed = s.page.evaluate(
        "() => [...document.querySelectorAll('.lm-root button')].filter((b) => !b.textContent && !b.getAttribute('aria-label')).length"
    )
    assert unnamed == 0


def test_unmounting_leaves_nothing_behind(controller, stage):
    """JupyterLab unmounts what is scrolled away."""
    s = stage(controller(5))
    s.page.evaluate("() => window.cleanup()")
    assert s.page.locator(".lm-root").count() == 0
    assert s.page.evaluate("() => window.listeners.size") == 0
    s.page.evaluate("() => { window.cleanup = window.mount('here'); }")
    s.page.wait_for_selector(".lm-root[data-state=ready] .lm-row:not(.lm-loading)")


def test_the_module_that_a_notebook_stores_is_the_widget(controller, stage):
    """It unpacks itself in the page."""
    from lmops.widgets.kit.assets import packed

    s = stage(controller(5))
    found = """async (esm) => { const url = URL.createObjectURL(new Blob([esm], {type: 'text/javascript'}));
      return typeof (await import(url)).default.render; }"""
    assert s.page.evaluate(found, packed("traces/browser.js")) == "function"
