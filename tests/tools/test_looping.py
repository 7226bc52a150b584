"""The loop: what it calls, why it ends, and that a budget holds for all that works in it."""

from __future__ import annotations

import asyncio
import json

import pytest

from lmops.errors import NotFoundError, UsageError
from lmops.tools import Budget, Decision
from tests.tools.test_calling import Policy

MODEL = "standin:agent-1"


@pytest.fixture
def tools(ws):
    """Tools of a shop."""

    @ws.tools.tool(is_read_only=True)
    def look_up(order: str) -> dict:
        """Look up what was paid for an order."""
        return {"order": order, "paid": 40}

    @ws.tools.tool
    def refund(order: str, amount: float = 5.0) -> str:
        """Refund an order."""
        return f"{order}: {amount}"

    @ws.tools.tool
    async def later(n: int) -> int:
        await asyncio.sleep(0.001 * (9 - n))
        return n

    return ws.tools


def said(name, **arguments):
    return f"{name}({json.dumps(arguments)})"


def test_a_run_calls_what_its_model_asks_for_and_answers(tools):
    """Side by side, in the order of the calls; the conversation can go on."""
    asked = f"{said('look_up', order='A')} {said('look_up', order='B')} then {said('refund', order='A')}"
    run = tools.run(asked, ["look_up", "refund"], model=MODEL)
    assert (run.ended, run.ok, len(run.steps)) == ("answer", True, 3)
    assert [one.value for one in run.results] == [{"order": "A", "paid": 40}, {"order": "B", "paid": 40}, "A: 5.0"]
    assert run.answer.startswith("The tools say: ")
    assert [one["role"] for one in run.messages] == [
        "user",
        "assistant",
        "tool",
        "tool",
        "assistant",
        "tool",
        "assistant",
    ]
    ids = [call["id"] for one in run.messages for call in one.get("tool_calls", ())]
    assert ids == [one["tool_call_id"] for one in run.messages if one["role"] == "tool"]
    assert (run.usage.input_tokens > 0, run.cost_usd, run.used.calls) == (True, None, 3)
    again = tools.run([*run.messages, {"role": "user", "content": said("look_up", order="C")}], model=MODEL)
    assert again.results[0].value["order"] == "C"


def test_a_question_in_words_finds_its_tool(tools):
    """By the words that it shares with it."""
    run = tools.run('Please look up what was paid for order "A-17"', model=MODEL)
    assert [(one.tool, one.arguments) for one in run.results] == [("look_up", {"order": "A-17"})]


def test_results_keep_the_order_of_the_calls(tools):
    """Whichever is there first."""
    run = tools.run(" ".join(said("later", n=n) for n in range(9)), model=MODEL, concurrency=3)
    assert [one.value for one in run.results] == [*range(9)]


def test_errors_go_back_to_the_model(tools):
    """As data; what is not on offer cannot be called."""
    run = tools.run(f"{said('refund', x=1)} {said('later', n=1)} refund({{oops)", ["refund"], model=MODEL)
    assert [one.outcome for one in run.results] == ["invalid_arguments", "unknown_tool", "invalid_arguments"]
    assert (run.ended, '"error":"unknown_tool"' in run.answer) == ("answer", True)


@pytest.mark.parametrize(
    ("asked", "options", "ended"),
    [
        (" ".join([said("look_up", order="A")] * 3), {}, "loop"),
        (" then ".join([said("look_up", order="A")] * 9), {}, "loop"),
        (" then ".join(said("look_up", order=f"A{n}") for n in range(9)), {"max_steps": 3}, "max_steps"),
        (said("look_up", order="A"), {"budget": {"tokens": 100}}, "budget"),
        (said("look_up", order="A"), {"budget": {"seconds": 0}}, "budget"),
        (said("look_up", order="A"), {"budget": {"usd": 1}}, "budget"),
    ],
)
def test_a_run_ends_for_a_reason(tools, asked, options, ended):
    """It is said, and what was done up to then is there."""
    run = tools.run(asked, model=MODEL, **options)
    assert (run.ended, bool(run.reason), run.ok) == (ended, True, False)
    assert ended in run.text


def test_a_policy_and_what_led_to_a_call(tools):
    """It sees the whole conversation, and how many calls there were."""
    policy = Policy()
    tools.run(
        f"{said('look_up', order='A')} then {said('refund', order='A')}", model=MODEL, policy=policy, role="clerk"
    )
    contexts = [context for _, _, context in policy.asked]
    assert [(one.role, one.number, dict(one.calls)) for one in contexts] == [
        ("clerk", 0, {}),
        ("clerk", 1, {"look_up": 1}),
    ]
    assert [len(one.messages) for one in contexts] == [1, 3]
    denied = tools.run(said("refund", order="A"), model=MODEL, policy=Policy(Decision(action="deny")))
    assert (denied.results[0].outcome, denied.used.calls, denied.ended) == ("denied", 0, "answer")


def test_a_budget_of_calls_holds_exactly(tools):
    """What is over is told; then the model answers without tools."""
    run = tools.run(" ".join(said("later", n=n) for n in range(8)), model=MODEL, budget={"calls": 5})
    assert sorted(one.outcome for one in run.results) == ["budget"] * 3 + ["ok"] * 5
    assert run.ended == "answer"


def test_sub_agents_share_the_budget_the_policy_and_the_depth(ws, tools):
    """64 calls side by side, in agents that agents called: none over, none lost."""
    tools.agent("clerk", description="A clerk.", model=MODEL, system="Work.", tools=["later"])
    budget, policy = Budget(calls=40), Policy()
    tasks = [said("clerk", task=" ".join(said("later", n=n) for n in range(4))) for _ in range(16)]
    run = tools.run(
        " ".join(tasks), ["clerk"], model=MODEL, budget=budget, policy=policy, concurrency=64, stops_loops=False
    )
    inner = [one for result in run.results if "run" in result.detail for one in result.detail["run"].results]
    made = [one for one in (*run.results, *inner) if one.attempts]
    refused = [one for one in (*run.results, *inner) if one.outcome == "budget"]
    assert (len(made), budget.used.calls, sum(budget.used.by_tool.values())) == (40, 40, 40)
    assert len(made) + len(refused) == len(run.results) + len(inner)
    assert {context.depth for _, _, context in policy.asked} == {0, 1}
    assert {context.run_id for _, _, context in policy.asked} == {run.run_id}
    assert ws.tools.get("clerk").origin["tools"] == ["later"]


def test_agents_call_agents_so_deep_and_no_deeper(tools):
    """An agent that calls itself ends."""
    tools.agent("self", description="Itself.", model=MODEL, system="Work.", tools=["self"])
    task = "x"
    for _ in range(3):
        task = said("self", task=task)
    run = tools.run(task, ["self"], model=MODEL, budget={"depth": 1})
    assert "no deeper" in run.answer
    assert run.used.depth == 1


def test_what_a_sub_agent_costs_is_counted_once(ws, tools):
    """In what called it, and in its own run."""
    ws.models.set_price("agent-1", input_usd_per_mtok=1.0, output_usd_per_mtok=2.0)
    tools.agent("clerk", description="A clerk.", model=MODEL, system="Work.", tools=["look_up"])
    run = tools.run(said("clerk", task=said("look_up", order="A")), model=MODEL, budget={"usd": 1.0})
    inner = run.results[0].detail["run"]
    assert run.cost_usd == pytest.approx(run.own_cost_usd + inner.cost_usd)
    assert run.used.usd == pytest.approx(run.cost_usd)
    tight = tools.run(said("look_up", order="A"), model=MODEL, budget={"usd": run.own_cost_usd / 1000})
    assert (tight.ended, tight.used.usd) == ("budget", 0.0)


def test_guardrails_stand_between(ws, tools):
    """What they block ends the run."""
    ws.guardrails.save("shop", tool_call=[{"rail": "denied", "phrases": ["A-666"], "action": "block"}])
    run = tools.run(said("look_up", order="A-666"), model=MODEL, guardrails="shop")
    assert (run.ended, run.results) == ("blocked", ())


@pytest.mark.parametrize(
    ("messages", "options", "error"),
    [
        ("", {}, UsageError),
        ([], {}, UsageError),
        ("x", {"model": "no:such:model"}, NotFoundError),
        ("x", {"tools": ["nope"]}, NotFoundError),
        ("x", {"max_steps": 0}, UsageError),
        ("x", {"concurrency": True}, UsageError),
        ("x", {"budget": {"call": 3}}, UsageError),
        ("x", {"budget": {"calls": -1}}, UsageError),
        ("x", {"budget": 3}, UsageError),
        ("x", {"policy": "no-such-policy"}, (UsageError, NotFoundError)),
    ],
)
def test_what_cannot_be_used_is_refused_at_once(tools, messages, options, error):
    """Before a model is asked."""
    with pytest.raises(error):
        tools.run(messages, **{"model": MODEL, **options})


def test_what_stands_for_the_tools_repeats_exactly(tools):
    """One after another, in the order of the calls."""

    class Counts:
        def __init__(self):
            self.seen = []

        def execute(self, tool, arguments, call):
            self.seen.append(call.context.number)
            return len(self.seen)

    stands = Counts()
    run = tools.run(" ".join(said("later", n=n) for n in range(6)), ["later"], model=MODEL, executor=stands)
    assert (stands.seen, [one.value for one in run.results]) == ([*range(6)], [*range(1, 7)])
