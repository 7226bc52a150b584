"""Names of models, and the endpoints behind them."""

import json
import sys
import types

import pytest

from lmops.errors import MissingDependencyError, ModelError, NotFoundError, ReadOnlyError, UsageError

URL = "http://127.0.0.1:9/v1"


def test_a_registered_name_is_there_for_everybody(ws):
    """In the list, the view and the audit chain, with what was given."""
    ws.models.register(
        "house", base_url=URL + "/", model="llama", api_key_env="HOUSE_KEY", headers={"X-Route": "b"}, timeout_s=30,
        max_concurrency=8, reason="cheaper",
    )  # fmt: skip  # arguments that belong together share a line
    row = ws.models.list().set_index("name").loc["house"]
    assert (row.base_url, row.model, row.api_key_env, row.has_key, row.timeout_s, row.max_concurrency, row.actor) == (
        URL, "llama", "HOUSE_KEY", False, 30.0, 8, "tester",
    )  # fmt: skip  # what is expected is read at a glance
    assert ws.sql("select name, api_key_env, headers from model_endpoints").fetchall() == [
        ("house", "HOUSE_KEY", '{"X-Route": "b"}')
    ]
    action, subject, reason, after = ws.sql("select action, subject, reason, after from audit").fetchall()[0]
    assert (action, subject, reason) == ("model.register", "house", "cheaper")
    assert json.loads(after)["base_url"] == URL
    assert "1 registered" in repr(ws.models)


def test_registering_again_replaces_and_the_same_changes_nothing(ws):
    """The chain holds what was there before; an equal registration is no event."""
    for model in ("a", "a", "b"):
        ws.models.register("house", base_url=URL, model=model)
    rows = ws.sql("select before, after from audit order by event_id").fetchall()
    assert [(before and json.loads(before)["model"], json.loads(after)["model"]) for before, after in rows] == [
        (None, "a"),
        ("a", "b"),
    ]
    assert ws.audit.verify().ok


def test_unregistering_forgets_a_name(ws):
    """A name that is not there is an error with the nearest one."""
    ws.models.register("house", base_url=URL, model="a")
    with pytest.raises(NotFoundError, match="did you mean 'house'"):
        ws.models.unregister("hause")
    ws.models.unregister("house", reason="gone")
    with pytest.raises(NotFoundError):
        ws.models.complete("house", "Hello?")
    assert ws.sql("select action from audit order by event_id").fetchall()[-1] == ("model.unregister",)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("hause", "did you mean 'house'"),
        ("gpt-5-mini", "'openai:gpt-5-mini'"),
        ("standin:fery-1", "'standin:ferry-1'"),
        ("standin:ferry-1@3", "standin:ferry-1@2"),
        ("openai:", "openai:MODEL"),
        ("unknown:model", "no model named"),
    ],
)
def test_an_unknown_name_shows_the_nearest(ws, spec, words):
    """Before anything is sent."""
    ws.models.register("house", base_url=URL, model="a")
    with pytest.raises(NotFoundError, match=words):
        ws.models.complete(spec, "Hello?")


@pytest.mark.parametrize("spec", ["", " ", None, 7])
def test_what_is_no_name(ws, spec):
    """It is told what a name looks like."""
    with pytest.raises(UsageError, match="openai:MODEL"):
        ws.models.complete(spec, "Hello?")


@pytest.mark.parametrize(
    "arguments",
    [
        {"base_url": "127.0.0.1:8000/v1"},
        {"base_url": "ftp://127.0.0.1/v1"},
        {"base_url": "http://"},
        {"base_url": "http://127.0.0.1:99999/v1"},
        {"base_url": "http://127.0.0.1/v1?key=1"},
        {"base_url": "http://127.0.0.1/v 1"},
        {"base_url": "http://127.0.0.1/v1/chat/completions"},
        {"base_url": None},
        {"model": ""},
        {"name": "openai:x"},
        {"name": ""},
        {"timeout_s": 0},
        {"timeout_s": float("nan")},
        {"max_concurrency": 0},
        {"max_concurrency": 1.5},
        {"api_key_env": "A-B"},
        {"headers": {"X\n": "a"}},
        {"headers": {"X": "a\r\nY: b"}},
        {"headers": {"X": "$"}},
    ],
)
def test_an_endpoint_that_cannot_be_one_is_refused(ws, arguments):
    """And nothing is stored."""
    with pytest.raises(UsageError):
        ws.models.register(**{"name": "x", "base_url": URL, "model": "m", **arguments})
    assert ws.sql("select count(*) from model_endpoints").fetchall() == [(0,)]


@pytest.mark.parametrize(
    ("url", "provider"),
    [
        ("https://api.mistral.ai/v1", "mistral_ai"),
        ("https://x.openai.azure.com/openai/v1", "azure.ai.openai"),
        ("https://notopenai.azure.com.example/v1", "house"),
        (URL, "house"),
    ],
)
def test_the_provider_is_known_from_the_address(ws, url, provider):
    """Prices need it; an unknown address is called by its name, and a given provider wins."""
    assert ws.models.register("house", base_url=url, model="m").provider == provider
    assert ws.models.register("house", base_url=url, model="m", provider="groq").provider == "groq"


def test_a_read_only_store_registers_nothing(ws):
    """The message is the store's."""
    import lmops

    with lmops.open(ws.store.path, read_only=True) as reader, pytest.raises(ReadOnlyError):
        reader.models.register("house", base_url=URL, model="m")


@pytest.mark.parametrize("version", ["name-and-version", "object", "bad"])
def test_a_prompt_is_a_pair_or_has_a_name_and_a_version(ws, version):
    """Anything else is refused before the call."""
    prompts = {
        "name-and-version": ("p", 3),
        "object": types.SimpleNamespace(name="p", version=3),
        "bad": "p@3",
    }
    if version == "bad":
        with pytest.raises(UsageError, match="prompt="):
            ws.models.complete("standin:ferry-1", "Hello?", prompt=prompts[version])
    else:
        assert ws.models.complete("standin:ferry-1", "Hello?", prompt=prompts[version]).content


class FakeLitellm(types.ModuleType):
    """What the adapter uses of litellm."""

    def __init__(self, outcome):
        super().__init__("litellm")
        self.asked, self._outcome = [], outcome

    async def acompletion(self, **arguments):
        self.asked.append(arguments)
        if isinstance(self._outcome, Exception):
            raise self._outcome
        if arguments.get("stream"):
            return self._chunks()
        return types.SimpleNamespace(model_dump=lambda: self._outcome)

    aembedding = acompletion

    async def _chunks(self):
        for text, reason in (("Hel", None), ("lo.", "stop")):
            delta = types.SimpleNamespace(content=text, tool_calls=None)
            choice = types.SimpleNamespace(delta=delta, finish_reason=reason)
            more = {"model": "small", "id": "r1", "system_fingerprint": None, "usage": None}
            yield types.SimpleNamespace(choices=[choice], **more)


def test_litellm_is_asked_for_when_it_is_missing(ws, monkeypatch):
    """With the line that installs it."""
    monkeypatch.setitem(sys.modules, "litellm", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'lmops\[litellm\]'"):
        ws.models.complete("litellm:mistral/small", "Hello?")


def test_litellm_answers_as_an_endpoint_does(ws, monkeypatch, kit):
    """The provider is the first part of the name."""
    fake = FakeLitellm(kit.completion())
    monkeypatch.setitem(sys.modules, "litellm", fake)
    found = ws.models.complete("litellm:mistral/small", "Hello?", params={"temperature": 0, "odd": 1})
    assert (found.content, found.provider, found.requested_model) == ("Hello.", "mistral", "mistral/small")
    assert {key: fake.asked[0][key] for key in ("model", "temperature", "odd", "num_retries")} == {
        "model": "mistral/small",
        "temperature": 0,
        "odd": 1,
        "num_retries": 0,
    }


def test_litellm_streams_and_makes_vectors(ws, monkeypatch):
    """In the forms that OpenAI has."""
    monkeypatch.setitem(sys.modules, "litellm", FakeLitellm({"data": [{"index": 0, "embedding": [1, 2]}]}))
    stream = ws.models.stream("litellm:mistral/small", "Hello?")
    assert list(stream) == ["Hel", "lo."]
    assert (stream.completion.content, stream.completion.provider) == ("Hello.", "mistral")
    assert ws.models.embed("litellm:mistral/embed", ["a"]).vectors == ((1.0, 2.0),)


def test_errors_of_litellm_are_ours(ws, monkeypatch):
    """By their names and statuses."""

    class RateLimitError(Exception):
        status_code = 429

    monkeypatch.setitem(sys.modules, "litellm", FakeLitellm(RateLimitError("slow down, m-key-123")))
    monkeypatch.setenv("MISTRAL_API_KEY", "m-key-123")
    with pytest.raises(ModelError, match="slow down") as caught:
        ws.models.complete("litellm:mistral/small", "Hello?", max_wait_s=0)
    assert (caught.value.kind, caught.value.status, caught.value.is_retryable) == ("rate_limit", 429, True)
    assert "m-key-123" not in str(caught.value)
