"""The daily runbook: what it decides, how its command would end, and how it fails."""

from __future__ import annotations

import pytest

from lmops.errors import RunbookError
from lmops.monitors.defaults import DEFAULTS
from lmops.scorers import judge
from tests.monitors.traffic import add, day, sessions

pytestmark = pytest.mark.usefixtures("warm_kernels")


def run(ws, **given):
    return ws.runbooks.run("daily_monitor", given, progress=False, html=False)


def fill(ws):
    """Write five good days and a bad one."""
    add(ws, sessions(day(0), day(5)), sessions(day(5), day(6), bad=lambda n: n % 2 == 0, name="b"))


def test_it_is_quiet_then_fires_and_names_what(made_once):
    """As of a good day it ends with 0, as of the outage with 1; the alerts are in the result."""
    with made_once(fill) as ws:
        ws.monitors.save("errors", metric="error_rate")
        quiet = run(ws, at=day(5).isoformat(), scorers="refusal").raise_for_status()
        assert (quiet.result["decision"], quiet.exit_code) == ("quiet", 0)
        assert ws.sql("select count(*) from trace_scores").fetchall() == [(864,)]
        fires = run(ws, at=day(6).isoformat())
        assert (fires.result["decision"], fires.exit_code) == ("firing", 1)
        assert "queries that failed" in fires.result["reasons"][0]
        assert fires.result["ids"]["alerts"] == [1]


def test_it_scores_what_monitors_watch_by_code_all_and_by_judges_a_sample(ws):
    """A judge of the store as it is released; a scorer that nobody has is left to whoever has it."""
    rows = [{**row, "input": "q", "output": "A fine answer."} for row in sessions(day(0), day(5))]
    add(ws, rows)
    ws.judges.save(judge("polite", "Is it polite?", model="standin:judge-1"))
    for name in ("polite", "refusal", "own"):
        ws.monitors.save(name, metric=f"score.{name}")
    run(ws, at=day(5).isoformat(), sample=0.1).raise_for_status()
    found = dict(ws.sql("select scorer, count(*) from trace_scores group by scorer").fetchall())
    assert found.keys() == {"polite", "refusal"}
    assert found["refusal"] == len(rows)
    assert 0.05 * len(rows) < found["polite"] < 0.2 * len(rows)


def test_without_monitors_it_cannot_tell_and_makes_them_when_asked(ws):
    """It ends with 3, and says what would work."""
    found = run(ws).raise_for_status()
    assert (found.result["decision"], found.exit_code) == ("cannot tell", 3)
    assert "init=true" in found.result["reasons"][0]
    assert len(run(ws, init=True).result["evidence"]["series"]) == len(DEFAULTS)


def test_a_name_that_is_wrong_ends_it_with_the_nearest(ws):
    """The run fails; nothing was looked at."""
    ws.monitors.save("errors", metric="error_rate")
    found = run(ws, monitors="erors")
    assert found.status == "failed"
    with pytest.raises(RunbookError, match="errors"):
        found.raise_for_status()
