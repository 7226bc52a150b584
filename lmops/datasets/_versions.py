"""What a version of a dataset is in the store, for the mechanism of versions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from lmops.datasets import _table
from lmops.datasets._content import Stored
from lmops.datasets._records import DatasetVersion
from lmops.errors import UsageError
from lmops.records import LATEST, Kind, told
from lmops.text import plain_line

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from lmops.records import Row
    from lmops.store import Store

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


def checked_name(name: object) -> str:
    """Return a name that can be one.

    Raises:
        UsageError: It cannot.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UsageError(
            f"{plain_line(name, 60)!r} cannot name a dataset: up to 100 letters, digits, '_', '-' and '.', "
            "the first a letter or a digit"
        )
    return name


def record(row: Row, examples: Sequence[Sequence[str | None]]) -> DatasetVersion:
    """Return a row and the stored texts of its examples as a version."""
    return DatasetVersion(
        **told(row),
        count=row["count"],
        content=Stored(examples),
    )


def _read(store: Store, con: sqlite3.Connection, row: Row) -> DatasetVersion:
    return record(row, _table.read(store, con, row))


def _said(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in ("version", "hash", "count")}


KIND: Final = Kind(
    name="dataset",
    noun="datasets",
    table="dataset_versions",
    read=_read,
    said=_said,
    own={"count": lambda row: row["count"]},
    check_name=checked_name,
    latest=(LATEST, "current"),
    heads="dataset_heads",
    evidence="dataset",
)
