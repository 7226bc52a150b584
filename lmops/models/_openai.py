"""Any endpoint that speaks OpenAI's protocol, through the ``openai`` client.

The client sends; retries, limits and errors are ours. Answers are read from the bytes of the response rather than
from the client's objects, which accept anything: an answer without choices is an error here and not an empty text.
Errors are made anew, without the client's own behind them: those hold the request, and with it the key.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import inspect
import os
import time
from typing import TYPE_CHECKING, Any, Final

import orjson

from lmops.base.chat import ToolCall, Usage
from lmops.base.endings import Caught
from lmops.calc.fees import fees
from lmops.calc.usage import read_cost, read_usage, terms
from lmops.errors import ModelError
from lmops.models._answer_schema import response_format
from lmops.models._bounds import new_transport, too_large
from lmops.models._faults import FINAL, Fault, fault_in, fault_of, kind_of
from lmops.models._keys import guard_logs, scrub, scrub_all
from lmops.models._loop import BACKGROUND
from lmops.models._moderation import Moderation
from lmops.models._pieces import (
    Pieces,
    arguments_of,
    events_of,
    function_of,
    is_events,
    optional,
    plain,
    text_of,
)
from lmops.models._records import Answer, finish_reason
from lmops.models._reranking import scores_in
from lmops.models._retry import retry_after_s

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping

    from openai import AsyncOpenAI

    from lmops.models._records import Call, Endpoint, Scores, Vectors

#: The client must have a key; endpoints that want none ignore this word.
_NO_KEY: Final = "none"
_BAD: Final = "bad_response"
#: No answer has more; what says so has not counted.
_MOST_TOKENS: Final = 10**12
#: What the client sends with.
_TRANSPORTS: Final = frozenset({"httpx", "httpx2", "httpcore", "httpcore2", "h11", "h2", "ssl", "socket", "anyio"})


#: Clients that came with a fork.
_INHERITED: Final[list[object]] = []


class _Clients:
    """The clients of this process: one for each endpoint; a new key is used from the next request on."""

    def __init__(self) -> None:
        self._clients: dict[tuple[object, ...], tuple[AsyncOpenAI, dict[str, str]]] = {}
        self._retired: list[AsyncOpenAI] = []

    def __repr__(self) -> str:
        return f"<{len(self._clients)} clients>"

    def get(self, endpoint: Endpoint) -> AsyncOpenAI:
        """Return the client of an endpoint, with its key as it is now."""
        key = _key(endpoint)
        headers = _headers(endpoint, key)
        guard_logs(endpoint)
        place = (os.getpid(), endpoint.base_url, endpoint.api_key_env, endpoint.headers)
        client, sent = self._clients.get(place, (None, headers))
        if client is not None and sent == headers:
            client.api_key = key
            return client
        if client is not None:
            # Requests may be on their way on it.
            self._retired.append(client)
        if not self._clients or next(iter(self._clients))[0] != os.getpid():
            # After a fork the connections are the parent's: neither used nor closed here.
            _INHERITED.append(self._clients)
            self._clients, self._retired = {}, []
            BACKGROUND.on_exit(self.close)
        client = _client(endpoint, key, headers)
        self._clients[place] = (client, headers)
        return client

    async def close(self) -> None:
        """Close the connections."""
        clients = [*self._retired, *(client for client, _ in self._clients.values())]
        self._clients.clear()
        self._retired.clear()
        for client in clients:
            await client.close()


_CLIENTS: Final = _Clients()


def _client(endpoint: Endpoint, key: str, headers: dict[str, str]) -> AsyncOpenAI:
    from openai import AsyncOpenAI, Omit

    # What the environment holds for OpenAI must not go to somebody else's endpoint.
    foreign: dict[str, Any] = {}
    if endpoint.api_key_env != "OPENAI_API_KEY":
        foreign = {name: Omit() for name in (*_custom_names(), "OpenAI-Organization", "OpenAI-Project")}
    return AsyncOpenAI(
        api_key=key,
        base_url=endpoint.base_url,
        max_retries=0,
        timeout=endpoint.timeout_s,
        default_headers={"Accept-Encoding": "identity", **foreign, **headers},
        http_client=new_transport(),
    )


def _headers(endpoint: Endpoint, key: str) -> dict[str, str]:
    """Return the headers of an endpoint with the secrets in them."""
    headers = {name: _from_environment(endpoint, value) for name, value in endpoint.headers}
    if endpoint.api_key_env != "OPENAI_API_KEY":
        # Otherwise the client would send the one meant for OpenAI.
        headers |= {name: f"Bearer {key}" for name in _custom_names() if name.lower() == "authorization"}
    return headers


def _custom_names() -> list[str]:
    """Return the names of the headers that the client would take from the environment."""
    lines = os.environ.get("OPENAI_CUSTOM_HEADERS", "").split("\n")
    return [line.partition(":")[0].strip() for line in lines if ":" in line]


def _key(endpoint: Endpoint) -> str:
    name = endpoint.api_key_env
    key = os.environ.get(name, "").strip() if name else ""
    if not key and endpoint.needs_key:
        raise ModelError(
            f"{endpoint.spec!r} needs a key and the environment variable {name} is not set: export {name}=... "
            "(it is read at the call and never stored)",
            kind="auth",
        )
    return key or _NO_KEY


def _from_environment(endpoint: Endpoint, value: str) -> str:
    """Return the value of a header; ``$NAME`` stands for an environment variable."""
    if not value.startswith("$"):
        return value
    found = os.environ.get(value[1:])
    if not found:
        raise ModelError(f"a header of {endpoint.spec!r} needs the environment variable {value[1:]}", kind="auth")
    return found


# -- chat ----------------------------------------------------------------------------------------------------------


async def warm(endpoint: Endpoint) -> None:
    """Import the client and make the one of an endpoint."""
    _known("chat")
    _CLIENTS.get(endpoint)


async def complete(call: Call) -> Answer:
    """Return the answer of an endpoint, sent once."""
    body = await _post(call.endpoint, "chat", call.timeout_s, chat_arguments(call))
    try:
        return read_answer(body) if isinstance(body, dict) else read_events(body)
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise _unusable(call.endpoint, str(error), body) from None


def chat_arguments(call: Call) -> dict[str, Any]:
    """Return the arguments of the client; parameters that it does not know go into the body as they are."""
    arguments: dict[str, Any] = {"model": call.endpoint.model, "messages": list(call.messages)}
    if call.tools:
        arguments["tools"] = list(call.tools)
    if call.schema is not None:
        arguments["response_format"] = response_format(call.schema)
    known, extra = _known("chat"), dict(call.params.get("extra_body") or {})
    for name, value in call.params.items():
        if name in known:
            arguments[name] = value
        elif name != "extra_body":
            extra[name] = value
    if extra:
        arguments["extra_body"] = extra
    return arguments


@functools.cache
def _known(what: str) -> frozenset[str]:
    from openai.resources.chat.completions import AsyncCompletions
    from openai.resources.embeddings import AsyncEmbeddings

    create: Callable[..., Any] = AsyncCompletions.create if what == "chat" else AsyncEmbeddings.create
    return frozenset(inspect.signature(create).parameters) - {"self", "extra_headers", "extra_body", "timeout"}


async def _post(endpoint: Endpoint, what: str, timeout_s: float, arguments: dict[str, Any]) -> Any:
    """Return the JSON object of a response; the list of its pieces where it is a stream that nobody asked for."""
    client = _CLIENTS.get(endpoint)
    text, headers = b"", {}
    body: Any = None
    with Caught(Exception) as caught:
        async with asyncio.timeout(timeout_s):
            raw = await _sent(client, what, arguments, timeout_s)
            text, headers = raw.content, _lower(raw.headers)
        body = list(events_of(text)) if is_events(text) else orjson.loads(text)
        if what == "rerank" and isinstance(body, list):  # as Text Embeddings Inference answers
            body = {"results": body}
    # Raised here, where no error of the client is around to become its context.
    if isinstance(caught.error, orjson.JSONDecodeError):
        raise _unusable(endpoint, "it is not JSON", text.decode("utf-8", "replace"))
    if caught.error is not None:
        raise translate(caught.error, endpoint, timeout_s)
    found = next(filter(None, map(fault_in, body)), None) if is_events(text) else fault_in(body)
    if found is not None:
        raise of_fault(found, endpoint, body, headers)
    if not isinstance(body, dict) and not is_events(text):
        raise _unusable(endpoint, "it is not a JSON object", body)
    return body


async def _sent(client: AsyncOpenAI, what: str, arguments: dict[str, Any], timeout_s: float) -> Any:
    """Return a response with its bytes and headers; the client has no resource that reranks."""
    if what == "rerank":
        from openai._constants import RAW_RESPONSE_HEADER

        options: Any = {"headers": {RAW_RESPONSE_HEADER: "true"}, "timeout": timeout_s}
        return await client.post("/rerank", cast_to=object, body=arguments, options=options)
    resource: Any = client.chat.completions if what == "chat" else getattr(client, what)
    return await resource.with_raw_response.create(**arguments, timeout=timeout_s)


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _unusable(endpoint: Endpoint, why: str, body: object) -> ModelError:
    text = body if isinstance(body, str) else orjson.dumps(body, default=str).decode()
    shown = scrub(text, endpoint)
    return ModelError(
        f"{endpoint.spec!r} sent an answer that cannot be read: {scrub(why, endpoint)}; it begins {shown[:120]!r}",
        kind=_BAD,
        status=200,
        text=scrub_all(text, endpoint),
    )


def read_answer(body: Mapping[str, Any]) -> Answer:
    """Return what a chat completion says; raise with the reason where it is none."""
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices:
        raise ValueError("it has no choices")
    choice = choices[0]
    message = choice.get("message")
    if not isinstance(message, dict):
        raise TypeError("its choice has no message")
    old = message.get("function_call")
    calls = tuple(read_tool_call(raw) for raw in message.get("tool_calls") or ([{"function": old}] if old else ()))
    content, refusal = text_of(message.get("content")), message.get("refusal")
    if content is None and not calls and not refusal:
        content = ""
    return Answer(
        content=content,
        tool_calls=calls,
        refusal=refusal if isinstance(refusal, str) and refusal else None,
        finish_reason=finish_reason(choice.get("finish_reason")),
        model=optional(body.get("model")),
        usage=usage_of(body.get("usage"), body),
        response_id=optional(body.get("id")),
        system_fingerprint=optional(body.get("system_fingerprint")),
    )


def read_tool_call(raw: Mapping[str, Any]) -> ToolCall:
    """Return one call of a tool; arguments that came as an object become JSON text."""
    function = function_of(raw)
    arguments = "{}" if function.get("arguments") is None else arguments_of(function)
    return ToolCall(id=str(raw.get("id") or ""), name=str(function["name"]), arguments=arguments)


def read_events(chunks: Iterable[Mapping[str, Any]]) -> Answer:
    """Return the answer that the pieces of a stream make; raise with the reason where they are none."""
    answer = Answer(content=None)
    pieces = Pieces(answer, usage_of)
    for chunk in chunks:
        pieces.add(chunk)
    if not pieces.is_finished:
        raise ValueError("it is a stream that broke off")
    pieces.finish()
    return answer


def usage_of(raw: object, body: Mapping[str, Any] | None = None) -> Usage:
    """Return what a response reports of its usage, as spans and chat logs are read too; ``body`` says the tier."""
    if not isinstance(raw, dict):
        return Usage()
    found = read_usage(raw)
    units = {**found.get("units", {}), **(fees(body) | terms(body) if body is not None else {})}
    return Usage(
        input_tokens=_count(found.get("input")),
        output_tokens=_count(found.get("output")),
        cached_input_tokens=_count(found.get("cached")),
        cache_write_input_tokens=_count(found.get("cache_write")),
        reasoning_tokens=_count(found.get("reasoning")),
        reported_cost_usd=read_cost(raw),
        units=units or None,
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_TOKENS else None


# -- streams -------------------------------------------------------------------------------------------------------


async def stream(call: Call, answer: Answer) -> AsyncGenerator[str]:
    """Yield the pieces of the text, and fill ``answer`` on the way; a stream that breaks off raises.

    ``timeout_s`` is for each piece: a long answer may take longer in all.
    """
    arguments = stream_arguments(call)
    client = _CLIENTS.get(call.endpoint)

    async def begin() -> Any:
        return await client.chat.completions.create(**arguments, timeout=call.timeout_s)

    async with contextlib.aclosing(read_stream(begin, call, answer, translate)) as pieces:
        async for piece in pieces:
            yield piece


def stream_arguments(call: Call) -> dict[str, Any]:
    """Return the arguments of a streamed call; usage comes at its end unless that is switched off."""
    arguments = {"stream_options": {"include_usage": True}, **chat_arguments(call), "stream": True}
    if arguments["stream_options"] is None:
        del arguments["stream_options"]
    return arguments


async def read_stream(
    begin: Callable[[], Awaitable[Any]],
    call: Call,
    answer: Answer,
    in_words: Callable[[Exception, Endpoint, float], ModelError],
) -> AsyncGenerator[str]:
    """Yield the text of the chunks that ``begin`` opens; errors are put in words by ``in_words``."""
    pieces, chunks, problem = Pieces(answer, usage_of), None, None
    try:
        with Caught(Exception) as caught:
            async with asyncio.timeout(call.timeout_s):
                chunks = await begin()
                whole = await _whole(chunks)
            async with contextlib.aclosing(_chunks(chunks if whole is None else whole, call.timeout_s)) as found:
                async for chunk in found:
                    fault = fault_in(chunk)
                    if fault is not None:
                        problem = of_fault(fault, call.endpoint, chunk, {})
                        problem.is_retryable = problem.is_retryable or fault.status is None
                        break
                    if text := pieces.add(chunk):
                        yield text
    finally:
        close = getattr(chunks, "close", None) or getattr(chunks, "aclose", None)
        if close is not None and inspect.isawaitable(closing := close()):
            await closing
    if caught.error is not None:
        problem = in_words(caught.error, call.endpoint, call.timeout_s)
    if problem is None and not pieces.is_finished:
        problem = ModelError(
            f"the stream of {call.endpoint.spec!r} broke off after {len(pieces.text)} characters, before "
            "the model said why it ended",
            kind="connection",
            is_retryable=True,
        )
    if problem is not None:
        problem.text = scrub_all(pieces.text, call.endpoint)
        raise problem
    pieces.finish()


async def _whole(chunks: Any) -> list[Any] | None:
    """Return the pieces of an answer that came in one although a stream was asked; None when it is a stream."""
    if not hasattr(chunks, "__anext__"):
        return [plain(chunks)]
    response = getattr(chunks, "response", None)
    if "json" not in str(getattr(response, "headers", {}).get("content-type", "")):
        return None
    body = await response.aread()  # type: ignore[union-attr]  # it has headers
    return list(events_of(body)) if is_events(body) else [orjson.loads(body)]


async def _chunks(chunks: Any, timeout_s: float) -> AsyncGenerator[Any]:
    """Yield the pieces as JSON objects; ``timeout_s`` is for each."""
    if isinstance(chunks, list):
        for chunk in chunks:
            yield chunk
        return
    while True:
        async with asyncio.timeout(timeout_s):
            chunk = await anext(chunks, None)
        if chunk is None:
            return
        yield plain(chunk)


# -- embeddings ----------------------------------------------------------------------------------------------------


async def embed(endpoint: Endpoint, texts: list[str], params: Mapping[str, Any], timeout_s: float) -> Vectors:
    """Return the vectors of some texts in their order, the model that made them, and the usage."""
    known = _known("embeddings")
    arguments: dict[str, Any] = {"model": endpoint.model, "input": texts, "encoding_format": "float"}
    arguments |= {name: value for name, value in params.items() if name in known}
    extra = {name: value for name, value in params.items() if name not in known}
    body = await _post(endpoint, "embeddings", timeout_s, arguments | ({"extra_body": extra} if extra else {}))
    return read_vectors(body, endpoint, len(texts))


def read_vectors(body: Mapping[str, Any], endpoint: Endpoint, expected: int) -> Vectors:
    """Return the vectors of a response in the order of the texts, and what else it says."""
    try:
        rows = sorted(body["data"], key=lambda row: row.get("index", 0))
        vectors = tuple(tuple(float(number) for number in row["embedding"]) for row in rows)
    except (LookupError, TypeError, AttributeError, ValueError):
        raise _unusable(endpoint, "it holds no vectors", body) from None
    if len(vectors) != expected or len({len(vector) for vector in vectors}) > 1:
        raise _unusable(endpoint, f"it has {len(vectors)} vectors for {expected} texts", body)
    return vectors, optional(body.get("model")), _read_only(body.get("usage"), body)


def _read_only(raw: object, body: Mapping[str, Any]) -> Usage:
    """Return the usage of a response without a text: some say the total only, some count the texts as answered too."""
    used = usage_of(raw, body)
    tokens = used.input_tokens
    if tokens is None and isinstance(raw, dict):
        tokens = _count(read_usage(raw).get("total"))
    return dataclasses.replace(used, input_tokens=tokens, output_tokens=None, reasoning_tokens=None)


# -- reranking -----------------------------------------------------------------------------------------------------


async def rerank(
    endpoint: Endpoint, query: str, documents: list[str], params: Mapping[str, Any], timeout_s: float
) -> Scores:
    """Return the score of each document in their order, the model that gave them, and the usage."""
    name = "texts" if endpoint.provider == "tei" else "documents"
    arguments = {"model": endpoint.model, "query": query, name: documents, **params}
    return read_scores(await _post(endpoint, "rerank", timeout_s, arguments), endpoint, len(documents))


def read_scores(body: Mapping[str, Any], endpoint: Endpoint, expected: int) -> Scores:
    """Return the scores of a response in the order of the documents, and what else it says."""
    try:
        scores = scores_in(body, expected)
    except ValueError as error:
        raise _unusable(endpoint, str(error), body) from None
    meta = body.get("meta")  # Cohere says there how many searches are paid for
    return scores, optional(body.get("model")), _read_only(body.get("usage") or meta, body)


# -- moderation ----------------------------------------------------------------------------------------------------


async def moderate(
    endpoint: Endpoint, texts: list[str], params: Mapping[str, Any], timeout_s: float
) -> tuple[tuple[Moderation, ...], str | None]:
    """Return what is said of some texts in their order, and the model that said it."""
    arguments: dict[str, Any] = {"model": endpoint.model, "input": texts}
    body = await _post(endpoint, "moderations", timeout_s, arguments | ({"extra_body": params} if params else {}))
    return read_moderations(body, endpoint, len(texts))


def read_moderations(
    body: Mapping[str, Any], endpoint: Endpoint, expected: int
) -> tuple[tuple[Moderation, ...], str | None]:
    """Return what a response says of each text; one that is missing or unclear is an error."""
    rows = body.get("results")
    if not isinstance(rows, list) or len(rows) != expected:
        found = len(rows) if isinstance(rows, list) else "no"
        raise _unusable(endpoint, f"it has {found} results for {expected} texts", body)
    try:
        return tuple(map(Moderation.read, rows)), optional(body.get("model"))
    except ValueError as error:
        raise _unusable(endpoint, f"it has {error}", body) from None


# -- errors --------------------------------------------------------------------------------------------------------


def translate(error: Exception, endpoint: Endpoint, timeout_s: float) -> ModelError:
    """Return an error of the client in our words, without its request and without the key."""
    import openai

    spec = endpoint.spec
    if isinstance(error, ModelError):
        return error
    bound = too_large(error)
    if bound is not None:
        return _unusable(endpoint, str(bound), "")
    if isinstance(error, TimeoutError | openai.APITimeoutError):
        return ModelError(f"{spec!r} did not answer within {timeout_s:g} s", kind="timeout", is_retryable=True)
    if isinstance(error, openai.APIStatusError):
        return _of_status(error, endpoint)
    if isinstance(error, openai.APIConnectionError):
        below = error.__cause__ or error
        cause = scrub(str(below) or type(below).__name__, endpoint)
        return ModelError(
            f"no connection to {spec!r} at {endpoint.base_url}: {cause}", kind="connection", is_retryable=True
        )
    if type(error).__module__.partition(".")[0] in _TRANSPORTS:
        # Older clients let these out of a stream as they are.
        is_slow = "Timeout" in type(error).__name__
        cause = scrub(str(error) or type(error).__name__, endpoint)
        return ModelError(
            f"the connection to {spec!r} broke: {cause}", kind="timeout" if is_slow else "connection", is_retryable=True
        )
    if isinstance(error, openai.APIError) and not isinstance(error, openai.APIResponseValidationError):
        # An error in the middle of a stream.
        fault = fault_of(error.body or {"message": error.message})
        problem = of_fault(fault, endpoint, error.body, {})
        if fault.status is None:
            problem.kind, problem.is_retryable = "server", True
        return problem
    if isinstance(error, ValueError | TypeError | LookupError | AttributeError | openai.APIResponseValidationError):
        why = scrub(f"{type(error).__name__}: {error}", endpoint)
        return ModelError(f"{spec!r} sent something that is no answer ({why})", kind=_BAD)
    why = scrub(f"{type(error).__name__}: {error}", endpoint)
    return ModelError(f"the request to {spec!r} could not be made: {why}", kind="bad_request")


def of_fault(fault: Fault, endpoint: Endpoint, body: object, headers: Mapping[str, str]) -> ModelError:
    """Return the error that an answer reports inside a success of HTTP; it is sent again as its code says."""
    kind, may_retry = (_BAD, False) if fault.status is None else kind_of(fault.status)
    may_retry = may_retry and fault.code not in FINAL and headers.get("x-should-retry") != "false"
    asked = retry_after_s(headers, time.time()) if fault.wait_s is None else fault.wait_s
    text = orjson.dumps(body, default=str).decode()
    code = f" {scrub(fault.code, endpoint)}" if fault.code else ""
    return ModelError(
        f"{endpoint.spec!r} answered with an error{code} in place of an answer: {scrub(fault.message, endpoint)}",
        kind=kind,
        is_retryable=may_retry,
        status=fault.status or 200,
        retry_after_s=asked if may_retry else None,
        text=scrub_all(text, endpoint),
    )


def _of_status(error: Any, endpoint: Endpoint) -> ModelError:
    status = int(error.status_code)
    headers = _lower(error.response.headers)
    kind, may_retry = kind_of(status)
    if str(error.code) in FINAL or headers.get("x-should-retry") == "false":
        may_retry = False
    said = error.body.get("message") if isinstance(error.body, dict) else error.body
    said = scrub(str(said or error.message), endpoint)
    advice = ""
    if kind == "auth" and endpoint.api_key_env:
        advice = f" (the key comes from the environment variable {endpoint.api_key_env})"
    return ModelError(
        f"{endpoint.spec!r} answered {status}: {said}{advice}",
        kind=kind,
        is_retryable=may_retry,
        status=status,
        retry_after_s=retry_after_s(headers, time.time()) if may_retry else None,
    )
