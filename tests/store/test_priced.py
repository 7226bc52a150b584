"""What a row costs is what the prices say at the moment when it is kept, whoever priced it and whenever."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import pytest

import lmops
from lmops.store import PRICES_KNOWN, Store, rescue
from tests.forked import Program

from .helpers import llm

if TYPE_CHECKING:
    from pathlib import Path

    from lmops.workspace import Workspace

USAGE = {"input_tokens": 1_000_000, "output_tokens": 0, "cost_usd": None}
#: Sets a price in a process of its own.
SET = """
import sys, lmops
with lmops.open(sys.argv[1]) as ws:
    ws.models.set_price("m", input_usd_per_mtok=float(sys.argv[2]), output_usd_per_mtok=1, valid_from=sys.argv[3])
"""


def set_elsewhere(ws: Workspace, usd: float, since: str = "2020-01-01") -> Program:
    """Begin to set the price of the model in another process."""
    return Program(SET, ws.store.path, usd, since)


def costs(ws: Workspace) -> list[Any]:
    """Return what each call costs, and what the traces do."""
    return ws.sql("select cost_usd from llm_calls union all select cost_usd from traces").fetchall()


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    """A workspace with a price of one dollar for a million tokens."""
    ws = lmops.open(tmp_path / "store")
    ws.models.set_price("m", input_usd_per_mtok=1, output_usd_per_mtok=1)
    return ws


@pytest.mark.parametrize("way", ["append", "load", "spill"])
def test_a_row_that_was_priced_before_has_the_price_set_since(ws: Workspace, way: str) -> None:
    """Into the inbox, into a segment, or by the disk of a process that is gone: kept later, it costs what is true."""
    rows = [llm("t", "c", **USAGE)]
    ws.models.pricer().put_costs(rows)
    assert (rows[0]["cost_usd"], rows[0][PRICES_KNOWN]) == (1.0, 1)
    if way == "spill":
        ws.store.spill({"spans": rows})
        ws.close()
    assert set_elsewhere(ws, 5).wait() == 0
    if way == "load":
        ws.store.load(rows)
    elif way == "append":
        ws.store.append_many({"spans": rows})
    with lmops.open(ws.store.path) as again:
        assert costs(again) == [(5.0,), (5.0,)]
        again.store.drain()
        assert costs(again) == [(5.0,), (5.0,)]
    ws.close()


def test_a_price_set_while_a_file_is_written_is_put_on_it(ws: Workspace) -> None:
    """Whoever sets a price waits for the file, and then puts the price on it."""
    rows = [llm("t", "c", **USAGE)]
    ws.models.pricer().put_costs(rows)
    with ws.store.while_nobody_publishes():
        loading = threading.Thread(target=ws.store.load, args=(rows,))
        setting = set_elsewhere(ws, 5)
        loading.start()
        with pytest.raises(subprocess.TimeoutExpired):
            setting.wait(0.5)
    assert setting.wait() == 0
    loading.join()
    assert costs(ws) == [(5.0,), (5.0,)]
    ws.close()


def test_prices_that_race_with_writers_are_on_every_call(ws: Workspace) -> None:
    """One process sets five prices while another one writes by both ways with prices that are always a little old."""
    setting = None
    years = iter(range(2020, 2025))
    for number in range(40):
        rows = [llm(f"{number}-{one}", "c", **USAGE) for one in range(2)]
        ws.models.pricer().put_costs(rows)
        if setting is None or setting.poll() is not None:
            year = next(years, None)
            setting = set_elsewhere(ws, year, f"{year}-01-01") if year else setting
        ws.store.append_many({"spans": rows[:1]})
        ws.store.load(rows[1:])
    assert setting is not None
    assert setting.wait() == 0
    ((newest,),) = ws.sql("select max_by(input_usd_per_mtok, price_id) from prices").fetchall()
    assert set(costs(ws)) == {(newest,)}
    ws.close()


def test_rows_that_know_the_prices_are_taken_as_they_are(ws: Workspace) -> None:
    """What a row costs by the newest prices is not worked out again; a store by itself prices nothing."""
    ws.store.append_many({"spans": [llm("t", "c", **USAGE | {"cost_usd": 3.0}, prices_known=1)]})
    assert costs(ws) == [(3.0,), (3.0,)]
    with Store.open(ws.store.path) as bare:
        bare.append_many({"spans": [llm("u", "c", **USAGE | {"cost_usd": 4.0})]})
    assert sorted(costs(ws)) == [(3.0,), (3.0,), (4.0,), (4.0,)]
    ws.close()


@pytest.fixture
def damaged(ws: Workspace) -> Path:
    """A file of two calls that cannot be read for a byte outside of its rows, and another one that can."""
    for name in ("first", "second"):
        usage = {"gen_ai.usage.input_tokens": 1_000_000, "gen_ai.usage.output_tokens": 0}
        call = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "session.id": name, **usage}
        rows = [llm(f"{name}-{number}", "c", **USAGE, attributes=json.dumps(call)) for number in range(2)]
        ws.models.pricer().put_costs(rows)
        ws.store.load(rows)
    path: Path = ws.store.path / ws.store._engine.manifest().segments["spans"][0].path
    flip(path)
    return path


def flip(path: Path) -> None:
    """Change a bit of the name of the library that wrote a file, or change it back."""
    content = path.read_bytes()
    at = content.index(b"arquet-cpp") - 1
    path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])


def set_price(ws: Workspace) -> None:
    """Set the price that the damaged file does not get."""
    ws.models.set_price("m", input_usd_per_mtok=5, output_usd_per_mtok=1, valid_from="2020-01-01")


@pytest.mark.filterwarnings("ignore::lmops.store.DamagedSegmentWarning")
def test_what_a_repair_brings_back_has_the_price_set_meanwhile(ws: Workspace, damaged: Path) -> None:
    """A file that could not be read was passed over; its calls cost what is true when they are there again."""
    set_price(ws)
    (left,) = ws.store.pending
    assert repr(left).startswith("<PendingChange 3 WAITS FOR A REPAIR: reprice of m, asked for by")
    assert any("has passed over 1 file that could not be read; --repair" in one for one in ws.store.check().problems)
    with lmops.open(ws.store.path) as again:
        assert [one.passed[0]["path"] for one in again.store.pending] == [str(damaged.relative_to(ws.store.path))]
    assert ws.store.check(repair=True).kept_rows == {"spans": 2}
    assert ws.sql("select cost_usd, count(*) from llm_calls group by all").fetchall() == [(5.0, 4)]
    assert ws.sql("select cost_usd, count(*) from traces group by all").fetchall() == [(5.0, 4)]
    assert (ws.store.pending, ws.store.check().ok) == ((), True)
    ws.close()


@pytest.mark.filterwarnings("ignore::lmops.store.DamagedSegmentWarning")
@pytest.mark.parametrize("way", ["repair", "backup", "rescue"])
def test_what_was_passed_over_is_read_anew_when_it_is_there_again(ws: Workspace, damaged: Path, way: str) -> None:
    """Salvaged by a repair or a rescue, or put back whole: aliases and prices are those of the others."""
    set_price(ws)
    assert ws.traces.renormalise(progress=False) == 2
    assert ws.sql("select session_id, cost_usd from llm_calls").fetchall() == [("second", 5.0)] * 2
    ws.close()
    if way == "rescue":
        (ws.store.path.parent / "copy").mkdir()
        (ws.store.path / "meta.sqlite").rename(ws.store.path.parent / "copy/meta.sqlite")
        (ws.store.path / "segments.log").unlink()
        rescue(ws.store.path, records=ws.store.path.parent / "copy")
    elif way == "backup":
        flip(damaged)
    with lmops.open(ws.store.path) as again:
        again.store.check(repair=way == "repair")
        found = again.sql("select session_id, cost_usd, count(*) from llm_calls group by all order by all").fetchall()
        assert found == [("first", 5.0, 2), ("second", 5.0, 2)]
        assert (again.store.pending, again.store.check().ok) == ((), True)


def test_a_file_whose_record_is_damaged_is_not_passed_over_for_good(ws: Workspace, damaged: Path) -> None:
    """What the manifest does not say right of a file is put right by a repair: then the price is put on its calls."""
    flip(damaged)
    with ws.store.transaction() as con:
        con.execute("update segments set rows = 3 where path = ?", (str(damaged.relative_to(ws.store.path)),))
    set_price(ws)
    assert len(ws.store.pending[0].passed) == 1
    ws.store.check(repair=True)
    assert ws.sql("select cost_usd, count(*) from llm_calls group by all").fetchall() == [(5.0, 4)]
    assert (ws.store.pending, ws.store.check().ok) == ((), True)
    ws.close()


def test_a_change_that_a_rescue_finds_is_done_again(ws: Workspace, damaged: Path) -> None:
    """Which segments it had done is said by numbers that other files have now."""
    flip(damaged)
    with ws.store.transaction() as con:
        change = ws.store.changes.begin(con, kind="reprice", subject="m", arguments={"model": "m"}, actor="ann")
        ws.store.changes.move(con, change, {"done": list(range(99)), "changed": 1})
        con.execute("update pending_changes set pid = 4194304")
        con.execute("update prices set output_usd_per_mtok = 1")
    ws.close()
    copy = ws.store.path.parent / "copy"
    shutil.copytree(ws.store.path, copy)
    (ws.store.path / "meta.sqlite").unlink()
    rescue(ws.store.path, records=copy)
    with sqlite3.connect(ws.store.path / "meta.sqlite") as con:
        kept = con.execute("select progress from pending_changes where kind = 'reprice'").fetchall()
    assert kept == [('{"changed":1}',)]
