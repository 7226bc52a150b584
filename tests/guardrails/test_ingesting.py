"""Redaction on the way in: what a policy takes out is in no file of the store, and is counted by kind."""

import json
import urllib.request

import pytest

from lmops.collector import Collector
from lmops.errors import LmopsError, NotFoundError, UsageError
from lmops.guardrails import Finding, rail
from lmops.redact import Redactor
from lmops.traces import decode

SECRET = "mara.lind@example.com"


@rail(name="test_mail", action="redact")
def _mail(given):
    """Finds one address."""
    at = given.text.find(SECRET)
    while at >= 0:
        yield Finding(at, at + len(SECRET), "email")
        at = given.text.find(SECRET, at + 1)


@rail(name="test_fails", action="redact")
def _fails(given):
    """Fails on some texts."""
    if "boom" in given.text:
        raise RuntimeError(given.text)
    return ()


@pytest.fixture
def guarded(ws):
    """A workspace with a policy that redacts."""
    ws.guardrails.save("way-in", input=["test_mail"], output=[{"rail": "test_mail"}])
    return ws


def request(text):
    span = {
        "traceId": "ab" * 16,
        "spanId": "cd" * 8,
        "name": f"chat {text}",
        "startTimeUnixNano": "1",
        "endTimeUnixNano": "9",
    }
    values = {
        "input.value": text,
        "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": text}]}]),
    }
    span["attributes"] = [{"key": key, "value": {"stringValue": value}} for key, value in values.items()]
    span["events"] = [{"name": "e", "timeUnixNano": "4111111111111111111", "attributes": span["attributes"]}]
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()


def holds(ws, word):
    """Return the files of a store that hold a word; its log is written into it before."""
    ws.store.checkpoint()
    return [path.name for path in ws.store.path.rglob("*") if path.is_file() and word.encode() in path.read_bytes()]


def test_what_a_policy_redacts_is_in_no_file(guarded):
    """Of files that are read; the report counts it by kind, and the rest of the text stays."""
    guarded.traces.redact_with("way-in")
    report = guarded.traces.ingest(request(f"write to {SECRET} and {SECRET}"), progress=False)
    assert (report.redacted["email"] >= 2, report.spans) == (True, 1)
    assert "redacted" in report.text
    assert guarded.sql("select input from spans").fetchall() == [("write to [EMAIL_1] and [EMAIL_1]",)]
    assert holds(guarded, SECRET) == []
    guarded.traces.redact_with(None)
    guarded.traces.ingest(request(SECRET).replace(b"ab" * 16, b"ac" * 16), progress=False)
    assert holds(guarded, SECRET)


def test_a_policy_is_named_like_a_pattern(guarded):
    """For one ingest, beside patterns and functions."""
    given = ["keys", "way-in@1", lambda text: text.replace("write", "WRITE")]
    guarded.traces.ingest(request(f"write to {SECRET}"), redact=given, progress=False)
    assert guarded.sql("select input from spans").fetchall() == [("WRITE to [EMAIL_1]",)]
    with pytest.raises(NotFoundError, match="way-out"):
        guarded.traces.ingest(request("x"), redact="way-out@1", progress=False)


def test_spans_of_this_process_are_redacted(guarded):
    """Also those that wait; it has to be said before they are stored."""
    guarded.traces.redact_with("way-in@1")
    handle = guarded.traces.instrument(set_global=False)
    with handle.get_tracer("t").start_as_current_span("call") as span:
        span.set_attribute("input.value", f"from {SECRET}")
    assert handle.flush()
    assert guarded.sql("select input from spans").fetchall() == [("from [EMAIL_1]",)]
    assert holds(guarded, SECRET) == []
    with pytest.raises(UsageError, match="first, then instrument"):
        guarded.traces.redact_with("way-in")


def test_a_receiver_redacts_and_says_how_much(guarded):
    """What it takes in, by kind in /metrics."""
    redactor = guarded.traces.redactor("way-in@1")

    def read(body, *, content_type, signal):
        return decode(body, content_type=content_type, signal=signal, redact=redactor)

    with Collector(guarded.store, port=0, decode=read, redacted=lambda: redactor.counts) as collector:
        headers = {"content-type": "application/json"}
        asked = urllib.request.Request(f"{collector.url}/v1/traces", data=request(SECRET), headers=headers)
        assert urllib.request.urlopen(asked).status == 200
        assert 'lmops_collector_redacted_total{kind="email"}' in collector.metrics()
    assert holds(guarded, SECRET) == []


def test_a_text_on_which_a_rail_fails_is_not_kept(ws):
    """It fails closed; a rail that fails open lets it pass."""
    ws.guardrails.save("closed", input=["test_fails"])
    ws.guardrails.save("open", input=[{"rail": "test_fails", "on_error": "open"}])
    ws.traces.ingest(request("boom secret"), redact="closed", progress=False)
    assert holds(ws, "boom") == []
    ws.traces.ingest(request("boom secret").replace(b"ab" * 16, b"ac" * 16), redact="open", progress=False)
    assert holds(ws, "boom")


def test_a_policy_that_redacts_nothing_is_refused(ws):
    """It would let everything pass unseen."""
    ws.guardrails.save("flags", input=[{"rail": "test_mail", "action": "flag"}])
    with pytest.raises(UsageError, match="redacts nothing"):
        ws.traces.redact_with("flags")


@pytest.mark.parametrize(
    ("policy", "said"), [("nope", "no policy named"), ("nope@1", "no policy named"), (5, "redact=5")]
)
def test_a_policy_that_is_none_is_said_at_once(ws, policy, said):
    """And not when something comes in; what was said before stays."""
    with pytest.raises(LmopsError, match=said):
        ws.traces.redact_with(policy)
    assert ws.traces.redactor() is None


def test_long_numbers_within_arguments_are_read(guarded):
    """A card may stand in JSON as a number; times beside it stay what they are."""
    redactor = Redactor.of(lambda text: text.replace("4111111111111111", "[CARD]"))
    assert redactor.value('{"card": 4111111111111111, "n": 3}') == '{"card":"[CARD]","n":3}'
    assert redactor.value({"time_ns": 4111111111111111}) == {"time_ns": 4111111111111111}
