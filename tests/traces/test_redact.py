"""What ``redact=`` keeps out of the store: keys by their shape, and what a function takes out."""

from __future__ import annotations

import gzip
import json
import re

import pytest

from lmops.errors import UsageError
from lmops.redact import PATTERNS, Redactor, credentials, mask_keys

PLACES = ("attributes", "name", "status", "events", "resource")
MIXED = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0"
KEYS = {
    "openai": f"sk-proj-{MIXED}",
    "anthropic": f"sk-ant-api03-{MIXED}",
    "groq": f"gsk_{MIXED}",
    "huggingface": f"hf_{MIXED[:34]}",
    "google": f"AIzaSy{MIXED[:33]}",
    "aws": "AKIAIOSFODNN7EXAMPLE",
    "github": f"ghp_{MIXED[:36]}",
    "github_pat": f"github_pat_{MIXED}",
    "gitlab": f"glpat-{MIXED[:20]}",
    "sendgrid": f"SG.{MIXED[:22]}.{MIXED[:43]}",
    "azure": f"AccountName=x;AccountKey={MIXED[:40]}==",
    "slack": f"xoxb-{MIXED[:24]}",
    "stripe": f"sk_live_{MIXED[:24]}",
    "npm": f"npm_{MIXED[:36]}",
    "jwt": f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.{MIXED}",
    "bearer": f"Authorization: Bearer {MIXED}",
    "address": f"https://house.example/v1?api_key={MIXED}&page=2",
    "private_key": f"-----BEGIN RSA PRIVATE KEY-----\n{MIXED}\n{MIXED}\n-----END RSA PRIVATE KEY-----",
}
PLAIN = (
    "disk-0123456789012345678", "sk-learn is a library", "ask-me-anything-0815-please-now", "the bearer of bad news",
    "eyJ is no token", "AKIA", "https://house.example/?monkey=banana", "--- a rule ---", "task_id=0123456789abcdef",
    "a passkey: no", "the key=value form", "Basic understanding of economics0815",
)  # fmt: skip  # many words: packed, they are read at a glance


def request(text, where="attributes", *, name="chat"):
    """Return one OTLP/JSON request with a text somewhere in its span."""
    said = json.dumps([{"role": "user", "parts": [{"type": "text", "content": text}]}])
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "user.id": "ada"}
    attributes |= {"gen_ai.input.messages": said} if where == "attributes" else {}
    span = {
        "traceId": "0" * 31 + "1", "spanId": "0" * 15 + "1", "name": text if where == "name" else name,
        "startTimeUnixNano": "1700000000000000000", "endTimeUnixNano": "1700000001000000000",
        "status": {"code": 2, "message": text if where == "status" else "no"},
        "attributes": pairs(attributes),
        "events": [{"name": "exception", "timeUnixNano": "1700000000000000000",
                    "attributes": pairs({"exception.message": text if where == "events" else "no"})}],
    }  # fmt: skip  # keys that belong together share a line
    resource = {"attributes": pairs({"service.name": "x", "note": text if where == "resource" else "no"})}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}


def pairs(attributes):
    return [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()]


def ingest(ws, *requests, **options):
    body = "\n".join(map(json.dumps, requests)).encode()
    return ws.traces.ingest(gzip.compress(body), format="jsonl", progress=False, **options)


def numbered(requests):
    """Return requests of which each is a trace of its own."""
    found = list(requests)
    for number, one in enumerate(found, 1):
        span = one["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
        span["traceId"], span["spanId"] = f"{number:032x}", f"{number:016x}"
    return found


def spans(ws):
    """Return them in the order of their requests."""
    return ws.sql("select * from spans order by trace_id").fetchall()


def kept(ws):
    return repr([ws.sql(f"select * from {name}").fetchall() for name in ("spans", "traces")])


@pytest.mark.parametrize("kind", KEYS)
def test_a_key_of_a_known_shape_is_not_kept(ws, kind):
    """Wherever in a span it stands, also inside of JSON inside of JSON."""
    secret = re.search(rf"{MIXED[:20]}|AKIA\w+", KEYS[kind])[0]
    ingest(ws, *numbered(request(f"before {KEYS[kind]} after", where) for where in PLACES), redact="keys")
    assert secret not in kept(ws)
    assert [place for place, row in zip(PLACES, spans(ws), strict=True) if "key]" not in repr(row)] == []
    ingest(ws, request("more", name="other"))
    assert ws.store.check().ok


@pytest.mark.parametrize("text", PLAIN)
def test_ordinary_text_stays(ws, text):
    """What only looks like a key at first is not touched."""
    assert mask_keys(text) == text
    ingest(ws, request(text), redact="keys")
    assert json.dumps(text)[1:-1] in ws.sql("select input from spans").fetchall()[0][0]


@pytest.mark.parametrize("name", PATTERNS)
def test_each_key_has_a_rare_beginning_that_is_looked_for(name):
    """The quick look, three characters at a time, passes over no key that the pattern would find."""
    pattern = PATTERNS[name]
    samples = [
        *KEYS.values(),
        f"https://ada:{MIXED}@x",
        f"aws_secret_access_key={MIXED}",
        f"authorization: Basic {MIXED}",
    ]
    found = [text for text in samples if pattern.regex.search(text)]
    assert found
    for text in found:
        assert any(start in text for start in pattern.starts)
        assert any(window in text for window in pattern.windows)
    assert all(len(window) == 3 for window in pattern.windows)


def test_among_many_rows_the_one_with_a_key_is_found(ws):
    """The batch is looked at as a whole, in any script; only the rows with keys change."""
    requests = numbered(request(f"Größe 尺寸 {number}: " + "plain " * 50) for number in range(300))
    requests[217]["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["name"] = f"call {KEYS['github']}"
    ingest(ws, *requests, redact="keys")
    assert ws.sql("select trace_id from spans where name = 'call [key]'").fetchall() == [(f"{218:032x}",)]
    assert ws.sql("select count(*) from spans where name = 'chat'").fetchall() == [(299,)]


def test_a_function_gets_every_text(ws):
    """Attributes, events, the resource, messages inside of JSON: and every column follows."""

    def hide(text):
        return text.replace("Ada", '"?"')

    for where in PLACES:
        ingest(ws, request("Ask Ada.", where), redact=["keys", hide])
    assert "Ada" not in kept(ws)
    assert ws.traces.renormalise(progress=False) == 0
    assert ws.store.check().ok


def test_names_of_values_are_read_as_well_and_none_is_lost():
    """An address may be the name of a value, in arguments of a tool or in a table; names of code stay as they are."""
    said = {
        "votes": {"mia@example.org": 1, "tom@example.org": 2, "input_tokens": 3, "[who] (2)": 4},
        "arguments": json.dumps({"NL91ABNA0417164300": {"to": "ada@example.org"}}),
        f"ghp_{MIXED[:36]}": 5,
    }
    hidden = re.compile(r"\S+@example\.org|NL\d\dABNA\d+")
    redactor = Redactor.of([lambda text: hidden.sub("[who]", text), "keys"])
    found = redactor.value(said)
    assert found["votes"] == {"[who]": 1, "[who] (2)": 2, "input_tokens": 3, "[who] (2) (2)": 4}
    assert json.loads(found["arguments"]) == {"[who]": {"to": "[who]"}}
    assert [*found] == ["votes", "arguments", "[key]"]


def test_a_mask_on_users_follows_into_the_column(ws):
    """Columns are read from what is masked."""
    ingest(ws, request("Hello"), redact=lambda text: "u-1" if text == "ada" else text)
    assert ws.sql("select user_id from spans").fetchall() == [("u-1",)]


@pytest.mark.parametrize("broken", [lambda text: 1 / 0, lambda text: None])
def test_what_a_function_fails_on_is_not_kept(ws, broken):
    """A text that could not be looked at is not stored unseen."""
    ingest(ws, request("secret words"), redact=broken)
    assert "secret words" not in kept(ws)
    assert "not kept: redact" in kept(ws)


def test_credentials_of_the_process_are_masked(ws, monkeypatch):
    """Whatever their shape: they are read from the environment, and a plain word is none."""
    monkeypatch.setenv("HOUSE_TOKEN", "wonderful-8-elephants")
    monkeypatch.setenv("SORT_KEY", "production")
    ingest(ws, request("in production: Wonderful-8-Elephants"), redact="keys")
    assert "in production: [key]" in ws.sql("select input from spans").fetchall()[0][0]
    assert credentials({"A_KEY": "short1", "B_KEY": "/opt/a/key1234567"}) == frozenset()


def test_spans_of_this_process_are_masked(ws):
    """``instrument(redact=)`` masks before anything waits in the queue or is written."""
    handle = ws.traces.instrument(set_global=False, redact="keys")
    with handle.get_tracer("t").start_as_current_span("work") as span:
        span.set_attribute("note", KEYS["github"])
        span.record_exception(ValueError(KEYS["openai"]))
    handle.flush()
    assert ws.sql("select attributes from spans").fetchall() == [('{"note":"[key]"}',)]
    assert MIXED[:20] not in kept(ws)


def test_a_rejected_record_does_not_tell_the_key(ws):
    """The reason of a rejection may quote the record."""
    body = json.dumps({"model": 1, "messages": KEYS["github"], "request": KEYS["github"]}).encode()
    report = ws.traces.ingest(body, format="chat-jsonl", redact="keys", progress=False)
    assert report.rejected_count == 1
    assert MIXED[:20] not in repr(report)


@pytest.mark.parametrize(("asked", "said"), [("kyes", "did you mean 'keys'"), (3, "neither"), (["keys", 3], "neither")])
def test_what_is_no_redactor_is_refused(ws, asked, said):
    """A misspelt name must not mean that nothing is masked."""
    with pytest.raises((UsageError, TypeError), match=said):
        ingest(ws, request("x"), redact=asked)


def test_nothing_asked_is_nothing_done():
    """Without ``redact`` rows go their way."""
    assert Redactor.of(None) is None
    assert Redactor.of([]) is not None
