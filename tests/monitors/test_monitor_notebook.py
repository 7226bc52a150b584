"""05_monitors runs from end to end on the sample."""

from __future__ import annotations

from pathlib import Path

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "05_monitors.ipynb"


def test_the_notebook_runs(ws, warm_kernels):
    """It scores and checks, finds what is planted since when it is so, and somebody takes notice of one alert."""
    run = ws.runbooks.run(NOTEBOOK, {}, progress=False, html=False).raise_for_status()
    assert run.status == "ok"
    assert ws.sql("select count(*) from trace_scores where scorer = 'refusal'").fetchall() == [(2000,)]
    # the newest of each: prompt 3 made answers longer for a while before the model did
    found = ws.monitors.alerts().drop_duplicates("monitor").set_index("monitor")
    assert {"answer-length", "cost", "tool-failures", "documents-found", "drift-lengths"} <= set(found.index)
    assert "drift-models" not in found.index
    assert str(found.since_at["answer-length"])[:10] == "2026-10-29"
    assert found.status["answer-length"] == "acknowledged"
    explained = ws.monitors.explain(int(found.alert["answer-length"]))
    assert "system fingerprint accounts for 100 %" in explained.text
    assert ws.audit.verify().ok
