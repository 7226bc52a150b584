"""Runs that stop and go on: interrupted, killed, held by another process."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import lmops
from lmops.errors import NotFoundError, UsageError
from lmops.evals import TaskResult
from lmops.store import append_event

from .conftest import right, rows_of

#: A run that writes down each call before it answers; from the 300th on it waits to be killed, however slow that is.
SCRIPT = """
import os, sys, time
import lmops
from lmops.evals import TaskResult

calls = os.open(sys.argv[2], os.O_CREAT | os.O_APPEND | os.O_WRONLY)

def task(question):
    os.write(calls, (question + "\\n").encode())
    time.sleep(0.004 if int(question[1:]) < 300 else 600)
    return TaskResult(question.replace("q", "a"), cost_usd=0.001, input_tokens=3, output_tokens=1)

if __name__ == "__main__":
    ws = lmops.open(sys.argv[1])
    rows = [{"example_id": f"e{n:04}", "input": f"q{n}", "expected": f"a{n}"} for n in range(400)]
    ws.evals.run(task, rows, ["exact_match"], name="killed", concurrency=8, progress=False)
"""


def wait_for(condition, seconds=60.0):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def start(folder, tmp_path):
    script, calls = tmp_path / "script.py", tmp_path / "calls.txt"
    script.write_text(SCRIPT)
    env = {**os.environ, "PYTHONPATH": str(Path(lmops.__file__).parent.parent)}
    process = subprocess.Popen([sys.executable, str(script), str(folder), str(calls)], env=env)
    wait_for(lambda: calls.is_file() and calls.read_text().count("\n") >= 200)
    return process, calls


def test_a_killed_run_repeats_only_what_was_in_flight(tmp_path):
    """kill -9 half way: no finished row is lost, calls repeated <= concurrency, totals as of an undisturbed run."""
    process, calls = start(tmp_path / ".lmops", tmp_path)
    process.kill()
    process.wait()

    def task(question):
        with calls.open("a") as out:
            out.write(question + "\n")
        return TaskResult(right(question), cost_usd=0.001, input_tokens=3, output_tokens=1)

    with lmops.open(tmp_path / ".lmops") as ws:
        run = ws.evals.get("killed")
        assert run.status == "crashed"
        assert ws.sql("select status from runs").fetchall() == [("crashed",)]
        before = run.totals
        assert 150 < before.cases < 400
        run = ws.evals.resume(run.run_id, task=task, progress=False)
        assert (run.status, run.totals.cases, run.totals.sessions) == ("finished", 400, 2)
        assert (run.totals.input_tokens, run.totals.output_tokens) == (1200, 400)
        assert run.totals.cost_usd == pytest.approx(0.4)
        assert run.totals.duration_s > before.duration_s > 0
        assert ws.sql("select count(*), count(distinct example_id) from results").fetchall() == [(400, 400)]
        assert ws.store.check().ok
    asked = calls.read_text().split()
    assert len(set(asked)) == 400
    assert len(asked) - 400 <= 8


def test_a_run_that_is_alive_cannot_be_resumed(tmp_path):
    """Two processes on one run: the second is told who has it."""
    process, _ = start(tmp_path / ".lmops", tmp_path)
    try:
        with lmops.open(tmp_path / ".lmops") as ws:
            assert ws.evals.get("killed").status == "running"
            with pytest.raises(UsageError, match=f"is being worked on by process {process.pid}"):
                ws.evals.resume("killed", task=right, progress=False)
    finally:
        process.kill()
        process.wait()


def test_an_interrupt_keeps_what_is_finished(ws):
    """Ctrl+C ends the call with KeyboardInterrupt; the run is marked, and goes on later."""
    asked = []

    def task(question):
        asked.append(question)
        if len(asked) == 60:
            os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.002)
        return right(question)

    with pytest.raises(KeyboardInterrupt) as caught:
        ws.evals.run(task, rows_of(400), "exact_match", name="stopped", concurrency=4, progress=False)
    run = ws.evals.get("stopped")
    said = "\n".join(caught.value._render_traceback_())
    assert f'ws.evals.resume("{run.run_id}") goes on' in said
    assert "_session.py" not in said
    assert run.status == "interrupted"
    assert 40 < run.totals.cases < 400
    run = ws.evals.resume("stopped", task=task, progress=False)
    assert (run.status, run.totals.cases) == ("finished", 400)
    assert len(asked) - len(set(asked)) <= 4


def test_a_second_interrupt_does_not_cost_the_record(ws):
    """Whoever presses Ctrl+C twice gets a run that says it was interrupted, as soon as that is written."""

    async def task(question):
        try:
            if question == "q5":
                os.kill(os.getpid(), signal.SIGINT)
                await asyncio.sleep(30)
        except asyncio.CancelledError:
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(0.3)
            raise
        return right(question)

    with pytest.raises(KeyboardInterrupt):
        ws.evals.run(task, rows_of(12), "exact_match", name="twice", concurrency=1, progress=False)
    assert ws.evals.get("twice").status == "interrupted"


def test_a_cancelled_run_keeps_what_is_finished(ws):
    """Cancelling ``arun`` raises CancelledError, as a notebook's stop button does; finished cases are there."""

    half_way = asyncio.Event()

    async def task(question):
        await asyncio.sleep(0.002)
        if question == "q60":
            half_way.set()
        return right(question)

    async def main():
        running = asyncio.create_task(
            ws.evals.arun(task, rows_of(300), "exact_match", name="cancelled", concurrency=4, progress=False)
        )
        await half_way.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        return len(asyncio.all_tasks())

    assert asyncio.run(main()) == 1
    run = ws.evals.get("cancelled")
    assert run.status == "interrupted"
    assert 40 <= run.totals.cases < 300
    assert ws.evals.resume("cancelled", task=task, progress=False).totals.cases == 300


def stopped(ws, rows, task=right, **given):
    """Return a run that its budget stopped."""

    def costly(question):
        return TaskResult(task(question), cost_usd=1.0)

    run = ws.evals.run(costly, rows, "exact_match", budget_usd=3, concurrency=1, progress=False, **given)
    assert run.status == "over_budget"
    return run, costly


def test_a_function_has_to_be_given_again(ws, rows):
    """The record names it; the call that helps is in the message."""
    run, _ = stopped(ws, rows)
    with pytest.raises(UsageError, match=r"give it again: ws\.evals\.resume\('run-\w+', task=costly\)|costly"):
        ws.evals.resume(run.run_id, progress=False)


def test_resuming_needs_the_same_scorers(ws, rows):
    """Half of the scores would mean something else."""
    from lmops.scorers import build

    run, costly = stopped(ws, rows)
    with pytest.raises(NotFoundError, match="has the scorers exact_match"):
        ws.evals.resume(run.run_id, task=costly, scorers=["contains"], progress=False)
    changed = build(lambda output: True, name="exact_match")
    with pytest.raises(UsageError, match="has changed since run"):
        ws.evals.resume(run.run_id, task=costly, scorers=[changed], progress=False)
    assert ws.evals.get(run.run_id).status == "over_budget"


def test_a_limited_run_resumes_on_the_same_examples(ws):
    """A newer version of the dataset does not matter: the run has its own."""
    ws.datasets.save("d", rows_of(20))
    run, costly = stopped(ws, "d", limit=8)
    ws.datasets.save("d", rows_of(30))
    run = ws.evals.resume(run.run_id, task=costly, budget_usd=100, progress=False)
    assert (run.dataset, run.totals.cases) == ("d@1", 8)


def test_a_complete_run_is_left_alone(ws, rows):
    """Resuming it asks nothing."""
    run = ws.evals.run(right, rows, progress=False)
    assert ws.evals.resume(run.run_id, task=None, progress=False).totals == run.totals


def test_a_process_that_was_taken_for_dead_writes_nothing_more(ws, rows):
    """Whoever lost the run notices with its next batch."""
    stuck, go = threading.Event(), threading.Event()

    def task(question):
        if question == "q5":
            stuck.set()
            go.wait(20)
        return right(question)

    failed = []

    def work():
        try:
            ws.evals.run(task, rows, name="lost", concurrency=1, progress=False)
        except UsageError as error:
            failed.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    assert stuck.wait(20)
    with ws.store.transaction() as con:
        con.execute("update eval_runs set pid_started = 'another'")
    run = ws.evals.resume("lost", task=right, progress=False)
    go.set()
    thread.join()
    assert (run.status, run.totals.cases) == ("finished", 12)
    assert "taken over" in failed[0]
    assert ws.evals.get("lost").status == "finished"


def test_unknown_runs_are_named(ws, rows):
    """A slip gets the nearest name."""
    ws.evals.run(right, rows, name="golden-v3", progress=False)
    with pytest.raises(NotFoundError, match="did you mean 'golden-v3'"):
        ws.evals.get("golden-v2")


def test_results_move_into_segments_and_stay(ws):
    """Many results are Parquet, few are rows; views, backup, export and check see the same."""
    run = ws.evals.run(right, rows_of(300), "exact_match", name="many", progress=False)
    query = "select * from results join scores using (run_id, example_id, repeat) order by all"
    before = ws.sql(query).fetchall()
    assert ws.store.pack_results(least=100, wait=True) == 300
    assert ws.sql(query).fetchall() == before
    with ws.store.reading() as con:
        assert con.execute("select count(*) from eval_results").fetchone()[0] == 0
    assert ws.store.check().ok
    assert run.totals.cases == 300
    assert len(run.df()) == 300
    again = ws.evals.run(right, rows_of(10), "exact_match", progress=False)
    assert ws.sql("select count(*) from scores").fetchall() == [(310,)]
    with lmops.open(ws.store.backup(ws.store.path.parent / "copy")) as copy:
        assert copy.sql(query).fetchall() == ws.sql(query).fetchall()
    assert len(again.df()) == 10


def test_retention_keeps_runs_and_what_verdicts_rest_on(ws):
    """Old cases go, the record of their run stays, and evidence stays whole."""
    for name in ("old", "judged", "new"):
        ws.evals.run(right, rows_of(20), "exact_match", name=name, progress=False)
    ids = {name: ws.evals.get(name).run_id for name in ("old", "judged", "new")}
    ws.store.pack_results(least=1, wait=True)
    with ws.store.transaction() as con:
        con.execute("update eval_runs set ended_ns = 1 where name in ('old', 'judged')")
        con.execute(
            "insert into verdicts values ('verdict-1', ?, null, null, 'pass', '{}', '{}', 1, 'x', null)",
            (ids["judged"],),
        )
        rows = [("eval_runs", ids["old"]), ("eval_runs", ids["judged"])]
        append_event(con, actor="tester", action="test", subject="runs", rows=rows)
    removed = ws.store.retain(days=1)
    assert (removed["results"], removed["scores"]) == (20, 20)
    left = {row[0] for row in ws.sql("select distinct run_id from results").fetchall()}
    assert left == {ids["judged"], ids["new"]}
    assert ws.evals.get("old").totals.cases == 20
    assert ws.store.check().ok
    assert len(ws.evals.get("judged").df()) == 20


def test_a_thread_that_takes_the_number_of_another_sees_the_present(ws):
    """Results are read anew although thread numbers and the versions of new connections repeat."""
    for count in (5, 300, 2):
        for _ in range(3):
            run = ws.evals.run(right, rows_of(count), progress=False)
            assert run.totals.cases == count


def test_a_busy_store_holds_up_the_run_and_loses_nothing(ws):
    """While somebody else writes, batches wait in a thread; then everything is there."""
    is_held, is_over = threading.Event(), threading.Event()

    def hold():
        with ws.store.transaction():
            is_held.set()
            is_over.wait(20)

    thread = threading.Thread(target=hold)

    def task(question):
        if question == "q20":
            thread.start()
            assert is_held.wait(20)
            threading.Timer(0.3, is_over.set).start()
        return right(question)

    run = ws.evals.run(task, rows_of(60), "exact_match", concurrency=20, progress=False)
    thread.join()
    assert (run.status, run.totals.cases) == ("finished", 60)
    assert ws.sql("select count(*) from results").fetchall() == [(60,)]


def test_only_one_of_two_takes_over_a_run(ws):
    """Two notebooks resume the same crashed run at once: one works, the other is told who does."""
    run, _ = stopped(ws, rows_of(40))
    begin, outcomes = threading.Barrier(2), []

    def task(question):
        time.sleep(0.02)
        return TaskResult(right(question), cost_usd=1.0)

    def take_over():
        begin.wait()
        try:
            outcomes.append(ws.evals.resume(run.run_id, task=task, budget_usd=100, progress=False).totals.cases)
        except UsageError as error:
            outcomes.append("is being worked on" in str(error))

    threads = [threading.Thread(target=take_over) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [True, 40]
    assert ws.sql("select count(*) from results").fetchall() == [(40,)]
