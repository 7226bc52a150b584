"""The runbook of what queries cost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.traces.test_traces import call, request

BOOK = Path(__file__).resolve().parent.parent / "notebooks" / "runbooks" / "cost_report.ipynb"


def report(ws, **given):
    """Run it."""
    return ws.runbooks.run(BOOK, given, progress=False, html=False)


@pytest.fixture
def traffic(ws, tmp_path, warm_kernels):
    """Ten calls, one of a model without a price and one that asks for markup."""
    models = ["gpt-4o-mini"] * 9 + ["<b>nobody</b>"]
    path = tmp_path / "calls.jsonl"
    path.write_bytes(request(*[call(trace=i, model=model) for i, model in enumerate(models, 1)]))
    ws.traces.ingest(path)
    return ws


def test_it_says_what_it_cost_and_would_have_cost(traffic):
    """Totals are those of the calls; another model has its change; what has no price is the reason to look."""
    run = report(traffic, alternatives="gpt-4o").raise_for_status()
    assert run.result["decision"] == "attention"
    assert "1 of 10 model calls have no known price" in run.result["reasons"][0]
    assert run.result["summary"]["cost_usd"] > 0
    assert run.result["summary"]["gpt-4o_change_usd"] > 0
    assert len(run.result["ids"]["dearest"]) == 3


def test_a_window_that_cost_too_much_is_said_with_both_numbers(traffic):
    """The limit and what was found stand in the reason."""
    run = report(traffic, alternatives="", max_usd=0.0001, max_unpriced=1.0).raise_for_status()
    assert run.result["reasons"] == [f"the window cost ${run.result['summary']['cost_usd']:,.2f}, above $0.00"]


def test_nothing_there_is_no_data(ws, warm_kernels):
    """An empty store is no free traffic."""
    result = report(ws).raise_for_status().result
    assert (result["decision"], result["summary"]["cost_usd"]) == ("no data", None)


def test_a_model_named_twice_fails_in_its_cell(traffic):
    """The failing path: a clear record."""
    run = report(traffic, alternatives="gpt-4o, gpt-4o")
    assert run.status == "failed"
    assert "name each model once" in json.dumps(run.error)
