"""A call of a model, read back from its span."""

from __future__ import annotations

import json

import pytest

from lmops.errors import UsageError
from lmops.prompts.calls import literal, recovered
from lmops.prompts.rendering import render

SENT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Sources: a: b\n\nQuestion: why?"}]


@pytest.mark.parametrize("text", ["", "{{ x }} {% if %} {# no #}", "a { { b }}", "{{{{", "{%- raw %}'\"\\", "{{'"])
def test_any_text_has_a_template(text):
    """It renders to the text, and to nothing else."""
    assert render([{"role": "user", "content": literal(text) + "."}], {})[0]["content"] == text + "."


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("Sources: {{ sources }}\n\nQuestion: {{question}}", {"sources": "a: b", "question": "why?"}),
        ("Sources: {{ a }}{{ b }}", None),
        ("Sources: {{ a | upper }}", None),
        ("{{ a }} {% if a %}{% endif %}", None),
        ("Questions: {{ a }}", None),
        ("Sources: {{ a }}: b\n\nQuestion: {{ a }}?", None),
    ],
)
def test_variables_are_read_out_of_what_was_sent(template, found):
    """Where the template holds nothing else, and gives exactly that."""
    templates = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": template}]
    assert recovered(templates, SENT) == found
    if found:
        assert render(templates, found) == SENT


def call_rows(**more):
    """A trace with one call of a model."""
    from tests.store.helpers import span

    attributes = {"gen_ai.request.temperature": 0.2, "gen_ai.request.max_tokens": 60, "gen_ai.request.seed": 7}
    return [
        span(
            "a1",
            "b1",
            kind="llm",
            model="ferry-1",
            provider="standin",
            attributes=json.dumps(attributes),
            input=json.dumps([*SENT, {"role": "tool", "content": "{{ no template }}"}]),
            **more,
        )
    ]


def test_a_call_opens_in_the_playground(ws):
    """By its span or its trace: messages, model and parameters; what templates cannot say stands as text."""
    ws.store.load(spans=call_rows())
    (span,) = ws.traces.get(call_rows()[0]["trace_id"]).spans
    for asked in (span, span.row["span_id"], span.row["trace_id"]):
        state = ws.prompts.playground(span=asked)._controller.state("hello")
        assert json.loads(state["draft"]["params"]) == {"temperature": 0.2, "max_tokens": 60, "seed": 7}
        assert [column["model"] for column in state["columns"]] == ["standin:ferry-1"]
        assert state["draft"]["messages"][1] == ["user", SENT[1]["content"]]
        assert state["draft"]["messages"][2] == ["user", "{{ '{{' }} no template }}"]


def test_the_version_that_made_a_call_stands_beside_it(ws):
    """With what it was rendered with."""
    ws.prompts.save("ask", [SENT[0], {"role": "user", "content": "Sources: {{ sources }}\n\nQuestion: {{ question }}"}])
    ws.store.load(spans=call_rows(prompt_name="ask", prompt_version="1"))
    state = ws.prompts.playground(span=call_rows()[0]["trace_id"])._controller.state("hello")
    assert [column["version"] for column in state["columns"]] == [1, None]
    assert state["inputs"][0]["values"] == {"sources": "a: b", "question": "why?"}
    assert state["of_inputs"] == "of this call"


def test_only_calls_are_tried_again(ws):
    """A span of another kind, or nothing at all, is refused in words."""
    from tests.store.helpers import span

    row = span("a1", "b1", kind="tool")
    ws.store.load(spans=[row])
    for asked, words in (
        (row["span_id"], "is a tool"),
        (row["trace_id"], "has no call"),
        (None, "give the name"),
    ):
        with pytest.raises(UsageError, match=words):
            ws.prompts.playground(span=asked)
