"""The prompt diff in Chromium, with a fake model."""

from __future__ import annotations

import pytest

from tests.widgets.prompt_samples import saved


@pytest.fixture
def ws():
    """A workspace with the sample prompt."""
    import lmops

    with lmops.open(":memory:", actor="ada") as found:
        yield saved(found)


def opened(stage, ws, left=2, right=3, **options):
    """The diff of two versions on a page."""
    from lmops.prompts import Prompts
    from lmops.widgets.prompts.diff_controller import PromptDiffController

    name = options.pop("prompt", "support-answer")
    controller = PromptDiffController(ws.prompts, Prompts.diff(ws.prompts, name, left, right))
    found = stage(controller, name="prompts/diff", **options)
    if controller.diff.messages and not controller.diff.is_empty:
        found.page.wait_for_selector(".lm-diff-section[data-filled]")
    return found


def test_words_signs_numbers_and_settings_are_shown(stage, ws):
    """Side by side, old left and new right, with what changed beside the text."""
    s = opened(stage, ws)
    first = s.page.locator(".lm-diff-row").first
    assert first.locator("del").all_inner_texts() == ["help desk assistant"]
    assert first.locator("ins").all_inner_texts() == ["warm and helpful voice"]
    assert first.locator(".lm-diff-sign").all_inner_texts() == ["\u2212", "+"]
    assert s.page.locator(".lm-setting").all_inner_texts()[0].split() == ["~", "params.temperature", "0.2", "0.7"]
    assert s.page.locator(".lm-diff-vars .lm-var").all_inner_texts() == ["sources", "question"]
    assert s.page.locator(".lm-alias").all_inner_texts() == ["production"]
    assert not s.page_errors


def test_n_and_p_jump_between_differences(stage, ws):
    """The settings first, then each place in the text; at the ends it says so."""
    s = opened(stage, ws)
    s.root.focus()
    s.press("n")
    assert s.page.locator(".lm-diff-settings.lm-current").count() == 1
    s.press("n")
    s.page.wait_for_selector(".lm-diff-row.lm-current")
    assert s.data("stop") == "2"
    s.press("n")
    assert "last difference" in s.data("said")
    s.press("p", "p")
    assert "first difference" in s.data("said")
    assert s.data("stop") == "1"


def test_inline_shows_one_column_with_both_numbers(stage, ws):
    """A changed line is a line that went and one that came."""
    s = opened(stage, ws)
    s.root.focus()
    s.press("s")
    s.page.wait_for_selector(".lm-inline .lm-diff-row")
    kinds = s.page.locator(".lm-diff-row").evaluate_all("rows => rows.slice(0, 2).map((row) => row.dataset.kind)")
    assert kinds == ["removed", "added"]
    assert s.page.locator(".lm-diff-row").first.locator(".lm-diff-number").all_inner_texts() == ["1", ""]
    assert s.data("mode") == "inline"


def test_other_versions_can_be_chosen_and_two_views_agree(stage, ws):
    """Both views show what one of them chose; Python knows."""
    s = opened(stage, ws)
    s.page.evaluate("() => { window.second = window.mount('there'); }")
    s.page.wait_for_selector("#there .lm-root[data-state=ready]")
    s.page.locator("#here .lm-select").first.select_option("1")
    s.page.wait_for_selector("#there .lm-root[data-left='1']")
    assert s.controller.diff.title == "support-answer@1 → support-answer@3"
    s.controller.show(3, 3)
    s.page.wait_for_selector("#here .lm-empty:not([hidden])")
    assert "same version" in s.page.locator("#here .lm-empty").inner_text()


def test_promote_and_roll_back_show_a_plan_first(stage, ws):
    """Nothing moves before the button; a rollback needs a reason; every view sees the move."""
    s = opened(stage, ws)
    s.page.get_by_label("roll back").click()
    s.page.wait_for_selector(".lm-plan:has-text('3 → 2')")
    go = s.page.locator(".lm-move .lm-main-button")
    assert go.is_disabled()
    s.page.locator(".lm-move [name=reason]").fill("answers were invented")
    s.page.wait_for_selector(".lm-move .lm-main-button:enabled")
    assert ws.prompts.aliases("support-answer") == {"production": 3}
    go.click()
    s.page.wait_for_selector(".lm-move[hidden]", state="attached")
    assert ws.prompts.aliases("support-answer") == {"production": 2}
    assert "3 → 2" in s.data("said")
    assert s.page.locator(".lm-diff-head").first.locator(".lm-alias").inner_text() == "production"


def test_a_protected_alias_refuses_and_says_why(stage, ws):
    """Without evidence the button stays closed; force needs a reason."""
    ws.prompts.rollback("support-answer", reason="x")
    ws.prompts.protect("support-answer")
    s = opened(stage, ws)
    s.page.get_by_label("promote").click()
    s.page.wait_for_selector(".lm-plan.lm-s-error:has-text('protected')")
    assert s.page.locator(".lm-move .lm-main-button").is_disabled()
    s.page.locator(".lm-move [name=force]").check()
    s.page.wait_for_selector(".lm-plan.lm-s-error:has-text('reason')")
    s.page.locator(".lm-move [name=reason]").fill("incident 12")
    s.page.wait_for_selector(".lm-plan:has-text('forced')")
    s.press("Enter")
    s.until(lambda: ws.prompts.aliases("support-answer") == {"production": 3})
    assert ws.prompts.history("support-answer")["forced"].tolist()[-1]


def test_somebody_elses_move_is_a_clear_conflict(stage, ws):
    """The alias moved after the form was opened: nothing happens, and the form says what did."""
    s = opened(stage, ws)
    s.page.get_by_label("roll back").click()
    s.page.locator(".lm-move [name=reason]").fill("mine")
    s.page.wait_for_selector(".lm-move .lm-main-button:enabled")
    ws.prompts.rollback("support-answer", reason="theirs")
    s.page.locator(".lm-move .lm-main-button").click()
    s.page.wait_for_selector(".lm-plan.lm-s-error:has-text('Nothing was changed')")
    assert ws.prompts.aliases("support-answer") == {"production": 2}


def test_two_thousand_lines_stay_light_and_the_last_difference_is_one_key_away(stage, ws):
    """Only what is near is drawn; unchanged stretches are folded; the last change is reached from the first."""
    lines = [f"rule {number}: answer question {number} with care" for number in range(2000)]
    ws.prompts.save("long", "\n".join(lines))
    ws.prompts.save("long", "\n".join(line.replace("with care", "with great care") for line in lines))
    few = [line.replace("care", "haste") if number in (3, 1500, 1990) else line for number, line in enumerate(lines)]
    ws.prompts.save("long", "\n".join(few))
    s = opened(stage, ws, 1, 2, prompt="long")
    assert s.page.locator(".lm-diff-row").count() < 500
    s.root.focus()
    s.press("End")
    s.page.wait_for_selector(".lm-diff-row[data-row='1999']")
    s.page.locator(".lm-select").last.select_option("3")
    s.page.wait_for_selector(".lm-diff-fold:has-text('1,490 unchanged lines')")
    s.press("p")
    s.page.wait_for_selector(".lm-current[data-row='1990']")
    assert s.page.locator(".lm-current").evaluate("el => el.getBoundingClientRect().top < innerHeight")
    s.press("u")
    s.page.wait_for_function("() => !document.querySelector('.lm-diff-fold')")
    s.page.wait_for_selector(".lm-current[data-row='1990']")
    s.press("p")
    s.page.wait_for_selector(".lm-current[data-row='1500']")
    assert len([one for one in s.messages if one["kind"] == "rows"]) < 20
    assert not s.page_errors


def test_a_dead_kernel_is_said_and_what_is_there_stays(stage, ws):
    """The rows stay readable, the status line says so."""
    s = opened(stage, ws)
    s.quiet()
    s.page.evaluate("window.isDead = true")
    s.page.locator(".lm-select").first.select_option("1")
    s.page.wait_for_selector(".lm-root[data-state=dead]")
    assert "kernel" in s.data("said")
    assert s.page.locator(".lm-diff-row").count() > 3
    s.root.focus()
    s.press("n", "n")
    s.page.wait_for_selector(".lm-current")


def test_a_kernel_that_restarts_is_said_at_once(stage, ws):
    """Nothing needs to be asked: the model has lost its connection; one that is back is asked again."""
    s = opened(stage, ws)
    s.quiet()
    lost = "() => { for (const one of window.connection) one(); }"
    s.page.evaluate(f"() => {{ window.isDead = true; ({lost})(); }}")
    assert s.data("state") == "dead"
    assert "run the cell again" in s.data("said")
    s.page.evaluate(f"() => {{ window.isDead = false; ({lost})(); }}")
    s.page.wait_for_selector(".lm-root[data-state=ready]")


def test_keys_of_the_widget_do_not_reach_the_notebook_and_escape_gives_back(stage, ws):
    """Help opens and closes; Escape leaves last; Ctrl+S is not ours."""
    s = opened(stage, ws, init="window.keys = []; addEventListener('keydown', (e) => window.keys.push(e.key));")
    s.root.focus()
    s.press("?")
    assert s.page.locator(".lm-help").is_visible()
    s.press("Escape")
    assert not s.page.locator(".lm-help").is_visible()
    s.press("Control+s", "b")
    assert s.page.evaluate("window.keys.filter((key) => key !== 'Control')") == ["s", "b"]
    s.press("Escape")
    assert s.page.evaluate("document.activeElement.className") == "jp-Cell"


def test_a_narrow_page_shows_one_column_unless_two_were_chosen(stage, ws):
    """Every button can still be reached."""
    s = opened(stage, ws, width=600)
    s.page.wait_for_selector(".lm-root[data-mode=inline] .lm-inline .lm-diff-row")
    box = s.page.get_by_label("keys").first.bounding_box()
    assert box["x"] + box["width"] <= 600
    s.root.focus()
    s.press("s")
    s.page.set_viewport_size({"width": 500, "height": 800})
    s.page.wait_for_timeout(200)
    assert s.data("mode") == "side"
