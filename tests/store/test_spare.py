"""Space that drained writes leave in ``meta.sqlite`` goes back to the system, in old stores as well."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

import pytest

from lmops.store import Store
from lmops.store._spare import SPARE_BYTES
from tests.store.helpers import count, span

if TYPE_CHECKING:
    from pathlib import Path


def size(folder: Path) -> int:
    """Return the bytes of the database and what belongs to it."""
    return sum(path.stat().st_size for path in folder.glob("meta.sqlite*"))


def long_rows(number: int) -> list[dict[str, object]]:
    """Return a few rows of two megabytes."""
    return [span(f"t{number}", f"s{place}", attributes='{"a":"' + "x" * 200_000 + '"}') for place in range(10)]


@pytest.mark.parametrize("is_older", [False, True])
def test_a_burst_leaves_no_large_database(tmp_path: Path, is_older: bool) -> None:
    """What was drained is free; most of it is given back while others read, and nothing is lost."""
    folder = tmp_path / "store"
    with Store.open(folder) as store:
        store.append_many({"spans": [span("first", "s")]})
    if is_older:
        with contextlib.closing(sqlite3.connect(folder / "meta.sqlite", isolation_level=None)) as con:
            con.execute("pragma auto_vacuum=none")
            con.execute("vacuum")
    with Store.open(folder) as store:
        for number in range(12):
            store.append_many({"spans": long_rows(number)})
        assert size(folder) > 2 * SPARE_BYTES
        store.drain()
        assert size(folder) < 1.5 * SPARE_BYTES
        assert count(store) == 121
        assert store.check().ok


def test_a_little_free_space_stays(tmp_path: Path) -> None:
    """The next writes need it again."""
    folder = tmp_path / "store"
    with Store.open(folder) as store:
        store.append_many({"spans": long_rows(1)})
        store.checkpoint()
        before = (folder / "meta.sqlite").stat().st_size
        store.drain()
        assert (folder / "meta.sqlite").stat().st_size >= before
