"""The sample after its two weeks: it answers through the route and with the prompts that are in the store."""

from __future__ import annotations

from lmops.sample import release, released_route, traffic_after


def test_traffic_after_follows_the_store(ws):
    """Each arm with its prompt, as somebody left them; the decisions are rows; again nothing is added."""
    release(ws.store)
    found = released_route(ws)
    assert released_route(ws) == found
    assert {one.policy for one in found.arms.values()} == {"support@production"}
    half = {"prompt": "support-answer@production", "model": "standin:ferry-1", "weight": 0.5}
    arms = {"current": half, "careful": {**half, "prompt": "support-answer@2"}}
    ws.routing.set("support", {"arms": arms}, reason="half go back")
    added = traffic_after(ws)
    assert (added > 100, traffic_after(ws)) == (True, 0)
    query = (
        "select distinct d.arm, c.prompt_version from routing_decisions d join llm_calls c using (trace_id) "
        "where c.prompt_name = 'support-answer' order by 1"
    )
    assert ws.sql(query).fetchall() == [("careful", "2"), ("current", "3")]
    told = "select count(*), count(key_hash), count(user_id), min(start_at)::date::text from routing_decisions"
    assert ws.sql(told).fetchall() == [(added, added, added, "2026-11-02")]
