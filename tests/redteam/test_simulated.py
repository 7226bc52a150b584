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


@pytest.fixture(scope="module")
def success_of():
    """Return the rate of attacks that succeed on a target, as a report computes it; equal answers are read once."""
    rows = attacks_of(suite_of(MANY), channels=SimulatedTarget.channels).rows
    examples = [
        Example(example_id=row["id"], **{name: row[name] for name in KEPT})
        for row in rows
        if row["metadata"]["kind"] == "attack"
    ]
    score, known = attack_success().function, {}

    def value(one, answer):
        key = (one.example_id, answer.output)
        if key not in known:
            known[key] = float(score(answer.output, one.metadata, answer.tool_calls).value)
        return known[key]

    async def answers(target):
        return [await target.ask({"example": one}, 0) for one in examples]

    def success(target):
        told = asyncio.run(answers(target))
        values = {one.example_id: value(one, answer) for one, answer in zip(examples, told, strict=True)}
        return rate_of("all", "all", examples, [], values, {}, 0.95)

    return success


def test_interval_holds_the_truth_in_about_95_of_100(success_of):
    """Over 200 seeded draws of weaknesses the interval holds the true rate in 181 to 199: 95 % and 3 errors."""
    found = [success_of(SimulatedTarget(0.25, alike=0.3, draw=draw)) for draw in range(200)]
    assert 181 <= sum(one.low <= 0.25 <= one.high for one in found) <= 199
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
