"""What a run makes of an endpoint that fails: it ends, says why, counts what was spent, and goes on."""

from __future__ import annotations

import collections
import itertools

import pytest

from lmops.scorers import judge


def rows_of(count):
    """Return rows whose right answer is their question."""
    return [{"example_id": f"e{number:02}", "input": f"q{number}", "expected": f"q{number}"} for number in range(count)]


def echo(kit):
    """Return what answers with the question."""
    return lambda asked: kit.reply(kit.completion(asked.body["messages"][-1]["content"]))


def test_an_endpoint_that_dies_half_way(ws, house, kit):
    """The run ends by itself and says what each case met; resuming asks the failed ones only."""
    numbers = itertools.count()

    async def task(question):
        return await ws.models.acomplete("house", question, max_wait_s=0.01)

    right = echo(kit)
    house.answer = lambda asked: right(asked) if next(numbers) < 10 else kit.reply("<html>bad gateway</html>", 502)
    run = ws.evals.run(task, rows_of(60), "exact_match", name="dying", concurrency=4, retries=0, progress=False)
    assert (run.status, run.totals.cases - run.totals.errors) == ("failed", 10)
    assert "could not reach the model (server)" in run.error
    failures = run.failures()
    assert set(failures["status"]) == {"error", "not_run"}
    assert failures["error"].dropna().str.contains("answered 502").all()
    house.asked.clear()
    house.answer = right
    run = ws.evals.resume("dying", task=task, retry_errors=True, progress=False)
    assert (run.status, run.totals.cases, run.totals.errors, run.totals.input_tokens) == ("finished", 60, 0, 6000)
    assert len(house.asked) == 50
    assert set(run.df()["exact_match"]) == {1.0}


def test_a_long_wait_that_the_server_asks_for_is_not_tried_in_between(ws, house, kit):
    """Whoever says "in an hour" is asked once for each case, however many retries are allowed."""
    house.answer = lambda _asked: kit.reply({"error": {"message": "enough"}}, 429, {"retry-after": "3600"})

    async def task(question):
        return await ws.models.acomplete("house", question)

    run = ws.evals.run(task, rows_of(6), retries=3, progress=False)
    assert (run.totals.errors, len(house.asked)) == (6, 6)
    assert run.failures()["error"].str.contains("asks for another 3,600.0 s").all()


def test_answers_of_a_judge_that_cannot_be_used_are_paid_for(ws, house, kit):
    """Two unusable answers for each case: no score, and their cost is part of the run's."""
    ws.models.set_price("house-1-0315", input_usd_per_mtok=1, output_usd_per_mtok=1)
    house.reply(kit.reply(kit.completion("I would rather not.")))
    run = ws.evals.run(lambda q: q, rows_of(3), judge("kind", "Is it kind?", model="house"), progress=False)
    scores = run.scores()
    assert set(scores["status"]) == {"error"}
    assert scores["value"].isna().all()
    assert scores["reason"].str.contains("could not be read, twice").all()
    assert len(house.asked) == 6
    assert run.totals.scoring_cost_usd == pytest.approx(6 * 120e-6)


def test_a_judge_that_cannot_be_reached_ends_the_run(ws, house, kit):
    """Its cases are no finished ones: they keep their answers, and are run and judged when it is back."""
    house.reply(kit.reply({"error": {"message": "enough"}}, 429, {"retry-after": "3600"}))
    kind = judge("kind", "Is it kind?", model="house")
    run = ws.evals.run(lambda q: q, rows_of(60), [kind], name="unjudged", concurrency=4, progress=False)
    assert run.status == "failed"
    assert "a scorer could not reach its model" in run.error
    assert 20 <= run.totals.errors == run.totals.cases < 40
    assert set(run.df()["output"].dropna()) <= {f"q{number}" for number in range(60)}
    house.reply(kit.reply(kit.completion('{"rationale": "r", "verdict": "pass"}')))
    run = ws.evals.resume("unjudged", task=lambda q: q, scorers=[kind], retry_errors=True, progress=False)
    assert (run.status, run.totals.cases, run.totals.errors) == ("finished", 60, 0)
    assert set(run.scores()["value"]) == {1.0}


def test_what_failed_attempts_cost_is_counted(ws, house, kit):
    """An attempt that failed after a paid answer, and one that succeeded, cost both."""
    ws.models.set_price("house-1-0315", input_usd_per_mtok=1, output_usd_per_mtok=1)
    attempts = collections.Counter()

    async def task(question):
        found = await ws.models.acomplete("house", question)
        attempts[question] += 1
        if attempts[question] == 1:
            error = ConnectionError("the tool behind it was gone")
            error.completion = found
            raise error
        return found

    run = ws.evals.run(task, rows_of(2), progress=False)
    assert (run.totals.errors, run.totals.input_tokens) == (0, 400)
    assert run.totals.cost_usd == pytest.approx(4 * 120e-6)


def test_counts_that_no_answer_has_are_not_believed(ws, house, kit):
    """An endpoint that reports 10^25 tokens costs nobody a run: the count is unknown."""
    body = kit.completion("q0")
    body["usage"]["prompt_tokens"] = 10**25
    house.reply(kit.reply(body))

    async def task(question):
        return await ws.models.acomplete("house", question)

    run = ws.evals.run(task, rows_of(1), "exact_match", progress=False)
    assert (run.status, run.totals.errors, run.totals.input_tokens, run.totals.output_tokens) == (
        "finished",
        0,
        None,
        20,
    )
