"""Whoever types faster than the kernel answers gets what was typed, in its order; nobody waits between keys here."""

from __future__ import annotations

import pytest

from tests.widgets.eval_samples import GAINED, LOST, evaluated
from tests.widgets.prompt_samples import saved

OTHER = ".lm-pane:not(.lm-pinned)"
#: Answers come when they are let go, however long the keys take.
HELD = """() => {
  const {receive} = window, held = [];
  window.receive = (messages) => held.push(messages);
  window.letGo = () => { window.receive = receive; held.forEach(receive); };
}"""


@pytest.fixture(scope="module")
def runs():
    """(workspace, new run, baseline)."""
    import lmops

    with lmops.open(":memory:", actor="ada") as ws:
        yield ws, *evaluated(ws)


def slow(s, ms=150):
    """Let every answer come late from now on."""
    s.page.evaluate("(ms) => { window.delay = ms; }", ms)
    s.root.focus()
    return s


@pytest.fixture
def traces(controller, stage):
    """Return a function that puts a trace browser over a slow kernel on a page."""
    return lambda *args, **options: slow(stage(controller(*args, **options)))


@pytest.fixture
def cases(runs, stage):
    """An eval explorer over a slow kernel."""
    ws, new, old = runs
    return slow(stage(ws.evals._explorer([new, old], scorer="exact_match"), name="evals/explorer"))


def test_after_enter_j_moves_in_the_tree(traces):
    """The list keeps its row."""
    s = traces(20)
    s.press("j", "j", "Enter", "j", "j")
    s.page.wait_for_selector(".lm-body[data-index='2']")
    assert s.data("selected") == f"{19:032x}"
    assert s.page.get_attribute(".lm-pane", "data-trace-id") == f"{19:032x}"


def test_the_last_row_is_opened_though_it_is_not_loaded(traces):
    """G, Enter: not the row that had the cursor before."""
    s = traces(1_000)
    s.press("j", "G", "Enter", "j")
    s.page.wait_for_selector(f".lm-pane[data-trace-id='{1:032x}'] .lm-body[data-index='1']")


def test_both_of_two_traces_are_reached(traces):
    """p ] o j j: the pinned one moves on, the other one is the next trace at its first span."""
    s = traces(20)
    s.press("j", "Enter", "p", "]", "o", "j", "j")
    s.page.wait_for_selector(".lm-pinned .lm-body[data-index='2']")
    s.page.wait_for_selector(f"{OTHER}[data-trace-id='{19:032x}'][data-ready=true] .lm-body[data-index='0']")
    assert s.page.get_attribute(".lm-pinned", "data-trace-id") == f"{20:032x}"


def test_a_conversation_is_read_by_keys_typed_ahead(traces):
    """s k Enter: the turn before is opened; the next key moves in its tree."""
    s = traces(12)
    s.press("j", "j", "Enter", "s", "k", "Enter", "j")
    s.page.wait_for_selector(f".lm-pane[data-trace-id='{10:032x}'] .lm-body[data-index='1']")


def test_text_goes_into_the_field_that_the_slash_goes_to(traces):
    """] / words: found in the trace that ] opens, and none of the letters is a command."""
    s = traces(20)
    s.press("j", "Enter", "]", "j", "/", *"pet cabinx", "Backspace", "s")
    s.page.wait_for_selector(f".lm-pane[data-trace-id='{19:032x}'] .lm-span-row.lm-found.lm-cursor")
    assert s.page.input_value(".lm-find") == "pet cabins"
    assert s.page.locator(".lm-pinned").count() == 0


def test_escape_and_slash_go_to_the_filter_though_a_trace_is_on_its_way(traces):
    """] j Escape / words: the trace is shut before the words are typed."""
    s = traces(20)
    s.press("j", "Enter", "]", "j", "Escape", "/", *"[pet?]")
    s.page.wait_for_function("() => document.querySelector('.lm-search').value === '[pet?]'")
    assert s.page.locator(".lm-pane").is_hidden()


def test_keys_after_a_filter_act_in_its_list(traces):
    """/ words Enter j Enter opens the first of what was found."""
    s = traces(60)
    s.press("/", *"status = 'error'", "Enter", "j", "j", "Enter")
    s.page.wait_for_selector(".lm-pane[data-ready=true]")
    s.quiet()
    assert s.data("total") == "6"
    assert s.page.locator(".lm-row.lm-cursor").get_attribute("data-index") == "1"
    assert s.page.get_attribute(".lm-pane", "data-trace-id") == s.data("selected") == f"{44:032x}"
    assert s.page.input_value(".lm-search") == ""


def test_two_filters_typed_at_once_are_two(traces):
    """The second slash goes to a field that is empty again."""
    s = traces(60)
    for words in ("status = 'error'", "latency_ms > 1500"):
        s.press("/", *words, "Enter")
    s.until(lambda: s.controller.where == "status = 'error' and latency_ms > 1500")
    s.quiet()
    assert s.page.input_value(".lm-search") == ""


def test_enter_in_a_trace_goes_to_the_next_hit_though_none_is_known_yet(traces):
    """/ words Enter Enter: the second and then the third of the spans that have them."""
    s = traces(20)
    s.press("j", "Enter", "/", *"ferry", "Enter", "Enter")
    s.page.wait_for_selector(".lm-body mark")
    s.page.wait_for_selector(".lm-body[data-index='2']")


def test_keys_after_a_filter_that_cannot_be_read_are_dropped(traces):
    """They meant a list that does not come; the text is there to be repaired."""
    s = traces(60)
    s.page.evaluate(HELD)
    s.press("/", *"latencyms > 5", "Enter", "j", "Enter", "x")
    s.page.evaluate("() => window.letGo()")
    s.page.wait_for_selector(".lm-said-error")
    s.quiet()
    assert s.page.evaluate("() => document.activeElement.className") == "lm-search"
    assert s.page.input_value(".lm-search") == "latencyms > 5"
    assert not s.data("selected")
    assert s.page.locator(".lm-pane").is_hidden()


def test_a_name_typed_ahead_goes_into_the_form(traces):
    """G a name Enter: the last trace goes into the dataset of this name."""
    from lmops.widgets.kit.actions import Action

    done = []
    action = Action(run=lambda ids, name: done.append((ids, name)) or "added", asks="dataset")
    s = traces(1_000, actions={"dataset": action})
    s.press("G", "a", *"golden", "Enter")
    s.until(lambda: done == [([f"{1:032x}"], "golden")])
    s.until(lambda: s.data("said") == "added")


def test_a_key_whose_row_is_there_acts_at_once(traces):
    """The kernel has not answered, and the cursor has moved."""
    s = traces(200)
    moved = s.page.evaluate(
        """async () => { const sent = window.sent.length; window.delay = 5_000;
          const key = (key) => document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));
          key('j'); key('j'); key('j');
          await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
          const told = window.sent.slice(sent).filter(({kind}) => !['summary', 'over_time', 'poll'].includes(kind));
          return [document.querySelector('.lm-row.lm-cursor').dataset.index, told.length]; }"""
    )
    assert moved == ["2", 0]


def test_with_a_dead_kernel_no_key_waits(traces):
    """What is there can be read by keys, and help comes at once."""
    s = traces(300)
    s.press("j")
    s.quiet()
    s.page.evaluate("() => { window.isDead = true; }")
    s.press("G", "Enter", "j", "Escape", "g", "?")
    s.page.wait_for_selector(".lm-root[data-state=dead] .lm-help:not([hidden])")
    assert s.page.locator(".lm-row.lm-cursor").get_attribute("data-index") == "0"


def test_who_scrolls_while_a_new_list_comes_is_not_thrown_back(controller, stage, traffic, conversation):
    """The rows that stand on the screen when the place is known are those that were scrolled to."""
    store = traffic(300)
    s = stage(controller(store=store))
    scroll = "(top) => { document.querySelector('.lm-scroll').scrollTop = top; }"
    s.page.evaluate(scroll, 2_400)
    s.page.wait_for_selector(".lm-row[data-index='100']:not(.lm-loading):not([hidden])")
    store.load(spans=[row for i in range(300, 310) for row in conversation(i)])
    s.page.evaluate(
        """() => { const { receive } = window;
          window.receive = (messages) => {
            if (messages[0].kind === 'places') window.place = () => receive(messages);
            else receive(messages);
          }; }"""
    )
    s.page.click("[aria-label='refresh']")
    s.page.wait_for_function("() => window.place")
    s.page.evaluate(scroll, 2_640)
    s.quiet()
    s.page.evaluate("() => window.place()")
    s.quiet()
    assert s.page.evaluate("() => document.querySelector('.lm-scroll').scrollTop") == 2_640 + 10 * 24


def test_filters_and_moves_of_the_explorer_keep_their_order(cases):
    """r G Enter: the last regression; c G Enter: the last case of all."""
    s = cases
    s.press("r", "G", "Enter")
    s.page.wait_for_selector(f".lm-case[data-case='{LOST[-1]}']")
    s.press("Escape", "c", "G", "Enter")
    s.page.wait_for_selector(f".lm-case[data-case='{GAINED[-1]}']")
    assert s.data("total") == "40"


def test_two_toggles_typed_at_once_are_one_and_back(cases):
    """r r shows all, f r shows both: the second key knows what the first one did."""
    s = cases
    s.press("r", "r", "f")
    s.page.wait_for_selector(".lm-root[data-total='14']")
    s.quiet()
    assert (s.controller.filter.regressions, s.controller.filter.flips) == (False, True)


def test_words_typed_into_the_search_of_the_explorer(cases):
    """r / words Enter j Enter: none of the letters is a command, and the case is one of those found."""
    s = cases
    s.press("f", "/", *"may never", "Enter", "j", "j", "Enter")
    s.page.wait_for_selector(".lm-case[data-case]")
    s.quiet()
    assert s.page.locator(".lm-chip").all_inner_texts() == ["\u201cmay never\u201d in answers"]
    assert s.data("total") == str(len(LOST))
    assert s.data("selected") == LOST[1]
    assert s.page.get_attribute(".lm-case", "data-case") == s.data("selected")


def test_what_is_done_with_an_open_case_waits_for_it(cases):
    """Enter d ] t: the words are unmarked, then the next case has its trace shown; t t hides it again."""
    s = cases
    s.press("j", "j", "Enter", "d", "]", "t")
    s.page.wait_for_selector(f".lm-case[data-case={LOST[1]}][data-diff=false] .lm-trace[data-trace] .lm-span")
    s.press("t", "t", "t")
    s.quiet()
    assert s.page.locator(".lm-trace").is_hidden()


def test_what_is_typed_after_the_escape_that_leaves_is_not_for_the_explorer(cases):
    """The notebook was meant; nothing is done here in its place."""
    s = cases
    s.press("j", "r", "Escape", "c", "G", "Enter")
    s.page.wait_for_function("() => document.activeElement.className === 'jp-Cell'")
    s.quiet()
    assert s.data("total") == "11"
    assert s.page.locator(".lm-case").is_hidden()


def test_space_marks_each_case_that_was_passed(cases):
    """The keys of a fast reader, and no row twice."""
    s = cases
    s.press("j", "j", " ", "j", " ", "k", " ", "Escape")
    s.until(lambda: s.controller.selected_ids == [LOST[1]])


def test_a_prompt_diff_is_swapped_before_it_is_gone_through(stage):
    """x n: the first difference of the other direction."""
    import lmops
    from lmops.prompts import Prompts
    from lmops.widgets.prompts.diff_controller import PromptDiffController

    with lmops.open(":memory:", actor="ada") as ws:
        diff = Prompts.diff(saved(ws).prompts, "support-answer", 2, 3)
        s = slow(stage(PromptDiffController(ws.prompts, diff), name="prompts/diff"))
        s.press("x", "n")
        s.page.wait_for_selector(".lm-root[data-left='3'][data-right='2'][data-stop='1']")


def test_what_is_typed_after_a_new_input_goes_into_its_field(stage):
    """a, then text: no letter of it is a command; so with the draft that e opens."""
    import lmops
    from lmops.widgets.prompts.playground_controller import PlaygroundController

    with lmops.open(":memory:", actor="ada") as ws:
        inputs = [{"sources": "", "question": "My dog?"}]
        controller = PlaygroundController(
            saved(ws).prompts, "support-answer", complete=None, versions=[2], inputs=inputs, models=list
        )
        s = slow(stage(controller, name="prompts/playground"))
        s.press("a", *"eva", "Enter", *"c?")
        s.until(lambda: "eva\nc?" in controller._inputs[-1].given.values())
        assert (len(controller._inputs), len(controller._columns)) == (2, 1)
        s.press("Escape", "e", *"Be kind")
        s.page.wait_for_function("() => document.activeElement?.value?.includes('Be kind')")
