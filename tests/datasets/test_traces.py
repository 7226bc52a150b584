"""Traces as examples: input, output, documents, tool calls and labels, once each."""

import json

import pandas as pd
import pytest

from lmops.errors import NotFoundError, UsageError
from tests.store.helpers import START, llm, span

DOCUMENTS = [
    {"id": "pets#1", "score": 2.0, "content": "Dogs are free."},
    {"id": "fares#1", "score": 1.0, "content": "Fares."},
]


def trace(name, *, start=START, question="How many dogs?", session="s1"):
    """Return the spans of one request: root, retriever, reranker, tool, model."""
    root = span(name, "root", start=start, input=question, output="Two [pets]", session_id=session)
    kept = json.dumps([{"id": "pets#1", "score": 0.9}])
    found = span(name, "find", "root", start=start + 1, kind="retriever", documents=json.dumps(DOCUMENTS))
    ranked = span(name, "rank", "root", start=start + 2, kind="reranker", documents=kept)
    tool = span(
        name, "tool", "root", start=start + 3, kind="tool", tool_name="lookup", input='{"a": 1}', output='{"b": 2}'
    )
    messages = json.dumps([{"role": "user", "content": question}])
    return [root, found, ranked, tool, llm(name, "call", "root", start=start + 4, input=messages, output="Two")]


@pytest.fixture
def traced(ws):
    ws.store.append_many({"spans": [*trace("t1"), *trace("t2", question="How much?", session="s2")]})
    return ws


def ids(ws):
    return ws.traces.search(order="start_at asc")["trace_id"].tolist()


def test_an_example_takes_what_the_trace_has(traced):
    """Input, output, documents with what the reranker kept, tool calls, session, link back."""
    version = traced.datasets.add_traces("prod", traced.traces.search("session_id = 's1'"))
    found = version[0]
    assert (found.input, found.output, found.cluster) == ("How many dogs?", "Two [pets]", "s1")
    assert found.trace_id == found.example_id
    assert [(one["id"], one["content"], one["is_kept"]) for one in found.documents] == [
        ("pets#1", "Dogs are free.", True),
        ("fares#1", "Fares.", False),
    ]
    call = {"name": "lookup", "arguments": {"a": 1}, "result": {"b": 2}, "error": None}
    assert found.metadata["tool_calls"] == [call]


def test_the_same_trace_twice_is_one_example(traced):
    """Given as id, as frame or as a trace; the second time nothing is new."""
    first, second = ids(traced)
    traced.datasets.add_traces("prod", [first])
    version = traced.datasets.add_traces("prod", [traced.traces.get(first), traced.traces.get(second), second])
    assert (len(version), version.version) == (2, 2)
    assert traced.datasets.add_traces("prod", traced.traces.search()).report.is_new is False


def test_labels_come_along_and_are_merged(traced):
    """What a person corrected stays; a later label is added."""
    (first, _) = ids(traced)
    traced.datasets.add_traces("prod", [first], labels={first: {"thumb": "down"}}, split="dev", tags=["seen"])
    frame = traced.traces.search().query("trace_id == @first").assign(labels=[{"comment": "wrong"}], expected=["3"])
    found = traced.datasets.add_traces("prod", frame)[0]
    assert (found.labels, found.expected) == ({"thumb": "down", "comment": "wrong"}, "3")
    assert (found.split, found.tags) == ("dev", ("seen",))


def test_a_lone_model_call_gives_its_messages(ws):
    """A system message makes the input a conversation; the output is what the assistant said."""
    asked = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}]
    said = [{"role": "assistant", "content": "Hello!"}]
    ws.store.append_many({"spans": [llm("t", "call", input=json.dumps(asked), output=json.dumps(said))]})
    found = ws.datasets.add_traces("prod", ws.traces.search())[0]
    assert (found.input, found.output) == ({"messages": asked}, "Hello!")


def test_a_trace_without_an_input_is_reported(ws):
    """It is left out with the reason; alone it is refused."""
    ws.store.append_many({"spans": [span("empty", "root"), *trace("t1")]})
    version = ws.datasets.add_traces("prod", ws.traces.search())
    assert (len(version), version.report.skipped[0][1]) == (1, "no span of it has an input")
    empty = version.report.skipped[0][0]
    with pytest.raises(UsageError, match="none of these 1 traces"):
        ws.datasets.add_traces("prod", [empty])


def test_unknown_traces_are_named(traced):
    """Nothing is added."""
    with pytest.raises(NotFoundError, match=r"1 of 2 traces are not in the store: f+"):
        traced.datasets.add_traces("prod", [ids(traced)[0], "f" * 32])
    with pytest.raises(UsageError, match="takes trace ids"):
        traced.datasets.add_traces("prod", [3])
    with pytest.raises(UsageError, match="no column trace_id"):
        traced.datasets.add_traces("prod", traced.traces.search().drop(columns="trace_id"))


ARGUMENTS = '{"question": "How many?", "k": 3, "user": {"tier": "gold"}}'


@pytest.fixture
def called(ws):
    """A trace whose root is a function with several arguments."""
    root = span("f1", "root", start=START, input=ARGUMENTS, output='{"answer": "two", "sources": ["a"]}')
    ws.store.append_many({"spans": [root]})
    return ws


def test_a_map_gives_fields_and_not_the_text_of_arguments(called):
    """Names that are no field of an example are fields of its input."""
    places = {
        "question": "input.question",
        "tier": "user.tier",
        "expected": "output.answer",
        "metadata.first": "output.sources.0",
    }
    found = called.datasets.add_traces("prod", ids(called), map=places)[0]
    assert (found.input, found.expected) == ({"question": "How many?", "tier": "gold"}, "two")
    assert found.metadata["first"] == "a"
    whole = called.datasets.add_traces("other", ids(called), map={"input": "question", "output": "output.answer"})[0]
    assert (whole.input, whole.output) == ("How many?", "two")
    kept = called.datasets.add_traces("third", ids(called), map={"metadata": "user", "metadata.k": "k"})[0]
    assert kept.metadata == {"tier": "gold", "k": 3}


@pytest.mark.parametrize(
    ("places", "why"),
    [
        ({"q": "input.qestion"}, "did you mean 'input.question'"),
        ({"q": 1}, "give a place"),
        ({"input": "question", "k": "k"}, "one or the other"),
        ({"example_id": "question"}, "which an example has of its trace; say 'input.example_id'"),
    ],
)
def test_a_place_that_is_nowhere_is_named(called, places, why):
    """With the nearest that there is."""
    with pytest.raises(UsageError, match=why):
        called.datasets.add_traces("prod", ids(called), map=places)


def test_a_case_of_an_evaluation_adds_its_example(ws):
    """With the reference, tags and cluster that it has, whatever the task did."""
    rows = [{"id": "e1", "input": {"q": 1}, "expected": "a", "tags": ["hard"], "cluster": "c"}]
    version = ws.datasets.save("golden", rows)

    def answer(q):
        return f"{q}"

    ws.evals.run(answer, version, tracing=True, progress=False)
    traces = ws.sql("select trace_id from results").df()["trace_id"].tolist()
    found = ws.datasets.add_traces("failures", traces, labels={traces[0]: {"value": "wrong"}}, tags=["seen"])[0]
    assert (found.example_id, found.input, found.expected, found.cluster) == ("e1", {"q": 1}, "a", "c")
    assert (found.tags, found.labels) == (("hard", "seen"), {"value": "wrong"})
    mapped = ws.datasets.add_traces("mapped", traces, map={"question": "input.question"})[0]
    assert (mapped.input, mapped.expected) == ({"q": 1}, "a")


def test_cases_without_a_trace_are_told_apart(ws, traced):
    """In a frame they are left out with the reason; alone, and where there is nothing at all, they are refused."""
    frame = pd.DataFrame({"example_id": ["e1", "e2"], "trace_id": [ids(traced)[0], None]})
    version = traced.datasets.add_traces("some", frame)
    assert version.report.skipped[0][0] == "e2"
    with pytest.raises(UsageError, match="e2: has no trace: cases of a run have one with tracing=True"):
        traced.datasets.add_traces("none", frame[1:])
    with pytest.raises(UsageError, match="there is no trace to add"):
        traced.datasets.add_traces("none", [], map={"q": "input.q"})
    with pytest.raises(UsageError, match="this is a int"):
        traced.datasets.add_traces("none", 3)
