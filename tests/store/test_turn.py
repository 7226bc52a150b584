"""Whose turn it is to write."""

from __future__ import annotations

import itertools
import sqlite3
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from lmops.errors import StoreError
from lmops.store import BusyError, _turn

if TYPE_CHECKING:
    from lmops.store import Store


@pytest.fixture
def writer(store: Store) -> sqlite3.Connection:
    """A connection of somebody else, who writes."""
    found = sqlite3.connect(store.path / "meta.sqlite", isolation_level=None)
    found.execute("begin immediate")
    return found


def test_who_waits_looks_again_in_short_steps(
    store: Store, writer: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long it takes: steps that grow let others go first."""
    steps: list[float] = []

    def sleep(seconds: float) -> None:
        steps.append(seconds)
        if len(steps) == 300:
            writer.execute("rollback")

    clock = itertools.count()
    monkeypatch.setattr(_turn, "time", SimpleNamespace(sleep=sleep, monotonic=lambda: next(clock) / 100))
    with store.transaction():
        pass
    assert len(steps) == 300
    assert max(steps) <= 0.01
    writer.close()


def test_who_waits_too_long_is_told(store: Store, writer: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was written; who does not want to wait is told at once."""
    with pytest.raises(BusyError, match="somebody else writes"), store.transaction(wait=False):
        pass
    clock = itertools.count()
    monkeypatch.setattr(_turn, "time", SimpleNamespace(sleep=lambda _: None, monotonic=lambda: float(next(clock))))
    with pytest.raises(StoreError, match="stayed locked by another process for 30 s"), store.transaction():
        pass
    writer.close()
