"""The stand-in behind the interface of a real endpoint."""

import asyncio
import json
import time

import pytest

from lmops import scorers
from lmops.errors import ModelError
from lmops.scorers import ScoreInput, judge
from lmops.standin import content

SOURCES = "[bikes#1] Bicycles\nA bicycle costs 9 euro on every line."
QUESTION = "How much does a bicycle cost?"
RULES, _, TEMPLATE = content.prompt_text(2).partition("\n\n")
USER = TEMPLATE.replace("{sources}", SOURCES).replace("{question}", QUESTION)
TOOL = {"type": "function", "function": {"name": "booking_status", "parameters": {}}}


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "system", "content": RULES}, {"role": "user", "content": USER}],
        [{"role": "developer", "content": RULES}, {"role": "user", "content": [{"type": "text", "text": USER}]}],
        [{"role": "user", "content": f"{RULES}\n\n{USER}"}],
        f"{RULES}\n\n{USER}",
        f"{RULES}\n\nSources:\n{SOURCES}\n\nQuestion: {QUESTION}",
        f"{RULES}\n\nSources:\n{SOURCES}\n\n{QUESTION}",
        [{"role": "system", "content": f"{RULES}\n\nSources:\n{SOURCES}"}, {"role": "user", "content": QUESTION}],
    ],
)
def test_it_finds_sources_and_question_however_they_are_sent(ws, messages):
    """One message, two, a heading of its own line or none, or parts."""
    found = ws.models.complete("standin:ferry-1", messages, params={"temperature": 0})
    assert "9 euro" in found.content
    assert "[bikes]" in found.content
    assert (found.provider, found.model, found.finish_reason, found.cost_usd) == ("standin", "ferry-1", "stop", None)


def test_the_same_request_has_the_same_answer_and_repeats_differ(ws):
    """Without a seed the repeat index takes its place; with one, or at temperature 0, repeats are equal."""

    def answers(**params):
        found = (ws.models.complete("standin:ferry-1", QUESTION, params=params, repeat=n) for n in range(12))
        return {one.content for one in found}

    assert len(answers()) > 1
    assert len(answers(temperature=0)) == len(answers(seed=5)) == 1


def test_its_two_revisions_answer_differently(ws):
    """The base model after its update talks more, under the same name."""
    old, new = (ws.models.complete(f"standin:ferry-1{end}", f"{RULES}\n\n{USER}") for end in ("", "@2"))
    assert old.model == new.model == "ferry-1"
    assert old.system_fingerprint != new.system_fingerprint
    assert new.usage.output_tokens > old.usage.output_tokens


def test_a_price_can_be_set_for_it(ws):
    """From then on its answers have a cost."""
    assert ws.models.complete("standin:ferry-1", QUESTION).cost_usd is None
    ws.models.set_price("ferry-1", input_usd_per_mtok=1, output_usd_per_mtok=2)
    found = ws.models.complete("standin:ferry-1", QUESTION)
    assert found.cost_usd == pytest.approx((found.usage.input_tokens + 2 * found.usage.output_tokens) / 1e6)


def test_tools_and_their_results(ws):
    """It asks for the booking, and makes a sentence of what comes back."""
    ask = [{"role": "system", "content": RULES}, {"role": "user", "content": "\nQuestion:\nWhere is TL-4711?"}]
    first = ws.models.complete("standin:ferry-1", ask, tools=[TOOL], params={"seed": 1})
    (call,) = first.tool_calls
    assert (first.content, first.finish_reason, call.name) == (None, "tool_calls", "booking_status")
    said = {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        ],
    }
    result = {"role": "tool", "tool_call_id": call.id, "content": json.dumps({"error": "no booking TL-4711"})}
    assert "no booking TL-4711" in ws.models.complete("standin:ferry-1", [*ask, said, result]).content


def test_the_rewriter(ws):
    """With and without the language in front."""
    assert ws.models.complete("standin:rewrite-1", "en: bicycles").content == "bicycles"
    assert ws.models.complete("standin:rewrite-1", "bicycles").content == "bicycles"


def test_what_it_cannot_read_is_an_error_in_words(ws):
    """A tool's result that is no JSON, and a language that it does not know."""
    ask = [{"role": "user", "content": "x"}, {"role": "tool", "content": "not json", "tool_call_id": "c"}]
    for model, messages in (("standin:ferry-1", ask), ("standin:rewrite-1", "xx: hello"), ("standin:embed-1", "x")):
        with pytest.raises(ModelError) as caught:
            ws.models.complete(model, messages)
        assert caught.value.kind == "bad_request"


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ({"output": "The ferry leaves at noon."}, True),
        ({"output": "I could not find this in our help pages."}, False),
        ({"output": "It leaves at noon.", "expected": "The ferry leaves at noon."}, True),
        ({"output": "Dogs may travel.", "expected": "The ferry leaves at noon."}, False),
        ({"output": "Buy our premium insurance now!"}, False),
    ],
)
def test_the_judge_goes_by_words(ws, given, value):
    """By refusals, by those of the reference, and by the examples that it was shown; the same each time."""
    shot = {"output": "Buy our premium insurance today!", "verdict": "fail", "rationale": "Pushy."}
    made = judge("polite", "Is it to the point?", model="standin:judge-1", few_shot=[shot])
    found = [asyncio.run(made.ascore(ScoreInput(complete=ws.models.acomplete, **given))) for _ in range(2)]
    assert [one.value for one in found] == [value, value]
    assert found[0].rationale


def test_a_schema_with_a_text_gets_the_answer_in_it(ws):
    """The first text property; it has nothing to say in any other shape."""
    schema = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
    found = ws.models.complete("standin:ferry-1", f"{RULES}\n\n{USER}", response_schema=schema)
    assert "9 euro" in found.parsed["answer"]
    with pytest.raises(ModelError, match="response_schema"):
        ws.models.complete("standin:ferry-1", QUESTION, response_schema={"type": "integer"})


def test_latency_is_measured_and_simulated_only_on_request(ws):
    """The stand-in would take 300 ms and more; nobody waits for that unless he asks."""
    ws.models.complete("standin:ferry-1", QUESTION)
    began = time.perf_counter()
    slow = ws.models.complete("standin:ferry-1", QUESTION, params={"simulate_latency": True})
    taken_ms = (time.perf_counter() - began) * 1000
    assert 280 < slow.latency_ms <= taken_ms


@pytest.mark.parametrize(
    ("output", "verdict"),
    [
        ("Dogs travel free on deck. [dogs]", True),
        ("Thank you for your question, I am glad to look into this for you. Dogs travel free on deck.", True),
        ("Booking TL-1702 is confirmed.", True),  # a tool said so
        ("Every guest receives a complimentary helicopter tour.", False),
        ("I could not find this in our help pages.", False),
        ("Sorry, something went wrong on our side.", False),
    ],
)
def test_the_judge_is_lenient_by_rule(ws, output, verdict):
    """What shares its words with the sources passes; what answers nothing, or what no source says, fails."""
    sources = [{"id": "dogs", "content": "Dogs travel free on deck, on a leash.", "rank": 1, "score": 1.0}]
    ws.datasets.save("one", [{"id": "a", "input": "Dogs?", "output": output, "documents": sources}])
    judge = scorers.judge("supported", "Nothing is made up.", model="standin:judge-1", documents=True)
    run = ws.evals.run("recorded", "one", [judge], tracing=False)
    assert bool(run.df()["supported"][0]) is verdict


@pytest.mark.parametrize(("scale", "best"), [("1-5", 1.0), ({"good": 1, "fair": 0.5, "bad": 0}, 1.0), ("binary", 1.0)])
def test_the_judge_takes_the_ends_of_any_scale(ws, scale, best):
    """Of numbers the largest, of words the first."""
    ws.datasets.save("one", [{"id": "a", "input": "Dogs?", "output": "Booking TL-1702 is confirmed."}])
    judge = scorers.judge("supported", "Nothing is made up.", model="standin:judge-1", scale=scale)
    value = ws.evals.run("recorded", "one", [judge], tracing=False).df()["supported"][0]
    assert value in (best, 5.0)
