"""A key is read at the call, sent to its own endpoint, and is nowhere else."""

import logging
import traceback

import pytest

import lmops
from lmops.errors import ModelError, UsageError

ASK = "Hello?"


def stored(ws):
    return b"".join(path.read_bytes() for path in ws.store.path.rglob("*") if path.is_file())


def test_a_key_goes_to_the_endpoint_and_nowhere_else(ws, house, kit, caplog):
    """Not into the store, spans, errors, tracebacks, logs or what objects say of themselves."""
    caplog.set_level(logging.DEBUG)
    ws.traces.instrument(set_global=False)
    echo = {"error": {"message": f"Incorrect API key provided: {kit.key}", "code": kit.key}}
    seen = [repr(ws.models), ws.models.list().to_csv(), repr(ws.models._endpoints.resolve("house"))]
    seen.append(repr(ws.models.complete("house", ASK, cache=True)))
    for reply in (
        kit.reply(echo, status=401),
        kit.reply(f"<html>{kit.key}</html>", status=500, headers={"retry-after": "999"}),
        kit.reply(echo),
        kit.reply(f"oops {kit.key}"),
        kit.reply(pieces=[kit.chunk("a"), f'data: {{"error": {{"message": "{kit.key}"}}}}\n\n']),
    ):
        house.reply(reply)
        call = ws.models.complete if reply.pieces is None else lambda *a, **k: list(ws.models.stream(*a, **k))
        with pytest.raises(ModelError) as caught:
            call("house", ASK, max_wait_s=0)
        error = caught.value
        seen += [repr(error), repr(vars(error)), "".join(traceback.format_exception(error, chain=True))]
        assert error.__context__ is None or not hasattr(error.__context__, "request")
    ws.traces.stop_instrumentation()
    assert house.asked[0].headers["authorization"] == f"Bearer {kit.key}"
    assert kit.key not in "\n".join([*seen, caplog.text])
    assert kit.key.encode() not in stored(ws)
    assert b"HOUSE_KEY" in stored(ws)


def test_a_key_on_spans_is_nowhere(ws, house, kit, monkeypatch):
    """Also when the server says it back."""
    from opentelemetry import trace as otel_trace

    from lmops.models import _spans

    handle = ws.traces.instrument(set_global=False)
    monkeypatch.setattr(otel_trace, "_TRACER_PROVIDER", handle.provider)
    monkeypatch.setattr(_spans, "_tracer", None)
    house.reply(kit.reply({"error": {"message": f"bad key {kit.key}"}}, status=403))
    with pytest.raises(ModelError):
        ws.models.complete("house", ASK)
    handle.flush()
    assert ws.sql("select status from spans").fetchall() == [("error",)]
    assert kit.key.encode() not in stored(ws)


def test_a_key_that_is_not_set_names_its_variable(ws, house, monkeypatch):
    """Nothing is sent."""
    monkeypatch.delenv("HOUSE_KEY")
    with pytest.raises(ModelError, match="HOUSE_KEY is not set") as caught:
        ws.models.complete("house", ASK)
    assert caught.value.kind == "auth"
    assert house.asked == []


def test_a_new_key_is_used_at_the_next_call(ws, house, monkeypatch):
    """Keys are changed while notebooks run."""
    ws.models.complete("house", ASK)
    monkeypatch.setenv("HOUSE_KEY", "another-key")
    ws.models.complete("house", ASK)
    assert house.asked[1].headers["authorization"] == "Bearer another-key"


def test_what_the_environment_holds_for_openai_stays_there(ws, house, monkeypatch):
    """Somebody else's endpoint gets neither OpenAI's key nor its headers."""
    monkeypatch.setenv("OPENAI_API_KEY", "openai-key")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-1")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Team: support\nAuthorization: Bearer openai-custom")
    ws.models.register("open", base_url=house.url, model="m", headers={"X-Route": "b"})
    for name in ("house", "open"):
        ws.models.complete(name, ASK)
    sent = "\n".join(f"{name}: {value}" for asked in house.asked for name, value in asked.headers.items())
    assert not [word for word in ("openai-key", "org-1", "proj-1", "support", "openai-custom") if word in sent]
    assert house.asked[1].headers["x-route"] == "b"


def test_openai_at_another_address(ws, endpoint, monkeypatch):
    """OPENAI_BASE_URL and OPENAI_API_KEY are read at the call."""
    monkeypatch.setenv("OPENAI_BASE_URL", endpoint.url)
    monkeypatch.setenv("OPENAI_API_KEY", "openai-key")
    found = ws.models.complete("openai:gpt-5-mini", ASK)
    assert (found.provider, found.requested_model) == ("openai", "gpt-5-mini")
    assert endpoint.asked[0].headers["authorization"] == "Bearer openai-key"
    assert endpoint.asked[0].body["model"] == "gpt-5-mini"


def test_openai_itself_needs_its_key(ws, endpoint):
    """The message says which variable."""
    with pytest.raises(ModelError, match="OPENAI_API_KEY is not set"):
        ws.models.complete("openai:gpt-5-mini", ASK)


def test_a_secret_header_is_read_from_its_variable(ws, house, kit, monkeypatch):
    """Endpoints with a header of their own for the key."""
    monkeypatch.setenv("HOUSE_TOKEN", "token-in-a-header")
    ws.models.register("other", base_url=house.url, model="m", headers={"api-key": "$HOUSE_TOKEN"})
    house.reply(kit.reply({"error": {"message": "no token-in-a-header"}}, status=401))
    with pytest.raises(ModelError) as caught:
        ws.models.complete("other", ASK)
    assert house.asked[0].headers["api-key"] == "token-in-a-header"
    assert "token-in-a-header" not in str(caught.value)
    assert b"token-in-a-header" not in stored(ws)


@pytest.mark.parametrize(
    "arguments",
    [
        {"api_key_env": "sk-real-key-0123456789"},
        {"base_url": "https://user:sk-real-key-0123456789@127.0.0.1/v1"},
        {"base_url": "user:sk-real-key-0123456789@127.0.0.1/v1"},
        {"base_url": "http://127.0.0.1/v1?key=sk-real-key-0123456789"},
        {"headers": {"Authorization": "Bearer sk-real-key-0123456789"}},
        {"headers": {"X-Custom": "sk-real-key-0123456789"}},
        {"headers": {"x-api-key": "sk-real-key-0123456789"}},
    ],
)
def test_a_key_in_the_wrong_place_is_refused_and_not_repeated(ws, arguments):
    """The message does not show it, and nothing is stored."""
    with pytest.raises(UsageError) as caught:
        ws.models.register("x", **{"base_url": "http://127.0.0.1:1/v1", "model": "m", **arguments})
    assert "sk-real-key" not in str(caught.value)
    assert b"sk-real-key" not in stored(ws)
    assert len(ws.models.list().query("base_url == base_url")) == 0


def test_another_process_uses_the_name_with_its_own_key(ws, house, monkeypatch):
    """The store holds the name of the variable, so each process brings the key."""
    with lmops.open(ws.store.path) as other:
        assert other.models.complete("house", ASK).content == "Hello."
