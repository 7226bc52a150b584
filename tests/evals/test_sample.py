"""On the sample: prompt v3 is worse than v2, and two runs of one version are not different."""

from __future__ import annotations

import pytest

from lmops.errors import LmopsError
from lmops.sample import golden

from .ferry import save_prompts

#: Topics are the clusters of the golden questions; without them 166 answers are enough for this margin.
CRITERIA = {"scorers": {"source_support": {"max_loss": 0.03}}, "max_error_rate": 0.0, "clustered": False}


@pytest.fixture
def runs(ws):
    save_prompts(ws)
    ws.datasets.save("golden", golden())

    def start(version):
        return ws.evals.run(f"support-answer@{version}", "golden", ["source_support", "refusal"], progress=False)

    return {"v2": start(2), "again": start(2), "v3": start(3)}


def test_the_gate_finds_that_v3_invents(ws, runs):
    """Its answers are supported by their sources less often: found with an interval, and the gate fails."""
    found = ws.evals.compare(runs["v3"], runs["v2"])["source_support"]
    assert found.outcome == "worse"
    assert -0.15 < found.low < found.high < -0.01
    assert found.n_clusters == 18
    verdict = ws.evals.gate(runs["v3"], runs["v2"], CRITERIA)
    assert (verdict.outcome, verdict.prompt_ref) == ("fail", "support-answer@3")
    ws.prompts.protect("support-answer", "production")
    with pytest.raises(LmopsError, match="fail"):
        ws.prompts.promote("support-answer", 3, to="production", evidence=verdict, reason="friendlier")


def test_the_gate_finds_no_difference_between_two_runs_of_one_version(ws, runs):
    """The loss that is not acceptable is excluded, and the verdict is evidence for a promotion."""
    found = ws.evals.compare(runs["again"], runs["v2"], margin=0.03)["source_support"]
    assert (found.outcome, found.difference, found.p_value) == ("inconclusive", 0, 1)
    found = ws.evals.compare(runs["again"], runs["v2"], margin=0.03, clustered=False)["source_support"]
    assert (found.outcome, found.difference) == ("non_inferior", 0)
    verdict = ws.evals.gate(runs["again"], runs["v2"], CRITERIA)
    assert verdict.outcome == "pass"
    ws.prompts.protect("support-answer", "production")
    ws.prompts.promote("support-answer", 2, to="production", evidence=verdict, reason="passed the gate")
    assert ws.prompts.get("support-answer@production").version == 2
