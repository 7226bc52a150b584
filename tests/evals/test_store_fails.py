"""Runs on a store that cannot take them: a full disk, a folder that cannot be written."""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner

import lmops
from lmops.cli import main
from lmops.errors import StoreFullError
from lmops.evals import TaskResult
from tests.rights import unwritable

from .conftest import right, rows_of


@contextlib.contextmanager
def disk_of(folder):
    """Yield what fills the disk: no file of this process can grow any more, and a reader holds on to the log."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    reader = sqlite3.connect(folder / "meta.sqlite")
    reader.execute("begin")
    reader.execute("select count(*) from eval_runs").fetchone()

    def fill():
        resource.setrlimit(resource.RLIMIT_FSIZE, ((folder / "meta.sqlite-wal").stat().st_size, hard))

    try:
        yield fill
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        reader.close()


def test_a_full_disk_ends_a_run_that_goes_on_when_there_is_space(ws, caplog):
    """The error says how; this very process may resume, although it could not even record the end."""

    version = ws.datasets.save("d", rows_of(200))

    def task(question):
        return TaskResult(right(question), cost_usd=0.5, input_tokens=3)

    with disk_of(ws.store.path) as fill:

        def filling(question):
            if question == "q100":
                fill()
            return task(question)

        with pytest.raises(StoreFullError, match=r"no space left .* Run run-\w+ keeps its finished cases"):
            ws.evals.run(filling, version, "exact_match", name="full", progress=False)
        with pytest.raises(StoreFullError):
            ws.evals.resume("full", task=task, progress=False)
    run = ws.evals.get("full")
    assert run.status == "crashed"
    assert 0 < run.totals.cases < 200
    assert "could not be recorded" in caplog.text
    run = ws.evals.resume("full", task=task, progress=False)
    assert (run.status, run.totals.cases, run.totals.input_tokens, run.totals.cost_usd) == ("finished", 200, 600, 100)
    assert ws.sql("select count(*), count(distinct example_id) from results").fetchall() == [(200, 200)]
    assert ws.store.check().ok


def test_a_folder_that_cannot_be_written_can_be_looked_at(tmp_path):
    """Commands that look work; those that write say why they cannot, before anything is asked of a model."""
    path = tmp_path / ".lmops"
    with lmops.open(path) as ws:
        for name in ("one", "two"):
            ws.evals.run(right, rows_of(5), "exact_match", name=name, progress=False)
    (tmp_path / "criteria.json").write_text('{"scorers": {"exact_match": {"min": 0.5}}}')

    def look():
        looks = (["list"], ["show", "one"], ["compare", "one", "two", "-s", "exact_match"])
        found = [CliRunner().invoke(main, ["eval", *one, "--store", str(path)]) for one in looks]
        return [(one.exit_code, one.output) for one in found]

    writes = (["run", "recorded", "-d", "one-examples"], ["gate", "one", "--criteria", str(tmp_path / "criteria.json")])
    expected = look()
    gc.collect()  # a thread that worked on a run may hold the journal open until it is gone
    before = {file.name: file.read_bytes() for file in path.iterdir() if file.is_file()}
    with unwritable(path):
        seen = look()
        refused = [CliRunner().invoke(main, ["eval", *one, "--store", str(path)]) for one in writes]
    assert seen == expected
    assert [code for code, _ in seen] == [0, 0, 3]
    for one in refused:
        assert one.exit_code == 1
        assert "cannot be written" in one.output
    assert {file.name: file.read_bytes() for file in path.iterdir() if file.is_file()} == before


def test_a_folder_that_cannot_be_read_is_one_line(tmp_path):
    """No traceback for whoever must not look."""
    path = tmp_path / ".lmops"
    lmops.open(path).store.close()
    with unwritable(path):
        hidden = Path(path)
        euid = os.geteuid()
        os.seteuid(os.getuid())
        hidden.chmod(0)
        os.seteuid(euid)
        found = CliRunner().invoke(main, ["eval", "list", "--store", str(path)])
    assert found.exit_code == 1
    assert "closed to this user (permission denied)" in found.output
    assert found.output.count("\n") == 1
