"""Answers of an endpoint, through the real client over a real connection."""

import asyncio
import json
import subprocess
import sys

import pytest

from lmops.errors import ModelError, UsageError
from lmops.models import ToolCall, Usage

ASK = [{"role": "user", "content": "Hello?"}]


def failure(ws, **options):
    with pytest.raises(ModelError) as caught:
        ws.models.complete("house", ASK, max_wait_s=0, **options)
    return caught.value


def test_an_answer_is_a_record(ws, house):
    """Text, usage with its parts, ids, and how long it took."""
    found = ws.models.complete("house", ASK)
    assert (found.content, found.finish_reason, found.model, found.requested_model) == (
        "Hello.",
        "stop",
        "house-1-0315",
        "house-1",
    )
    assert found.usage == Usage(input_tokens=100, output_tokens=20, cached_input_tokens=64, reasoning_tokens=5)
    assert (found.provider, found.response_id, found.system_fingerprint) == ("house", "chatcmpl-1", "fp_7")
    assert (found.is_cached, found.retries, found.cost_usd, found.trace_id) == (False, 0, None, None)
    assert found.latency_ms > 0
    assert house.asked[0].path == "/v1/chat/completions"
    assert house.asked[0].body == {"model": "house-1", "messages": ASK}


def test_parameters_pass_through_and_unknown_ones_too(ws, house):
    """What the client knows is its argument; the rest goes into the body as it is."""
    params = {"temperature": 0, "max_tokens": 5, "seed": 7, "top_p": 0.9, "stop": ["x"], "reasoning_effort": "low"}
    ws.models.complete("house", ASK, params={**params, "repetition_penalty": 1.1, "extra_body": {"min_p": 0.1}})
    assert house.asked[0].body == {
        "model": "house-1",
        "messages": ASK,
        **params,
        "repetition_penalty": 1.1,
        "min_p": 0.1,
    }


@pytest.mark.parametrize("params", [{"stream": True}, {"model": "x"}, {"n": 2}, {"extra_headers": {}}, {"timeout": 1}])
def test_parameters_with_an_argument_of_their_own_are_refused(ws, house, params):
    """A parameter that would change what comes back is told where it belongs."""
    with pytest.raises(UsageError, match=next(iter(params))):
        ws.models.complete("house", ASK, params=params)
    assert house.asked == []


@pytest.mark.parametrize("messages", ["", [], [{}], ["hi"], {"role": "user"}, None, [{"role": 1, "content": ""}]])
def test_messages_that_are_none_are_refused(ws, house, messages):
    """Nothing is sent; an empty text is still a message."""
    if messages == "":
        assert ws.models.complete("house", messages).content == "Hello."
        return
    with pytest.raises(UsageError, match="message"):
        ws.models.complete("house", messages)
    assert house.asked == []


def test_calls_of_tools(ws, house, kit):
    """Arguments stay the text that the model wrote; an object becomes text."""
    calls = [
        {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"q": 1}'}},
        {"id": "c2", "type": "function", "function": {"name": "look", "arguments": {"x": "é"}}},
    ]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    house.reply(kit.reply(kit.completion(message=message, finish="tool_calls")))
    tools = [{"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}]
    found = ws.models.complete("house", ASK, tools=tools)
    assert found.content is None
    assert found.finish_reason == "tool_calls"
    assert found.tool_calls == (
        ToolCall(id="c1", name="find", arguments='{"q": 1}'),
        ToolCall(id="c2", name="look", arguments='{"x":"é"}'),
    )
    assert house.asked[0].body["tools"] == tools


def test_a_refusal_is_told_apart(ws, house, kit):
    """It is the content as well, so that nothing downstream sees None."""
    message = {"role": "assistant", "content": None, "refusal": "I cannot help with that."}
    house.reply(kit.reply(kit.completion(message=message)))
    found = ws.models.complete("house", ASK)
    assert found.refusal == found.content == "I cannot help with that."


@pytest.mark.parametrize(
    ("body", "headers", "why"),
    [
        ("{not json", {}, "not JSON"),
        ("", {}, "not JSON"),
        ("<html>gateway</html>", {"content-type": "text/html"}, "not JSON"),
        ([1], {}, "not a JSON object"),
        ({"choices": []}, {}, "no choices"),
        ({"choices": [{"index": 0}]}, {}, "no message"),
        ({"choices": [7]}, {}, "int"),
        ({"error": {"message": "upstream is gone"}}, {}, "upstream is gone"),
        ({"choices": [{"message": {"content": 5}}]}, {}, "no text"),
    ],
)
def test_an_answer_that_is_none_is_an_error(ws, house, kit, body, headers, why):
    """A success of HTTP that holds nothing is never an empty text; what came is kept."""
    house.reply(kit.reply(body, headers=headers))
    error = failure(ws)
    assert (error.kind, error.is_retryable) == ("bad_response", False)
    assert why in str(error)
    assert error.text == (body if isinstance(body, str) else json.dumps(body, separators=(",", ":")))
    assert len(house.asked) == 1


def test_usage_that_is_missing_is_not_zero(ws, house, kit):
    """Some servers do not count."""
    house.reply(kit.reply(kit.completion(usage=False)))
    found = ws.models.complete("house", ASK)
    assert found.usage == Usage()
    assert found.cost_usd is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "bad_request"), (401, "auth"), (403, "auth"), (404, "bad_request"), (422, "bad_request")],
)
def test_errors_of_the_request_are_not_repeated(ws, house, kit, status, kind):
    """They would fail again; the message says what the server said."""
    house.reply(kit.reply({"error": {"message": "the model is unknown"}}, status=status))
    with pytest.raises(ModelError, match="the model is unknown") as caught:
        ws.models.complete("house", ASK)
    error = caught.value
    assert (error.kind, error.status, error.is_retryable, error.attempts) == (kind, status, False, 1)
    assert len(house.asked) == 1


def test_no_connection_says_where(ws, free_port):
    """The address is in the message, and the cause."""
    ws.models.register("gone", base_url=f"http://127.0.0.1:{free_port}/v1", model="m")
    with pytest.raises(ModelError, match=f"127.0.0.1:{free_port}") as caught:
        ws.models.complete("gone", ASK, max_wait_s=0)
    assert (caught.value.kind, caught.value.is_retryable) == ("connection", True)


def test_a_slow_answer_times_out(ws, house, kit):
    """The time is that of one attempt."""
    house.reply(kit.reply(kit.completion(), delay_s=0.5))
    error = failure(ws, timeout_s=0.1)
    assert (error.kind, error.is_retryable) == ("timeout", True)
    assert "0.1 s" in str(error)


async def in_a_loop(ws):
    return ws.models.complete("house", ASK), await ws.models.acomplete("house", ASK)


def test_both_ways_work_inside_a_running_loop(ws, house):
    """A notebook has a running loop: the call without await answers there as well."""
    first, second = asyncio.run(in_a_loop(ws))
    assert first.content == second.content == "Hello."


def test_calls_of_several_loops_share_their_connections(ws, house):
    """A loop that ended takes nothing with it."""
    for _ in range(3):
        asyncio.run(ws.models.acomplete("house", ASK))
    assert len({asked.headers["host"] for asked in house.asked}) == 1
    assert len(house.asked) == 3


def test_cancelling_leaves_nothing_behind(ws, house, kit):
    """The request is given up and its slot is free again."""
    from lmops.models._loop import BACKGROUND

    house.reply(kit.reply(kit.completion(), delay_s=1))

    async def cancelled():
        task = asyncio.create_task(ws.models.acomplete("house", ASK))
        while not house.asked:  # noqa: ASYNC110 - the server is in another thread
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return [one for one in asyncio.all_tasks() if one is not asyncio.current_task()]

    async def running():
        await asyncio.sleep(0.05)
        return [one for one in asyncio.all_tasks() if one is not asyncio.current_task()]

    assert asyncio.run(cancelled()) == []
    assert BACKGROUND.run(running()) == []
    limits = ws.models.limits().set_index("endpoint").loc[house.url]
    assert (limits.in_flight, limits.waiting) == (0, 0)


def test_a_child_process_starts_anew(ws, house):
    """After a fork neither the parent's thread nor its connections are used."""
    code = (
        "import lmops, os, sys\n"
        "ws = lmops.open(sys.argv[1])\n"
        "print(ws.models.complete('house', 'x').content, flush=True)\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    print(ws.models.complete('house', 'x').content, flush=True)\n"
        "    os._exit(0)\n"
        "os.waitpid(child, 0)\n"
        "print(ws.models.complete('house', 'x').content)\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", code, str(ws.store.path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert (done.stdout.split(), done.stderr) == (["Hello."] * 3, "")


def test_a_call_without_await_on_the_background_loop_is_refused(ws, house):
    """It would wait for itself for ever."""
    from lmops.models._loop import BACKGROUND

    async def there():
        return ws.models.complete("house", ASK)

    with pytest.raises(UsageError, match="acomplete"):
        BACKGROUND.run(there())
