"""The runbook of drift: what it decides, how its command would end, and how it fails."""

from __future__ import annotations

import pytest

from lmops.errors import RunbookError
from tests.monitors.traffic import add, day, sessions

pytestmark = pytest.mark.usefixtures("warm_kernels")


def run(ws, **given):
    return ws.runbooks.run("drift_check", given, progress=False, html=False)


def test_it_is_quiet_then_fires_and_names_the_part(ws):
    """Before another mix of models it ends with 0, after it with 1; the part is in its reasons."""
    add(ws, sessions(day(0), day(4), model=lambda number: "big" if number % 5 == 0 else "small"))
    add(ws, sessions(day(4), day(6), name="b", model=lambda number: "big" if number % 5 < 4 else "small"))
    quiet = run(ws, at=day(4).isoformat(), metrics="model_mix", init=True).raise_for_status()
    assert (quiet.result["decision"], quiet.exit_code) == ("quiet", 0)
    fires = run(ws, at=day(6).isoformat()).raise_for_status()
    assert (fires.result["decision"], fires.exit_code) == ("firing", 1)
    assert "drift of mix of models: big" in fires.result["reasons"][0]


def test_without_monitors_it_cannot_tell(ws):
    """It ends with 3, and says what would work."""
    found = run(ws).raise_for_status()
    assert (found.result["decision"], found.exit_code) == ("cannot tell", 3)
    assert "init=true" in found.result["reasons"][0]


def test_a_metric_that_is_none_ends_it_with_the_nearest(ws):
    """The run fails, and says which metric was meant."""
    found = run(ws, metrics="model_mx", init=True)
    assert found.status == "failed"
    with pytest.raises(RunbookError, match="model_mix"):
        found.raise_for_status()
