"""Many providers behind one function: the ``litellm`` package, for those who install it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any, Final

import orjson

from lmops.base.endings import Caught
from lmops.errors import MissingDependencyError, ModelError
from lmops.models._faults import fault_in
from lmops.models._keys import guard_logs, scrub
from lmops.models._openai import (
    _known,
    chat_arguments,
    of_fault,
    read_answer,
    read_moderations,
    read_scores,
    read_stream,
    read_vectors,
    stream_arguments,
)
from lmops.models._retry import retry_after_s

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

    from lmops.models._moderation import Moderation
    from lmops.models._records import Answer, Call, Endpoint, Scores, Vectors

_KINDS: Final = {
    "timeout": "timeout",
    "apiconnection": "connection",
    "ratelimit": "rate_limit",
    "authentication": "auth",
}


async def warm(_endpoint: Endpoint) -> None:
    """Import the package and what makes arguments."""
    _litellm()
    _known("chat")


async def complete(call: Call) -> Answer:
    """Return the answer of a provider, sent once.

    Raises:
        MissingDependencyError: litellm is not installed.
    """
    litellm, arguments = _litellm(), _flat(chat_arguments(call))
    body = await _sent(litellm.acompletion, arguments, call.endpoint, call.timeout_s)
    fault = fault_in(body)
    if fault is not None:
        raise of_fault(fault, call.endpoint, body, {})
    try:
        return read_answer(body)
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise ModelError(
            f"{call.endpoint.spec!r} sent an answer that cannot be read: {scrub(str(error), call.endpoint)}",
            kind="bad_response",
        ) from None


async def stream(call: Call, answer: Answer) -> AsyncGenerator[str]:
    """Yield the pieces of the text, and fill ``answer`` on the way; a stream that breaks off raises."""
    litellm, arguments = _litellm(), _flat(stream_arguments(call))
    guard_logs(call.endpoint)

    async def begin() -> Any:
        return await litellm.acompletion(**arguments, num_retries=0, timeout=call.timeout_s)

    async with contextlib.aclosing(read_stream(begin, call, answer, _translate)) as pieces:
        async for piece in pieces:
            yield piece


async def embed(endpoint: Endpoint, texts: list[str], params: Mapping[str, Any], timeout_s: float) -> Vectors:
    """Return the vectors of some texts in their order, the model that made them, and the usage."""
    arguments = {"model": endpoint.model, "input": texts, **params}
    body = await _sent(_litellm().aembedding, arguments, endpoint, timeout_s)
    return read_vectors(body, endpoint, len(texts))


async def moderate(
    endpoint: Endpoint, texts: list[str], params: Mapping[str, Any], timeout_s: float
) -> tuple[tuple[Moderation, ...], str | None]:
    """Return what is said of some texts in their order, and the model that said it."""
    arguments = {"model": endpoint.model, "input": texts, **params}
    return read_moderations(await _sent(_litellm().amoderation, arguments, endpoint, timeout_s), endpoint, len(texts))


async def rerank(
    endpoint: Endpoint, query: str, documents: list[str], params: Mapping[str, Any], timeout_s: float
) -> Scores:
    """Return the score of each document in their order, the model that gave them, and the usage."""
    arguments = {"model": endpoint.model, "query": query, "documents": documents, **params}
    return read_scores(await _sent(_litellm().arerank, arguments, endpoint, timeout_s), endpoint, len(documents))


def _litellm() -> Any:
    try:
        import litellm
    except ImportError:
        raise MissingDependencyError.of("litellm", "litellm") from None
    return litellm


def _flat(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments as litellm has them: it passes on what it does not know."""
    return {
        **{name: value for name, value in arguments.items() if name != "extra_body"},
        **arguments.get("extra_body", {}),
    }


async def _sent(
    function: Callable[..., Awaitable[Any]], arguments: dict[str, Any], endpoint: Endpoint, timeout_s: float
) -> dict[str, Any]:
    """Return the response as the JSON object that OpenAI would send."""
    guard_logs(endpoint)
    body: dict[str, Any] = {}
    with Caught(Exception) as caught:
        async with asyncio.timeout(timeout_s):
            found = await function(**arguments, num_retries=0, timeout=timeout_s)
        body = orjson.loads(orjson.dumps(found.model_dump(), default=str))
    # Raised here, where no error of litellm is around to become its context.
    if caught.error is not None:
        raise _translate(caught.error, endpoint, timeout_s)
    return body


def _translate(error: Exception, endpoint: Endpoint, timeout_s: float) -> ModelError:
    if isinstance(error, ModelError):
        return error
    if isinstance(error, TimeoutError):
        return ModelError(f"{endpoint.spec!r} did not answer within {timeout_s:g} s", kind="timeout", is_retryable=True)
    status = getattr(error, "status_code", None)
    name = type(error).__name__.lower()
    kind = next((kind for word, kind in _KINDS.items() if word in name), None)
    if kind is None:
        kind = "server" if isinstance(status, int) and status >= 500 else "bad_request"
    if isinstance(error, LookupError | TypeError | ValueError | AttributeError) and status is None:
        kind = "bad_response"
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    return ModelError(
        f"{endpoint.spec!r}: {scrub(f'{type(error).__name__}: {error}', endpoint)}",
        kind=kind,
        is_retryable=kind in {"timeout", "connection", "rate_limit", "server"},
        status=status if isinstance(status, int) else None,
        retry_after_s=retry_after_s({str(k).lower(): str(v) for k, v in headers.items()}, time.time()),
    )
