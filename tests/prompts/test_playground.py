"""Trying versions on inputs."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

from lmops.errors import ModelError
from lmops.prompts.playground import Candidate, as_frame, try_versions

GREET = Candidate(label="greet@1", ref="greet@1", messages=[{"role": "user", "content": "Hello {{ name }}"}], model="m")
SHOUT = Candidate(label="draft", messages=[{"role": "user", "content": "HEY {{ name }}{{ mark }}"}], model="m")


async def echo(model, messages, /, *, params=None, tools=None, response_schema=None, prompt=None):
    """A model that says what it was asked, and fails on request."""
    text = messages[-1]["content"]
    if "slow" in text:
        await asyncio.sleep(30)
    if "busy" in text:
        raise ModelError("too many requests", kind="rate_limit")
    if "broken" in text:
        raise ZeroDivisionError("oh")
    return SimpleNamespace(
        content=f"{model}: {text}", tool_calls=(), usage=SimpleNamespace(input_tokens=3, output_tokens=None),
        latency_ms=5.0, cost_usd=None, finish_reason="stop", is_cached=False, trace_id=None,
    )  # fmt: skip  # arguments that belong together share a line


def test_every_candidate_answers_every_input_and_a_variable_it_does_not_use_is_left_out():
    """In the order of the inputs; a missing variable is an error of that answer."""
    seen = []
    inputs = [{"name": "Ada", "mark": "!"}, {"name": "Bo"}]
    found = asyncio.run(try_versions([GREET, SHOUT], inputs, complete=echo, on_trial=seen.append))
    assert [(one.input, one.candidate, one.output, one.error_kind) for one in found] == [
        (0, 0, "m: Hello Ada", None),
        (0, 1, "m: HEY Ada!", None),
        (1, 0, "m: Hello Bo", None),
        (1, 1, None, "prompt"),
    ]
    assert "'mark'" in found[3].error
    assert len(seen) == 4


def test_what_goes_wrong_in_a_call_belongs_to_that_answer():
    """Errors of models, of clients, and no model at all."""
    inputs = [{"name": "busy"}, {"name": "broken"}, {"name": "Ada"}]
    found = asyncio.run(try_versions([GREET], inputs, complete=echo))
    assert [one.error_kind for one in found] == ["rate_limit", "model", None]
    assert found[1].error == "ZeroDivisionError: oh"
    nameless = Candidate(label="draft", messages=GREET.messages, model=None)
    (trial,) = asyncio.run(try_versions([nameless], [{"name": "Ada"}], complete=echo))
    assert trial.error == "draft names no model: choose one"


def test_cancelling_keeps_what_was_there():
    """An answer that came before is handed over; the slow one is not waited for."""
    seen = []

    async def cancelled():
        task = asyncio.create_task(
            try_versions([GREET], [{"name": "Ada"}, {"name": "slow"}], complete=echo, on_trial=seen.append)
        )
        while not seen:  # noqa: ASYNC110  # what is waited for is a callback
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return task.cancelled()

    assert asyncio.run(cancelled())
    assert [one.output for one in seen] == ["m: Hello Ada"]


def test_the_frame_has_what_is_unknown_as_missing():
    """One row an answer, one column a variable."""
    frame = as_frame(asyncio.run(try_versions([GREET], [{"name": "Ada"}], complete=echo)))
    assert frame["variable.name"].tolist() == ["Ada"]
    assert frame["input_tokens"].tolist() == [3]
    assert frame[["output_tokens", "cost_usd"]].isna().all(axis=None)


def test_the_latest_inputs_come_from_traces():
    """Once each, complete ones first; a value that may be cut is not offered."""
    import json

    import lmops
    from lmops.prompts.playground import recent_inputs
    from tests.store.helpers import span

    values = [{"name": "Ada"}, {"name": "Ada"}, {"name": "Bo", "mark": "!"}, {"name": "x" * 2000}, {"other": "y"}]
    rows = [
        span(str(place), "a", prompt_name="greet", prompt_version="1", start_ns=place * 10**9,
             attributes=json.dumps({f"gen_ai.prompt.variable.{key}": value for key, value in given.items()}))
        for place, given in enumerate(values)
    ]  # fmt: skip  # one row is packed as it is read
    with lmops.open(":memory:") as ws:
        ws.store.load(spans=rows)
        greet = ws.prompts.save("greet", "{{ name }}{{ mark }}")
        assert recent_inputs(ws.store, greet) == [{"name": "Bo", "mark": "!"}, {"name": "Ada"}]
        assert recent_inputs(ws.store, ws.prompts.save("other", "{{ name }}")) == []


def test_inputs_are_read_out_of_what_was_sent():
    """Where a span remembers none; of the version that is tried, whole."""
    import json

    import lmops
    from lmops.prompts.playground import recent_inputs
    from tests.store.helpers import span

    long = "a long source\n" * 500
    rows = [
        span(
            version,
            "a",
            kind="llm",
            prompt_name="ask",
            prompt_version=version,
            attributes="{}",
            input=json.dumps([{"role": "user", "content": f"From {long}: where to?"}]),
        )
        for version in ("1", "2")
    ]
    with lmops.open(":memory:") as ws:
        ws.store.load(spans=rows)
        version = ws.prompts.save("ask", "From {{ sources }}: {{ question }}")
        assert recent_inputs(ws.store, version) == [{"sources": long, "question": "where to?"}]
