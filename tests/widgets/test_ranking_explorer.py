"""What the ranking explorer answers: queries by loss, both rankings of one, own queries, what stands around a hit."""

from __future__ import annotations

import json

import pytest

from lmops.errors import UsageError
from lmops.retrieval import Chunk, Hit
from lmops.retrieval.boards import side_by_side
from tests.retrieval.asked import ASKED, Words, explored
from tests.store.helpers import span


def ask(view, kind, **more):
    """The answer to one message."""
    (found,) = view._controller.handle({"kind": kind, "id": "v:1", "view": "v", **more})
    return found


def test_queries_stand_by_what_was_lost_and_the_first_is_open(ws):
    """The state has all that a view draws; numbers are those of the comparison."""
    view = explored(ws)
    state = ask(view, "hello")
    changes = [row[4] for row in state["rows"]]
    assert changes == sorted(changes)
    assert state["cursor"] == state["rows"][0][0] == view.selected
    assert [one[1] for one in state["measures"]][:2] == ["ndcg", "recall"]
    assert state["pair"]["query"] == state["rows"][0][1]
    assert max(len(state["pair"][side]) for side in "ab") == 6


def test_another_query_is_opened_for_every_view(ws):
    """The answer has the pair, and says so with a number; unknown ones are refused."""
    view = explored(ws)
    first = ask(view, "hello")["seq"]
    found = ask(view, "open", query="q7")
    assert (found["kind"], found["cursor"], view.selected) == ("selection", "q7", "q7")
    assert found["seq"] > first
    gold = [hit for side in "ab" for hit in found["pair"][side] if hit[5]]
    assert gold
    assert all(hit[5] == 3 for hit in gold)
    assert "no query" in ask(view, "open", query="q99")["message"]


def test_own_queries_are_asked_of_both(ws):
    """What is judged of the same text counts; without both indexes it is said why not."""
    view = explored(ws)
    found = ask(view, "search", query=ASKED[0][1])
    assert (found["cursor"], view.query) == (None, ASKED[0][1])
    assert "pets[62:115]" in found["pair"]["relevant"]
    assert not ask(view, "search", query="Is there soup?")["pair"]["relevant"]
    assert "type a query" in ask(view, "search", query=" ")["message"]
    runs = ws.retrieval.explore(*(ws.retrieval.measure(Words(n, 80), "asked", progress=False) for n in "ab"))
    assert "give both indexes" in ask(runs, "search", query="soup")["message"]
    with pytest.raises(UsageError, match="needs both indexes"):
        ws.retrieval.explore(runs._controller.board.comparison.a, runs._controller.board.comparison.b, query="soup")


def test_what_stands_around_a_hit(ws):
    """Its neighbours in the document, as far as an index can say."""
    view = explored(ws)
    pair = ask(view, "open", query="q1")["pair"]
    place = next(at for at, hit in enumerate(pair["b"]) if hit[5])
    found = ask(view, "around", side=1, place=place)
    assert found["before"].endswith("lead on deck. ")
    assert found["after"].startswith("Cats travel")
    assert "no such hit" in ask(view, "around", side=0, place=99)["message"]


def test_live_explorer_without_a_data_set(ws):
    """Two searches and a query: no list, both rankings."""
    view = ws.retrieval.explore(Words("large", 160), Words("small", 80), query="dogs in lounges")
    state = ask(view, "hello")
    assert (state["rows"], state["total"], state["can_search"]) == ([], 0, True)
    assert state["pair"]["a"][0][0].startswith("pets")


def test_the_static_form_has_queries_and_both_rankings(ws):
    """What an archived notebook shows."""
    view = explored(ws)
    for form in (view.text, view._repr_html_()):
        assert "large against small" in form
        assert "How large may the box of a cat be?" in form
    assert "relevant: pets[62:115]" in view._repr_html_()


def test_chunks_of_other_cuts_are_the_same_thing_once():
    """The nearest that shares half of the shorter one; each is the other of one at most."""

    def hit(start, end, number):
        return Hit(chunk=Chunk(document="a", number=number, start=start, end=end, text=""), rank=1, score=1.0)

    found = side_by_side("q", [hit(0, 200, 1)], [hit(300, 400, 9), hit(0, 100, 1), hit(100, 200, 2)])
    assert [one.other for one in found.a] == [2]
    assert [one.other for one in found.b] == [None, 1, None]


@pytest.fixture
def trace_id(ws):
    """A trace with a retriever and a reranker, whose answer says one thing that no document says."""
    texts = ("Dogs travel free on every ferry.", "Cats travel in a box of at most 60 cm.")
    documents = [
        {"id": f"pets#{n}", "rank": n, "score": 1 / n, "content": text} for n, text in enumerate(texts, start=1)
    ]
    root = span("t", "root", input="Do dogs pay?", output="Dogs travel free on every ferry. Parrots cost 40 euros.")
    found = span("t", "found", "root", kind="retriever", input="Do dogs pay?", documents=json.dumps(documents))
    best = span("t", "best", "root", kind="reranker", input="Do dogs pay?", documents=json.dumps(documents[::-1]))
    best |= {"start_ns": best["start_ns"] + 1_000, "end_ns": best["end_ns"] + 1_000}
    ws.store.load(spans=[root, found, best])
    return root["trace_id"]


def test_a_search_of_a_trace_and_what_it_does_not_support(ws, trace_id):
    """The reranked list stands beside what was found before; sentences without support are named."""
    view = ws.retrieval.explore_span(trace_id)
    state = ask(view, "hello")
    assert (state["b"], state["pair"]["query"]) == ("before the reranker", "Do dogs pay?")
    assert [hit[0] for hit in state["pair"]["a"]] == ["pets#2", "pets#1"]
    assert [hit[6] for hit in state["pair"]["a"]] == [2, 1]
    assert state["pair"]["unsupported"] == ["Parrots cost 40 euros."]
    other = ws.retrieval.explore_span(trace_id, Words("small", 80))
    assert ask(other, "hello")["b"] == "small"
    with pytest.raises(UsageError, match="no search"):
        ws.retrieval.explore_span(ws.traces.get(trace_id).root)
