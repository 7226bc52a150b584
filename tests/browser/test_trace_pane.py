"""The pane of a trace in Chromium: the answer first, Markdown and JSON, pictures, the graph, two traces beside each other."""

# ruff: noqa: E501 - scripts of the page stand on one line
from __future__ import annotations

import json

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
ANSWER = """# Dogs

**Dogs** are welcome, see [the rules](javascript:window.__xss=1).

- a *pet* cabin
  - `4` left

| deck | cabins |
|--|--:|
| P | 2 |

![spy](https://tracker.invalid/a.png) <img src=x onerror="window.__xss=1">
"""


def traces(store, span_row, answer=ANSWER, *, spans=30):
    """Two traces of many spans, the second slower and with another answer; a picture in what the model was given."""
    parts = json.dumps([{"role": "user", "parts": [{"type": "blob", "mime_type": "image/png", "content": PNG}]}])
    big = json.dumps({"ids": list(range(1_000)), "nested": {"account": 12345678901234567890}})
    for side, slower in (("a", 1), ("b", 2)):
        text = answer.replace("`4`", "`7`") if side == "b" else answer
        question = json.dumps(
            [{"role": "system", "content": "be kind"}, {"role": "user", "content": "May my dog come? " * 60}]
        )
        rows = [
            span_row(side * 32, "1" * 16, name="ask", kind="agent", latency_ms=1_000.0 * slower, output=text),
            span_row(
                side * 32,
                "2" * 16,
                parent_span_id="1" * 16,
                name="chat",
                kind="llm",
                model="gpt",
                input=question,
                output=json.dumps([{"role": "assistant", "content": text}]),
                input_tokens=10 * slower,
                output_tokens=5,
                attributes=json.dumps({"gen_ai.input.messages": parts}),
            ),
            span_row(
                side * 32,
                "3" * 16,
                parent_span_id="1" * 16,
                name="run",
                kind="tool",
                tool_name="cabins",
                input=big,
                output='{"left": 4}',
                status="error",
                error_type="TimeoutError",
            ),
            *(
                span_row(
                    side * 32,
                    f"{n:016x}",
                    parent_span_id="1" * 16,
                    name=f"step {n}",
                    start_ns=1_760_000_000_500_000_000,
                )
                for n in range(100, 100 + spans)
            ),
        ]
        store.load(spans=rows)


def opened(controller, stage, traffic, span_row, **options):
    """A stage with the first of two traces open."""
    store = traffic(0)
    traces(store, span_row, **options)
    s = stage(controller(store=store), width=1400, height=560)
    s.root.focus()
    s.press("j", "Enter")
    s.page.wait_for_selector(".lm-pane[data-ready=true] .lm-answer")
    s.quiet()
    return s


def test_the_answer_is_above_the_fold_and_reads_as_it_was_meant(controller, stage, traffic, span_row):
    """Tools in a line each, Markdown as elements, links and images as words, the question folded; nothing is fetched."""
    s = opened(controller, stage, traffic, span_row)
    asked = []
    s.page.on("request", lambda request: asked.append(request.url))
    body = s.page.locator(".lm-body").bounding_box()
    for what in (".lm-answer .lm-md-h1", ".lm-role-tool summary", ".lm-asked summary"):
        box = s.page.locator(what).first.bounding_box()
        assert body["y"] <= box["y"] < body["y"] + body["height"] - 10, what
    answer = s.page.locator(".lm-answer")
    assert answer.locator("strong, em, code, li, td").all_inner_texts()[:1] == ["Dogs"]
    assert "the rules (javascript:window.__xss=1)" in answer.inner_text()
    assert "image spy (https://tracker.invalid/a.png) <img src=x" in answer.inner_text()
    assert answer.locator("a, img").count() == 0
    assert s.page.evaluate("() => document.querySelector('.lm-asked').open") is False
    s.press("w")
    assert s.page.evaluate("() => document.querySelector('.lm-asked').open") is True
    s.press("m")
    assert "**Dogs** are welcome" in answer.inner_text()
    shown = s.page.locator(".lm-picture img")
    shown.wait_for()
    assert shown.get_attribute("src") == f"data:image/png;base64,{PNG}"
    assert [url for url in asked if not url.startswith(("data:", "blob:"))] == []
    assert s.page.evaluate("() => window.__xss") is None
    assert not s.page_errors


def test_json_folds_and_keeps_every_digit(controller, stage, traffic, span_row):
    """Members are drawn when they are opened, a hundred at a time; a search into them shows them as text."""
    s = opened(controller, stage, traffic, span_row)
    s.press("j", "j")
    s.page.wait_for_selector(".lm-body[data-index='2']")
    s.press("w")
    tree = s.page.locator(".lm-asked .lm-json")
    tree.wait_for()
    assert tree.locator(".lm-json-line").count() == 0
    lines = tree.locator(".lm-json-line")
    tree.locator("summary", has_text="nested").click()
    tree.get_by_text("account: 12345678901234567890").wait_for()
    tree.locator("summary", has_text="ids").click()
    lines.nth(100).wait_for()
    assert lines.count() == 101
    tree.get_by_text("100 more of 1,000").click()
    lines.nth(200).wait_for()
    assert lines.count() == 201
    s.page.locator(".lm-find").fill("12345678901234567890")
    s.page.wait_for_selector(".lm-asked mark")
    assert '"account": 12345678901234567890' in s.page.locator(".lm-asked pre").inner_text()
    assert not s.page_errors


def test_two_traces_share_one_axis_and_say_what_differs(controller, stage, traffic, span_row):
    """The slower one is twice as long; the change stands beside each number; d shows spans side by side, Enter their words."""
    s = opened(controller, stage, traffic, span_row)
    s.press("p", "]")
    s.page.wait_for_selector(".lm-pane:not(.lm-pinned) .lm-change")
    widths = s.page.evaluate(
        "() => [...document.querySelectorAll('.lm-span-row[data-index=\"0\"] .lm-lane i')].map((bar) => bar.style.width)"
    )
    assert sorted(widths) == ["100%", "50%"]
    assert s.page.locator(".lm-pinned .lm-change").count() == 0
    changes = s.page.locator(".lm-pane:not(.lm-pinned) .lm-change").all_inner_texts()
    assert {one[0] for one in changes} <= {"+", "-"}
    assert len(changes) == 2
    s.press("d")
    s.page.wait_for_selector(".lm-pair.lm-cursor")
    assert s.page.locator(".lm-pair-answer ins, .lm-pair-answer del").count() == 2
    s.press("j", "Enter")
    s.page.wait_for_selector(".lm-pair.lm-cursor .lm-words ins")
    s.press("d")
    s.page.wait_for_selector(".lm-pane:not(.lm-pinned) .lm-answer")
    s.press("p")
    s.page.wait_for_function("() => document.querySelectorAll('.lm-pane, .lm-change').length === 1")
    assert not s.page_errors


def test_the_graph_is_walked_by_keys(controller, stage, traffic, span_row):
    """n opens it, arrows go from place to place, Enter shows the first span, n shuts it; each place has a name."""
    s = opened(controller, stage, traffic, span_row)
    s.press("n")
    s.page.wait_for_selector(".lm-graph:focus .lm-node.lm-cursor")
    names = s.page.locator(".lm-node").evaluate_all("(all) => all.map((one) => one.getAttribute('aria-label'))")
    assert names == ["agent ask, begins here", "llm gpt, 1 call, 100 ms", "tool cabins, 1 call, 1 error, 100 ms"]
    assert s.page.locator(".lm-link.lm-failed").count() == 1
    s.press("ArrowRight", "ArrowDown", "Enter")
    s.page.wait_for_selector(".lm-body[data-index='2']")
    active = s.page.locator(".lm-graph").get_attribute("aria-activedescendant")
    assert s.page.locator(f"#{active}").get_attribute("data-kind") == "tool"
    s.press("n")
    s.page.wait_for_selector(".lm-tree:focus")
    assert s.page.locator(".lm-graph").is_hidden()
    assert not s.page_errors


def test_hostile_sizes_are_shown_and_bounded(controller, stage, traffic, span_row):
    """Ten thousand brackets in each other, and a megabyte of text that looks like Markdown."""
    hostile = "[" * 10_000 + "]" * 10_000 + "\n\n" + "> " * 2_000 + "*a [b](" * 140_000
    s = opened(controller, stage, traffic, span_row, answer=hostile)
    s.page.wait_for_selector(".lm-body p.lm-note:has-text('more characters')")
    assert s.page.locator(".lm-answer").inner_text().startswith("[[[[")
    s.press("G")
    s.page.wait_for_selector(".lm-body[data-index='32']")
    assert not s.page_errors


class Opened:
    """A playground as far as the page is told of it."""

    def __init__(self):
        self.widget = type("Widget", (), {"model_id": "m1"})


MANAGER = """() => { window.model.widget_manager = {
  get_model: async (id) => id,
  create_view: async (id) => {
    const el = document.createElement('div');
    el.innerHTML = `<div class="lm-root" tabindex="-1">shows ${id}</div>`;
    return { el, remove: () => { window.removed = id; } };
  },
}; }"""


def test_a_call_is_tried_below_the_browser_or_the_page_says_what_opens_it(controller, stage, traffic, span_row):
    """Once: a second one takes its place; shut, the browser has the focus again. A page without widgets says the call."""
    store = traffic(0)
    traces(store, span_row)
    s = stage(controller(store=store, try_call=lambda _span: Opened()), width=1400, height=560)
    s.root.focus()
    s.press("j", "Enter")
    s.page.wait_for_selector(".lm-pane[data-ready=true] .lm-answer")
    s.press("j")
    attempt = s.page.get_by_role("button", name="try this call")
    attempt.click()
    s.page.get_by_text('in a cell: ws.prompts.playground(span="').wait_for()
    s.page.evaluate(MANAGER)
    for _ in range(2):
        attempt.click()
        s.page.get_by_text("shows m1").wait_for()
        s.quiet()
    assert s.page.locator("[data-lm-below=m1]").count() == 1
    s.page.get_by_role("button", name="close what was opened").click()
    assert s.page.locator("[data-lm-below]").count() == 0
    assert s.page.evaluate(
        "() => [window.removed, document.querySelector('.lm-root').contains(document.activeElement)]"
    ) == [
        "m1",
        True,
    ]
    assert not s.page_errors
