"""What users said beside the traces: in a search, in its answer, in figures; nothing where nobody said anything."""

from __future__ import annotations

import json

import pytest

from lmops.errors import QueryError
from tests.store.helpers import EMPTY_LOG, span


@pytest.fixture
def voted(ws):
    """Five traces: up; down of one and up of another; a rating; an up on its span; nothing."""
    ws.store.append_many({"spans": [span(f"t{n}", "root", input=f"q{n}") for n in range(5)]})
    ids = [span(f"t{n}", "root")["trace_id"] for n in range(5)]
    ws.feedback.record(ids[0], value="up", comment="fine", at="2026-01-02")
    ws.feedback.record(ids[0], value="too short", name="note", kind="text", at="2026-01-01")
    ws.feedback.record(ids[1], value="down", user="a")
    ws.feedback.record(ids[1], value="up", user="b")
    ws.feedback.record(ids[2], value=3, name="rating")
    ws.feedback.record(span_id=span("t3", "root")["span_id"], trace_id=ids[3], value="up")
    return ws


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("thumb = 'down'", ["q1"]),
        ("thumb = 'up'", ["q0", "q3"]),
        ("thumb is null", ["q2", "q4"]),
        ("trace.thumb = 'up' and input like '%0'", ["q0"]),
        ("comments like '%short%fine'", ["q0"]),
        ("thumb = 'down' or span.kind = 'tool'", ["q1"]),
        ("kind = 'chain' and thumb in ('up', 'down')", ["q0", "q1", "q3"]),
        ("upper(thumb) = 'DOWN' or (comments is not null and thumb <> 'down')", ["q0", "q1"]),
    ],
)
@pytest.mark.parametrize("order", ["start_at desc", "name asc"])
def test_a_search_names_what_users_said(voted, where, found, order):
    """Down counts where anybody says it; signals on spans are signals on their trace."""
    frame = voted.traces.search(where, order=order)
    assert sorted(frame["input"]) == found
    assert {"thumb", "comments"} <= set(frame.columns)


def test_an_answer_shows_what_users_said(voted):
    """Beside each trace, in the order in which it was said."""
    frame = voted.traces.search().set_index("input").sort_index()
    assert frame["thumb"].fillna("-").tolist() == ["up", "down", "-", "up", "-"]
    assert frame["comments"].fillna("-").tolist() == ["too short\nfine", "-", "-", "-", "-"]
    assert voted.traces.stats("thumb = 'down'", every=None)["traces"].tolist() == [1]
    assert voted.traces.stats("thumb = 'down'", by="model", every=None).empty


def test_nothing_changes_where_nobody_said_anything(ws):
    """No column more; a search for a thumb finds nothing."""
    ws.store.append_many({"spans": [span("t", "root")]})
    assert "thumb" not in ws.traces.search().columns
    assert ws.traces.search("thumb = 'down'").empty
    with pytest.raises(QueryError, match="thumb"):
        ws.traces.search("thump = 'down'")


def test_what_an_evaluation_logged_is_an_event_of_its_span(ws):
    """Whichever came first, and once; so it is gathered as what came inside the span."""
    row = span("t", "root")
    said = json.dumps({"gen_ai.evaluation.name": "relevance", "gen_ai.evaluation.score.value": 0.5})
    log = {
        **EMPTY_LOG,
        "trace_id": row["trace_id"],
        "span_id": row["span_id"],
        "time_ns": 1_790_000_000_000_000_000,
        "name": "gen_ai.evaluation.result",
        "attributes": said,
    }
    ws.store.append_many({"logs": [log]})
    assert ws.feedback.gather().new == 0
    ws.store.append_many({"spans": [row]})
    ws.store.drain()
    ws.store.append_many({"logs": [log]})
    assert len(json.loads(ws.sql("select events from spans").fetchall()[0][0])) == 1
    assert (ws.feedback.gather().new, ws.feedback.gather().same) == (1, 1)
    assert ws.sql("select name, number, source from feedback").fetchall() == [("relevance", 0.5, "otel")]
