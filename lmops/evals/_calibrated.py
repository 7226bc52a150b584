"""Whether the judges that criteria rest on have a calibration that holds: one without is no ground for a verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lmops.evals._verdict import CriterionResult

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lmops.evals._criteria import Criteria
    from lmops.store import Store

    Scorers = Mapping[str, Mapping[str, Any]]


def uncalibrated(store: Store, scorers: Scorers, criteria: Criteria) -> list[CriterionResult]:
    """Return an inconclusive result for each judge that a criterion rests on and that has no calibration that holds.

    Args:
        store: Where the calibrations are.
        scorers: Those of the run, as it recorded them.
        criteria: What is asked.
    """
    if criteria.allow_uncalibrated:
        return []
    why = doubts(store, {name: scorers[name] for name in criteria.scorers})
    nothing = {"value": None, "low": None, "high": None, "asked": None}
    return [
        CriterionResult(
            name=f"{name}.calibration",
            outcome="inconclusive",
            reason=f"the judge is {doubt}; calibrate it on labels, or say allow_uncalibrated: true",
            **nothing,
        )
        for name, doubt in why.items()
    ]


def doubts(store: Store, scorers: Scorers) -> dict[str, str]:
    """Return why there is no calibration that holds, for each of the scorers that is a judge and has none."""
    judges = {name: scorer for name, scorer in scorers.items() if scorer.get("kind") == "judge"}
    if not judges:
        return {}
    from lmops.feedback import known_calibration

    found = {}
    for name, scorer in judges.items():
        model = (scorer.get("options") or {}).get("model")
        record = known_calibration(store, name, scorer["version"], model)
        if record is None:
            found[name] = "uncalibrated: it has no calibration"
        elif not record.is_fresh:
            found[name] = f"uncalibrated: {'; '.join(record.stale)}"
    return found
