"""The runbook of retrieval: what it decides, how its command would end, and how it fails."""

from __future__ import annotations

import pytest

from lmops.errors import RunbookError
from lmops.times import from_ns
from tests.retrieval.drift_traffic import golden, stored
from tests.store.helpers import DAY, START

pytestmark = pytest.mark.usefixtures("warm_kernels")


def run(ws, begin, **given):
    since, until = (f"{from_ns(START + day * DAY):%Y-%m-%dT%H:%M:%S}" for day in (begin, begin + 2))
    given |= {"since": since, "until": until, "answers": 0}
    return ws.runbooks.run("retrieval_check", given, progress=False, html=False)


def test_a_loss_of_recall_fails_it(ws):
    """It names the settings; two days that are alike pass."""
    rows = [{"input": one.text, "metadata": {"source_ids": sorted(one.relevant)}} for one in golden()]
    ws.datasets.save("golden", rows)
    stored(ws, days=(0, 4))
    stored(ws, days=(4, 6), name="c", settings="s2", chunks=2, seed=2)
    worse = run(ws, 4).raise_for_status()
    assert (worse.result["decision"], worse.exit_code) == ("worse", 1)
    assert worse.result["reasons"][0].startswith("the settings changed: s1 -> s2")
    assert worse.result["summary"]["causes"] == "settings"
    alike = run(ws, 2).raise_for_status()
    assert (alike.result["decision"], alike.exit_code) == ("nothing", 0)


def test_a_data_set_that_is_none_ends_it_with_the_nearest(ws):
    """The run fails, and says which data set was meant."""
    ws.datasets.save("golden", [{"input": "x", "metadata": {"source_ids": ["a"]}}])
    found = run(ws, 2, golden="goldn")
    assert found.status == "failed"
    with pytest.raises(RunbookError, match="golden"):
        found.raise_for_status()


def test_without_traffic_it_cannot_tell(ws):
    """It ends with 3."""
    found = run(ws, 2).raise_for_status()
    assert (found.result["decision"], found.exit_code) == ("unknown", 3)
