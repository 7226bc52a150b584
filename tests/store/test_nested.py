"""What two nested spans tell of one call of a tool, or of one document found, is told once."""

from __future__ import annotations

import json

from .helpers import span


def document(name):
    return json.dumps([{"rank": 1, "id": name, "score": 0.5, "content": name, "metadata": None}])


def test_client_and_server_of_mcp_are_one_call(store):
    """The span around the other stands for the call; a tool that calls another tool is two calls."""
    store.append_many(
        {
            "spans": [
                span("t", "client", kind="tool", tool_name="find"),
                span("t", "server", "client", kind="tool", tool_name="find"),
                span("t", "inner", "server", kind="tool", tool_name="read"),
            ]
        }
    )
    rows = store.sql("select tool_name, span_id from tool_calls order by 1").fetchall()
    assert [name for name, _ in rows] == ["find", "read"]


def test_what_carries_a_call_to_its_server_changes_nothing(store):
    """Between an MCP client and its server lie the two spans of a request over HTTP."""
    store.append_many(
        {
            "spans": [
                span("t", "client", kind="tool", tool_name="find"),
                span("t", "post", "client", kind="unknown"),
                span("t", "route", "post", kind="unknown"),
                span("t", "server", "route", kind="tool", tool_name="find"),
                span("u", "agent", kind="agent"),
                span("u", "step", "agent", kind="unknown"),
                span("u", "alone", "step", kind="tool", tool_name="find"),
            ]
        }
    )
    assert len(store.sql("select * from tool_calls").fetchall()) == 2


def test_a_document_found_through_another_retriever_is_one_row(store):
    """Only the outermost retriever that says its documents counts; one that says none hides nothing."""
    store.append_many(
        {
            "spans": [
                span("t", "outer", kind="retriever", documents=document("d1")),
                span("t", "inner", "outer", kind="retriever", documents=document("d1")),
                span("u", "silent", kind="retriever"),
                span("u", "said", "silent", kind="retriever", documents=document("d2")),
            ]
        }
    )
    query = "select document_id from retrieved_documents where start_at >= '1970-01-01' order by 1"
    rows = store.sql(query).fetchall()
    assert rows == [("d1",), ("d2",)]


def test_a_tool_that_calls_itself_is_called_twice(store):
    """Other arguments at the same client are another call; a server may write the same ones in its own way."""
    same = {"kind": "tool", "tool_name": "sum", "scope": "one", "service": "s"}
    store.append_many(
        {
            "spans": [
                span("t", "first", input='{"n":2}', **same),
                span("t", "again", "first", input='{"n":1}', **same),
                span("u", "client", input='{"n":2}', **same),
                span("u", "server", "client", input='{"name":"sum","arguments":{"n":2}}', **{**same, "scope": "other"}),
                span("v", "silent", **same),
                span("v", "said", "silent", input='{"n":1}', **same),
            ]
        }
    )
    rows = store.sql("select arguments from tool_calls order by start_at, 1 nulls last").fetchall()
    assert rows == [('{"n":1}',), ('{"n":2}',), ('{"n":2}',), (None,)]


def test_a_chain_between_two_retrievers_changes_nothing(store):
    """The inner one is still inside the outer; a chain without a retriever around hides nothing."""
    store.append_many(
        {
            "spans": [
                span("t", "outer", kind="retriever", documents=document("d1")),
                span("t", "chain", "outer", kind="chain"),
                span("t", "inner", "chain", kind="retriever", documents=document("d1")),
                span("u", "root", kind="chain"),
                span("u", "step", "root", kind="chain"),
                span("u", "found", "step", kind="retriever", documents=document("d2")),
            ]
        }
    )
    assert store.sql("select document_id from retrieved_documents order by 1").fetchall() == [("d1",), ("d2",)]
