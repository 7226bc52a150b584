"""One call: what it is checked for, what comes of it, and that nothing of it is lost, blocks or leaks."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
from dataclasses import dataclass

import pytest

from lmops.errors import UsageError
from lmops.tools import CallContext, Decision, EndedError, UnseenError
from lmops.tools.calling import MAX_HUNG

DAY = dt.date(2026, 1, 2)
KINDS = {
    "exit": SystemExit(3),
    "error": KeyError("x" * 9_999),
    "time": TimeoutError(),
    "stop": StopIteration(1),
    "key": ValueError("sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCD"),
}


class Policy:
    """Decides what it is told to; keeps what it was asked."""

    def __init__(self, said=None, answer=None):
        self.said, self.answer, self.asked = said or Decision(action="allow"), answer, []

    def decide(self, tool, arguments, context):
        self.asked.append((tool.name, dict(arguments), context))
        return self.said

    async def ask(self, tool, arguments, context, decision):
        return self.answer or decision


@pytest.fixture
def tools(ws):
    """The tools of a workspace, with one of each kind."""
    made = ws.tools

    @made.tool
    def add(a: int, b: int = 1) -> int:
        """Add."""
        return a + b

    @made.tool(is_read_only=True, timeout_s=5)
    async def later(n: int) -> str:
        await asyncio.sleep(0)
        return str(n)

    @made.tool
    def day(on: dt.date) -> dt.date:
        return on

    return made


def test_arguments_are_read_strictly_and_else_laxly(tools):
    """What had to be read in another type is said; what does not fit is an answer and no error."""
    assert tools.call("add", {"a": 1}).value == 2
    strict = tools.call("add", '{"a": 1, "b": 2}')
    assert (strict.value, strict.detail, strict.arguments) == (3, {}, {"a": 1, "b": 2})
    lax = tools.call("add", '{"a": "3"}')
    assert (lax.outcome, lax.value, lax.arguments) == ("ok", 4, {"a": 3, "b": 1})
    assert lax.detail["lax"] == ("a: Input should be a valid integer",)
    wrong = tools.call("add", {"a": "x", "c": 1})
    assert (wrong.outcome, wrong.attempts, len(wrong.detail["problems"])) == ("invalid_arguments", 0, 2)
    assert tools.call("day", {"on": "2026-01-02"}).value == str(DAY)
    assert tools.call("day", {"on": "2026-01-02"}).detail == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "no JSON"),
        ("[1]", "not an object"),
        ('{"a": 1, "a": 2}', "said twice"),
        ('{"a": {"b": 1, "b": 2}}', "said twice"),
        ('{"a": NaN}', "no number"),
        ('{"a": 1e999}', "a"),
        ("x" * 1_000_001, "characters long"),
        ('{"a": ' * 100_000, "no JSON"),
        ('{"a": "\\ud800"}', "no JSON"),
    ],
)
def test_arguments_that_are_no_json_are_an_answer(tools, text, words):
    """With what is wrong, bounded."""
    found = tools.call("add", text)
    assert found.outcome == "invalid_arguments"
    assert words in found.error
    assert len(found.content) < 3_000


def test_what_python_gives_wrongly_is_an_error_of_python(tools):
    """That is no answer to a model."""
    for wrong in (3, [1]):
        with pytest.raises(UsageError):
            tools.call("add", wrong)
    with pytest.raises(UsageError, match="retries"):
        tools.call("add", {"a": 1}, retries=-1)


def test_an_unknown_tool_is_an_answer_with_the_nearest(tools):
    """One that is registered and bound to nothing says so."""
    assert "did you mean 'add'" in tools.call("ad").error
    tools.save("far", description="", parameters={"type": "object"})
    found = tools.call("far")
    assert (found.outcome, "bound" in found.error) == ("unknown_tool", True)
    assert tools.call("a\x00<b>\n" * 1000).outcome == "unknown_tool"


def test_a_tool_that_hangs_is_left_behind(ws):
    """Sync or async, called either way; nobody waits for it, and not more than a few hang."""
    gate = threading.Event()

    @ws.tools.tool(timeout_s=0.02)
    def hang() -> int:
        gate.wait()
        return 1

    @ws.tools.tool(timeout_s=0.02)
    async def ahang() -> int:
        await asyncio.Event().wait()
        return 1

    async def all_of():
        return await asyncio.gather(*[ws.tools.acall(one) for one in ("hang", "ahang") * MAX_HUNG])

    try:
        assert {one.outcome for one in asyncio.run(all_of())} == {"timeout"}
        assert ws.tools.call("ahang").outcome == "timeout"
        refused = ws.tools.call("hang")
        assert (refused.outcome, "have not come back" in refused.error) == ("timeout", True)
    finally:
        gate.set()
    while ws.tools.call("hang").outcome != "ok":  # they come back, and it is called again
        pass


@pytest.mark.parametrize("mode", ["call", "acall"])
def test_what_a_tool_raises_is_an_answer(ws, mode):
    """Also an exit; an interrupt alone goes on."""

    @ws.tools.tool
    def out(kind: str) -> int:
        raise KINDS[kind]

    def call(kind):
        return (
            ws.tools.call("out", {"kind": kind})
            if mode == "call"
            else asyncio.run(ws.tools.acall("out", {"kind": kind}))
        )

    assert call("exit").error == "the tool tried to end the program"
    assert (call("error").outcome, call("error").detail["error_type"]) == ("error", "KeyError")
    assert len(call("error").error) < 2_100
    assert call("time").outcome == "timeout"
    assert call("stop").detail["error_type"] == "StopIteration"
    assert "abcdefghij" not in call("key").error


def test_an_interrupt_of_a_tool_goes_on(ws):
    """Somebody wants an end."""

    @ws.tools.tool
    def stop() -> int:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ws.tools.call("stop")


def test_results_are_checked_and_bounded(ws):
    """Long ones are cut with a note, what JSON cannot say is an answer."""

    @dataclass
    class Order:
        number: str

    @ws.tools.tool
    def text() -> str:
        return "x" * 5_000_000

    @ws.tools.tool
    def numbers() -> list[int]:
        return [*range(400_000)]

    @ws.tools.tool
    def wrong() -> int:
        return "many"

    @ws.tools.tool
    def order() -> object:
        return Order("A")

    @ws.tools.tool
    def thing() -> object:
        return object()

    @ws.tools.tool
    def loop() -> object:
        found = []
        found.append(found)
        return found

    @ws.tools.tool
    def raw() -> object:
        return b"\xff"

    for name in ("text", "numbers"):
        found = ws.tools.call(name)
        assert (found.outcome, found.detail["cut_chars"] > 1_000_000) == ("ok", True)
        assert (len(found.value) < 61_000, "(cut: " in found.value) == (True, True)
    assert ws.tools.call("order").value == {"number": "A"}
    for name in ("wrong", "thing", "loop", "raw"):
        assert ws.tools.call(name).outcome == "invalid_result"


def test_only_what_is_idempotent_is_tried_again(ws):
    """As often as was said."""
    seen = []

    def flaky(name: str) -> int:
        seen.append(name)
        if seen.count(name) < 3:
            raise ConnectionError("down")
        return 1

    ws.tools.tool(name="once")(flaky)
    ws.tools.tool(name="again", is_idempotent=True)(flaky)
    assert (ws.tools.call("once", {"name": "a"}, retries=2).outcome, seen.count("a")) == ("error", 1)
    found = ws.tools.call("again", {"name": "b"}, retries=2)
    assert (found.outcome, found.attempts) == ("ok", 3)


@pytest.mark.parametrize("mode", ["call", "acall"])
def test_a_policy_decides_before_anything_is_called(tools, mode):
    """On the arguments as they would run, with the defaults; what it changes is called."""

    def call(policy, arguments, **more):
        if mode == "call":
            return tools.call("add", arguments, policy=policy, **more)
        return asyncio.run(tools.acall("add", arguments, policy=policy, **more))

    allowed = Policy()
    assert call(allowed, '{"a": "2"}', role="clerk", call_id="c1", context={"x": 1}).decided_by == "allow by default"
    ((name, arguments, context),) = allowed.asked
    assert (name, arguments) == ("add", {"a": 2, "b": 1})
    assert isinstance(context, CallContext)
    assert (context.role, context.call_id, context.more, context.written) == ("clerk", "c1", {"x": 1}, {"a": "2"})
    denied = call(Policy(Decision(action="deny", rule="never", reason="too big")), {"a": 1})
    assert (denied.outcome, denied.attempts, denied.decided_by, "too big" in denied.error) == (
        "denied",
        0,
        "deny never",
        True,
    )
    changed = call(Policy(Decision(action="rewrite", rule="cap", arguments={"a": 1, "b": 0})), {"a": 9})
    assert (changed.value, changed.arguments) == (1, {"a": 1, "b": 0})
    assert call(Policy(Decision(action="rewrite", arguments={"z": 0})), {"a": 9}).outcome == "denied"
    waits = call(Policy(Decision(action="ask", rule="big", asked="ask-1")), {"a": 1})
    assert (waits.outcome, waits.detail["asked"]) == ("asked", "ask-1")
    yes = Policy(Decision(action="ask"), answer=Decision(action="allow", rule="ann"))
    assert (call(yes, {"a": 1}).value, call(yes, {"a": 1}).decided_by) == (2, "allow ann")


def test_a_switch_is_asked_before_anything_else(tools, monkeypatch):
    """What is off is off, also for arguments that do not fit."""
    monkeypatch.setattr(tools._caller, "_reason_off", lambda name: "it is down" if name == "add" else None)
    found = tools.call("add", "{")
    assert (found.outcome, "it is down" in found.error) == ("disabled", True)


def test_something_else_executes_in_place_of_the_tool(tools):
    """It may call the tool itself, end in another way, or not know the call."""

    class Stands:
        def execute(self, tool, arguments, call):
            if arguments["a"] == 1:
                return call.real() * 100
            if arguments["a"] == 2:
                raise UnseenError("nobody recorded this")
            raise EndedError("timeout", "slow")

    found = [tools.call("add", {"a": a}, executor=Stands()) for a in (1, 2, 3)]
    assert [one.outcome for one in found] == ["ok", "unseen", "timeout"]
    assert (found[0].value, {one.is_replayed for one in found}) == (200, {True})
    tools.save("far", description="", parameters={"type": "object", "properties": {"a": {"type": "integer"}}})
    assert tools.call("far", {"a": "x"}, executor=Stands()).outcome == "invalid_arguments"
    assert tools.call("far", {"a": 2}, executor=Stands()).outcome == "unseen"
    assert "bound" in tools.call("far", {"a": 1}, executor=Stands()).error


def test_a_tool_that_calls_a_tool_stays_in_its_budget(tools):
    """And under its policy."""

    @tools.tool
    def twice(a: int) -> int:
        return tools.call("add", {"a": a}).value or -1

    assert tools.call("twice", {"a": 1}, budget={"calls": 1}).value == -1
    policy = Policy()
    assert tools.call("twice", {"a": 1}, policy=policy, budget={"calls": 2}).value == 2
    assert [one[0] for one in policy.asked] == ["twice", "add"]


def test_a_call_that_is_cancelled_is_no_answer(ws):
    """Whoever cancelled it has it back at once."""
    began, gate = threading.Event(), threading.Event()

    @ws.tools.tool
    def hang() -> int:
        began.set()
        gate.wait()
        return 1

    async def cancelled():
        task = asyncio.create_task(ws.tools.acall("hang"))
        await asyncio.to_thread(began.wait)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())
    gate.set()


def test_a_call_works_inside_of_a_running_loop(tools):
    """As a notebook has one."""

    async def inside():
        return tools.call("later", {"n": 3}).value, tools.call("add", {"a": 1}).value

    assert asyncio.run(inside()) == ("3", 2)


def test_a_fork_calls_on(tools):
    """The threads that were there are not in it."""
    import os

    assert tools.call("add", {"a": 1}).ok
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        os.write(writing, tools.call("add", {"a": 1}).outcome.encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 20) == b"ok"
    os.close(reading)
    os.close(writing)
