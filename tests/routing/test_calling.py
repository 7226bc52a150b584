"""Requests through a route: who answers, what is tried before, and what of it is in the trace."""

from __future__ import annotations

import asyncio

import pytest

from lmops.errors import ModelError, RefusedError, UsageError
from lmops.models import Completion, Usage

TWO = {
    "arms": {"main": {"model": "first", "weight": 1}, "spare": {"model": "second"}},
    "fallbacks": ["spare"],
    "timeout_s": 5,
    "circuit": {"failures": 3, "of": 5, "window_s": 60, "open_s": 60},
}


def answered(model="m", cost_usd=None):
    return Completion(
        content="Hi.", model=model, requested_model=model, provider="p", usage=Usage(), cost_usd=cost_usd, latency_ms=1
    )


def failing(kind="server", *models):
    def answer(model):
        if model in models:
            raise ModelError(f"{model} is ill", kind=kind)
        return answered(model)

    return answer


def decisions(ws):
    query = "select assigned, arm, reason, attempts, status, cost_usd from routing_decisions order by start_at"
    return ws.sql(query).fetchall()


def test_the_arm_renders_its_prompt(routed):
    """And names it on the span of the call; the answer says which arm it was."""
    handle = routed.traces.instrument()
    routed.routing.set("support", {"answer@1": 1})
    found = routed.routing.call("support", inputs={"question": "When?"}, key="u1")
    handle.flush()
    assert (found.choice.arm, found.choice.reason, found.attempts[0].outcome) == ("answer@1", "assigned", "ok")
    assert routed.sql("select distinct prompt_name, prompt_version from llm_calls").fetchall() == [("answer", "1")]
    names = routed.sql("select name from spans order by start_at").fetchall()
    assert names == [("route support",), ("attempt answer@1",), ("chat ferry-1",)]


def test_a_decision_is_a_row(ws, endpoints):
    """With what it cost, whatever failed before."""
    handle = ws.traces.instrument()
    ws.routing.set("support", TWO)
    first, _ = endpoints
    ws.routing.call("support", "Hello?", key="u1")
    first.replies[0].status = 500
    found = ws.routing.call("support", "Hello?", key="u1", context={"segment": "vip"})
    handle.flush()
    price = pytest.approx(0.0003)
    assert [one.outcome for one in found.attempts] == ["server", "ok"]
    assert decisions(ws) == [
        ("main", "main", "assigned", 1, "ok", price),
        ("main", "spare", "fallback", 2, "ok", price),
    ]


def test_messages_are_sent_as_they_are(ws, endpoints):
    """With the parameters of the arm."""
    route = {"arms": {"main": {"model": "first", "weight": 1, "params": {"temperature": 0.5}}}}
    ws.routing.set("support", route)
    ws.routing.call("support", [{"role": "user", "content": "{{ no template }}"}])
    body = endpoints[0].asked[0].body
    assert (body["messages"][0]["content"], body["temperature"]) == ("{{ no template }}", 0.5)


@pytest.mark.parametrize("kind", ["server", "timeout", "connection", "auth", "rate_limit", "bad_request"])
def test_the_next_arm_is_asked_when_one_fails(scripted, kind):
    """Whatever the error of the model is, and each arm once."""
    scripted.routing.set("support", TWO)
    scripted.answer = failing(kind, "first")
    found = scripted.routing.call("support", "Hello?", key="u1")
    assert (found.choice.assigned, found.choice.arm, found.choice.reason) == ("main", "spare", "fallback")
    assert scripted.asked == ["first", "second"]


def test_an_arm_that_takes_too_long_is_given_up(scripted):
    """After the time of the route; the next one answers."""
    scripted.routing.set("support", {**TWO, "timeout_s": 0.05})
    scripted.answer = lambda model: asyncio.sleep(30) if model == "first" else answered(model)
    found = scripted.routing.call("support", "Hello?", key="u1")
    assert [one.outcome for one in found.attempts] == ["timeout", "ok"]


def test_a_prompt_that_is_gone_is_passed_over(routed):
    """As is a model: what was there when the route was set need not be there for ever."""
    routed.models.register("house", base_url="http://127.0.0.1:9/v1", model="m")
    arms = {"main": {"model": "house", "weight": 1}, "spare": {"model": "standin:ferry-1"}}
    routed.routing.set("support", {"arms": arms, "fallbacks": ["spare"]})
    routed.models.unregister("house")
    found = routed.routing.call("support", "Hello?")
    assert [one.outcome for one in found.attempts] == ["not_found", "ok"]


def test_without_an_answer_the_error_has_what_each_said(scripted):
    """And its kind is that of the last one that was asked."""
    scripted.routing.set("support", TWO)
    scripted.answer = failing("auth", "first", "second")
    with pytest.raises(
        ModelError, match=r"no arm of route support@1 answered .main: first is ill; spare: sec"
    ) as found:
        scripted.routing.call("support", "Hello?")
    assert (found.value.kind, found.value.attempts) == ("auth", 2)


def test_an_arm_that_fails_often_is_left_alone(scripted):
    """It is asked no more until its time; the status says so."""
    scripted.routing.set("support", TWO)
    scripted.answer = failing("server", "first")
    found = [scripted.routing.call("support", "Hello?", key="u1") for _ in range(5)]
    assert scripted.asked.count("first") == 3
    assert [one.attempts[0].outcome for one in found] == ["server"] * 3 + ["open"] * 2
    main, spare = scripted.routing.status("support").arms
    assert (main.circuit, main.failures, spare.circuit) == ("open", 3, "closed")


def test_bad_requests_are_no_illness_of_an_arm(scripted):
    """They open no circuit."""
    scripted.routing.set("support", TWO)
    scripted.answer = failing("bad_request", "first")
    for _ in range(6):
        scripted.routing.call("support", "Hello?", key="u1")
    assert scripted.routing.status("support").arms[0].circuit == "closed"


@pytest.mark.parametrize(("limits", "why"), [({"per_minute": 2}, "rate"), ({"usd_per_day": 0.02}, "budget")])
def test_an_arm_takes_no_more_than_its_limits(scripted, limits, why):
    """The next arm is asked, and the decision says that it was the limit."""
    arms = {**TWO["arms"], "main": {"model": "first", "weight": 1, "limits": limits}}
    scripted.routing.set("support", {**TWO, "arms": arms})
    scripted.answer = lambda model: answered(model, cost_usd=0.01)
    found = [scripted.routing.call("support", "Hello?") for _ in range(3)]
    assert scripted.asked == ["first", "first", "second"]
    assert (found[2].attempts[0].outcome, found[2].choice.reason) == (why, "limit")


def test_an_arm_takes_only_so_many_at_a_time(scripted):
    """What is more goes to the next one."""
    arms = {**TWO["arms"], "main": {"model": "first", "weight": 1, "limits": {"concurrency": 2}}}
    scripted.routing.set("support", {**TWO, "arms": arms})

    async def slowly(model):
        await asyncio.sleep(0.05)
        return answered(model)

    scripted.answer = slowly

    async def at_once():
        return await asyncio.gather(*(scripted.routing.acall("support", "Hello?") for _ in range(5)))

    found = asyncio.run(at_once())
    assert sorted(one.choice.arm for one in found) == ["main"] * 2 + ["spare"] * 3
    assert scripted.routing.status("support").arms[0].in_flight == 0


def test_a_budget_is_of_all_processes(ws, endpoints):
    """What another one spent today stands in its spans."""
    limits = {"usd_per_day": 0.0005}
    ws.routing.set(
        "support", {**TWO, "arms": {**TWO["arms"], "main": {"model": "first", "weight": 1, "limits": limits}}}
    )
    handle = ws.traces.instrument()
    for _ in range(2):
        ws.routing.call("support", "Hello?")
    handle.flush()
    from lmops.routing import limits as those

    those._GATES.clear()  # as another process has none of ours
    assert ws.routing.status("support").arms[0].spent_usd == pytest.approx(0.0006)
    assert ws.routing.call("support", "Hello?").attempts[0].outcome == "budget"


def test_a_request_that_is_cancelled_gives_its_place_back(scripted):
    """And says nothing of the arm."""
    scripted.routing.set("support", TWO)
    scripted.answer = lambda _model: asyncio.sleep(30)

    async def cancelled():
        task = asyncio.create_task(scripted.routing.acall("support", "Hello?"))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    main = scripted.routing.status("support").arms[0]
    assert (main.in_flight, main.failures) == (0, 0)


def test_a_request_says_one_of_messages_and_inputs(routed):
    """And inputs that its prompt takes: that is nobody's failure, and no other arm is asked."""
    routed.routing.set("support", {"answer@1": 1})
    for given in ({}, {"messages": "x", "inputs": {"question": "x"}}):
        with pytest.raises(UsageError, match="one of the two"):
            routed.routing.call("support", **given)
    with pytest.raises(UsageError, match="question"):
        routed.routing.call("support", inputs={"topic": "x"})


def test_a_route_that_is_off_asks_nobody(scripted):
    """Not even its fallbacks."""
    scripted.routing.set("support", TWO)
    scripted.routing.kill("support", reason="leaks")
    with pytest.raises(RefusedError, match="leaks"):
        scripted.routing.call("support", "Hello?")
    assert scripted.asked == []


def test_a_decision_on_an_own_span_is_a_row(ws):
    """What the application asks below it costs what its trace costs."""
    import lmops

    handle = ws.traces.instrument()
    ws.routing.set("support", {"arms": {"main": {"model": "standin:ferry-1", "weight": 1}}})
    with lmops.trace("support.answer") as span:
        span.set_attributes(ws.routing.choose("support", "u1").attributes)
    handle.flush()
    assert decisions(ws) == [("main", "main", "assigned", None, "ok", None)]
