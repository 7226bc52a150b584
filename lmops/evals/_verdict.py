"""A verdict: what a gate decided, on which evidence, in the forms that CI systems and people read."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from lmops.base.cards import card_html
from lmops.base.sheet import BAD, GOOD, aligned, html_table
from lmops.evals.summaries import number
from lmops.text import escape, plain, plain_line

if TYPE_CHECKING:
    from datetime import datetime

Outcome = Literal["pass", "fail", "inconclusive"]
EXIT_CODES: Final[dict[str, int]] = {"pass": 0, "fail": 1, "inconclusive": 3}
_LOOKS: Final = {"pass": ("\u2713", GOOD), "fail": ("\u2715", BAD), "inconclusive": ("?", "font-weight:600")}
_HEAD: Final = ("criterion", "outcome", "found", "interval", "asked", "why")


@dataclass(frozen=True, slots=True, kw_only=True)
class CriterionResult:
    """One criterion and what was found; None where there is no number."""

    name: str
    outcome: Outcome
    value: float | None
    low: float | None
    high: float | None
    asked: float | None
    reason: str
    n_needed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Verdict:
    """What a gate decided; the evidence that ``ws.prompts.promote(..., evidence=verdict)`` asks for.

    Args:
        verdict_id: Under which it is kept.
        outcome: "pass" when every criterion holds, "fail" when one is broken, else "inconclusive".
        run_id: The run that was judged.
        baseline_run_id: What it was compared with.
        prompt_ref: The prompt version that ran.
        results: One per criterion.
        criteria: What was asked.
        created_at: When.
        actor: Who asked.
        event_id: Its audit event.
    """

    verdict_id: str
    outcome: Outcome
    run_id: str
    baseline_run_id: str | None
    prompt_ref: str | None
    results: tuple[CriterionResult, ...]
    criteria: dict[str, Any]
    created_at: datetime
    actor: str
    event_id: int

    def __bool__(self) -> bool:
        """Return whether it passed; what is inconclusive did not."""
        return self.outcome == "pass"

    @property
    def exit_code(self) -> int:
        """0 for pass, 1 for fail, 3 for inconclusive."""
        return EXIT_CODES[self.outcome]

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it did not pass, one sentence each; for a pass, what held."""
        wanted = [one for one in self.results if one.outcome == self.outcome]
        return tuple(f"{one.name}: {one.reason}" for one in wanted)

    @property
    def why(self) -> str:
        """Why it came out so, in one sentence: the first reason; for a pass, that everything holds."""
        if self.outcome != "pass":
            return self.reasons[0]
        one = len(self.results) == 1
        return f"{'the criterion holds' if one else f'all {len(self.results)} criteria hold'}"

    def __repr__(self) -> str:
        prompt = f" of {self.prompt_ref}" if self.prompt_ref else ""
        return f"<Verdict {self.verdict_id} {self.outcome.upper()}{prompt}: {plain_line('; '.join(self.reasons), 200)}>"

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "verdict_id": self.verdict_id,
            "outcome": self.outcome,
            "exit_code": self.exit_code,
            "run_id": self.run_id,
            "baseline_run_id": self.baseline_run_id,
            "prompt_ref": self.prompt_ref,
            "reasons": list(self.reasons),
            "results": [asdict(one) for one in self.results],
            "criteria": self.criteria,
            "created_at": self.created_at.isoformat(),
            "actor": self.actor,
            "event_id": self.event_id,
        }

    def to_json(self) -> str:
        """Return it as JSON text."""
        return json.dumps(self.as_dict(), indent=2, allow_nan=False)

    @property
    def text(self) -> str:
        """The verdict as text."""
        against = f" against {self.baseline_run_id}" if self.baseline_run_id else ""
        head = f"{self.outcome.upper()}  {self.why}"
        rest = f"{self.verdict_id}: {self.run_id}{against}"
        return "\n".join([head, "", *aligned([_HEAD, *map(_row, self.results)]), "", rest])

    def to_markdown(self) -> str:
        """Return it as Markdown, for the summary of a CI job."""
        prompt = f" of `{_cell(self.prompt_ref)}`" if self.prompt_ref else ""
        against = f" against `{self.baseline_run_id}`" if self.baseline_run_id else ""
        lines = [
            f"## Gate: {self.outcome}{prompt}",
            "",
            _cell(self.why),
            "",
            f"| {' | '.join(_HEAD)} |",
            f"|{'---|' * len(_HEAD)}",
            *(f"| {' | '.join(map(_cell, _row(one)))} |" for one in self.results),
            "",
            f"`{self.verdict_id}`, run `{self.run_id}`{against}",
        ]
        return "\n".join(lines) + "\n"

    def to_junit(self) -> str:
        """Return it as JUnit XML: one test per criterion; what is inconclusive is a failure of that type."""
        from xml.etree import ElementTree as ET

        broken = sum(one.outcome != "pass" for one in self.results)
        counts = {"tests": str(len(self.results)), "failures": str(broken), "errors": "0"}
        suites = ET.Element("testsuites", counts)
        suite = ET.SubElement(
            suites,
            "testsuite",
            {
                "name": f"lmops gate {self.prompt_ref or self.run_id}",
                "timestamp": self.created_at.isoformat(),
                **counts,
            },
        )
        for one in self.results:
            case = ET.SubElement(suite, "testcase", {"classname": "lmops.gate", "name": plain(one.name)})
            if one.outcome != "pass":
                said = {"type": one.outcome, "message": plain(one.reason)}
                ET.SubElement(case, "failure", said).text = "  ".join(_row(one))
        return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"

    def _repr_html_(self) -> str:
        sign, look = _LOOKS[self.outcome]
        head = f'<span style="font-size:1.6em;{look}">{sign} {escape(self.outcome)}</span> {escape(self.why)}'
        facts = [
            ("run", self.run_id),
            ("against", self.baseline_run_id),
            ("verdict", self.verdict_id),
            ("asked by", self.actor),
            ("at (UTC)", f"{self.created_at:%Y-%m-%d %H:%M}"),
        ]
        table = html_table(_HEAD, [_row(one) for one in self.results])
        return card_html("gate", self.prompt_ref or "", facts, lead=f"<div>{head}</div>{table}")


def assert_gate(verdict: Verdict, *, allow_inconclusive: bool = False) -> None:
    """Fail a test unless a gate passes; for pytest and any other test runner.

    Args:
        verdict: Of ``ws.evals.gate(run, baseline, criteria)``.
        allow_inconclusive: Let a test pass that cannot tell.

    Raises:
        AssertionError: With the whole verdict as text.
    """
    if verdict.outcome == "pass" or (allow_inconclusive and verdict.outcome == "inconclusive"):
        return
    raise AssertionError(verdict.text)


def _row(one: CriterionResult) -> tuple[str, ...]:
    interval = "-" if one.low is None and one.high is None else f"{_shown(one.low)} to {_shown(one.high)}"
    need = f"; about {one.n_needed:,} examples would decide" if one.n_needed else ""
    return (
        plain_line(one.name, 80),
        one.outcome,
        _shown(one.value),
        interval,
        _shown(one.asked),
        plain_line(one.reason + need, 400),
    )


def _shown(value: float | None) -> str:
    return number(math.nan if value is None else value)


def _cell(text: str | None) -> str:
    """Return text that stays in its cell and is no markup."""
    shown = escape(text)
    for sign in "\\`*_[]|":
        shown = shown.replace(sign, f"&#{ord(sign)};")
    return shown
