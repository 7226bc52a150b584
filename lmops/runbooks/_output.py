"""How much a run may show: what is beyond is dropped, and the archived notebook says so where it happened."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from lmops.runbooks._result import MIMETYPE

#: Characters kept of one cell and of a whole notebook, and outputs of one cell; a stretch of printed text counts once.
CELL_CHARS: Final = 2_000_000
NOTEBOOK_CHARS: Final = 20_000_000
CELL_OUTPUTS: Final = 1_000
#: An error is text for a person: the ends of a longer one tell enough.
_ERROR_CHARS: Final = 20_000
#: The result of a runbook is kept whatever the cells before it have shown; this many of at most so many characters.
_RESULTS: Final = 20
_RESULT_CHARS: Final = 1_000_000


@dataclass(slots=True)
class _Cell:
    chars: int = 0
    outputs: int = 0
    dropped_chars: int = 0
    dropped_outputs: int = 0


@dataclass(slots=True)
class OutputLimit:
    """Decides for each message of a kernel how much of it is kept."""

    cells: dict[int, _Cell] = field(default_factory=dict)
    results: int = 0

    def clear(self, index: int) -> None:
        """Forget what a cell has shown: it cleared it itself."""
        self.cells[index] = _Cell()

    def admit(self, index: int, kind: str, content: dict[str, Any], *, is_new: bool) -> dict[str, Any] | None:
        """Return the content as it is kept, shortened where it must be, or None when it is dropped.

        Args:
            index: Position of the cell.
            kind: Type of the message: "stream", "display_data", "execute_result", "update_display_data", "error".
            content: What it brings.
            is_new: Whether it is an output of its own, not the continuation of a printed text.
        """
        cell = self.cells.setdefault(index, _Cell())
        if kind == "error":
            return _short_error(content)
        size = _size(content)
        if MIMETYPE in content.get("data", {}) and size <= _RESULT_CHARS and self.results < _RESULTS:
            self.results += 1
            return content
        used = sum(one.chars for one in self.cells.values())
        room = max(0, min(CELL_CHARS - cell.chars, NOTEBOOK_CHARS - used))
        if is_new and cell.outputs >= CELL_OUTPUTS:
            room = 0
        kept: dict[str, Any] | None = content
        if size > room:
            kept = {**content, "text": content["text"][:room]} if kind == "stream" and room else None
            cell.dropped_chars += size - (room if kept else 0)
            cell.dropped_outputs += 1
        if kept is not None:
            cell.chars += min(size, room)
            cell.outputs += is_new
        return kept

    def said(self, index: int) -> str | None:
        """Return the sentence about what was dropped of a cell, or None."""
        cell = self.cells.get(index)
        if cell is None or not cell.dropped_outputs:
            return None
        return (
            f"[lmops kept {cell.chars:,} characters of what this cell showed: {cell.dropped_chars:,} more, in "
            f"{cell.dropped_outputs:,} outputs, were dropped. A cell may show {CELL_CHARS:,} characters and "
            f"{CELL_OUTPUTS:,} outputs, a notebook {NOTEBOOK_CHARS:,} characters.]\n"
        )


def _size(content: dict[str, Any]) -> int:
    """Return about how many characters a message puts into a notebook."""
    text = content.get("text")
    if isinstance(text, str):
        return len(text)
    return sum(_length(value) for value in content.get("data", {}).values())


def _length(value: object) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(len(str(key)) + _length(one) for key, one in value.items())
    if isinstance(value, list):
        return sum(map(_length, value))
    return 8


def _short_error(content: dict[str, Any]) -> dict[str, Any]:
    return {
        **content,
        "ename": _ends(str(content.get("ename", "")), 200),
        "evalue": _ends(str(content.get("evalue", ""))),
        "traceback": [_ends(str(line)) for line in content.get("traceback", [])[-200:]],
    }


def _ends(text: str, limit: int = _ERROR_CHARS) -> str:
    """Return the beginning and the end of a long text."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]} ... [{len(text) - 2 * half:,} characters dropped] ... {text[-half:]}"
