"""How commands open the workspace, and how its errors become one line and an exit code."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from lmops.base.terminal import echo
from lmops.cli.shell import in_shell
from lmops.errors import (
    ConflictError,
    IngestError,
    LmopsError,
    NotFoundError,
    ReadOnlyError,
    RunbookError,
    StoreError,
    UsageError,
    of_system,
)

#: Where ``lmops demo`` keeps its store: beside a project's own, which it must not be taken for.
DEMO_STORE: Final = ".lmops-demo"

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from lmops.workspace import Workspace


@contextlib.contextmanager
def workspace(
    store: str | None,
    *,
    as_json: bool = False,
    must_exist: bool = False,
    actor: str | None = None,
) -> Iterator[Workspace]:
    """Yield the workspace; an error of lmops becomes one line and an exit code.

    ``must_exist``: for commands that look at what is there; in the wrong folder they must not make an empty store, and
    a store that cannot be written can be looked at all the same.
    """
    import lmops
    from lmops.store import has_store

    with errors_in_words(as_json=as_json):
        if must_exist and not has_store(store):
            raise NotFoundError(_no_store(store))
        refused = None
        try:
            opened = lmops.open(store, actor=actor)
        except ReadOnlyError as error:
            if not must_exist:
                raise
            refused, opened = error, lmops.open(store, read_only=True, actor=actor)
        with opened as ws:
            try:
                yield ws
            except ReadOnlyError as error:
                # The first one knows why.
                raise refused or error from None
            if ws.store.left_out:
                # Each was said on the standard error; the output alone must not pass for a whole answer.
                raise SystemExit(1)


def _no_store(store: str | None) -> str:
    """Return what to do where there is none; the one of the demo has another name and is not found by itself."""
    message = f"there is no store {store or 'here or in a folder above'}"
    from lmops.store import has_store

    if store is None and has_store(DEMO_STORE):
        named = f"end the command with --store {DEMO_STORE}, or export LMOPS_STORE={DEMO_STORE}"
        return f"{message} but that of lmops demo: {named}"
    return f"{message}; lmops demo or lmops ingest FILES makes one, --store PATH names one"


@contextlib.contextmanager
def errors_in_words(*, as_json: bool) -> Iterator[None]:
    """Turn an error of lmops into one line and an exit code: 1 failed, 2 usage or refused."""
    try:
        yield
    except BrokenPipeError:
        raise  # whoever read what is printed has enough
    except (LmopsError, OSError) as found:
        error = (
            found if isinstance(found, LmopsError | PermissionError) else of_system(found, found.filename or "lmops")
        )
        code = 1 if isinstance(error, StoreError | IngestError | RunbookError | ConflictError) else 2
        stop(code, in_shell(str(error), click.get_current_context().find_root().command), as_json=as_json)


def ask_first(plan: str) -> None:
    """Say what a command would remove, and go on only when somebody at a terminal agrees.

    Raises:
        UsageError: Nobody can be asked, or the answer is no.
    """
    if not _is_somebody_there():
        raise UsageError(f"{plan}; nothing was done: --yes does it, --dry-run only says this")
    if not click.confirm(f"{plan}; go on?", err=True):
        raise UsageError("nothing was done")


def _is_somebody_there() -> bool:
    return sys.stdin.isatty()


def end_like_an_interrupt() -> None:
    """Let SIGTERM, with which a scheduler stops a job, end like Ctrl+C: what is finished is kept and recorded."""
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(_signum: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def interruptible(work: Callable[[], Any], *, as_json: bool) -> Any:
    """Return what takes long; an interrupt ends it with one line and exit code 1."""
    try:
        # What a task prints must not get into the JSON.
        with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
            return work()
    except KeyboardInterrupt:
        message = "interrupted; finished cases are kept, lmops eval resume RUN goes on (lmops eval list)"
        stop(1, message, status="interrupted", as_json=as_json)


def stop(code: int, message: str, *, status: str = "error", as_json: bool) -> NoReturn:
    """End the command with an exit code and the reason, in one line or as JSON."""
    if as_json:
        echo(json.dumps({"status": status, "error": message}))
    else:
        echo(f"lmops: {message}", err=True)
    raise SystemExit(code) from None


def end(code: int) -> None:
    """End the command with an exit code, when it is not 0."""
    if code:
        raise SystemExit(code)
