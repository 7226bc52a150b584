"""What endpoints make of OpenAI's protocol: errors inside successes, calls in odd pieces, answers of the other kind."""

from __future__ import annotations

import json

import pytest

from lmops.errors import LmopsError, ModelError
from lmops.models import Usage

ASK = "Anything?"


def wrapped(code, message="no", **more):
    return {"error": {"message": message, "code": code, **more}}


@pytest.mark.parametrize(
    "body",
    [
        wrapped(429),
        wrapped("502", metadata={"provider_name": "p"}),
        wrapped("rate_limit_exceeded"),
        {"error": {"message": "no", "type": "overloaded_error"}},
        [{"error": {"code": 503, "message": "no", "status": "UNAVAILABLE"}}],
        {"object": "error", "message": "no", "type": "InternalServerError", "code": 500},
        {"code": 429, "msg": "no"},
        {"id": "x", "choices": None, "base_resp": {"status_code": 1002, "status_msg": "rate limit"}},
        {"error": "no", "code": "server_error"},
        {"choices": [{"index": 0, "message": {"content": ""}, "finish_reason": "error", "error": {"code": 502}}]},
        {"choices": [{"index": 0, "message": {"content": "Half"}, "finish_reason": "error"}], **wrapped(503)},
    ],
)
def test_an_error_inside_a_success_is_tried_again_as_its_code_says(ws, house, kit, body):
    """Whether the code is a number, digits, a word or a type, and wherever it stands."""
    house.reply(kit.reply(body), kit.reply(kit.completion("Hello.")))
    found = ws.models.complete("house", ASK)
    assert (found.content, found.retries) == ("Hello.", 1)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (wrapped(400), "bad_request"),
        (wrapped("context_length_exceeded"), "bad_request"),
        (wrapped(401), "auth"),
        (wrapped("insufficient_quota"), "rate_limit"),
        (wrapped(None, "only words"), "bad_response"),
        ({"error": "only words"}, "bad_response"),
    ],
)
def test_an_error_that_no_waiting_lifts_is_said_once(ws, house, kit, body, kind):
    """The message is the endpoint's own, the body is kept."""
    house.reply(kit.reply(body))
    with pytest.raises(ModelError) as caught:
        ws.models.complete("house", ASK)
    assert (caught.value.kind, caught.value.is_retryable, len(house.asked)) == (kind, False, 1)
    assert json.loads(caught.value.text) == body


def test_the_wait_that_an_error_asks_for_is_kept(ws, house, kit):
    """In its metadata as well as in the headers of the success."""
    for more, headers in (({"metadata": {"headers": {"Retry-After": "90"}}}, {}), ({}, {"retry-after": "90"})):
        house.reply(kit.reply(wrapped(429, **more), headers=headers))
        with pytest.raises(ModelError) as caught:
            ws.models.complete("house", ASK, max_wait_s=1)
        assert caught.value.retry_after_s == 90


@pytest.mark.parametrize("body", [wrapped(429), [wrapped(503)]])
def test_a_stream_that_begins_with_an_error_is_tried_again(ws, house, kit, body):
    """Sent as an event, or as JSON where a stream was asked."""
    whole = [kit.chunk("Hello."), kit.chunk(finish="stop")]
    first = kit.reply(body) if isinstance(body, list) else kit.reply(pieces=[body])
    house.reply(first, kit.reply(pieces=whole))
    stream = ws.models.stream("house", ASK)
    assert ("".join(stream), stream.completion.retries) == ("Hello.", 1)


def test_a_stream_that_ends_with_the_reason_error_is_an_error(ws, house, kit):
    """What had come of it is kept."""
    house.reply(kit.reply(pieces=[kit.chunk("Half"), kit.chunk("", finish="error")]))
    with pytest.raises(ModelError, match="ended with an error") as caught:
        list(ws.models.stream("house", ASK))
    assert (caught.value.kind, caught.value.text) == ("bad_response", "Half")


def tool(name=None, arguments=None, call_id=None, index=0):
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return {"index": index, "function": function, **({"id": call_id} if call_id else {})}


@pytest.mark.parametrize(
    ("chunks", "calls"),
    [
        # each parallel call whole, all at index 0
        ([[tool("a", '{"x":1}', "1")], [tool("b", '{"x":2}', "2")]], [("1", "a", '{"x":1}'), ("2", "b", '{"x":2}')]),
        ([[tool("a", '{"x":1}', "1"), tool("a", '{"x":2}', "2")]], [("1", "a", '{"x":1}'), ("2", "a", '{"x":2}')]),
        # the same without ids
        ([[tool("a", '{"x":1}')], [tool("a", '{"x":2}')]], [("", "a", '{"x":1}'), ("", "a", '{"x":2}')]),
        # in pieces, told apart by id alone
        (
            [[tool("a", "", "1")], [tool("b", "", "2")], [tool(None, '{"y"', "2")], [tool(None, "{}", "1")],
             [tool(None, ":3}", "2")]],
            [("1", "a", "{}"), ("2", "b", '{"y":3}')],
        ),
        # name and id with every piece of one call
        ([[tool("a", '{"x"', "1")], [tool("a", ":1}", "1")], [tool("a", "", "1")]], [("1", "a", '{"x":1}')]),
        # a new id with every piece
        ([[tool("a", '{"x"', "1")], [tool("a", ":1}", "2")]], [("1", "a", '{"x":1}')]),
        # the name itself in pieces
        ([[tool("fi", "", "1")], [tool("nd", "{}")]], [("1", "find", "{}")]),
        # arguments as an object, no index
        ([[{"id": "1", "function": {"name": "a", "arguments": {"x": 1}}}]], [("1", "a", '{"x":1}')]),
        # calls without arguments
        ([[tool("a", None, "1")], [tool("b", None, "2")]], [("1", "a", ""), ("2", "b", "")]),
    ],
)  # fmt: skip  # cases that belong together share a line
def test_streamed_calls_of_tools_are_told_apart(ws, house, kit, chunks, calls):
    """Whatever an endpoint does with index, id and name."""
    pieces = [kit.chunk(tool_calls=parts) for parts in chunks]
    house.reply(kit.reply(pieces=[*pieces, kit.chunk(finish="tool_calls")]))
    stream = ws.models.stream("house", ASK)
    list(stream)
    assert [(call.id, call.name, call.arguments) for call in stream.completion.tool_calls] == calls


THOUGHT = {"type": "thinking", "thinking": [{"type": "text", "text": "hmm"}]}


@pytest.mark.parametrize(
    "content", ["42", ["42"], {"type": "text", "text": "42"}, [THOUGHT, {"type": "text", "text": "42"}],
                [{"type": "reasoning", "text": "hmm"}, {"type": "text", "text": "4"}, {"type": "text", "text": "2"}]],
)  # fmt: skip  # cases that belong together share a line
def test_a_content_in_parts_is_its_text(ws, house, kit, content):
    """Without what the model thought, whole and streamed."""
    house.reply(kit.reply(kit.completion(message={"role": "assistant", "content": content})))
    assert ws.models.complete("house", ASK).content == "42"
    house.reply(kit.reply(pieces=[kit.chunk(content), kit.chunk(finish="stop")]))
    assert "".join(ws.models.stream("house", ASK)) == "42"


def test_json_where_a_stream_was_asked_is_the_answer(ws, house, kit):
    """In one piece, with its calls, usage and reason."""
    message = {"role": "assistant", "content": "Hello.", "tool_calls": [tool("a", "{}", "1")]}
    house.reply(kit.reply(kit.completion(message=message, finish="length")))
    stream = ws.models.stream("house", ASK)
    assert list(stream) == ["Hello."]
    found = stream.completion
    assert (found.finish_reason, found.tool_calls[0].name, found.retries) == ("length", "a", 0)
    assert found.usage == ws.models.complete("house", ASK).usage != Usage()


def test_a_stream_where_json_was_asked_is_the_answer(ws, house, kit):
    """Its pieces are put together."""
    house.reply(kit.reply(pieces=[kit.chunk("Hel"), kit.chunk("lo."), kit.chunk(finish="stop")]))
    assert ws.models.complete("house", ASK).content == "Hello."
    house.reply(kit.reply(pieces=[kit.chunk("Hel")]))
    with pytest.raises(ModelError, match="broke off"):
        ws.models.complete("house", ASK)


@pytest.mark.parametrize(
    "piece",
    ["data: [1]\n\n", "data: 7\n\n", 'data: {"choices": 7}\n\n', 'data: {"choices": [7]}\n\n',
     'data: {"choices": [{"delta": {"content": 5}}]}\n\n', 'data: {"choices": [{"delta": {"tool_calls": [3]}}]}\n\n'],
)  # fmt: skip  # cases that belong together share a line
def test_whatever_comes_the_error_is_ours(ws, house, kit, piece):
    """Nonsense in a stream is never an error of Python's own."""
    house.reply(kit.reply(pieces=[piece]))
    with pytest.raises(LmopsError):
        list(ws.models.stream("house", ASK, max_wait_s=0))


def test_a_request_that_cannot_be_made_is_an_error_of_ours(ws, house, monkeypatch):
    """A key that no header can hold is found when the request is made, and not repeated in the message."""
    monkeypatch.setenv("ODD_KEY", "k\u00e9y\u20ac-secret")
    ws.models.register("odd", base_url=house.url, model="m", api_key_env="ODD_KEY")
    for call in (ws.models.complete, lambda *args, **more: list(ws.models.stream(*args, **more))):
        with pytest.raises(LmopsError) as caught:
            call("odd", ASK, max_wait_s=0)
        assert "secret" not in str(caught.value)


def test_a_call_of_a_custom_tool_has_its_input_as_arguments(ws, house, kit):
    """Such a tool takes any text; streamed or whole, the call is the same."""
    part = {"index": 0, "id": "c1", "type": "custom", "custom": {"name": "apply_patch", "input": "*** Begin"}}
    message = {"role": "assistant", "content": None, "tool_calls": [part]}
    pieces = [kit.chunk(tool_calls=[part]), kit.chunk(finish="tool_calls")]
    house.reply(kit.reply(kit.completion(message=message)), kit.reply(pieces=pieces))
    whole = ws.models.complete("house", ASK)
    stream = ws.models.stream("house", ASK)
    list(stream)
    for found in (whole, stream.completion):
        (call,) = found.tool_calls
        assert (call.id, call.name, call.arguments) == ("c1", "apply_patch", "*** Begin")
