"""Runbooks: what is refused before a cell runs, how runs end, and what is kept of them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest

from lmops.base.cells import Cell, cell, table_html
from lmops.errors import NotFoundError, RunbookError, RunbookRefusedError
from lmops.records import Project
from lmops.runbooks import (
    RunbookRun,
    Runbooks,
    _html,
    _parameters,
    show_numbers,
    show_result,
    show_table,
)
from lmops.store import Store

new = nbformat.v4
DECLARED = """last: str = "14d"  # window
top: int = 3  # rows
limits: dict[str, float] = {}  # usd by name
who: str | None = None"""


@pytest.fixture
def host(tmp_path):
    with Store.open(tmp_path / "project" / ".lmops") as store:
        yield Project(store=store, actor="tester")


@pytest.fixture
def runbooks(host, clock):
    return Runbooks(replace(host, now=clock))


@pytest.fixture
def make(tmp_path):
    """Write a runbook with the given code cells and return its path."""

    def write(*cells, name="demo", declared=DECLARED, folder=tmp_path):
        code = [new.new_code_cell(source) for source in cells]
        notebook = new.new_notebook(
            cells=[
                new.new_markdown_cell("# A demo"),
                new.new_code_cell(declared, metadata={"tags": ["parameters"]}),
                *code,
            ]
        )
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.ipynb"
        nbformat.write(notebook, path)
        return path

    return write


# what is declared and given


def parsed(source=DECLARED):
    return _parameters.parse(source, where="demo.ipynb")


def test_declared_parameters_have_type_default_and_meaning():
    """Every line of the parameters cell becomes one parameter."""
    assert [str(parameter) for parameter in parsed()] == [
        "last: str = '14d'  # window",
        "top: int = 3  # rows",
        "limits: dict[str, float] = {}  # usd by name",
        "who: str | None = None",
    ]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("top = 3", "line 1 .* is not of the form"),
        ("top: int", "is not of the form"),
        ("import os", "is not of the form"),
        ("top: int = len('abc')", "plain value"),
        ("top: int = 'three'", "expected int, got 'three'"),
        ("top: set = 3", "has the type set"),
        ("top: int = True", r"got True \(bool\)"),
        ("top: int = 1\ntop: int = 2", "twice"),
        ("top: int = (", "not Python"),
        ("a.b: int = 1", "is not of the form"),
    ],
)
def test_a_parameters_cell_that_holds_anything_else_is_refused(source, said):
    """A declaration that could not be checked is refused with its line."""
    with pytest.raises(RunbookRefusedError, match=said):
        parsed(source)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("tpo", 5, "did you mean 'top'"),
        ("top", "5", "expected int, got '5'"),
        ("top", True, r"\(bool\)"),
        ("last", None, "expected str, got None"),
        ("limits", {"a": "x"}, "expected float, got 'x'"),
        ("limits", {1: 2.0}, "keys of a dict must be text"),
        ("limits", {"a": float("nan")}, "not a finite number"),
        ("last", "\ud800", "no UTF-8 form"),
        ("s=1;import os#", 1, "is not a parameter name"),
        ("__class__", 1, "no parameter named"),
        ("import", 1, "is not a parameter name"),
        (3, 1, "is not a parameter name"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(name, value, said):
    """Unknown and hostile names and ill-typed values are refused, with the nearest name."""
    with pytest.raises(RunbookRefusedError, match=said):
        _parameters.bind(parsed(), {name: value})


def test_a_subclass_that_prints_as_code_is_refused():
    """Only exact JSON types pass, so nothing with a __repr__ of its own reaches the code of a notebook."""

    class Evil(str):
        __slots__ = ()

    with pytest.raises(RunbookRefusedError, match="Evil"):
        _parameters.bind(parsed(), {"last": Evil("x")})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("last=7d", "7d"), ("last=a=b", "a=b"), ("last=", ""), ("top=7", 7), ('limits={"a": 1.5}', {"a": 1.5}),
        ("who=null", None), ("who=Ann", "Ann"),
    ],
)  # fmt: skip  # cases that belong together share a line
def test_texts_of_a_command_line_are_read_by_the_declared_type(text, value):
    """``-p name=value`` gives the declared type."""
    assert _parameters.bind(parsed(), {}, [text]) == {text.partition("=")[0]: value}


@pytest.mark.parametrize("text", ["top=7.5", "top=", "limits=[1]", "limits={", "last", "nope=1", "top=1;import os"])
def test_texts_that_do_not_fit_are_refused(text):
    """A text that is not of the declared type is refused."""
    with pytest.raises(RunbookRefusedError):
        _parameters.bind(parsed(), {}, [text])


def test_every_problem_is_named_at_once():
    """Nobody corrects one parameter per run."""
    with pytest.raises(RunbookRefusedError, match=r"tpo.*last: expected str") as caught:
        _parameters.bind(parsed(), {"tpo": 1, "last": 2})
    assert ";" in str(caught.value)


# runs


def test_a_run_is_executed_recorded_and_read_back(runbooks, host, make, clock):
    """A run has values, result, hash and files, and the record gives the same run again."""
    path = make(
        "import os, lmops.runbooks\nprint(os.environ['LMOPS_STATIC'], os.environ['LMOPS_STORE'], os.getcwd())",
        "lmops.runbooks.show_result('attention', summary={'top': top, 'cost_usd': None}, reasons=[last])",
    )
    seen = []
    run = runbooks.run(path, {"top": 5}, assignments=["last=7d"], progress=lambda *cell: seen.append(cell))
    assert run.status == "ok"
    assert run.parameters == {"last": "7d", "top": 5, "limits": {}, "who": None}
    assert run.result["decision"] == "attention"
    assert run.result["summary"] == {"top": 5, "cost_usd": None}
    assert run.sha256 == hashlib.sha256(run.notebook_path.read_bytes()).hexdigest()
    assert run.notebook_path.is_relative_to(host.store.path / "runs")
    assert run.started_at == clock()
    assert [cell[:2] for cell in seen] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    printed = nbformat.read(run.notebook_path, 4).cells[3].outputs[0].text
    assert printed == f"1 {host.store.path} {path.parent}\n"
    assert runbooks.runs() == [run]
    assert json.loads(json.dumps(run.to_dict()))["status"] == "ok"
    assert run.raise_for_status() is run


def test_paths_in_a_notebook_begin_where_it_lies(runbooks, host, make, tmp_path, warm_kernels):
    """By path and by name; an executed one begins in the store's project, because its place is the store's."""
    project = host.store.path.parent
    folder = project / "notebooks" / "runbooks"
    folder.mkdir(parents=True)
    for place in (folder, project):
        (place / "limits.txt").write_text(place.name, encoding="utf-8")
    make("print(open('limits.txt', encoding='utf-8').read())", name="limits", folder=folder)

    def said(notebook):
        run = runbooks.run(notebook, html=False)
        return run, nbformat.read(run.notebook_path, 4).cells[-1].outputs[0].text.strip()

    run, by_name = said("limits")
    assert by_name == said(folder / "limits.ipynb")[1] == "runbooks"
    assert said(run.notebook_path)[1] == "project"


def test_values_reach_the_kernel_unchanged(runbooks, make, warm_kernels):
    """Quotes, newlines, braces and separators in a value stay text."""
    text = "'\"\\ {last.__class__} \n\r\u2028 \x00 é 😀 %s $x"
    run = runbooks.run(
        make("from lmops.runbooks import show_result\nshow_result('ok', evidence={'last': last})"),
        {"last": text},
        progress=False,
        html=False,
    )
    assert run.result["evidence"]["last"] == text


def test_a_refused_run_is_recorded_and_runs_nothing(runbooks, host, make, tmp_path):
    """A hostile name leaves a record and no trace of its code."""
    path = make("1")
    with pytest.raises(RunbookRefusedError):
        runbooks.run(path, {f"s=1;open({str(tmp_path / 'hit')!r},'w')#": 1})
    (run,) = runbooks.runs()
    assert (run.status, run.notebook_path) == ("refused", None)
    assert "is not a parameter name" in run.error
    assert not (tmp_path / "hit").exists()
    assert not (host.store.path / "runs").exists()


def test_a_failing_cell_is_named_and_the_rest_is_kept(runbooks, make, warm_kernels):
    """The record says which cell failed and why; the executed part of the notebook is there."""
    run = runbooks.run(make("print('first')", "# divide\n1 / 0", "print('never')"), {"top": 1}, progress=False)
    assert run.status == "failed"
    cell = run.failing_cell
    assert (cell["number"], cell["of"], cell["title"], cell["ename"]) == (4, 5, "divide", "ZeroDivisionError")
    assert "division by zero" in cell["traceback"]
    assert "\x1b" not in cell["traceback"]
    notebook = nbformat.read(run.notebook_path, 4)
    assert [c.metadata.papermill.status for c in notebook.cells] == ["completed"] * 4 + ["failed", "pending"]
    assert notebook.cells[cell["index"]].id == cell["cell_id"]
    assert "division by zero" in run.html_path.read_text()
    with pytest.raises(RunbookError, match="divide"):
        run.raise_for_status()


def test_a_cell_that_takes_too_long_ends_the_run_with_its_children(runbooks, make, tmp_path):
    """A timeout is its own status; a process that the cell started is gone as well."""
    pid_file = tmp_path / "pid"
    run = runbooks.run(
        make(
            "import pathlib, subprocess\nchild = subprocess.Popen(['sleep', '60'])\n"
            f"pathlib.Path({str(pid_file)!r}).write_text(str(child.pid))\nprint('begun')\nchild.wait()"
        ),
        timeout_s=8,
        progress=False,
        html=False,
    )
    assert run.status == "timeout"
    assert run.failing_cell["evalue"] == "the runbook took longer than 8 s"
    assert "begun" in run.notebook_path.read_text()
    assert not _is_alive(int(pid_file.read_text()))


def test_one_slow_cell_is_stopped_by_its_own_limit(runbooks, make):
    """The limit of a cell does not need a limit of the run."""
    run = runbooks.run(make("import time; time.sleep(60)"), cell_timeout_s=1, progress=False, html=False)
    assert (run.status, run.error) == ("timeout", "TimeoutError: the cell took longer than 1 s")


def test_a_killed_kernel_is_a_clear_record(runbooks, make):
    """A kernel that dies ends the run soon, with the cell it died in."""
    run = runbooks.run(make("print('a')", "import os; os.kill(os.getpid(), 9)", "1"), progress=False, html=False)
    assert (run.status, run.failing_cell["number"]) == ("killed", 3)
    assert "the kernel died" in run.error
    statuses = [c.metadata.papermill.status for c in nbformat.read(run.notebook_path, 4).cells]
    assert statuses == ["completed"] * 3 + ["failed", "pending"]


def test_two_runs_at_once_do_not_collide(runbooks, make):
    """Each run has a folder and a kernel of its own, also from threads of one process."""
    path = make("from lmops.runbooks import show_result\nshow_result('ok', summary={'top': top})")
    done = []
    threads = [
        threading.Thread(target=lambda n=n: done.append(runbooks.run(path, {"top": n}, progress=False, html=False)))
        for n in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(run.result["summary"]["top"] for run in done) == [0, 1]
    assert len({run.notebook_path for run in done}) == 2


def test_it_runs_inside_a_running_event_loop(runbooks, make, warm_kernels):
    """A notebook's cell runs in an event loop; a runbook can be run from it."""
    import asyncio

    async def cell():
        return runbooks.run(make("1"), progress=False, html=False)

    assert asyncio.run(cell()).status == "ok"


def test_the_working_directory_does_not_matter(runbooks, make, tmp_path, monkeypatch, warm_kernels):
    """A path is read from where one is; the output goes where it always goes, or into the given folder."""
    make("1", folder=tmp_path / "else{where}")
    monkeypatch.chdir(tmp_path / "else{where}")
    run = runbooks.run("demo.ipynb", output_dir="out", progress=False, html=False)
    assert run.status == "ok"
    assert run.notebook_path.is_relative_to(tmp_path / "else{where}" / "out")


def test_names_are_found_and_the_nearest_is_suggested(runbooks, host, make, monkeypatch, tmp_path):
    """The project's runbooks come before those of the package; a broken one says why."""
    monkeypatch.chdir(tmp_path)
    folder = host.store.path.parent / "notebooks" / "runbooks"
    make("1", folder=folder, name="weekly")
    make("1", folder=folder, name="broken", declared="top = 1")
    found = {one.name: one for one in runbooks.list()}
    assert found["weekly"].title == "A demo"
    assert "is not of the form" in found["broken"].problem
    assert runbooks.show("weekly").path == folder / "weekly.ipynb"
    with pytest.raises(NotFoundError, match="did you mean 'weekly'"):
        runbooks.run("weekli")
    with pytest.raises(NotFoundError):
        runbooks.show("../weekly")


@pytest.mark.parametrize("content", ["", "{}", "[]", "not json", '{"nbformat": 4, "cells": 3}'])
def test_a_file_that_is_no_notebook_is_refused(runbooks, tmp_path, content):
    """Anything that is not a notebook is refused, and recorded."""
    path = tmp_path / "x.ipynb"
    path.write_text(content)
    with pytest.raises(RunbookRefusedError, match=r"x\.ipynb"):
        runbooks.run(path)
    assert runbooks.runs()[0].status == "refused"


def test_a_read_only_store_asks_for_a_folder(runbooks, host, make):
    """Nothing is written into a store that was opened read-only."""
    with Store.open(host.store.path, read_only=True) as store:
        reader = Runbooks(Project(store=store, actor="tester"))
        with pytest.raises(RunbookRefusedError, match="output_dir"):
            reader.run(make("1"))


def test_an_interrupted_run_is_recorded_as_killed(make, runbooks, host, tmp_path):
    """Ctrl+C kills the kernel, keeps the notebook and the record, and still interrupts the caller."""
    path = make("print('begun', flush=True)", "import time; time.sleep(60)")
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, lmops\n"
        "def cell(number, *_): print('cell', number, flush=True)\n"
        "lmops.open(sys.argv[2]).runbooks.run(sys.argv[1], progress=cell, html=False)\n"
    )
    process = subprocess.Popen(
        [sys.executable, str(script), str(path), str(host.store.path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )
    for line in process.stdout:
        if line == "cell 3\n":
            break
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert [run.status for run in runbooks.runs()] == ["killed"]
    assert process.returncode != 0


# what is kept


def test_the_page_loads_nothing_and_draws_charts_itself(runbooks, make, warm_kernels):
    """Charts stay small in the notebook; the page has one plotly.js and asks no server for anything."""
    run = runbooks.run(
        make(
            "import plotly.graph_objects as go\nbar = go.Bar(x=['</script>'], y=[1])",
            "for _ in range(3):\n    go.Figure(bar).show()",
            "import ipywidgets\nipywidgets.IntSlider()",
        ),
        progress=False,
    )
    assert run.status == "ok"
    assert run.notebook_path.stat().st_size < 200_000
    assert "widgets" not in nbformat.read(run.notebook_path, 4).metadata
    page = run.html_path.read_text()
    assert page.count('class="lmops-figure"') == 3
    assert page.count("const packed") == 1
    assert not re.search(r"<(?:script|link|img|iframe)[^>]*(?:src|href)\s*=\s*[\"']?(?:https?:)?//", page)
    assert "default-src 'none'" in page
    assert page.count("</script>") == 4  # three figures and ours: text in a chart closes nothing


def test_a_page_without_charts_is_small(runbooks, make, warm_kernels):
    """plotly.js comes with charts only."""
    run = runbooks.run(make("import pandas as pd\npd.DataFrame({'a': ['<b>x</b>']})"), progress=False)
    page = run.html_path.read_text()
    assert len(page) < 40_000
    assert "&lt;b&gt;x&lt;/b&gt;" in page


def test_markup_in_an_output_cannot_forge_the_library_of_the_page():
    """The packed library stands inside our own script, where no output can put another one."""
    output = new.new_output("display_data", data={"text/html": '<script id="plotly-js">x</script><i id="packed">'})
    page = _html.page(new.new_notebook(cells=[new.new_code_cell("1", outputs=[output])]), title="<t>", facts=[])
    assert "<title>&lt;t&gt;</title>" in page
    assert "nonce-" in page
    assert re.findall(r"<script[^>]*nonce", page) == []


def test_a_page_hides_headings_below_which_nothing_stands():
    """As in a dry run; a heading with a part that says something stays."""
    head, code = new.new_markdown_cell, new.new_code_cell
    said = [new.new_output("stream", text="x")]
    cells = [
        head("# T"),
        head("## A"),
        code("1"),
        head("### B"),
        code("1"),
        head("## C"),
        head("### D"),
        code("1", outputs=said),
    ]
    page = _html.page(new.new_notebook(cells=[*cells, head("## E\n\nwords"), head("## F")]), title="t", facts=[])
    marked = re.findall(r'celltag_lmops-empty".*?<h\d[^>]*>(\w)', page, re.DOTALL)
    assert marked == ["A", "B", "F"]
    assert ".celltag_lmops-empty) { display: none; }" in page


def test_a_failed_run_has_no_result_by_accident(runbooks, make, warm_kernels):
    """The result of a run is what its own notebook showed, and None without one."""
    assert runbooks.run(make("1"), progress=False, html=False).result is None


def test_show_result_escapes_and_refuses(capsys):
    """Outside a notebook the text form is printed; what has no JSON form is refused."""
    show_result("ok", summary={"cost_usd": None, "traces": 2048})
    assert capsys.readouterr().out == "decision: ok\ncost_usd: -\ntraces: 2,048\n"
    with pytest.raises(ValueError, match="plain values"):
        show_result("ok", summary={"x": object()})
    with pytest.raises(ValueError, match="decision"):
        show_result(" ")


def test_a_run_says_what_it_is():
    """The repr is what a person reads after a run."""
    fields = RunbookRun.__dataclass_fields__
    assert {"run_id", "status", "failing_cell", "sha256", "result"} <= set(fields)


def _is_alive(pid):
    for _ in range(50):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        # a zombie is dead, but has no parent left here that would collect it
        stat = Path(f"/proc/{pid}/stat")
        if stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z":
            return False
        time.sleep(0.1)
    return True


def test_a_value_stands_with_its_interval_and_an_id_with_its_start(capsys):
    """Three columns become one; a whole id is in the title of its cell."""
    import pandas as pd

    frame = pd.DataFrame(
        {
            "trace_id": ["ab" * 16, "cd" * 16],
            "error_rate": [0.5, None],
            "error_rate_low": [0.1, None],
            "error_rate_high": [0.9, None],
        }
    )
    show_table(frame)
    assert capsys.readouterr().out.splitlines() == [
        "trace_id                     error_rate",
        "abababababab  50.0 % (10.0 % to 90.0 %)",
        "cdcdcdcdcdcd                          -",
    ]
    assert f'title="{"ab" * 16}"' in table_html(["trace_id"], [[cell("trace_id", "ab" * 16)]], [False], "")


def test_numbers_are_shown_large_with_a_note(capsys):
    """Units come from the names, a missing number is a dash."""
    show_numbers({"traces": 2000, "cost_usd": None, "p95_ms": 4308.2}, notes={"traces": "<17,518> spans"})
    assert capsys.readouterr().out.splitlines() == ["traces  2,000  <17,518> spans", "cost    -", "p95     4.31 s"]


def test_a_table_shows_units_dashes_and_text(capsys):
    """A missing value is a dash, a column's name says its unit, and markup stays text."""
    import pandas as pd

    frame = pd.DataFrame({
        "name": ["<b>", None], "cost_usd": [0.0123, None], "latency_ms": [1234.5, 1.0], "error_rate": [0.5, 0.0],
        "at": pd.to_datetime(["2026-03-01 00:00:00", "2026-03-01 12:00:01"], utc=True), "calls": [1000, 2],
        "models": [["a", "b"], []],
    })  # fmt: skip  # arguments that belong together share a line
    show_table(frame)
    assert capsys.readouterr().out.splitlines() == [
        "name  cost_usd  latency_ms  error_rate  at                   calls  models",
        "<b>    $0.0123      1.23 s      50.0 %  2026-03-01           1,000  a, b",
        "-            -        1 ms       0.0 %  2026-03-01 12:00:01      2",
    ]
    assert "&lt;b&gt;" in table_html(["name"], [[Cell("<b>")]], [False], "")
    with pytest.raises(ValueError, match="did you mean 'calls'"):
        show_table(frame, ["call"])
    show_table(frame.head(0))
    assert capsys.readouterr().out.endswith("no rows\n")


def test_an_executed_notebook_runs_again_with_the_values_of_now(runbooks, make, warm_kernels):
    """The cell of the run before is gone, with new values and without: record and notebook say the same."""

    def said(run):
        cells = nbformat.read(run.notebook_path, 4).cells
        return "".join(output.get("text", "") for cell in cells for output in cell.get("outputs", ())).strip()

    source = make("print('last is', last)")
    first = runbooks.run(source, {"last": "1d"}, progress=False, html=False)
    again = runbooks.run(first.notebook_path, {"last": "2d"}, progress=False, html=False)
    bare = runbooks.run(again.notebook_path, progress=False, html=False)
    assert [said(run) for run in (first, again)] == ["last is 1d", "last is 2d"]
    assert said(bare) == f"last is {bare.parameters['last']}"
