"""The trace list where no kernel answers: a table that reads in exported and untrusted notebooks, and as plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from lmops.base.sheet import framed
from lmops.base.units import duration, money
from lmops.text import plain_line
from lmops.times import from_ns
from lmops.widgets.kit.static import MAX_ROWS

if TYPE_CHECKING:
    from collections.abc import Callable

_HEADS: Final = {"start_at": "started (UTC)", "trace_id": "trace"}
_SIGNS: Final = {"ok": "✓", "error": "✗"}


class TraceRows(Protocol):
    """A list of traces that can be written down."""

    @property
    def total(self) -> int:
        """How many traces match."""

    @property
    def words(self) -> str:
        """The filter and the range in words."""

    def rows(self, limit: int) -> tuple[list[str], list[list[Any]]]:
        """Return (columns, first rows) of the list."""

    def heading(self, name: str) -> str:
        """Return what stands over a column."""


def as_html(controller: TraceRows) -> str:
    """Return the first rows of the list as escaped HTML."""
    from lmops.traces.listing import COLUMNS

    names, rows = controller.rows(MAX_ROWS)
    names = [*names[1:], names[0]]
    cells = [
        [_words(name, COLUMNS[name].kind, value) for name, value in zip(names, [*row[1:], row[0]], strict=True)]
        for row in rows
    ]
    shown = f"The first {len(rows)} of " if len(rows) < controller.total else ""
    return framed(
        f"{shown}{controller.total:,} trace{'' if controller.total == 1 else 's'}: {controller.words}",
        [_HEADS.get(name, controller.heading(name)) for name in names],
        cells,
        numbers=[place for place, name in enumerate(names) if COLUMNS[name].kind == "number"],
    )


def as_text(controller: TraceRows) -> str:
    """Return the first rows as plain text."""
    from lmops.traces.listing import COLUMNS

    names, rows = controller.rows(10)
    lines = [f"{controller.total:,} traces: {plain_line(controller.words, 300)}"]
    for row in rows:
        words = [_words(name, COLUMNS[name].kind, value) for name, value in zip(names[1:], row[1:], strict=True)]
        lines.append("  ".join(plain_line(word, 48) for word in [row[0][:8], *words] if word))
    if controller.total > len(rows):
        lines.append(f"... and {controller.total - len(rows):,} more: .df() has all")
    return "\n".join(lines)


def bundle(controller: TraceRows) -> dict[str, str]:
    """Return the static forms by their media types."""
    return {"text/plain": as_text(controller), "text/html": as_html(controller)}


def _words(name: str, kind: str, value: Any) -> str:
    """Return a cell as the browser has it, in full where there is room."""
    from lmops.traces.listing import PREVIEW

    if value is None:
        return ""
    by_name: dict[str, Callable[[Any], str]] = {"latency_ms": duration, "cost_usd": money, "status": _with_sign}
    by_kind: dict[str, Callable[[Any], str]] = {
        "time": lambda ns: f"{from_ns(ns):%Y-%m-%d %H:%M:%S}",
        "text": lambda text: text if len(text) <= PREVIEW else f"{text[:PREVIEW]}…",
        "number": lambda number: f"{number:,}",
    }
    return by_name.get(name, by_kind.get(kind, str))(value)


def _with_sign(status: str) -> str:
    return f"{_SIGNS.get(status, '')} {status}".strip()
