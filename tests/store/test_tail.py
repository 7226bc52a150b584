"""Questions between writes cost what is new, and see the same as if everything were worked out again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lmops.store._snapshot import Snapshot
from lmops.store._tail import Tail

from .helpers import START, Row, count, llm, log_of, shown, span, state, trace_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lmops.store import Store
    from lmops.store._overlay import Overlay


def asked_of(store: Store, writes: list[list[Row]]) -> list[int]:
    """Read a growing tail of these writes; return how many spans were worked out at each step."""
    sizes: list[int] = []

    def overlay_of(snapshot: Snapshot, spans: Iterable[Row], logs: Iterable[Row]) -> Overlay:
        rows = list(spans)
        sizes.append(len(rows))
        return store._engine.overlay(snapshot, rows, logs)

    tail = Tail(overlay_of)
    for number in range(len(writes)):
        held = {place: {"spans": rows} for place, rows in enumerate(writes[: number + 1])}
        over, tables = tail.read(Snapshot(0, {}, {}, held))
        assert (
            len(over.spans) == tables["spans"].num_rows == len({row["span_id"] + row["trace_id"] for row in over.spans})
        )
    return sizes


def test_only_new_traces_are_worked_out(store: Store) -> None:
    """Traces that come whole are added to what is known."""
    assert asked_of(store, [trace_of(f"t{number}") for number in range(100)]) == [8] * 100


@pytest.mark.parametrize(
    "late",
    [span("t0", "late", "root"), llm("u", "twin", response_id="r")],
    ids=["of a known trace", "of a known call"],
)
def test_what_concerns_a_known_trace_is_worked_out_again(store: Store, late: Row) -> None:
    """Then everything that waits is put together anew."""
    first = [*trace_of("t0"), llm("t0", "call", "root", response_id="r")]
    sizes = asked_of(store, [first, trace_of("t1"), [late]])
    assert (sizes[:2], sizes[-1]) == ([9, 8], 18)


def test_questions_between_writes_change_nothing(store: Store) -> None:
    """Late spans, log events and doubles of calls, with a question after each and with one at the end."""
    rows = [
        *trace_of("a"),
        llm("b", "x", response_id="r"),
        llm("c", "y", response_id="r", start=START + 5),
        span("a", "more", "root"),
    ]
    for number, row in enumerate(rows):
        store.append_many({"spans": [dict(row)]} | ({"logs": [log_of(rows[number - 1], "said")]} if number % 3 else {}))
        assert count(store) == number + 1
    before = state(store)
    store.close()
    assert state(store) == before
    assert len(shown(store, "llm_calls")) == 8
    store.drain()
    assert state(store) == before
