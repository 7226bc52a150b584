"""The explorer where no kernel answers: what the runs scored, then the worst regressions, as a table and as text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

from lmops.base.sheet import framed
from lmops.text import escape, plain_line
from lmops.widgets.evals.view import OUTCOMES
from lmops.widgets.kit.static import MAX_ROWS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lmops.evals import Comparison
    from lmops.evals.boards import Board
    from lmops.widgets.evals.view import Columns, Filter


class CaseRows(Protocol):
    """A list of cases that can be written down."""

    board: Board
    order: NDArray[np.int64]
    columns: Columns

    @property
    def total(self) -> int:
        """How many cases are shown."""

    @property
    def filter(self) -> Filter:
        """Which cases are shown, and how."""

    @property
    def words(self) -> str:
        """The runs and the filter in words."""

    @property
    def comparison(self) -> Comparison | None:
        """Run a against run b; None for one run."""

    @property
    def notes(self) -> list[str]:
        """What a reader has to know."""

    @property
    def shown_runs(self) -> list[int]:
        """The places of the runs from left to right."""

    def preview(self, place: int) -> str:
        """Return the start of the input of a row of the board."""

    def output(self, run: int, example_id: str) -> str:
        """Return what a run answered to an example the first time."""

    def steps(self, place: int) -> str:
        """Return the calls of tools of a row of the board in a line."""


def number(value: float) -> str:
    """Return a score as a reader sees it; "-" for none."""
    return "-" if math.isnan(value) else f"{value:.4g}"


def as_html(controller: CaseRows, limit: int = MAX_ROWS) -> str:
    """Return the first cases as escaped HTML, below the comparison where there are two runs."""
    heads, rows, numbers = _rows(controller, limit)
    comparison = controller.comparison
    told = "".join(f"<div>{escape(plain_line(one, 300))}</div>" for one in controller.notes)
    above = told if comparison is None else comparison._repr_html_()
    count = controller.total
    first = f"The first {len(rows)} of " if len(rows) < count else ""
    title = f"{first}{count:,} case{'' if count == 1 else 's'}: {controller.words}"
    return f"<div>{above}{framed(title, heads, rows, numbers=numbers)}</div>"


def as_text(controller: CaseRows) -> str:
    """Return the comparison and the first ten cases as plain text."""
    _, rows, _ = _rows(controller, 10)
    comparison = controller.comparison
    told = [plain_line(one, 300) for one in controller.notes]
    lines = told if comparison is None else [comparison.text, ""]
    lines.append(f"{controller.total:,} cases: {plain_line(controller.words, 300)}")
    lines += ["  ".join(plain_line(cell, 60) for cell in row if cell) for row in rows]
    if controller.total > len(rows):
        lines.append(f"... and {controller.total - len(rows):,} more: .df() has all")
    return "\n".join(lines)


def bundle(controller: CaseRows) -> dict[str, str]:
    """Return the static forms by their media types."""
    return {"text/plain": as_text(controller), "text/html": as_html(controller)}


def _rows(controller: CaseRows, limit: int) -> tuple[list[str], list[list[str]], list[int]]:
    chosen, seen = controller.filter, controller.columns
    is_pair = chosen.b is not None
    runs = [controller.board.runs[place] for place in controller.shown_runs]
    scores = controller.board.scores.get(chosen.scorer)
    heads = [
        "case",
        *(run.label for run in runs),
        *(["change (negative: worse)", "flip"] if is_pair else ["result"]),
    ]
    heads += ["input", f"answer of {controller.board.runs[chosen.a].label}"]
    made = []
    for place in controller.order[:limit].tolist():
        outcome = {"none": ""}.get(OUTCOMES[int(seen.passes_a[place])], OUTCOMES[int(seen.passes_a[place])])
        values = ["" if scores is None else number(scores[place, run]) for run in controller.shown_runs]
        change = "" if math.isnan(seen.change[place]) else f"{seen.change[place]:+.4g}"
        example_id = controller.board.ids[place]
        made.append(
            [
                example_id,
                *values,
                *([change, seen.word(place)] if is_pair else [outcome]),
                controller.preview(place),
                controller.output(chosen.a, example_id),
                controller.steps(place),
            ]
        )
    if any(row[-1] for row in made):
        heads.append("tools (= same, ~ other arguments, - left out, + added)" if is_pair else "tools")
    else:
        made = [row[:-1] for row in made]
    return heads, made, list(range(1, 1 + len(runs) + is_pair))
