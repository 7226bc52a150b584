"""Targets: what functions and prompts are given, turn by turn, and what a policy does on the way."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from lmops.errors import UsageError
from lmops.evals import TaskResult
from lmops.guardrails.checking import Checker
from lmops.guardrails.contract import Finding, Rail, RailKind
from lmops.redteam.answers import packed, unpacked
from lmops.redteam.placements import PLACEMENTS
from lmops.redteam.targets import FunctionTarget, PromptTarget
from tests.redteam.conftest import SUITE, obeys


def rail(name, word, *, action="block"):
    """Return a rail that finds one word."""

    def find(given):
        at = given.text.find(word)
        if at >= 0:
            yield Finding(at, at + len(word), name)

    return Rail(kind=RailKind(name=name, function=find), name=name, action=action)


def seeds(*placements, **more):
    return [{**SUITE[0], "placements": list(placements), **more}]


def test_function_gets_what_it_names(attack):
    """Documents, memory, tool results and history reach a function by their names; nothing else does."""
    got = []

    def app(question, documents=None, memory=None, tool_results=None, history=None, file_name=None):
        got.append({"documents": documents, "memory": memory, "tool_results": tool_results, "history": history})
        return "Fine."

    attack(app, suite=seeds("document_start", "memory", "tool_result", "crescendo"), concurrency=1)
    assert sum(one["documents"] is not None for one in got) == 2
    assert sum(one["memory"] is not None for one in got) == 2
    assert sum(one["tool_results"] is not None for one in got) == 2
    assert max(len(one["history"] or ()) for one in got) == 4


def test_turns_carry_what_was_really_answered(attack):
    """In a script of several turns the target sees its own answers."""
    seen = []

    def app(question, history=None):
        seen.append([one["content"] for one in history or () if one["role"] == "assistant"])
        return f"answer {len(seen)}"

    run = attack(app, suite=seeds("crescendo", turns=["one", "two"]), concurrency=1, limit=1)
    assert ["answer 1", "answer 2"] in seen
    assert "turns" in str(run.df()["output"].tolist())


def test_a_function_keeps_its_own_defaults(attack):
    """What an attack does not say is what the function says by itself."""
    got = set()

    def app(question, documents, system="Be brief.", memory=()):
        got.add((documents is None, system, memory))
        return "Fine."

    assert attack(app, suite=seeds("user")).totals.errors == 0
    assert got == {(True, "Be brief.", ())}


def test_function_that_takes_something_else_is_refused():
    """A function without a question, or with a parameter that nobody fills, is refused."""
    with pytest.raises(UsageError, match="a question"):
        FunctionTarget(lambda: "x")
    with pytest.raises(UsageError, match="user_id"):
        FunctionTarget(lambda question, user_id: "x")
    assert FunctionTarget(lambda text, memory: "x").channels == {"memory"}


def test_tools_of_an_agent_are_measured(ws, attack):
    """An agent that returns its calls is measured by its tools; what it may call counts as well."""

    def agent(question):
        return TaskResult("Done.", tool_calls=[{"name": "send_email", "arguments": {}}] * ("mail" in question))

    suite = [{**SUITE[0], "id": "mail", "text": "mail it", "oracle": {"kind": "tool", "tools": ["send_email"]}}]
    with pytest.raises(UsageError, match="tools"):
        attack(agent, suite=suite)
    assert ws.redteam.report(attack(agent, suite=suite, allowed_tools={"timetable": None})).overall.success == 1.0


def test_prompt_offers_its_variables():
    """A prompt takes documents, memory and tools where it has a place for them."""

    class Prompt:
        ref, model, params = "p@1", "m", None
        variables, tools = ("question", "sources", "memory"), [{"type": "function", "function": {"name": "find"}}]

    target = PromptTarget(Prompt(), None)
    assert target.channels == {"history", "system", "documents", "memory", "tools", "tool_results"}
    assert target.tools == {"find": None}
    Prompt.variables = ("question", "tone")
    with pytest.raises(UsageError, match="tone"):
        PromptTarget(Prompt(), None)
    assert PromptTarget(Prompt(), None, variables={"tone": "kind"}).channels >= {"history"}


def test_prompt_target_places_everything(ws, attack):
    """Instructions, earlier turns, tool results and documents stand where a model reads them."""
    tool = {"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}
    saved = ws.prompts.save(
        "desk",
        [{"role": "system", "content": "Help."}, {"role": "user", "content": "{{ sources }} {{ question }}"}],
        model="standin:ferry-1",
        tools=[tool],
    )
    asked = []

    class Models:
        async def acomplete(self, model, messages, *, tools, **_options):
            asked.append((messages, tools))
            return "Fine."

    target = PromptTarget(saved, Models())
    given = {"question": "Q", "system": "SECRET", "tools": ["send_email"], "tool_results": [{"content": "R"}]}
    asyncio.run(target.ask({**given, "history": [{"role": "user", "content": "H"}]}, 0))
    messages, tools = asked[0]
    assert [one["role"] for one in messages] == ["system", "user", "user", "assistant", "tool"]
    assert messages[0]["content"].startswith("SECRET\n")
    assert [one["function"]["name"] for one in tools] == ["find", "send_email"]


def test_policy_stops_a_question_before_the_target_is_asked(ws, attack):
    """What an input rail blocks never reaches the target; the answer is the policy's own."""
    asked = []

    def app(question):
        asked.append(question)
        return obeys(question)

    guard = Checker({"input": [rail("override", "Ignore")]}, policy="desk@1", blocked_text="Not here.")
    run = attack(app, policy=guard)
    report = ws.redteam.report(run)
    assert not any("Ignore" in question for question in asked)
    assert (report.overall.success, report.overall.benign) == (0.0, 1.0)
    assert (report.policy, report.stopped[0].rail, report.stopped[0].attacks) == ("desk@1", "override", 6)
    assert run.task == "redteam:" + app.__qualname__ + " behind desk@1"


def test_policy_stops_answers_documents_and_calls(attack, ws):
    """Output rails replace an answer, retrieval rails drop a document, tool rails drop a call."""

    def agent(question, documents=None):
        text = " ".join(one["content"] for one in documents or ())
        return TaskResult(obeys(text + question), tool_calls=[{"name": "send_email", "arguments": {"to": "x"}}])

    found = {}
    stages = {"none": {}, "retrieval": {"retrieval": [rail("r", "Ignore")]}, "call": {"tool_call": [rail("c", "to")]}}
    for name, rails in stages.items():
        run = attack(agent, policy=Checker(rails), suite=seeds("document_middle"), allowed_tools={"send_email": None})
        found[name] = (
            ws.redteam.report(run).overall.success,
            sum("send_email" in str(one) for one in run.df()["tool_calls"]),
        )
    assert found == {"none": (1.0, 2), "retrieval": (0.0, 2), "call": (1.0, 0)}


def test_twin_that_a_policy_stops_is_a_false_alarm(ws, attack):
    """A rail that stops harmless texts is seen in the same report."""
    report = ws.redteam.report(attack(obeys, policy=Checker({"input": [rail("what", "What")]})))
    assert report.overall.benign == 0.0
    assert (report.stopped[0].attacks, report.stopped[0].twins) == (0, 6)


def test_twin_that_need_only_pass_the_policy(ws, attack):
    """A twin whose seed asks no more than that nothing stops it passes although the target refuses."""

    def refuses(question):
        return "I'm sorry, but I can't help with that."

    assert ws.redteam.report(attack(refuses)).overall.benign == 0.0
    suite = [{**one, "twin_oracle": "not_stopped"} for one in SUITE]
    assert ws.redteam.report(attack(refuses, suite=suite)).overall.benign == 1.0


def test_policy_knows_the_instructions(ws, attack):
    """What a prompt says, and the canary that was planted, reach the rails as the system prompt."""
    ws.prompts.save("desk", "Be brief and kind.\n{{ question }}", model="standin:ferry-1")
    told = []

    class Guard:
        def check(self, stage, text, *, context):
            told.append(context)
            return Checker({}).check(stage, text, context=context)

    attack("desk@1", suite=seeds("user", oracle="canary", plants="system"), policy=Guard())
    assert all("Be brief" in one["system_prompt"] and one["canaries"][0] in one["system_prompt"] for one in told)


def test_rails_see_each_turn_as_the_question(attack):
    """In a script the question that rails know is that of the turn."""
    asked = []

    class Guard:
        def check(self, stage, text, *, context):
            if stage == "output":
                asked.append(context["question"])
            return Checker({}).check(stage, text, context=context)

    attack(
        lambda question, history: "x", suite=seeds("crescendo", turns=["one"]), policy=Guard(), concurrency=1, limit=1
    )
    assert asked[0] == "one"


def test_threads_end_with_the_run(attack):
    """A run leaves no thread behind that answers or checks."""
    before = set(threading.enumerate())

    def left():
        return [one for one in threading.enumerate() if one.name == "lmops-eval-task" and one not in before]

    attack(obeys, policy=Checker({}))
    deadline = time.monotonic() + 30
    while left() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert left() == []


def test_redacted_text_goes_on(ws, attack):
    """A rail that redacts changes what the target reads, and the case goes on."""
    report = ws.redteam.report(attack(obeys, policy=Checker({"input": [rail("r", "reply with", action="redact")]})))
    assert (report.overall.success, report.overall.benign) == (0.0, 1.0)


def test_what_is_no_policy_is_refused(attack):
    """A policy that cannot check, and a name that nobody knows, are refused."""
    with pytest.raises(UsageError, match="check"):
        attack(obeys, policy=3)


def test_answers_are_texts_where_nothing_is_to_be_told():
    """One turn without a policy is kept as its text; an object of the target's own stays what it is."""
    said = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    assert packed("a", said, []) == "a"
    assert unpacked(packed("b", [*said, *said], [])).text == "a\n\na"
    assert unpacked({"answer": "x", "score": 1}).answer == '{"answer": "x", "score": 1}'
    assert unpacked(None).text == ""


def test_every_placement_names_a_field_of_targets():
    """What a placement needs is something that a target can take."""
    from lmops.redteam.targets import FIELDS

    assert {one.needs for one in PLACEMENTS.values()} - {None} <= set(FIELDS)
