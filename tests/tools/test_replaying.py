"""Recordings, replays and simulations: what comes back, in order; what nobody recorded; what was planned to fail."""

from __future__ import annotations

import json

import pytest

from lmops.errors import UsageError
from lmops.tools import EndedError
from lmops.tools.simulating import FAILURES, INJECTED, spoilt
from tests.models.conftest import Endpoint, Reply, completion
from tests.store.helpers import START, span


def tool_span(name, tool, arguments, result, *, at=0, **columns):
    given = {"kind": "tool", "tool_name": tool, "input": json.dumps(arguments), "output": json.dumps(result)}
    return span(name, "t", start=START + at, **(given | columns))


def recorded(ws, **more):
    """Two answers for one order, an error, a refusal of a policy, a key; and the tools without functions."""
    ws.store.load(
        spans=[
            tool_span("a", "status", {"id": "A1", "n": 1}, {"state": "new"}),
            tool_span("b", "status", {"n": 1.0, "id": "A1"}, {"state": "paid"}, at=1),
            tool_span("c", "status", {"id": "B2", "n": 1}, None, at=2, status="error", error_message="no such order"),
            tool_span("d", "status", {"id": "C3", "n": 1}, "key sk-proj-abcdefghijklmnopqrstuvwx1234567890AB", at=3),
            tool_span("e", "refund", {"id": "A1"}, None, at=4, attributes='{"lmops.tool.outcome": "denied"}'),
        ]
    )

    @ws.tools.tool(is_read_only=True)
    def status(id: str, n: int = 1) -> object:
        """Say how an order is."""
        raise AssertionError("it is replayed")

    return ws.tools.record("orders", **more)


def test_recordings_are_a_dataset_without_keys(ws):
    """Versions, the same again is the same; what never reached the tool is left out and said."""
    found = recorded(ws)
    assert (found.ref, len(found)) == ("orders@1", 4)
    assert [why for _, why in found.report.skipped] == ["it never reached the tool: denied"]
    assert "sk-proj-abc" not in json.dumps([one.expected for one in found])
    assert ws.tools.record("orders").ref == "orders@1"
    assert len(ws.tools.record("few", tools=["status"], where="trace_id is not null")) == 4
    with pytest.raises(UsageError, match="no call of a tool"):
        ws.tools.record("none", tools=["nothing"])
    with pytest.raises(UsageError, match="not both"):
        ws.tools.record("none", traces=["a"], last="1d")


def test_a_replay_returns_what_was_recorded_in_order(ws):
    """Arguments in one form; the last one stays; an error is one again; nothing is called; a run begins anew."""
    recorded(ws)
    replay = ws.tools.replay("orders")

    def ask(arguments):
        return ws.tools.call("status", arguments, executor=replay)

    assert ask({"id": "A1", "n": 1}).value == {"state": "new"}
    found = ask({"id": "B2", "n": 1})
    assert (found.outcome, found.error, found.is_replayed) == ("error", "no such order", True)
    unseen = ask({"id": "A2", "n": 1})
    assert unseen.outcome == "unseen"
    assert 'nearest: {"id":"A1","n":1}' in unseen.error
    assert replay.counts == (2, 0, 0, 1)
    assert list(replay.misses.arguments) == ['{"id":"A2","n":1}']
    version, call = ws.tools.get("status"), type("Call", (), {"context": type("C", (), {"run_id": "r"})})
    states = [replay.execute(version, {"id": "A1", "n": 1}, call)["state"] for _ in range(3)]
    assert states == ["new", "paid", "paid"]


def test_by_schema_and_simulated_calls_are_found_and_counted(ws):
    """Names and kinds alike are enough where that is asked; else what the tool said to others, always the same."""
    recorded(ws)
    by_shape = ws.tools.replay("orders", match="schema")
    assert ws.tools.call("status", {"id": "Z9", "n": 4}, executor=by_shape).value == {"state": "new"}
    assert by_shape.counts.schema == 1
    made_up = ws.tools.replay("orders", unseen="simulate")
    values = [ws.tools.call("status", {"id": f"Z{n}"}, executor=made_up).value for n in (7, 7, 8)]
    assert values[0] == values[1]
    assert made_up.counts.simulated == 3
    assert len(made_up.misses) == 3
    with pytest.raises(UsageError, match="match"):
        ws.tools.replay("orders", match="fuzzy")
    ws.datasets.save("other", [{"input": "x"}])
    with pytest.raises(UsageError, match="holds no recordings"):
        ws.tools.replay("other")


def test_what_a_run_changes_in_a_result_is_its_own(ws):
    """The next call gets what was recorded."""
    recorded(ws)
    replay = ws.tools.replay("orders")
    ws.tools.call("status", {"id": "A1", "n": 1}, executor=replay).value["state"] = "gone"
    assert ws.tools.call("status", {"id": "A1", "n": 1}, executor=replay).value == {"state": "new"}


def sizes(ws):
    @ws.tools.tool(is_read_only=True)
    def size(n: int) -> dict:
        """Say a size."""
        return {"size": n, "unit": "cm"}


def test_a_simulation_fails_by_its_plan_and_the_same_each_time(ws):
    """Shares are met, another seed is another plan, the order of calls changes nothing."""
    sizes(ws)
    plan = {"size": {"timeout": 0.2, "wrong_units": 0.2, "empty": 0.1}}

    def outcomes(seed, numbers=range(1, 201)):
        simulator = ws.tools.simulate(plan, seed=seed)
        found = {n: ws.tools.call("size", {"n": n}, executor=simulator) for n in numbers}
        return {n: (one.outcome, one.value) for n, one in found.items()}, simulator

    first, simulator = outcomes(1)
    assert first == outcomes(1, reversed(range(1, 201)))[0]
    assert first != outcomes(2)[0]
    assert 20 <= simulator.counts["timeout"] == sum(one[0] == "timeout" for one in first.values()) <= 60
    assert len(simulator.failures) == sum(simulator.counts.values())
    assert sum(one == ("ok", {"size": n, "unit": "cm"}) for n, one in first.items()) == 200 - len(simulator.failures)


def test_each_failure_is_what_it_says():
    """Of objects, lists, texts, and numbers in them."""
    value = {"amount": 2, "items": [1.5], "note": "x", "ok": True}
    assert spoilt(value, "wrong_units") == {"amount": 200, "items": [150.0], "note": "x", "ok": True}
    assert (spoilt(value, "empty"), spoilt([1], "empty"), spoilt("x", "empty")) == ({}, [], "")
    assert spoilt(value, "injected")["note"] == f"x {INJECTED}"
    assert spoilt([], "injected") == [INJECTED]
    assert set(FAILURES) == {"timeout", "error", "wrong_units", "empty", "injected"}


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ({}, "empty"),
        ({"a": {"tiemout": 0.1}}, "timeout"),
        ({"a": {"timeout": 1.5}}, "between 0 and 1"),
        ({"a": {"timeout": 0.6, "error": 0.6}}, "more than 1"),
        ({"a": 0.5}, "shares by failure"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(ws, plan, said):
    """It names what is wrong with it."""
    with pytest.raises(UsageError, match=said):
        ws.tools.simulate(plan)


def test_a_simulation_over_a_replay(ws):
    """The calls that do not fail are replayed."""
    recorded(ws)
    simulator = ws.tools.simulate({"*": {"error": 0.0}}, over=ws.tools.replay("orders"))
    assert ws.tools.call("status", {"id": "A1", "n": 1}, executor=simulator).value == {"state": "new"}
    certain = ws.tools.simulate({"*": {"error": 1.0}}, over=ws.tools.replay("orders"))
    assert ws.tools.call("status", {"id": "A1", "n": 1}, executor=certain).error == "simulated: status is unavailable"


def test_a_thousand_cases_repeat_byte_for_byte(ws):
    """Cases that make the same calls again get the same results, failures and unseen calls included, in any order."""
    recorded(ws)
    version = ws.tools.get("status")

    def ran(numbers):
        simulator = ws.tools.simulate({"status": {"timeout": 0.1}}, seed=4, over=ws.tools.replay("orders"))
        told = {}
        for n in numbers:
            call = type("Call", (), {"context": type("C", (), {"run_id": f"case {n}"})})
            for order in ("A1", "A1", "B2", f"N{n}"):
                try:
                    came = simulator.execute(version, {"id": order, "n": 1}, call)
                except EndedError as error:
                    came = [error.outcome, str(error)]
                told.setdefault(f"{n:04}", []).append(came)
        return json.dumps(told, sort_keys=True).encode()

    first = ran(range(1000))
    assert first == ran(reversed(range(1000)))
    assert b"unseen" in first
    assert b"timeout" in first


def test_a_run_again_asks_neither_a_tool_nor_a_model(ws):
    """Recorded tools and kept answers are the same run, byte for byte; without the cache its model is asked again."""
    recorded(ws)
    ws.models.register("house", base_url=(served := Endpoint()).url, model="house-1", timeout_s=20)
    call = {"id": "c1", "type": "function", "function": {"name": "status", "arguments": '{"id": "A1"}'}}
    first = {"role": "assistant", "content": None, "tool_calls": [call]}
    served.answer = lambda asked: Reply(
        completion("It is new.")
        if asked.body["messages"][-1]["role"] == "tool"
        else completion(message=first, finish="tool_calls")
    )
    try:
        runs, asked = [], []
        for cache in (True, True, False):
            replay = ws.tools.replay("orders")
            runs.append(ws.tools.run("How is A1?", ["status"], model="house", executor=replay, cache=cache))
            asked.append(len(served.asked))
    finally:
        served.close()
    assert asked == [2, 2, 4]
    assert (runs[0].answer, runs[0].results[0].value) == ("It is new.", {"state": "new"})
    assert len({json.dumps(one.messages) for one in runs}) == 1
    assert runs[1].cost_usd == 0.0
