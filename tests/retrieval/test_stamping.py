"""Stamps on the spans of whatever store an application has, and the view over them."""

from __future__ import annotations

import asyncio
import logging

import pandas as pd
import pytest

import lmops
from lmops.errors import NotFoundError, UsageError
from lmops.retrieval import Chunk, Hit, Ranking, corpus_fingerprint

CORPUS = {"cats": "Cats purr.", "dogs": "Dogs bark."}


@pytest.fixture
def docs(ws):
    """A workspace with docs@1 in production, in which an application is traced."""
    ws.retrieval.save("docs", k=5)
    ws.retrieval.promote("docs", 1, to="production")
    ws.traces.instrument(clients=False)
    yield ws
    ws.traces.stop_instrumentation()


def rows(docs, columns):
    """Return columns of the view, in the order of time, once all spans are there."""
    docs.traces.stop_instrumentation()
    return docs.sql(f"select {columns} from retrievals order by start_at").fetchall()


def test_a_stamp_stands_on_the_current_span(docs):
    """With both fingerprints, the settings, and how many chunks there are; without a span nothing happens."""
    stamp = docs.retrieval.stamp("docs@production", corpus=CORPUS, chunks=4)
    with lmops.trace("find", kind="retriever"):
        stamp.put()
    saved = docs.retrieval.get("docs")
    assert rows(docs, "index_fingerprint, corpus_fingerprint, settings, name, version, chunks, probe, found") == [
        (saved.fingerprint, corpus_fingerprint(CORPUS), "docs@1", "docs", 1, 4, stamp.probe, None)
    ]


def test_a_search_function_is_recorded_as_it_is(docs):
    """Query, how many were asked for, and what was found; its result is not touched, and its errors go on."""

    @docs.retrieval.record("docs@production", corpus=CORPUS)
    def search(query, k=3):
        """Find."""
        return [("cats#1", 0.9, "Cats purr."), ("dogs#1", 0.5, "Dogs \ud800")][: 0 if query == "fish" else k]

    assert search("cats") == [("cats#1", 0.9, "Cats purr."), ("dogs#1", 0.5, "Dogs \ud800")]
    assert (search("fish", k=7), search.__doc__) == ([], "Find.")
    with pytest.raises(TypeError, match="missing"):
        search()
    assert rows(docs, "kind, query, k, found, is_empty, top_score, status") == [
        ("retriever", "cats", 3, 2, False, 0.9, "ok"),
        ("retriever", "fish", 7, 0, True, None, "ok"),
        ("retriever", None, 5, None, None, None, "error"),
    ]
    found = docs.sql("select document_id, rank, score, content from retrieved_documents order by rank").fetchall()
    assert found == [("cats#1", 1, 0.9, "Cats purr."), ("dogs#1", 2, 0.5, "Dogs ?")]


def test_a_coroutine_and_a_block_are_recorded_alike(docs):
    """Texts of documents are left out on request."""
    recorder = docs.retrieval.record("docs", content=False, documents=lambda found: found["rows"])

    @recorder
    async def search(question):
        return {"rows": [{"id": "cats#1", "score": 1, "content": "secret"}]}

    asyncio.run(search("cats"))
    with recorder.search("dogs", k=1) as span:
        span.found({"rows": [("dogs#1", 0.5, "secret")]})
    assert rows(docs, "query, k, found, documents") == [
        ("cats", 5, 1, '[{"rank":1,"id":"cats#1","score":1.0,"content":null,"metadata":null}]'),
        ("dogs", 1, 1, '[{"rank":1,"id":"dogs#1","score":0.5,"content":null,"metadata":null}]'),
    ]


def test_forms_of_results(docs):
    """Ids, pairs, mappings, rankings, frames."""
    recorder = docs.retrieval.record("docs")
    hit = Hit(chunk=Chunk(document="a", number=1, start=0, end=1, text="x"), rank=1, score=2)
    ranking = Ranking(query="q", hits=(hit,), index_fingerprint="f")
    frame = pd.DataFrame({"id": ["a#1"], "score": [2.0], "content": ["x"]})
    for one in (["a#1"], [("a#1", 2)], iter([{"id": "a#1", "score": 2.0}]), ranking, [hit], frame, None):
        with recorder.search(None) as span:
            span.found(one)
    assert rows(docs, "documents->0->>'id', found") == [("a#1", 1)] * 6 + [(None, 0)]


def test_what_cannot_be_read_is_logged_and_the_search_goes_on(docs, caplog):
    """A change of somebody's client breaks nobody's answer."""
    search = docs.retrieval.record("docs", documents=lambda found: found["hits"])(lambda _query: 3)
    with caplog.at_level(logging.WARNING):
        assert search("cats") == 3
    assert "what a search found is not on its span" in caplog.text
    assert rows(docs, "query, found, status") == [("cats", None, "ok")]


def test_settings_are_found_by_their_fingerprint(docs):
    """Where a span does not name them: those that were saved first; else they are unknown."""
    docs.retrieval.save("same", k=5)
    for fingerprint in (docs.retrieval.get("docs").fingerprint, "idx_other"):
        with lmops.trace("find", kind="retriever") as span:
            span.set_attribute("lmops.index.fingerprint", fingerprint)
    assert rows(docs, "index_fingerprint = 'idx_other', settings, name, version") == [
        (False, "docs@1", "docs", 1),
        (True, None, None, None),
    ]


def test_wrong_arguments_are_said_at_once(docs):
    """Not at the first search."""
    with pytest.raises(NotFoundError, match="no settings named"):
        docs.retrieval.record("doc")
    for wrong in ({"corpus": " "}, {"chunks": -1}, {"corpus": ["cats"]}):
        with pytest.raises(UsageError):
            docs.retrieval.stamp("docs", **wrong)
    with pytest.raises(UsageError, match="search functions"):
        docs.retrieval.record("docs")(dict)
