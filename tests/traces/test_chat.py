"""Chat records of every common shape become traces, the same ones each time they are read."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from lmops.traces._formats import detect, read
from lmops.traces._messages import messages
from lmops.traces._normalise import renormalise

PUBLIC = Path(__file__).parents[3] / "shared" / "traces" / "public"
MODIFIED_NS = 1_790_000_000_000_000_000
ASK = {"role": "user", "content": "hi"}
ANSWER = {"role": "assistant", "content": "yes"}
USAGE = {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}
COMPLETION = {
    "id": "chatcmpl-1",
    "model": "gpt-4o-2026",
    "created": 1_780_000_000,
    "usage": USAGE,
    "choices": [{"index": 0, "finish_reason": "stop", "message": ANSWER}],
}


def rows_of(*records, name="chat.jsonl"):
    data = b"".join(json.dumps(record).encode() + b"\n" for record in records)
    assert detect(data, name) == "chat-jsonl"
    rows = []
    for batch in read(io.BytesIO(data), name=name, fallback_time_ns=MODIFIED_NS):
        assert batch.rejected == []
        rows += batch.spans
    return rows


def talk(text):
    return [(message.role, message.content) for message in messages(text) or ()]


@pytest.mark.parametrize(
    "record",
    [
        {"request": {"model": "gpt-4o", "messages": [ASK]}, "response": COMPLETION},
        {"messages": [ASK], "model": "gpt-4o", "response": COMPLETION},
        {"body": {"model": "gpt-4o", "messages": [ASK]}, "response": {"status_code": 200, "body": COMPLETION}},
        {"request": {"body": {"model": "gpt-4o", "messages": [ASK]}}, "response": json.dumps(COMPLETION)},
    ],
)
def test_request_and_answer_are_one_call(record):
    (row,) = rows_of(record)
    assert (row["kind"], row["dialect"], row["parent_span_id"]) == ("llm", "chat", None)
    assert (row["requested_model"], row["model"], row["response_id"]) == ("gpt-4o", "gpt-4o-2026", "chatcmpl-1")
    assert (row["input_tokens"], row["output_tokens"], row["cached_input_tokens"]) == (9, 2, 4)
    assert (talk(row["input"]), talk(row["output"])) == ([("user", "hi")], [("assistant", "yes")])
    assert (row["finish_reason"], row["name"]) == ("stop", "chat gpt-4o")
    assert renormalise(row) == row


def test_flat_log_with_choices():
    (row,) = rows_of({"messages": [ASK], **COMPLETION, "latency_ms": 250})
    assert talk(row["output"]) == [("assistant", "yes")]
    assert (row["model"], row["input_tokens"], row["latency_ms"]) == ("gpt-4o-2026", 9, 250.0)
    assert row["start_ns"] == 1_780_000_000 * 10**9


def test_anthropic_and_responses_answers():
    anthropic = {
        "id": "msg_1",
        "model": "claude",
        "role": "assistant",
        "content": [{"type": "text", "text": "yes"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 3, "output_tokens": 1},
    }
    responses = {
        "id": "resp_1",
        "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "yes"}]}],
    }
    first, second = rows_of(
        {"request": {"model": "claude", "system": "s", "messages": [ASK]}, "response": anthropic},
        {"request": {"model": "gpt-5", "input": "hi", "instructions": "s"}, "response": responses},
    )
    for row in (first, second):
        assert talk(row["input"]) == [("system", "s"), ("user", "hi")]
        assert talk(row["output"]) == [("assistant", "yes")]
    assert (first["finish_reason"], first["input_tokens"]) == ("stop", 3)


def test_fine_tuning_lines_are_one_call_each():
    first, second = rows_of({"messages": [ASK, ANSWER]}, {"messages": [ASK, ANSWER]})
    assert talk(first["input"]) == [("user", "hi")]
    assert talk(first["output"]) == [("assistant", "yes")]
    assert first["trace_id"] != second["trace_id"]
    assert first["input_tokens"] is first["model"] is first["latency_ms"] is None


def test_other_known_shapes():
    old, share, alone = rows_of(
        {"prompt": "hi", "completion": "yes"},
        {"conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "yes"}]},
        {"messages": [ASK]},
    )
    for row in (old, share):
        assert (talk(row["input"]), talk(row["output"])) == ([("user", "hi")], [("assistant", "yes")])
    assert (talk(alone["input"]), alone["output"]) == ([("user", "hi")], None)


def test_reading_again_gives_the_same_ids():
    record = {"messages": [ASK, ANSWER]}
    assert rows_of(record, record) == rows_of(record, record, name="renamed.jsonl")
    ids = {row["span_id"] for row in rows_of(record, record)}
    assert len(ids) == 2


def test_time_that_is_not_said_is_the_files_and_marked():
    (row,) = rows_of({"messages": [ASK, ANSWER]})
    assert (row["start_ns"], row["end_ns"], row["latency_ms"]) == (MODIFIED_NS, None, None)
    assert json.loads(row["attributes"])["lmops.time_estimated"] is True


@pytest.mark.parametrize(
    ("said", "start_ns"),
    [
        ({"created": 1_780_000_000}, 1_780_000_000 * 10**9),
        ({"timestamp": 1_780_000_000_123}, 1_780_000_000_123 * 10**6),
        ({"timestamp": 1_780_000_000.5}, 1_780_000_000_500_000_000),
        ({"timestamp": "2026-05-28T20:26:40Z"}, 1_780_000_000 * 10**9),
        ({"created_at": "2026-05-28T22:26:40+02:00"}, 1_780_000_000 * 10**9),
        ({"start_time": "2026-05-28 20:26:40"}, 1_780_000_000 * 10**9),
        ({"timestamp": "yesterday"}, MODIFIED_NS),
        ({"created": -5}, MODIFIED_NS),
        ({"created": True}, MODIFIED_NS),
    ],
)
def test_times_are_understood(said, start_ns):
    assert rows_of({"messages": [ASK, ANSWER], **said})[0]["start_ns"] == start_ns


def test_who_and_what_else_is_kept():
    (row,) = rows_of(
        {
            "messages": [ASK, ANSWER],
            "session_id": "s",
            "metadata": {"user_id": "u"},
            "reward": 0.5,
            "service": "shop",
            "cost_usd": 0.01,
            "provider": "OpenAI",
            "model": "m",
            "temperature": 0.2,
        }
    )
    assert (row["session_id"], row["user_id"], row["service"], row["provider"]) == ("s", "u", "shop", "openai")
    assert (row["reported_cost_usd"], row["requested_model"]) == (0.01, "m")
    given = json.loads(row["attributes"])
    assert (given["lmops.source.reward"], given["gen_ai.request.temperature"]) == (0.5, 0.2)


def test_errors_are_errors():
    (row,) = rows_of({"messages": [ASK], "error": {"type": "rate_limit", "message": "slow down"}})
    assert (row["status"], row["error_type"], row["error_message"]) == ("error", "rate_limit", "slow down")


CALL = {"id": "c1", "type": "function", "function": {"name": "lookup", "arguments": '{"id": 1}'}}
CONVERSATION = [
    {"role": "system", "content": "s"},
    ASK,
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": "shipped"},
    {"role": "assistant", "content": "It is on its way."},
]


def test_conversation_with_tools_is_an_agent_with_turns():
    root, first, tool, second = rows_of({"messages": CONVERSATION, "model": "m", "task_id": 7})
    assert [row["kind"] for row in (root, first, tool, second)] == ["agent", "llm", "tool", "llm"]
    assert (root["input"], root["output"], root["parent_span_id"]) == ("hi", "It is on its way.", None)
    assert {row["parent_span_id"] for row in (first, tool, second)} == {root["span_id"]}
    assert {row["trace_id"] for row in (first, tool, second)} == {root["trace_id"]}
    assert talk(first["input"]) == [("system", "s"), ("user", "hi")]
    assert messages(first["output"])[0].tool_calls[0].name == "lookup"
    assert (tool["tool_name"], tool["input"], tool["output"]) == ("lookup", '{"id": 1}', "shipped")
    assert len(messages(second["input"])) == 4
    assert [row["start_ns"] - MODIFIED_NS for row in (root, first, tool, second)] == sorted(
        row["start_ns"] - MODIFIED_NS for row in (root, first, tool, second)
    )
    assert json.loads(root["attributes"])["lmops.source.task_id"] == 7


def test_old_function_calls_are_tools():
    record = {
        "messages": [
            ASK,
            {"role": "assistant", "content": None, "function_call": {"name": "lookup", "arguments": "{}"}},
            {"role": "function", "name": "lookup", "content": "x"},
            ANSWER,
        ]
    }
    assert [(row["kind"], row["tool_name"]) for row in rows_of(record)] == [
        ("agent", None),
        ("llm", None),
        ("tool", "lookup"),
        ("llm", None),
    ]


def test_long_conversation_does_not_grow_with_its_square():
    turns = [turn for n in range(400) for turn in ({"role": "user", "content": "x" * 2000}, {**ANSWER, "n": n})]
    rows = rows_of({"messages": turns})
    assert len(rows) == 401
    assert sum(len(row["attributes"]) for row in rows) < 8_000_000
    assert json.loads(rows[-1]["attributes"])["lmops.input_truncated"] is True
    assert [message.role for message in messages(rows[-1]["input"])] == ["assistant", "user"]


def test_history_of_several_agents():
    record = {
        "question": "how many?",
        "mistake_agent": "Expert",
        "history": [
            {"role": "human", "content": "how many?"},
            {"role": "assistant", "name": "Expert", "content": "run it"},
            {"role": "user", "name": "Computer_terminal", "content": "8"},
            {"role": "WebSurfer", "content": "8 it is"},
        ],
    }
    root, *steps = rows_of(record)
    assert (root["kind"], root["input"], root["output"]) == ("agent", "how many?", "8 it is")
    assert [(row["kind"], row["name"]) for row in steps] == [
        ("chain", "human"),
        ("agent", "Expert"),
        ("tool", "Computer_terminal"),
        ("agent", "WebSurfer"),
    ]
    assert [json.loads(row["attributes"])["lmops.step"] for row in steps] == [0, 1, 2, 3]
    assert json.loads(root["attributes"])["lmops.source.mistake_agent"] == "Expert"


@pytest.mark.parametrize("record", [{"messages": []}, {"history": []}, {"messages": [1, None]}])
def test_empty_records_are_rejected(record):
    data = json.dumps({"messages": [ASK]}).encode() + b"\n" + json.dumps(record).encode()
    (batch,) = list(read(io.BytesIO(data), name="c"))
    assert batch.rejected == [("c:2", "chat record without messages")]
    assert len(batch.spans) == 1


def test_a_list_of_records_is_read_like_lines():
    data = json.dumps([{"messages": [ASK, ANSWER]}, {"traj": CONVERSATION}, 5]).encode()
    (batch,) = list(read(io.BytesIO(data), name="c.json", fallback_time_ns=MODIFIED_NS))
    assert [row["kind"] for row in batch.spans] == ["llm", "agent", "llm", "tool", "llm"]
    assert [where for where, _ in batch.rejected] == ["c.json:3"]


def test_records_over_several_lines_are_read():
    data = b"\n".join(json.dumps({"messages": [ASK, ANSWER]}, indent=2).encode() for _ in range(2))
    (batch,) = list(read(io.BytesIO(data), name="c.json", fallback_time_ns=MODIFIED_NS))
    assert [row["kind"] for row in batch.spans] == ["llm", "llm"]
    assert batch.rejected == []


@pytest.mark.skipif(not PUBLIC.exists(), reason=f"the public logs are not at {PUBLIC}")
@pytest.mark.parametrize("name", ["tau_airline_gpt4o.jsonl", "who_and_when.jsonl"])
def test_public_logs_are_read_whole(name):
    data = (PUBLIC / name).read_bytes()
    rows = [row for batch in read(io.BytesIO(data), name=name, fallback_time_ns=MODIFIED_NS) for row in batch.spans]
    records = [json.loads(line) for line in data.splitlines()]
    assert len({row["trace_id"] for row in rows}) == len(records)
    turns = [turn for record in records for turn in record.get("messages", ())]
    if turns:
        assert sum(row["kind"] == "llm" for row in rows) == sum(turn["role"] == "assistant" for turn in turns)
        assert sum(row["kind"] == "tool" for row in rows) == sum(turn["role"] == "tool" for turn in turns)
    else:
        assert len(rows) == sum(1 + len(record["history"]) for record in records)
    assert all(renormalise(row) == row for row in rows)
    assert all(row["latency_ms"] is None for row in rows)
