"""What a question may take: time, memory, and the patience of whoever waits for it.

DuckDB looks for neither Ctrl+C nor a clock while it runs a statement. Both reach it from outside: Python's handler of
signals writes a byte to a pipe at once, wherever the main thread is, and a thread that reads the pipe interrupts it.
With the question of the main thread end those that other threads ask for somebody, such as widgets. While the main
thread of a kernel waits for a cell, signals are ignored: :func:`hear_when_idle` hears them then.
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
import re
import select
import signal
import sys
import threading
import time
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lmops.base.endings import Undone
from lmops.errors import QueryError, UsageError, of_system

if TYPE_CHECKING:
    from types import TracebackType

    import duckdb

TIMEOUT_VARIABLE: Final = "LMOPS_TIMEOUT_S"
MEMORY_VARIABLE: Final = "LMOPS_MEMORY_LIMIT"
#: Several notebooks, a receiver and an evaluation share one machine: each takes at most this part of its memory.
MEMORY_SHARE: Final = 0.25
LEAST_MEMORY: Final = 256 * 2**20
#: An interrupt that comes before a statement has begun is lost; so it is repeated until the statement has ended.
_AGAIN_S: Final = 0.01
#: How often, in seconds, the end of a cell is looked for.
_IDLE_S: Final = 0.1
_INTERRUPTED: Final = "it was interrupted"
_SIZE: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]i?B|B)\s*", re.IGNORECASE)
_UNITS: Final = {
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the questions to one store may take."""

    timeout_s: float | None
    memory_bytes: int

    @classmethod
    def of(cls, timeout_s: float | None = None, memory_limit: str | None = None) -> Limits:
        """Return the limits that were given, else those of the environment, else the usual ones.

        Raises:
            UsageError: A limit that is none.
        """
        if timeout_s is None and os.environ.get(TIMEOUT_VARIABLE):
            timeout_s = _seconds(os.environ[TIMEOUT_VARIABLE], TIMEOUT_VARIABLE)
        memory = memory_limit or os.environ.get(MEMORY_VARIABLE)
        asked = "memory_limit" if memory_limit else MEMORY_VARIABLE
        return cls(
            timeout_s=checked_timeout(timeout_s),
            memory_bytes=_bytes(memory, asked) if memory else _usual_memory(),
        )

    def too_large(self, error: Exception) -> QueryError:
        """Return what DuckDB says of its memory as an error that says which limit it was and how to raise it."""
        found = str(error).partition("\n")[0]
        return QueryError(
            f"the result does not fit into memory_limit, {self.memory_bytes / 2**20:,.0f} MiB: {found}; select fewer "
            f"rows or columns, or give it more with lmops.open(memory_limit='8GB') or {MEMORY_VARIABLE}=8GB"
        )


@functools.cache
def _usual_memory() -> int:
    return max(int(memory_of_machine() * MEMORY_SHARE), LEAST_MEMORY)


def checked_timeout(timeout_s: float | None) -> float | None:
    """Return a time limit, or raise for one that is none."""
    if timeout_s is not None and not (timeout_s > 0 and math.isfinite(timeout_s)):
        raise UsageError(f"timeout_s={timeout_s!r} is no time limit: give seconds above 0, or None for no limit")
    return timeout_s


def _seconds(text: str, name: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"{name}={text[:80]!r} is no time limit: give seconds, such as 60") from None


def _bytes(text: str, name: str) -> int:
    found = _SIZE.fullmatch(text)
    size = int(float(found[1]) * _UNITS[found[2].lower()]) if found else 0
    if size < 2**20:
        raise UsageError(f"{name}={text[:80]!r} is no amount of memory: give one such as '2GB' or '512MB'")
    return size


def memory_of_machine(root: Path = Path("/")) -> int:
    """Return the bytes of memory that this process can have: the machine's, or those of its container."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    groups = root / "sys/fs/cgroup"
    own = ""
    with contextlib.suppress(OSError, IndexError):
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
        own = next(line for line in lines if line.startswith("0::"))[3:].strip("/")
    for path in (groups / own / "memory.max", groups / "memory.max", groups / "memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            found.append(int(path.read_text(encoding="ascii")))  # "max" is no number
    return min(found)


class Asking:
    """Ask one question: what runs inside ends at Ctrl+C in the main thread, and after ``timeout_s`` seconds.

    Inside another question of the same thread it is a part of that, with its limits. Leaving it raises QueryError when
    the time was up, or when a signal came whose handler raised nothing.

    Args:
        cursor: The connection that works for it.
        timeout_s: Longest time in seconds.
        is_for_somebody: Ctrl+C ends it in any thread; what a thread asks on its own, such as a drain, goes on.
    """

    # Every query passes here: plain attributes cost a third of what generators and events do.
    __slots__ = (
        "__weakref__",
        "_clock",
        "_cursor",
        "_is_for_somebody",
        "_is_over",
        "_stopping",
        "_theirs",
        "_timeout_s",
        "_whole",
        "cursors",
        "reason",
    )

    def __init__(
        self,
        cursor: duckdb.DuckDBPyConnection | None = None,
        timeout_s: float | None = None,
        *,
        is_for_somebody: bool = False,
    ) -> None:
        self._cursor = cursor
        self._timeout_s = timeout_s
        self._is_for_somebody = is_for_somebody

    def __enter__(self) -> None:
        """Begin, or join the question that this thread asks already."""
        whole: Asking | None = getattr(_HERE, "question", None)
        self._whole = whole or self
        # A second Ctrl+C may come anywhere; the next question must not find this one going on.
        with Undone(self._whole.end):
            if whole is None:
                self._begin()
            self._whole.raise_if_stopped()
            if self._cursor is not None:
                self._whole.cursors.append(self._cursor)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it; whoever wants to stop it lets go."""
        if self._whole is not self:
            if self._cursor is not None:
                self._whole.cursors.remove(self._cursor)
            return
        self.end()
        is_swallowed = kind is RuntimeError and str(error) == "Query interrupted"
        if kind is None or not (is_swallowed or kind.__name__ == "InterruptException"):
            return
        if self.reason in (None, _INTERRUPTED) and self._is_main:
            # The handler of the signal, which raises KeyboardInterrupt, has its turn now and not a little later.
            signal.pthread_sigmask(signal.SIG_BLOCK, ())
            # DuckDB may have called it already, and have dropped what it raised.
            if is_swallowed or signal.getsignal(signal.SIGINT) is signal.default_int_handler:
                raise KeyboardInterrupt from None
        raise QueryError(f"the question was stopped: {self.reason or error}") from error

    def _begin(self) -> None:
        self.cursors: list[duckdb.DuckDBPyConnection] = []
        self.reason: str | None = None
        self._is_over = False
        self._stopping = threading.Lock()
        self._clock: threading.Timer | None = None
        self._theirs: int | None = None
        _HERE.question = self
        if self._timeout_s is not None:
            self._clock = threading.Timer(self._timeout_s, self.stop, (_time_is_up(self._timeout_s),))
            self._clock.daemon = True
            self._clock.start()
        if self._is_main:
            self._theirs = _SIGNALS.enter(self)
        elif self._is_for_somebody:
            _ELSEWHERE.add(self)

    def end(self) -> None:
        """Let go of clock and signals; whoever is stopping it has done so."""
        _HERE.question = None
        self._is_over = True
        _ELSEWHERE.discard(self)
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None
        if self._theirs is not None:
            _SIGNALS.leave(self._theirs)
            self._theirs = None
        if self.reason is not None:
            # Nobody holds a connection any more when this returns: the process may be about to end.
            with self._stopping:
                self.cursors = []

    @property
    def _is_main(self) -> bool:
        return threading.get_ident() == threading.main_thread().ident

    def raise_if_stopped(self) -> None:
        """Raise when it should end, which came while nothing ran in DuckDB."""
        if self.reason is not None:
            import duckdb

            raise duckdb.InterruptException(self.reason)

    def stop(self, reason: str) -> None:
        """Interrupt it until it is over; called in another thread."""
        with self._stopping:
            self.reason = self.reason or reason
            while not self._is_over:
                self._interrupt()
                time.sleep(_AGAIN_S)

    def _interrupt(self) -> None:
        for cursor in list(self.cursors):
            with contextlib.suppress(Exception):  # a connection that was closed meanwhile
                cursor.interrupt()


class _Signals:
    """Brings Ctrl+C to the question of the main thread, and never to the one after it."""

    def __init__(self) -> None:
        self._pid = 0
        self._pipe = (-1, -1)
        self._lock = threading.Lock()
        self._question: Asking | None = None
        self._theirs = -1

    def enter(self, question: Asking) -> int:
        """Stop this question of the main thread when SIGINT comes; return what heard of signals before."""
        if self._pid != os.getpid():
            self._start()
        self._question = question
        self._theirs = signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
        return self._theirs

    def leave(self, theirs: int) -> None:
        """Give signals back to whoever heard of them before."""
        signal.set_wakeup_fd(theirs)
        with self._lock:
            # What has come and was not read yet came to this question, and to those of other threads.
            came = self._take()
            self._question = None
        if signal.SIGINT in came:
            _stop_elsewhere()

    def _start(self) -> None:
        """Make the pipe and its reader, anew after a fork."""
        try:
            self._pipe = os.pipe()
        except OSError as error:
            raise of_system(error, "the watch over Ctrl+C") from error
        self._lock = threading.Lock()
        for end in self._pipe:
            os.set_blocking(end, False)
        self._pid = os.getpid()
        threading.Thread(target=self._read, args=(self._pipe[0],), name="lmops-signals", daemon=True).start()

    def _take(self) -> bytes:
        """Return the signals that came, which whose place the pipe has taken hears of too, such as an event loop."""
        try:
            came = os.read(self._pipe[0], 64)
        except BlockingIOError:
            return b""
        if self._theirs != -1:
            with contextlib.suppress(OSError):
                os.write(self._theirs, came)
        return came

    def _read(self, pipe: int) -> None:
        waiting = select.poll()
        waiting.register(pipe, select.POLLIN)
        while True:
            waiting.poll()
            with self._lock:
                came, question = self._take(), self._question
            if question is not None and signal.SIGINT in came:
                _stop_elsewhere()
                question.stop(_INTERRUPTED)
            question = None

    def after_fork(self) -> None:
        """Take the parent's pipe out of the child; called in the child, whose only thread is the main one."""
        if self._question is not None:
            with contextlib.suppress(ValueError):
                signal.set_wakeup_fd(-1)
            self._question = None


def _stop_elsewhere(*_: object) -> None:
    """End the questions that other threads ask for somebody."""
    for question in list(_ELSEWHERE):
        threading.Thread(target=question.stop, args=(_INTERRUPTED,), name="lmops-stop", daemon=True).start()


def hear_when_idle() -> None:
    """Have a kernel's stop button end the questions of widgets also while no cell runs; does nothing elsewhere.

    JupyterLab has them answered in threads of their own, and a kernel ignores signals between its cells.
    """

    def listen() -> None:
        now = signal.getsignal(signal.SIGINT)
        if now is signal.SIG_IGN:
            signal.signal(signal.SIGINT, _stop_elsewhere)
        elif now is signal.default_int_handler:  # a cell is running
            loop.call_later(_IDLE_S, listen)

    if "ipykernel.kernelapp" in sys.modules and threading.current_thread() is threading.main_thread():
        import asyncio

        with contextlib.suppress(RuntimeError):  # no loop runs: no kernel's cell does
            loop = asyncio.get_running_loop()
            loop.call_soon(listen)


_SIGNALS: Final = _Signals()
_ELSEWHERE: Final[weakref.WeakSet[Asking]] = weakref.WeakSet()
_HERE: Final = threading.local()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_SIGNALS.after_fork)


def _time_is_up(timeout_s: float) -> str:
    return (
        f"it took longer than {timeout_s:g} s. Give it more time with ws.sql(..., timeout_s=), "
        f"lmops.open(timeout_s=), {TIMEOUT_VARIABLE} or lmops sql --timeout; or ask for less: a shorter time, fewer "
        "columns"
    )
