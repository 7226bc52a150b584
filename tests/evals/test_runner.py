"""The runner: every case is one row, whatever a task, a scorer or the caller does."""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time

import pytest

from lmops.errors import UsageError
from lmops.evals import TaskResult
from lmops.scorers import build

from .conftest import right, rows_of


def cases(ws, run, columns="example_id, repeat, status"):
    return ws.sql(f"select {columns} from results where run_id = ? order by 1, 2", [run.run_id]).fetchall()


def test_every_row_in_is_one_row_out(ws, quiet, rows):
    """Examples x repeats cases, each scored once."""
    run = quiet(right, rows, repeats=3)
    assert run.status == "finished"
    assert cases(ws, run) == [(f"e{n:03}", repeat, "ok") for n in range(12) for repeat in range(3)]
    assert ws.sql("select count(*), sum(value) from scores").fetchall() == [(36, 36.0)]
    assert (run.totals.cases, run.totals.planned, run.totals.errors) == (36, 36, 0)
    assert ws.store.check().ok


async def answer_async(question):
    await asyncio.sleep(0)
    return right(question)


def answer_with_example(example, repeat):
    return f"{example.example_id}-{repeat}"


class Callable:
    def __call__(self, question):
        return right(question)


@pytest.mark.parametrize(
    ("task", "first"),
    [(right, "a0"), (answer_async, "a0"), (answer_with_example, "e000-0"), (Callable(), "a0"), (lambda q: q, "q0")],
)
def test_a_task_is_any_function(ws, quiet, rows, task, first):
    """Sync, async, an object, with the example and the repeat when they are named."""
    run = quiet(task, rows)
    assert cases(ws, run, "example_id, output")[0] == ("e000", first)


def test_a_task_gets_the_fields_that_it_names(ws, quiet):
    """Fields of the input and of the metadata, by name."""
    rows = [{"example_id": "a", "input": {"question": "how?", "lang": "en"}, "metadata": {"city": "Oslo"}}]
    run = quiet(lambda lang, city, question: f"{question} {lang} {city}", rows, scorers=())
    assert cases(ws, run, "example_id, output") == [("a", "how? en Oslo")]
    with pytest.raises(UsageError, match=r"takes town.*city"):
        quiet(lambda lang, town: town + lang, rows, scorers=())


def test_sync_tasks_run_beside_each_other(quiet):
    """A function that blocks holds up nobody else."""
    inside, most, lock = 0, 0, threading.Lock()

    def task(question):
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        time.sleep(0.02)
        with lock:
            inside -= 1
        return question

    quiet(task, rows_of(32), concurrency=8)
    assert most == 8


@pytest.mark.parametrize(("slow", "moved"), [({2}, []), ({2, 4}, []), ({2, 3}, [4, 5])])
def test_a_scorer_that_holds_up_the_loop_twice_in_a_row_is_moved_to_a_thread(quiet, slow, moved):
    """One that was slow once may have waited for a busy machine."""
    ran = []

    def wait(output):
        ran.append(threading.current_thread().name)
        time.sleep(0.03 if len(ran) in slow else 0)
        return 1.0

    quiet(right, rows_of(5), scorers=[wait], concurrency=1)
    assert [number for number, name in enumerate(ran, 1) if name != ran[0]] == moved


def test_threads_are_used_again_and_end(quiet):
    """Neither failures nor the end of a run leave threads behind; one that hangs ends with its task."""

    def task(question):
        if question.endswith("3"):
            raise ValueError
        if question == "q7":
            time.sleep(0.2)
        return question

    before, seen = threading.active_count(), 0

    def counted(question):
        nonlocal seen
        seen = max(seen, threading.active_count())
        return task(question)

    quiet(counted, rows_of(100), concurrency=4, timeout_s=0.05)
    assert seen <= before + 8
    until = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < until:
        time.sleep(0.01)
    assert threading.active_count() <= before


def test_never_more_than_the_workers_at_a_time(quiet):
    """Concurrency is a limit, and there is no task per row."""
    inside, most, tasks = 0, 0, 0

    async def task(question):
        nonlocal inside, most, tasks
        inside += 1
        most, tasks = max(most, inside), max(tasks, len(asyncio.all_tasks()))
        await asyncio.sleep(0.001)
        inside -= 1
        return question

    quiet(task, rows_of(200), concurrency=7)
    assert most == 7
    assert tasks < 20


def test_it_works_in_a_running_loop(ws, rows):
    """A notebook, a web handler or an async test: no patched loop is needed."""

    async def main():
        inside = ws.evals.run(right, rows, "exact_match", progress=False)
        awaited = await ws.evals.arun(answer_async, rows, "exact_match", progress=False)
        return inside, awaited

    for run in asyncio.run(main()):
        assert (run.status, run.totals.cases) == ("finished", 12)


@pytest.mark.parametrize(
    ("task", "status", "words"),
    [
        (lambda q: 1 / 0, "error", "ZeroDivisionError: division by zero"),
        (lambda q: None, "error", "TypeError: the task returned nothing; return the answer"),
        (lambda q: {1, 2}, "error", "TypeError: the task returned set; return a text"),
        (lambda q: exec("raise StopIteration('x')"), "error", "RuntimeError: the task raised StopIteration: x"),
        (lambda q: exec("raise SystemExit(3)"), "error", "RuntimeError: the task raised SystemExit: 3"),
        (lambda q: exec("raise KeyError"), "error", "KeyError: KeyError()"),
        (lambda q: time.sleep(5), "timeout", "TimedOutError: the task took longer than 2 s (timeout_s)"),
    ],
)
def test_a_bad_case_is_recorded(ws, quiet, task, status, words):
    """A task that raises, hangs or returns the wrong type: the case says so, and its scores are unmeasured."""

    def mixed(question):
        return task(question) if question == "q1" else right(question)

    run = quiet(mixed, rows_of(4), timeout_s=2, concurrency=2)
    found = cases(ws, run, "example_id, status, concat(error_type, ': ', error)")
    assert [row[1] for row in found] == ["ok", status, "ok", "ok"]
    assert found[1][2].startswith(words)
    assert (run.totals.errors, run.status, len(run.failures())) == (1, "finished", 1)
    assert run.measured().unmeasured == {"exact_match": 1}


def test_an_async_task_that_hangs_is_stopped(ws, quiet):
    """The time limit is per case; a TimeoutError of the task itself is an error of the task."""

    async def task(question):
        if question == "q0":
            await asyncio.sleep(30)
        if question == "q1":
            raise TimeoutError("its own")
        if question == "q2":
            raise asyncio.CancelledError
        return question

    run = quiet(task, rows_of(4), timeout_s=0.05)
    assert [row[2] for row in cases(ws, run)] == ["timeout", "error", "error", "ok"]


class RateLimitedError(Exception):
    is_retryable, kind, retry_after_s = True, "rate_limit", 0.001


def test_what_may_pass_is_tried_again(ws, quiet, rows):
    """A retryable error costs an attempt, not the case; others are not repeated."""
    calls = {}

    def task(question):
        calls[question] = calls.get(question, 0) + 1
        if question == "q1" and calls[question] < 3:
            raise RateLimitedError
        if question == "q2":
            raise ValueError
        return right(question)

    run = quiet(task, rows, retries=2)
    assert (calls["q1"], calls["q2"]) == (3, 1)
    assert cases(ws, run, "example_id, attempts, status")[1:3] == [("e001", 3, "ok"), ("e002", 1, "error")]


def test_an_endpoint_that_is_gone_ends_the_run(ws, quiet):
    """Half way the endpoint goes down: the run stops, says why, and goes on later with the same totals."""
    is_down = True

    def task(question):
        if is_down and int(question[1:]) >= 100:
            raise ConnectionError("refused")
        return right(question)

    run = quiet(task, rows_of(200), retries=0, concurrency=4)
    assert run.status == "failed"
    assert "could not reach the model (connection): refused" in run.error
    assert 120 <= run.totals.cases < 130
    assert ws.sql("select count(*) from results").fetchall() == [(200,)]
    is_down = False
    run = ws.evals.resume(run.run_id, task=task, retry_errors=True, progress=False)
    assert (run.status, run.totals.cases, run.totals.errors, run.error) == ("finished", 200, 0, None)
    assert ws.store.check().ok


def priced(question):
    return TaskResult(right(question), cost_usd=0.01, input_tokens=10, output_tokens=2)


def test_an_endpoint_that_hangs_ends_the_run(ws, quiet):
    """Not every case waits for its time to be over; what was not asked goes on later."""

    async def hangs(question):
        await asyncio.sleep(60)

    run = quiet(hangs, rows_of(100), concurrency=4, timeout_s=0.5)
    assert (run.status, run.totals.cases < 40) == ("failed", True)
    assert "(timeout)" in run.error
    assert "longer than 0.5 s" in run.error
    run = ws.evals.resume(run.run_id, task=right, retry_errors=True, progress=False)
    assert (run.status, run.totals.cases, run.totals.errors) == ("finished", 100, 0)


def test_a_budget_that_suffices_is_not_spent(quiet):
    """The cases in flight may reach it: a run that asked every case is finished."""
    run = quiet(lambda q: TaskResult(right(q), cost_usd=0.1), rows_of(10), budget_usd=1.0, concurrency=4)
    assert (run.status, run.error, run.totals.cases) == ("finished", None, 10)


def test_a_tiny_budget_is_said_as_it_is(quiet):
    """One case runs before anything is known of the price."""
    run = quiet(lambda q: TaskResult(right(q), cost_usd=0.1), rows_of(10), budget_usd=1e-9, concurrency=1)
    assert (run.status, run.totals.cases, run.totals.not_run) == ("over_budget", 1, 9)
    assert run.error == "the budget of <$0.000001 is spent ($0.1000); 9 cases were not run"


@pytest.mark.parametrize("setting", [{"budget_usd": "5"}, {"budget_usd": True}, {"timeout_s": "5"}, {"budget_usd": 0}])
def test_limits_that_are_no_numbers_are_refused(quiet, rows, setting):
    """Before anything runs."""
    with pytest.raises(UsageError, match="give a number"):
        quiet(right, rows, **setting)


def test_a_budget_stops_and_can_be_raised(ws, quiet):
    """No case starts when the money is spent; the others are recorded as not run and run with more money."""
    run = quiet(priced, rows_of(50), budget_usd=0.2, concurrency=4)
    assert run.status == "over_budget"
    assert run.error.startswith("the budget of $0.2000 is spent ($0.")
    assert 0.19 <= run.totals.cost_usd <= 0.21
    assert ws.sql("select status, count(*) from results group by 1 order by 1").fetchall() == [
        ("not_run", 50 - run.totals.cases),
        ("ok", run.totals.cases),
    ]
    run = ws.evals.resume(run.run_id, task=priced, budget_usd=1.0, progress=False)
    assert (run.status, run.totals.cases, run.totals.not_run) == ("finished", 50, 0)
    assert (round(run.totals.cost_usd, 6), run.totals.input_tokens, run.totals.sessions) == (0.5, 500, 2)


def test_measures_of_a_task_are_kept(ws, quiet, rows):
    """Tokens, cost, model, documents and tool calls are columns; text that is no Unicode costs nothing."""

    def task(question):
        return TaskResult(
            {"answer": "\ud83d bad"}, documents=[{"id": "d"}], tool_calls=[{"name": "t", "arguments": {}}],
            model="m", system_fingerprint="fp", finish_reason="stop", is_cached=False, latency_ms=5.0, cost_usd=None,
        )  # fmt: skip  # arguments that belong together share a line

    run = quiet(task, rows, scorers=())
    row = ws.sql("select * from results order by example_id limit 1").df().iloc[0]
    assert (row["model"], row["system_fingerprint"], row["latency_ms"], row["output_is_json"]) == ("m", "fp", 5.0, True)
    assert json.loads(row["documents"]) == [{"id": "d"}]
    assert (run.totals.cost_usd, run.totals.unpriced) == (None, 12)


def broken_judge(output):
    raise ValueError("garbage instead of a verdict")


async def hanging_judge(output):
    await asyncio.sleep(30)


@pytest.mark.parametrize(
    ("function", "status", "reason"),
    [
        (broken_judge, "error", "ValueError: garbage instead of a verdict"),
        (lambda output: float("nan"), "error", "the scorer returned nan"),
        (lambda output: "great", "error", "the scorer returned str"),
        (lambda output: None, "unmeasured", "the scorer returned None"),
        (hanging_judge, "error", "TimeoutError"),
    ],
)
def test_a_scorer_that_fails_is_a_score(ws, quiet, function, status, reason):
    """Never NaN, never a silent 0, and never the end of the run."""
    scorer = build(function, name="mine")
    # Long enough for a task on a busy machine; only the scorer that hangs is waited for so long.
    run = quiet(right, rows_of(3), scorers=["exact_match", scorer], timeout_s=2.0)
    found = ws.sql("select distinct status, value, reason from scores where scorer = 'mine'").fetchall()
    assert [(row[0], row[1]) for row in found] == [(status, None)]
    assert found[0][2].startswith(reason)
    mine = run.summary()[1]
    assert mine.coverage == 0
    assert mine.mean != mine.mean
    assert run.summary()[0].mean == 1


def test_a_slow_scorer_does_not_hold_up_the_loop(ws, quiet, rows):
    """After its first slow score it works in threads."""
    names = []

    def slow(output):
        names.append(threading.current_thread().name)
        time.sleep(0.03)
        return 1.0

    quiet(right, rows, scorers=[build(slow)], concurrency=4)
    assert names[-1] == "lmops-eval-task"
    assert ws.sql("select sum(value) from scores").fetchall() == [(12.0,)]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"dataset": []}, "the dataset is empty"),
        ({"dataset": [{"example_id": "a", "input": 1}, {"example_id": "a", "input": 2}]}, "a"),
        ({"dataset": [{"example_id": "a", "input": "x"}]}, "scorer 'exact_match' needs expected"),
        ({"task": "recorded"}, "no example has a recorded output"),
        ({"task": 7}, "a task is a function, a prompt"),
        ({"task": Callable}, "is the class Callable"),
        ({"repeats": 0}, "repeats=0: give a whole number, 1 or more"),
        ({"concurrency": 0}, "concurrency=0"),
        ({"timeout_s": 0}, "timeout_s=0"),
        ({"budget_usd": -1}, "budget_usd=-1"),
        ({"scorers": ["exact_match", "exact_match"]}, "two scorers are called 'exact_match'"),
    ],
)
def test_what_cannot_end_well_is_refused_before_it_starts(ws, rows, given, words):
    """Nothing is spent, and no run is recorded."""
    asked = {"task": right, "dataset": rows, "scorers": ["exact_match"], **given}
    with pytest.raises(UsageError, match=words):
        ws.evals.run(**asked, progress=False)
    assert len(ws.evals.list()) == 0


def test_a_global_seed_changes_nothing(quiet, rows):
    """Runs after the same random.seed have ids of their own."""
    ids = set()
    for _ in range(2):
        random.seed(7)
        ids.add(quiet(right, rows).run_id)
    assert len(ids) == 2


def test_the_record_says_what_ran(ws, quiet, rows):
    """Dataset, task, scorers, settings, seed, versions and who."""
    run = quiet(right, rows, name="exp", seed=5, limit=10, model="some-model", params={"temperature": 0})
    record = run.record
    assert (record["name"], record["actor"], record["seed"], record["examples"]) == ("exp", "tester", 5, 10)
    assert record["dataset"] == "exp-examples@1"
    assert record["dataset_hash"] == ws.datasets.get("exp-examples").hash
    assert record["task"].endswith(":right")
    assert record["scorers"][0]["version"]
    assert record["environment"]["python"]
    assert record["settings"]["example_ids"] == [f"e{n:03}" for n in range(10)]
    assert ws.sql("select action, subject from audit where action like 'eval.%'").fetchall() == [
        ("eval.run", run.run_id),
        ("eval.end", run.run_id),
    ]


def test_recorded_answers_are_scored(ws, quiet):
    """What production answered is scored without asking anything."""
    rows = [
        {"example_id": "a", "input": "q", "expected": "yes", "output": "yes"},
        {"example_id": "b", "input": "q2", "expected": "yes", "output": "no"},
    ]
    run = quiet("recorded", rows)
    assert run.df()["exact_match"].tolist() == [1.0, 0.0]


def test_a_case_links_to_its_trace(ws, quiet, rows):
    """With tracing every case is a trace with the task inside and the scores as events."""
    import lmops

    @lmops.trace(kind="tool")
    def lookup(question):
        if question == "q3":
            raise ValueError("no")
        return right(question)

    run = quiet(lookup, rows, tracing=True, name="traced")
    joined = ws.sql(
        "select t.name, t.span_count, t.status, r.status, r.example_id from results r join traces t using (trace_id) "
        "order by example_id"
    ).fetchall()
    assert len(joined) == 12
    assert joined[0] == ("eval traced", 2, "ok", "ok", "e000")
    assert joined[3] == ("eval traced", 2, "error", "error", "e003")
    span = ws.sql("select events, attributes from spans where parent_span_id is null and status = 'ok' limit 1").df()
    event = json.loads(span["events"][0])[0]
    assert event["name"] == "gen_ai.evaluation.result"
    assert event["attributes"] == {"gen_ai.evaluation.name": "exact_match", "gen_ai.evaluation.score.value": 1.0}
    assert json.loads(span["attributes"][0])["lmops.eval.run_id"] == run.run_id


def test_progress_says_rate_cost_and_what_is_left(ws, rows, capsys):
    """A reader sees how far it is, also when it is over."""
    from lmops.scorers.workers import State

    state = State(total=100, done=0, cost_usd=None)
    state.done, state.cost_usd, state.errors = 50, 0.5, 2
    note = state.note()
    assert "/s" in note
    assert "$0.5000" in note
    assert "2 failed" in note
    assert "left" in note


def test_a_failed_call_costs_what_it_cost(ws, quiet):
    """An answer that could not be used has tokens and a price: they are in the totals."""
    from lmops.errors import ModelError

    ws.models.set_price("ferry-1", input_usd_per_mtok=10, output_usd_per_mtok=10)

    def task(question):
        error = ModelError("no JSON", kind="bad_response")
        error.completion = ws.models.complete("standin:ferry-1", [{"role": "user", "content": question}])
        raise error

    run = quiet(task, rows_of(3))
    assert run.totals.errors == 3
    assert run.totals.input_tokens > 0
    assert run.totals.cost_usd > 0
    assert run.failures()["error_type"].unique().tolist() == ["ModelError (bad_response)"]


def test_repeats_are_not_served_from_one_cache_entry(ws):
    """With the cache on, the second run costs nothing, and repeats differ as they did."""
    from lmops.sample import golden

    from .ferry import save_prompts

    save_prompts(ws)
    ws.datasets.save("golden", golden()[:15])
    runs = [ws.evals.run("support-answer@3", "golden", repeats=4, cache=True, progress=False).df() for _ in range(2)]
    assert not runs[0]["is_cached"].any()
    assert runs[1]["is_cached"].all()
    assert runs[0]["output"].tolist() == runs[1]["output"].tolist()
    assert (runs[0].groupby("example_id")["output"].nunique() > 1).any()


def test_a_judge_that_answers_garbage_is_an_error_and_its_cost_is_counted(ws, quiet):
    """The score says so, the run goes on, and what the judge spent stands beside the cost of the task."""
    ws.models.set_price("ferry-1", input_usd_per_mtok=10, output_usd_per_mtok=10)

    async def judge(output, complete):
        found = await complete("standin:ferry-1", [{"role": "user", "content": "Is this right? " + output}])
        return {"verdict": found.content}

    run = quiet(priced, rows_of(3), scorers=[build(judge, name="judge")])
    assert ws.sql("select distinct status from scores").fetchall() == [("error",)]
    assert run.totals.scoring_cost_usd > 0
    assert run.totals.cost_usd == pytest.approx(0.03)
