"""What commands share: options, the workspace with its errors as exit codes, and how records are printed."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import signal
import warnings
from typing import TYPE_CHECKING, Any, NoReturn

import click

from lmops.errors import (
    ConflictError,
    IngestError,
    LmopsError,
    NotFoundError,
    ReadOnlyError,
    RunbookError,
    StoreError,
    of_system,
)
from lmops.text import plain, plain_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    import pandas as pd

    from lmops.workspace import Workspace

STORE = click.option("--store", metavar="PATH", help="The store's folder; found upward from here by default.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
ACTOR = click.option("--actor", metavar="NAME", help="Who acts; LMOPS_ACTOR or the system's user by default.")
REASON = click.option("--reason", metavar="TEXT", help="Why, for the audit chain.")
REDACT = click.option(
    "--redact", multiple=True, metavar="NAME",
    help="Mask before anything is kept: 'keys' for keys of known shapes and this process's own; may be repeated.",
)  # fmt: skip
DRY_RUN = click.option("--dry-run", is_flag=True, help="Check everything and change nothing.")


def echo(text: object = "", *, err: bool = False) -> None:
    """Print text that may come from anywhere; it cannot act on the terminal. Every command prints through this."""
    click.echo(plain(text), err=err)


def speak_plainly() -> None:
    """Let warnings, and what is logged to a terminal, be as harmless as what is printed."""
    warnings.formatwarning = _format_warning
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_PlainFormatter())


class _PlainFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return plain(super().format(record))


def _format_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    del category, filename, lineno, line  # whoever runs a command does not look for the line of our code
    return f"lmops: {plain(message)}\n"


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
            place = store or "here or in a folder above"
            raise NotFoundError(f"there is no store {place}; lmops ingest FILES makes one, --store PATH names one")
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
        if as_json:
            echo(json.dumps({"status": "error", "error": str(error)}))
        else:
            echo(f"lmops: {error}", err=True)
        raise SystemExit(code) from None


def end_like_an_interrupt() -> None:
    """Let SIGTERM, with which a scheduler stops a job, end like Ctrl+C: what is finished is kept and recorded."""
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(signum: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - the signature is signal's
    raise KeyboardInterrupt


def print_record(record: Any, *, as_json: bool) -> None:  # a record of any kind
    """Print a record as JSON or as its repr."""
    echo(to_json(dataclasses.asdict(record)) if as_json else repr(record))


def print_frame(frame: pd.DataFrame, *, as_json: bool, empty: str) -> None:
    """Print a frame as JSON or as aligned columns; ``empty`` instead of none."""
    if as_json:
        echo(frame_json(frame))
        return
    if frame.empty:
        echo(empty)
        return
    shown = [[str(name) for name in frame.columns]]
    shown += [[_cell(value) for value in row] for row in frame.itertuples(index=False)]
    widths = [max(len(row[place]) for row in shown) for place in range(len(shown[0]))]
    for row in shown:
        echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _cell(value: Any) -> str:
    import pandas as pd

    if isinstance(value, list):
        return plain_line(", ".join(map(str, value)) or "-", 60)
    if pd.isna(value):
        return "-"
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return plain_line({True: "yes", False: "no"}.get(value, value) if isinstance(value, bool) else value, 80)


def frame_json(frame: pd.DataFrame) -> str:
    """Return the rows of a frame as JSON, times as ISO text.

    An answer that lacks something damaged is no list but ``{"rows": [...], "left_out": [...]}``: what reads a list must
    not take it for the whole.
    """
    # pandas escapes all but this character.
    rows = frame.to_json(orient="records", date_format="iso", indent=2).replace("\x7f", "\\u007f")
    left_out = frame.attrs.get("left_out")
    return f'{{"rows": {rows},\n"left_out": {json.dumps(left_out)}}}' if left_out else rows


def to_json(value: Any) -> str:
    """Return plain data as JSON, times as ISO text."""
    return json.dumps(value, indent=2, default=str)
