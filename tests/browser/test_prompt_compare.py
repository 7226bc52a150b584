"""The comparison of prompt versions in Chromium, with a fake model."""

# ruff: noqa: E501 - scripts of the page stand on one line

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.widgets.prompt_samples import saved


@pytest.fixture
def ws():
    """A workspace with the sample prompt and no traces."""
    import lmops

    with lmops.open(":memory:", actor="ada") as found:
        yield saved(found)


def comparison(ws, outputs=30):
    """Measures as traffic would give them, and outputs of which every third differs."""
    import pandas as pd

    from lmops.prompts import Prompts
    from lmops.prompts.comparisons import Answers, Measure, Value

    latency = Measure(
        "latency_p50_ms",
        "latency p50",
        "ms",
        (Value(800.0, 760.0, 850.0, 400), Value(1240.0, 1180.0, 1300.0, 380)),
        (None, Value(440.0, 360.0, 520.0, 380)),
    )
    cost = Measure("cost_usd", "cost per query", "usd", (Value(0.0012, 0.0011, 0.0013, 398, 2), Value(0.0012, 0.0011, 0.0013, 380)),
                   (None, Value(0.0, -0.0001, 0.0001, 380)))  # fmt: skip  # arguments that belong together share a line
    down = Measure("thumbs_down_rate", "thumbs down", "rate", (Value(None, None, None, 0, 400), Value(0.125, 0.06, 0.24, 40, 340)),
                   (None, Value(None, None, None, 0)))  # fmt: skip  # arguments that belong together share a line
    frame = pd.DataFrame({
        "example_id": [f"q{i:03}" for i in range(outputs)], "input": ['{"question": "My dog?"}'] * outputs,
        "support-answer@2": ["Dogs travel free."] * outputs,
        "support-answer@3": ["Dogs travel for 10 euro." if i % 3 == 0 else "Dogs travel free." for i in range(outputs)],
    })  # fmt: skip  # arguments that belong together share a line
    answers = Answers(
        outputs=frame, runs=("run-aa", "run-bb"), asked=("standin:ferry-1, temperature 0.2",) * 2, dataset="golden@1"
    )
    found = Prompts.compare(ws.prompts, "support-answer", [2, 3])
    return replace(
        found,
        measures=(latency, cost, down),
        traces=(400, 380),
        sessions=(210, 190),
        caveats=("the versions ran at different times",),
        answers=answers if outputs else None,
    )


def opened(stage, ws, **options):
    """The comparison on a page."""
    from lmops.widgets.prompts.compare_controller import PromptCompareController

    controller = PromptCompareController(ws.prompts, comparison(ws, options.pop("outputs", 30)))
    return stage(controller, name="prompts/compare", **options)


def test_each_measure_has_interval_n_and_difference(stage, ws):
    """What is told apart from none is coloured and signed; what was not measured says so."""
    s = opened(stage, ws)
    latency = s.page.locator("[data-measure=latency_p50_ms] td")
    assert latency.first.locator("b").inner_text() == "800 ms"
    assert latency.first.locator(".lm-interval").inner_text() == "760 ms \u2013 850 ms"
    assert latency.last.locator(".lm-gap-said.lm-s-error").inner_text() == "+440 ms (+360 ms to +520 ms)"
    cost = s.page.locator("[data-measure=cost_usd] td")
    assert "n 398 of 400" in cost.first.inner_text()
    assert cost.last.locator(".lm-s-error, .lm-s-ok").count() == 0
    down = s.page.locator("[data-measure=thumbs_down_rate] td")
    assert "not measured" in down.first.inner_text()
    assert down.last.locator("b").inner_text() == "12.5 %"
    assert "different times" in s.page.locator(".lm-caveat").inner_text()
    assert not s.page_errors


def test_outputs_of_the_same_inputs_stand_side_by_side(stage, ws):
    """n and p go through those that differ, d leaves out the others, new words are marked."""
    s = opened(stage, ws)
    s.root.focus()
    s.press("n")
    s.page.wait_for_selector(".lm-current[data-place='0'] ins")
    assert s.page.locator(".lm-current ins").all_inner_texts() == ["for 10 euro"]
    s.press("n")
    s.page.wait_for_selector(".lm-current[data-place='3'][data-filled]")
    s.press("p", "p")
    assert "first one" in s.data("said")
    s.press("d")
    assert s.page.locator(".lm-output-row").count() == 10
    s.press("m")
    assert s.page.locator(".lm-unmarked").count() == 1


def test_without_an_evaluation_there_are_no_outputs(stage, ws):
    """The part is not shown, and the foot says why."""
    s = opened(stage, ws, outputs=0)
    assert not s.page.locator(".lm-outputs-head").is_visible()
    assert "no runs of all of them" in s.page.locator(".lm-summary-line").inner_text()


def test_a_version_is_promoted_from_its_column(stage, ws):
    """The form shows the plan; both views show where the alias is afterwards."""
    s = opened(stage, ws)
    s.page.evaluate("() => { window.second = window.mount('there'); }")
    s.page.wait_for_selector("#there .lm-root[data-state=ready]")
    s.page.locator("#here").get_by_label("promote v2").click()
    s.page.locator("#here .lm-move [name=reason]").fill("cheaper")
    s.page.wait_for_selector("#here .lm-plan:has-text('3 → 2')")
    s.page.locator("#here .lm-move .lm-main-button:enabled").click()
    s.page.wait_for_selector("#there [data-version='2'] .lm-alias")
    assert ws.prompts.aliases("support-answer") == {"production": 2}


def test_a_dead_kernel_is_said(stage, ws):
    """The table stays."""
    s = opened(stage, ws)
    s.quiet()
    s.page.evaluate("window.isDead = true")
    s.page.get_by_label("copy as text").click()
    s.page.wait_for_selector(".lm-root[data-state=dead]")
    assert s.page.locator("[data-measure]").count() == 3


def test_run_and_model_stand_above_each_column_and_silence_is_counted_apart(stage, ws):
    """An input that one version did not answer is neither alike nor different."""
    from lmops.widgets.prompts.compare_controller import PromptCompareController

    found = comparison(ws)
    found.answers.outputs.loc[0, "support-answer@3"] = None
    s = stage(PromptCompareController(ws.prompts, found), name="prompts/compare")
    heads = s.page.locator(".lm-asked-of").all_inner_texts()
    assert [one.split("\n")[:2] for one in heads] == [
        ["v2 run-aa", "standin:ferry-1, temperature 0.2"],
        ["v3 run-bb", "standin:ferry-1, temperature 0.2"],
    ]
    assert "1 without an answer" in heads[1]
    assert "9 of 29 inputs answered differently" in s.page.locator(".lm-summary-line").inner_text()
    s.page.locator(".lm-output-row[data-place='0']").scroll_into_view_if_needed()
    s.page.wait_for_selector("[data-place='0'] .lm-silent:has-text('no answer')")


def test_on_a_telephone_answers_stand_below_each_other(stage, ws):
    """No control stands outside, and each answer says of which version it is."""
    s = opened(stage, ws, width=390)
    s.root.focus()
    s.press("n")
    s.page.wait_for_selector(".lm-current[data-place='0'] ins")
    outside = """() => { const edge = document.querySelector('.lm-root').getBoundingClientRect().right;
      return [...document.querySelectorAll('.lm-root :is(button, td, .lm-output)')].filter((el) => el.getBoundingClientRect().right > edge + 0.5).map((el) => el.outerHTML); }"""
    assert s.page.evaluate(outside) == []
    first, second = (s.page.locator(".lm-current .lm-output").nth(i).bounding_box() for i in (0, 1))
    assert first["y"] + first["height"] <= second["y"] + 1


def test_a_telephone_shows_the_answers_that_a_key_asked_for(stage, ws):
    """The heads scroll away, and only the answers that differ come into sight."""
    s = opened(stage, ws, width=390)
    s.root.focus()
    s.press("d")
    s.page.wait_for_selector(".lm-output-row[data-place='3'][data-filled]")
    in_sight = "el => { const at = el.getBoundingClientRect().top; return at > 0 && at < 500; }"
    assert s.page.locator(".lm-outputs-head").evaluate(in_sight)
    assert s.page.locator(".lm-compare-heads").evaluate("el => getComputedStyle(el).position") == "static"
