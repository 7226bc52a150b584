"""What a runbook decided, in one of four kinds: for the head of its report, and for how its command ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["pass", "fail", "inconclusive", "planned"]
#: The sign of each kind, so that colour is not all.
SIGNS: Final[dict[Kind, str]] = {"pass": "\u2713", "fail": "\u2715", "inconclusive": "?", "planned": "\u2192"}
EXIT_CODES: Final[dict[Kind, int]] = {"pass": 0, "fail": 1, "inconclusive": 3, "planned": 0}
#: Decisions that are no pass.
_KINDS: Final[dict[str, Kind]] = {
    "fail": "fail",
    "attention": "fail",
    "changed": "fail",
    "refused": "fail",
    "worse": "fail",
    "drifted": "fail",
    "drifted silently": "fail",
    "stale": "fail",
    "firing": "fail",
    "not recovered": "fail",
    "stopped": "fail",
    "would stop": "fail",
    "inconclusive": "inconclusive",
    "unknown": "inconclusive",
    "no data": "inconclusive",
    "cannot tell": "inconclusive",
    "uncalibrated": "inconclusive",
    "needs labels": "inconclusive",
    "waits": "inconclusive",
    "planned": "planned",
    "would act": "planned",
    "would go on": "planned",
    "would promote": "planned",
    "would roll back": "planned",
}
_WHY: Final = 600


class Answer(NamedTuple):
    """What a report begins with: what was decided, of which kind, and why, in one sentence."""

    kind: Kind
    word: str
    why: str


def kind_of(decision: object) -> Kind:
    """Return the kind of a decision, in any spelling: "No data", "drifted_silently"; what is not known is a pass."""
    return _KINDS.get(str(decision).strip().casefold().replace("_", " "), "pass")


def answer_of(
    status: str, result: Mapping[str, object] | None, failing_cell: Mapping[str, object] | None, error: str | None
) -> Answer:
    """Return what a run found, or that it found nothing because it stopped."""
    if status != "ok":
        cell = failing_cell
        where = f"cell {cell['number']} of {cell['of']}, {cell['title']}: " if cell is not None else ""
        return Answer("fail", status, plain_line(f"{where}{error or 'no reason is known'}", _WHY))
    found = result or {}
    decision, reasons = found.get("decision"), found.get("reasons")
    if not isinstance(decision, str):
        return Answer("planned", "done", "it ran to its end and decides nothing")
    why = reasons[0] if isinstance(reasons, list) and reasons else ""
    return Answer(kind_of(decision), decision.replace("_", " "), plain_line(str(why), _WHY))
