"""What a call or a run inside of a tool brings itself bounds it more closely, and widens nothing."""

from __future__ import annotations

import asyncio
import threading

import pytest

from lmops.errors import NotFoundError, UsageError
from lmops.tools import Budget
from lmops.tools.nesting import Nested
from tests.tools.test_looping import MODEL, said


@pytest.fixture
def nested(ws):
    """Calls a tool whose code makes a call, or a run, with what is given."""
    given = {}

    @ws.tools.tool
    def refund(order: str, amount: float = 5.0) -> float:
        """Refund an order."""
        return amount

    @ws.tools.tool
    def calls() -> list:
        """Refund twice."""
        found = [ws.tools.call("refund", {"order": "A"}, **given) for _ in range(2)]
        return [one.outcome for one in found]

    @ws.tools.tool
    def runs() -> list:
        """Let an agent work."""
        run = ws.tools.run(said("runs"), ["runs"], model=MODEL, **given)
        return [run.depth, run.run_id, [one.outcome for one in run.results], [one.value for one in run.results]]

    def made(name, options=None, **outer):
        given.clear()
        given.update(options or {})
        return ws.tools.call(name, {}, **outer)

    return made


def test_a_budget_inside_of_a_tool_is_the_smaller_of_both_and_shared(nested):
    """What is used inside counts outside; more than the run has is not had."""
    outer = Budget(calls=10)
    assert nested("calls", {"budget": Budget(calls=1)}, budget=outer).value == ["ok", "budget"]
    assert outer.used.calls == 2
    assert nested("calls", {"budget": {"calls": 100}}, budget={"calls": 2}).value == ["ok", "budget"]
    assert nested("calls", {"budget": {"calls": 100, "seconds": 0}}).value == ["budget", "budget"]
    refused = nested("calls", {"budget": {"call": 1}})
    assert (refused.outcome, "limit of a budget" in refused.error) == ("error", True)


def test_tokens_and_dollars_of_two_budgets_are_held_and_settled_in_both():
    """What the outer one refuses is not held in the inner one."""
    outer, own = Budget(tokens=100, usd=1.0), Budget(tokens=60)
    both = Nested(outer, own, 0)
    held = both.take_tokens(10, 400, lambda i, o: (i + o) / 1000)
    assert (held.most_out, both.is_counted, both.usd_left) == (50, True, 1.0)
    held.settle(30, 0.02)
    assert (outer.used.tokens, own.used.tokens, both.used.tokens) == (30, 30, 30)
    both.take_tokens(10, 5, lambda i, o: 0.0).give_back()
    assert (outer.used.tokens, own.used.tokens) == (30, 30)
    broke = Nested(Budget(tokens=5), own, 0)
    assert "5 tokens" in broke.take_tokens(10, 5, lambda i, o: 0.0)
    assert own.take_tokens(10, 400, lambda i, o: 0.0).most_out == 20


def test_a_run_inside_of_a_tool_is_one_step_deeper(nested):
    """And ends where the budget says, however it is nested."""
    depth, run_id, outcomes, (inner,) = nested("runs", budget={"depth": 2}).value
    assert (depth, outcomes, inner[0], inner[1], inner[2]) == (1, ["ok"], 2, run_id, ["budget"])
    assert nested("runs", {"budget": {"depth": 1}}, budget={"depth": 9}).value[2] == ["budget"]


def test_another_role_inside_of_a_tool_widens_nothing(ws, nested):
    """What the outer role may not do it cannot do under another name; what the inner one may not neither."""
    rules = [
        {"allow": "calls"},
        {"deny": "refund", "role": "clerk"},
        {"allow": "refund", "role": ["boss", "clerk"]},
    ]
    ws.tools.policies.save("roles", rules)
    for outer, inner, outcome in (
        ("clerk", "boss", "denied"),
        ("boss", "clerk", "denied"),
        ("boss", "boss", "ok"),
        ("boss", None, "ok"),
        (None, "boss", "denied"),
    ):
        found = nested("calls", {"role": inner}, policy="roles", role=outer)
        assert found.value[0] == outcome, (outer, inner)


def test_a_yes_is_one_under_both_policies_that_asked(ws, nested):
    """There is one question, it names both, and what is made after it is made under both."""
    ws.tools.policies.save("run", [{"ask": "refund", "reason": "money"}, {"allow": "*"}], ask_expires_s=100)
    ws.tools.policies.save("own", [{"ask": "refund", "reason": "the house"}, {"allow": "*"}])
    assert nested("calls", {"policy": "own"}, policy="run").value == ["asked", "asked"]
    (one,) = ws.tools.newest_asks()
    assert (one.policy, one.why) == ("run@1, own@1", "money; the house")
    assert (one.expires_at - one.asked_at).total_seconds() == 100
    ws.tools.approve(one.ask)
    assert nested("calls", {"policy": "own"}, policy="run").value == ["ok", "asked"]
    two = ws.tools.newest_asks()[0]
    ws.tools.approve(two.ask)
    assert ws.tools.carry_out(two.ask).ok
    assert [one.status for one in ws.tools.newest_asks()] == ["made", "made"]


@pytest.mark.parametrize("stop", ["cancel", "interrupt"])
def test_a_run_that_is_cut_off_loses_nothing_of_what_it_did(ws, stop):
    """The error has the run so far; what was under way is said to be."""
    began, gate = threading.Event(), threading.Event()

    @ws.tools.tool
    def quick(n: int) -> int:
        """Be quick."""
        return n

    @ws.tools.tool
    def hang() -> int:
        """Hang."""
        if stop == "interrupt":
            raise KeyboardInterrupt
        began.set()
        gate.wait()
        return 1

    asked = f"{said('quick', n=1)} then {said('quick', n=2)} {said('hang')}"

    async def cancelled():
        task = asyncio.create_task(ws.tools.arun(asked, model=MODEL, concurrency=1))
        await asyncio.to_thread(began.wait)
        task.cancel()
        await task

    with pytest.raises((asyncio.CancelledError, KeyboardInterrupt)) as caught:
        asyncio.run(cancelled()) if stop == "cancel" else ws.tools.run(asked, model=MODEL, concurrency=1)
    gate.set()
    run = caught.value.run
    assert (run.ended, run.ok, len(run.steps)) == ("cancelled", False, 2)
    outcomes = [(one.tool, one.outcome) for one in run.results]
    assert outcomes == [("quick", "ok"), ("quick", "ok"), ("hang", "cancelled")]
    assert [one["role"] for one in run.messages][-3:] == ["assistant", "tool", "tool"]


def test_an_agent_begins_with_a_prompt_of_the_registry(ws):
    """A moved alias counts at the next task."""
    ws.prompts.save("clerk", "You are a clerk.")
    ws.prompts.promote("clerk", 1, to="production", reason="first")
    with pytest.raises(NotFoundError):
        ws.tools.agent("lost", description="x", model=MODEL, system="nobody@production")
    ws.tools.agent("clerk", description="A clerk.", model=MODEL, system="clerk@production")

    def begins():
        return ws.tools.call("clerk", {"task": "Hello"}).detail["run"].messages[:2]

    assert begins() == ({"role": "system", "content": "You are a clerk."}, {"role": "user", "content": "Hello"})
    ws.prompts.save("clerk", [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Do: {{ task }}"}])
    ws.prompts.promote("clerk", 2, to="production", reason="kinder")
    assert [one["content"] for one in begins()] == ["Be kind.", "Do: Hello"]
    ws.prompts.save("open", "For {{ city }}")
    with pytest.raises(UsageError, match="needs city"):
        ws.tools.agent("lost", description="x", model=MODEL, system="open@1")
    assert ws.tools.get("clerk").origin["system"] == "clerk@production"


def test_arguments_keep_their_order(ws):
    """What a model is told, in every process; what it sent, on the result and where somebody is asked."""

    @ws.tools.tool
    def mail(to: str, subject: str, body: str = "", bcc: str = "") -> str:
        """Send a mail."""
        return to

    order = ["to", "subject", "body", "bcc"]
    assert list(ws.tools.get("mail").parameters["properties"]) == order
    ws.tools.policies.save("asks", [{"ask": "mail"}])
    found = ws.tools.call("mail", '{"subject": "Hi", "body": "x", "to": "ann"}', policy="asks")
    sent = ["subject", "body", "to", "bcc"]
    assert list(found.arguments) == sent
    (one,) = ws.tools.newest_asks()
    assert list(one.arguments) == sent
    ws.tools.approve(one.ask)
    again = ws.tools.call("mail", {"to": "ann", "subject": "Hi", "body": "x"}, policy="asks")
    assert (again.ok, list(again.arguments)) == (True, ["to", "subject", "body", "bcc"])
