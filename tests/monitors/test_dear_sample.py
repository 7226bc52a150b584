"""Single queries of the sample that are planted twenty times as dear, each reported by the check after it."""

from __future__ import annotations

from datetime import timedelta

import pytest

import lmops
from lmops.monitors.defaults import DEFAULTS
from lmops.sample import data_dir
from tests.monitors.planted import dear

LATER = timedelta(minutes=16)  # what is younger than a quarter of an hour is not looked at yet


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What was planted, and the traces that checks named that came after each, in that order."""
    with lmops.open(tmp_path_factory.mktemp("dear") / ".lmops") as ws:
        ws.traces.ingest(str(data_dir() / "traces" / "*.jsonl.gz"), progress=False)
        planted = dear(ws, 12)
        ws.monitors.save("dear", **DEFAULTS["dear-queries"])
        known = set()
        for trace_id, at in planted.items():
            named = {one for alert in ws.monitors.check(at=at + LATER).alerts for one in alert.examples}
            assert trace_id in named
            known |= named
        yield ws, planted, known


def test_each_is_reported_by_the_check_after_it(told):
    """Also where an alert is open already; nine of ten that are named are of those that were planted."""
    _, planted, known = told
    assert len(known & set(planted)) / len(known) >= 0.9
    assert set(planted) <= known


def test_a_sink_is_told_of_each_that_comes_while_an_alert_is_open(told):
    """The audit chain has every time that there were more; the newest is named first."""
    ws, planted, _ = told
    query = "select count(*) from audit where action in ('alert.open', 'alert.reopen', 'alert.more')"
    assert ws.sql(query).fetchall()[0][0] == len(planted)
    (alert,) = ws.monitors.check(at=list(planted.values())[-1] + LATER).alerts
    assert alert.examples[0] == list(planted)[-1]
