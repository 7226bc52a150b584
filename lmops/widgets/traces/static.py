"""The trace list where no kernel answers: a table that reads in exported and untrusted notebooks, and as plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from lmops.base.sheet import framed
from lmops.base.units import counted, duration, money
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
    def noun(self) -> str:
        """What a row is."""

    @property
    def link(self) -> str | None:
        """What ``lmops show`` and ``browse(view=...)`` find the same by: a saved view or a trace; None for neither."""

    @property
    def words(self) -> str:
        """The filter and the range in words."""

    def rows(self, limit: int) -> tuple[list[str], list[list[Any]]]:
        """Return (columns, first rows) of the list."""

    def heading(self, name: str) -> str:
        """Return what stands over a column."""

    def kind(self, name: str) -> str:
        """Return what a column holds."""


def as_html(controller: TraceRows) -> str:
    """Return the first rows of the list as escaped HTML."""
    names, rows = _ordered(*controller.rows(MAX_ROWS))
    cells = [
        [_words(name, controller.kind(name), value) for name, value in zip(names, row, strict=True)] for row in rows
    ]
    shown = f"The first {len(rows)} of " if len(rows) < controller.total else ""
    of_link = f" ({links(controller.link)})" if controller.link else ""
    return framed(
        f"{shown}{counted(controller.total, controller.noun)}: {controller.words}{of_link}",
        [_HEADS.get(name, controller.heading(name)) for name in names],
        cells,
        numbers=[place for place, name in enumerate(names) if controller.kind(name) == "number"],
    )


def _ordered(names: list[str], rows: list[list[Any]]) -> tuple[list[str], list[list[Any]]]:
    """Return columns and rows with the id of a trace as the last; what groups are called inside is not shown."""
    last = names[:1] == ["trace_id"]
    return [*names[1:], *names[:last]], [[*row[1:], *row[:last]] for row in rows]


def as_text(controller: TraceRows) -> str:
    """Return the first rows as plain text."""
    names, rows = controller.rows(10)
    lines = [f"{counted(controller.total, controller.noun)}: {plain_line(controller.words, 300)}"]
    for row in rows:
        words = [_words(name, controller.kind(name), value) for name, value in zip(names[1:], row[1:], strict=True)]
        start = [row[0][:8]] if names[0] == "trace_id" else []
        lines.append("  ".join(plain_line(word, 48) for word in [*start, *words] if word))
    if controller.total > len(rows):
        lines.append(f"... and {controller.total - len(rows):,} more: .df() has all")
    if controller.link:
        lines.append(links(controller.link))
    return "\n".join(lines)


def links(link: str) -> str:
    """Return how the same is shown in a shell and in a notebook."""
    return f'lmops show {link}, or in a notebook ws.traces.browse(view="{link}")'


def bundle(controller: TraceRows) -> dict[str, str]:
    """Return the static forms by their media types."""
    return {"text/plain": as_text(controller), "text/html": as_html(controller)}


def _words(name: str, kind: str, value: Any) -> str:
    """Return a cell as the browser has it, in full where there is room."""
    from lmops.traces.rows import PREVIEW

    if value is None:
        return "missing" if name == "value" else ""
    by_name: dict[str, Callable[[Any], str]] = {
        **dict.fromkeys(("latency_ms", "p50_ms", "p95_ms"), duration),
        "cost_usd": money,
        "status": _with_sign,
        "error_rate": "{:.1%}".format,
    }
    by_kind: dict[str, Callable[[Any], str]] = {
        "time": lambda ns: f"{from_ns(ns):%Y-%m-%d %H:%M:%S}",
        "text": lambda text: text if len(text) <= PREVIEW else f"{text[:PREVIEW]}…",
        "number": lambda number: f"{number:,}",
    }
    return by_name.get(name, by_kind.get(kind, str))(value)


def _with_sign(status: str) -> str:
    return f"{_SIGNS.get(status, '')} {status}".strip()
