"""Processes that begin with everything loaded: forked from one that has imported it, once for all tests of a process.

Most of the time of a short program goes into loading the same packages anew. What a test says about the program does
not depend on that; one that says what a process loads, or how it starts, takes one as users have it.
"""

from __future__ import annotations

import atexit
import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO, Any, Self

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.quick", "tests.loaded"])


class Forked:
    """A process that was forked, with what is asked of a ``subprocess.Popen``."""

    stdin: IO[str] | None = None
    stdout: IO[str] | None = None
    stderr: IO[str] | None = None

    def __init__(self, work: Callable[..., object], *arguments: object) -> None:
        self._process = CONTEXT.Process(target=work, args=arguments, daemon=True)
        self._process.start()
        # one that was stopped would not heed what ends it with this process
        atexit.register(self._process.kill)
        self.pid = self._process.pid or 0

    @property
    def returncode(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Return how it ended, None while it runs."""
        return None if self.returncode is None else self.wait()

    def wait(self, timeout: float | None = None) -> int:
        """Return how it ended, once it has."""
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("a forked process", timeout or 0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, where it has not ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it, whatever it does."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)


class Program(Forked):
    """Code that runs as ``python -c`` runs it, and what it prints."""

    stdout: IO[str]
    stderr: IO[str]

    def __init__(self, code: str, *arguments: object) -> None:
        pipes = [CONTEXT.Pipe(duplex=False) for _ in range(2)]
        ends = [end for _, end in pipes]
        super().__init__(_program, code, list(map(str, arguments)), dict(os.environ), str(Path.cwd()), *ends)
        self.stdout, self.stderr = (os.fdopen(os.dup(pipe.fileno()), encoding="utf-8") for pipe, _ in pipes)
        for both in pipes:
            for end in both:
                end.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.wait()

    def wait(self, timeout: float | None = None) -> int:
        """Return how it ended, once it has; what it printed and nobody has read is gone then."""
        code = super().wait(timeout)
        self.stdout.close()
        self.stderr.close()
        return code

    def communicate(self, timeout: float = 300) -> tuple[str, str]:
        """Return what it prints until it ends; it is killed when that takes more than some seconds."""
        limit = threading.Timer(timeout, self.kill)
        limit.start()
        try:
            with self, ThreadPoolExecutor(2) as pool:
                out, err = pool.map(lambda file: file.read(), (self.stdout, self.stderr))
        finally:
            limit.cancel()
        return out, err


def run(code: str, *arguments: object, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """Run code to its end and return how it ended and what it printed, as ``subprocess.run`` does."""
    process = Program(code, *arguments)
    out, err = process.communicate(timeout)
    return subprocess.CompletedProcess(["python", "-c"], process.wait(), out, err)


def _program(code: str, words: list[str], env: dict[str, str], cwd: str, out: Any, err: Any) -> None:
    """Be a program of its own."""
    for number, end in ((1, out), (2, err)):
        os.dup2(end.fileno(), number)
        end.close()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = ["-c", *words]
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    exec(compile(code, "<string>", "exec"), main.__dict__)
