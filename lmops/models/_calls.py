"""One call from the request to the record: cache, span, limit, retries, the check of the answer, and its cost."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

from lmops.base.chat import Usage
from lmops.base.endings import Caught
from lmops.errors import LmopsError, ModelError
from lmops.models import _spans, _standin
from lmops.models._answer_schema import parse
from lmops.models._cache import cache_key
from lmops.models._keys import StreamMask, clean, clean_answer, scrub
from lmops.models._limits import limiter
from lmops.models._loop import BACKGROUND
from lmops.models._moderation import Moderations
from lmops.models._records import Answer, Completion, Embeddings
from lmops.models._reranking import Reranking
from lmops.models._retry import with_retries
from lmops.models._stopwatch import note_lookup, preparing

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
    from random import Random
    from types import ModuleType

    from lmops.models._cache import ResponseCache
    from lmops.models._prices import Prices
    from lmops.models._records import Call, Endpoint, Vectors
    from lmops.models._spans import CallSpan

#: What a stream hands over: a piece of text, the completion at its end, or the error that ended it.
Event = str | Completion | Exception

T = TypeVar("T")

_NO_SPAN: Final = contextlib.nullcontext()


class Calls:
    """Makes calls; safe from many loops and threads."""

    def __init__(self, *, prices: Prices, cache: ResponseCache, random: Random) -> None:
        self._prices = prices
        self._cache = cache
        self._random = random
        self._warm: set[tuple[str, int]] = set()

    # -- one answer ------------------------------------------------------------------------------------------------

    async def complete(self, call: Call) -> Completion:
        """Return the answer, from the cache when it is asked to and knows it."""
        if not call.is_cacheable:
            return await self._checked(call)
        key = cache_key(call)
        started = time.perf_counter()
        found = self._cache.get(key)
        if found is not None:
            return self._hit(call, found, started)
        completion = await self._checked(call)
        # Beside the loop: another process may hold the database for a moment.
        await asyncio.to_thread(self._cache.put, key, completion)
        return completion

    async def warmed(self, endpoint: Endpoint) -> None:
        """Import what calls of an endpoint need: seconds in a new process, and no latency of its model."""
        if (endpoint.spec, endpoint.revision) in self._warm:
            return
        # What is wrong is said where the call is made.
        with preparing(), contextlib.suppress(Exception):
            if endpoint.kind == "standin":
                _standin.warm(endpoint)
            else:
                await BACKGROUND.hop(_adapter(endpoint).warm(endpoint))
            self._prices.of_call("llm", endpoint, None, Usage(input_tokens=1, output_tokens=1))
        self._warm.add((endpoint.spec, endpoint.revision))

    def _hit(self, call: Call, found: Completion, started: float) -> Completion:
        note_lookup()
        span = _spans.start("chat", call.endpoint)
        with span or _NO_SPAN:
            if span is not None:
                _put_request(span, call)
                span.cached(found)
        return dataclasses.replace(
            found,
            latency_ms=(time.perf_counter() - started) * 1000,
            trace_id=span.trace_id if span is not None else None,
            span_id=span.span_id if span is not None else None,
        )

    async def _checked(self, call: Call) -> Completion:
        """Return an answer that fits the schema; with ``can_repair`` the model gets a second try."""
        try:
            return await self._traced(call)
        except ModelError as error:
            first = error
        if not (call.can_repair and call.schema and first.kind == "bad_response" and first.completion):
            raise first
        assert isinstance(first.completion, Completion)
        again = dataclasses.replace(call, messages=[*call.messages, *_repair_messages(first)])
        try:
            return _together(first.completion, await self._traced(again))
        except ModelError as error:
            # What the first answer cost is spent, whatever became of the second.
            second = error.completion
            error.completion = (
                _together(first.completion, second) if isinstance(second, Completion) else first.completion
            )
            raise

    async def _traced(self, call: Call) -> Completion:
        await self.warmed(call.endpoint)
        started = time.perf_counter()
        span = _spans.start("chat", call.endpoint)
        if span is None:
            answer, retries = await self._answer(call, None)
            return self._completion(call, answer, started, None, retries)
        with span:
            _put_request(span, call)
            answer, retries = await self._answer(call, span)
            span.answer(answer)
            return self._completion(call, answer, started, span, retries)

    async def _answer(self, call: Call, span: CallSpan | None) -> tuple[Answer, int]:
        if call.endpoint.kind == "standin":
            answer = _standin.answer(call)
            await _wait_as_a_model_would(call, answer)
            return answer, 0
        return await BACKGROUND.hop(self._send(call, span))

    async def _send(self, call: Call, span: CallSpan | None) -> tuple[Answer, int]:
        adapter = _adapter(call.endpoint)
        answer, retries = await self._with_retries(call.endpoint, lambda: adapter.complete(call), call.max_wait_s, span)
        return clean_answer(answer, call.endpoint), retries

    async def _with_retries(
        self, endpoint: Endpoint, attempt: Callable[[], Awaitable[T]], max_wait_s: float, span: CallSpan | None
    ) -> tuple[T, int]:
        return await with_retries(
            lambda: _in_our_words(endpoint, attempt),
            limiter=limiter(endpoint),
            max_wait_s=max_wait_s,
            random=self._random,
            on_retry=span.retry if span is not None else lambda _error, _wait_s, _attempt: None,
        )

    def _completion(
        self, call: Call, answer: Answer, started: float, span: CallSpan | None, retries: int
    ) -> Completion:
        latency_ms = (time.perf_counter() - started) * 1000
        endpoint = call.endpoint
        parsed, problem = None, None
        if call.schema is not None and not answer.tool_calls:
            if answer.refusal and not answer.content:
                problem = f"the model refused: {answer.refusal[:200]}"
            else:
                parsed, problem = parse(answer.content, call.schema)
        completion = Completion(
            content=answer.content if answer.content is not None else answer.refusal,
            tool_calls=answer.tool_calls,
            parsed=parsed,
            finish_reason=answer.finish_reason,
            model=answer.model or endpoint.model,
            requested_model=endpoint.model,
            provider=endpoint.provider,
            usage=answer.usage,
            cost_usd=self._prices.of_call("llm", endpoint, answer.model, answer.usage),
            latency_ms=latency_ms,
            response_id=answer.response_id,
            system_fingerprint=answer.system_fingerprint,
            refusal=answer.refusal,
            retries=retries,
            trace_id=span.trace_id if span is not None else None,
            span_id=span.span_id if span is not None else None,
        )
        if problem is not None:
            cut = " (it was cut at max_tokens)" if answer.finish_reason == "length" else ""
            error = ModelError(
                f"the answer of {endpoint.spec!r} does not fit response_schema: {problem}{cut}",
                kind="bad_response",
                text=completion.content,
            )
            error.completion = completion
            error.attempts = retries + 1
            raise error
        return completion

    # -- streams ---------------------------------------------------------------------------------------------------

    async def stream(self, call: Call, emit: Callable[[Event], object]) -> None:
        """Emit the pieces of an answer, then its completion, or the error that ended it."""
        completion: Completion | None = None
        with Caught(Exception) as caught:
            completion = await self._streamed(call, emit)
        event: Event | None = caught.error or completion
        assert event is not None
        emit(event)  # an error is raised where the stream is read

    async def _streamed(self, call: Call, emit: Callable[[Event], object]) -> Completion:
        await self.warmed(call.endpoint)
        started = time.perf_counter()
        span = _spans.start("chat", call.endpoint)
        attempt = _StreamAttempt(call, emit, started)
        with span or _NO_SPAN:
            if span is not None:
                _put_request(span, call, is_stream=True)
            try:
                if call.endpoint.kind == "standin":
                    broken, retries = await attempt(), 0
                else:
                    broken, retries = await self._with_retries(call.endpoint, attempt, call.max_wait_s, span)
            except asyncio.CancelledError:
                if span is not None:
                    span.close_early()
                raise
            if span is not None:
                span.set("gen_ai.response.time_to_first_chunk", attempt.first_s)
            if broken is not None:
                raise broken
            if span is not None:
                span.answer(attempt.answer)
            return self._completion(call, attempt.answer, started, span, retries)

    # -- embeddings ------------------------------------------------------------------------------------------------

    async def embed(
        self,
        endpoint: Endpoint,
        texts: Sequence[str],
        *,
        params: Mapping[str, Any],
        batch_size: int,
        timeout_s: float,
        max_wait_s: float,
    ) -> Embeddings:
        """Return the vectors of all texts; batches are sent side by side, and the first failure stops the others."""
        await self.warmed(endpoint)
        started = time.perf_counter()
        batches = [list(texts[at : at + batch_size]) for at in range(0, len(texts), batch_size)]
        tasks = [
            asyncio.create_task(self._embed_batch(endpoint, batch, params, timeout_s, max_wait_s)) for batch in batches
        ]
        try:
            found = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()  # nothing for one that is done
            await asyncio.gather(*tasks, return_exceptions=True)
        usage = found[0][2] if found else Usage(input_tokens=0)
        for _, _, more in found[1:]:
            usage += more
        model = next((name for _, name, _ in found if name), endpoint.model)
        return Embeddings(
            vectors=tuple(vector for vectors, _, _ in found for vector in vectors),
            model=model,
            requested_model=endpoint.model,
            provider=endpoint.provider,
            usage=usage,
            cost_usd=self._prices.of_call("embedding", endpoint, model, usage),
            latency_ms=(time.perf_counter() - started) * 1000,
        )

    async def _embed_batch(
        self, endpoint: Endpoint, batch: list[str], params: Mapping[str, Any], timeout_s: float, max_wait_s: float
    ) -> Vectors:
        span = _spans.start("embeddings", endpoint)
        with span or _NO_SPAN:
            if span is not None:
                span.texts(batch)
            if endpoint.kind == "standin":
                vectors, usage = _standin.embed(batch)
                found: Vectors = vectors, endpoint.model, usage
            else:
                adapter = _adapter(endpoint)
                (vectors, model, usage), _ = await BACKGROUND.hop(
                    self._with_retries(
                        endpoint, lambda: adapter.embed(endpoint, batch, params, timeout_s), max_wait_s, span
                    )
                )
                found = vectors, None if model is None else clean(model, endpoint), usage
            if span is not None:
                span.set("gen_ai.response.model", found[1])
                span.usage(found[2])
            return found

    # -- reranking -------------------------------------------------------------------------------------------------

    async def rerank(
        self,
        endpoint: Endpoint,
        query: str,
        documents: list[str],
        *,
        params: Mapping[str, Any],
        timeout_s: float,
        max_wait_s: float,
    ) -> Reranking:
        """Return the scores of all documents, asked in one request."""
        await self.warmed(endpoint)
        started = time.perf_counter()
        span = _spans.start("rerank", endpoint)
        with span or _NO_SPAN:
            if span is not None:
                span.texts([query, *documents])
            adapter = _adapter(endpoint)
            (scores, named, usage), _ = await BACKGROUND.hop(
                self._with_retries(
                    endpoint, lambda: adapter.rerank(endpoint, query, documents, params, timeout_s), max_wait_s, span
                )
            )
            model = endpoint.model if named is None else clean(named, endpoint)
            if span is not None:
                span.set("gen_ai.response.model", model)
                span.usage(usage)
            return Reranking(
                scores=scores,
                model=model,
                requested_model=endpoint.model,
                provider=endpoint.provider,
                usage=usage,
                cost_usd=self._prices.of_call("reranker", endpoint, model, usage),
                latency_ms=(time.perf_counter() - started) * 1000,
            )

    # -- moderation ------------------------------------------------------------------------------------------------

    async def moderate(
        self,
        endpoint: Endpoint,
        texts: list[str],
        *,
        params: Mapping[str, Any],
        timeout_s: float,
        max_wait_s: float,
    ) -> Moderations:
        """Return what is said of all texts, in one request."""
        await self.warmed(endpoint)
        started = time.perf_counter()
        span = _spans.start("moderations", endpoint)
        with span or _NO_SPAN:
            if span is not None:
                span.texts(texts)
            adapter = _adapter(endpoint)
            (results, named), _ = await BACKGROUND.hop(
                self._with_retries(
                    endpoint, lambda: adapter.moderate(endpoint, texts, params, timeout_s), max_wait_s, span
                )
            )
            model = endpoint.model if named is None else clean(named, endpoint)
            if span is not None:
                span.set("lmops.kind", "guardrail")
                span.set("gen_ai.response.model", model)
            return Moderations(
                results=results,
                model=model,
                requested_model=endpoint.model,
                provider=endpoint.provider,
                latency_ms=(time.perf_counter() - started) * 1000,
            )


class _StreamAttempt:
    """One answer that is read piece by piece, begun again as long as nothing of it has come."""

    def __init__(self, call: Call, emit: Callable[[Event], object], started: float) -> None:
        self._call = call
        self._emit = emit
        self._started = started
        self._read = Answer(content=None)
        self.answer = self._read
        self.first_s: float | None = None

    async def __call__(self) -> ModelError | None:
        """Return the error of a stream that broke after its first piece: it cannot be sent again."""
        mask = StreamMask(self._call.endpoint)
        try:
            async with contextlib.aclosing(_source(self._call, self._read)) as pieces:
                async for piece in pieces:
                    if self.first_s is None:
                        self.first_s = time.perf_counter() - self._started
                    self._show(mask.add(piece))
        except ModelError as error:
            if self.first_s is None:
                raise
            self._show(mask.finish())
            return error
        self._show(mask.finish())
        self.answer = clean_answer(self._read, self._call.endpoint)
        return None

    def _show(self, piece: str) -> None:
        if piece:
            self._emit(piece)


async def _in_our_words(endpoint: Endpoint, attempt: Callable[[], Awaitable[T]]) -> T:
    """Return the result of an attempt; whatever else it raises becomes an error of ours."""
    with Caught(Exception) as caught:
        return await attempt()
    error = caught.error
    if isinstance(error, LmopsError):
        raise error
    why = scrub(f"{type(error).__name__}: {error}", endpoint)
    raise ModelError(f"the request to {endpoint.spec!r} could not be made: {why}", kind="bad_request")


def _put_request(span: CallSpan, call: Call, *, is_stream: bool = False) -> None:
    span.request(
        call.messages, call.params, call.tools, call.prompt, wants_json=call.schema is not None, is_stream=is_stream
    )


def _adapter(endpoint: Endpoint) -> ModuleType:
    """Return the module that speaks with an endpoint: ``complete``, ``stream``, ``embed``, ``rerank``, ``moderate``."""
    if endpoint.kind == "litellm":
        from lmops.models import _litellm

        return _litellm
    from lmops.models import _openai

    return _openai


async def _source(call: Call, answer: Answer) -> AsyncGenerator[str]:
    if call.endpoint.kind != "standin":
        async with contextlib.aclosing(_adapter(call.endpoint).stream(call, answer)) as pieces:
            async for piece in pieces:
                yield piece
        return
    found = _standin.answer(call)
    await _wait_as_a_model_would(call, found)
    for field in dataclasses.fields(found):
        setattr(answer, field.name, getattr(found, field.name))
    words = (found.content or "").split(" ")
    for number, word in enumerate(words):
        if word or number:
            yield word if not number else " " + word


async def _wait_as_a_model_would(call: Call, answer: Answer) -> None:
    if call.params.get("simulate_latency") and answer.attributes:
        await asyncio.sleep(answer.attributes["lmops.standin.simulated_latency_ms"] / 1000)


def _together(first: Completion, second: Completion) -> Completion:
    """Return the second answer with what both took."""
    costs = (first.cost_usd, second.cost_usd)
    return dataclasses.replace(
        second,
        usage=first.usage + second.usage,
        cost_usd=None if None in costs else sum(costs),  # type: ignore[arg-type]  # no None is left
        latency_ms=first.latency_ms + second.latency_ms,
        retries=first.retries + 1 + second.retries,
    )


def _repair_messages(error: ModelError) -> list[dict[str, str]]:
    return [
        {"role": "assistant", "content": error.text or ""},
        {
            "role": "user",
            "content": f"{error}. Answer again with nothing but JSON that fits the schema.",
        },
    ]
