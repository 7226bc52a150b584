"""An endpoint that says back what was sent to it: the key is in no answer, span, cache, result, log or error."""

from __future__ import annotations

import base64
import json
import logging
import traceback
import urllib.parse

import pytest

from lmops.errors import LmopsError
from lmops.models._keys import StreamMask

FORMS = {
    "plain": lambda key: key,
    "bearer": lambda key: f"Authorization: Bearer {key}",
    "json": lambda key: json.dumps({"authorization": f"Bearer {key}"}),
    "address": lambda key: f"https://house.example/v1?api_key={urllib.parse.quote(key, safe='')}&x=1",
    "userinfo": lambda key: f"https://user:{key}@house.example/v1",
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
    "upper": lambda key: key.upper(),
}


def message(kit, echo, **more):
    return kit.reply(kit.completion(message={"role": "assistant", "content": None, **more}, model="house-1"))


def tool(echo):
    return [{"id": echo, "type": "function", "function": {"name": echo, "arguments": json.dumps({"a": echo})}}]


PLACES = {
    "content": lambda kit, echo: message(kit, echo, content=f"You sent {echo}. Right?"),
    "parts": lambda kit, echo: message(kit, echo, content=[{"type": "text", "text": echo}]),
    "refusal": lambda kit, echo: message(kit, echo, refusal=echo),
    "tool": lambda kit, echo: message(kit, echo, tool_calls=tool(echo)),
    "finish": lambda kit, echo: kit.reply(kit.completion(finish=echo)),
    "model": lambda kit, echo: kit.reply({**kit.completion(), "model": echo}),
    "id": lambda kit, echo: kit.reply({**kit.completion(), "id": echo, "system_fingerprint": echo}),
    "header": lambda kit, echo: kit.reply(kit.completion(), headers={"x-echo": echo, "x-request-id": echo}),
    "error": lambda kit, echo: kit.reply({"error": {"message": echo, "code": echo, "type": echo}}, status=400),
    "error header": lambda kit, echo: kit.reply("no", status=403, headers={"x-echo": echo, "www-authenticate": echo}),
    "error in 200": lambda kit, echo: kit.reply({"error": {"message": echo}}),
    "no json": lambda kit, echo: kit.reply(f"<html>{echo}</html>"),
    "no choices": lambda kit, echo: kit.reply({"choices": [], "x": echo}),
}


def every_byte(ws):
    return b"\n".join(path.read_bytes() for path in ws.store.path.rglob("*") if path.is_file())


def assert_nowhere(ws, key, said):
    """The key stands in no text and no file, in none of its forms."""
    coded = base64.b64encode(key.encode()).decode().rstrip("=")
    facts = [ws.sql(f"select * from {name}").df().to_csv() for name in ("spans", "traces", "results", "audit")]
    with ws.store.reading() as con:
        facts += [row[0] for row in con.execute("select content from response_cache")]
    for form in (key, coded, urllib.parse.quote(key, safe="")):
        assert form.lower() not in "\n".join([*said, *facts]).lower()
        assert form.encode() not in every_byte(ws)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("place", PLACES)
def test_an_echoed_key_is_nowhere(ws, house, kit, caplog, place, form):
    """Wherever the endpoint puts it, and however it writes it."""
    caplog.set_level(logging.DEBUG)
    ws.traces.instrument()
    house.reply(PLACES[place](kit, FORMS[form](kit.key)))
    said = []
    try:
        for _ in range(2):  # the second may come from the cache
            found = ws.models.complete("house", "Hello?", cache=True, max_wait_s=0)
            said.append(repr(found) + repr([getattr(found, name) for name in found.__dataclass_fields__]))
    except LmopsError as error:
        said += ["".join(traceback.format_exception(error)), repr(vars(error))]
    ws.traces.stop_instrumentation()
    assert_nowhere(ws, kit.key, [*said, caplog.text])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [1, 3, 7, 400])
def test_an_echo_in_pieces_is_nowhere(ws, house, kit, caplog, form, size):
    """A key that comes letter by letter is masked before any of it is shown."""
    caplog.set_level(logging.DEBUG)
    ws.traces.instrument()
    text = f"You sent {FORMS[form](kit.key)} to me, see?"
    pieces = [kit.chunk(text[at : at + size]) for at in range(0, len(text), size)]
    house.reply(kit.reply(pieces=[*pieces, kit.chunk(finish="stop", model=kit.key)]))
    stream = ws.models.stream("house", "Hello?")
    shown = list(stream)
    ws.traces.stop_instrumentation()
    assert "".join(shown).startswith("You sent ")
    assert "".join(shown).endswith("see?")
    assert "".join(shown) == stream.completion.content
    assert_nowhere(ws, kit.key, [*shown, "".join(shown), repr(stream.completion), caplog.text])


def test_a_stream_that_breaks_off_in_a_key_says_nothing_of_it(ws, house, kit):
    """Nor does the error that holds what had come."""
    house.reply(kit.reply(pieces=[kit.chunk("the key " + kit.key[:-3])], is_cut=True))
    stream = ws.models.stream("house", "Hello?", max_wait_s=0)
    with pytest.raises(LmopsError) as caught:
        list(stream)
    assert kit.key[:-3] not in f"{caught.value}{vars(caught.value)}{stream.text}"


def test_the_results_of_a_run_hold_no_echo(ws, house, kit):
    """An evaluation keeps answers: without the key."""
    house.reply(kit.reply(kit.completion(f"Bearer {kit.key}")))
    ws.prompts.save("ask", "{{ question }}", model="house")
    ws.datasets.save("questions", [{"input": {"question": "Why?"}}])
    run = ws.evals.run("ask@1", "questions", progress=False)
    assert_nowhere(ws, kit.key, [repr(run), run.df().to_csv()])
    assert ws.sql("select output from results").fetchall() == [("Bearer [key]",)]


def test_a_key_in_a_question_is_not_on_the_span(ws, house, kit):
    """The endpoint gets what was asked; the store does not keep the key in it."""
    ws.traces.instrument()
    other = "ghp_" + "a1B2" * 9
    ws.models.complete("house", [{"role": "user", "content": f"Is {other} still good?"}], cache=True)
    ws.traces.stop_instrumentation()
    assert other in house.asked[0].body["messages"][0]["content"]
    assert other.encode() not in every_byte(ws)
    assert "Is [key] still good?" in ws.sql("select input from spans").fetchall()[0][0]


def test_text_that_holds_no_key_streams_as_it_came(ws, house, kit):
    """Masking holds back what may be a key and nothing else."""
    pieces = ["The ferry", " leaves ", "at noon", ".", " Ask", " again."]
    house.reply(kit.reply(pieces=[*map(kit.chunk, pieces), kit.chunk(finish="stop")]))
    shown = list(ws.models.stream("house", "When?"))
    assert "".join(shown) == "".join(pieces)
    assert shown[:4] == pieces[:4]  # "Ask" waits for what follows: it may have been the start of "sk-..."


def test_a_word_that_is_no_secret_stays(ws, endpoint, kit, monkeypatch):
    """Local servers want any key: what people write there is a word, and answers may hold it."""
    monkeypatch.setenv("LOCAL_KEY", "ollama")
    ws.models.register("local", base_url=endpoint.url, model="m", api_key_env="LOCAL_KEY")
    endpoint.reply(kit.reply(kit.completion("Ollama runs models.")))
    assert ws.models.complete("local", "What is it?").content == "Ollama runs models."


@pytest.mark.parametrize(
    "params",
    [
        {"api_key": "x"},
        {"extra_query": {"key": "AIza" + "Sy0-" * 9}},
        {"extra_body": {"auth": ["sk-abc0123456789012345678"]}},
        {"Authorization": "Bearer x"},
        {"user": "sk-loopback-0123456789abcdef-SECRET"},
    ],
)
def test_a_key_in_parameters_is_refused(ws, house, params):
    """Parameters are stored with prompts and runs: a key in them is refused and not repeated."""
    for call in (
        lambda: ws.models.complete("house", "Hello?", params=params),
        lambda: ws.models.embed("house", "Hello?", params=params),
        lambda: ws.prompts.save("ask", "{{ q }}", model="house", params=params),
    ):
        with pytest.raises(LmopsError, match="holds a key") as caught:
            call()
        assert "012345" not in str(caught.value)
    assert house.asked == []


def test_parameters_about_tokens_are_no_keys(ws, house):
    """Words that only sound like it go through."""
    params = {"max_tokens": 5, "logit_bias": {"50256": -100}, "prompt_cache_key": "a", "stop_token_ids": [1]}
    ws.models.complete("house", "Hello?", params=params)
    assert house.asked[0].body["max_tokens"] == 5


def test_held_back_text_is_bounded(house, ws):
    """Whoever sends a key without an end does not stop the stream for ever."""
    mask = StreamMask(ws.models._endpoints.resolve("house"))
    shown = mask.add("eyJ" + "a" * 100_000)
    assert len(mask.finish()) < 20_000
    assert shown
