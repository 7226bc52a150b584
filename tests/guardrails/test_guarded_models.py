"""Calls of models that pass a policy."""

from __future__ import annotations

import asyncio

import pytest

from lmops.base.chat import ToolCall, Usage
from lmops.errors import ModelError, NotFoundError, UsageError
from lmops.models import Completion

POLICY = "support@production"


class Script:
    """A model that answers as a test says; ``asked`` is what it was asked."""

    def __init__(self, *pieces, **said):
        self.pieces, self.said, self.asked = pieces, said, None

    async def complete(self, messages):
        """Return the answer."""
        self.asked = messages
        told = {"model": "m", "requested_model": "m", "provider": "p", "usage": Usage(), "latency_ms": 1.0}
        return Completion(content="".join(self.pieces), **told | self.said)

    async def stream(self, messages, emit):
        """Hand over the pieces; ``left`` are those that nobody waited for."""
        found, self.left = await self.complete(messages), [*self.pieces]
        while self.left:
            await asyncio.sleep(0)
            emit(self.left.pop(0))
        emit(found)


@pytest.fixture
def asked(guarded):
    """Ask a script through the policy; return the completion and what was streamed of it."""

    def ask(script, text, *, is_stream=False):
        guard, messages, emitted = guarded.guardrails.guard(POLICY), [{"role": "user", "content": text}], []
        blank = Completion(content=None, model="m", requested_model="m", provider="p", usage=Usage(), latency_ms=0.0)
        if not is_stream:
            return asyncio.run(guard.complete(messages, script.complete, lambda: blank)), None
        asyncio.run(guard.stream(messages, script.stream, lambda: blank, emitted.append))
        return emitted[-1], "".join(emitted[:-1])

    return ask


@pytest.mark.parametrize("is_stream", [False, True])
def test_an_answer_passes_and_is_restored(asked, is_stream):
    """The model sees no address; the user sees his own."""
    script = Script("Dear [EMA", "IL_1], write to c@", "d.eu")
    found, shown = asked(script, "I am a@b.eu", is_stream=is_stream)
    assert script.asked[0]["content"] == "I am [EMAIL_1]"
    assert found.content == "Dear a@b.eu, write to [EMAIL_2]"
    assert shown in (None, found.content)
    assert [one.stage for one in found.decisions] == ["input", "output"]


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize(("text", "is_asked"), [("attack", False), ("hello", True)])
def test_who_is_blocked_reads_the_words_of_the_policy(asked, text, is_asked, is_stream):
    """The model is not asked what is blocked; of an answer that is blocked nothing is shown."""
    script = Script("a l", "eak")
    found, shown = asked(script, text, is_stream=is_stream)
    assert (found.content, found.finish_reason, found.is_blocked) == ("Not that.", "content_filter", True)
    assert shown in (None, "Not that.")
    assert (script.asked is not None) == is_asked


def test_a_stream_is_given_up_as_soon_as_it_is_blocked(guarded):
    """What had passed was shown; then come the policy's words, and the model is asked for no more."""
    policy = guarded.guardrails.save("short", output=[{"rail": "denied", "phrases": ["free of charge"]}])
    script, emitted = Script(*["All is well. "] * 100, "It is free of charge. ", *["And so on. "] * 100), []
    blank = Completion(content=None, model="m", requested_model="m", provider="p", usage=Usage(), latency_ms=0.0)
    messages = [{"role": "user", "content": "hello"}]
    asyncio.run(policy.guard.stream(messages, script.stream, lambda: blank, emitted.append))
    shown, found = "".join(emitted[:-1]), emitted[-1]
    assert (shown[:12], shown.endswith(policy.blocked_text), "free" in shown) == ("All is well.", True, False)
    assert (found.is_blocked, found.content, bool(script.left)) == (True, policy.blocked_text, True)


class Broken(Script):
    """A model whose answer cannot be used."""

    async def complete(self, messages):
        """Fail with the answer."""
        found = await super().complete(messages)
        error = ModelError(f"{found.content!r} does not fit", kind="bad_response", text=found.content)
        error.completion = found
        raise error

    async def stream(self, messages, emit):
        """Break off after the pieces."""
        for one in self.pieces:
            emit(one)
        emit(ModelError("it broke", kind="connection", text="".join(self.pieces)))


@pytest.mark.parametrize(
    ("said", "text", "message"),
    [("a leak", "Not that.", "guardrails blocked it"), ("c@d.eu", "[EMAIL_1]", "'[EMAIL_1]' does not fit")],
)
def test_an_answer_that_cannot_be_used_passes_as_well(asked, said, text, message):
    """What its error has of it is what the user may have."""
    with pytest.raises(ModelError) as caught:
        asked(Broken(said), "hello")
    assert (caught.value.text, caught.value.completion.content) == (text, text)
    assert message in str(caught.value)


def test_a_stream_that_breaks_off_has_passed(asked):
    """Its error has the text that was shown."""
    found, shown = asked(Broken("a", " leak"), "hello", is_stream=True)
    assert (found.kind, found.text, shown) == ("connection", "Not that.", "Not that.")


def test_calls_of_tools_pass(asked):
    """Their arguments are restored as JSON; one that is blocked blocks the answer."""
    call = ToolCall(id="1", name="mail", arguments='{"to": "[EMAIL_1]"}')
    found, _ = asked(Script(tool_calls=(call,)), "I am a@b.eu")
    assert [one.arguments for one in found.tool_calls] == ['{"to": "a@b.eu"}']
    bad = ToolCall(id="1", name="shell", arguments='{"run": "rm -rf /"}')
    found, _ = asked(Script(tool_calls=(bad,)), "hello")
    assert (found.tool_calls, found.content) == ((), "Not that.")


def test_parsed_answers_are_what_their_text_says(asked):
    """Restored, and without what was taken out."""
    found, _ = asked(Script('{"a": "[EMAIL_1]", "b": "c@d.eu"}', parsed={"a": "[EMAIL_1]", "b": "c@d.eu"}), "a@b.eu")
    assert found.parsed == {"a": "a@b.eu", "b": "[EMAIL_2]"}
    assert found.content == '{"a": "a@b.eu", "b": "[EMAIL_2]"}'


def test_models_of_a_workspace_take_a_policy(guarded):
    """By reference, or the policy itself; plain, awaited and streamed."""
    models, policy = guarded.models, guarded.guardrails.get(POLICY)
    found = models.complete("standin:ferry-1", "attack", guardrails=POLICY)
    assert (found.content, found.cost_usd, found.usage.output_tokens) == ("Not that.", 0.0, 0)
    assert models.complete("standin:ferry-1", "When does the ferry leave?", guardrails=policy).decisions
    guard = guarded.guardrails.guard(POLICY)
    assert asyncio.run(models.acomplete("standin:ferry-1", "attack", guardrails=guard)).is_blocked
    stream = models.stream("standin:ferry-1", "attack", guardrails=POLICY)
    assert (list(stream), stream.completion.is_blocked) == (["Not that."], True)
    plain = models.complete("standin:ferry-1", "attack")
    assert (plain.decisions, plain.is_blocked) == ((), False)


@pytest.mark.parametrize(("given", "error"), [("suport", NotFoundError), (3, UsageError), ("support@9", NotFoundError)])
def test_a_policy_that_is_not_there_is_said(guarded, given, error):
    """Before the model is asked."""
    with pytest.raises(error):
        guarded.models.complete("standin:ferry-1", "hello", guardrails=given)
