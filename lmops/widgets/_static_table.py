"""The trace list where no kernel answers: a table that reads in exported and untrusted notebooks, and as plain text."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from lmops.text import plain_line
from lmops.widgets._static import MAX_ROWS, table

if TYPE_CHECKING:
    from lmops.widgets.trace_browser_controller import TraceBrowserController

_NUMBERS: Final = frozenset({"number"})


def as_html(controller: TraceBrowserController) -> str:
    """Return the first rows of the list as escaped HTML."""
    from lmops.traces._listing import COLUMNS

    names, rows = controller.rows(MAX_ROWS)
    names = [*names[1:], names[0]]
    cells = [
        [_words(name, COLUMNS[name].kind, value) for name, value in zip(names, [*row[1:], row[0]], strict=True)]
        for row in rows
    ]
    shown = f"the first {len(rows)} of " if len(rows) < controller.total else ""
    return table(
        f"{shown}{controller.total:,} trace{'' if controller.total == 1 else 's'}: {controller.words}",
        [_label(name) for name in names],
        cells,
        numbers=[place for place, name in enumerate(names) if COLUMNS[name].kind in _NUMBERS],
    )


def as_text(controller: TraceBrowserController) -> str:
    """Return the first rows as plain text."""
    from lmops.traces._listing import COLUMNS

    names, rows = controller.rows(10)
    lines = [f"{controller.total:,} traces: {plain_line(controller.words, 300)}"]
    for row in rows:
        words = [_words(name, COLUMNS[name].kind, value) for name, value in zip(names[1:], row[1:], strict=True)]
        lines.append("  ".join(plain_line(word, 48) for word in [row[0][:8], *words] if word))
    if controller.total > len(rows):
        lines.append(f"... and {controller.total - len(rows):,} more: .df() has all")
    return "\n".join(lines)


def bundle(controller: TraceBrowserController) -> dict[str, str]:
    """Return the static forms by their media types."""
    return {"text/plain": as_text(controller), "text/html": as_html(controller)}


def _label(name: str) -> str:
    return {"trace_id": "trace"}.get(name, name.replace("_", " "))


def _words(name: str, kind: str, value: Any) -> str:
    if value is None:
        return ""
    if kind == "time":
        return f"{datetime.fromtimestamp(value / 1e9, UTC):%Y-%m-%d %H:%M:%S}"
    if name == "latency_ms":
        return f"{value:,.0f} ms"
    if name == "cost_usd":
        return f"${value:.6f}".rstrip("0").rstrip(".")
    return f"{value:,}" if kind == "number" else str(value)
