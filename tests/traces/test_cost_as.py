"""What calls would have cost with another model."""

import json

import pytest

from lmops.errors import UsageError

from .test_traces import call, request


def keep(ws, tmp_path, *spans):
    """Store spans."""
    path = tmp_path / "calls.jsonl"
    path.write_bytes(request(*spans))
    ws.traces.ingest(path)


def test_each_model_has_its_own_price_for_the_same_tokens(ws, tmp_path):
    """The sums are those of calls that were made with that model, and the change is over calls priced both ways."""
    keep(ws, tmp_path, call(trace=1), call(trace=2), call(trace=3, model="nobody-knows"))
    keep(ws, tmp_path, call(trace=4, number=2, model="gpt-4o"))
    prices = dict(ws.sql("select model, cost_usd from llm_calls").fetchall())
    found = ws.traces.cost_as(["gpt-4o", "gpt-4o-mini"], "trace_id < '00000000000000000000000000000004'")
    paid, dearer, same = found.to_dict("records")
    assert (paid["calls"], paid["unpriced_calls"], dearer["unpriced_calls"]) == (3, 1, 0)
    assert paid["cost_usd"] == pytest.approx(2 * prices["gpt-4o-mini"])
    assert dearer["cost_usd"] == pytest.approx(3 * prices["gpt-4o"])
    assert dearer["change_usd"] == pytest.approx(2 * (prices["gpt-4o"] - prices["gpt-4o-mini"]))
    assert (dearer["compared_calls"], same["change_usd"]) == (2, 0)


def test_a_model_without_a_price_costs_nothing_that_is_known(ws, tmp_path):
    """Missing stays missing, and is counted."""
    keep(ws, tmp_path, call())
    made = ws.traces.cost_as("nobody-knows").to_dict("records")[1]
    assert (made["unpriced_calls"], made["compared_calls"]) == (1, 0)
    assert made["cost_usd"] != made["cost_usd"]
    assert made["change_usd"] != made["change_usd"]


def test_a_price_that_was_set_holds(ws, tmp_path):
    """Prices of the store come first here as well."""
    keep(ws, tmp_path, call())
    ws.models.set_price("house-model", input_usd_per_mtok=1, output_usd_per_mtok=1)
    assert ws.traces.cost_as("house-model")["cost_usd"][1] == pytest.approx(1_200 / 1e6)


def test_sound_has_a_price_only_where_the_other_model_has_a_rate(ws, tmp_path):
    """A call with spoken input cannot be priced with a model that only reads."""
    details = json.dumps({"audio": 400})
    keep(ws, tmp_path, call(gen_ai__usage__input_token_details=details), call(trace=2))
    found = ws.traces.cost_as("gpt-5-nano").to_dict("records")[1]
    assert (found["calls"], found["unpriced_calls"]) == (2, 1)


@pytest.mark.parametrize("models", [[], "", ["a", "a"], ["a", ""]])
def test_models_are_named_once_each(ws, models):
    """The error shows what a call looks like."""
    with pytest.raises(UsageError, match="gpt-5-nano"):
        ws.traces.cost_as(models)


def test_nothing_there_costs_nothing_known(ws):
    """An empty store has no cost, not a cost of 0."""
    found = ws.traces.cost_as("gpt-5-nano")
    assert found["calls"].tolist() == [0, 0]
    assert found["cost_usd"].isna().all()
