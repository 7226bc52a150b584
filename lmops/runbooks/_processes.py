"""Ending every process of a run: the kernel, its children, and whoever left its process group or session."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import psutil

RUN_VARIABLE: Final = "LMOPS_RUN_ID"
#: A process may start another one while it is looked for: look again, but not for ever.
_ROUNDS: Final = 20


def end_all(run_id: str) -> int:
    """Kill every process of a run and return how many there were; harmless when there is none.

    They are found by what the environment of the kernel names, which stays with a process that left its parent, its
    group and its session; and with them everything that descends from one.
    """
    ended: set[int] = set()
    for _ in range(_ROUNDS):
        found = _members(run_id)
        if not found:
            break
        for process in found:
            ended.add(process.pid)
            with contextlib.suppress(OSError, _gone()):
                process.kill()
        time.sleep(0.02)
    return len(ended)


def _members(run_id: str) -> list[psutil.Process]:
    import psutil

    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(RUN_VARIABLE) == run_id:
                found |= {one.pid: one for one in (process, *process.children(recursive=True))}
    return [process for pid, process in found.items() if pid != os.getpid() and _is_running(process)]


def _is_running(process: psutil.Process) -> bool:
    import psutil

    with contextlib.suppress(psutil.Error):
        return bool(process.is_running()) and process.status() != psutil.STATUS_ZOMBIE
    return False


def _gone() -> type[Exception]:
    import psutil

    error: type[Exception] = psutil.Error
    return error
