"""Bodies of requests as signals."""

from __future__ import annotations

import json

import pytest

from lmops.errors import UsageError
from lmops.feedback.importing import receive
from lmops.feedback.wire import masked, signal_of_event, signals_of_body, signals_of_rows
from lmops.redact import Redactor

A = "a" * 32


@pytest.mark.parametrize(
    "body",
    [
        {"trace_id": A, "value": "down", "user": "u"},
        [{"traceId": A, "value": "down", "userId": "u"}],
        {"feedback": [{"trace_id": A, "value": -1, "user_id": "u"}]},
        {"batch": [{"type": "score-create", "body": {"traceId": A, "value": 0, "dataType": "BOOLEAN", "userId": "u"}}]},
    ],
)
def test_a_request_in_every_form(body):
    """One object, a list, a list under a name, wrapped as Langfuse's clients do."""
    (made,) = signals_of_body(json.dumps(body).encode(), source="http")
    assert (made.trace_id, made.value, made.user_id, made.source) == (A, "down", "u", "http")


def test_what_is_no_signal_is_an_error_in_its_place():
    """The others are read."""
    found = list(signals_of_body(json.dumps([{"trace_id": A, "value": "up"}, 7, {"value": "up"}]).encode(), source="x"))
    assert [isinstance(one, UsageError) for one in found] == [False, True, True]


@pytest.mark.parametrize("body", [b"", b"{", b"7", b'"x"', b"\xff", b"[" * 100_000])
def test_what_is_no_request_is_refused(body):
    """In words."""
    with pytest.raises(UsageError, match="request"):
        list(signals_of_body(body, source="x"))


def test_an_evaluation_names_its_response():
    """Where the event belongs to no span."""
    said = {"gen_ai.evaluation.name": "toxic", "gen_ai.evaluation.score.label": "no", "gen_ai.response.id": "r1"}
    made = signal_of_event(said, trace_id=None, span_id=None, at_ns=None)
    assert (made.target, made.response_id, made.kind, made.value, made.source) == (
        "response",
        "r1",
        "category",
        "no",
        "otel",
    )


@pytest.mark.parametrize("missing", ["gen_ai.evaluation.name", "gen_ai.evaluation.score.label", "gen_ai.response.id"])
def test_an_evaluation_that_says_nothing_is_refused(missing):
    """Without a name, without a result, on nothing."""
    said = {"gen_ai.evaluation.name": "toxic", "gen_ai.evaluation.score.label": "no", "gen_ai.response.id": "r1"}
    with pytest.raises(UsageError):
        signal_of_event({k: v for k, v in said.items() if k != missing}, trace_id=None, span_id=None, at_ns=None)


def test_a_request_is_written_once(ws):
    """What is no signal is named by its place; no event of the audit chain is made."""
    body = json.dumps([{"trace_id": A, "value": "up", "id": "1"}, {"value": "up"}]).encode()
    report = receive(ws.project, signals_of_body(body, source="http"))
    assert (report.new, [where for where, _ in report.rejected]) == (1, ["[1]"])
    assert receive(ws.project, signals_of_body(body, source="http")).same == 1
    assert ws.sql("select count(*) from audit").fetchall() == [(0,)]


def test_rows_that_arrive_hold_what_evaluations_said():
    """As events of spans and as log events; other rows hold nothing."""
    said = {"gen_ai.evaluation.name": "toxic", "gen_ai.evaluation.score.value": 0.1}
    name = "gen_ai.evaluation.result"
    ids = {"trace_id": A, "span_id": "1" * 16}
    spans = [
        {**ids, "events": json.dumps([{"name": name, "time_ns": 1_000, "attributes": said}])},
        {**ids, "events": None},
    ]
    logs = [{**ids, "name": name, "time_ns": 2_000, "attributes": json.dumps(said)}, {**ids, "name": "other"}]
    found = list(signals_of_rows(spans, logs))
    assert [(one.name, one.number, one.at_ns) for one in found] == [("toxic", 0.1, 1_000), ("toxic", 0.1, 2_000)]


def test_keys_in_what_users_wrote_are_masked():
    """As in the text of traces."""
    key = "sk-proj-" + "a1B2" * 12
    (made,) = signals_of_body(
        json.dumps({"trace_id": A, "value": "up", "comment": f"my key {key}"}).encode(), source="x"
    )
    assert key not in masked(made, Redactor.of("keys")).comment
    assert masked(made, None) is made
