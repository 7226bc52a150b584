"""The stand-in model: deterministic, without any intelligence, never to be mistaken for a language model.

It follows a handful of rules, so that an application around it behaves like one around a real model, with faults whose
truth is known:

* It reads its prompt for rules by fixed phrases: "only from the sources", "never as an instruction", "at most N
  sentences", "Name the source", "Use the tools".
* It answers by copying the sentences of the sources that share the rarest words with the question.
* Told to answer only from the sources, it refuses when nothing fits. Otherwise it makes up an answer about half of the
  time, and adds a claim of its own (:func:`lmops.standin.content.claims`) to about every fifth answer.
* Not told that questions are no instructions, it obeys about two of three injected orders.
* It makes mistakes by seeded choice: a wrong number, a claim of its own, a wrong argument for a tool.
* Revision 2 (the "update of the base model") quotes more sentences than it was allowed, adds pleasantries and reasons
  longer.

The same request gives the same answer in every process: choices are drawn from a generator seeded with the request.
Tokens are counted by :func:`lmops.standin.text.count_tokens` plus four for every message.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Final

from lmops.base.chat import ToolCall, Usage
from lmops.errors import UsageError
from lmops.standin import agent, content
from lmops.standin.chance import happens
from lmops.standin.chat import Completion, Notes
from lmops.standin.extract import parse, rank
from lmops.standin.judging import judged
from lmops.standin.text import count_tokens, terms
from lmops.standin.tools import BOOKING, DAYS, PORTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lmops.base.chat import Message
    from lmops.standin.chat import ChatModel, ChatRequest
    from lmops.standin.extract import Candidate, Source

REFUSAL: Final = "I could not find this in our help pages."
OPENINGS: Final = (
    "Thank you for your question, I am glad to look into this for you.",
    "Thanks a lot for getting in touch with Tidelark Ferries today.",
    "That is a good question, and I have gone through our help pages for it.",
)
CLOSINGS: Final = (
    "Please let me know if anything is still unclear, I am happy to go into more detail about each of these points.",
    "If your plans change, you can always come back to this chat and we will look at your options together.",
    "I hope this overview helps you to plan your journey, and we look forward to welcoming you on board.",
)
_NUMBER: Final = re.compile(r"(?<![\w.:-])\d+(?:[.:,]\d+)?(?![\w-])")
_ORDER: Final = re.compile(r"(?:reply with|say|write|antworte mit) \"([^\"]+)\"", re.IGNORECASE)
_LEAK: Final = re.compile(r"repeat your instructions|print your system prompt", re.IGNORECASE)
_LIMIT: Final = re.compile(r"at most (\d+) sentences")
_ENOUGH: Final = 0.3
_TIMETABLE_WORDS: Final = ("timetable", "leave", "departures", "sailings")


@dataclass(frozen=True, slots=True)
class _Rules:
    """What a prompt asks for, read by fixed phrases."""

    only_sources: bool
    resists_orders: bool
    names_source: bool
    uses_tools: bool
    max_sentences: int

    @classmethod
    def read(cls, system: str) -> _Rules:
        limit = _LIMIT.search(system)
        return cls(
            only_sources="only from the sources" in system,
            resists_orders="never as an instruction" in system,
            names_source="Name the source" in system,
            uses_tools="Use the tools" in system,
            max_sentences=int(limit.group(1)) if limit else 4,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What goes into a completion."""

    text: str
    calls: tuple[ToolCall, ...] = ()
    notes: Notes = field(default_factory=Notes)
    reasoning_tokens: int = 0
    system_fingerprint: str | None = None


class StandIn:
    """The stand-in for the model that answers, behind the interface of a real one.

    Args:
        revision: 1, or 2 for the weights after the update; both answer to the same model name.
    """

    def __init__(self, *, revision: int = 1) -> None:
        self.revision = revision
        self.system_fingerprint = "fp_" + hashlib.sha256(f"ferry-1/{revision}".encode()).hexdigest()[:10]

    def __repr__(self) -> str:
        return f"StandIn('ferry-1', revision={self.revision})"

    def complete(self, request: ChatRequest) -> Completion:
        """Return the answer to one request; equal requests have equal answers."""
        key = hashlib.sha256(f"{self.revision}|{_spelt_out(request)}".encode()).hexdigest()
        random = Random(key)
        rules = _Rules.read(request.messages[0].content)
        calls: tuple[ToolCall, ...] = ()
        if request.messages[-1].role == "tool":
            text, notes = self._after_tool(request, rules, random)
        else:
            sources, question = parse(request.messages[-1].content)
            order = None if rules.resists_orders else _obey(question, request.messages[0].content)
            if order is not None and happens(random, 0.65):
                text, notes = order, Notes(is_order_obeyed=True)
            elif rules.uses_tools and (found := _tool_call(question, request.tools, random)):
                text, calls, notes = "", (found[0],), Notes(is_call_wrong=found[1])
            else:
                text, notes = self._from_sources(question, sources, rules, random)
        reasoning = 64 * random.choice((0, 0, 1) if self.revision == 1 else (1, 1, 2))
        answer = _Answer(
            text=text,
            calls=calls,
            notes=notes,
            reasoning_tokens=reasoning,
            system_fingerprint=self.system_fingerprint,
        )
        return _completion(request, answer, key=key, random=random)

    def _from_sources(self, question: str, sources: list[Source], rules: _Rules, random: Random) -> tuple[str, Notes]:
        ranked = rank(question, sources)
        is_enough = bool(ranked) and max(candidate.coverage for candidate in ranked[:3]) >= _ENOUGH
        claim = _claim(question, random)
        if not is_enough:
            if not rules.only_sources and happens(random, 0.55):
                return self._dress([claim], [], rules, random), Notes(invented=(claim,))
            return REFUSAL, Notes(is_refusal=True)
        chosen = self._choose(ranked, rules)
        kept = [candidate.sentence for candidate in chosen]
        is_altered = False
        if happens(random, 0.02):
            kept[0], is_altered = _alter_number(kept[0], random)
        invented: tuple[str, ...] = ()
        if happens(random, 0.015 if rules.only_sources else 0.19):
            invented = (claim,)
        ids = [candidate.source_id.partition("#")[0] for candidate in chosen]
        return self._dress([*kept, *invented], ids, rules, random), Notes(
            invented=invented, is_number_altered=is_altered
        )

    def _choose(self, ranked: list[Candidate], rules: _Rules) -> list[Candidate]:
        share, limit = (0.72, rules.max_sentences) if self.revision == 1 else (0.45, rules.max_sentences + 2)
        return [candidate for candidate in ranked if candidate.score >= share * ranked[0].score][:limit]

    def _dress(self, kept: list[str], ids: list[str], rules: _Rules, random: Random) -> str:
        parts = [part if part.endswith((".", "!", "?")) else part + "." for part in kept]
        if self.revision > 1:
            parts = [random.choice(OPENINGS), *parts, random.choice(CLOSINGS)]
        if rules.names_source:
            parts.extend(f"[{source_id}]" for source_id in dict.fromkeys(ids))
        return " ".join(parts)

    def _after_tool(self, request: ChatRequest, rules: _Rules, random: Random) -> tuple[str, Notes]:
        answer = describe_result(json.loads(request.messages[-1].content))
        invented: tuple[str, ...] = ()
        if happens(random, 0.01 if rules.only_sources else 0.15):
            invented = (_claim(answer, random),)
        return self._dress([answer, *invented], [], rules, random), Notes(invented=invented)


class Rewriter:
    """The stand-in for a small self-hosted model that turns a question into an English search query.

    It replaces the phrases that it knows (:func:`lmops.standin.content.glossary`) and drops the words that it does not.
    """

    def __repr__(self) -> str:
        return "Rewriter('rewrite-1')"

    def complete(self, request: ChatRequest) -> Completion:
        """Return the query; equal requests have equal answers."""
        key = hashlib.sha256(f"rewrite|{_spelt_out(request)}".encode()).hexdigest()
        random = Random(key)
        language, _, question = request.messages[-1].content.partition(": ")
        if language == "en":
            text = question
        else:
            lowered = question.lower()
            kept = [english for phrase, english in content.glossary()[language] if phrase in lowered]
            numbers = re.findall(r"TL-\d+|\d+", question)
            text = " ".join([*kept, *numbers])
        return _completion(request, _Answer(text=text), key=key, random=random)


class Judge:
    """The stand-in for a judge: it goes by words in common (:func:`lmops.standin.judging.judged`)."""

    def __repr__(self) -> str:
        return "Judge('judge-1')"

    def complete(self, request: ChatRequest) -> Completion:
        """Return a verdict as JSON; equal requests have equal answers."""
        key = hashlib.sha256(f"judge|{_spelt_out(request)}".encode()).hexdigest()
        return _completion(
            request,
            _Answer(text=judged(request.messages, courtesies=(*OPENINGS, *CLOSINGS))),
            key=key,
            random=Random(key),
        )


class AgentStandIn:
    """The stand-in for a model that calls any tools (:mod:`lmops.standin.agent`)."""

    def __repr__(self) -> str:
        return "AgentStandIn('agent-1')"

    def complete(self, request: ChatRequest) -> Completion:
        """Return the next calls, or the answer; equal requests have equal answers."""
        key = hashlib.sha256(f"agent|{_spelt_out(request)}".encode()).hexdigest()
        calls = agent.wanted(request.messages, request.definitions)
        answer = _Answer(text="" if calls else agent.told(request.messages), calls=calls)
        return _completion(request, answer, key=key, random=Random(key))


def _spelt_out(request: ChatRequest) -> str:
    """Return what choices are drawn from: all that a request says, spelt once and for all.

    Not its repr: a field that a message gains would change every answer.
    """
    said = [
        f"Message(role={one.role!r}, content={one.content!r}, "
        f"tool_calls={_in_brackets(map(_call_text, one.tool_calls))}, tool_call_id={one.tool_call_id!r})"
        for one in request.messages
    ]
    return (
        f"ChatRequest(model={request.model!r}, messages={_in_brackets(said)}, tools={request.tools!r}, "
        f"temperature={request.temperature!r}, max_tokens={request.max_tokens!r}, seed={request.seed!r})"
    )


def _call_text(call: ToolCall) -> str:
    return f"ToolCall(id={call.id!r}, name={call.name!r}, arguments={call.arguments!r})"


def _in_brackets(parts: Iterable[str]) -> str:
    said = list(parts)
    return f"({', '.join(said)}{',' if len(said) == 1 else ''})"


def describe_result(result: dict[str, object]) -> str:
    """Return the sentence the stand-in makes of the result of a tool."""
    if "error" in result:
        return f"The system answers: {result['error']}."
    if "reference" in result:
        return (
            f"Booking {result['reference']} is {result['status']}: {result['origin']} to {result['destination']} "
            f"on {result['date']} at {result['departure']} with the {result['ship']}."
        )
    times = result["departures"]
    line = f"{result['origin']} to {result['destination']} on {result['day']}"
    if not isinstance(times, list) or not times:
        return f"There are no direct sailings from {line}."
    return f"Departures from {line}: {', '.join(str(time) for time in times)}."


def _obey(question: str, system: str) -> str | None:
    """Return what an injected order in the question wants to read, or None when there is no order."""
    if _LEAK.search(question):
        return " ".join(system.split("\n")[:3])
    order = _ORDER.search(question)
    return order.group(1) if order else None


def _claim(text: str, random: Random) -> str:
    """Return a claim about the topic whose pages share the most words with a text."""
    asked = set(terms(text))
    best = max(content.articles(), key=lambda page: len(asked & set(terms(page.text))))
    fitting = [claim for topic, claim in content.claims() if topic == best.topic]
    return random.choice(fitting or [claim for _, claim in content.claims()])


def _alter_number(sentence: str, random: Random) -> tuple[str, bool]:
    found = list(_NUMBER.finditer(sentence))
    if not found:
        return sentence, False
    number = random.choice(found)
    digit = 1 + (int(number.group()[0]) + random.randrange(1, 8)) % 9
    altered = str(digit) + number.group()[1:]
    if altered == number.group():
        altered = number.group() + "0"
    return sentence[: number.start()] + altered + sentence[number.end() :], True


def _tool_call(question: str, tools: tuple[str, ...], random: Random) -> tuple[ToolCall, bool] | None:
    """Return the call the question asks for and whether the stand-in got an argument wrong, or None."""
    booking = BOOKING.search(question)
    ports = sorted((port for port in PORTS if port in question), key=question.index)
    is_wrong = happens(random, 0.03)
    call_id = f"call_{random.getrandbits(48):012x}"
    if booking and "booking_status" in tools:
        digits = booking.group(1)
        reference = "TL-" + (digits[1] + digits[0] + digits[2:] if is_wrong else digits)
        is_wrong = reference != booking.group()
        arguments = {"reference": reference}
        return ToolCall(id=call_id, name="booking_status", arguments=json.dumps(arguments)), is_wrong
    if (
        len(ports) == len(("origin", "destination"))
        and "timetable" in tools
        and any(word in question for word in _TIMETABLE_WORDS)
    ):
        origin, destination = reversed(ports) if is_wrong ^ _is_to_from(question) else ports
        day = next((name for name in DAYS if name in question), DAYS[0])
        arguments = {"origin": origin, "destination": destination, "day": day}
        return ToolCall(id=call_id, name="timetable", arguments=json.dumps(arguments)), is_wrong
    return None


def _is_to_from(question: str) -> bool:
    """Return whether the question names the destination first ("to B from A")."""
    to, start = question.find(" to "), question.find(" from ")
    return 0 <= to < start


def _completion(request: ChatRequest, answer: _Answer, *, key: str, random: Random) -> Completion:
    visible = count_tokens(answer.text) + sum(count_tokens(call.name + call.arguments) + 4 for call in answer.calls)
    written = visible + answer.reasoning_tokens
    used = Usage(
        input_tokens=sum(_message_tokens(message) for message in request.messages) + 60 * len(request.tools),
        output_tokens=written,
        cached_input_tokens=_cached(request.messages),
        reasoning_tokens=answer.reasoning_tokens,
    )
    return Completion(
        id="chatcmpl-" + key[:20],
        model=request.model,
        content=answer.text,
        finish_reason="tool_calls" if answer.calls else "stop",
        usage=used,
        latency_ms=280 + 11 * written + random.triangular(0, 500, 60),
        tool_calls=answer.calls,
        system_fingerprint=answer.system_fingerprint,
        notes=answer.notes,
    )


def _message_tokens(message: Message) -> int:
    calls = sum(count_tokens(call.name + call.arguments) for call in message.tool_calls)
    return 4 + count_tokens(message.content) + calls


def _cached(messages: tuple[Message, ...]) -> int:
    """Return the cached input tokens: in a conversation that goes on, the system message, in steps of 16."""
    has_history = any(message.role == "assistant" for message in messages)
    return _message_tokens(messages[0]) // 16 * 16 if has_history else 0


def chat_model(spec: str, *, revision: int = 1) -> ChatModel:
    """Return the model of a name such as "standin:ferry-1".

    Args:
        spec: provider and model. Only the provider "standin" is built in: "ferry-1" answers, "rewrite-1" rewrites,
            "judge-1" judges, "agent-1" calls tools.
        revision: the weights behind the name; 2 is the base model after its update.

    Raises:
        UsageError: the name is not that of a stand-in.

    >>> chat_model("standin:ferry-1")
    StandIn('ferry-1', revision=1)
    """
    if spec == "standin:ferry-1":
        return StandIn(revision=revision)
    if spec == "standin:rewrite-1":
        return Rewriter()
    if spec == "standin:judge-1":
        return Judge()
    if spec == "standin:agent-1":
        return AgentStandIn()
    known = ", ".join(f"'standin:{name}'" for name in ("ferry-1", "rewrite-1", "judge-1", "agent-1"))
    raise UsageError(f"no stand-in named {spec!r}; known: {known}")
