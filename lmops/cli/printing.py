"""What commands print, and how: text that cannot act on a terminal, frames in columns, JSON with ``--json``."""

from __future__ import annotations

import dataclasses
import json
import logging
import math
import warnings
from numbers import Integral
from typing import TYPE_CHECKING, Any, Final

from lmops.base.sheet import aligned
from lmops.base.terminal import echo
from lmops.text import plain, plain_line

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd


#: Numbers of these columns name something; whoever copies one into the next command must not find a comma in it.
_TYPED_AGAIN: Final = ("_id", "_ns", "item", "position", "seed", "version")


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


def print_record(
    record: Any, *, as_json: bool, text: Callable[[Any], str] = repr, data: Callable[[Any], Any] | None = None
) -> None:
    """Print a record: its repr or another text, as JSON its fields or other data of it."""
    echo(to_json((data or plain_data)(record)) if as_json else text(record))


def bytes_at(path: Path) -> int:
    """Return the size of a file, or of all that is in a folder."""
    return sum(one.stat().st_size for one in (path, *path.rglob("*")) if one.is_file())


def plain_data(record: Any) -> Any:
    """Return the fields of a record as plain data; a number that JSON does not have is null."""
    if dataclasses.is_dataclass(record) and not isinstance(record, type):
        return {one.name: plain_data(getattr(record, one.name)) for one in dataclasses.fields(record)}
    if isinstance(record, dict):
        return {str(name): plain_data(value) for name, value in record.items()}
    if isinstance(record, list | tuple):
        return [plain_data(one) for one in record]
    return finite(record)


def finite(value: Any) -> Any:
    """Return a value for JSON, which has no NaN."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def print_frame(frame: pd.DataFrame, *, as_json: bool, empty: str) -> None:
    """Print a frame as JSON or as aligned columns; ``empty`` instead of none."""
    if as_json:
        echo(frame_json(frame))
        return
    if frame.empty:
        echo(empty)
        return
    names = [str(name) for name in frame.columns]
    numbers = [place for place, kind in enumerate(frame.dtypes) if kind.kind in "iuf"]
    rows = ([_cell(*pair) for pair in zip(names, row, strict=True)] for row in frame.itertuples(index=False, name=None))
    for line in aligned([names, *rows], numbers=numbers):
        echo(line)


def _cell(name: str, value: Any) -> str:
    """Return one value as text; a measure in the unit that the name of its column says."""
    import pandas as pd

    from lmops.runbooks import show_value

    if isinstance(value, list):
        return plain_line(", ".join(map(str, value)) or "-", 60)
    if pd.isna(value):
        return "-"
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    is_count = not isinstance(value, bool) and isinstance(value, Integral) and not name.endswith(_TYPED_AGAIN)
    if isinstance(value, float) or is_count:
        return show_value(name, value)
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


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame as plain data, times as ISO text, what is missing as None."""
    rows: list[dict[str, Any]] = json.loads(frame.to_json(orient="records", date_format="iso"))
    return rows


def to_json(value: Any, *, indent: int | None = 2) -> str:
    """Return plain data as JSON, times as ISO text."""
    return json.dumps(value, indent=indent, default=str)
