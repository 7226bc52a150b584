"""Every run leaves a record: before its first cell, at its end, and when its runner was killed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time

import nbformat
import psutil
import pytest

import lmops
from lmops.errors import RunbookError, StoreError

CHANGE = "import lmops; lmops.open().prompts.save('greeting', 'Hello'); print('changed')"


def actions(ws):
    return [row[0] for row in ws.sql("select action from audit order by event_id").fetchall()]


def test_a_run_is_recorded_before_its_first_cell(ws, book, quiet, warm_kernels):
    """A cell finds its own run as running; the audit chain has its start and its end."""
    code = "import lmops, os\nprint(lmops.open().sql('select status, run_id from runbook_runs').fetchall()[0])"
    run = quiet(book(code))
    assert f"running', '{run.run_id}" in run.notebook_path.read_text()
    assert actions(ws) == ["runbook.start", "runbook.run"]
    assert ws.runbooks.runs() == [run]


def test_a_run_names_what_it_changed(ws, book, quiet, warm_kernels):
    """Events that happen in the kernel carry the run, in the chain and in the record."""
    run = quiet(book(CHANGE))
    (change,) = run.changes
    assert (change["action"], change["subject"]) == ("prompt.save", "greeting@1")
    evidence = ws.sql("select evidence from audit where event_id = ?", [change["event_id"]]).fetchall()[0][0]
    assert json.loads(evidence) == [f"runbook:{run.run_id}"]
    assert "changed: prompt.save greeting@1" in repr(run)
    assert json.loads(ws.sql("select changes from runbook_runs").fetchall()[0][0]) == run.changes
    assert ws.audit.verify().ok


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """Kill the runner of a runbook that has changed something and started a process of its own session.

    The store that it leaves, and a copy of that.
    """
    left, copy = (tmp_path_factory.mktemp("killed") / name for name in ("left", "copy"))
    code = "import subprocess, time\nsubprocess.Popen(['sleep', '300'], start_new_session=True).pid\n"
    cells = [CHANGE, f"{code}open('begun', 'w').close()\ntime.sleep(120)"]
    with lmops.open(left / ".lmops", actor="tester") as ws:
        path = left / "demo.ipynb"
        nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in cells]), path)
        code = f"lmops.open({str(ws.store.path)!r}).runbooks.run({str(path)!r}, progress=False, html=False)"
        runner = subprocess.Popen([sys.executable, "-c", f"import lmops; {code}"], stderr=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while not (left / "begun").exists() and time.monotonic() < end:
            time.sleep(0.05)
        assert [run.status for run in ws.runbooks.runs()] == ["running"]
        runner.kill()
        runner.wait()
    shutil.copytree(left, copy)
    return left, copy


def carriers(run_id):
    """Return the living processes whose environment names a run."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("LMOPS_RUN_ID") == run_id and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def test_a_run_whose_runner_was_killed_is_lost_with_what_it_changed(killed):
    """The next look closes the record, says what had changed, and ends what was left running."""
    with lmops.open(killed[0] / ".lmops", read_only=True) as reader:
        assert carriers(reader.sql("select run_id from runbook_runs").fetchall()[0][0])
    with lmops.open(killed[0] / ".lmops") as ws:
        (run,) = ws.runbooks.runs()
        assert actions(ws)[-1] == "runbook.lost"
        assert ws.runbooks.runs() == [run]
    assert run.status == "lost"
    assert [one["subject"] for one in run.changes] == ["greeting@1"]
    assert "ended without a word" in run.error
    assert run.problem is None
    assert carriers(run.run_id) == []
    with pytest.raises(RunbookError, match="lost"):
        run.raise_for_status()


def test_opening_the_store_finds_what_was_lost(killed):
    """Who never asks for runs sees it as well; a reader says so and writes nothing."""
    with lmops.open(killed[1] / ".lmops", read_only=True) as reader:
        assert [run.status for run in reader.runbooks.runs()] == ["lost"]
        assert reader.sql("select status from runbook_runs").fetchall() == [("running",)]
    with lmops.open(killed[1] / ".lmops") as other:
        assert other.sql("select status from runbook_runs").fetchall() == [("lost",)]


def test_a_run_that_cannot_be_kept_is_recorded_as_failed(ws, book, quiet, warm_kernels):
    """When the folder of the run vanishes, the record says why instead of running for ever."""
    with pytest.raises(StoreError, match="No such file"):
        quiet(book("import os, shutil\nshutil.rmtree(os.environ['LMOPS_STORE'] + '/runs')"))
    (run,) = ws.runbooks.runs()
    assert run.status == "failed"
    assert "No such file" in run.error


@pytest.mark.parametrize("group", ["start_new_session=True", "process_group=0"])
def test_a_timeout_ends_what_left_the_group(book, quiet, group):
    """Children in a session or group of their own end with the run."""
    run = quiet(book(f"import subprocess\nsubprocess.Popen(['sleep', '300'], {group}).wait()"), timeout_s=6)
    assert run.status == "timeout"
    assert carriers(run.run_id) == []


def test_what_a_finished_run_started_ends_with_it(book, quiet):
    """Nothing is left running after a run that went well."""
    run = quiet(book("import subprocess\nchild = subprocess.Popen(['sleep', '300'], start_new_session=True)"))
    assert run.status == "ok"
    assert carriers(run.run_id) == []


def test_a_changed_notebook_is_named_wherever_it_is_shown(ws, book, quiet, warm_kernels):
    """The listing, the run, its status and the check of the store say that it is not what ran."""
    run = quiet(book("print('failed: 3 of 10')"))
    text = run.notebook_path.read_text()
    run.notebook_path.write_text(text.replace("failed: 3 of 10", "passed: 9 of 10"))
    (found,) = ws.runbooks.runs()
    assert "changed after its run" in found.problem
    assert "changed after its run" in repr(found)
    assert any("changed after its run" in problem for problem in ws.store.check().problems)
    with pytest.raises(RunbookError, match="changed after its run"):
        found.raise_for_status()
    run.notebook_path.unlink()
    assert ws.runbooks.runs()[0].problem == "the executed notebook is missing"
    run.notebook_path.write_text(text)
    assert ws.runbooks.runs()[0].problem is None
    assert ws.store.check().ok


def test_a_made_up_run_is_not_evidence(ws, monkeypatch):
    """Only what looks like the id of a run reaches the chain."""
    monkeypatch.setitem(os.environ, "LMOPS_RUN_ID", '"]; drop')
    ws.prompts.save("greeting", "Hello")
    assert ws.sql("select evidence from audit").fetchall() == [(None,)]
