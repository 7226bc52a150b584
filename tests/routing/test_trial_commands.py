"""``lmops route compare|power|canary|step|weigh|advise``: the same verbs in a shell, and how they end."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from lmops.cli import main
from tests.routing.trials import PLAN, arms, traffic


@pytest.fixture
def call(ws):
    """Run a command on a store with a release that fails."""
    ws.routing.set("support", arms(0.5, canary=PLAN))
    traffic(ws, users=250, failing={"next": 0.6})

    def run(*words, code=0):
        done = CliRunner().invoke(main, ["route", *words, "--store", str(ws.store.path)])
        assert done.exit_code == code, done.output
        return done.output

    return run


def test_what_arms_are_worth_ends_by_what_it_found(call):
    """0 good, 1 worse, 3 cannot tell; the numbers as JSON."""
    found = json.loads(call("compare", "support", "error_rate", "--guard", "cost_per_query=1", "--json", code=1))
    assert (found["verdict"], found["split"]["is_mismatch"]) == ("worse", False)
    assert [one["role"] for one in found["metrics"]] == ["primary", "guard"]
    swapped = ("--arm", "current", "--arm", "next")
    assert "better" in call("compare", "support", "error_rate", "--guard", "cost_per_query", *swapped)
    assert "any look" in call("power", "support", "error_rate", "--effect", "0.02")
    assert "current" in call("advise", "support", "error_rate", "--margin", "0.02")
    assert "give METRIC=MARGIN" in call("compare", "support", "error_rate", "--guard", "error_rate=x", code=2)


def test_a_release_goes_its_way(call):
    """The canary is to be stopped; a step only proposes, with --act it moves; shares are set by hand."""
    assert "is to be stopped" in call("canary", "support", code=1)
    assert json.loads(call("step", "support", "--json", code=1))["is_moved"] is False
    moved = json.loads(call("step", "support", "--act", "--reason", "as planned", "--json", code=1))
    assert (moved["is_moved"], moved["version"], moved["status"]["weights"]["next"]) == (True, 2, 0.0)
    assert "support@3" in call("weigh", "support", "current=0.8", "next=0.2", "--reason", "once more")
    assert "add up to" in call("weigh", "support", "current=0.8", code=2)
