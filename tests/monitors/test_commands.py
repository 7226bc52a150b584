"""``lmops monitor``: the same verbs in a shell, and how they end."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from lmops.cli import main
from lmops.scorers import judge
from tests.monitors.traffic import add, day, sessions


@pytest.fixture
def call(ws):
    """Run a command on a store with an outage."""
    add(ws, sessions(day(0), day(5)), sessions(day(5), day(6), bad=lambda n: n % 2 == 0, name="b"))
    ws.monitors.save("errors", metric="error_rate")

    def run(*words, code=0):
        done = CliRunner().invoke(main, ["monitor", *words, "--store", str(ws.store.path)])
        assert done.exit_code == code, done.output
        return done.output

    return run


def test_a_check_ends_by_what_it_found(call):
    """0 quiet, 1 firing, 3 cannot tell; and the alert goes its way."""
    assert "cannot tell" in call("check", "--at", f"{day(1):%F}", code=3)
    assert "quiet" in call("check", "--at", f"{day(5):%F}")
    found = json.loads(call("check", "errors", "--at", f"{day(6):%F}", "--json", code=1))
    assert (found["outcome"], found["exit_code"], found["opened"]) == ("firing", 1, [1])
    call("show", "errors", code=1)
    assert json.loads(call("ack", "1", "--reason", "on it", "--json"))["status"] == "acknowledged"
    assert "silenced until" in call("silence", "1", "--for", "4h")
    assert "resolved" in call("resolve", "1", "--reason", "rolled back")
    assert json.loads(call("alerts", "--json"))[0]["status"] == "resolved"


def test_what_is_watched_is_listed_shown_and_replayed(call):
    """The default set, one version, a backtest, a simulation."""
    assert "tool-failures" in call("init")
    assert "errors" in call("list")
    assert "queries that failed" in call("get", "errors@1")
    assert "nothing changed" in call("diff", "errors", "1", "1")
    assert "would have fired 1 time" in call("backtest", "errors", "--every", "6h")
    assert "sessions until found" in call("simulate", "0.05", "200")


def test_what_moved_is_said_of_an_alert(call):
    """It ends with 0 when it can be told."""
    call("check", "--at", f"{day(6):%F}", code=1)
    assert "the application moved" in call("moved", "1")
    assert json.loads(call("moved", "1", "--json"))["which"] == "application"


def test_a_judge_is_given_anchors(call, ws):
    """Once; the second call asks nobody, and a judge that is not there is said."""
    ws.datasets.save("golden", [{"input": "q", "output": f"answer {number}"} for number in range(12)])
    ws.judges.save(judge("polite", "Is it polite?", model="standin:judge-1"))
    words = ("anchor", "judge:polite", "golden", "--every", "12h", "--json")
    first, second = (json.loads(call(*words)) for _ in range(2))
    assert (first["items"], first["every_s"], first["monitor"]) == (12, 43_200, "anchor-polite")
    assert second == first
    assert "anchor-polite" in call("list")
    assert "no judge" in call("anchor", "judge:nosuch", "golden", code=2)


def test_files_and_monitors_are_brought_together(call, tmp_path):
    """What is wrong in a file ends it with 1."""
    folder = tmp_path / "monitors"
    assert "errors" in call("sync", str(folder))
    (folder / "bad.yaml").write_text("metric: nosuch\n")
    assert "line 1" in call("sync", str(folder), code=1)
