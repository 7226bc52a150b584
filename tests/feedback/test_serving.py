"""What the receiver takes beside traces: signals in our form and as Langfuse sends scores, results of evaluations."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request

import pytest

from lmops.collector import Collector
from lmops.feedback.serving import MAX_SIGNALS, routes, take_results
from lmops.redact import Redactor
from lmops.traces import decode

A = "a" * 32


@pytest.fixture
def post(ws):
    """Send a body to a path of a receiver; return the status and the answer."""
    more = routes(ws.project, redactor=Redactor.of("keys"))
    with Collector(ws.store, port=0, token="t", more=more) as collector:

        def send(path, body, **headers):
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            headers = {"Content-Type": "application/json", "Authorization": "Bearer t"} | headers
            request = urllib.request.Request(collector.url + path, data=data, headers=headers)
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    return answer.status, json.loads(answer.read())
            except urllib.error.HTTPError as error:
                return error.code, json.loads(error.read())

        yield send


def shown(ws, columns):
    return ws.sql(f"select {columns} from feedback order by seq").fetchall()


def test_signals_are_posted(ws, post):
    """One or several; sent again they add nothing; what is rejected is named and the others are kept."""
    assert post("/v1/feedback", {"trace_id": A, "value": "down", "user": "u"})[1]["new"] == 1
    status, said = post(
        "/v1/feedback", [{"trace_id": A, "value": "down", "user": "u"}, {"trace_id": A, "value": "meh"}]
    )
    assert (status, said["same"], said["rejected"][0]["where"]) == (200, 1, "[1]")
    assert shown(ws, "value, user_id, source") == [("down", "u", "http")]


def test_scores_of_langfuse_are_posted(ws, post):
    """As its clients send them, with their own way to show the token; the id comes back."""
    basic = base64.b64encode(b"pk:t").decode()
    score = {"id": "s1", "traceId": A, "name": "user-feedback", "value": 1, "dataType": "BOOLEAN", "comment": "ok"}
    assert post("/api/public/scores", score, Authorization=f"Basic {basic}")[1]["id"] == "s1"
    assert shown(ws, "name, value, comment, source") == [("user-feedback", "up", "ok", "langfuse")]


def test_scores_of_langfuse_are_posted_as_events(ws, post):
    """Each is answered by the id of its event; sent again they add nothing, and what is no score is named."""
    score = {"id": "s1", "traceId": A, "name": "quality", "value": 0.5, "dataType": "NUMERIC"}
    events = [
        {"id": "e1", "type": "score-create", "timestamp": "2026-01-01T00:00:00.000Z", "body": score},
        {"id": "e2", "type": "trace-create", "timestamp": "2026-01-01T00:00:00.000Z", "body": {"id": A, "value": 1}},
        {"id": "e3", "type": "score-create", "body": {"traceId": "x", "name": "quality", "value": 1}},
        {"id": "e4", "type": "score-create", "body": None},
    ]
    for _ in range(2):
        status, said = post("/api/public/ingestion", {"batch": events, "metadata": {}})
        assert (status, said["successes"]) == (207, [{"id": "e1", "status": 201}])
        assert [(one["id"], one["status"]) for one in said["errors"]] == [("e2", 400), ("e3", 400), ("e4", 400)]
        assert "only score-create is taken" in said["errors"][0]["message"]
    assert shown(ws, "name, value, source, said_at::date::varchar") == [("quality", "0.5", "langfuse", "2026-01-01")]
    for wrong in (b"{", [], {"batch": 1}, {"batch": [1]}):
        assert post("/api/public/ingestion", wrong)[0] == 400


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"{", 400, "no JSON"),
        ({"value": "up"}, 400, "needs what it is on"),
        ([{"trace_id": A, "value": "up"}] * (MAX_SIGNALS + 1), 413, "more than 10,000"),
    ],
)
def test_what_is_no_signal_is_refused(ws, post, body, status, words):
    """And nothing of it is kept."""
    found, said = post("/v1/feedback", body)
    assert (found, words in said["message"]) == (status, True)
    assert shown(ws, "value") == []


def test_nobody_without_the_token(ws, post):
    """Writes anything."""
    assert post("/v1/feedback", {"trace_id": A, "value": "up"}, Authorization="Bearer x")[0] == 401
    assert post("/v1/feedback", {"trace_id": A, "value": "up"}, **{"Content-Type": "text/plain"})[0] == 415
    assert shown(ws, "value") == []


def test_keys_are_masked_before_they_are_kept(ws, post):
    """In what users wrote."""
    key = "sk-proj-" + "a1B2" * 12
    post("/v1/feedback", {"trace_id": A, "value": "up", "comment": key})
    assert key not in shown(ws, "comment")[0][0]


def test_results_of_evaluations_arrive_as_log_events(ws):
    """They are signals at once, and wait for their span."""
    said = [
        {"key": "gen_ai.evaluation.name", "value": {"stringValue": "relevance"}},
        {"key": "gen_ai.evaluation.score.value", "value": {"doubleValue": 0.7}},
    ]
    record = {"traceId": A, "spanId": "1" * 16, "timeUnixNano": "1790000000000000000", "attributes": said,
              "eventName": "gen_ai.evaluation.result"}  # fmt: skip  # keys that belong together share a line
    body = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}).encode()
    for _ in range(2):
        take_results(ws.project, decode(body, content_type="application/json", signal="logs"))
    assert shown(ws, "target, name, number, source") == [("span", "relevance", 0.7, "otel")]
