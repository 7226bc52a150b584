"""Simulated raters: they know what really happened in the sample's traces, and err as often as they are told to.

Nobody is behind them. They label through the same verbs as people do, so that what agreement, adjudication and
calibration say can be held against what is true. Whether a rater errs on a trace follows from the name, the seed and
the trace: the same rater says the same again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import TYPE_CHECKING, Any, Final

from lmops.sample.asking import golden_rows
from lmops.sample.folder import data_dir
from lmops.standin.chance import happens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lmops.feedback import Feedback, Turn

#: What raters of the sample are asked: ``ws.feedback.schemas.save("support", lmops.sample.raters.FIELDS)``.
CRITERION: Final = "A help page or a tool says all that the answer says; nothing in it is made up."
PROBLEMS: Final = ("none", "made up", "fact missing", "nothing found", "failed")
FIELDS: Final[tuple[dict[str, Any], ...]] = (
    {"name": "verdict", "kind": "pass_fail", "criteria": CRITERION},
    {"name": "problem", "kind": "category", "options": PROBLEMS, "criteria": "What is worst about it."},
    {"name": "answer", "kind": "text", "criteria": "What the answer should have been."},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedRater:
    """A rater who is simulated, with known error rates.

    Args:
        name: Under which labels are kept.
        sensitivity: Share of the right answers that this rater passes, 0..1.
        specificity: Share of the wrong answers that this rater fails, 0..1.
        seed: Another seed, other errors.
    """

    name: str
    sensitivity: float
    specificity: float
    seed: int = 0

    def passes(self, trace_id: str) -> bool:
        """Whether this rater passes the answer of a trace of the sample."""
        is_right = bool(truth()[trace_id]["is_right"])
        random = Random(f"rater {self.name} {self.seed} {trace_id}")
        return happens(random, self.sensitivity) if is_right else not happens(random, self.specificity)

    def label(self, feedback: Feedback, queue: str) -> int:
        """Label what a queue has for this rater, until there is nothing left; return how many items that were."""
        count = 0
        while (turn := feedback.queues.next(queue, rater=self.name)) is not None:
            seconds = Random(f"pace {self.name} {turn.item}").triangular(6, 60, 15)
            feedback.queues.label(queue, turn.position, self._values(turn), rater=self.name, seconds=seconds)
            count += 1
        return count

    def _values(self, turn: Turn) -> dict[str, Any]:
        trace_id = str(turn.trace_id)
        return _values(trace_id, is_passed=self.passes(trace_id))


#: The two who label the sample, and the one who decides where they disagree.
PAIR: Final = (
    SimulatedRater(name="simulated-ada", sensitivity=0.95, specificity=0.9),
    SimulatedRater(name="simulated-ben", sensitivity=0.88, specificity=0.95),
)
EXPERT: Final = SimulatedRater(name="simulated-expert", sensitivity=1.0, specificity=1.0)


def decide(feedback: Feedback, queue: str, *, expert: SimulatedRater = EXPERT) -> int:
    """Decide every item of a queue on whose verdict raters disagree, as an expert who is simulated; return how many."""
    found = feedback.queues.disagreements(queue)
    found = found[found["field"] == "verdict"].drop_duplicates("position")
    for position, trace_id in zip(found["position"], found["trace_id"], strict=True):
        values = _values(trace_id, is_passed=expert.passes(trace_id))
        feedback.queues.adjudicate(queue, int(position), values, reason=f"decided by {expert.name}")
    return len(found)


def expected_agreement(raters: Sequence[SimulatedRater], trace_ids: Sequence[str]) -> float:
    """Return the share of these traces that two raters label alike, as their error rates say."""
    a, b = raters
    right = sum(bool(truth()[one]["is_right"]) for one in trace_ids) / len(trace_ids)
    pass_alike = a.sensitivity * b.sensitivity + (1 - a.sensitivity) * (1 - b.sensitivity)
    fail_alike = a.specificity * b.specificity + (1 - a.specificity) * (1 - b.specificity)
    return right * pass_alike + (1 - right) * fail_alike


def true_rate(trace_ids: Sequence[str]) -> float:
    """Return the share of these traces whose answer is right."""
    return sum(bool(truth()[one]["is_right"]) for one in trace_ids) / len(trace_ids)


@cache
def truth() -> dict[str, dict[str, Any]]:
    """Return what really happened by trace: is_right (nothing is made up), the problem, and the right answer if any."""
    answers = {str(row["id"]): str(row["answer"]) for row in golden_rows() if row["kind"] != "tool"}
    lines = (data_dir() / "truth.jsonl").read_text(encoding="utf-8").splitlines()
    return {
        row["trace_id"]: {
            "is_right": not row["unsupported"],
            "problem": _problem(row),
            "answer": answers.get(row["question_id"]) or None,
        }
        for row in map(json.loads, lines)
    }


def _problem(row: dict[str, Any]) -> str:
    """Return what is worst about an answer."""
    if row["unsupported"]:
        return "made up"
    if row["failure"]:
        return "failed"
    if row["correct"] is False:
        return "nothing found" if row["refused"] else "fact missing"
    return "none"


def _values(trace_id: str, *, is_passed: bool) -> dict[str, Any]:
    """Return a label: the truth but for the verdict, which is the rater's own."""
    row = truth()[trace_id]
    if not is_passed:
        verdict = {"value": "fail", "critique": "no help page and no tool says this"}
        return {"verdict": verdict, "problem": "made up", "answer": row["answer"]}
    return {"verdict": "pass", "problem": "none" if row["problem"] == "made up" else row["problem"]}
