"""The ordered alias table: which attribute of which dialect fills which column.

One row is (column, key, dialect, how, kinds). Rows of one column stand in order of precedence: the first that gives a
value wins. A key that ends in "." stands for all indexed keys below it (``llm.input_messages.0.message.role``).
``how`` names the reader (``_fields.READERS``); "json:PATH" and "usage:NAME" look inside JSON.
``kinds`` says on which kinds of span the row counts; "" means all.

The table is data. A change of it raises ``NORMALISER_VERSION``.
"""

from __future__ import annotations

from typing import Final

Alias = tuple[str, str, str, str, str]

#: Version of this table and of the readers; stored with each span.
NORMALISER_VERSION: Final = 2

MODEL_KINDS: Final = frozenset({"llm", "embedding", "reranker"})
RETRIEVAL_KINDS: Final = frozenset({"retriever", "reranker"})
ALL_KINDS: Final = frozenset({
    "llm", "embedding", "chain", "retriever", "reranker", "tool", "agent",
    "guardrail", "evaluator", "prompt", "decision", "unknown",
})  # fmt: skip

#: The sets that the last field of a row names.
KIND_SETS: Final[dict[str, frozenset[str]]] = {
    "": ALL_KINDS,
    "model": MODEL_KINDS,
    "llm": frozenset({"llm"}),
    "embedding": frozenset({"embedding"}),
    "tool": frozenset({"tool"}),
    "retrieval": RETRIEVAL_KINDS,
    "retriever": frozenset({"retriever"}),
    "reranker": frozenset({"reranker"}),
    "agent": frozenset({"agent"}),
    "asks": MODEL_KINDS | {"agent", "decision", "evaluator", "guardrail"},
    "not_model": ALL_KINDS - MODEL_KINDS,
    "not_embedding": ALL_KINDS - {"embedding"},
    "not_retrieval": ALL_KINDS - RETRIEVAL_KINDS,
}

#: Dialect column for each dialect of the table, most telling first.
DIALECTS: Final[tuple[tuple[str, str], ...]] = (
    ("chat", "chat"), ("openinference", "openinference"), ("langfuse", "langfuse"), ("mlflow", "mlflow"),
    ("traceloop", "traceloop"), ("langsmith", "langsmith"), ("genai", "genai"), ("pydantic_ai", "genai"),
    ("logfire", "genai"), ("litellm", "genai"), ("mcp", "genai"), ("vercel", "genai"), ("legacy", "traceloop"),
    ("lmops", "genai"),
)  # fmt: skip

_OI, _LF, _ML, _GA, _TL, _LS = "openinference", "langfuse", "mlflow", "genai", "traceloop", "langsmith"
_PAI, _LO, _LL, _MCP, _OLD, _OWN, _ANY = "pydantic_ai", "logfire", "litellm", "mcp", "legacy", "lmops", "shared"
_AI: Final = "vercel"

#: Word of a kind attribute (lower case) -> our kind. A word that is not here lets the next attribute speak.
KIND_WORDS: Final[dict[str, dict[str, str]]] = {
    # Logfire writes a span that has not ended as a span below it; the call itself comes later.
    "logfire.span_type": {"pending_span": "unknown"},
    "lmops.kind": {kind: kind for kind in sorted(ALL_KINDS)},
    "openinference.span.kind": {
        "llm": "llm", "embedding": "embedding", "chain": "chain", "retriever": "retriever", "reranker": "reranker",
        "tool": "tool", "agent": "agent", "guardrail": "guardrail", "evaluator": "evaluator", "prompt": "prompt",
        "decision": "decision",
    },
    "langfuse.observation.type": {
        "generation": "llm", "embedding": "embedding", "agent": "agent", "tool": "tool", "chain": "chain",
        "retriever": "retriever", "guardrail": "guardrail", "evaluator": "evaluator", "span": "chain",
        "event": "unknown",
    },
    "mlflow.spanType": {
        "llm": "llm", "chat_model": "llm", "chain": "chain", "agent": "agent", "tool": "tool",
        "retriever": "retriever", "embedding": "embedding", "reranker": "reranker", "parser": "chain",
        "workflow": "chain", "task": "chain", "guardrail": "guardrail", "evaluator": "evaluator", "memory": "tool",
    },
    # Searching a memory returns documents, so it is retrieval; writing to one acts on the outside, as a tool does.
    "gen_ai.operation.name": {
        "chat": "llm", "text_completion": "llm", "generate_content": "llm", "completion": "llm",
        "embeddings": "embedding", "embedding": "embedding", "retrieval": "retriever", "rerank": "reranker",
        "execute_tool": "tool", "create_agent": "agent", "invoke_agent": "agent", "invoke_workflow": "chain",
        "plan": "chain", "execute_task": "chain", "vector_db_retrieve": "retriever", "create_memory": "tool",
        "search_memory": "retriever", "update_memory": "tool", "upsert_memory": "tool", "delete_memory": "tool",
    },
    "traceloop.span.kind": {"workflow": "chain", "task": "chain", "agent": "agent", "tool": "tool"},
    "llm.request.type": {"chat": "llm", "completion": "llm", "rerank": "reranker", "embedding": "embedding"},
    "langsmith.span.kind": {
        "llm": "llm", "chain": "chain", "tool": "tool", "retriever": "retriever", "embedding": "embedding",
        "prompt": "prompt", "parser": "chain", "agent": "agent",
    },
    # Vercel's AI SDK: the outer span repeats the usage of the requests below it.
    "ai.operationId": {
        "ai.generatetext": "chain", "ai.streamtext": "chain", "ai.generateobject": "chain", "ai.streamobject": "chain",
        "ai.embed": "chain", "ai.embedmany": "chain", "ai.toolcall": "tool", "ai.rerank": "chain",
        "ai.generatetext.dogenerate": "llm", "ai.streamtext.dostream": "llm", "ai.generateobject.dogenerate": "llm",
        "ai.streamobject.dostream": "llm", "ai.embed.doembed": "embedding", "ai.embedmany.doembed": "embedding",
        "ai.rerank.dorerank": "reranker",
    },
    "mcp.method.name": {"tools/call": "tool", "prompts/get": "prompt", "resources/read": "retriever"},
}  # fmt: skip

#: Keys that are known and left alone, with the reason.
IGNORED: Final[dict[str, str]] = {
    "gen_ai.aggregated_usage.": "the sum over child spans, which are counted themselves",
    "mlflow.trace.cost": "the sum over the trace; each call reports its own cost",
    "mlflow.trace.tokenUsage": "the sum over the trace; each call reports its own tokens",
    "traceloop.entity.version": "the version of a workflow, not of a prompt",
    "mcp.session.id": "a transport session, not a conversation",
}

ALIASES: Final[tuple[Alias, ...]] = (
    # kind comes first: the other rows depend on it
    ("kind", "logfire.span_type", _LO, "kind", ""),
    ("kind", "lmops.kind", _OWN, "kind", ""),
    ("kind", "openinference.span.kind", _OI, "kind", ""),
    ("kind", "langfuse.observation.type", _LF, "kind", ""),
    ("kind", "mlflow.spanType", _ML, "kind", ""),
    # LangSmith says "embeddings" as the operation of a retriever: its own word comes first.
    ("kind", "langsmith.span.kind", _LS, "kind", ""),
    ("kind", "ai.operationId", _AI, "kind", ""),
    ("kind", "gen_ai.operation.name", _GA, "kind", ""),
    ("kind", "traceloop.span.kind", _TL, "kind", ""),
    ("kind", "llm.request.type", _OLD, "kind", ""),
    ("kind", "mcp.method.name", _MCP, "kind", ""),
    # who
    ("session_id", "lmops.session.id", _OWN, "text", ""),
    ("session_id", "session.id", _ANY, "text", ""),
    ("session_id", "langfuse.session.id", _LF, "text", ""),
    ("session_id", "mlflow.trace.session", _ML, "text", ""),
    ("session_id", "gen_ai.conversation.id", _GA, "text", ""),
    ("session_id", "traceloop.association.properties.session_id", _TL, "text", ""),
    ("session_id", "langsmith.metadata.session_id", _LS, "text", ""),
    ("session_id", "langsmith.metadata.thread_id", _LS, "text", ""),
    ("session_id", "langsmith.metadata.conversation_id", _LS, "text", ""),
    ("session_id", "langsmith.trace.session_id", _LS, "text", ""),
    ("session_id", "ai.telemetry.metadata.sessionId", _AI, "text", ""),
    ("user_id", "lmops.user.id", _OWN, "text", ""),
    ("user_id", "user.id", _ANY, "text", ""),
    ("user_id", "enduser.id", _ANY, "text", ""),
    ("user_id", "langfuse.user.id", _LF, "text", ""),
    ("user_id", "mlflow.trace.user", _ML, "text", ""),
    ("user_id", "traceloop.association.properties.user_id", _TL, "text", ""),
    ("user_id", "langsmith.metadata.user_id", _LS, "text", ""),
    ("user_id", "gen_ai.user", _TL, "text", ""),
    ("user_id", "llm.user", _OLD, "text", ""),
    ("user_id", "ai.telemetry.metadata.userId", _AI, "text", ""),
    # where; the resource speaks before these
    ("environment", "langfuse.environment", _LF, "text", ""),
    ("environment", "deployment.environment.name", _ANY, "text", ""),
    ("environment", "deployment.environment", _ANY, "text", ""),
    # model
    ("provider", "llm.provider", _OI, "provider", ""),
    ("provider", "llm.system", _OI, "provider", ""),
    ("provider", "mlflow.llm.provider", _ML, "provider", ""),
    ("provider", "gen_ai.provider.name", _GA, "provider", ""),
    ("provider", "gen_ai.system", _GA, "provider", ""),
    ("provider", "langsmith.metadata.ls_provider", _LS, "provider", ""),
    ("provider", "litellm.provider.model", _LL, "provider_of_model", ""),
    ("requested_model", "llm.request.model_name", _OI, "text", "asks"),
    ("requested_model", "llm.invocation_parameters", _OI, "json:model|model_name|model_id", "asks"),
    ("requested_model", "embedding.invocation_parameters", _OI, "json:model|model_name", "asks"),
    ("requested_model", "mlflow.spanInputs", _ML, "json:model|model_name", "asks"),
    ("requested_model", "gen_ai.request.model", _GA, "text", "asks"),
    ("requested_model", "langsmith.metadata.ls_model_name", _LS, "text", "asks"),
    ("requested_model", "ai.model.id", _AI, "text", "asks"),
    ("requested_model", "request_data", _LO, "json:model", "asks"),
    ("requested_model", "model_name", _PAI, "text", "asks"),
    ("requested_model", "model", _ANY, "text", "asks"),
    ("model", "llm.response.model_name", _OI, "text", "asks"),
    ("model", "llm.model_name", _OI, "text", "asks"),
    ("model", "embedding.model_name", _OI, "text", "asks"),
    ("model", "reranker.model_name", _OI, "text", "asks"),
    ("model", "langfuse.observation.model.name", _LF, "text", "asks"),
    ("model", "mlflow.spanOutputs", _ML, "json:model", "asks"),
    ("model", "mlflow.llm.model", _ML, "text", "asks"),
    ("model", "gen_ai.response.model", _GA, "text", "asks"),
    ("model", "ai.response.model", _AI, "text", "asks"),
    ("response_id", "gen_ai.response.id", _GA, "text", "asks"),
    ("response_id", "ai.response.id", _AI, "text", "asks"),
    ("response_id", "output.value", _OI, "response_id", "model"),
    ("response_id", "mlflow.spanOutputs", _ML, "json:id", "model"),
    ("response_id", "litellm.call_id", _LL, "text", "model"),
    # prompt
    ("prompt_name", "lmops.prompt.name", _OWN, "text", ""),
    ("prompt_name", "langfuse.observation.prompt.name", _LF, "text", ""),
    ("prompt_name", "mlflow.linkedPrompts", _ML, "json:0.name", ""),
    ("prompt_name", "gen_ai.prompt.name", _GA, "text", ""),
    ("prompt_name", "prompt.id", _OI, "text", ""),
    ("prompt_name", "traceloop.prompt.key", _TL, "text", ""),
    ("prompt_version", "lmops.prompt.version", _OWN, "text", ""),
    ("prompt_version", "langfuse.observation.prompt.version", _LF, "text", ""),
    ("prompt_version", "mlflow.linkedPrompts", _ML, "json:0.version", ""),
    ("prompt_version", "gen_ai.prompt.version", _GA, "text", ""),
    ("prompt_version", "llm.prompt_template.version", _OI, "text", ""),
    ("prompt_version", "traceloop.prompt.version", _TL, "text", ""),
    ("prompt_version", "traceloop.prompt.version_name", _TL, "text", ""),
    ("prompt_version", "traceloop.prompt.version_hash", _TL, "text", ""),
    # usage: only on spans that are model calls, so that a sum over spans is never a sum over sums
    ("input_tokens", "llm.token_count.prompt", _OI, "count", "model"),
    ("input_tokens", "langfuse.observation.usage_details", _LF, "usage:input", "model"),
    ("input_tokens", "mlflow.chat.tokenUsage", _ML, "usage:input", "model"),
    ("input_tokens", "gen_ai.usage.input_tokens", _GA, "count", "model"),
    ("input_tokens", "gen_ai.usage.prompt_tokens", _GA, "count", "model"),
    ("input_tokens", "ai.usage.inputTokens", _AI, "count", "model"),
    ("input_tokens", "ai.usage.promptTokens", _AI, "count", "model"),
    ("input_tokens", "ai.usage.tokens", _AI, "count", "embedding"),
    ("input_tokens", "llm.usage.prompt_tokens", _OLD, "count", "model"),
    ("input_tokens", "gen_ai.usage.raw", _LO, "usage:input", "model"),
    ("input_tokens", "mlflow.spanOutputs", _ML, "usage_within:input", "embedding"),
    ("output_tokens", "llm.token_count.completion", _OI, "count", "model"),
    ("output_tokens", "langfuse.observation.usage_details", _LF, "usage:output", "model"),
    ("output_tokens", "mlflow.chat.tokenUsage", _ML, "usage:output", "model"),
    ("output_tokens", "gen_ai.usage.output_tokens", _GA, "count", "model"),
    ("output_tokens", "gen_ai.usage.completion_tokens", _GA, "count", "model"),
    ("output_tokens", "ai.usage.outputTokens", _AI, "count", "model"),
    ("output_tokens", "ai.usage.completionTokens", _AI, "count", "model"),
    ("output_tokens", "llm.usage.completion_tokens", _OLD, "count", "model"),
    ("output_tokens", "gen_ai.usage.raw", _LO, "usage:output", "model"),
    ("cached_input_tokens", "llm.token_count.prompt_details.cache_read", _OI, "count", "model"),
    ("cached_input_tokens", "llm.token_count.prompt_details.cache_input", _OI, "count", "model"),
    ("cached_input_tokens", "langfuse.observation.usage_details", _LF, "usage:cached", "model"),
    ("cached_input_tokens", "mlflow.chat.tokenUsage", _ML, "usage:cached", "model"),
    ("cached_input_tokens", "gen_ai.usage.cache_read.input_tokens", _GA, "count", "model"),
    ("cached_input_tokens", "gen_ai.usage.cache_read_input_tokens", _TL, "count", "model"),
    ("cached_input_tokens", "gen_ai.usage.details.cache_read_tokens", _PAI, "count", "model"),
    ("cached_input_tokens", "gen_ai.usage.details.cached_tokens", _PAI, "count", "model"),
    ("cached_input_tokens", "ai.usage.cachedInputTokens", _AI, "count", "model"),
    ("cached_input_tokens", "gen_ai.usage.raw", _LO, "usage:cached", "model"),
    ("cached_input_tokens", "gen_ai.usage.input_token_details", _LS, "usage:cached", "model"),
    ("cached_input_tokens", "langsmith.metadata.usage_metadata", _LS, "usage:cached", "model"),
    ("cache_write_input_tokens", "llm.token_count.prompt_details.cache_write", _OI, "count", "model"),
    ("cache_write_input_tokens", "langfuse.observation.usage_details", _LF, "usage:cache_write", "model"),
    ("cache_write_input_tokens", "mlflow.chat.tokenUsage", _ML, "usage:cache_write", "model"),
    ("cache_write_input_tokens", "gen_ai.usage.cache_write.input_tokens", _GA, "count", "model"),
    ("cache_write_input_tokens", "gen_ai.usage.cache_creation.input_tokens", _GA, "count", "model"),
    ("cache_write_input_tokens", "gen_ai.usage.cache_creation_input_tokens", _TL, "count", "model"),
    ("cache_write_input_tokens", "cache_creation_input_tokens", _OLD, "count", "model"),
    ("cache_write_input_tokens", "gen_ai.usage.details.cache_write_tokens", _PAI, "count", "model"),
    ("cache_write_input_tokens", "gen_ai.usage.raw", _LO, "usage:cache_write", "model"),
    ("cache_write_input_tokens", "gen_ai.usage.input_token_details", _LS, "usage:cache_write", "model"),
    ("cache_write_input_tokens", "langsmith.metadata.usage_metadata", _LS, "usage:cache_write", "model"),
    ("reasoning_tokens", "llm.token_count.completion_details.reasoning", _OI, "count", "model"),
    ("reasoning_tokens", "langfuse.observation.usage_details", _LF, "usage:reasoning", "model"),
    ("reasoning_tokens", "mlflow.chat.tokenUsage", _ML, "usage:reasoning", "model"),
    ("reasoning_tokens", "gen_ai.usage.reasoning.output_tokens", _GA, "count", "model"),
    ("reasoning_tokens", "gen_ai.usage.reasoning_tokens", _TL, "count", "model"),
    ("reasoning_tokens", "llm.usage.reasoning_tokens", _OLD, "count", "model"),
    ("reasoning_tokens", "gen_ai.usage.details.reasoning_tokens", _PAI, "count", "model"),
    ("reasoning_tokens", "ai.usage.reasoningTokens", _AI, "count", "model"),
    ("reasoning_tokens", "gen_ai.usage.raw", _LO, "usage:reasoning", "model"),
    ("reasoning_tokens", "gen_ai.usage.output_token_details", _LS, "usage:reasoning", "model"),
    ("reasoning_tokens", "langsmith.metadata.usage_metadata", _LS, "usage:reasoning", "model"),
    # cost as reported, for the same reason only on model calls
    ("reported_cost_usd", "lmops.cost_usd", _OWN, "money", "model"),
    ("reported_cost_usd", "llm.cost.total", _OI, "money", "model"),
    ("reported_cost_usd", "llm.cost.prompt", _OI, "sum:llm.cost.prompt|llm.cost.completion", "model"),
    ("reported_cost_usd", "langfuse.observation.cost_details", _LF, "cost_details", "model"),
    ("reported_cost_usd", "mlflow.llm.cost", _ML, "cost_details", "model"),
    ("reported_cost_usd", "gen_ai.cost.total_cost", _LL, "money", "model"),
    ("reported_cost_usd", "gen_ai.cost.input_cost", _LL, "sum:gen_ai.cost.input_cost|gen_ai.cost.output_cost", "model"),
    ("reported_cost_usd", "operation.cost", _PAI, "money", "model"),
    # how it ended, how fast it began
    ("finish_reason", "llm.finish_reason", _OI, "reasons", "model"),
    ("finish_reason", "gen_ai.response.finish_reasons", _GA, "reasons", "model"),
    ("finish_reason", "gen_ai.response.finish_reason", _GA, "reasons", "model"),
    ("finish_reason", "ai.response.finishReason", _AI, "reasons", "model"),
    ("finish_reason", "llm.response.finish_reason", _OLD, "reasons", "model"),
    ("finish_reason", "llm.response.stop_reason", _OLD, "reasons", "model"),
    ("finish_reason", "anthropic.message.stop_reason", _GA, "reasons", "model"),
    ("finish_reason", "langfuse.observation.output", _LF, "reasons_within", "model"),
    ("finish_reason", "mlflow.spanOutputs", _ML, "reasons_within", "model"),
    ("finish_reason", "gen_ai.output.messages", _GA, "reasons_within", "model"),
    ("finish_reason", "gen_ai.completion.", _OLD, "reasons_indexed", "model"),
    ("finish_reason", "output.value", _OI, "reasons_within", "model"),
    ("finish_reason", "response_data", _LO, "reasons_within", "model"),
    ("ttft_ms", "gen_ai.response.time_to_first_chunk", _GA, "seconds", "model"),
    ("ttft_ms", "gen_ai.server.time_to_first_token", _GA, "seconds", "model"),
    ("ttft_ms", "ai.response.msToFirstChunk", _AI, "milliseconds", "model"),
    ("ttft_ms", "langfuse.observation.completion_start_time", _LF, "since_start", "model"),
    # tool
    ("tool_name", "tool.name", _OI, "text", "tool"),
    ("tool_name", "mlflow.spanFunctionName", _ML, "text", "tool"),
    ("tool_name", "gen_ai.tool.name", _GA, "text", "tool"),
    ("tool_name", "ai.toolCall.name", _AI, "text", "tool"),
    ("tool_name", "traceloop.entity.name", _TL, "text", "tool"),
    # retrieval
    ("index_fingerprint", "lmops.index.fingerprint", _OWN, "text", ""),
    ("index_fingerprint", "gen_ai.retrieval.index.fingerprint", _GA, "text", ""),
    ("index_fingerprint", "retrieval.index.fingerprint", _ANY, "text", ""),
    ("index_fingerprint", "retrieval.index_fingerprint", _ANY, "text", ""),
    ("index_fingerprint", "index.fingerprint", _ANY, "text", ""),
    ("index_fingerprint", "index_fingerprint", _ANY, "text", ""),
    ("documents", "lmops.documents", _OWN, "documents", ""),
    ("documents", "retrieval.documents.", _OI, "documents_indexed", ""),
    ("documents", "reranker.output_documents.", _OI, "documents_indexed", ""),
    ("documents", "langfuse.observation.output", _LF, "documents", "retrieval"),
    ("documents", "mlflow.spanOutputs", _ML, "documents", "retrieval"),
    ("documents", "gen_ai.retrieval.documents", _GA, "documents", ""),
    ("documents", "traceloop.entity.output", _TL, "documents", "retrieval"),
    ("documents", "output.value", _OI, "documents", "retrieval"),
    ("documents", "gen_ai.completion", _GA, "documents", "retrieval"),
    # what went in
    ("input", "lmops.input", _OWN, "input", ""),
    ("input", "gen_ai.tool.call.arguments", _GA, "value", "tool"),
    ("input", "ai.toolCall.args", _AI, "value", "tool"),
    ("input", "ai.prompt.messages", _AI, "input", ""),
    ("input", "ai.prompt", _AI, "input", ""),
    ("input", "ai.value", _AI, "input", "embedding"),
    ("input", "ai.values", _AI, "input", "embedding"),
    ("input", "gen_ai.retrieval.query.text", _GA, "value", "retrieval"),
    ("input", "reranker.query", _OI, "value", "reranker"),
    ("input", "llm.input_messages.", _OI, "messages_indexed_in", "llm"),
    ("input", "embedding.embeddings.", _OI, "embedded_texts", "embedding"),
    ("input", "llm.prompts.", _OI, "prompts_indexed", "llm"),
    ("input", "tool.parameters", _OI, "arguments", "tool"),
    ("input", "langfuse.observation.input", _LF, "input", ""),
    ("input", "mlflow.spanInputs", _ML, "input", ""),
    ("input", "gen_ai.input.messages", _GA, "input", ""),
    ("input", "input.value", _OI, "value_in", ""),
    ("input", "llm.input_messages.", _OI, "messages_indexed_in", "not_model"),
    ("input", "gen_ai.prompt.", _OLD, "messages_indexed_in", ""),
    ("input", "gen_ai.prompt", _GA, "input", ""),
    ("input", "traceloop.entity.input", _TL, "input", ""),
    ("input", "request_data", _LO, "input", ""),
    ("input", "pydantic_ai.all_messages", _PAI, "asked", ""),
    ("input", "tool_arguments", _PAI, "value", "tool"),
    ("input", "mcp.request.argument", _TL, "value", ""),
    ("input", "gen_ai.system_instructions", _GA, "instructions", "llm"),
    # what came out
    ("output", "lmops.output", _OWN, "output", ""),
    ("output", "gen_ai.tool.call.result", _GA, "value", "tool"),
    ("output", "ai.toolCall.result", _AI, "value", "tool"),
    ("output", "ai.response.text", _AI, "output", "not_embedding"),
    ("output", "ai.response.object", _AI, "output", "not_embedding"),
    ("output", "ai.response.toolCalls", _AI, "output", "not_embedding"),
    ("output", "llm.output_messages.", _OI, "messages_indexed_out", "llm"),
    ("output", "llm.choices.", _OI, "choices_indexed", "llm"),
    ("output", "langfuse.observation.output", _LF, "output", "not_embedding"),
    ("output", "mlflow.spanOutputs", _ML, "output", "not_embedding"),
    ("output", "gen_ai.output.messages", _GA, "output", "not_embedding"),
    ("output", "output.value", _OI, "value_out", "not_embedding"),
    ("output", "llm.output_messages.", _OI, "messages_indexed_out", "not_model"),
    ("output", "gen_ai.completion.", _OLD, "messages_indexed_out", "not_embedding"),
    ("output", "gen_ai.completion", _GA, "output", "not_embedding"),
    ("output", "traceloop.entity.output", _TL, "output", "not_embedding"),
    ("output", "response_data", _LO, "output", "not_embedding"),
    ("output", "final_result", _PAI, "value", ""),
    ("output", "pydantic_ai.all_messages", _PAI, "answered", ""),
    ("output", "tool_response", _PAI, "value", "tool"),
    ("output", "mcp.response.value", _TL, "value", ""),
    ("output", "gen_ai.retrieval.documents", _GA, "value", "retrieval"),
)

#: Why a model stopped, as clients write it (lower case) -> one word; any other word stays as it was sent.
FINISH_REASONS: Final[dict[str, str]] = {
    "end_turn": "stop", "stop_sequence": "stop", "eos": "stop", "eos_token": "stop", "complete": "stop",
    "max_tokens": "length", "max_output_tokens": "length", "model_length": "length",
    "model_context_window_exceeded": "length",
    "tool_call": "tool_calls", "tool_use": "tool_calls", "tool-calls": "tool_calls", "tool-call": "tool_calls",
    "function_call": "tool_calls",
    "content-filter": "content_filter", "content_filtered": "content_filter", "safety": "content_filter",
    "refusal": "content_filter", "recitation": "content_filter", "blocklist": "content_filter",
    "prohibited_content": "content_filter", "spii": "content_filter", "guardrail_intervened": "content_filter",
}  # fmt: skip

#: Provider names as clients write them (lower case) -> the OpenTelemetry name; None: not a provider of models.
PROVIDERS: Final[dict[str, str | None]] = {
    "az.ai.openai": "azure.ai.openai", "azure": "azure.ai.openai", "azure_openai": "azure.ai.openai",
    "az.ai.inference": "azure.ai.inference", "azure_ai": "azure.ai.inference",
    "vertex_ai": "gcp.vertex_ai", "vertexai": "gcp.vertex_ai", "google_vertexai": "gcp.vertex_ai",
    "gemini": "gcp.gemini", "google_genai": "gcp.gen_ai", "google": "gcp.gen_ai",
    "aws": "aws.bedrock", "bedrock": "aws.bedrock", "amazon_bedrock": "aws.bedrock",
    "mistral": "mistral_ai", "mistralai": "mistral_ai", "xai": "x_ai", "grok": "x_ai",
    "watsonx": "ibm.watsonx.ai", "ibm": "ibm.watsonx.ai",
    "langchain": None, "unknown": None,
}  # fmt: skip
