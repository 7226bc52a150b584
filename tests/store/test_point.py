"""One trace read from the rows it lies in is what SQL says of it, whatever happens to the store meanwhile."""

from __future__ import annotations

import random
import warnings
from typing import TYPE_CHECKING

import pytest

from lmops.store import Bounds, Store
from lmops.store._places import LEARN_ROWS, Places

from .helpers import START, Row, bodies, llm, log_of, span, trace_of

if TYPE_CHECKING:
    from pathlib import Path

MINUTE = 60_000_000_000
SPANS = "select * from spans where trace_id = ? and start_ns between ? and ? order by start_ns, span_id"


def by_sql(store: Store, trace_id: str) -> list[Row]:
    """Return the spans of a trace as two questions give them."""
    found = store.sql("select start_ns, end_ns from traces where trace_id = ?", [trace_id]).fetchall()
    if not found:
        return []
    rows: list[Row] = store.sql(SPANS, [trace_id, *found[0]], bounds=Bounds(*found[0])).to_arrow_table().to_pylist()
    return rows


def id_of(name: str) -> str:
    """Return the id of the trace that helpers call so."""
    return str(span(name, "x")["trace_id"])


def agrees(store: Store, names: list[str]) -> int:
    """Check both ways for some traces, cold and warm; return how many were read without a question."""
    direct = 0
    for name in names:
        expected = by_sql(store, id_of(name))
        for _ in range(2):
            assert store.spans_of(id_of(name)) in (None, expected)
        direct += store._engine.points.spans_of(id_of(name), None)[1] is not None
    return direct


def test_it_says_what_sql_says_while_the_store_changes(store: Store, tmp_path: Path) -> None:
    """Late spans, log events, drains, merges, erasures and another one that writes: always the same rows."""
    rng = random.Random(3)
    names = [f"t{number}" for number in range(6)]
    direct = 0
    with Store.open(tmp_path / ".lmops", join_logs=bodies) as other:
        for step in range(16):
            name, writer = rng.choice(names), rng.choice([store, other])
            at = START + names.index(name) * MINUTE
            late = llm(name, f"l{step}", "root", start=at + step, response_id=rng.choice([None, "r1", "r2"]))
            act = step % 8
            if act == 6:
                store.compact(grace_s=0)
            elif act == 7:
                ids = [id_of(name)]
                store.eraser._maintenance.erase_traces(ids)
            elif act == 3:
                writer.append_many({"logs": [log_of(trace_of(name, start=at)[0], f"said {step}")]})
            else:
                rows = [*trace_of(name, start=at, spans=4), late]
                writer.load(rows) if act % 2 else writer.append_many({"spans": rows})
            if act == 5:
                writer.drain()
            direct += agrees(store, rng.sample(names, 2))
    assert direct > 12


def test_a_damaged_file_is_left_to_sql(store: Store) -> None:
    """It says what is left out; a trace that lies elsewhere is read as before."""
    store.load(trace_of("a", start=START))
    store.load(trace_of("b", start=START + 90_000 * MINUTE))
    assert agrees(store, ["a", "b"]) == 2
    first = min(store._engine.manifest().segments["spans"], key=lambda one: one.min_ns or 0)
    path = store.path / first.path
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.unlink()
    path.write_bytes(content)
    with pytest.warns(UserWarning, match="SHA-256 differs"):
        assert not store.spans_of(id_of("a"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert agrees(store, ["b"]) == 1


def test_what_is_not_in_the_store_is_not_known(store: Store) -> None:
    """An id like a stored one, and one that is none, are left to a question."""
    store.load(trace_of("a"))
    assert agrees(store, ["a", "b"]) == 1
    assert store.spans_of("f" * 32) is None


def test_files_are_learned_a_few_at_a_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A question over a large store does not wait until all of it is known."""
    for number in range(3):
        store.load(trace_of(f"t{number}", start=START + number * MINUTE))
    monkeypatch.setattr("lmops.store._places.LEARN_ROWS", 2)
    files = store._engine.manifest().segments["traces"]
    places = Places(store.path)
    assert LEARN_ROWS > 2
    assert places.find(files, id_of("t0")) is None
    assert [one.start_ns for one in places.find(files, id_of("t0")) or ()] == [START]


def test_ids_that_are_not_hexadecimal_are_left_to_sql(store: Store) -> None:
    """A file with one such id has no index; capitals are another id."""
    odd = [row | {"trace_id": "A" * 32} for row in trace_of("a")]
    store.load(odd)
    store.load(trace_of("b"))
    assert agrees(store, ["b"]) == 0


def test_decoded_row_groups_stay_within_their_memory(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those asked for last stay, and what is erased goes."""
    monkeypatch.setattr("lmops.store._groups.KEPT_BYTES", 1)
    names = ["a", "b", "c"]
    for number, name in enumerate(names):
        store.load(trace_of(name, start=START + number * 90_000 * MINUTE))
    assert agrees(store, names) == 3
    kept = store._engine.points._groups._kept
    assert len(kept) == 1
    store.eraser._maintenance.erase_traces([id_of("c")])
    assert agrees(store, ["a"]) == 1
    assert {path for path, _ in store._engine.points._groups._kept} <= {
        one.path for one in store._engine.manifest().segments["spans"]
    }
