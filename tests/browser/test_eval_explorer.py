"""The eval explorer in Chromium, with a fake model."""

# ruff: noqa: E501 - scripts of the page stand on one line

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "widgets"))
from eval_samples import FAILED, GAINED, LOST, baseline, evaluated

from lmops.widgets.kit.actions import add_examples
from tests.evals.judged import calibrated, judged, truth


@pytest.fixture(scope="module")
def runs():
    """(workspace, new run, baseline)."""
    import lmops

    with lmops.open(":memory:", actor="ada") as ws:
        yield ws, *evaluated(ws)


@pytest.fixture
def opened(stage, runs):
    """Return a function that puts the explorer on a page, its grid focused."""

    def make(*chosen, **options):
        ws, new, old = runs
        controller = ws.evals._explorer(list(chosen) or [new, old], scorer=options.pop("scorer", "exact_match"))
        s = stage(controller, name="evals/explorer", **options)
        s.root.focus()
        return s

    return make


def shown(s):
    """The ids on screen, from top to bottom."""
    return s.page.evaluate(
        """() => [...document.querySelectorAll('#here .lm-row:not([hidden])')].sort((a, b) => a.dataset.index - b.dataset.index).map((row) => row.dataset.case)"""
    )


def total(s, n):
    """Wait until so many cases are listed and the first of them are drawn."""
    s.page.wait_for_selector(f"#here .lm-root[data-total='{n}']")
    s.page.wait_for_function("() => !document.querySelector('#here .lm-row.lm-loading:not([hidden])')")


def test_the_grid_is_a_grid_with_the_worst_first(opened):
    """Baseline on the left, verdicts as icon and word, change and flip; roles, counts and sorting for assistive technology."""
    s = opened()
    grid = s.page.get_by_role("grid", name="cases")
    assert (grid.get_attribute("aria-rowcount"), grid.get_attribute("aria-colcount")) == ("41", "6")
    assert shown(s)[:11] == [FAILED, *LOST]
    row = s.page.locator("[data-case=e00]")
    assert row.locator(".lm-k-score").all_inner_texts() == ["pass", "fail"]
    assert row.locator(".lm-k-change").get_attribute("aria-label") == "\u22121.00, worse, lost"
    heads = grid.get_by_role("columnheader")
    assert [one.split("\n")[0] for one in heads.all_inner_texts()] == ["", "case", "input", "old", "new", "change"]
    assert heads.last.get_attribute("aria-sort") == "ascending"
    s.page.click("[data-sort=case]")
    s.until(lambda: shown(s)[:3] == ["e00", "e01", "e02"])
    s.page.click("[data-sort=case]")
    s.until(lambda: shown(s)[0] == "e39")
    assert not s.page_errors


def test_toggles_by_key_and_by_click(opened):
    """r: only regressions; f: only flips; pressed buttons say so; c shows all."""
    s = opened()
    s.press("r")
    total(s, 11)
    assert s.page.get_by_label("only regressions").get_attribute("aria-pressed") == "true"
    s.press("r", "f")
    total(s, 14)
    assert set(shown(s)) == {*LOST, *GAINED}
    s.page.get_by_label("only flips").click()
    total(s, 40)
    s.press("r")
    total(s, 11)
    s.press("c")
    total(s, 40)


def test_a_click_on_the_matrix_or_a_slice_filters(opened):
    """The chip takes the filter away again; so does a second click."""
    s = opened()
    s.page.click("[data-matrix=runs] [data-cell=fail-pass]")
    total(s, 4)
    assert shown(s) == GAINED
    s.page.wait_for_selector("[data-matrix=runs] [data-cell=fail-pass].lm-on")
    s.page.click("[data-slice='cluster=topic 4'] button")
    assert s.page.locator(".lm-chip").all_inner_texts() == [
        "old fail · new pass",
        "cluster = topic 4",
    ] or s.page.wait_for_selector(".lm-chip:has-text('topic 4')")
    s.page.get_by_label("remove old fail · new pass").click()
    total(s, 8)
    s.page.wait_for_selector(".lm-slice.lm-on")
    s.page.click("[data-slice='cluster=topic 4']")
    total(s, 40)
    s.page.click("[data-matrix='label:value'] [data-cell=pass-fail]")
    total(s, 5)
    assert "passes found" in s.page.locator(".lm-rates").inner_text()


def test_a_case_shows_both_outputs_with_the_words_that_differ(opened):
    """Enter opens, d marks and unmarks, brackets go on, reasons stand at the scores, Escape goes back to the overview."""
    s = opened()
    s.press("j", "j", "j", "Enter")
    s.page.wait_for_selector(".lm-case[data-case=e04]")
    answers = s.page.locator(".lm-answer")
    assert [one.get_attribute("data-side") for one in answers.all()] == ["baseline", "judged"]
    assert answers.last.locator("ins").all_inner_texts() == ["never "]
    assert answers.last.locator(".lm-why.lm-shown").inner_text().startswith("fail")
    s.press("d")
    s.page.wait_for_selector(".lm-case[data-diff=false]")
    assert s.page.locator(".lm-answer ins").count() == 0
    s.press("d", "]")
    s.page.wait_for_selector(".lm-case[data-case=e08][data-diff=true]")
    s.press("[", "k")
    s.page.wait_for_selector(".lm-case[data-case=e00]")
    s.press("Escape")
    assert s.page.locator(".lm-overview").is_visible()
    assert s.page.evaluate("() => document.activeElement.getAttribute('role')") == "grid"
    s.until(lambda: s.controller.cursor == "e00")


def test_a_case_that_failed_says_why_and_a_long_input_is_folded(opened):
    """The error stands in the place of the answer; the sources open by a click."""
    s = opened()
    s.press("j", "Enter")
    s.page.wait_for_selector(".lm-case[data-case=e05]")
    assert "ValueError: no dogs here" in s.page.locator(".lm-answer").last.inner_text()
    fold = s.page.locator("details.lm-case-text")
    assert fold.get_attribute("open") is None
    fold.locator("summary").click()
    assert "Dogs travel in the pet cabins." in fold.locator("> div").inner_text()


def test_the_trace_is_shown_below_the_answers(opened):
    """t shows and hides it; a case that was not traced has no button for it."""
    s = opened()
    s.press("j", "t")
    s.page.wait_for_selector(".lm-trace[data-trace] .lm-span")
    assert "ws.traces.get(" in s.page.locator(".lm-trace").inner_text()
    s.press("t")
    assert not s.page.locator(".lm-trace").is_visible()
    s.press("Escape")
    s.page.get_by_label("turn around").click()
    s.quiet()
    s.press("Enter")
    s.quiet()
    assert s.page.locator("[data-side=judged]").get_by_label("trace").count() == 0


def test_marked_cases_go_into_a_dataset(opened, runs):
    """Space marks, a asks for the name and adds the examples."""
    s = opened()
    s.press("j", "j", " ", "j", " ")
    s.until(lambda: s.controller.selected_ids == LOST[:2])
    assert "2 marked" in s.page.locator(".lm-marks").inner_text()
    s.press("a")
    s.page.get_by_label("name of the dataset").fill("from-the-page")
    s.press("Enter")
    s.until(lambda: s.data("said") == "added 2 examples to from-the-page@1")
    assert len(runs[0].datasets.get("from-the-page")) == 2
    assert s.page.evaluate("() => document.activeElement.getAttribute('role')") == "grid"


def test_with_nothing_chosen_a_key_takes_the_whole_list(opened):
    """Only regressions, then a: the form is about all of them."""
    s = opened()
    s.press("r")
    total(s, 11)
    s.press("a")
    s.page.wait_for_selector(".lm-planned strong:has-text('11 examples')")
    assert "add all 11 cases to dataset" in s.page.locator(".lm-action").inner_text()
    s.press("Escape")


def test_what_is_copied_is_shown_before_its_name_is_typed(opened):
    """The fields of the examples; where there are none, why, and nothing can be typed or sent."""
    s = opened()
    s.press("j", "a")
    s.page.wait_for_selector(".lm-planned dt:has-text('input.question')")
    assert s.page.locator(".lm-planned strong").inner_text() == "1 example"
    s.page.get_by_label("all 40 cases of the list").check()
    s.page.wait_for_selector(".lm-planned strong:has-text('40 examples')")
    s.press("Escape")
    s.controller._actions["dataset"] = add_examples(SimpleNamespace(list=lambda: {"name": []}), {}.get)
    s.press("a")
    s.page.wait_for_selector(".lm-planned .lm-s-error:has-text('no example to copy')")
    assert s.page.get_by_label("name of the dataset").is_disabled()
    assert s.page.get_by_role("button", name="add", exact=True).is_disabled()
    s.press("Escape")
    assert not s.page_errors


def test_marked_cases_are_sent_to_labeling_and_taken_back(opened, runs):
    """By key: the cases of the judged run, in a queue that was not there, and out of it again."""
    ws = runs[0]
    s = opened()
    s.press("j", "Space", "j", "Space", "l")
    s.page.wait_for_selector(".lm-action select")
    s.page.keyboard.type("cases")
    s.press("Enter")
    s.until(lambda: "added to new queue cases, asked by pass-fail@1" in s.data("said"))
    assert set(ws.feedback.queues.items("cases")["example_id"]) == {FAILED, LOST[0]}
    s.page.click(".lm-said button")
    s.until(lambda: s.data("said").endswith("out of queue cases again: it has 0"))
    assert not s.page_errors


def test_a_case_that_the_filter_leaves_out_stays_open_and_is_the_one_marked(opened):
    """The list goes on without it; space marks what is read, not the first row."""
    s = opened()
    s.press("j", "Enter")
    s.page.wait_for_selector(".lm-case[data-case=e05]")
    s.press("f")
    total(s, 14)
    assert s.page.locator(".lm-case").get_attribute("data-case") == "e05"
    s.press(" ")
    s.until(lambda: s.controller.selected_ids == ["e05"])
    s.press("j")
    s.page.wait_for_selector(".lm-case[data-case=e00]")


def test_who_goes_on_while_the_kernel_answers_keeps_the_place(opened):
    """Keys that come before the new list go on in it, from the case that had the cursor in the old one."""
    s = opened()
    s.page.evaluate("() => { window.delay = 120; }")
    s.press("j", "j", "j", "f", "j", "j")
    total(s, 14)
    s.until(lambda: s.controller.cursor == s.data("selected"))
    s.quiet()
    assert s.data("selected") == LOST[3]
    assert s.page.locator(".lm-row.lm-cursor").get_attribute("data-case") == LOST[3]


def test_numbers_choose_the_scorer_and_the_pass_mark_is_a_field(opened):
    """2 is token_f1: numbers with meters; a pass mark makes flips of them."""
    s = opened()
    s.press("2")
    s.page.wait_for_selector(".lm-root[data-scorer=token_f1]")
    total(s, 40)
    assert s.page.locator("[data-case=e00] .lm-score").first.inner_text() == "1.00"
    assert s.page.locator("[data-case=e00] .lm-meter").count() == 2
    s.page.get_by_label("pass at").fill("0.95")
    s.press("Tab")
    s.page.wait_for_selector("button:has-text('10 lost, 4 gained')")
    s.root.focus()
    s.press("9")
    assert "2 scorers" in s.data("said")


def test_where_less_is_better_a_rise_is_a_loss(opened, runs):
    """The number is the change as it is; colour and words say that it is worse."""
    ws = runs[0]
    long, short = (
        ws.evals.run(task, "dogs", ["length"], name=name, progress=False)
        for name, task in (("long", lambda question: baseline(question) + " Woof."), ("short", baseline))
    )
    s = opened(long, short, scorer="length")
    cell = s.page.locator("[data-case=e00] .lm-k-change")
    assert (cell.inner_text().strip(), cell.get_attribute("aria-label")) == ("+1.00", "+1.00, worse")
    assert s.page.locator(".lm-pass").inner_text() == "pass \u2264"
    assert s.page.get_by_label("only flips").is_disabled()


def test_words_are_found_in_id_and_input(opened):
    """Where nothing is found in answers, a click looks there; the list says when nothing is left."""
    s = opened()
    s.press("/")
    s.page.keyboard.type("number 3")
    s.page.get_by_role("button", name="in ids and inputs").click()
    total(s, 13)
    assert s.page.locator(".lm-chip").all_inner_texts() == ["\u201cnumber 3\u201d in inputs"]
    s.page.get_by_label("where to find it").focus()
    s.page.get_by_label("where to find it").select_option("text")
    assert s.page.locator(".lm-search").input_value() == "number 3"
    s.page.keyboard.type("xyz")
    s.page.wait_for_selector(".lm-root[data-total='0']")
    s.page.get_by_role("button", name="clear the filters").click()
    total(s, 40)
    assert s.page.locator(".lm-search").input_value() == ""


def test_words_are_found_in_answers_and_are_a_chip(opened):
    """/ goes to the field, Enter makes a chip of the words and goes back to the list; in the case they are marked."""
    s = opened()
    s.press("/")
    s.page.keyboard.type("may NEVER")
    total(s, 10)
    s.press("Enter", "j", "Enter")
    s.page.wait_for_selector(".lm-case[data-case=e00]")
    assert s.page.locator("[data-side=judged] .lm-output mark").all_inner_texts() == ["may", "never"]
    assert s.page.locator(".lm-search").input_value() == ""
    s.page.get_by_label("remove \u201cmay NEVER\u201d in answers").click()
    total(s, 40)


def test_what_one_run_alone_has_scored_stands_in_red(opened):
    """In the list, below the verdict and on the tab; a click shows it with the regressions."""
    s = opened()
    row = s.page.locator(f"[data-case={FAILED}] .lm-k-change.lm-worse")
    assert (row.inner_text().strip(), row.get_attribute("aria-label")) == ("gone", "no change known, no longer scored")
    line = s.page.locator(".lm-alone").first
    assert line.inner_text() == "1 no longer scored"
    assert s.page.locator(".lm-tab.lm-on").inner_text().split("\n") == ["exact_match", "0.90 \u2192 0.74", "+1"]
    line.click()
    total(s, 11)


@pytest.mark.parametrize("width", [390, 900])
def test_on_a_narrow_page_it_stacks_and_everything_is_reachable(opened, width):
    """The list above, the rest below it; no control and no number stands outside, neither closed nor with a case open."""
    s = opened(width=width, height=640)
    s.quiet()
    outside = """() => { const edge = document.querySelector('.lm-root').getBoundingClientRect(), all = [];
      for (const el of document.querySelectorAll('.lm-root :is(button, input, select, .lm-k-change)')) {
        const box = el.getBoundingClientRect();
        if (box.width && !el.closest('[hidden]') && (box.left < edge.left || box.right > edge.right + 0.5)) all.push(el.outerHTML); }
      return all; }"""
    assert s.page.evaluate(outside) == []
    boxes = [s.page.locator(part).bounding_box() for part in (".lm-list", ".lm-side", ".lm-foot")]
    assert boxes[0]["y"] + boxes[0]["height"] <= boxes[1]["y"] + 1
    assert boxes[1]["y"] + boxes[1]["height"] <= boxes[2]["y"] + 1
    s.press("j", "Enter")
    s.page.wait_for_selector(f".lm-case[data-case={FAILED}]")
    assert s.page.evaluate(outside) == []


def test_two_views_show_the_same(opened):
    """Filter, scorer, cursor and marks of one view are those of the other; a new view starts there."""
    s = opened()
    s.page.evaluate("() => { window.second = window.mount('there'); }")
    s.page.wait_for_selector("#there .lm-root[data-state=ready]")
    s.press("f", "j", " ")
    s.page.wait_for_selector("#there .lm-root[data-total='14'][data-selected=e00]")
    s.page.wait_for_selector("#there .lm-row.lm-marked[data-case=e00]")
    s.page.evaluate("() => { window.second(); window.third = window.mount('again'); }")
    s.page.wait_for_selector("#again .lm-root[data-total='14'][data-selected=e00]")
    s.page.wait_for_selector("#again .lm-row.lm-marked")


def test_a_view_that_was_scrolled_away_comes_back_as_it_was(opened):
    """JupyterLab takes it from the page; the case that was open is open again."""
    s = opened()
    s.press("j", "j", "j", "Enter")
    s.page.wait_for_selector(".lm-case[data-case=e04]")
    s.until(lambda: s.controller.cursor == "e04")
    s.page.evaluate("() => { window.cleanup(); window.cleanup = window.mount('here'); }")
    s.page.wait_for_selector(".lm-case[data-case=e04]")


def test_python_changes_what_is_shown(opened):
    """The filter set in a later cell."""
    s = opened()
    s.controller.where = {"flips": True, "slice": {"language": "en"}}
    total(s, 4)
    assert s.page.locator(".lm-chip").all_inner_texts() == ["language = en"]


def test_a_dead_kernel_is_said_and_what_is_there_can_be_read(opened):
    """The grid stays."""
    s = opened()
    s.quiet()
    s.page.evaluate("window.isDead = true")
    s.press("r")
    s.page.wait_for_selector(".lm-root[data-state=dead]")
    assert len(shown(s)) > 10


def test_keys_are_kept_from_the_notebook_but_ctrl_s(opened):
    """The attribute is on for plain keys, off for those with Ctrl; ? lists the keys, Escape gives the focus back."""
    s = opened()
    attribute = "() => document.activeElement.hasAttribute('data-lm-suppress-shortcuts')"
    s.press("j")
    assert s.page.evaluate(attribute)
    s.press("Control+s")
    assert not s.page.evaluate(attribute)
    s.press("?")
    assert "only regressions" in s.page.locator(".lm-help").inner_text()
    s.press("Escape", "Escape")
    assert s.page.evaluate("() => document.activeElement.className") == "jp-Cell"


def test_one_run_alone(opened, runs):
    """No change, no toggles; the answer is compared with what was expected."""
    s = opened(runs[1])
    assert s.page.get_by_role("grid").get_by_role("columnheader").count() == 4
    assert not s.page.get_by_label("only flips").is_visible()
    s.press("r")
    assert "one run only" in s.data("said")
    s.press("j", "Enter")
    s.page.wait_for_selector(".lm-answer[data-side=run] ins")
    assert s.page.locator(".lm-answer").count() == 1


def test_of_more_runs_any_two_are_chosen(opened, runs):
    """The same run on both sides is a turn."""
    ws, new, old = runs
    third = ws.evals.run(baseline, "dogs", ["exact_match"], name="third", progress=False)
    s = opened(new, old, third)
    assert s.page.get_by_role("grid").get_by_role("columnheader").count() == 7
    s.press("Enter")
    s.until(lambda: s.page.get_by_role("grid").get_by_role("columnheader").count() == 6)
    s.press("Escape")
    s.page.get_by_label("judged").select_option("2")
    s.page.wait_for_selector("button:has-text('0 lost, 0 gained')")
    s.page.get_by_label("judged").select_option("1")
    s.until(lambda: (s.controller.filter.a, s.controller.filter.b) == (1, 2))


def test_twenty_thousand_cases_keep_few_rows_on_the_page(stage, runs):
    """The end is one key away; rows come in windows of a hundred, and only those on screen are elements."""
    import numpy as np

    from lmops.evals.boards import Board, ScorerFacts, facts
    from lmops.widgets.evals.controller import EvalExplorerController

    ws, new, old = runs
    n, source = 20_000, ws.evals._explorer([new, old])._source
    scores = np.random.default_rng(0).random((n, 2))
    board = Board(
        runs=facts([new, old]),
        scorers=(ScorerFacts("f1", 0, 1, True),),
        ids=tuple(f"case-{i:05}" for i in range(n)),
        scores={"f1": scores},
        states={"f1": np.zeros((n, 2), dtype=np.int8)},
    )

    class Large:
        def __init__(self):
            self.examples, self.runs, self.compare = {}, source.runs, source.compare

        def board(self):
            return board

    s = stage(EvalExplorerController(Large()), name="evals/explorer")
    s.root.focus()
    s.press("G")
    s.page.wait_for_selector(".lm-row.lm-cursor[data-index='19999']:not(.lm-loading)")
    assert s.page.locator(".lm-row").count() < 60
    windows = [one for one in s.messages if one["kind"] == "window"]
    assert len(windows) <= 4
    assert all(one["count"] == 100 for one in windows)


def test_what_people_would_find_stands_below_a_judge(stage, ws):
    """Its words are text, whatever they hold; alone and in a comparison."""
    said = truth(40, rate=0.7, seed=1)
    new, old = judged(ws, said, "new"), judged(ws, truth(40, rate=0.5, seed=2), "old")
    s = stage(ws.evals._explorer([new, old]), name="evals/explorer")
    line = s.page.locator(".lm-of-people")
    line.wait_for()
    assert line.inner_text() == "not corrected: uncalibrated: it has no calibration"
    assert "the judge polite is uncalibrated" in s.page.locator(".lm-caveat").inner_text()
    calibrated(ws)
    s = stage(ws.evals._explorer([new]), name="evals/explorer")
    s.page.locator(".lm-of-people", has_text="by calibration 1").wait_for()
    assert s.page.locator(".lm-caveat").count() == 0
