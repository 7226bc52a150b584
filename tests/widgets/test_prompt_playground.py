"""What the prompt playground knows and does, without a page."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace

import pytest

from lmops.errors import UsageError
from tests.widgets.prompt_samples import saved

INPUTS = [{"sources": "[a] Dogs travel free.", "question": "My dog?"}, {"sources": "", "question": "A refund?"}]


async def model(name, messages, /, *, params=None, tools=None, response_schema=None, prompt=None):
    """Answers with its name and parameters; one question it never answers."""
    if "forever" in messages[-1]["content"]:
        await asyncio.sleep(60)
    return SimpleNamespace(
        content=f"{name} {json.dumps(params, sort_keys=True)}", tool_calls=(SimpleNamespace(name="f", arguments="{}"),),
        usage=SimpleNamespace(input_tokens=10, output_tokens=None), latency_ms=5.0, cost_usd=None, finish_reason="stop",
        is_cached=False, trace_id=None,
    )  # fmt: skip  # arguments that belong together share a line


@pytest.fixture
def ws():
    """A workspace with the sample prompt."""
    import lmops

    with lmops.open(":memory:", actor="ada") as found:
        yield saved(found)


@pytest.fixture
def make(ws):
    """Return a function that makes a controller."""
    from lmops.widgets.prompts.playground_controller import PlaygroundController

    return lambda **more: PlaygroundController(
        ws.prompts, "support-answer", complete=model, **{"inputs": INPUTS, **more}
    )


def ask(controller, kind, **more):
    """The answer to one message."""
    (answer,) = controller.handle({"kind": kind, "id": "v1:1", "view": "v1", **more})
    return answer


def test_it_starts_with_production_and_the_newest(make, ws):
    """The newest two when they are the same; versions can be chosen; an input row is there even without inputs."""
    assert [one["version"] for one in ask(make(), "hello")["columns"]] == [2, 3]
    for _ in range(2):
        ws.prompts.rollback("support-answer", reason="x")
    state = ask(make(inputs=()), "hello")
    assert [one["version"] for one in state["columns"]] == [1, 3]
    assert state["variables"] == ["sources", "question"]
    assert [one["values"] for one in state["inputs"]] == [{}]
    assert [one["version"] for one in ask(make(versions=[2, "production"]), "hello")["columns"]] == [2, 1]
    with pytest.raises(UsageError, match="a list of 1 to 8"):
        make(versions="production")


def test_a_run_answers_every_cell_and_tells_each_as_it_comes(make):
    """Trials in the order of inputs and columns, messages for the page, a frame for Python."""
    controller = make(versions=[2, 3])
    told = []
    controller.on_change = told.append
    trials = controller.run()
    assert [(one.input, one.label) for one in trials] == [
        (0, "support-answer@2"),
        (0, "support-answer@3"),
        (1, "support-answer@2"),
        (1, "support-answer@3"),
    ]
    assert trials[1].output == 'standin:ferry-1 {"max_tokens": 600, "temperature": 0.7}'
    assert [one["kind"] for one in told] == ["state", *["trial"] * 4, "state"]
    assert sorted(one["job"]["done"] for one in told[1:5]) == [1, 2, 3, 4]
    assert told[-1]["job"] is None
    assert controller.df()["variable.question"].tolist() == ["My dog?", "My dog?", "A refund?", "A refund?"]
    json.dumps(told, allow_nan=False)


def test_a_run_can_be_stopped_and_only_one_goes_on(make):
    """What was answered stays; the rest is not waited for."""
    controller = make(versions=[3], inputs=[{"sources": "", "question": "now"}, {"sources": "", "question": "forever"}])
    told = []
    controller.on_change = told.append
    ask(controller, "run")
    assert "a run is going on" in ask(controller, "run")["message"]
    while not any(one["kind"] == "trial" for one in told):
        controller.wait(0.01)
    ask(controller, "cancel")
    assert controller.wait(10)
    assert told[-1]["said"] == "stopped after 1 of 2 answers"
    assert len(controller.trials) == 1


def test_an_answer_of_before_is_old(make):
    """Typing, another model or another version make the answers of that row or column old."""
    controller = make(versions=[2, 3])
    controller.run()
    state = ask(controller, "hello")
    row, column = state["inputs"][0]["id"], state["columns"][1]["id"]
    state = ask(controller, "input", op="set", input=row, name="question", value="My cat?")
    assert [one["is_stale"] for one in state["trials"]] == [True, True, False, False]
    state = ask(controller, "column", op="set", column=column, model="openai:gpt-5-mini")
    assert [one["is_stale"] for one in state["trials"]] == [True, True, False, True]
    ask(controller, "run", column=column)
    controller.wait(10)
    assert [one["is_stale"] for one in ask(controller, "hello")["trials"]] == [True, False, False, False]


def test_a_draft_is_checked_while_it_is_typed_and_saved_as_a_version(make, ws):
    """A wrong template or wrong parameters are said and cannot be saved; the version remembers its parent."""
    controller = make(versions=[3])
    assert "no draft" in ask(controller, "save")["message"]
    ask(controller, "draft", op="open", base=2)
    state = ask(controller, "draft", op="set", messages=[["user", "Hi {{ name"]], params="{}")
    assert "not a valid template" in state["draft"]["error"]
    assert "not a valid template" in ask(controller, "save")["message"]
    state = ask(controller, "draft", op="set", messages=[["user", "Hi {{ name }}"]], params="[1]")
    assert "JSON object" in state["draft"]["error"]
    state = ask(controller, "draft", op="set", messages=[["user", "Hi {{ name }}"]], params='{"seed": 1}')
    assert (state["draft"]["error"], state["draft"]["variables"]) == (None, ["name"])
    assert "unsaved draft" in ask(controller, "draft", op="open", base=3)["message"]
    state = ask(controller, "save", note="short")
    assert state["said"] == "saved as support-answer@4"
    found = ws.prompts.get("support-answer@4")
    assert (found.parent, found.params, found.note, found.model) == (2, {"seed": 1}, "short", "standin:ferry-1")
    assert controller.saved == found
    assert (state["draft"], [one["version"] for one in state["columns"]]) == (None, [3, 4])


def test_a_discarded_draft_leaves_its_column(make):
    """The column of the draft goes; one column stays."""
    controller = make(versions=[3])
    ask(controller, "draft", op="open", base=3)
    first = ask(controller, "hello")["columns"][0]["id"]
    ask(controller, "column", op="remove", column=first)
    state = ask(controller, "draft", op="discard")
    assert [one["version"] for one in state["columns"]] == [3]


@pytest.mark.parametrize(
    "message",
    [
        {"kind": "column", "op": "set", "column": 99}, {"kind": "column", "op": "set", "column": 3, "version": 9},
        {"kind": "column", "op": "set", "column": 3, "version": None}, {"kind": "column", "op": "remove", "column": 3},
        {"kind": "input", "op": "set", "input": 1, "name": "nonsense", "value": "x"}, {"kind": "input", "op": "x"},
        {"kind": "input", "op": "set", "input": 1, "name": "question", "value": 7}, {"kind": "draft", "op": "set"},
        {"kind": "run", "column": "x"}, {"kind": "save"}, {"kind": "sql"}, {"kind": "draft", "op": "open", "base": 77},
    ],
)  # fmt: skip  # cases that belong together share a line
def test_what_cannot_be_used_is_an_error_message_and_changes_nothing(make, message):
    """A closed set of kinds, checked parameters."""
    controller = make(versions=[3])
    before = ask(controller, "hello")
    assert ask(controller, message.pop("kind"), **message)["kind"] == "error"
    after = ask(controller, "hello")
    assert {**after, "seq": 0} == {**before, "seq": 0}


def test_there_are_limits(make):
    """Columns, inputs."""
    controller = make(versions=[3])
    for _ in range(7):
        ask(controller, "column", op="add")
    assert "at most 8 columns" in ask(controller, "column", op="add")["message"]
    with pytest.raises(UsageError, match=r"ws\.evals\.run"):
        make(inputs=[{}] * 51)


def test_the_widget_is_a_value_and_static_it_is_a_table(ws, monkeypatch):
    """Real inputs of a dataset, the stand-in as model, no connection with LMOPS_STATIC=1."""
    monkeypatch.setenv("LMOPS_STATIC", "1")
    ws.datasets.save("golden", [{"example_id": "a", "input": INPUTS[0]}])
    found = ws.prompts.playground("support-answer", versions=[2], inputs="golden")
    assert found.widget.comm is None
    assert "Nothing was run" in found._repr_mimebundle_()[0]["text/html"]
    found.run()
    assert found.value[0].error is None
    assert found.df()["model"].tolist() == ["standin:ferry-1"]
    data, _ = found._repr_mimebundle_()
    assert set(data) == {"text/html", "text/plain"}
    assert "support-answer@2 on standin:ferry-1" in data["text/plain"]


def test_what_is_missing_is_known_before_a_run(make, ws):
    """A variable that some column needs and an input does not have; one that a template asks after is none."""
    ws.prompts.save("support-answer", "{{ question }} {{ tone | default('warm') }}")
    controller = make(inputs=[{"question": "My dog?"}], versions=[3, 4])
    state = ask(controller, "hello")
    assert state["inputs"][0]["missing"] == ["sources"]
    state = ask(controller, "input", op="set", input=state["inputs"][0]["id"], name="sources", value="")
    assert state["inputs"][0]["missing"] == []


def test_a_call_of_no_prompt_is_saved_under_a_name(make, ws):
    """It is a draft from nothing, cannot be discarded, and is a prompt like any other once it has a name."""
    from lmops.prompts.calls import Call
    from lmops.widgets.prompts.playground_controller import PlaygroundController

    call = Call(
        span_id="1", prompt=None, sent=({"role": "user", "content": "Hi {{ x }}"},), model="m", params={"seed": 1}
    )
    controller = PlaygroundController(ws.prompts, None, complete=model, call=call)
    assert ask(controller, "hello")["draft"]["needs_name"]
    assert "all there is" in ask(controller, "draft", op="discard")["message"]
    assert "give the prompt a name" in ask(controller, "save", name=" ")["message"]
    assert controller.run()[0].messages == [{"role": "user", "content": "Hi {{ x }}"}]
    state = ask(controller, "save", name="hello")
    assert (state["name"], [one["version"] for one in state["columns"]]) == ("hello", [1])
    assert ws.prompts.get("hello").params == {"seed": 1}


def test_a_reference_opens_its_version_alone(ws):
    """As every other verb takes it, by number or by alias; other versions beside it are refused."""
    for ref, column in (("support-answer@1", "support-answer@1"), ("support-answer@production", "support-answer@3")):
        assert f"{column} on" in repr(ws.prompts.playground(ref)), ref
    with pytest.raises(UsageError, match="says the version: give versions="):
        ws.prompts.playground("support-answer@1", versions=[2])
