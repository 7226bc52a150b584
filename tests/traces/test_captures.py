"""Requests of real clients give exactly the facts that were written down beside them."""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from lmops.store._tables import LOG_COLUMNS, SPAN_COLUMNS
from lmops.traces._formats import decode_request, read
from lmops.traces._messages import messages
from lmops.traces._normalise import apply_logs, renormalise

FOLDER = Path(__file__).parents[3] / "shared" / "traces" / "real"
EXPECTED: dict[str, dict[str, Any]] = (
    json.loads((FOLDER / "expected.json").read_text()) if (FOLDER / "expected.json").exists() else {}
)
MODEL_KINDS = {"llm", "embedding", "reranker"}

pytestmark = pytest.mark.skipif(not EXPECTED, reason=f"the captures are not at {FOLDER}")

Row = dict[str, Any]


def rows_of(scenario: str, signal: str, ending: str) -> list[Row]:
    """Return the rows of all requests of one scenario."""
    found: list[Row] = []
    for path in sorted(FOLDER.glob(f"{scenario}.{signal}.*.{ending}")):
        with path.open("rb") as source:
            for batch in read(source, name=path.name):
                assert batch.rejected == []
                found += batch.spans if signal == "traces" else batch.logs
    return found


def billable(rows: list[Row]) -> list[Row]:
    """Return model spans with no model span below them."""
    by_id = {row["span_id"]: row for row in rows}
    above: set[str] = set()
    for row in rows:
        if row["kind"] in MODEL_KINDS:
            parent = by_id.get(row["parent_span_id"])
            while parent is not None:
                above.add(parent["span_id"])
                parent = by_id.get(parent["parent_span_id"])
    return [row for row in rows if row["kind"] in MODEL_KINDS and row["span_id"] not in above]


@pytest.mark.parametrize("scenario", EXPECTED)
def test_spans_have_the_expected_shape(scenario: str) -> None:
    """Kinds, roots, scopes, service and environment are those of the scenario."""
    expected, rows = EXPECTED[scenario], rows_of(scenario, "traces", "pb")
    ids = {row["span_id"] for row in rows}
    assert len(rows) == expected["spans"]
    assert len({row["trace_id"] for row in rows}) == expected["traces"]
    assert Counter(row["kind"] for row in rows) == expected["kinds"]
    assert sum(row["parent_span_id"] is None for row in rows) == expected["roots"]
    orphans = [row for row in rows if row["parent_span_id"] and row["parent_span_id"] not in ids]
    assert len(orphans) == expected["orphans_parent_not_exported"]
    assert sorted({row["scope"] for row in rows}) == expected["scopes"]
    assert {row["service"] for row in rows} == {expected["service"]}
    assert {row["environment"] for row in rows} == {expected["environment"]}
    assert all(tuple(row) == tuple(name for name, _, _ in SPAN_COLUMNS) for row in rows)


@pytest.mark.parametrize("scenario", EXPECTED)
def test_calls_and_tokens_are_counted_once(scenario: str) -> None:
    """Tokens over billable calls are the totals of the scenario, and missing usage is not zero."""
    expected, calls = EXPECTED[scenario], billable(rows_of(scenario, "traces", "pb"))
    assert sum(row["kind"] == "llm" for row in calls) == expected["llm_calls"]  # embeddings count for tokens only
    without = [row for row in calls if row["input_tokens"] is None and row["output_tokens"] is None]
    assert len(without) == expected["llm_calls_without_usage"]
    for column in ("input_tokens", "output_tokens", "cached_input_tokens", "cache_write_input_tokens"):
        assert sum(row[column] or 0 for row in calls) == expected[column], column
    assert sum(row["reasoning_tokens"] or 0 for row in calls) == expected["reasoning_tokens"]


@pytest.mark.parametrize("scenario", EXPECTED)
def test_models_are_those_of_the_calls(scenario: str) -> None:
    """Models asked for and models that answered; a call that failed was answered by none.

    Some clients do not say the requested model in an attribute of its own: ``models_requested`` is empty then, and
    the column holds what the parameters of the call say.
    """
    expected, calls = EXPECTED[scenario], billable(rows_of(scenario, "traces", "pb"))
    requested = sorted({row["requested_model"] for row in calls if row["requested_model"]})
    if expected["models_requested"]:
        assert requested == expected["models_requested"]
    else:
        said = {model for row in calls for model in parameters_of(row)}
        assert set(requested) == said
    answered = {row["model"] for row in calls if row["status"] != "error" or row["requested_model"] is None}
    assert sorted(answered) == expected["models_served_or_named"]
    assert all(row["model"] for row in calls)


def parameters_of(row: Row) -> list[str]:
    """Return the model that the parameters of an OpenInference span name."""
    given = json.loads(row["attributes"])
    found = [given.get("llm.invocation_parameters"), given.get("embedding.invocation_parameters")]
    return [json.loads(text)["model"] for text in found if text]


@pytest.mark.parametrize("scenario", EXPECTED)
def test_people_tools_documents_and_prompts_are_found(scenario: str) -> None:
    """Sessions, users, prompt versions, tool names and the number of documents are those of the scenario."""
    expected, rows = EXPECTED[scenario], rows_of(scenario, "traces", "pb")
    for column, fact in (("session_id", "sessions"), ("user_id", "users"), ("prompt_version", "prompt_versions")):
        assert sorted({row[column] for row in rows if row[column] is not None}) == expected[fact], column
    assert sorted({row["tool_name"] for row in rows if row["tool_name"]}) == expected["tool_span_names"]
    documents = [json.loads(row["documents"]) for row in rows if row["documents"]]
    assert sum(map(len, documents)) == expected["retrieved_documents_total"]
    assert all(document["content"] and document["id"] for found in documents for document in found)


@pytest.mark.parametrize("scenario", EXPECTED)
def test_errors_have_type_and_message(scenario: str) -> None:
    """Each failing span is an error with its exception and message, and no other span is."""
    failed = [row for row in rows_of(scenario, "traces", "pb") if row["status"] == "error"]
    found = [(row["name"], row["kind"], row["error_type"]) for row in failed]
    expected = EXPECTED[scenario]["error_spans"]
    assert found == [(fact["name"], fact["kind"], fact["exception"]) for fact in expected]
    for row, fact in zip(failed, expected, strict=True):
        assert row["error_message"].startswith(fact["message"])
        assert row["error_message"]


@pytest.mark.parametrize("scenario", EXPECTED)
@pytest.mark.parametrize("signal", ["traces", "logs"])
def test_protobuf_and_json_give_the_same_rows(scenario: str, signal: str) -> None:
    """The two encodings of one request are the same rows."""
    assert rows_of(scenario, signal, "pb") == rows_of(scenario, signal, "json")


@pytest.mark.parametrize("scenario", EXPECTED)
def test_requests_decode_like_files(scenario: str) -> None:
    """A receiver gets the rows that a file gives."""
    found: list[Row] = []
    for path in sorted(FOLDER.glob(f"{scenario}.traces.*.pb")):
        found += decode_request(path.read_bytes(), content_type="application/x-protobuf", signal="traces").spans
    assert found == rows_of(scenario, "traces", "pb")


@pytest.mark.parametrize("scenario", EXPECTED)
def test_stored_rows_renormalise_to_themselves(scenario: str) -> None:
    """What is stored is enough to make the same row again."""
    for row in rows_of(scenario, "traces", "pb"):
        assert renormalise(row) == row


@pytest.mark.parametrize("scenario", EXPECTED)
def test_model_calls_have_canonical_messages(scenario: str) -> None:
    """Input and output of each model call that was captured read back as messages."""
    for row in rows_of(scenario, "traces", "pb"):
        if row["kind"] == "llm":
            for column in ("input", "output"):
                found = messages(row[column])
                assert (found is None) == (row[column] is None)
                assert found != []


def test_log_events_fill_the_calls_they_belong_to() -> None:
    """Messages that were sent as log events come to their span, and doing it again changes nothing."""
    scenario = "otel_openai_v2_events"
    logs = rows_of(scenario, "logs", "pb")
    assert len(logs) == EXPECTED[scenario]["log_records"]
    assert all(tuple(log) == tuple(name for name, _, _ in LOG_COLUMNS) for log in logs)
    rows = [apply_logs(row, logs) for row in rows_of(scenario, "traces", "pb")]
    first, with_tools, follow_up = rows[:3]
    assert [message.role for message in messages(first["input"]) or ()] == ["system", "user"]
    assert first["output"] == (
        '[{"role":"assistant","content":"Refunds are accepted within 30 days of purchase with a receipt."}]'
    )
    calls = (messages(with_tools["output"]) or [])[0].tool_calls
    assert [call.name for call in calls] == ["get_weather", "lookup_order"]
    assert json.loads(calls[0].arguments) == {"city": "Zürich", "days": 3}
    asked = messages(follow_up["input"]) or []
    assert [message.role for message in asked] == ["system", "user", "assistant", "tool", "tool"]
    assert asked[3].tool_call_id == calls[0].id
    assert [apply_logs(row, logs) for row in rows] == rows
    assert [renormalise(row, logs) for row in rows] == rows


def test_metrics_are_refused_with_a_reason() -> None:
    """A metrics request is recognised in both encodings."""
    for path in sorted(FOLDER.glob("*.metrics.*")):
        batches = list(read(io.BytesIO(path.read_bytes()), name=path.name))
        assert [why for batch in batches for _, why in batch.rejected] == [
            "metrics are not stored: send traces or logs"
        ]
        assert not any(batch.spans or batch.logs for batch in batches)


def test_file_exporter_lines_are_read() -> None:
    """The Collector's form, one request a line, gives one call a line."""
    path = FOLDER / "oi_openai_file_exporter.jsonl"
    (batch,) = list(read(io.BytesIO(path.read_bytes()), name=path.name))
    assert [row["kind"] for row in batch.spans] == ["llm"] * 3
    assert {row["service"] for row in batch.spans} == {"jsonl-bot"}
    assert {row["environment"] for row in batch.spans} == {"dev"}
    assert all(row["input"] and row["output"] and row["response_id"] for row in batch.spans)


def test_retrieved_documents_keep_their_ids_and_scores() -> None:
    """OpenInference's LangChain spans hide ids in the output and scores in the metadata; both are found."""
    rows = rows_of("oi_langchain_rag", "traces", "pb")
    (first, *_) = [json.loads(row["documents"]) for row in rows if row["documents"]]
    assert [(document["rank"], document["id"], document["score"]) for document in first] == [
        (1, "kb-1", 0.93),
        (2, "kb-7", 0.71),
        (3, "kb-9", 0.42),
    ]
