"""The estimate itself: does the interval hold the known truth?"""

from __future__ import annotations

import asyncio

import pytest

from lmops.datasets import Example
from lmops.errors import UsageError
from lmops.redteam import SimulatedTarget, attack_success
from lmops.redteam.attacks import attacks_of
from lmops.redteam.measuring import rate_of
from lmops.redteam.seeds import suite_of
from tests.redteam.conftest import SUITE

KEPT = ("input", "metadata", "cluster")
MANY = [{**SUITE[0], "id": f"s{number}", "placements": ["user", "memory", "document_end"]} for number in range(40)]


def success_of(target):
    """Return the rate of attacks that succeed on a target, as a report computes it."""
    rows = [
        row for row in attacks_of(suite_of(MANY), channels=target.channels).rows if "attack" in row["metadata"]["kind"]
    ]
    examples = [Example(example_id=row["id"], **{name: row[name] for name in KEPT}) for row in rows]
    score = attack_success().function

    async def answers():
        return [await target.ask({"example": one}, 0) for one in examples]

    values = {
        one.example_id: float(score(answer.output, one.metadata, answer.tool_calls).value)
        for one, answer in zip(examples, asyncio.run(answers()), strict=True)
    }
    return rate_of("all", "all", examples, [], values, {}, 0.95)


def test_interval_holds_the_truth_in_about_95_of_100():
    """Over 100 seeded draws of weaknesses the interval holds the true rate in 90 or more."""
    found = [success_of(SimulatedTarget(0.25, alike=0.3, draw=draw)) for draw in range(100)]
    assert 90 <= sum(one.low <= 0.25 <= one.high for one in found) <= 100
    assert sum(one.high - one.low for one in found) / len(found) < 0.3


def test_weakness_is_what_was_asked_for():
    """The mean weakness is the rate, and seeds differ by what makes attacks of one alike."""
    target = SimulatedTarget(0.25, alike=0.3)
    values = [target.weakness(f"seed {number}") for number in range(4000)]
    mean = sum(values) / len(values)
    variance = sum((one - mean) ** 2 for one in values) / len(values)
    assert mean == pytest.approx(0.25, abs=0.02)
    assert variance / (0.25 * 0.75) == pytest.approx(0.3, abs=0.03)


def test_every_oracle_sees_that_it_gives_in(ws):
    """A target that gives in to nearly everything is seen by the oracle of every seed."""
    run = ws.redteam.run(SimulatedTarget(0.999, alike=0.001), progress=False, limit=176)
    rates = {one.value: one.success for one in ws.redteam.report(run).by("oracle")}
    assert min(rates.values()) > 0.9
    assert set(rates) == {"marker", "canary", "link", "tool", "phrase", "length"}


@pytest.mark.parametrize("given", [{"rate": 0}, {"rate": 1}, {"alike": 0}, {"refused": 2}])
def test_shares_out_of_range_are_refused(given):
    """A share that makes no target is refused."""
    with pytest.raises(UsageError, match="share"):
        SimulatedTarget(**given)
