"""Many providers behind one function: the ``litellm`` package, for those who install it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import orjson

from lmops.errors import MissingDependencyError, ModelError
from lmops.models._openai import chat_arguments, read_answer, scrub
from lmops.models._retry import retry_after_s

if TYPE_CHECKING:
    from lmops.models._records import Answer, Call, Endpoint

_KINDS = {"timeout": "timeout", "apiconnection": "connection", "ratelimit": "rate_limit", "authentication": "auth"}


async def complete(call: Call) -> Answer:
    """Return the answer of a provider, sent once.

    Raises:
        MissingDependencyError: litellm is not installed.
    """
    try:
        import litellm
    except ImportError:
        raise MissingDependencyError.of("litellm", "litellm") from None
    arguments = chat_arguments(call)
    arguments |= arguments.pop("extra_body", {})
    problem = None
    try:
        async with asyncio.timeout(call.timeout_s):
            found = await litellm.acompletion(**arguments, num_retries=0, timeout=call.timeout_s)
        body: dict[str, Any] = orjson.loads(orjson.dumps(found.model_dump(), default=str))
        return read_answer(body)
    except Exception as error:  # noqa: BLE001 - turned into an error of ours
        problem = _translate(error, call.endpoint, call.timeout_s)
    raise problem


def _translate(error: Exception, endpoint: Endpoint, timeout_s: float) -> ModelError:
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
