"""Whether the process that holds something is still there: the same id, started at the same time, on the same host."""

from __future__ import annotations

import functools
import os
import socket
from pathlib import Path
from typing import Final, NamedTuple

#: On another host a process counts as dead when it has not been heard of for this long.
SILENT_S: Final = 60.0


class Process(NamedTuple):
    """What tells one process from all others."""

    pid: int
    started: str | None
    host: str


def this_process() -> Process:
    """Return this process."""
    pid = os.getpid()
    return Process(pid, _started(pid), _host())


def is_alive(process: Process, *, heartbeat_ns: int | None, now_ns: int) -> bool:
    """Return whether a process still runs; on another host, whether it was heard of lately."""
    if process.host != _host():
        return heartbeat_ns is not None and now_ns - heartbeat_ns < SILENT_S * 1e9
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    # The system gives the ids of dead processes to new ones.
    return _started(process.pid) == process.started


def _started(pid: int) -> str | None:
    """Return when a process started, in the system's own unit; None where there is no /proc, "" for a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in ("Z", "X") else fields[19]


@functools.cache
def _host() -> str:
    return socket.gethostname()
