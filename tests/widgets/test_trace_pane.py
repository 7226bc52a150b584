"""What the pane of a trace is told: the answer first, pictures, who called whom, what differs from another trace."""

from __future__ import annotations

import json

import pytest

from lmops.traces import Trace
from lmops.traces.media import LONGEST
from lmops.widgets.traces import detail

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
FIRST, SECOND = f"{1:032x}", f"{2:032x}"


def ask(controller, kind, **message):
    (answer,) = controller.handle({"kind": kind, "id": "1", **message})
    return answer


def test_the_first_span_has_the_question_the_tools_and_the_answer(controller):
    """The root says what the whole trace came to, each text once."""
    browser = controller(2)
    assert ask(browser, "trace", trace_id=FIRST)["head"]["first"] == 0
    span = ask(browser, "span", trace_id=FIRST, index=0)["span"]
    found = span["exchange"]
    assert (found["question"], found["answer"]) == ("How do I take my dog? (0)", "Book a pet cabin.")
    assert [(one["name"], one["result"], one["index"]) for one in found["tools"]] == [("lookup", '{"cabins": 4}', 3)]
    assert (found["has_own"], span["input"], span["output"]) == (False, [], [])
    assert ask(browser, "span", trace_id=FIRST, index=2)["span"]["exchange"] is None


def test_a_trace_that_failed_opens_where_it_failed(controller):
    """It has no answer to begin with; one that was answered although a step failed begins with the answer."""
    browser = controller(4)
    assert ask(browser, "trace", trace_id=f"{4:032x}")["head"]["first"] == 3


def test_a_step_that_failed_on_the_way_is_no_reason_to_hide_the_answer(conversation):
    """The alert above names it."""
    rows = conversation(0)
    rows[3] |= {"status": "error", "error_type": "TimeoutError"}
    head = detail.head(Trace.from_rows(rows))
    assert (head["first"], head["error"]["type"]) == (0, "TimeoutError")


def test_what_a_framework_keeps_as_json_is_shown_beside_the_words(conversation):
    """The words are those of the model call; the state of the root is there as well."""
    rows = conversation(0)
    rows[0] |= {"input": '{"messages": ["dog"]}', "output": '{"done": true}'}
    span = detail.span(Trace.from_rows(rows).root, 0)
    assert (span["exchange"]["question"], span["exchange"]["has_own"]) == ("How do I take my dog? (0)", True)
    assert span["output"][0]["content"] == '{"done": true}'


def with_pictures(conversation, *data):
    """A trace of which the model call was given pictures."""
    rows = conversation(0)
    parts = [{"type": "blob", "mime_type": "image/png", "content": one} for one in data]
    messages = json.dumps([{"role": "user", "parts": parts}])
    rows[2]["attributes"] = json.dumps({"gen_ai.input.messages": messages})
    return rows


def test_pictures_come_from_the_trace_when_they_are_asked_for(controller, traffic, conversation):
    """The span and the root name them; the data come one at a time."""
    store = traffic(0)
    store.load(spans=with_pictures(conversation, PNG))
    browser = controller(store=store)
    for index in (0, 2):
        (fact,) = ask(browser, "span", trace_id=FIRST, index=index)["span"]["media"]
        assert (fact["kind"], fact["mime"], fact["is_answer"], fact["is_shown"]) == ("image", "image/png", False, True)
    medium = ask(browser, "medium", trace_id=FIRST, index=2, medium=0)
    assert (medium["mime"], medium["data"]) == ("image/png", PNG)
    assert ask(browser, "medium", trace_id=FIRST, index=1, medium=0)["kind"] == "error"


def test_a_picture_that_is_too_large_is_named_and_not_sent(controller, traffic, conversation):
    """Jupyter's server cuts off what sends more."""
    store = traffic(0)
    store.load(spans=with_pictures(conversation, "A" * (LONGEST + 4)))
    browser = controller(store=store)
    (fact,) = ask(browser, "span", trace_id=FIRST, index=2)["span"]["media"]
    assert fact["is_shown"] is False
    assert "too large" in ask(browser, "medium", trace_id=FIRST, index=2, medium=0)["message"]


def test_the_graph_leads_to_spans(controller):
    """Each edge names the place of its first span in the tree."""
    found = ask(controller(1), "graph", trace_id=FIRST)
    assert found["root"] == {"kind": "chain", "name": "booking", "index": 0}
    assert [edge[2:6] + edge[8:] for edge in found["edges"]] == [
        ["retriever", "search", 1, 0, 1],
        ["llm", "gpt-5", 1, 0, 2],
        ["tool", "lookup", 1, 0, 3],
    ]
    assert found["edges"][0][7] is None


def test_a_difference_has_rows_and_the_words_of_one(controller):
    """Sums and answers come first, the words of a span when it is opened."""
    browser = controller(4)
    found = ask(browser, "diff", left=FIRST, trace_id=SECOND)
    assert found["summary"].endswith("the same")
    assert [name for name, *_ in found["measures"]] == ["latency", "tokens in", "tokens out", "cost"]
    assert found["measures"][1][1:] == [500, 501, 1]
    assert [row["place"] for row in found["rows"]] == [0, 1, 2, 3]
    words = ask(browser, "diff_words", left=FIRST, trace_id=SECOND, index=2)
    assert ["model", "gpt-5", "gpt-5-mini"] in words["facts"]
    assert [name for name, _ in words["texts"]] == ["input"]
    assert ["+", "Refund for booking 4711, please (1"] in words["texts"][0][1]


def test_a_difference_is_bounded(span_row):
    """A page never gets a gigabyte, and is told how many rows there are."""
    from lmops.traces.diffs import diff

    def long(side):
        spans = [span_row(side * 32, f"{n:016x}", parent_span_id=f"{0:016x}" if n else None) for n in range(2_500)]
        spans[0] |= {"input": f"{side} " * 400_000, "output": f"{side} " * 400_000}
        return Trace.from_rows(spans)

    found = diff(long("a"), long("b"))
    message = detail.difference(found)
    assert (message["total"], len(message["rows"])) == (2_500, 2_000)
    assert len(json.dumps(message)) < 1_500_000
    assert len(json.dumps(detail.pair_words(found.pairs[0]))) < 400_000


@pytest.mark.parametrize(
    "message",
    [
        {"kind": "diff", "left": "../etc", "trace_id": FIRST},
        {"kind": "diff", "trace_id": FIRST},
        {"kind": "diff_words", "left": FIRST, "trace_id": SECOND, "index": 99},
        {"kind": "graph", "trace_id": "9" * 32},
        {"kind": "medium", "trace_id": FIRST, "index": 0, "medium": 0},
    ],
)
def test_a_message_of_the_pane_that_is_no_good_is_answered_with_an_error(controller, message):
    """Every parameter is checked."""
    (answer,) = controller(2).handle({"id": "1", **message})
    assert answer["kind"] == "error"
    assert answer["message"]
