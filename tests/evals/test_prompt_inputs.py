"""Runs of prompts: what would ask the same of every example, or send something else than is meant, is refused."""

import pytest

from lmops.errors import UsageError

ANSWER = "Answer: {{ question }}"


@pytest.mark.parametrize(
    ("template", "row", "words"),
    [
        ("Answer the question.", {"input": "How many?"}, "no variable"),
        ("About {{ topic }}.", {"input": "How many?", "topic": "dogs"}, "reads nothing of the input"),
        ("About {{ topic }}.", {"input": {"q": "How many?"}, "topic": "dogs"}, "the fields 'q'"),
        (ANSWER, {"input": '{"question": "How many?", "k": 3}'}, "'question', 'k' as one text of JSON"),
    ],
)
def test_a_prompt_that_ignores_its_input_is_refused(ws, template, row, words):
    """Before anything is asked; the fields and the variables are named."""
    ws.prompts.save("p", template, model="standin:ferry-1")
    with pytest.raises(UsageError, match=words):
        ws.evals.run("p", [row], progress=False)
    assert len(ws.evals.list()) == 0


@pytest.mark.parametrize(
    ("template", "row"),
    [
        (ANSWER, {"input": "How many?"}),
        ("{{ input }} {{ topic }}", {"input": "How many?", "topic": "dogs"}),
        ("{{ anything }}", {"input": "How many?"}),
        ("{{ q }} {{ topic }}", {"input": {"q": "How many?"}, "topic": "dogs"}),
        (ANSWER, {"input": '{"just": "one text that looks like an object"}'}),
    ],
)
def test_a_prompt_that_reads_its_input_runs(ws, template, row):
    """The whole input or a field of it, with metadata beside it."""
    ws.prompts.save("p", template, model="standin:ferry-1")
    assert ws.evals.run("p", [row], progress=False).df()["status"].tolist() == ["ok"]


@pytest.mark.parametrize(
    ("given", "meant"),
    [({"temp": 0}, "temperature"), ({"maxTokens": 5}, "max_tokens"), ({"top-p": 1}, "top_p"),
     ({"tempreature": 0}, "temperature"), ({"max_token": 5}, "max_tokens")],
)  # fmt: skip  # cases that belong together share a line
def test_a_parameter_that_is_nearly_another_is_questioned(ws, given, meant):
    """In a run and in a call; under ``extra_body`` it is sent as it is."""
    ws.prompts.save("p", ANSWER, model="standin:ferry-1")
    with pytest.raises(UsageError, match=f"did you mean '{meant}'"):
        ws.evals.run("p", [{"input": "q"}], params=given, progress=False)
    with pytest.raises(UsageError, match=f"did you mean '{meant}'"):
        ws.models.complete("standin:ferry-1", "q", params=given)
    ws.models.complete("standin:ferry-1", "q", params={"extra_body": given})


def test_parameters_of_other_endpoints_are_their_own(ws):
    """What only resembles a known name is sent."""
    given = {"top_k": 5, "min_p": 0.1, "repetition_penalty": 1.1, "num_ctx": 10, "seed": 1, "top_p": 1}
    assert ws.models.complete("standin:ferry-1", "q", params=given).content
