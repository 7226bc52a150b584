"""Executing one prepared notebook with papermill in a kernel of the running interpreter.

papermill is used for what it does well (its injected cell, its bookkeeping of cells, its client) and kept from what
it does on its own: it never sees a parameter name that was not checked, formats no path and changes no directory.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import os
import re
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import nbformat
import papermill.engines
import papermill.execute
import papermill.parameterize
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.exceptions import PapermillExecutionError

from lmops.base.endings import Undone
from lmops.base.kernels import Manager, ThisInterpreter, encryption
from lmops.runbooks import _notebook
from lmops.runbooks._journal import BEAT_S
from lmops.runbooks._output import OutputLimit
from lmops.runbooks._processes import end_all

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

ENGINE: Final = "lmops"
KERNEL: Final = "python3"
INJECTED_TAG: Final = "injected-parameters"
#: How long output is waited for after its cell has ended; a loaded machine needs more than the default 4 s.
_IOPUB_TIMEOUT_S: Final = 30
_START_TIMEOUT_S: Final = 120
#: Messages of a kernel that put something into the notebook.
_SHOWN: Final = frozenset({"stream", "display_data", "execute_result", "update_display_data", "error"})
_ANSI: Final = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")

Status = Literal["ok", "failed", "timeout", "killed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an execution ended; ``failing_cell`` is None when every cell ran."""

    status: Status
    failing_cell: dict[str, object] | None = None
    error: str | None = None


@dataclass(slots=True, kw_only=True)
class Execution:
    """One execution of one notebook, and the limits it runs under.

    ``notebook`` is changed in place: cell by cell it becomes the executed notebook. ``on_cell`` is called before each
    code cell with its number, how many there are and its title; ``save`` after each change worth keeping; ``beat`` now
    and then. Whatever the run started ends with it, however it ends.
    """

    notebook: Any
    cwd: Path
    env: Mapping[str, str]
    on_cell: Callable[[int, int, str], None]
    save: Callable[[], None]
    run_id: str
    beat: Callable[[], None]
    timeout_s: float | None = None
    cell_timeout_s: float | None = None
    index: int | None = None
    is_interrupted: bool = False
    _manager: Any = None
    _deadline: float | None = None

    def run(self) -> Outcome:
        """Execute the notebook in a thread of its own, so that it also works where an event loop is running.

        Raises:
            KeyboardInterrupt: The caller was interrupted; the kernel has been killed by then.
        """
        if self.timeout_s is not None:
            self._deadline = time.monotonic() + self.timeout_s
        with concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="lmops-runbook") as pool:
            future = pool.submit(self._run)
            try:
                while True:
                    with contextlib.suppress(concurrent.futures.TimeoutError):
                        return future.result(BEAT_S)
                    self.beat()
            except KeyboardInterrupt:
                self.is_interrupted = True
                self.kill()
                concurrent.futures.wait([future])
                raise

    def kill(self) -> None:
        """Kill the kernel and every process it started; harmless when it is gone."""
        pid = getattr(getattr(self._manager, "provisioner", None), "pid", None)
        if pid is not None and hasattr(os, "killpg"):
            # the kernel leads a process group of its own: this reaches most of it in one call
            with contextlib.suppress(OSError):
                os.killpg(pid, signal.SIGKILL)
        end_all(self.run_id)

    def client_options(self) -> dict[str, object]:
        """Return what the notebook client is made with."""
        self._manager = Manager(kernel_name=KERNEL, kernel_spec_manager=ThisInterpreter(), **encryption())
        return {
            "km": self._manager,
            "timeout_func": self._cell_limit,
            "startup_timeout": _START_TIMEOUT_S,
            "iopub_timeout": _IOPUB_TIMEOUT_S,
            # widget views are static in a runbook; their state would only make the file large
            "store_widget_state": False,
            "on_cell_start": self._on_cell_start,
            "on_cell_complete": self._on_cell_complete,
        }

    def _run(self) -> Outcome:
        _register()
        try:
            papermill.execute.execute_notebook(
                self.notebook,
                None,
                engine_name=ENGINE,
                kernel_name=KERNEL,
                language="python",
                progress_bar=False,
                autosave_cell_every=0,
                execution=self,
            )
        except PapermillExecutionError as error:
            return self._failed("failed", error.ename, str(error.evalue), error.traceback, error.cell_index)
        except CellTimeoutError:
            limit = f"the output of the cell had not come {_IOPUB_TIMEOUT_S} s after its end"
            if self._is_late():
                limit = f"the runbook took longer than {self.timeout_s:g} s"
            elif self.cell_timeout_s is not None:
                limit = f"the cell took longer than {self.cell_timeout_s:g} s"
            return self._failed("timeout", "TimeoutError", limit)
        except DeadKernelError:
            reason = "interrupted" if self.is_interrupted else "the kernel died (killed, out of memory or crashed)"
            return self._failed("killed", "KeyboardInterrupt" if self.is_interrupted else "DeadKernelError", reason)
        except Exception as error:  # noqa: BLE001 - whatever the kernel's machinery raises ends in the record
            return self._failed("failed", type(error).__name__, str(error))
        finally:
            end_all(self.run_id)
            _close_event_loop()
        return Outcome(status="ok")

    def _failed(
        self, status: Status, ename: str, evalue: str, traceback: list[str] | None = None, index: int | None = None
    ) -> Outcome:
        """Return the outcome, and mark in the notebook which cells ran and which did not."""
        # papermill marks every cell as completed when its kernel is gone
        notebook = papermill.execute.remove_error_markers(self.notebook)
        self.notebook.cells = notebook.cells
        index = self.index if index is None else index
        error = f"{ename}: {_short(evalue, 500)}" if evalue else ename
        if index is None:
            return Outcome(status=status, error=f"before the first cell: {error}")
        for at, cell in enumerate(self.notebook.cells):
            marks = cell.metadata.setdefault("papermill", {})
            if at == index:
                marks.update(status="failed", exception=True)
            elif at > index:
                marks.update(status="pending", exception=None)
        cell = self.notebook.cells[index]
        failing: dict[str, object] = {
            "index": index,
            "number": _number(self.notebook, index),
            "of": _code_cells(self.notebook),
            "cell_id": cell.get("id"),
            "title": _notebook.cell_title(self.notebook, index),
            "source": _short(cell.source, 1000),
            "ename": ename,
            "evalue": _short(evalue, 500),
            "traceback": _short_traceback(traceback or []),
        }
        return Outcome(status=status, failing_cell=failing, error=error)

    def _is_late(self) -> bool:
        return self._deadline is not None and time.monotonic() >= self._deadline - 0.05

    def _cell_limit(self, _cell: Any) -> float | None:
        """Return the seconds the next cell may take; None is without limit."""
        limits = [limit for limit in (self.cell_timeout_s,) if limit is not None]
        if self._deadline is not None:
            # 0 would mean "no limit" to nbclient
            limits.append(max(0.01, self._deadline - time.monotonic()))
        return min(limits, default=None)

    def _on_cell_start(self, *, cell: Any, cell_index: int) -> None:
        self.index = cell_index
        if cell.cell_type == "code":
            number, count = _number(self.notebook, cell_index), _code_cells(self.notebook)
            self.on_cell(number, count, _notebook.cell_title(self.notebook, cell_index))
            self.save()

    def _on_cell_complete(self, *, cell: Any, cell_index: int) -> None:
        """Let the hook of papermill's client be: the next start saves what this cell showed."""


def inject(notebook: Any, values: Mapping[str, object], defaults: Mapping[str, object]) -> Any:
    """Return the notebook with a cell that assigns the values below its parameters cell.

    A notebook that was executed has such a cell of its run before: it goes, also when there are no values now.
    Every name must be a checked identifier and every value a checked JSON value: papermill writes them into code.
    """
    notebook.metadata["papermill"] = {
        "default_parameters": dict(defaults),
        "parameters": {},
        "environment_variables": {},
        "version": papermill.__version__,
    }
    for cell in notebook.cells:
        cell.metadata.setdefault("tags", [])
    notebook.cells = [cell for cell in notebook.cells if INJECTED_TAG not in cell.metadata["tags"]]
    if not values:
        return notebook
    return papermill.parameterize.parameterize_notebook(
        notebook, dict(values), kernel_name=KERNEL, language="python", engine_name=None, comment="Given to this run"
    )


class _Client(PapermillNotebookClient):  # type: ignore[misc]  # untyped base
    """papermill's client; what cannot be shut down gracefully is killed with its children, what is too much is cut."""

    execution: Execution
    limit: OutputLimit

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        """Take one message of the kernel into the notebook, as much of it as is kept."""
        kind = msg["msg_type"]
        if kind not in _SHOWN:
            return super().process_message(msg, cell, cell_index)
        outs = cell.outputs
        if self.clear_before_next_output:
            self.limit.clear(cell_index)
        last = outs[-1] if outs and not self.clear_before_next_output else None
        content = msg["content"]
        continued = last if kind == "stream" and last is not None and last.get("name") == content["name"] else None
        is_new = continued is None and kind != "update_display_data"
        content = self.limit.admit(cell_index, kind, content, is_new=is_new)
        if content is None:
            return None
        if continued is not None:
            continued["text"] += content["text"]
            return continued
        return super().process_message({**msg, "content": content}, cell, cell_index)

    def clear_output(self, outs: list[Any], msg: dict[str, Any], cell_index: int) -> None:
        """Clear what a cell has shown, as it asks."""
        super().clear_output(outs, msg, cell_index)
        if not outs:
            self.limit.clear(cell_index)

    def execute_cell(self, cell: Any, cell_index: int) -> Any:
        """Execute one cell, and say in it what was not kept."""
        try:
            return super().execute_cell(cell, cell_index)
        finally:
            said = self.limit.said(cell_index)
            if said is not None:
                cell.outputs.append(nbformat.v4.new_output("stream", name="stderr", text=said))

    def papermill_execute_cells(self) -> None:
        """Execute the cells."""
        with Undone(self._give_up):
            super().papermill_execute_cells()

    def _give_up(self) -> None:
        self.shutdown_kernel = "immediate"
        self.execution.kill()


class _Engine(papermill.engines.Engine):  # type: ignore[misc]  # untyped base
    """The papermill engine that runs an ``Execution``."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, *, execution: Execution, **_: object) -> None:
        """Execute the cells of the notebook in a new kernel."""
        client = _Client(nb_man, kernel_name=kernel_name, **execution.client_options())
        client.execution = execution
        client.limit = OutputLimit()
        execution.notebook = nb_man.nb
        client.execute(env=dict(execution.env), cwd=str(execution.cwd), cleanup_kc=True)


def _register() -> None:
    papermill.engines.papermill_engines.register(ENGINE, _Engine)


def _close_event_loop() -> None:
    """Close the event loop that jupyter_core leaves behind in this thread, with what still waits in it."""
    from jupyter_core import utils

    slot = getattr(utils, "_loop", None)
    loop: asyncio.AbstractEventLoop | None = slot.get(None) if slot is not None else None
    if slot is None or loop is None or loop.is_running() or loop.is_closed():
        return
    # a dead kernel leaves the tasks behind that listen to it
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.close()
    slot.set(None)


def _number(notebook: Any, index: int) -> int:
    """Return which code cell a cell is, counted from 1."""
    return sum(cell.cell_type == "code" for cell in notebook.cells[: index + 1])


def _code_cells(notebook: Any) -> int:
    return sum(cell.cell_type == "code" for cell in notebook.cells)


def _short_traceback(lines: list[str]) -> str:
    """Return the end of a traceback without colours."""
    text = _ANSI.sub("", "\n".join(lines))
    return "\n".join(text.splitlines()[-15:])[-2000:]


def _short(text: str, limit: int) -> str:
    clean = _ANSI.sub("", text)
    return clean if len(clean) <= limit else clean[: limit - 3] + "..."
