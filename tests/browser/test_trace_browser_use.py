"""The front end in Chromium: focus, mouse, actions, times, errors, and views that go away and come back."""

# ruff: noqa: E501 - scripts of the page stand on one line
from __future__ import annotations

import itertools

import pytest

ROW = ".lm-row:not([hidden])"
FIRST = ".lm-row[data-index='0']"


def focus_is_in(stage, selector):
    """Whether what has the focus is the first element that matches."""
    return stage.page.evaluate("(s) => document.activeElement === document.querySelector(s)", selector)


def opened(stage, index=0):
    """Open a trace of the list by keys and wait until it can be read."""
    stage.root.focus()
    stage.press(*["j"] * (index + 1), "Enter")
    stage.page.wait_for_selector(".lm-pane[data-ready=true] ~ *, .lm-pane[data-ready=true]")
    stage.page.wait_for_selector(".lm-body[data-index]")


# -- focus and assistive technology ---------------------------------------------------------------------------------


def test_the_focus_is_where_the_active_row_is(controller, stage):
    """The grid has the focus and names its row, then the tree; Escape and o go between them."""
    s = stage(controller(20))
    s.root.focus()
    assert focus_is_in(s, "[role=grid]")
    s.press("j", "j")
    s.page.wait_for_function(
        "() => document.getElementById(document.activeElement.getAttribute('aria-activedescendant'))?.ariaSelected === 'true'"
    )
    s.press("Enter")
    s.page.wait_for_selector(".lm-pane[data-ready=true]")
    assert focus_is_in(s, "[role=tree]")
    s.press("j")
    s.page.wait_for_function(
        "() => document.getElementById(document.activeElement.getAttribute('aria-activedescendant'))?.role === 'treeitem'"
    )
    s.press("o")
    assert focus_is_in(s, "[role=grid]")
    s.press("o", "s")
    s.page.wait_for_selector(".lm-body[data-session]")
    assert focus_is_in(s, ".lm-body")
    s.press("s", "Escape")
    assert focus_is_in(s, "[role=grid]")


def test_tab_goes_through_and_out_again(controller, stage):
    """The rows are one stop; neither end is a trap."""
    s = stage(controller(20))
    s.page.evaluate("() => { const b = document.createElement('button'); b.id = 'after'; document.body.append(b); }")
    s.page.locator(".lm-search").focus()
    stops = []
    for _ in range(30):
        s.press("Tab")
        stops.append(
            s.page.evaluate(
                "() => document.activeElement.id || document.activeElement.role || document.activeElement.getAttribute('aria-label')"
            )
        )
        if stops[-1] == "after":
            break
    assert stops[-1] == "after"
    assert stops.count("grid") == 1
    s.press("Shift+Tab")
    assert focus_is_in(s, "[role=grid]")
    s.press("Shift+Tab")
    assert not focus_is_in(s, "[role=grid]")


def test_the_help_lists_every_key_and_none_that_does_nothing(controller, stage):
    """? shows the keys, ? and Escape hide them."""
    s = stage(controller(5))
    s.root.focus()
    s.press("?")
    keys = s.page.locator(".lm-help kbd").all_inner_texts()
    assert {"j", "k", "↓", "↑", "Enter", "Esc", "/", "[", "]", "space", "?", "a", "l", "p", "o"} <= set(keys)
    s.press("?")
    assert s.page.locator(".lm-help").is_hidden()
    s.press("?", "Escape")
    assert s.page.locator(".lm-help").is_hidden()
    assert focus_is_in(s, "[role=grid]")


def test_nothing_moves_for_those_who_asked_for_that(controller, stage):
    """With reduced motion there is no transition and no animation."""
    s = stage(controller(5))
    s.page.emulate_media(reduced_motion="reduce")
    moving = """() => [...document.querySelectorAll('.lm-root *')].filter((el) => { const c = getComputedStyle(el);
      return parseFloat(c.transitionDuration) > 0 || c.animationName !== 'none' || c.scrollBehavior === 'smooth'; }).length"""
    assert s.page.evaluate(moving) == 0


def test_text_being_composed_is_left_alone(controller, stage):
    """Enter and Escape of an input method neither filter nor clear, in both fields."""
    s = stage(controller(20))
    opened(s)
    compose = """([selector, key]) => { const el = document.querySelector(selector); el.focus(); el.value = 'かな';
      el.dispatchEvent(new KeyboardEvent('keydown', {key, isComposing: true, bubbles: true, cancelable: true})); return el.value; }"""
    for selector in (".lm-search", ".lm-find"):
        for key in ("Enter", "Escape", "j", "?"):
            assert s.page.evaluate(compose, [selector, key]) == "かな"
    assert s.controller.where is None
    assert s.page.locator(".lm-help").is_hidden()


def test_keys_in_a_field_are_text(controller, stage):
    """j, space, [ and ? are typed; Escape leaves the field empty and goes back to the rows."""
    s = stage(controller(20))
    s.root.focus()
    s.press("j", "/")
    s.page.keyboard.type("j k [?] e")
    assert s.page.input_value(".lm-search") == "j k [?] e"
    s.press("Escape")
    assert s.page.input_value(".lm-search") == ""
    assert focus_is_in(s, "[role=grid]")
    assert s.data("selected") == f"{20:032x}"


# -- mouse -----------------------------------------------------------------------------------------------------------


def test_rows_are_chosen_marked_and_opened_by_mouse(controller, stage):
    """Click, click with Ctrl and with Shift, click on a box, double click."""
    s = stage(controller(40))
    cell = lambda i: s.page.locator(f".lm-row[data-index='{i}'] .lm-cell").nth(4)  # noqa: E731 - read twice
    cell(2).click()
    s.until(lambda: s.controller.cursor == f"{38:032x}")
    assert s.controller.selected_ids == [f"{38:032x}"]
    cell(1).click(modifiers=["Control"])
    cell(4).click(modifiers=["Shift"])
    s.until(lambda: len(s.controller.selected_ids) == 4)
    s.page.locator(".lm-row[data-index='6'] .lm-mark-cell").click()
    s.until(lambda: len(s.controller.selected_ids) == 5)
    s.page.click("[aria-label='clear the marks']")
    s.until(lambda: s.controller.selected_ids == [f"{34:032x}"])
    cell(5).dblclick()
    s.page.wait_for_selector(f".lm-pane[data-trace-id='{35:032x}'][data-ready=true]")
    s.page.click("[aria-label='next trace']")
    s.page.wait_for_selector(f".lm-pane[data-trace-id='{34:032x}'][data-ready=true]")
    s.page.click(".lm-pane [aria-label=close]")
    assert s.page.locator(".lm-pane").is_hidden()


def test_the_width_of_the_list_is_dragged_and_texts_stay_first(controller, stage):
    """Beside a trace status and input are the first columns; the separator moves."""
    s = stage(controller(10))
    opened(s)
    heads = s.page.locator(".lm-th[data-column]")
    assert [heads.nth(i).get_attribute("data-column") for i in range(3)] == ["status", "input", "start_at"]
    assert (
        s.page.locator(f"{FIRST} .lm-cell").nth(2).inner_text().startswith("Refund")
        or "(9)" in s.page.locator(f"{FIRST} .lm-cell").nth(2).inner_text()
    )
    before = s.page.locator(".lm-list").bounding_box()["width"]
    box = s.page.locator(".lm-split").bounding_box()
    s.page.mouse.move(box["x"] + 2, box["y"] + 50)
    s.page.mouse.down()
    s.page.mouse.move(box["x"] + 122, box["y"] + 50, steps=4)
    s.page.mouse.up()
    assert abs(s.page.locator(".lm-list").bounding_box()["width"] - before - 120) < 8
    s.press("Escape")
    assert heads.nth(1).get_attribute("data-column") == "start_at"


def test_a_custom_range_starts_with_what_is_there_and_is_in_utc(controller, stage):
    """The form has the first and the last time; what is sent is what Python shows."""
    s = stage(controller(60))
    s.page.click(".lm-range:has-text('custom')")
    s.page.wait_for_function("() => document.querySelector('[name=since]').value")
    assert s.page.input_value("[name=since]") == "2025-10-09T08:53:20"
    s.page.fill("[name=until]", "2025-10-09T09:03:20")
    s.press("Enter")
    s.page.wait_for_selector(".lm-root[data-total='10']")
    assert "2025-10-09T09:03:20+00:00" in str(s.controller._range)
    s.page.wait_for_selector(".lm-range.lm-on:has-text('custom')")
    s.page.click(".lm-range:has-text('custom')")
    assert s.page.input_value("[name=until]") == "2025-10-09T09:03:20"
    s.press("Escape")
    assert s.page.locator(".lm-custom").is_hidden()
    s.page.click(".lm-range:has-text('7d')")
    s.page.wait_for_selector(".lm-root[data-total='60']")


# -- what is shown ---------------------------------------------------------------------------------------------------


def test_times_are_relative_or_exact_and_fit(controller, stage):
    """t and a click change them; exact times are in UTC and not cut."""
    s = stage(controller(5))
    cell = s.page.locator(f"{FIRST} .lm-k-time")
    assert cell.get_attribute("title") == "2025-10-09 08:57:20 UTC"
    s.root.focus()
    s.press("t")
    s.until(lambda: cell.inner_text() == "2025-10-09 08:57:20")
    assert cell.evaluate("(el) => el.scrollWidth <= el.clientWidth")
    s.page.click(".lm-times")
    s.until(lambda: cell.inner_text() == "2025-10-09")


def test_the_whole_text_of_a_cell_is_below_and_goes_with_its_row(controller, stage, traffic, conversation):
    """A row has 64 characters; the row under the cursor has all of it, and nothing that is not in the list."""
    text = "word " * 60
    store = traffic(8)
    store.load(spans=conversation(8, text=text))
    s = stage(controller(store=store))
    assert s.page.locator(f"{FIRST} .lm-k-text").inner_text().endswith("…")
    s.root.focus()
    s.press("j")
    s.page.wait_for_selector(".lm-peek:not([hidden])")
    assert s.page.locator(".lm-peek-text").first.inner_text().strip() == text.strip()
    s.controller.where = "status = 'error'"
    s.page.wait_for_selector(".lm-root[data-total='1']")
    s.page.wait_for_function("() => document.querySelector('.lm-peek').hidden")
    s.controller.where = None
    s.page.wait_for_selector(".lm-peek:not([hidden])")


def test_an_error_can_be_read_whole_and_goes_when_things_go_well(controller, stage):
    """It wraps; the next search that works takes it away."""
    s = stage(controller(60))
    s.page.fill(".lm-search", "latencyms > 5")
    s.press("Enter")
    s.page.wait_for_selector(".lm-said-error")
    words = s.page.locator(".lm-said-error > span")
    assert words.evaluate("(el) => el.scrollWidth <= el.clientWidth")
    s.page.fill(".lm-search", "latency_ms > 5")
    s.press("Enter")
    s.until(lambda: s.data("said") == "")
    assert s.page.locator(".lm-said-error").count() == 0


def test_rows_that_failed_stand_out_in_the_summaries(controller, stage):
    """Tooltips say the share of errors, of a value and of a bar."""
    s = stage(controller(60))
    s.page.wait_for_selector(".lm-th[data-column=models] .lm-top i b")
    assert "6 errors (13%)" in s.page.locator(".lm-th[data-column=models] .lm-top").first.get_attribute("title")
    titles = s.page.locator(".lm-th[data-column=latency_ms] .lm-bar").evaluate_all(
        "(els) => els.map((el) => el.title).join()"
    )
    assert "errors (" in titles


def test_the_waterfall_has_an_axis_that_stays(controller, stage):
    """Round times stand over the bars, and over long traces they stay when it is scrolled."""
    s = stage(controller(4))
    opened(s)
    assert s.page.locator(".lm-ticks span").first.inner_text() == "0"
    lane = s.page.locator(".lm-span-row .lm-lane").first.bounding_box()
    ticks = s.page.locator(".lm-ticks").bounding_box()
    assert abs(lane["x"] - ticks["x"]) < 1
    assert abs(lane["width"] - ticks["width"]) < 1


def test_a_conversation_is_shown_as_the_user_saw_it(controller, stage):
    """What went in folded to the question, roles in order, JSON as a tree, raw attributes on demand."""
    s = stage(controller(6))
    opened(s)
    s.press("j", "j")
    s.page.wait_for_selector(".lm-body[data-index='2']")
    roles = s.page.locator(".lm-body .lm-message").evaluate_all(
        "(els) => els.map((el) => el.className.match(/lm-role-(\\w+)/)[1])"
    )
    assert roles == ["user", "system", "user", "assistant", "tool", "assistant"]
    folds = s.page.locator(".lm-body details")
    assert folds.evaluate_all("(els) => els.map((el) => el.open)") == [False] * folds.count()
    assert s.page.locator(".lm-asked > summary").inner_text().split("\n")[0] == "input"
    s.press("w")
    call = s.page.locator(".lm-role-assistant details").first
    assert "lookup" in call.locator("summary").inner_text()
    call.locator("summary").click()
    assert call.locator(".lm-json").inner_text() == 'port: "Skarholm"'
    s.press("r")
    s.page.wait_for_selector(".lm-body details[open] .lm-json")
    assert 'k: "v"' in s.page.locator(".lm-body .lm-json").first.inner_text()


def test_retrieved_documents_have_their_scores(controller, stage):
    """Id, score in words and as a bar, content."""
    s = stage(controller(6))
    opened(s)
    s.press("j")
    document = s.page.locator(".lm-document")
    document.wait_for()
    assert "article-5" in document.inner_text()
    assert "score 0.83" in document.inner_text()
    assert "pet cabins" in document.inner_text()
    bar, full = (document.locator(one).bounding_box()["width"] for one in (".lm-score i", ".lm-score"))
    assert abs(bar / full - 0.83) < 0.02


def test_the_failing_span_comes_first(controller, stage):
    """It is open, named above the tree, and marked by more than colour."""
    s = stage(controller(10))
    opened(s, 6)
    s.page.wait_for_selector(".lm-body[data-index='3']")
    assert s.page.locator(".lm-alert").inner_text().split("\n")[0] == "TimeoutError"
    assert "no answer within 5 s" in s.page.locator(".lm-body .lm-role-error").inner_text()
    failed = s.page.locator(".lm-span-row.lm-failed .lm-i-error")
    assert failed.count() == 2


def test_a_click_on_a_bar_filters(controller, stage):
    """A bar of a histogram becomes a chip; the rows are as many as it said."""
    s = stage(controller(60))
    s.page.wait_for_selector(".lm-th[data-column=latency_ms] .lm-bar")
    bar = s.page.locator(".lm-th[data-column=latency_ms] .lm-bar").nth(2)
    said = bar.get_attribute("title")
    bar.click()
    s.page.wait_for_selector(".lm-chip")
    assert f": {s.data('total')} trace" in said
    assert s.controller.where.startswith("(latency_ms >= ")


def test_new_traces_are_announced_and_shown_when_asked(controller, stage, traffic, conversation):
    """Without live=True nothing moves: a button says how many there are and goes to them."""
    store = traffic(200)
    s = stage(controller(store=store))
    s.page.evaluate("() => { document.querySelector('.lm-scroll').scrollTop = 2000; }")
    store.load(spans=[row for i in range(300, 303) for row in conversation(i)])
    s.page.wait_for_selector(".lm-fresh:not([hidden])", timeout=25_000)
    assert s.page.locator(".lm-fresh").inner_text() == "3 new traces"
    assert s.data("total") == "200"
    s.page.click(".lm-fresh")
    s.page.wait_for_selector(".lm-root[data-total='203']")
    s.page.wait_for_selector(f"{FIRST}[data-row-id='{303:032x}']:not([hidden])")
    assert s.page.locator(".lm-fresh").is_hidden()


def test_a_kernel_that_was_busy_is_forgiven(controller, stage):
    """An answer that comes too late for its question still says that the kernel is there."""
    s = stage(controller(30))
    s.page.evaluate("() => { window.delay = 9_500; }")
    s.root.focus()
    s.press("j")
    s.page.wait_for_selector(".lm-root[data-state=slow]", timeout=12_000)
    assert "busy or gone" in s.data("said")
    s.page.wait_for_selector(".lm-root[data-state=ready]", timeout=12_000)
    assert s.data("said") == ""


def test_turns_of_a_session_by_keys(controller, stage):
    """j and k go through the conversation, Enter opens a turn."""
    s = stage(controller(12))
    opened(s, 1)
    s.press("s")
    s.page.wait_for_selector(".lm-body[data-session]")
    at = s.page.evaluate(
        "() => [...document.querySelectorAll('.lm-turn')].findIndex((el) => el.classList.contains('lm-cursor'))"
    )
    assert at == 1
    s.press("k", "Enter")
    s.page.wait_for_selector(f".lm-pane[data-trace-id='{10:032x}'][data-ready=true]")
    s.until(lambda: s.controller.cursor == f"{10:032x}")
    assert focus_is_in(s, "[role=tree]")


def test_keys_reach_both_of_two_traces(controller, stage):
    """o changes the side; each side has its own span."""
    s = stage(controller(12))
    opened(s)
    other = ".lm-pane:not(.lm-pinned)"
    s.press("p", "]", "o", "j")
    s.page.wait_for_selector(".lm-pinned .lm-body[data-index='1']")
    s.page.wait_for_selector(f"{other} .lm-body[data-index='0']")
    s.press("o", "j", "j")
    s.page.wait_for_selector(f"{other} .lm-body[data-index='2']")
    s.press("Escape")
    assert s.page.locator(".lm-pinned").count() == 0
    assert focus_is_in(s, "[role=tree]")


# -- actions ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def shelf():
    """Stands in for ``ws.datasets``."""
    from types import SimpleNamespace

    from lmops.errors import UsageError

    class Shelf(dict):
        def add_traces(self, name, traces):
            if "!" in name:
                raise UsageError(f"no dataset can be named {name!r}")
            self.setdefault(name, []).append(traces)
            return SimpleNamespace(ref=f"{name}@{len(self[name])}")

        def made_of(self, traces, *, map=None):
            return [], []

        def list(self):
            return {"name": list(self)}

    return Shelf(golden=[["x"]])


def test_marked_traces_go_into_a_dataset(controller, stage, shelf):
    """By key and by mouse; names that exist are offered; the status line says which version it is now."""
    from lmops.widgets.kit.actions import add_to_dataset

    s = stage(controller(10, actions={"dataset": add_to_dataset(shelf)}))
    s.root.focus()
    s.press("j", "Space", "j", "Space", "j", "Space", "a")
    s.page.wait_for_selector(".lm-action:not([hidden])")
    assert "3 marked traces" in s.page.locator(".lm-action").inner_text()
    s.page.wait_for_selector(".lm-action option", state="attached")
    s.page.keyboard.type("a!")
    s.press("Enter")
    s.page.wait_for_selector(".lm-said-error")
    assert "no dataset can be named" in s.data("said")
    s.page.click(".lm-choices button")
    s.until(lambda: s.data("said") == "added 3 traces to golden@2")
    assert shelf["golden"][1] == [f"{i:032x}" for i in (10, 9, 8)]
    assert s.page.locator(".lm-action").is_hidden()
    assert focus_is_in(s, "[role=grid]")
    s.page.click("[aria-label='clear the marks']")
    s.press("Enter")
    s.page.wait_for_selector(".lm-pane[data-ready=true]")
    s.page.click(".lm-pane [aria-label=dataset]")
    s.page.wait_for_selector(".lm-action:not([hidden])")
    assert s.page.input_value(".lm-action [name=value]") == "golden"
    s.press("Enter")
    s.until(lambda: s.data("said") == "added 1 trace to golden@3")
    s.press("a", "Escape")
    assert s.page.locator(".lm-action").is_hidden()


def test_marked_traces_are_sent_to_labeling_and_taken_back(controller, stage):
    """A new queue is asked by the schema that is picked, a known one brings its own; undo by key and by mouse."""
    import lmops
    from lmops.widgets.kit.actions import send_to_labeling

    with lmops.open(":memory:", actor="ada") as ws:
        ws.feedback.schemas.save("tone", [{"name": "tone", "kind": "scale"}])
        s = stage(controller(10, actions={"labeling": send_to_labeling(lambda: ws.feedback)}))
        s.root.focus()
        s.press("j", "Space", "j", "Space", "l")
        s.page.wait_for_selector(".lm-action select")
        assert "all 10 traces of the list" in s.page.locator(".lm-action").inner_text()
        s.page.select_option(".lm-action select", "tone")
        s.page.keyboard.type("review")
        s.press("Enter")
        s.until(lambda: s.data("said") == "2 items added to new queue review, asked by tone@1")
        assert focus_is_in(s, "[role=grid]")
        s.press("u")
        s.until(lambda: s.data("said") == "took 2 items out of queue review again: it has 0")
        s.press("l")
        s.page.wait_for_selector(".lm-choices button")
        assert s.page.locator(".lm-action select").is_hidden()  # the queue is known
        s.page.check(".lm-action [name=all]")
        s.page.click(".lm-choices button")
        s.until(lambda: s.data("said").startswith("10 items added to queue review"))
        s.page.click(".lm-said button")
        s.until(lambda: s.data("said").startswith("took 10 items out"))
        assert not s.page_errors


def test_what_is_not_there_yet_says_so(controller, stage):
    """Buttons are disabled with a hint; the keys say the same."""
    s = stage(controller(10))
    opened(s)
    for name, key in (("dataset", "a"), ("label", "l")):
        found = s.page.locator(f".lm-pane [aria-label={name}]")
        assert found.is_disabled()
        s.press(key)
        s.until(lambda found=found: s.data("said") == found.get_attribute("title"))


def test_the_id_and_the_query_are_copied_as_they_are(controller, stage, chromium):
    """What lands on the clipboard is the text itself."""
    s = stage(controller(10, where="name <> '<img src=x>'"))
    s.page.evaluate(
        "() => { window.copied = []; Object.defineProperty(navigator, 'clipboard', {value: {writeText: async (t) => { window.copied.push(t); }}}); }"
    )
    s.root.focus()
    s.press("j", "y")
    s.until(lambda: s.data("said") == "trace id copied")
    s.press("x", "Enter")
    s.until(lambda: s.data("said").startswith("SQL copied"))
    assert s.page.evaluate("() => window.copied") == [f"{10:032x}", s.controller.sql]


# -- views that go away and come back --------------------------------------------------------------------------------


def test_a_view_that_was_taken_out_of_the_page_is_where_it_was(controller, stage):
    """A windowed notebook detaches what is scrolled away; browsers forget how far it was scrolled."""
    s = stage(controller(900))
    s.root.focus()
    s.page.evaluate("() => { document.querySelector('.lm-scroll').scrollTop = 9000; }")
    s.page.wait_for_selector(f"{ROW}[data-index='380']:not(.lm-loading)")
    s.page.evaluate(
        """async () => { const el = document.getElementById('here'), parent = el.parentNode; el.remove();
          await new Promise((done) => setTimeout(done, 150)); parent.append(el); }"""
    )
    s.until(lambda: s.page.evaluate("() => document.querySelector('.lm-scroll').scrollTop") == 9000)
    s.page.wait_for_selector(f"{ROW}[data-index='380']:not(.lm-loading)")


def test_a_view_that_was_ended_comes_back_with_the_trace_that_was_open(controller, stage):
    """The next view of the model goes on: scroll, cursor, marks, open trace."""
    s = stage(controller(900))
    s.page.evaluate("() => { document.querySelector('.lm-scroll').scrollTop = 9000; }")
    s.page.locator(f"{ROW}[data-index='380']:not(.lm-loading) .lm-cell").nth(4).click()
    s.press("Space", "Enter")
    s.page.wait_for_selector(".lm-pane[data-ready=true]")
    s.until(lambda: s.controller.cursor and len(s.controller.selected_ids) == 1)
    s.quiet()
    s.page.evaluate("() => { window.cleanup(); window.cleanup = window.mount('here'); }")
    s.page.wait_for_selector(f".lm-pane[data-trace-id='{520:032x}'][data-ready=true]")
    s.page.wait_for_selector(f"{ROW}.lm-cursor.lm-marked[data-index='380']")
    assert not s.page_errors


def test_live_does_not_move_what_is_read(controller, stage, traffic, conversation):
    """With a trace open, new ones come in above it and the rows on screen stay."""
    store = traffic(200)
    s = stage(controller(store=store, is_live=True))
    opened(s, 3)
    chosen = s.data("selected")
    top = lambda: s.page.locator(f"{ROW}[data-row-id='{chosen}']").bounding_box()["y"]  # noqa: E731 - read twice
    before = top()
    store.load(spans=[row for i in range(300, 305) for row in conversation(i)])
    s.page.wait_for_selector(".lm-root[data-total='205']", timeout=8_000)
    s.page.wait_for_selector(f"{ROW}.lm-cursor[data-index='8'][data-row-id='{chosen}']")
    s.until(lambda: abs(top() - before) < 2)
    assert s.page.get_attribute(".lm-pane", "data-trace-id") == chosen


def test_its_styles_stay_inside(controller, stage, conversation):
    """A trace that is shown elsewhere in the notebook looks as if there were no browser."""
    from lmops.traces import Trace

    s = stage(controller(5))
    rows = """(html) => { const el = document.createElement('div'); el.innerHTML = html; document.body.append(el);
      return [...el.querySelectorAll('.lmt-row > summary')].map((one) => one.getBoundingClientRect().y); }"""
    tops = s.page.evaluate(rows, Trace.from_rows(conversation(3))._repr_html_())
    assert len(tops) >= 4
    assert all(below - above >= 20 for above, below in itertools.pairwise(tops))
