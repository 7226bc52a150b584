"""Notebooks as repeatable runbooks: parameters checked before anything runs, every run recorded.

A runbook is an ordinary notebook with a cell tagged ``parameters``, in which every line reads
``name: type = default  # unit and meaning``. Its last cell calls ``show_result(...)``.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import secrets
import sys
import time
from dataclasses import dataclass, replace
from datetime import UTC
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lmops.base.endings import Logged
from lmops.base.public import only
from lmops.errors import MissingDependencyError, RunbookRefusedError, interrupted, system_in_words
from lmops.progress import Progress
from lmops.runbooks import _html, _notebook, _parameters
from lmops.runbooks._decision import answer_of
from lmops.runbooks._journal import Journal
from lmops.runbooks._notebook import Runbook
from lmops.runbooks._parameters import Parameter
from lmops.runbooks._records import RunbookRun
from lmops.runbooks._result import MIMETYPE, read_result, show_result
from lmops.runbooks._table import show_numbers, show_table, show_value

if TYPE_CHECKING:
    import builtins
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from lmops.records import Project
    from lmops.runbooks._execute import Outcome

__all__ = [
    "MIMETYPE",
    "Parameter",
    "Runbook",
    "RunbookRun",
    "Runbooks",
    "read_result",
    "show_numbers",
    "show_result",
    "show_table",
    "show_value",
]
__dir__ = only(__all__)

_log: Final = logging.getLogger(__name__)


class Runbooks:
    """The runbooks that can be run here, and running them: ``ws.runbooks``.

    Args:
        project: Whose runs they are.
    """

    def __init__(self, project: Project) -> None:
        self._project = project

    def __repr__(self) -> str:
        return f"Runbooks({', '.join(_notebook.available(self._folders()))})"

    def list(self) -> builtins.list[Runbook]:
        """Return every runbook that can be run by name, sorted by name.

        They are found in ``notebooks/runbooks`` of the working directory, then of the store's project, then among
        those that come with the package; an earlier one hides a later one of the same name.
        """
        found = _notebook.available(self._folders())
        return [_notebook.describe(found[name]) for name in sorted(found)]

    def show(self, runbook: str | Path) -> Runbook:
        """Return one runbook by name or path: its title and parameters.

        Raises:
            NotFoundError: There is no such runbook.
        """
        return _notebook.describe(_notebook.find(runbook, self._folders()))

    def runs(self, *, limit: int = 50) -> builtins.list[RunbookRun]:
        """Return the newest recorded runs, the newest first.

        A run whose runner was killed is recorded as lost, with what it had changed. ``problem`` of a run says that its
        executed notebook is no longer the one that was recorded.
        """
        return self._journal().runs(limit)

    def settle(self) -> builtins.list[RunbookRun]:
        """Record every run as lost whose runner was killed, end what it left running, and return these runs."""
        return self._journal().settle()

    def run(
        self,
        runbook: str | Path,
        params: Mapping[str, object] | None = None,
        *,
        assignments: Iterable[str] = (),
        timeout_s: float | None = None,
        cell_timeout_s: float | None = None,
        output_dir: str | Path | None = None,
        html: bool = True,
        progress: bool | Callable[[int, int, str], None] = True,
    ) -> RunbookRun:
        """Run a notebook in a kernel of its own and return the recorded run, also when a cell failed.

        It works in the folder that it lies in, as in JupyterLab; one of the package in that of the store's project.

        Args:
            runbook: Name of a runbook, or the path of a notebook.
            params: Values by declared name, of the declared types.
            assignments: Texts ``name=value``, read by the declared types, as a command line has them.
            timeout_s: Most seconds for the whole run; None is without limit.
            cell_timeout_s: Most seconds for one cell; None is without limit.
            output_dir: Folder for the run's own folder; ``runs`` in the store when None.
            html: Whether to write an HTML page beside the executed notebook.
            progress: Whether to show how far it is, or a function that is called with (cell, cells, title).

        Raises:
            MissingDependencyError: What runs notebooks is not installed.
            NotFoundError: There is no such runbook.
            RunbookRefusedError: A name is not declared, a value does not fit, or the notebook cannot be run.
                Recorded, and no cell has run.
            KeyboardInterrupt: The caller was interrupted; the kernel is dead and the run is recorded as killed.
        """
        path = _notebook.find(runbook, self._folders())
        _need_a_kernel()
        journal = self._journal()
        job = self._job(journal, path, params or {}, assignments, output_dir, html=html)
        journal.begin(job.run)
        try:
            with _Shown(path.stem, progress=progress) as on_cell:
                finished, interrupt = job.execute(on_cell, timeout_s, cell_timeout_s)
        except BaseException as error:  # whatever it is, the record says what ended it
            journal.finish(replace(job.run, status="failed", error=f"{type(error).__name__}: {error}"))
            raise
        finished = journal.finish(finished)
        if interrupt is not None:
            raise interrupt
        return finished

    def _job(
        self,
        journal: Journal,
        path: Path,
        params: Mapping[str, object],
        assignments: Iterable[str],
        output_dir: str | Path | None,
        *,
        html: bool,
    ) -> _Job:
        """Return what is to be run; a refusal is recorded."""
        run = RunbookRun(
            run_id=secrets.token_hex(6),
            name=path.stem,
            notebook=path,
            status="refused",
            parameters={},
            started_at=self._project.now(),
            actor=self._project.actor,
        )
        try:
            parent = self._parent(output_dir)
            notebook, values, defaults = _prepare(path, params, assignments)
        except RunbookRefusedError as error:
            journal.refuse(replace(run, error=str(error)))
            raise
        notebook_path = _new_folder(parent, run) / f"{_slug(path.stem)}.ipynb"
        return _Job(
            run=replace(run, status="running", parameters={**defaults, **values}, notebook_path=notebook_path),
            notebook=notebook,
            values=values,
            defaults=defaults,
            beat=lambda: journal.beat(run.run_id),
            store_path=Path(self._project.store.path).resolve(),
            cwd=self._works_in(path),
            html=html,
        )

    def _journal(self) -> Journal:
        return Journal(self._project)

    def _folders(self) -> Sequence[Path]:
        places = dict.fromkeys((Path.cwd(), self._folder()))
        return [*(place / "notebooks" / "runbooks" for place in places), _notebook.shipped_folder()]

    def _works_in(self, notebook: Path) -> Path:
        """Return the folder that a notebook works in, in which its paths begin: where it lies, as in JupyterLab.

        One that came with the package, or was executed, lies where nobody has a file: it works in the store's project.
        """
        lies_elsewhere = (_notebook.shipped_folder(), Path(self._project.store.path).resolve())
        return self._folder() if any(map(notebook.is_relative_to, lies_elsewhere)) else notebook.parent

    def _folder(self) -> Path:
        """Return the folder of the store's project, wherever lmops is started from."""
        store = Path(self._project.store.path).resolve()
        # a store of another name may lie anywhere, beside things that have nothing to do with it
        return store.parent if store.name == ".lmops" else Path.cwd()

    def _parent(self, output_dir: str | Path | None) -> Path:
        """Return the folder in which the run gets its own."""
        if output_dir is not None:
            return Path(output_dir).expanduser().resolve()
        if self._project.store.is_read_only:
            raise RunbookRefusedError(
                "the store is open read-only, so the run needs a folder of its own: output_dir=..."
            )
        runs = Path(self._project.store.path).resolve() / "runs"
        if runs.is_symlink():
            raise RunbookRefusedError(f"{runs} is a link and is not followed; name the folder: output_dir=...")
        return runs


@dataclass(slots=True, kw_only=True)
class _Job:
    """One accepted run: the notebook to execute and where it goes."""

    run: RunbookRun
    notebook: Any
    values: dict[str, object]
    defaults: dict[str, object]
    store_path: Path
    cwd: Path
    html: bool
    beat: Callable[[], None]

    def execute(
        self, on_cell: Callable[[int, int, str], None], timeout_s: float | None, cell_timeout_s: float | None
    ) -> tuple[RunbookRun, KeyboardInterrupt | None]:
        """Return the finished run, and the interrupt that ended it."""
        from lmops.runbooks import _execute

        began = time.monotonic()
        execution = _execute.Execution(
            notebook=_execute.inject(self.notebook, self.values, self.defaults),
            cwd=self.cwd,
            env=_environment(self.store_path, self.run),
            on_cell=on_cell,
            save=lambda: self._save(execution.notebook),
            run_id=self.run.run_id,
            beat=self.beat,
            timeout_s=timeout_s,
            cell_timeout_s=cell_timeout_s,
        )
        interrupt: KeyboardInterrupt | None = None
        try:
            outcome = execution.run()
        except KeyboardInterrupt:
            interrupt = interrupted("the run is recorded as killed; ws.runbooks.runs() shows it")
            outcome = _execute.Outcome(status="killed", error="KeyboardInterrupt: interrupted")
        self.notebook = execution.notebook
        return self._finish(outcome, time.monotonic() - began), interrupt

    def _path(self) -> Path:
        if self.run.notebook_path is None:
            raise AssertionError("a job has a path")
        return self.run.notebook_path

    def _save(self, notebook: Any) -> None:
        _write(notebook, self._path())

    def _finish(self, outcome: Outcome, duration_s: float) -> RunbookRun:
        """Write the notebook and its page, and return the run with what they hold."""
        self.run = replace(
            self.run,
            status=outcome.status,
            failing_cell=outcome.failing_cell,
            error=outcome.error,
            duration_s=round(duration_s, 3),
            result=read_result(self.notebook),
        )
        self.notebook.metadata.pop("widgets", None)
        self.notebook.metadata["lmops"] = {
            "run_id": self.run.run_id,
            "runbook": self.run.name,
            "status": self.run.status,
            "actor": self.run.actor,
            "started_at": self.run.started_at.isoformat(),
        }
        sha256 = hashlib.sha256(_write(self.notebook, self._path())).hexdigest()
        self.run = replace(self.run, sha256=sha256)
        if self.html:
            self.run = replace(self.run, html_path=self._write_page())
        return self.run

    def _write_page(self) -> Path | None:
        """Return the path of the page; None when it could not be made, which does not undo the run."""
        path = self._path().with_suffix(".html")
        title = _notebook.heading(self.notebook) or self.run.name
        # The run is done: losing its record over a page would be worse.
        with Logged(_log, "no HTML page for run %s of %s", self.run.run_id, self.run.name, level=logging.ERROR):
            run = self.run
            answer = answer_of(run.status, run.result, run.failing_cell, run.error)
            page = _html.page(self.notebook, title=title, facts=_facts(run), answer=answer)
            path.write_text(page, encoding="utf-8")
            return path
        return None


class _Shown:
    """Context manager that gives the function called before each cell."""

    def __init__(self, name: str, *, progress: bool | Callable[[int, int, str], None]) -> None:
        self._given = progress
        self._line = Progress(name, unit="cells") if progress is True else None

    def __enter__(self) -> Callable[[int, int, str], None]:
        if callable(self._given):
            return self._given
        line = self._line
        if line is None:
            return lambda _number, _count, _title: None
        return lambda number, count, title: line.update(number - 1, total=count, note=title)

    def __exit__(self, *_: object) -> None:
        if self._line is not None:
            self._line.close()


def _need_a_kernel() -> None:
    """Raise before anything is recorded, when what runs notebooks is not installed."""
    for package in ("ipykernel", "nbconvert", "papermill"):
        if find_spec(package) is None:
            raise MissingDependencyError.of(package, "runbooks")


def _prepare(
    path: Path, params: Mapping[str, object], assignments: Iterable[str]
) -> tuple[Any, dict[str, object], dict[str, object]]:
    """Return the notebook, the checked values and the defaults."""
    notebook = _notebook.read(path)
    declared = _notebook.parameters(notebook, where=path.name)
    values = _parameters.bind(declared, params, assignments)
    return notebook, values, {parameter.name: parameter.default for parameter in declared}


def _environment(store_path: Path, run: RunbookRun) -> dict[str, str]:
    """Return the environment of the kernel."""
    own = {
        "LMOPS_STATIC": "1",  # widgets show text and HTML, and open no comm
        "LMOPS_STORE": str(store_path),
        "LMOPS_RUN_ID": run.run_id,
        "LMOPS_ACTOR": run.actor,
        "PLOTLY_RENDERER": "plotly_mimetype",  # a few kB a figure; the page brings plotly.js once
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # no debugger's warning in the archived notebook
    }
    # the kernel imports the same lmops also when it runs from a source tree that is not installed
    source = str(Path(__file__).resolve().parents[2])
    paths = [source] if source in sys.path and not source.endswith("site-packages") else []
    inherited = os.environ.get("PYTHONPATH")
    if paths:
        own["PYTHONPATH"] = os.pathsep.join(paths + ([inherited] if inherited else []))
    return {**os.environ, **own}


def _new_folder(parent: Path, run: RunbookRun) -> Path:
    """Return a new folder for one run; its name is made of our own characters only."""
    stamp = run.started_at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    folder = parent / f"{stamp}-{_slug(run.name)}-{run.run_id}"
    # What a run shows is as private as the store that it was read from.
    with system_in_words(folder):
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700)
    return folder


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name)[:60].strip("-") or "runbook"


def _write(notebook: Any, path: Path) -> bytes:
    """Write the notebook, whole or not at all, and return what was written."""
    import nbformat

    content: bytes = (nbformat.writes(notebook, indent=1) + "\n").encode()
    beside = path.with_suffix(".tmp")
    with system_in_words(path):
        beside.write_bytes(content)
        beside.replace(path)
    return content


def _facts(run: RunbookRun) -> list[tuple[str, str, str]]:
    """Return where a report comes from, for its end."""
    rows = [
        ("runbook", run.name, ""),
        ("status", run.status, "ok" if run.status == "ok" else "bad"),
        ("started", run.started_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"), ""),
        ("duration", f"{run.duration_s:.1f} s" if run.duration_s is not None else "-", ""),
        ("by", run.actor, ""),
        ("parameters", ", ".join(f"{name}={value!r}" for name, value in run.parameters.items()) or "-", ""),
    ]
    if run.failing_cell is not None:
        cell = run.failing_cell
        rows.append(("stopped at", f"cell {cell['number']} of {cell['of']}: {cell['title']}", "bad"))
    if run.error is not None:
        rows.append(("error", run.error, "bad"))
    return [*rows, ("run", run.run_id, ""), ("notebook SHA-256", run.sha256 or "-", "")]
