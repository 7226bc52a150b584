"""What the verdicts of judges are worth: the one place that says whether a calibration holds, asked by all.

A judge without one that holds is uncalibrated, or its calibration is stale, wherever its scores are shown; and it is no
ground for a verdict.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.evals._verdict import CriterionResult

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lmops.evals._criteria import Criteria
    from lmops.feedback import JudgeCalibration
    from lmops.store import Store

    Scorers = Mapping[str, Mapping[str, Any]]

#: Of a judge whose calibration holds.
FRESH: Final = "fresh"


class Trust(NamedTuple):
    """Whether a calibration of a judge holds.

    Args:
        record: The newest calibration of a judge of this name; None where there is none.
        words: "fresh", "uncalibrated: ..." or "stale: ...".
    """

    record: JudgeCalibration | None
    words: str

    @property
    def is_fresh(self) -> bool:
        """It holds."""
        return self.words == FRESH


def trust_in(store: Store, scorers: Scorers) -> dict[str, Trust]:
    """Return whether a calibration holds, for each of the scorers that is a judge.

    Args:
        store: Where the calibrations are.
        scorers: Those of a run, as it recorded them.
    """
    judges = {name: scorer for name, scorer in scorers.items() if scorer.get("kind") == "judge"}
    if not judges:
        return {}
    from lmops.feedback import known_calibration

    found = {}
    for name, scorer in judges.items():
        model = (scorer.get("options") or {}).get("model")
        record = known_calibration(store, name, scorer["version"], model)
        words = FRESH
        if record is None:
            words = "uncalibrated: it has no calibration"
        elif not record.is_fresh:
            words = f"stale: {'; '.join(record.stale)}"
        found[name] = Trust(record, words)
    return found


def doubts(store: Store, scorers: Scorers) -> dict[str, str]:
    """Return why there is no calibration that holds, for each of the scorers that is a judge and has none."""
    return {name: trust.words for name, trust in trust_in(store, scorers).items() if not trust.is_fresh}


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


def notes_on(judges: Sequence[tuple[str, str]]) -> list[str]:
    """Return a sentence on each judge whose scores are shown without a calibration that holds."""
    return [f"the judge {name} is {words}" for name, words in judges if words not in ("", FRESH)]
