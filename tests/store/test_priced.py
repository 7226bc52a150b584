"""What a row costs is what the prices say at the moment when it is kept, whoever priced it and whenever."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

import lmops
from lmops.store import PRICES_KNOWN, Store
from lmops.store._salvage import opened

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


def set_elsewhere(ws: Workspace, usd: float, since: str = "2020-01-01") -> subprocess.Popen[bytes]:
    """Begin to set the price of the model in another process."""
    return subprocess.Popen([sys.executable, "-c", SET, str(ws.store.path), str(usd), since])


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


def test_what_a_repair_brings_back_has_the_price_set_meanwhile(ws: Workspace) -> None:
    """A file that could not be read was passed over; its calls cost what is true when they are there again."""
    rows = [llm(f"{number}", "c", **USAGE | {"output": f"{number}" * 40}) for number in range(20_000)]
    ws.models.pricer().put_costs(rows)
    ws.store.load(rows)
    (segment,) = ws.store._engine.manifest().segments["spans"]
    path = ws.store.path / segment.path
    content = bytearray(path.read_bytes())
    content[(opened(path).groups or [])[1][0] + 100] ^= 1
    path.write_bytes(content)
    ws.models.set_price("m", input_usd_per_mtok=5, output_usd_per_mtok=1, valid_from="2020-01-01")
    assert ws.store.check(repair=True).kept_rows == {"spans": 16_384}
    assert ws.sql("select cost_usd, count(*) from llm_calls group by all").fetchall() == [(5.0, 16_384)]
    assert ws.sql("select cost_usd, count(*) from traces group by all").fetchall() == [(5.0, 16_384)]
    assert ws.store.check().ok
    ws.close()
