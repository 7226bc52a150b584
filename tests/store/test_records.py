"""A record that changed since it was written is named when it is read, and by check."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

import lmops
from lmops.store import DamagedSegmentWarning, Store

from .helpers import START, count, llm, trace_of

if TYPE_CHECKING:
    from pathlib import Path


def change(path: Path, sql: str) -> None:
    """Change a row past lmops."""
    con = sqlite3.connect(path / "meta.sqlite")
    con.execute(sql)
    con.commit()
    con.close()


@pytest.mark.parametrize(
    ("view", "sql"),
    [
        ("prices", "update prices set input_usd_per_mtok = 7"),
        ("prices", "delete from prices"),
        ("examples", "update dataset_chunks set members = '[1]'"),
        ("datasets", "update dataset_heads set version = 2"),
    ],
)
def test_a_changed_record_is_named(tmp_path: Path, view: str, sql: str) -> None:
    """On every read of its view, and by check."""
    path = tmp_path / "store"
    with lmops.open(path) as ws:
        ws.models.set_price("m", input_usd_per_mtok=1, output_usd_per_mtok=1)
        ws.datasets.save("d", [{"input": "a", "expected": "b"}, {"input": "c", "expected": "d"}])
    change(path, sql)
    with Store.open(path) as store:
        for _ in range(2):
            with pytest.warns(DamagedSegmentWarning, match=r"meta.sqlite"):
                store.sql(f"select * from {view}").fetchall()
        assert not store.check().ok


def test_a_price_set_again_for_the_same_time_holds(tmp_path: Path) -> None:
    """The one that was set last is put on the calls."""
    with lmops.open(tmp_path / "store") as ws:
        ws.models.set_price("m", input_usd_per_mtok=2, output_usd_per_mtok=1, valid_from="2020-01-01")
        ws.store.load([llm("a", "c", start=START, input_tokens=1_000_000, output_tokens=0, cost_usd=2.0)])
        assert ws.models.set_price("m", input_usd_per_mtok=3, output_usd_per_mtok=1, valid_from="2020-01-01") == 1
        assert ws.sql("select cost_usd from llm_calls").fetchall() == [(3.0,)]


def test_spilled_facts_that_changed_are_named(tmp_path: Path) -> None:
    """They are not stored; what is missing is said on every read and by check."""
    path = tmp_path / "store"
    with Store.open(path) as store:
        spilled = store.spill({"spans": trace_of("a")})
    spilled.path.write_bytes(spilled.path.read_bytes().replace(b"root", b"roof", 1))
    with Store.open(path) as store:
        with pytest.warns(DamagedSegmentWarning, match="changed since"):
            assert count(store) == 0
        assert not store.check().ok
