"""The examples of a version, as columns of JSON text: encoded once, decoded when asked for."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lmops.datasets._example import Example
from lmops.datasets._schema import FIELDS, example_hash
from lmops.errors import UsageError
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

#: Fields that hold JSON; the others are texts.
JSON_FIELDS: Final = ("input", "expected", "metadata", "tags", "output", "documents", "labels")
#: Empty containers are stored as NULL and come back as what they were.
_EMPTY: Final = frozenset({"metadata", "tags"})
_KINDS: Final = tuple((name, name in JSON_FIELDS) for name in FIELDS)


@dataclass(frozen=True, slots=True)
class Encoded:
    """One example as it is stored: the values of ``FIELDS``, and the hash of all of them."""

    hash: bytes
    texts: tuple[str | None, ...]


def dumps(value: Any, where: str) -> bytes:
    """Return canonical JSON: keys sorted, no white space.

    Raises:
        UsageError: It cannot be said in JSON.
    """
    import orjson

    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except (TypeError, UnicodeEncodeError) as error:  # a lone surrogate, or a value that was not made plain
        raise UsageError(f"{where} cannot be stored: {plain_line(error, 160)}") from error


def encode(example: Example) -> Encoded:
    """Return an example as it is stored; its hash is SHA-256 over the JSON list of its fields' texts."""
    import orjson

    texts: list[str | None] = []
    name = ""
    try:
        for name, is_json in _KINDS:
            value = getattr(example, name)
            if value is None or (not value and name in _EMPTY):
                texts.append(None)
            else:
                texts.append(orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode() if is_json else value)
        digest = example_hash(texts)
    except (TypeError, UnicodeEncodeError) as error:
        where = f"{name} of the example {plain_line(example.example_id, 60)!r}"
        raise UsageError(f"{where} cannot be stored: {plain_line(error, 160)}") from error
    return Encoded(digest, tuple(texts))


def version_hash(hashes: Iterable[bytes]) -> str:
    """Return the identity of a version: SHA-256 over the hashes of its examples in their order."""
    return hashlib.sha256(b"".join(hashes)).hexdigest()


class _Known:
    """Examples that are found by their ids."""

    examples: tuple[Example, ...]

    @functools.cached_property
    def by_id(self) -> dict[str, Example]:
        """All examples by id."""
        return {example.example_id: example for example in self.examples}


class Listed(_Known):
    """Examples that are there already: a selection."""

    def __init__(self, examples: tuple[Example, ...]) -> None:
        self.examples = examples

    def df(self) -> pd.DataFrame:
        """Return them as a frame."""
        return frame([[getattr(example, name) for example in self.examples] for name in FIELDS])


class Stored(_Known):
    """Examples as columns of JSON text, as the store has them."""

    def __init__(self, rows: Sequence[Sequence[str | None]]) -> None:
        self._rows: Sequence[Sequence[str | None]] | None = rows
        self._columns: list[list[Any]] | None = None

    @functools.cached_property
    def examples(self) -> tuple[Example, ...]:  # type: ignore[override]  # read when it is first asked for
        """All examples in order."""
        columns = self.columns()
        return tuple(
            Example(
                example_id=row[0],
                input=row[1],
                expected=row[2],
                metadata=row[3],
                split=row[4],
                tags=row[5],
                cluster=row[6],
                trace_id=row[7],
                output=row[8],
                documents=row[9],
                labels=row[10],
            )
            for row in zip(*columns, strict=True)
        )

    def df(self) -> pd.DataFrame:
        """Return them as a frame."""
        return frame(self.columns())

    def columns(self) -> list[list[Any]]:
        """Return the decoded columns, in the order of ``FIELDS``."""
        if self._columns is None:
            rows = self._rows or ()
            raw = [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in FIELDS]
            self._columns = [_decoded(name, column) for name, column in zip(FIELDS, raw, strict=True)]
            self._rows = None
        return self._columns


def _decoded(name: str, column: list[Any]) -> list[Any]:
    if name not in JSON_FIELDS:
        return column
    import orjson

    # One call for a column: several times faster than one for each cell.
    values: list[Any] = orjson.loads(f"[{','.join('null' if text is None else text for text in column)}]")
    if name == "metadata":
        return [{} if value is None else value for value in values]
    if name == "tags":
        return [() if value is None else tuple(value) for value in values]
    return values


def frame(columns: Sequence[Sequence[Any]]) -> pd.DataFrame:
    """Return columns of Python values as a frame of objects: None stays None."""
    import pandas as pd

    from lmops.base.frames import Frame

    return Frame({name: pd.Series(list(values), dtype=object) for name, values in zip(FIELDS, columns, strict=True)})
