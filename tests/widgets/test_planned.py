"""What adding traces to a dataset would copy: shown, with the places it comes from, before a name is asked for."""

from __future__ import annotations

import json

import pytest

import lmops
from lmops.errors import UsageError
from lmops.widgets.kit.planned import mapping_of


@pytest.fixture
def browser(ws, span_row):
    """The browser of three traces: two of a function with JSON arguments, one without an input."""
    spans = [
        span_row(
            f"{i:032x}",
            "a" * 16,
            input=json.dumps({"question": f"q{i}", "tier": "gold"}),
            session_id=f"s{i}",
            output=json.dumps({"answer": f"a{i}"}),
            service="ferry",
        )
        for i in (1, 2)
    ]
    ws.store.load(spans=[*spans, span_row(f"{3:032x}", "a" * 16, service="ferry")])
    return ws.traces.browse()._controller


@pytest.fixture
def ws():
    """A workspace."""
    with lmops.open(":memory:") as found:
        yield found


def ask(browser, kind, traces, **more):
    """The answer to a message about some of the traces."""
    ids = [f"{i:032x}" for i in traces]
    (answer,) = browser.handle({"kind": kind, "id": "v1:1", "view": "v1", "name": "dataset", "ids": ids, **more})
    return answer


def fields(answer):
    """Name -> place of the fields of a plan."""
    return {name: place for name, place, _, _ in answer["plan"]["fields"]}


def test_traces_show_their_mapping_first(browser):
    """Where each field comes from, and what is left out; the form may ask for other places."""
    answer = ask(browser, "question", (1, 2, 3))
    assert answer["maps"]
    assert answer["plan"]["title"] == "2 examples; 1 left out: no span of it has an input"
    found = fields(answer)
    assert (found["id"], found["input"], found["cluster"]) == ("trace_id", "input", "session_id")


def test_other_places_are_shown_and_then_used(browser, ws):
    """A field of the input and the reference come from where the reader says."""
    said = {"map": "question=input.question, expected=output.answer"}
    found = fields(ask(browser, "plan", (1, 2), **said))
    assert (found["input.question"], found["expected"]) == ("input.question", "output.answer")
    assert ask(browser, "action", (1, 2), value="asked", **said)["kind"] == "done"
    examples = ws.datasets.get("asked").examples
    assert [(one.input, one.expected) for one in examples] == [({"question": "q1"}, "a1"), ({"question": "q2"}, "a2")]


@pytest.mark.parametrize(
    ("traces", "text", "words"),
    [
        ((3,), "", "no span of it has an input"),
        ((1,), "question=input.qestion", "did you mean 'input.question'"),
        ((1,), "question", "give FIELD=PLACE"),
    ],
)
def test_what_cannot_be_added_is_refused_before_a_name_is_asked_for(browser, ws, traces, text, words):
    """In the plan, with what would work; nothing is saved."""
    assert words in ask(browser, "plan", traces, map=text)["plan"]["refused"]
    assert len(ws.datasets.list()) == 0


def test_a_mapping_is_pairs():
    """By blanks or commas; nothing is none."""
    assert mapping_of("a=input.a,  b=output") == {"a": "input.a", "b": "output"}
    assert mapping_of(" ") is None
    with pytest.raises(UsageError, match="FIELD=PLACE"):
        mapping_of("a=")
