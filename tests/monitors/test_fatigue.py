"""How many alerts there were, and who took notice."""

from __future__ import annotations

import pytest

import lmops
from tests.monitors.listeners import Listener


@pytest.fixture
def ws(tmp_path):
    with lmops.open(tmp_path / ".lmops", actor="ann") as opened:
        yield opened


def opened(ws, monitor, *, resolved_ns=None):
    """Open an alert as a check does, or one that a check has resolved; return its number."""
    told = {"monitor": monitor, "version": 1, "series": "{}", "metric": "error_rate", "severity": "ticket"}
    with ws.project.change() as change:
        (number,) = change.con.execute("select count(*) + 1 from alerts").fetchone()
        times = {"found_ns": change.at_ns, "opened_ns": change.at_ns, "moved_ns": change.at_ns}
        status = "firing" if resolved_ns is None else "resolved"
        row = {**told, **times, "words": "more", "times_opened": 1, "status": status, "actor": "cron"}
        change.insert("alerts", {**row, "alert": number, "resolved_ns": resolved_ns})
        change.say("alert.open", str(number))
    return number


def test_each_monitor_says_what_was_done(ws):
    """Acknowledged, silenced and resolved by somebody count as acted on; what a check resolved does not."""
    ws.monitors.ack(opened(ws, "errors"))
    ws.monitors.silence(opened(ws, "errors"), for_="1h")
    ws.monitors.resolve(opened(ws, "errors"))
    opened(ws, "errors", resolved_ns=5)
    opened(ws, "errors")
    opened(ws, "cost")
    found = ws.monitors.fatigue().set_index("monitor")
    assert found.index.tolist() == ["errors", "cost"]
    errors = found.loc["errors"]
    assert (errors["alerts"], errors["acted_on"], errors["ended_by_itself"], errors["untouched"]) == (5, 3, 1, 1)
    assert 0 < errors["share_low"] < errors["share_acted_on"] == 0.6 < errors["share_high"] < 1
    assert found.loc["cost", "acted_on"] == 0


def test_no_alerts_are_no_rows(ws):
    """Nor is an alert of long ago counted among those of the last days."""
    assert ws.monitors.fatigue().empty
    assert "acted_on" in ws.monitors.fatigue()


def test_what_was_sent_is_counted(ws):
    """Each notice that a sink took."""
    with Listener() as sink:
        ws.monitors.sinks.save("ops", kind="webhook", url=sink.url)
        ws.monitors.ack(opened(ws, "errors"))
        ws.monitors.deliver()
    assert ws.monitors.fatigue()["notices"].tolist() == [1]
