"""Every notebook runs from end to end, on traffic and on an empty store."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import lmops
from tests import warm

ROOT = Path(__file__).resolve().parent.parent
EXPLORING = ROOT / "notebooks" / "01_traces.ipynb"
RUNBOOK = ROOT / "notebooks" / "runbooks" / "traffic_report.ipynb"
DAY_NS = 86_400_000_000_000


def span(trace, number, *, start_ns, latency_ms, attributes, error=None, parent=None):
    """Return one OTLP/JSON span."""
    status = {"code": 2, "message": error} if error else {"code": 1}
    return {
        "traceId": f"{trace:032x}", "spanId": f"{trace * 10 + number:016x}", "name": attributes.get("name", "step"),
        "parentSpanId": f"{trace * 10 + parent:016x}" if parent else "", "kind": 1, "status": status,
        "startTimeUnixNano": str(start_ns), "endTimeUnixNano": str(start_ns + int(latency_ms * 1e6)),
        "attributes": [
            {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}
            for key, value in attributes.items()
        ],
    }  # fmt: skip  # keys that belong together share a line


@pytest.fixture(scope="module")
def traffic(tmp_path_factory):
    """Write a file of 60 traces in three days: some fail, some have no price, one has markup for a question."""
    start_ns, spans = 1_772_323_200_000_000_000, []
    for trace in range(1, 61):
        at = start_ns + trace * DAY_NS // 20
        question = "<img src=x onerror=alert(1)>" if trace == 7 else f"question {trace}"
        error = "RateLimitError" if trace % 10 == 0 else None
        model = "an-unknown-model" if trace % 12 == 0 else "gpt-4o-mini"
        spans += [
            span(trace, 1, start_ns=at, latency_ms=100 * trace, error=error, attributes={
                "name": "answer", "openinference.span.kind": "CHAIN", "input.value": question,
            }),
            span(trace, 2, start_ns=at, latency_ms=90 * trace, error=error, parent=1, attributes={
                "name": "chat", "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai",
                "gen_ai.request.model": model, "gen_ai.usage.input_tokens": 900, "gen_ai.usage.output_tokens": 40,
            }),
        ]  # fmt: skip  # items that belong together share a line
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "it's"}}]}
    request = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": "app"}, "spans": spans}]}]}
    path = tmp_path_factory.mktemp("traffic") / "traffic.jsonl"
    path.write_text(json.dumps(request) + "\n")
    return path


@pytest.fixture(scope="module")
def explored(traffic, tmp_path_factory):
    """The workspace in which 01_traces took in that file, twice."""
    folder = tmp_path_factory.mktemp("explored")
    with pytest.MonkeyPatch.context() as patched, lmops.open(folder / ".lmops", actor="tester") as ws:
        warm.use(patched)
        for _ in range(2):
            ws.runbooks.run(EXPLORING, {"source": str(traffic)}, progress=False, html=False).raise_for_status()
        yield ws


def report(ws, **given):
    return ws.runbooks.run(RUNBOOK, given, progress=False).raise_for_status()


def test_the_traffic_report_counts_and_decides(explored):
    """Totals are those of the file; the decision has its reasons; markup stays text; the page is there."""
    run = report(explored, last="30d", service="it's", top=3, max_unpriced=0.5, max_error_rate=0.01)
    summary = run.result["summary"]
    assert {name: summary[name] for name in ("traces", "spans", "calls", "errors", "unpriced_calls")} == {
        # a failed call that reports usage may have cost something
        "traces": 60,
        "spans": 120,
        "calls": 60,
        "errors": 6,
        "unpriced_calls": 5,
    }
    assert summary["cost_usd"] > 0
    assert 0 < summary["p50_ms"] < summary["p95_ms"] <= 6000
    assert run.result["decision"] == "attention"
    assert "error rate 10.0 %" in run.result["reasons"][0]
    assert run.result["ids"]["slowest"][0] == f"{60:032x}"
    assert "<img src=x" not in run.html_path.read_text()
    notebook = nbformat.read(run.notebook_path, 4)
    assert run.notebook_path.stat().st_size < 200_000
    assert all(output.output_type != "error" for cell in notebook.cells for output in cell.get("outputs", []))


def test_the_traffic_report_keeps_to_its_window(explored):
    """``last`` and ``until`` cut; thresholds that hold give "ok"."""
    run = report(explored, last="1d", until="2026-03-02T00:00:00+00:00", max_unpriced=1.0, max_error_rate=0.9)
    assert run.result["decision"] == "ok"
    assert 15 <= run.result["summary"]["traces"] <= 20


def test_the_traffic_report_of_nothing_says_so(ws, warm_kernels):
    """An empty store is "no data", not an error and not zero cost."""
    result = report(ws).result
    assert result["decision"] == "no data"
    assert result["summary"]["cost_usd"] is None


def test_a_window_that_cannot_be_read_fails_in_its_cell(explored):
    """The failing path: a clear record that names the cell."""
    run = explored.runbooks.run(RUNBOOK, {"last": "two weeks"}, progress=False, html=False)
    assert run.status == "failed"
    assert "two weeks" in run.error
    query = "select status, actor from runbook_runs where run_id = ?"
    assert explored.sql(query, [run.run_id]).fetchall() == [("failed", "tester")]
    assert explored.audit.verify().ok


def test_the_exploring_notebook_runs(explored):
    """01_traces goes from a file to charts; running it twice adds nothing."""
    assert explored.sql("select count(*) from traces").fetchall() == [(60,)]


def test_the_exploring_notebook_runs_as_it_is_opened(ws, monkeypatch):
    """With the files it names itself, from the folder it lies in: what a newcomer does first."""
    monkeypatch.setenv("LMOPS_STORE", str(ws.store.path))
    notebook = nbformat.read(EXPLORING, 4)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(ROOT / "notebooks")}}).execute()
    assert ws.sql("select count(*) from traces").fetchall() == [(2000,)]
