"""The application that is observed: guardrail, rewrite, retrieve, rerank, prompt, model, tool, model, guardrail.

Its instrumentation follows the current ``gen_ai.*`` conventions of OpenTelemetry; kinds of span that those do not name
(chain, guardrail, reranker, prompt) carry ``openinference.span.kind``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Final, Literal

from opentelemetry.trace import SpanKind

from lmops.base.chat import Message
from lmops.guardrails import attributes_of
from lmops.sample.guardrail import recorded
from lmops.sample.retrieval import rerank
from lmops.sample.telemetry import AttributeValue, compact
from lmops.standin import content
from lmops.standin.chat import ChatRequest, Completion, Notes
from lmops.standin.text import count_tokens
from lmops.standin.tools import TOOL_NAMES, ToolUnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lmops.guardrails import Checker, Decision
    from lmops.prompts import PromptVersion
    from lmops.sample.retrieval import Hit, Index
    from lmops.sample.telemetry import Telemetry
    from lmops.standin.chat import ChatModel
    from lmops.standin.tools import Toolbox

CHAT_PROVIDER: Final = "openai"
CHAT_MODEL: Final = "gpt-5-mini"
EMBEDDING_MODEL: Final = "text-embedding-3-small"
#: Self-hosted: no price list knows it.
REWRITE_PROVIDER: Final = "vllm"
REWRITE_MODEL: Final = "harbour-rewrite-3b"
RETRIEVED: Final = 5
KEPT: Final = 3
ATTEMPTS: Final = 2
#: A follow-up with fewer words is rewritten before retrieval.
SHORT_WORDS: Final = 9
SORRY: Final = "Sorry, something went wrong on our side. Please try again in a few minutes."


class ModelError(Exception):
    """A failed call of a model endpoint; ``code`` is the value of ``error.type``."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


_FAULTS: Final[dict[str, tuple[str, float]]] = {
    "429": ("Error code: 429 - rate limit reached for gpt-5-mini, please try again in 2s", 120.0),
    "timeout": ("Request timed out after 20 s", 20_000.0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One question of one user.

    Args:
        prompt_version: Of the prompt that answers.
        faults: Failures ("429", "timeout") that its model calls meet, in order.
        prompt: The version in a store that is rendered; None: that of the package.
        marks: What else stands on the span of the request, such as which arm of a route answers.
        guard: The policy of a store that guards it; None: the one of the two weeks.
    """

    question: str
    language: str
    session_id: str
    user_id: str
    number: int
    prompt_version: int
    seed: int
    history: tuple[Message, ...] = ()
    faults: tuple[str, ...] = ()
    prompt: PromptVersion | None = None
    marks: Mapping[str, AttributeValue] = field(default_factory=dict)
    guard: Checker | None = None


@dataclass(slots=True, kw_only=True)
class Reply:
    """What came of a turn, with what the stand-in knows about it."""

    trace_id: str = ""
    answer: str = ""
    retrieved: list[Hit] = field(default_factory=list)
    kept: list[Hit] = field(default_factory=list)
    notes: list[Notes] = field(default_factory=list)
    blocked_by: str | None = None
    is_output_blocked: bool = False
    failure: str | None = None
    failed_model_calls: int = 0
    failed_tool_calls: int = 0
    end_ns: int = 0


class SupportApp:
    """The support assistant.

    Args:
        chat: the model that answers.
        rewriter: the model that turns questions into English search queries.
        index: where the help pages are found.
        tools: what the model may call.
        telemetry: where spans go, and the clock.
    """

    def __init__(
        self, *, chat: ChatModel, rewriter: ChatModel, index: Index, tools: Toolbox, telemetry: Telemetry
    ) -> None:
        self._chat = chat
        self._rewriter = rewriter
        self._index = index
        self._tools = tools
        self._telemetry = telemetry
        self._clock = telemetry.clock
        self._recorded = recorded()

    def answer(self, turn: Turn) -> Reply:
        """Return the reply to one turn; failures of models and tools end in an apology, never in an exception."""
        reply = Reply()
        random = Random(f"latency {turn.seed}")
        attributes = _kind("CHAIN") | {
            "gen_ai.operation.name": "invoke_workflow",
            "gen_ai.workflow.name": "support",
            "gen_ai.conversation.id": turn.session_id,
            "user.id": turn.user_id,
            "input.value": turn.question,
            **turn.marks,
        }
        with self._telemetry.span("support.answer", attributes, kind=SpanKind.SERVER, root=True) as span:
            reply.trace_id = f"{span.get_span_context().trace_id:032x}"
            try:
                reply.answer = self._steps(turn, reply, random)
            except (ModelError, ToolUnavailableError) as error:
                reply.answer, reply.failure = SORRY, type(error).__name__
                self._telemetry.fail(span, error)
            span.set_attribute("output.value", reply.answer)
            self._clock.advance(random.triangular(0.2, 2, 0.5))
        reply.end_ns = self._clock.now_ns
        return reply

    def _steps(self, turn: Turn, reply: Reply, random: Random) -> str:
        faults = list(turn.faults)
        asked = self._guard("input", turn.question, turn, random)
        if asked.is_blocked:
            reply.blocked_by = _rule(asked)
            return asked.text
        query = turn.question
        if _needs_rewrite(turn):
            query = self._rewrite(turn, random)
        reply.retrieved = self._retrieve(query, random)
        reply.kept = self._rerank(query, reply.retrieved, random)
        messages = self._render(turn, query, reply.kept, random)
        done = self._complete(turn, messages, faults, reply, random)
        if done.tool_calls:
            call = done.tool_calls[0]
            result = self._run_tool(done, reply, random)
            called = Message(role="assistant", tool_calls=(call,))
            told = Message(role="tool", content=result, tool_call_id=call.id)
            done = self._complete(turn, (*messages, called, told), faults, reply, random)
        said = self._guard("output", done.content, turn, random, system_prompt=messages[0].content)
        reply.is_output_blocked = said.is_blocked
        return said.text

    def _guard(
        self, stage: Literal["input", "output"], text: str, turn: Turn, random: Random, *, system_prompt: str = ""
    ) -> Decision:
        with self._telemetry.span(f"guardrail {stage}", _kind("GUARDRAIL") | {"input.value": text}) as span:
            context = {"question": turn.question, "system_prompt": system_prompt}
            decision = (turn.guard or self._recorded).check(stage, text, context=context)
            span.set_attributes(_as_recorded(decision) if turn.guard is None else attributes_of(decision))
            span.set_attribute("output.value", _done(decision))
            self._clock.advance(random.triangular(0.5, 6, 1.5))
        return decision

    def _rewrite(self, turn: Turn, random: Random) -> str:
        request = ChatRequest(
            model=REWRITE_MODEL,
            messages=(
                Message(role="system", content="Rewrite the question as an English search query."),
                Message(role="user", content=f"{turn.language}: {turn.question}"),
            ),
            temperature=0.0,
            max_tokens=80,
            seed=turn.seed,  # makes the response id, which must be unique, differ between equal questions
        )
        with self._telemetry.span(
            f"chat {REWRITE_MODEL}", _request(request, REWRITE_PROVIDER, turn), kind=SpanKind.CLIENT
        ) as span:
            done = self._rewriter.complete(request)
            self._clock.advance(60 + 4 * (done.usage.output_tokens or 0) + random.triangular(0, 60, 10))
            span.set_attributes(_response(done))
        return done.content

    def _retrieve(self, query: str, random: Random) -> list[Hit]:
        attributes: dict[str, AttributeValue] = {
            "gen_ai.operation.name": "retrieval",
            "gen_ai.data_source.id": "help-articles",
            "gen_ai.retrieval.query.text": query,
            "gen_ai.retrieval.top_k": RETRIEVED,
            "lmops.index.fingerprint": self._index.fingerprint,
        }
        with self._telemetry.span("retrieval help-articles", attributes, kind=SpanKind.CLIENT) as span:
            self._embed(query, random)
            hits = self._index.search(query, top_k=RETRIEVED)
            self._clock.advance(random.triangular(4, 45, 9))
            rows = [{"id": hit.chunk.id, "score": hit.score, "content": hit.chunk.content} for hit in hits]
            span.set_attribute("gen_ai.retrieval.documents", compact(rows))
        return hits

    def _embed(self, query: str, random: Random) -> None:
        attributes: dict[str, AttributeValue] = {
            "gen_ai.operation.name": "embeddings",
            "gen_ai.provider.name": CHAT_PROVIDER,
            "gen_ai.request.model": EMBEDDING_MODEL,
            "gen_ai.response.model": EMBEDDING_MODEL,
            "gen_ai.usage.input_tokens": count_tokens(query),
            "gen_ai.embeddings.dimension.count": 512,
        }
        with self._telemetry.span(f"embeddings {EMBEDDING_MODEL}", attributes, kind=SpanKind.CLIENT):
            self._clock.advance(random.triangular(30, 160, 55))

    def _rerank(self, query: str, hits: list[Hit], random: Random) -> list[Hit]:
        attributes = _kind("RERANKER") | {"reranker.query": query, "reranker.top_k": KEPT}
        with self._telemetry.span("rerank", attributes) as span:
            kept = rerank(query, hits, top_k=KEPT)
            self._clock.advance(random.triangular(8, 60, 18))
            for number, hit in enumerate(kept):
                prefix = f"reranker.output_documents.{number}.document"
                span.set_attribute(f"{prefix}.id", hit.chunk.id)
                span.set_attribute(f"{prefix}.score", hit.score)
        return kept

    def _render(self, turn: Turn, query: str, kept: list[Hit], random: Random) -> tuple[Message, ...]:
        attributes = _kind("PROMPT") | _prompt(turn) | {"gen_ai.prompt.variable.question": turn.question}
        with self._telemetry.span(f"prompt {content.PROMPT_NAME}", attributes):
            question = turn.question if turn.language == "en" else f"{turn.question}\n(in English: {query})"
            sources = "\n".join(f"[{hit.chunk.id}] {hit.chunk.content}" for hit in kept)
            system, user = _rendered(turn, sources=sources, question=question)
            self._clock.advance(random.triangular(0.1, 1, 0.3))
        return (Message(role="system", content=system), *turn.history, Message(role="user", content=user))

    def _complete(
        self, turn: Turn, messages: tuple[Message, ...], faults: list[str], reply: Reply, random: Random
    ) -> Completion:
        request = ChatRequest(model=CHAT_MODEL, messages=messages, tools=TOOL_NAMES, seed=turn.seed)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                done = self._call(turn, request, faults)
            except ModelError:
                reply.failed_model_calls += 1
                if attempt == ATTEMPTS:
                    raise
                self._clock.advance(random.triangular(400, 2500, 900))
            else:
                reply.notes.append(done.notes)
                return done
        raise AssertionError("unreachable")

    def _call(self, turn: Turn, request: ChatRequest, faults: list[str]) -> Completion:
        attributes = _request(request, CHAT_PROVIDER, turn) | _prompt(turn)
        with self._telemetry.span(f"chat {CHAT_MODEL}", attributes, kind=SpanKind.CLIENT) as span:
            if faults:
                code = faults.pop(0)
                message, wait_ms = _FAULTS[code]
                self._clock.advance(wait_ms)
                raise ModelError(code, message)
            done = self._chat.complete(request)
            self._clock.advance(done.latency_ms)
            span.set_attributes(_response(done))
        return done

    def _run_tool(self, done: Completion, reply: Reply, random: Random) -> str:
        call = done.tool_calls[0]
        attributes: dict[str, AttributeValue] = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": call.name,
            "gen_ai.tool.type": "function",
            "gen_ai.tool.call.id": call.id or "",
            "gen_ai.tool.call.arguments": call.arguments,
        }
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with self._telemetry.span(f"execute_tool {call.name}", attributes) as span:
                    self._clock.advance(random.triangular(40, 400, 90))
                    result = compact(self._tools.run(call.name, json.loads(call.arguments), now_ns=self._clock.now_ns))
                    span.set_attribute("gen_ai.tool.call.result", result)
            except ToolUnavailableError:
                reply.failed_tool_calls += 1
                self._clock.advance(random.triangular(200, 800, 300))
                if attempt == ATTEMPTS:
                    raise
            else:
                return result
        raise AssertionError("unreachable")


def _as_recorded(decision: Decision) -> dict[str, AttributeValue]:
    """Return what stood on the span of a check in the two weeks."""
    found = {"name": f"{decision.stage}-patterns", "action": _done(decision), "rule": _rule(decision)}
    return {f"lmops.guardrail.{name}": value for name, value in found.items() if value is not None}


def _done(decision: Decision) -> str:
    return "pass" if decision.action == "allow" else decision.action


def _rule(decision: Decision) -> str | None:
    by = decision.decided_by
    return by.rules[0] if by is not None and by.rules else None


def _rendered(turn: Turn, *, sources: str, question: str) -> tuple[str, str]:
    """Return the messages of the system and of the user."""
    if turn.prompt is not None:
        system, user = turn.prompt.render(sources=sources, question=question)
        return system["content"], user["content"]
    text, _, template = content.prompt_text(turn.prompt_version).strip().partition("\n\n")
    # replaced one after the other, so that braces in a question stay what they are
    before, _, after = template.partition("{sources}")
    return text, before + sources + after.replace("{question}", question)


def _needs_rewrite(turn: Turn) -> bool:
    """Return whether a question is foreign, or so short a follow-up that it may lean on what was said before."""
    return turn.language != "en" or (turn.number > 1 and len(turn.question.split()) < SHORT_WORDS)


def _kind(name: str) -> dict[str, AttributeValue]:
    return {"openinference.span.kind": name}


def _prompt(turn: Turn) -> dict[str, AttributeValue]:
    return {"gen_ai.prompt.name": content.PROMPT_NAME, "gen_ai.prompt.version": str(turn.prompt_version)}


def _request(request: ChatRequest, provider: str, turn: Turn) -> dict[str, AttributeValue]:
    found: dict[str, AttributeValue] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": request.model,
        "gen_ai.request.temperature": request.temperature,
        "gen_ai.request.max_tokens": request.max_tokens,
        "gen_ai.conversation.id": turn.session_id,
        "gen_ai.input.messages": compact([_message(message) for message in request.messages]),
    }
    if request.seed:
        found["gen_ai.request.seed"] = request.seed
    return found


def _response(done: Completion) -> dict[str, AttributeValue]:
    answer = Message(role="assistant", content=done.content, tool_calls=done.tool_calls)
    found: dict[str, AttributeValue] = {
        "gen_ai.response.id": done.id,
        "gen_ai.response.model": done.model,
        "gen_ai.response.finish_reasons": (done.finish_reason,),
        "gen_ai.usage.input_tokens": done.usage.input_tokens or 0,  # the stand-in counts always
        "gen_ai.usage.output_tokens": done.usage.output_tokens or 0,
        "gen_ai.output.messages": compact([_message(answer)]),
    }
    if done.usage.cached_input_tokens:
        found["gen_ai.usage.cache_read.input_tokens"] = done.usage.cached_input_tokens
    if done.usage.reasoning_tokens:
        found["gen_ai.usage.reasoning.output_tokens"] = done.usage.reasoning_tokens
    if done.system_fingerprint is not None:
        found["openai.response.system_fingerprint"] = done.system_fingerprint
    return found


def _message(message: Message) -> dict[str, object]:
    parts: list[dict[str, object]] = []
    if message.role == "tool":
        parts.append({"type": "tool_call_response", "id": message.tool_call_id, "response": message.content})
    elif message.content:
        parts.append({"type": "text", "content": message.content})
    parts.extend(
        {"type": "tool_call", "id": call.id, "name": call.name, "arguments": json.loads(call.arguments)}
        for call in message.tool_calls
    )
    return {"role": message.role, "parts": parts}
