"""Every error that lmops raises on purpose.

    LmopsError
    |-- UsageError (ValueError)            an argument that cannot be used
    |   `-- QueryError                     SQL that is refused or does not bind
    |-- NotFoundError (LookupError)        a name or id that is not in the store
    |-- ConflictError                      somebody else changed it first; nothing was changed
    |-- RefusedError (PermissionError)     a change that needs evidence, or force and a reason
    |   `-- UntrustedError                 a folder of another user that is not trusted
    |-- StoreError                         the store itself
    |   |-- StoreFullError (OSError)       no space left; what was committed is intact
    |   |-- ReadOnlyError (PermissionError)
    |   |-- NewerStoreError                written by a newer lmops
    |   `-- DamagedStoreError              a file of the store is missing or corrupt
    |-- IngestError (ValueError)           a record that cannot be read, with its place
    |-- RunbookError                       a runbook that failed, with its failing cell
    |   `-- RunbookRefusedError (ValueError)   refused before any cell ran
    |-- ModelError                       a call to a model that failed, with its kind
    `-- MissingDependencyError (ImportError)

A message says what was asked, what was found, the nearest valid choice and the call that helps.
"""

from __future__ import annotations

import contextlib
import difflib
import errno
import functools
import inspect
import linecache
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from lmops.text import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

#: No space, over the quota, larger than a file may be.
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_TOO_MANY: Final = frozenset({errno.EMFILE, errno.ENFILE})
#: What a system says of this process and not of a file.
_OF_PROCESS: Final = _TOO_MANY | {errno.ENOMEM}
_HERE: Final = str(Path(__file__).parent)
_STDLIB: Final = str(Path(os.__file__).parent)
#: Lines of code shown above and below the one that counts.
_AROUND: Final = 2
#: Of a function that calls itself a few frames say it all.
_MAX_FRAMES: Final = 8


class LmopsError(Exception):
    """Base of every error raised by lmops; where it is shown, how lmops works inside is left out."""

    def __new__(cls, *args: object, **_options: object) -> Self:
        """Return the error; pytest leaves out the frames of ours that it goes through."""
        for frame, _ in traceback.walk_stack(inspect.currentframe()):
            if frame.f_code.co_filename.startswith(_HERE):
                frame.f_globals["__tracebackhide__"] = _is_left_out
        return super().__new__(cls, *args)

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows: what was wrong first, and no frame of ours."""
        return _rendered(self)


class UsageError(LmopsError, ValueError):
    """An argument that cannot be used."""


class QueryError(UsageError):
    """SQL that is refused or that names something unknown."""


class NotFoundError(LmopsError, LookupError):
    """A name or an id that is not there."""

    @classmethod
    def of(cls, what: str, asked: str, known: Iterable[str], *, hint: str = "") -> Self:
        """Return the error for one unknown name, with the nearest known names."""
        return cls(did_you_mean(what, asked, known, hint=hint))


class ConflictError(LmopsError):
    """Somebody else changed it first; nothing was changed."""


class RefusedError(LmopsError, PermissionError):
    """A change that needs evidence, or force and a reason; nothing was changed."""


class UntrustedError(RefusedError):
    """A store, runbook or folder of another user that is not trusted; ``lmops.trust(path)`` trusts it."""


class StoreError(LmopsError):
    """Something is wrong with the store."""


class StoreFullError(StoreError, OSError):
    """There is no space left; everything committed before is intact."""


class ReadOnlyError(StoreError, PermissionError):
    """A write to a store that was opened read-only."""


class NewerStoreError(StoreError):
    """The store was written by a newer lmops."""


class DamagedStoreError(StoreError):
    """A file of the store is missing or corrupt."""


class IngestError(LmopsError, ValueError):
    """A record that cannot be read; the message names its place and the reason."""


class RunbookError(LmopsError):
    """A runbook that ran and failed."""


class RunbookRefusedError(RunbookError, ValueError):
    """A runbook that was refused before any cell ran."""


class ModelError(LmopsError):
    """A call to a model that failed.

    Attributes:
        kind: rate_limit, timeout, server, bad_request, auth, connection, bad_response or budget.
        is_retryable: Whether the same call may succeed later.
        status: The HTTP status, when there was one.
        retry_after_s: How long the server asked to wait, in seconds.
        waited_s: How long the call waited between its attempts, in seconds.
        attempts: How often it was sent.
        text: What the model had sent: the raw answer, or the part of a stream before it broke.
        completion: The answer that could not be used, with its usage and cost (a ``Completion``), when there was one.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: str = "server",
        is_retryable: bool = False,
        status: int | None = None,
        retry_after_s: float | None = None,
        text: str | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.is_retryable = is_retryable
        self.status = status
        self.retry_after_s = retry_after_s
        self.waited_s = 0.0
        self.attempts = 1
        self.text = text
        self.completion: object = None


class MissingDependencyError(LmopsError, ImportError):
    """An optional package is not installed."""

    @classmethod
    def of(cls, package: str, extra: str) -> Self:
        """Return the error for one missing package, with the line that installs it."""
        return cls(f"{package} is not installed: pip install 'lmops[{extra}]'")

    @classmethod
    def of_base(cls, package: str) -> Self:
        """Return the error for a package of the base, which an application that only records need not have."""
        return cls(
            f"{package} is not installed: here lmops records and renders; what needs more brings: pip install lmops"
        )


def of_system(error: OSError, where: object) -> StoreError:
    """Return the error of ours for one of the system, with what is safe and what helps.

    Args:
        error: What the system said.
        where: The store, folder or file that was written or read.
    """
    reason = error.strerror or str(error)
    if error.errno in _FULL:
        return StoreFullError(full_message(where))
    if error.errno in _TOO_MANY:
        return StoreError(
            f"this process has as many files open as it may ({reason}), and {where} needs one more: raise the limit "
            "(ulimit -n 4096), or close workspaces and files that are no longer used, and repeat it"
        )
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return ReadOnlyError(
            f"{error.filename or where} cannot be written or read: {reason}; mend its permissions (ls -ld, lsattr), or "
            "open the store with read_only=True"
        )
    helps = " (the disk fails: dmesg says how; copy the store to another one)" if error.errno == errno.EIO else ""
    return StoreError(
        f"{error.filename or where}: {reason}{helps}; the step was not made, what was there before is intact"
    )


def raise_if_of_process(error: BaseException, where: object) -> None:
    """Raise when a file could not be read for a reason that lies in this process: that is no damage of the file."""
    if isinstance(error, OSError) and error.errno in _OF_PROCESS:
        raise of_system(error, where) from error


def full_message(where: object) -> str:
    """Return what a full disk means for a store, or for a file beside it."""
    return (
        f"no space left for {where}: the last write was not made, everything before it is intact; free some space (or "
        "raise a quota or the limit of a file's size: ulimit -f) and repeat it"
    )


@contextlib.contextmanager
def system_in_words(where: object) -> Iterator[None]:
    """Turn an error of the system while something is written into one of ours."""
    try:
        yield
    except BrokenPipeError:
        raise  # nobody listens any more: whoever prints knows what that means
    except OSError as error:
        if isinstance(error, LmopsError):
            raise
        raise of_system(error, where) from error


def did_you_mean(what: str, asked: str, known: Iterable[str], *, hint: str = "") -> str:
    """Return "no WHAT named ASKED", the nearest known names and a hint, in one sentence."""
    # A name that is known elsewhere is no help against itself.
    names = sorted(set(known) - {asked})
    shown = asked if len(asked) <= 80 else asked[:77] + "..."
    message = f"no {what} named {shown!r}"
    near = difflib.get_close_matches(asked, names, n=3, cutoff=0.5)
    if near:
        message += "; did you mean " + " or ".join(repr(name) for name in near) + "?"
    elif not names:
        message += f"; there is no {what} yet"
    else:
        message += "; known: " + ", ".join(names[:40]) + (", ..." if len(names) > 40 else "")
    return f"{message} ({hint})" if hint else message


# -- where an error is shown -------------------------------------------------------------------------------------------
# How the package works inside is no news to somebody who misspelt a column. In a notebook ``%xmode Verbose`` shows
# every frame, and ``%debug`` has them all in any mode; elsewhere ``python -X dev`` does, and ``pytest --full-trace``.


def interrupted(goes_on: str) -> KeyboardInterrupt:
    """Return the interrupt of work that somebody stopped (Ctrl+C, the stop button), shown as an error of ours is.

    Args:
        goes_on: What is kept, and the call that goes on with it.
    """
    error = KeyboardInterrupt(goes_on)
    # no class of its own: a shell must see that the program ended by an interrupt
    vars(error)["_render_traceback_"] = functools.partial(_rendered, error)
    return error


def _is_short(error: BaseException) -> bool:
    """Return whether an error is shown with the reader's own frames alone."""
    return isinstance(error, LmopsError) or "_render_traceback_" in vars(error)


def _rendered(error: BaseException) -> list[str]:
    """Return the lines of an error: its name and message, the reader's own frames, and what caused it."""
    ipython = sys.modules.get("IPython")  # it is not imported to find out
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    if shell is not None and shell.InteractiveTB.mode == "Verbose":
        whole: list[str] = shell.InteractiveTB.structured_traceback(
            type(error), error, error.__traceback__, tb_offset=1
        )
        return whole
    lines = [f"\x1b[31m{type(error).__name__}\x1b[39m: {plain(error)}", *map(plain, getattr(error, "__notes__", ()))]
    lines += _own_frames(error.__traceback__, shell)
    cause = error.__cause__
    found = [] if cause is None else [*_own_frames(cause.__traceback__, shell)]
    # what arose inside of us is told by the message
    return [*lines, "", f"caused by {type(cause).__name__}: {plain(cause, 600)}", *found] if found else lines


def _is_left_out(excinfo: Any) -> bool:
    """Return whether pytest leaves out a frame of ours: of an error of ours, or of what led to one inside of us."""
    error = getattr(excinfo, "value", None)
    if error is None or sys.flags.dev_mode:
        return False
    files = (frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__))
    return _is_short(error) or not any(map(_is_own, files))


def _uncaught(kind: type[BaseException], error: BaseException, found: TracebackType | None) -> None:
    """Print an error that ends the program; one of ours with the reader's own frames alone."""
    if not _is_short(error) or sys.flags.dev_mode or sys.stderr is None:
        sys.__excepthook__(kind, error, found)
        return
    said = traceback.TracebackException(kind, error, found)
    _keep_own(said)
    sys.stderr.write(plain("".join(said.format())))


def _keep_own(said: traceback.TracebackException) -> None:
    """Leave out the frames of ours, and of what led to an error all that has no other."""
    said.stack[:] = [frame for frame in said.stack if _is_own(frame.filename)]
    for before in filter(None, (said.__cause__, said.__context__)):
        _keep_own(before)
    cause = said.__cause__
    if cause is not None and not cause.stack:
        # it arose inside; what the reader was handling then did not
        said.__cause__, said.__context__, said.__suppress_context__ = None, cause.__context__, False
    if said.__context__ is not None and not said.__context__.stack:
        said.__context__ = None


if sys.excepthook is sys.__excepthook__:
    sys.excepthook = _uncaught  # who has one of their own keeps it


def _own_frames(found: TracebackType | None, shell: Any) -> Iterator[str]:
    """Yield the lines of the reader's own frames, the outermost first, as IPython names and draws them."""
    own = [(frame.f_code, line) for frame, line in traceback.walk_tb(found) if _is_own(frame.f_code.co_filename)]
    for code, line in own[-_MAX_FRAMES:]:
        cell = None if shell is None else shell.compile.format_code_name(code.co_filename)
        place = " ".join(cell) if cell else f"File {code.co_filename}"
        yield ""
        yield plain(f"{place}, line {line}" + ("" if code.co_name == "<module>" else f", in {code.co_name}"))
        for number in range(max(1, line - _AROUND), line + _AROUND + 1):
            text = linecache.getline(code.co_filename, number).rstrip()
            if text or number == line:
                yield f"{'---->' if number == line else '     '} {number} {plain(text, 400)}".rstrip()


def _is_own(file: str) -> bool:
    """Return whether code is the reader's: not ours, not the standard library's, not what runs their cells."""
    if file.startswith((_HERE, "<frozen")) or "/IPython/core/" in file:
        return False
    return "site-packages" in file or not file.startswith(_STDLIB)
