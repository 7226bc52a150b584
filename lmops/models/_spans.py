"""The span of a call, in OpenTelemetry's words for generative AI; no object at all when nothing traces.

Instrumentors of the client below are told to be silent (the context key that OpenTelemetry has for this), so that one
call is one span, with its prompt, however often it was sent.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

import orjson

# The API alone: a few small modules, which every package that is instrumented imports as well.
from opentelemetry import context as otel_context
from opentelemetry import trace as otel_trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from lmops.base.endings import Logged
from lmops.errors import ModelError
from lmops.models._keys import known_secrets
from lmops.models._pieces import function_of
from lmops.redact import mask_keys, without

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from lmops.base.chat import Usage
    from lmops.models._records import Answer, Completion, Endpoint

_log = logging.getLogger(__name__)

#: What every instrumentor of OpenTelemetry and OpenInference looks at before it opens a span.
_SUPPRESS: Final[str] = getattr(otel_context, "_SUPPRESS_INSTRUMENTATION_KEY", "suppress_instrumentation")
#: Parameter -> attribute.
_PARAMS: Final = {
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "top_k": "gen_ai.request.top_k",
    "max_tokens": "gen_ai.request.max_tokens",
    "max_completion_tokens": "gen_ai.request.max_tokens",
    "seed": "gen_ai.request.seed",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "reasoning_effort": "gen_ai.request.reasoning_effort",
    "dimensions": "gen_ai.embeddings.dimension.count",
}

_tracer: tuple[object, otel_trace.Tracer] | None = None


def _get_tracer() -> otel_trace.Tracer | None:
    """Return the application's tracer, or None when it has installed none."""
    global _tracer  # noqa: PLW0603 - a cache that any thread may refill
    provider = otel_trace.get_tracer_provider()
    if isinstance(provider, otel_trace.ProxyTracerProvider):
        return None
    cached = _tracer
    if cached is None or cached[0] is not provider:
        cached = _tracer = (provider, provider.get_tracer("lmops.models"))
    return cached[1]


def start(operation: str, endpoint: Endpoint) -> CallSpan | None:
    """Return an open span for one call, or None when nothing traces."""
    # Broken tracing must not break the application.
    with Logged(_log, "no span for a call of %s", endpoint.spec, level=logging.DEBUG):
        tracer = _get_tracer()
        if tracer is None:
            return None
        span = tracer.start_span(f"{operation} {endpoint.model}", kind=SpanKind.CLIENT)
        return CallSpan(span, operation, endpoint) if span.get_span_context().is_valid else None
    return None


class CallSpan:
    """One span: current inside its ``with`` block, ended at its end. None of its methods raises."""

    def __init__(self, span: Span, operation: str, endpoint: Endpoint) -> None:
        self._span = span
        self._is_recording = span.is_recording()
        self._secrets = known_secrets(endpoint) if self._is_recording else frozenset()
        self._is_closed_early = False
        context = span.get_span_context()
        self.trace_id = f"{context.trace_id:032x}"
        self.span_id = f"{context.span_id:016x}"
        self._set(
            {
                "gen_ai.operation.name": operation,
                "gen_ai.provider.name": endpoint.provider,
                "gen_ai.request.model": endpoint.model,
                "lmops.model": endpoint.spec,
            }
        )
        if endpoint.base_url:
            address = urlsplit(endpoint.base_url)
            port = address.port or (443 if address.scheme == "https" else 80)
            self._set({"server.address": address.hostname, "server.port": port})

    def __enter__(self) -> Self:
        context = otel_context.set_value(_SUPPRESS, True)
        self._token = otel_context.attach(otel_trace.set_span_in_context(self._span, context))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._fail(error)
        otel_context.detach(self._token)
        self._span.end()

    def request(
        self,
        messages: Sequence[Mapping[str, Any]],
        params: Mapping[str, Any],
        tools: Sequence[Mapping[str, Any]] | None,
        prompt: tuple[str, str] | None,
        *,
        wants_json: bool,
        is_stream: bool = False,
    ) -> None:
        """Put on what is asked."""
        if not self._is_recording:
            return
        attributes: dict[str, Any] = {}
        for name, value in params.items():
            if name in _PARAMS and isinstance(value, str | int | float):
                attributes[_PARAMS[name]] = value
        stop = params.get("stop")
        if stop:
            attributes["gen_ai.request.stop_sequences"] = (
                [stop] if isinstance(stop, str) else [str(part) for part in stop]
            )
        if is_stream:
            attributes["gen_ai.request.stream"] = True
        if tools:
            attributes["gen_ai.tool.definitions"] = _json(list(tools))
        if wants_json:
            attributes["gen_ai.output.type"] = "json"
        if prompt is not None:
            attributes["gen_ai.prompt.name"], attributes["gen_ai.prompt.version"] = prompt
        attributes["gen_ai.input.messages"] = _json([_message(message) for message in messages])
        self._set(attributes)

    def texts(self, texts: Sequence[str]) -> None:
        """Put on what is embedded."""
        if self._is_recording:
            self._set({"lmops.input": _json(list(texts)) if len(texts) > 1 else texts[0]})

    def answer(self, answer: Answer) -> None:
        """Put on what came back."""
        if not self._is_recording:
            return
        parts: list[dict[str, Any]] = []
        said = answer.content if answer.content is not None else answer.refusal
        if said:
            parts.append({"type": "text", "content": said})
        parts += [
            {"type": "tool_call", "id": call.id, "name": call.name, "arguments": call.arguments}
            for call in answer.tool_calls
        ]
        reason = answer.finish_reason
        self._set(
            {
                "gen_ai.response.id": answer.response_id,
                "gen_ai.response.model": answer.model,
                "gen_ai.response.finish_reasons": [reason],
                "openai.response.system_fingerprint": answer.system_fingerprint,
                "gen_ai.output.messages": _json([{"role": "assistant", "parts": parts, "finish_reason": reason}]),
                **(answer.attributes or {}),
            }
        )
        self.usage(answer.usage)

    def usage(self, usage: Usage) -> None:
        """Put on the tokens."""
        self._set(
            {
                "gen_ai.usage.input_tokens": usage.input_tokens,
                "gen_ai.usage.output_tokens": usage.output_tokens,
                "gen_ai.usage.cache_read.input_tokens": usage.cached_input_tokens,
                "gen_ai.usage.cache_write.input_tokens": usage.cache_write_input_tokens,
                "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens,
                "gen_ai.usage.cost": usage.reported_cost_usd,
                "lmops.usage.units": _json(usage.units) if usage.units else None,
            }
        )

    def cached(self, completion: Completion) -> None:
        """Mark a call that was answered from the cache: nothing was sent, so it is no call of a model."""
        self._set(
            {
                "lmops.kind": "chain",
                "lmops.cache.hit": True,
                "lmops.output": completion.content,
                "gen_ai.response.model": completion.model,
            }
        )

    def set(self, name: str, value: object) -> None:
        """Put on one attribute."""
        self._set({name: value})

    def close_early(self) -> None:
        """Mark a stream whose reader had enough: the usual end of one, and no error."""
        self._is_closed_early = True
        self._set({"lmops.stream.closed_early": True})

    def retry(self, error: ModelError, wait_s: float, attempt: int) -> None:
        """Keep an attempt that failed as an event."""
        if not self._is_recording:
            return
        attributes: dict[str, Any] = {
            "error.type": error.kind,
            "error.message": str(error),
            "lmops.attempt": attempt,
            "lmops.wait_s": wait_s,
        }
        if error.status is not None:
            attributes["http.response.status_code"] = error.status
        self._span.add_event("gen_ai.retry", {name: self._clean(value) for name, value in attributes.items()})

    def _fail(self, error: BaseException) -> None:
        if not self._is_recording:
            return
        if self._is_closed_early:
            return
        name = error.kind if isinstance(error, ModelError) else type(error).__name__
        self._set({"error.type": name})
        status = getattr(error, "status", None)
        if isinstance(status, int):
            self._set({"http.response.status_code": status})
        if isinstance(error, ModelError) and error.text and error.completion is None:
            message = {"role": "assistant", "parts": [{"type": "text", "content": error.text[:65_536]}]}
            self._set({"gen_ai.output.messages": _json([message])})
        self._span.set_status(Status(StatusCode.ERROR, self._clean(str(error))[:1000] or name))
        # No exception event: it carries a traceback, with the lines of whoever called, and less than the kind.

    def _set(self, attributes: Mapping[str, Any]) -> None:
        if self._is_recording:
            self._span.set_attributes(
                {name: self._clean(value) for name, value in attributes.items() if value is not None}
            )

    def _clean(self, value: Any) -> Any:
        """Return a value without the keys that a question, a tool or an endpoint may have put into it."""
        if isinstance(value, str):
            return mask_keys(without(value, self._secrets))
        return [self._clean(one) for one in value] if isinstance(value, list) else value


def _json(value: object) -> str:
    try:
        return orjson.dumps(value, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()
    except (TypeError, ValueError):
        return repr(value)


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return one message of OpenAI's form in OpenTelemetry's."""
    role, content = message.get("role"), message.get("content")
    if role == "tool":
        part = {"type": "tool_call_response", "id": message.get("tool_call_id"), "response": content}
        return {"role": role, "parts": [part]}
    parts: list[dict[str, Any]] = []
    for piece in content if isinstance(content, list) else [{"type": "text", "text": content}]:
        if isinstance(piece, dict) and piece.get("type") == "text":
            if piece.get("text"):
                parts.append({"type": "text", "content": piece["text"]})
        elif isinstance(piece, dict) and piece.get("type") == "image_url":
            address = str((piece.get("image_url") or {}).get("url", ""))
            # The bytes of a picture are not text to keep beside every call.
            shown = address if not address.startswith("data:") else address.partition(",")[0]
            parts.append({"type": "uri", "modality": "image", "uri": shown})
        elif isinstance(piece, dict):
            parts.append(piece)
    for call in message.get("tool_calls") or ():
        function = function_of(call)
        parts.append(
            {
                "type": "tool_call",
                "id": call.get("id"),
                "name": function.get("name"),
                "arguments": function.get("arguments"),
            }
        )
    return {"role": role, "parts": parts}
