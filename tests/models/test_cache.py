"""Answers kept by the exact request."""

import dataclasses
import uuid
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lmops
from lmops.errors import ModelError, UsageError
from lmops.models import Completion, Endpoint, ToolCall, Usage
from lmops.models._cache import ResponseCache, cache_key
from lmops.models._records import Call
from tests import forked

ASK = [{"role": "user", "content": "Hello?"}]
ENDPOINT = Endpoint(spec="house", kind="openai", model="m", provider="p", base_url="http://127.0.0.1:1/v1")
CALL = Call(endpoint=ENDPOINT, messages=ASK, params={"temperature": 0}, repeat=0)


def at(**changes):
    return dataclasses.replace(CALL, endpoint=dataclasses.replace(ENDPOINT, **changes))


@pytest.mark.parametrize(
    "other",
    [
        at(base_url="http://127.0.0.1:2/v1"),
        at(kind="litellm"),
        at(provider="q"),
        at(model="n"),
        at(revision=2),
        at(headers=(("x-route", "b"),)),
        dataclasses.replace(CALL, params={"temperature": 1}),
        dataclasses.replace(CALL, params={"temperature": 0, "seed": 1}),
        dataclasses.replace(CALL, messages=[{"role": "system", "content": "Hello?"}]),
        dataclasses.replace(CALL, messages=[*ASK, *ASK]),
        dataclasses.replace(CALL, tools=[{"type": "function", "function": {"name": "f"}}]),
        dataclasses.replace(CALL, schema={"type": "object"}),
        dataclasses.replace(CALL, repeat=1),
    ],
)
def test_each_part_of_a_request_is_in_its_key(other):
    """A request that differs anywhere has an answer of its own."""
    assert cache_key(other) != cache_key(CALL)


@pytest.mark.parametrize(
    "same",
    [
        at(spec="another-name"),
        at(timeout_s=1.0, max_concurrency=1, api_key_env="OTHER"),
        dataclasses.replace(CALL, timeout_s=1, max_wait_s=1, prompt=("p", "1"), can_repair=True),
        dataclasses.replace(CALL, messages=[{"content": "Hello?", "role": "user"}]),
    ],
)
def test_what_does_not_decide_the_answer_is_not_in_the_key(same):
    """Patience, the key's variable, the name it was registered under, the order of a dict."""
    assert cache_key(same) == cache_key(CALL)


def test_a_second_call_is_answered_from_the_store(ws, house):
    """The answer is the same, nothing is sent, and nothing is spent; the usage stays what it was."""
    ws.models.set_price("house-1-0315", input_usd_per_mtok=1, output_usd_per_mtok=1)
    first = ws.models.complete("house", ASK, cache=True)
    second = ws.models.complete("house", ASK, cache=True)
    assert (first.is_cached, second.is_cached, len(house.asked)) == (False, True, 1)
    assert first.cost_usd == pytest.approx(120e-6)
    assert (second.cost_usd, second.usage) == (0.0, first.usage)
    same = {"is_cached": True, "cost_usd": 0.0, "latency_ms": second.latency_ms}
    assert second == dataclasses.replace(first, **same)


def test_repeats_have_answers_of_their_own(ws, house):
    """Otherwise three repeats would be one."""
    for repeat in (0, 1, 0, 1):
        ws.models.complete("house", ASK, cache=True, repeat=repeat)
    assert len(house.asked) == 2


def test_without_asking_nothing_is_kept(ws, house):
    """Neither read nor written."""
    ws.models.complete("house", ASK)
    ws.models.complete("house", ASK)
    ws.models.complete("house", ASK, cache=True)
    assert len(house.asked) == 3


def test_errors_and_answers_that_do_not_fit_are_never_kept(ws, house, kit):
    """The next call asks again."""
    schema = {"type": "object", "required": ["n"]}
    house.reply(kit.reply({}, status=400), kit.reply(kit.completion("{}")), kit.reply(kit.completion('{"n": 1}')))
    for _ in range(2):
        with pytest.raises(ModelError):
            ws.models.complete("house", ASK, cache=True, response_schema=schema)
    kept = [ws.models.complete("house", ASK, cache=True, response_schema=schema) for _ in range(2)]
    assert [(one.parsed, one.is_cached) for one in kept] == [({"n": 1}, False), ({"n": 1}, True)]
    assert kept[0].usage == kept[1].usage != Usage()


def test_everything_of_an_answer_comes_back(ws, house, kit):
    """Calls of tools, refusals, odd text and long text."""
    calls = [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    message = {"role": "assistant", "content": "é\u2028\x00" + "x" * 200_000, "tool_calls": calls, "refusal": "no"}
    house.reply(kit.reply(kit.completion(message=message, finish="tool_calls")))
    first = ws.models.complete("house", ASK, cache=True)
    second = ws.models.complete("house", ASK, cache=True)
    assert second == dataclasses.replace(first, is_cached=True, cost_usd=0.0, latency_ms=second.latency_ms)


def test_an_answer_that_cannot_be_read_is_a_miss(ws, house, kit):
    """The answer is asked again and kept again."""
    house.reply(kit.reply(kit.completion("x")))
    ws.models.complete("house", ASK, cache=True)
    with ws.store.transaction() as con:
        con.execute("update response_cache set content = '{'")
    assert [ws.models.complete("house", ASK, cache=True).is_cached for _ in range(2)] == [False, True]


def test_a_request_that_is_no_json_cannot_be_kept(ws, house):
    """Equal requests could not be told."""
    with pytest.raises(UsageError, match="cache=True"):
        ws.models.complete("house", ASK, params={"seed": object()}, cache=True)


def test_clearing_by_age_and_altogether(ws, house):
    """What was removed is counted and in the audit chain."""
    for repeat in range(3):
        ws.models.complete("house", ASK, cache=True, repeat=repeat)
    assert ws.models.clear_cache(older_than=timedelta(days=1)) == 0
    assert ws.models.clear_cache(older_than="2020-01-01") == 0
    assert ws.models.clear_cache() == 3
    assert ws.sql("select count(*) from audit where action = 'model.clear_cache'").fetchall() == [(1,)]
    assert ws.models.complete("house", ASK, cache=True).is_cached is False


def test_a_read_only_store_answers_and_keeps_nothing(ws, house):
    """A call must not fail because its answer cannot be kept."""
    ws.models.complete("house", ASK, cache=True)
    with lmops.open(ws.store.path, read_only=True) as reader:
        assert reader.models.complete("house", ASK, cache=True).is_cached
        assert not reader.models.complete("house", "New?", cache=True).is_cached


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
COMPLETIONS = st.builds(
    Completion,
    content=st.none() | TEXT,
    tool_calls=st.lists(st.builds(ToolCall, id=TEXT, name=TEXT, arguments=TEXT), max_size=2).map(tuple),
    parsed=st.recursive(st.none() | st.booleans() | TEXT, lambda part: st.lists(part) | st.dictionaries(TEXT, part)),
    finish_reason=st.sampled_from(["stop", "length", "tool_calls", "content_filter", "other"]),
    model=TEXT,
    requested_model=TEXT,
    provider=TEXT,
    usage=st.builds(Usage, input_tokens=st.none() | st.integers(0, 2**53), output_tokens=st.none() | st.just(0)),
    cost_usd=st.just(0.0),
    latency_ms=st.just(0.0),
    response_id=st.none() | TEXT,
    system_fingerprint=st.none() | TEXT,
    refusal=st.none() | TEXT,
    is_cached=st.just(True),
)


@given(completion=COMPLETIONS)
@settings(max_examples=60, deadline=None)
def test_whatever_is_kept_comes_back(cache, completion):
    """Any text, any object, and None where there was None."""
    key = uuid.uuid4().hex
    cache.put(key, completion)
    assert cache.get(key) == completion
    cache.put(key, dataclasses.replace(completion, content="another"))
    assert cache.get(key) == completion


@pytest.fixture(scope="module")
def cache():
    with lmops.open(":memory:") as ws:
        yield ResponseCache(ws.project)


def test_two_processes_share_the_cache(ws, house):
    """What one has asked the other need not ask."""
    ws.models.complete("house", ASK, cache=True)
    code = (
        "import lmops, sys\n"
        "with lmops.open(sys.argv[1]) as ws:\n"
        f"    print([ws.models.complete('house', {ASK!r}, cache=True, repeat=r).is_cached for r in (0, 1)])\n"
    )
    done = forked.run(code, ws.store.path)
    assert done.stdout.strip() == "[True, False]"
    assert done.stderr == ""
    assert ws.models.complete("house", ASK, cache=True, repeat=1).is_cached
    assert len(house.asked) == 2
