"""Results in segments: killed at any moment nothing is lost or doubled, and damage is named."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lmops
from lmops.evals import TaskResult
from lmops.store import DamagedSegmentWarning, Store

from .conftest import right, rows_of

QUERY = "select * from results left join scores using (run_id, example_id, repeat) order by all"


def failing(question):
    if question == "q3":
        raise ValueError("no")
    return right(question)


def test_a_killed_pack_loses_and_doubles_nothing(tmp_path):
    """At whatever statement it dies, every view shows the same, and leftovers are swept."""
    template = tmp_path / "store"
    with lmops.open(template) as ws:
        ws.evals.run(failing, rows_of(40), ["exact_match"], progress=False)
        before = ws.sql(QUERY).fetchall()
    script = Path(__file__).with_name("crashing.py")
    done = subprocess.run([sys.executable, script, template, "2"], capture_output=True, text=True, check=True)
    copies = [line.split() for line in done.stdout.splitlines()]
    assert [killed for _, killed in copies[-1:]] == ["False"]
    assert sum(killed == "True" for _, killed in copies) >= 5
    for path, _ in copies:
        with Store.open(path) as store:
            assert store.sql(QUERY).fetchall() == before
            assert store.check().ok
            store.compact(grace_s=0)
            assert store.sql(QUERY).fetchall() == before
            files = {str(file.relative_to(path)) for file in (Path(path) / "segments").rglob("*") if file.is_file()}
            with store.reading() as con:
                assert files == {row[0] for row in con.execute("select path from segments")}


def test_questions_during_a_pack_see_every_case_once(ws):
    """A reader sees the rows or the file, never both and never neither."""
    ws.evals.run(right, rows_of(300), ["exact_match"], progress=False)
    counts, done = set(), threading.Event()

    def look():
        while not done.is_set():
            counts.add(ws.sql("select count(*), count(distinct example_id) from results").fetchall()[0])

    thread = threading.Thread(target=look)
    thread.start()
    for _ in range(5):
        ws.store.pack_results(least=1, wait=True)
        ws.evals.run(right, rows_of(1), progress=False, name="one")
    done.set()
    thread.join()
    assert all(300 <= cases <= 305 and ids == 300 for cases, ids in counts)


def test_failed_cases_stay_rows_and_can_be_replaced(ws):
    """Only what is final moves into segments."""
    run = ws.evals.run(failing, rows_of(10), ["exact_match"], progress=False)
    assert ws.store.pack_results(least=1, wait=True) == 9
    assert ws.evals.resume(run.run_id, task=right, retry_errors=True, progress=False).totals.errors == 0
    assert ws.sql(
        "select count(*), sum(value) from results join scores using (run_id, example_id, repeat)"
    ).fetchall() == [(10, 10.0)]
    assert ws.store.check().ok


def test_a_damaged_segment_is_named_and_its_cases_run_again(ws):
    """The rest is shown with a warning; after a repair the lost cases are missing, and resume runs them."""
    run = ws.evals.run(right, rows_of(20), ["exact_match"], progress=False)
    ws.store.pack_results(least=1, wait=True)
    for path in (ws.store.path / "segments").rglob("*.parquet"):
        path.write_bytes(b"broken")
    with pytest.warns(DamagedSegmentWarning, match="20 rows of results"):
        assert ws.sql("select count(*) from results").fetchall() == [(0,)]
    report = ws.store.check(repair=True)
    assert report.lost_rows == {"results": 20, "scores": 20}
    run = ws.evals.resume(run.run_id, task=right, progress=False)
    assert (run.totals.cases, run.status) == (20, "finished")
    assert ws.store.check().ok


@pytest.mark.parametrize("lost", ["results", "scores"])
def test_a_run_is_shown_although_one_of_its_files_is_damaged(ws, lost):
    """Cases and scores lie in files of their own: what is left of either is shown, and a gate cannot pass on it."""
    run = ws.evals.run(right, rows_of(20), ["exact_match"], progress=False)
    ws.store.pack_results(least=1, wait=True)
    for path in (ws.store.path / "segments" / lost).rglob("*.parquet"):
        path.write_bytes(b"broken")
    with pytest.warns(DamagedSegmentWarning, match=f"20 rows of {lost}"):
        assert "20 of 20 cases" in run.text
    with pytest.warns(DamagedSegmentWarning):
        assert not ws.evals.gate(run, None, {"scorers": {"exact_match": {"min": 0.5}}})


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    output=st.text(max_size=50)
    | st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=5,
    ).filter(lambda value: value is not None and not isinstance(value, bool))
)
def test_what_a_task_returns_comes_back(ws, output):
    """Any text and any JSON, from a row and from a segment."""
    import json

    run = ws.evals.run(lambda q: TaskResult(output), rows_of(1), scorers=(), progress=False)
    for _ in range(2):
        row = run.df().iloc[0]
        assert (json.loads(row["output"]) if row["output_is_json"] else row["output"]) == output
        ws.store.pack_results(least=1, wait=True)
