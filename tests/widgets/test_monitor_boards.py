"""What the dashboard shows of the monitors of a store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

import lmops

NOW = datetime(2026, 3, 20, tzinfo=UTC)


@pytest.fixture
def board(tmp_path, conversation):
    """Twelve days of 20 traces each; half of those of the last day fail."""
    with lmops.open(tmp_path / ".lmops", actor="ada") as ws:
        rows = []
        for number in range(240):
            day, place = divmod(number, 20)
            at = NOW - timedelta(days=12 - day) + timedelta(hours=1, minutes=40 * place)
            spans = conversation(number)
            shift = round(at.timestamp() * 1e9) - min(span["start_ns"] for span in spans)
            status = "error" if day == 11 and place % 2 else "ok"
            moved = {name: [span[name] + shift for span in spans] for name in ("start_ns", "end_ns")}
            for i, span in enumerate(spans):
                rows.append({**span, "start_ns": moved["start_ns"][i], "end_ns": moved["end_ns"][i], "status": status})
        ws.store.load(spans=rows)
        yield ws


def shown(ws, **given):
    """Return the state of the dashboard."""
    controller = ws.monitors.dashboard(**given)._controller
    return controller, controller.handle({"kind": "hello", "id": "v", "view": "v"})[0]


def test_a_series_has_its_line_its_interval_and_the_week_before(board):
    """The window is the last day, the line the whole range, the week before moved onto it."""
    board.monitors.save("errors", metric="error_rate")
    _, state = shown(board)
    (tile,) = state["tiles"]
    n, rate, low, high = tile["now"]
    assert (n, rate) == (20, 0.5)
    assert 0 < low < 0.5 < high < 1
    assert tile["before"] == [20, 0]
    assert sum(point[1] for point in tile["points"]) == 140
    assert {point[2] for point in tile["earlier"]} <= {0, None}
    assert tile["words"] == "no check has looked yet"


def test_what_a_check_said_is_shown_and_can_be_acknowledged(board):
    """The alert goes from firing to acknowledged by the page."""
    board.monitors.save("errors", metric="error_rate", method="threshold", limit=0.05)
    board.monitors.check(at=NOW)
    controller, state = shown(board)
    assert [one["status"] for one in state["tiles"]] == ["firing"]
    (alert,) = state["alerts"]
    moved = controller.handle({"kind": "move", "id": "v", "view": "v", "alert": alert["alert"], "what": "acknowledge"})
    assert moved[0]["alerts"][0]["status"] == "acknowledged"
    found = controller.handle({"kind": "traces", "id": "v", "view": "v", "key": state["tiles"][0]["key"]})[0]
    assert "status = 'error'" in found["call"]


def test_series_of_a_monitor_are_tiles_of_their_own(board):
    """Each with the values that tell it apart."""
    board.monitors.save("calls", metric={"view": "llm_calls", "value": "latency_ms", "kind": "mean"}, by="model")
    _, state = shown(board, last="14d")
    models = {row[0] for row in board.sql("select distinct model from llm_calls").fetchall()}
    assert {tile["series"] for tile in state["tiles"]} == {f"model {model}" for model in models}


def test_silence_counts_what_came(board):
    """Its line is the number of items."""
    board.monitors.save("silence", metric="error_rate", method="silence")
    _, state = shown(board)
    (tile,) = state["tiles"]
    assert (tile["title"], tile["unit"], tile["now"][1]) == ("items that came", "number", 20)
    assert tile["baseline"] is None


def test_without_traffic_a_monitor_says_that_nothing_is_there(ws):
    """An empty store has a tile without a line."""
    ws.monitors.save("errors", metric="error_rate")
    _, state = shown(ws)
    assert [(tile["status"], tile["now"], tile["points"]) for tile in state["tiles"]] == [
        ("learning", [0, None, None, None], [])
    ]
