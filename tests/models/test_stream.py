"""Answers piece by piece."""

import asyncio

import pytest

from lmops.errors import ModelError, UsageError
from lmops.models import ToolCall, Usage

ASK = "Hello?"
COUNTED = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}


def whole(kit):
    return [kit.chunk("Hel"), kit.chunk("lo."), kit.chunk(finish="stop"), kit.chunk(usage=COUNTED)]


def test_pieces_then_the_whole_answer(ws, house, kit):
    """The completion with its usage is there when the text is."""
    house.reply(kit.reply(pieces=whole(kit)))
    stream = ws.models.stream("house", ASK)
    with pytest.raises(UsageError, match="to its end"):
        _ = stream.completion
    assert list(stream) == ["Hel", "lo."]
    found = stream.completion
    assert (found.content, found.finish_reason, found.model) == ("Hello.", "stop", "house-1-0315")
    assert found.usage == Usage(input_tokens=9, output_tokens=3)
    assert list(stream) == []
    assert house.asked[0].body["stream_options"] == {"include_usage": True}


def test_async_pieces(ws, house, kit):
    """The same with await."""
    house.reply(kit.reply(pieces=whole(kit)))

    async def read():
        stream = ws.models.astream("house", ASK)
        return [piece async for piece in stream], stream.completion.content

    assert asyncio.run(read()) == (["Hel", "lo."], "Hello.")


def test_a_stream_without_await_works_inside_a_running_loop(ws, house, kit):
    """As a cell of a notebook does."""
    house.reply(kit.reply(pieces=whole(kit)))

    async def read():
        return list(ws.models.stream("house", ASK))

    assert asyncio.run(read()) == ["Hel", "lo."]


@pytest.mark.parametrize("is_cut", [True, False])
def test_a_stream_that_breaks_off_is_an_error_with_its_text(ws, house, kit, is_cut):
    """Whether the connection ends or the server says it is done: without a reason to end it is not the whole answer."""
    house.reply(kit.reply(pieces=[kit.chunk("Half of"), kit.chunk(" it")], is_cut=is_cut))
    stream, got = ws.models.stream("house", ASK), []
    with pytest.raises(ModelError) as caught:
        got.extend(iter(stream.__next__, None))
    error = caught.value
    assert (error.kind, error.text, stream.text) == ("connection", "Half of it", "Half of it")
    assert len(house.asked) == 1
    with pytest.raises(UsageError):
        _ = stream.completion


def test_a_stream_that_broke_before_its_first_piece_is_tried_again(ws, house, kit):
    """Nothing had been handed over, so nothing is said twice."""
    busy = kit.reply({}, status=503, headers={"retry-after-ms": "5"})
    house.reply(busy, kit.reply(pieces=[], is_cut=True), kit.reply(pieces=whole(kit)))
    stream = ws.models.stream("house", ASK)
    assert "".join(stream) == "Hello."
    assert stream.completion.retries == 2


@pytest.mark.parametrize(
    ("pieces", "kind"),
    [
        (["data: {oops\n\n"], "bad_response"),
        (['data: {"error": {"message": "overloaded", "code": "rate_limit_exceeded"}}\n\n'], "rate_limit"),
        (['data: {"error": {"message": "engine died"}}\n\n'], "server"),
    ],
)
def test_garbage_and_errors_inside_a_stream(ws, house, kit, pieces, kind):
    """After a piece of text they end it, with the text kept."""
    house.reply(kit.reply(pieces=[kit.chunk("So"), *pieces]))
    stream = ws.models.stream("house", ASK)
    with pytest.raises(ModelError) as caught:
        list(stream)
    assert (caught.value.kind, caught.value.text) == (kind, "So")


def test_a_stream_that_falls_silent_times_out(ws, house, kit):
    """The time counts from piece to piece."""
    house.reply(kit.reply(pieces=whole(kit), piece_delay_s=0.5))
    with pytest.raises(ModelError) as caught:
        list(ws.models.stream("house", ASK, timeout_s=0.1))
    assert (caught.value.kind, caught.value.text) == ("timeout", "Hel")


def test_calls_of_tools_come_in_pieces(ws, house, kit):
    """Arguments are put together by index."""

    def part(index, **function):
        return {"index": index, "id": f"c{index}" if "name" in function else None, "function": function}

    house.reply(
        kit.reply(
            pieces=[
                kit.chunk(tool_calls=[part(0, name="find", arguments="")]),
                kit.chunk(tool_calls=[part(0, arguments='{"q"'), part(1, name="look", arguments="{}")]),
                kit.chunk(tool_calls=[part(0, arguments=": 1}")]),
                kit.chunk(finish="tool_calls"),
            ]
        )
    )
    stream = ws.models.stream("house", ASK)
    assert list(stream) == []
    assert stream.completion.content is None
    assert stream.completion.tool_calls == (
        ToolCall(id="c0", name="find", arguments='{"q": 1}'),
        ToolCall(id="c1", name="look", arguments="{}"),
    )


def test_a_reader_that_has_enough_frees_the_slot(ws, house, kit):
    """Closing a stream ends the request."""
    house.reply(kit.reply(pieces=[kit.chunk("a")] * 50, piece_delay_s=0.05))

    async def read():
        async with ws.models.astream("house", ASK) as stream:
            async for _ in stream:
                break
        return stream.text

    assert asyncio.run(read()) == "a"
    limits = ws.models.limits().set_index("endpoint").loc[house.url]
    assert (limits.in_flight, limits.waiting) == (0, 0)


def test_a_streamed_object_is_checked_at_its_end(ws, house, kit):
    """What does not fit is an error with the text, as without streaming."""
    schema = {"type": "object", "required": ["n"]}
    house.reply(kit.reply(pieces=[kit.chunk('{"m": 1}'), kit.chunk(finish="stop")]))
    with pytest.raises(ModelError, match="'n' is a required property") as caught:
        list(ws.models.stream("house", ASK, response_schema=schema))
    assert caught.value.text == '{"m": 1}'


def test_the_stand_in_streams_word_by_word(ws):
    """The pieces make up the answer."""
    stream = ws.models.stream("standin:ferry-1", ASK)
    assert len(list(stream)) > 3
    assert stream.completion.content == stream.text == ws.models.complete("standin:ferry-1", ASK).content
