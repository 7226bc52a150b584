"""A policy around a function: what it is asked, and what of its answer is seen."""

from __future__ import annotations

import asyncio
import threading

import pytest

from lmops.errors import UsageError
from lmops.guardrails import rail
from lmops.guardrails.exchange import Exchange


@pytest.fixture
def policy(guarded):
    """The policy in production."""
    return guarded.guardrails.get("support@production")


def test_the_function_sees_what_passes_and_the_user_his_own_words(policy):
    """What was redacted of the question is restored in the answer; addresses of others are not shown."""
    seen = []

    @policy.wrap
    def answer(question, *, tone="kind"):
        """Answer."""
        seen.append((question, tone))
        return f"{question} {tone} c@d.eu"

    assert answer("I am a@b.eu", tone="short") == "I am a@b.eu short [EMAIL_2]"
    assert (seen, answer.__name__, answer.__doc__) == ([("I am [EMAIL_1]", "short")], "answer", "Answer.")


def test_who_is_blocked_reads_the_words_of_the_policy(policy):
    """Of a question the function is not called; of an answer nothing is seen."""
    seen = []
    answer = policy.wrap(lambda question: seen.append(question) or "a leak")
    assert (answer("attack"), answer("hello"), seen) == ("Not that.", "Not that.", ["hello"])


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ({"answer": "c@d.eu", "n": 1}, {"answer": "[EMAIL_1]", "n": 1}),
        (["fine", None], ["fine", None]),
        ({"a": ["leak"]}, "Not that."),
        (None, None),
    ],
)
def test_plain_data_passes_text_by_text(policy, given, seen):
    """It keeps its form unless it is blocked."""
    assert policy.wrap(lambda _question: given)("hello") == seen


def test_messages_pass_by_who_wrote_them(policy):
    """An earlier turn that is blocked gives way; what a tool returned is not restored; the system is not checked."""
    said = [
        {"role": "system", "content": "Never attack a@b.eu."},
        {"role": "user", "content": "attack"},
        {"role": "assistant", "content": "No, a@b.eu."},
        {"role": "user", "content": [{"type": "text", "text": "I am a@b.eu"}, {"type": "image_url", "image_url": {}}]},
        {"role": "tool", "tool_call_id": "1", "content": "c@d.eu"},
    ]
    seen = []
    answer = policy.wrap(lambda messages: seen.extend(messages) or "[EMAIL_1] [EMAIL_2]")
    assert answer(said) == "a@b.eu [EMAIL_2]"
    assert [one["content"] for one in seen[:3]] == ["Never attack [EMAIL_1].", "Not that.", "No, [EMAIL_1]."]
    assert (seen[3]["content"][0]["text"], seen[4]["content"]) == ("I am [EMAIL_1]", "[EMAIL_2]")
    assert said[1]["content"] == "attack"


def test_coroutines_and_generators_are_wrapped(policy):
    """Pieces of an answer come when it has passed."""

    @policy.wrap
    async def answer(question):
        return f"{question}!"

    @policy.wrap
    def pieces(question):
        yield from (question, " c@", "d.eu")

    @policy.wrap
    async def leaking(question):
        for one in (question, " le", "ak"):
            yield one

    async def collected(question):
        return [one async for one in leaking(question)]

    assert asyncio.run(answer("a@b.eu")) == "a@b.eu!"
    assert "".join(pieces("hi")) == "hi [EMAIL_1]"
    assert [*pieces("attack")] == ["Not that."]
    assert asyncio.run(collected("hi")) == ["Not that."]
    assert asyncio.run(collected("attack")) == ["Not that."]


def test_a_generator_is_closed_as_soon_as_its_answer_is_blocked(guarded):
    """Nothing more is asked of it."""
    policy, ended = guarded.guardrails.save("short", output=[{"rail": "denied", "phrases": ["free of charge"]}]), []

    @policy.wrap
    def pieces(question):
        try:
            yield from ["It is free of charge. ", *["And so on. "] * 100]
            ended.append("whole")
        finally:
            ended.append("closed")

    assert "".join(pieces("hello")) == policy.blocked_text
    assert ended == ["closed"]


@pytest.mark.parametrize(
    ("function", "given", "said"),
    [
        (lambda _one: "x", 3, "needs a text or a list of messages"),
        (lambda _one: object(), "hello", "the answer is a object"),
        (lambda _one: b"x", "hello", "the answer is a bytes"),
    ],
)
def test_what_cannot_be_checked_is_refused(policy, function, given, said):
    """Nothing passes unseen."""
    with pytest.raises(UsageError, match=said):
        policy.wrap(function)(given)
    with pytest.raises(UsageError, match="wrap a function"):
        policy.wrap("text")


def test_a_rail_that_waits_does_not_hold_up_the_loop(guarded, rails):
    """While it waits, others go on."""
    policy = guarded.guardrails.get("support")

    async def both():
        ended = []

        async def check():
            await policy.acheck("input", "hello")
            ended.append("check")

        async def other():
            ended.append("other")

        await asyncio.gather(check(), other())
        return ended

    assert asyncio.run(both()) == ["other", "check"]


def test_the_budget_is_that_of_the_whole_request(guarded, rails):
    """What the check of the question took is not there for that of the answer."""
    release = threading.Event()

    @rail(name="slow")
    def slow(given):
        """Wait when it is told to."""
        release.wait(60 if "wait" in given.text else 0)
        return ()

    said = {"rail": "slow", "on_error": "open", "timeout_s": 60}
    policy = guarded.guardrails.save("slow", input=[said], output=[said], budget_ms=50)
    exchange = Exchange(policy.checker())
    exchange.asked("wait")
    exchange.answered("hello")
    release.set()
    assert [bool(one.errors) for one in exchange.decisions] == [True, True]
