"""Each row of the alias table fills its column, and each dialect's span is read as that client means it."""

from __future__ import annotations

import json

import pytest

from lmops.store._tables import SPAN_COLUMNS
from lmops.traces._aliases import ALIASES, IGNORED, KIND_SETS, KIND_WORDS
from lmops.traces._normalise import normalise
from lmops.traces._raw import NO_RESOURCE, RawSpan, Resource
from lmops.types import SPAN_KINDS

START = 1_790_000_000_000_000_000


def row_of(attributes, *, name="step", events=(), status=0, message="", resource=None, scope="tests 1"):
    raw = RawSpan(
        "1" * 32,
        "2" * 16,
        None,
        name,
        START,
        START + 2_000_000_000,
        status,
        message,
        dict(attributes),
        list(events),
        [],
        Resource(resource) if resource else NO_RESOURCE,
        scope,
    )
    return normalise(raw)


USAGE = {
    "input_tokens": 120,
    "output_tokens": 30,
    "cached_input_tokens": 64,
    "cache_write_input_tokens": 8,
    "reasoning_tokens": 5,
}
ANSWER = {
    "id": "resp-1",
    "model": "m-1",
    "choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": "yes"}}],
}
DOCUMENTS = [{"id": "d1", "page_content": "text", "score": 0.5, "metadata": {"source": "a"}}]
ASKED = '[{"role":"user","content":"hi"}]'
SAID = '[{"role":"assistant","content":"yes"}]'
FOUND = [{"rank": 1, "id": "d1", "score": 0.5, "content": "text", "metadata": {"source": "a"}}]
PARTS = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "hi"}]}])
TALK = json.dumps([{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}])

EVENTS = json.dumps(
    [
        {"event.name": "gen_ai.user.message", "content": "hi"},
        {"event.name": "gen_ai.choice", "message": {"role": "assistant", "content": "yes"}},
    ]
)

#: How a reader is called -> (attributes below the key, expected value). A key that ends in "." is extended.
SAMPLES = {
    "text": ("abc", "abc"),
    "provider": ("OpenAI", "openai"),
    "provider_of_model": ("openai/gpt", "openai"),
    "count": ("17", 17),
    "money": (0.25, 0.25),
    "seconds": (0.5, 500.0),
    "milliseconds": (500.0, 500.0),
    "server_seconds": (0.5, 500.0),
    "provider_cost": ('{"gateway":{"cost":"0.25"}}', 0.25),
    "reasons": (["stop"], "stop"),
    "since_start": ('"2026-09-21T14:13:21.500000Z"', 1500.0),
    "cost_within": ('{"usage":{"prompt_tokens":1,"cost":0.25}}', 0.25),
    "cost_details": ('{"input":0.1,"total":0.25}', 0.25),
    "reasons_within": (json.dumps(ANSWER), "stop"),
    "response_id": (json.dumps(ANSWER), "resp-1"),
    "documents": (json.dumps(DOCUMENTS), FOUND),
    "input": (PARTS, ASKED),
    "output": ("yes", SAID),
    "ai_answer": ("yes", SAID),
    "value": ("abc", "abc"),
    "arguments": ('{"city":"Bern"}', '{"city":"Bern"}'),
    "value_in": ("hi", ASKED),
    "value_out": ("yes", SAID),
    "asked": (TALK, "hi"),
    "answered": (TALK, "yes"),
    "events_in": (EVENTS, ASKED),
    "events_out": (EVENTS, SAID),
    "instructions": ('[{"type":"text","content":"be brief"}]', '[{"role":"system","content":"be brief"}]'),
}
INDEXED = {
    "reasons_indexed": ({"0.finish_reason": "stop"}, "stop"),
    "documents_indexed": (
        {
            "0.document.id": "d1",
            "0.document.content": "text",
            "0.document.score": 0.5,
            "0.document.metadata": '{"source":"a"}',
        },
        FOUND,
    ),
    "messages_indexed_in": ({"0.message.role": "user", "0.message.content": "hi"}, ASKED),
    "messages_indexed_out": ({"0.message.role": "assistant", "0.message.content": "yes"}, SAID),
    "embedded_texts": ({"0.embedding.text": "hi", "0.embedding.vector": [0.5]}, "hi"),
    "prompts_indexed": ({"0.prompt.text": "hi"}, ASKED),
    "choices_indexed": ({"0.completion.text": "yes"}, SAID),
}
KIND_FOR = {
    "": "llm",
    "model": "llm",
    "asks": "llm",
    "retrieval": "retriever",
    "not_model": "chain",
    "not_embedding": "llm",
}


def sample(how: str, key: str):
    """Return attributes that carry one value, and that value."""
    name, _, argument = how.partition(":")
    if key.endswith("."):
        given, expected = INDEXED[name]
        return {key + rest: value for rest, value in given.items()}, expected
    if name == "json":
        first = argument.split("|")[0]
        inner = [{first[2:]: "abc"}] if first.startswith("0.") else {first: "abc"}
        return {key: json.dumps(inner)}, "abc"
    if name == "usage":
        column = {
            "input": "input_tokens",
            "output": "output_tokens",
            "cached": "cached_input_tokens",
            "cache_write": "cache_write_input_tokens",
            "reasoning": "reasoning_tokens",
        }[argument]
        return {key: json.dumps(USAGE)}, USAGE[column]
    if name == "provider_usage":
        said = {"cacheReadInputTokens": 64, "cacheCreationInputTokens": 8, "reasoningTokens": 5}
        return {key: json.dumps({"anthropic": said})}, {"cached": 64, "cache_write": 8, "reasoning": 5}[argument]
    if key == "ai.response.toolCalls":
        call = {"toolCallId": "c1", "toolName": "find", "args": "{}"}
        said = [{"role": "assistant", "content": "", "tool_calls": [{"id": "c1", "name": "find", "arguments": "{}"}]}]
        return {key: json.dumps([call])}, json.dumps(said, separators=(",", ":"))
    if key == "ai.response.reasoning":
        said = [{"role": "assistant", "content": "", "reasoning": "hm"}]
        return {key: "hm"}, json.dumps(said, separators=(",", ":"))
    if name == "usage_within":
        return {key: json.dumps({"usage": USAGE})}, {"input": 120, "cached": 64, "reasoning": 5}[argument]
    if name == "sum":
        return dict.fromkeys(argument.split("|"), 0.125), 0.25
    value, expected = SAMPLES[name]
    return {key: value}, expected


COLUMNS = {name for name, _, _ in SPAN_COLUMNS}
ROWS = [alias for alias in ALIASES if alias[0] != "kind" and alias[0] in COLUMNS]


@pytest.mark.parametrize("alias", ROWS, ids=[f"{alias[0]}<-{alias[1]}({alias[4]})" for alias in ROWS])
def test_each_row_of_the_table_fills_its_column(alias):
    column, key, _, how, kinds = alias
    kind = KIND_FOR.get(kinds, kinds)
    given, expected = sample(how, key)
    row = row_of({"lmops.kind": kind, **given})
    found = json.loads(row[column]) if column == "documents" else row[column]
    if column in ("input", "output") and kind != "llm" and expected in (ASKED, SAID):
        expected = "hi" if expected == ASKED else "yes"
    if kind == "llm" and column in ("input", "output"):
        expected = {"hi": ASKED, "yes": SAID}.get(expected, expected)
    assert found == expected


@pytest.mark.parametrize("alias", [alias for alias in ROWS if KIND_SETS[alias[4]] != KIND_SETS[""]], ids=str)
def test_a_row_for_some_kinds_is_silent_on_the_others(alias):
    column, key, _, how, kinds = alias
    others = sorted(set(SPAN_KINDS) - KIND_SETS[kinds])
    given, _ = sample(how, key)
    assert {kind for kind in others if _only(column, kind, key, {"lmops.kind": kind, **given})} == set()


def _only(column, kind, key, attributes):
    """Return whether a column was filled although no row of the table for this kind says so."""
    allowed = [alias for alias in ALIASES if alias[0] == column and alias[1] == key and kind in KIND_SETS[alias[4]]]
    row = row_of(attributes)
    return not allowed and row[column] is not None and not (column == "tool_name" and kind == "tool")


@pytest.mark.parametrize(
    ("key", "word", "kind"), [(key, word, kind) for key, words in KIND_WORDS.items() for word, kind in words.items()]
)
@pytest.mark.parametrize("spell", [str, str.upper, json.dumps, lambda word: json.dumps(json.dumps(word))])
def test_each_word_for_a_kind_is_known(key, word, kind, spell):
    assert row_of({key: spell(word)})["kind"] == kind


def test_every_column_of_the_table_exists():
    names = {name for name, _, _ in SPAN_COLUMNS}
    assert {alias[0] for alias in ALIASES} - names == {"total_tokens", "usage_units", "usage_fees", "usage_terms"}
    assert {kind for words in KIND_WORDS.values() for kind in words.values()} <= set(SPAN_KINDS)


@pytest.mark.parametrize(
    ("stronger", "weaker"),
    [
        ({"openinference.span.kind": "CHAIN"}, {"langfuse.observation.type": "generation"}),
        ({"langfuse.observation.type": "chain"}, {"mlflow.spanType": '"LLM"'}),
        ({"mlflow.spanType": '"CHAIN"'}, {"gen_ai.operation.name": "chat"}),
        ({"gen_ai.operation.name": "invoke_workflow"}, {"traceloop.span.kind": "agent"}),
        ({"gen_ai.operation.name": "execute_task"}, {"traceloop.span.kind": "agent"}),
        ({"langsmith.span.kind": "chain"}, {"gen_ai.operation.name": "embeddings"}),
        ({"openinference.span.kind": "UNKNOWN", "gen_ai.operation.name": "plan"}, {}),
    ],
)
def test_kinds_have_an_order(stronger, weaker):
    assert row_of({**weaker, **stronger})["kind"] == "chain"
    assert row_of({**stronger, **weaker})["kind"] == "chain"


def test_a_child_without_a_kind_is_unknown():
    row = row_of({"llm.openai.messages": "[{'role': 'user'}]", "llm.openai.model": "m"}, name="raw_gen_ai_request")
    assert (row["kind"], row["model"], row["dialect"]) == ("unknown", None, "unknown")


@pytest.mark.parametrize("key", [key if not key.endswith(".") else key + "input_tokens" for key in IGNORED])
def test_known_sums_are_left_alone(key):
    plain = {"gen_ai.operation.name": "chat"}
    row = row_of({**plain, key: "7"})
    assert {name: value for name, value in row.items() if name != "attributes"} == {
        name: value for name, value in row_of(plain).items() if name != "attributes"
    }


@pytest.mark.parametrize("kind", ["agent", "chain", "tool", "unknown"])
def test_usage_and_cost_stand_only_on_model_spans(kind):
    row = row_of(
        {"lmops.kind": kind, "gen_ai.usage.input_tokens": 5, "gen_ai.usage.output_tokens": 5, "llm.cost.total": 1}
    )
    assert row["input_tokens"] is None
    assert row["reported_cost_usd"] is None


@pytest.mark.parametrize(
    ("said", "provider"),
    [
        ("openai", "openai"),
        ("OpenAI", "openai"),
        ("az.ai.openai", "azure.ai.openai"),
        ("vertex_ai", "gcp.vertex_ai"),
        ("gemini", "gcp.gemini"),
        ("az.ai.inference", "azure.ai.inference"),
        ("aws.bedrock", "aws.bedrock"),
        ("mistralai", "mistral_ai"),
        ("xai", "x_ai"),
        ("langchain", None),
        ("my-gateway", "my-gateway"),
        ("", None),
    ],
)
def test_providers_have_their_present_name(said, provider):
    assert row_of({"gen_ai.operation.name": "chat", "gen_ai.system": said})["provider"] == provider


@pytest.mark.parametrize(
    ("resource", "attributes", "environment"),
    [
        ({"deployment.environment.name": "prod"}, {}, "prod"),
        ({"deployment.environment": "prod"}, {}, "prod"),
        ({"deployment.environment.name": "prod", "deployment.environment": "old"}, {}, "prod"),
        ({"langfuse.environment": "prod"}, {}, "prod"),
        ({"langfuse.environment": "default"}, {"langfuse.environment": "prod"}, "prod"),
        ({"deployment.environment": "prod"}, {"langfuse.environment": "default"}, "prod"),
        ({}, {}, None),
    ],
)
def test_environment_has_old_and_new_names(resource, attributes, environment):
    row = row_of(attributes, resource={"service.name": "unknown_service:python", **resource})
    assert (row["environment"], row["service"]) == (environment, "unknown_service:python")


@pytest.mark.parametrize(
    ("value", "version"), [("v3", "v3"), (7, "7"), ("7", "7"), ('"7"', "7"), (7.0, "7"), ("", None)]
)
def test_prompt_version_is_text(value, version):
    assert row_of({"gen_ai.prompt.version": value})["prompt_version"] == version


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("stop", "stop"),
        (["stop"], "stop"),
        ('["stop"]', "stop"),
        ('["stop", "length", "stop"]', "stop,length"),
        ([], None),
        ("", None),
        ([None], None),
        (["tool_use"], "tool_calls"),
        ('["tool_call"]', "tool_calls"),
        ("function_call", "tool_calls"),
        ("end_turn", "stop"),
        ("FinishReason.MAX_TOKENS", "length"),
        ("FINISH_REASON_SAFETY", "content_filter"),
        (["stop", "end_turn", "max_tokens"], "stop,length"),
        ("Pause.Turn", "Pause.Turn"),
    ],
)
def test_finish_reason_is_one_word_for_all_clients(value, reason):
    """What clients call differently is one reason; a word that is not known stays as it was sent."""
    row = row_of({"gen_ai.operation.name": "chat", "gen_ai.response.finish_reasons": value})
    assert row["finish_reason"] == reason


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ({"input": 120, "output": 30, "input_cached_tokens": 64, "total": 150}, (120, 30, 64, None, None)),
        ({"input": 56, "output": 30, "cache_read_input_tokens": 64, "total": 150}, (120, 30, 64, None, None)),
        (
            {"input": 50, "output": 9, "cache_read_input_tokens": 40, "cache_creation_input_tokens": 1, "total": 100},
            (91, 9, 40, 1, None),
        ),
        (
            {
                "prompt_tokens": 36,
                "completion_tokens": 29,
                "prompt_tokens_details": {"cached_tokens": 16},
                "completion_tokens_details": {"reasoning_tokens": 3},
            },
            (36, 29, 16, None, 3),
        ),
        (
            {
                "input_tokens": 9,
                "output_tokens": 2,
                "input_tokens_details": {"cached_tokens": 4},
                "output_tokens_details": {"reasoning_tokens": 1},
            },
            (9, 2, 4, None, 1),
        ),
        ({"input": None, "output": "many"}, (None, None, None, None, None)),
        ([1, 2], (None, None, None, None, None)),
    ],
)
@pytest.mark.parametrize("encode", [json.dumps, lambda value: json.dumps(json.dumps(value)), lambda value: value])
def test_usage_objects_are_read_whatever_the_names(details, expected, encode):
    row = row_of({"langfuse.observation.type": "generation", "langfuse.observation.usage_details": encode(details)})
    assert tuple(row[name] for name in USAGE) == expected


@pytest.mark.parametrize("value", [True, -1, 1.5, "NaN", "1e400", 2**70, [], {}, None, "", "12 tokens", "٣"])
def test_a_count_that_is_none_is_missing(value):
    row = row_of({"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": value})
    assert row["input_tokens"] is None


@pytest.mark.parametrize(
    ("attributes", "dialect"),
    [
        ({"openinference.span.kind": "LLM", "gen_ai.request.model": "m"}, "openinference"),
        ({"langfuse.observation.type": "span"}, "langfuse"),
        ({"mlflow.spanType": '"LLM"'}, "mlflow"),
        ({"gen_ai.operation.name": "chat"}, "genai"),
        ({"gen_ai.operation.name": "chat", "traceloop.workflow.name": "w", "traceloop.entity.name": "e"}, "traceloop"),
        ({"langsmith.span.kind": "llm", "gen_ai.system": "openai"}, "langsmith"),
        ({"llm.request.type": "chat"}, "traceloop"),
        ({"session.id": "s", "http.method": "GET"}, "unknown"),
    ],
)
def test_dialect_is_the_vocabulary(attributes, dialect):
    assert row_of(attributes)["dialect"] == dialect
