"""The trace list where no kernel answers: a table that reads in exported and untrusted notebooks, and as plain text.

JupyterLab's sanitiser removes ``<style>`` and every inline colour that is not plain, so the layout is inline, the
colours of text come from the page, and what matters is in words.
"""

from __future__ import annotations

import html
import os
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from lmops.widgets.trace_browser_controller import TraceBrowserController

MAX_ROWS: Final = 50
_TEXT: Final = 120
#: Controls, and the invisible characters that turn the direction of text around.
_INVISIBLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_NUMBERS: Final = frozenset({"number"})
_CELL: Final = "padding:1px 10px 1px 0;text-align:{side};white-space:nowrap;vertical-align:top"


def is_static() -> bool:
    """Return whether this process writes a notebook that is read later, without a kernel."""
    return os.environ.get("LMOPS_STATIC", "") not in ("", "0")


def as_html(controller: TraceBrowserController) -> str:
    """Return the first rows of the list as escaped HTML."""
    from lmops.traces._listing import COLUMNS

    names, rows = controller.rows(MAX_ROWS)
    names = [*names[1:], names[0]]
    head = "".join(
        f'<th style="{_CELL.format(side=_side(name))};font-weight:600">{_escape(_label(name))}</th>' for name in names
    )
    body = []
    for row in rows:
        cells = zip(names, [*row[1:], row[0]], strict=True)
        body.append(
            "<tr>"
            + "".join(
                f'<td style="{_CELL.format(side=_side(name))}">{_escape(_words(name, COLUMNS[name].kind, value))}</td>'
                for name, value in cells
            )
            + "</tr>"
        )
    shown = f"the first {len(rows)} of " if len(rows) < controller.total else ""
    title = f"{shown}{controller.total:,} trace{'' if controller.total == 1 else 's'}: {controller.words}"
    return (
        f'<div style="max-height:420px;overflow:auto"><p style="margin:0 0 4px"><b>{_escape(title, 400)}</b></p>'
        f'<table style="border-collapse:collapse;font-size:12px"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def as_text(controller: TraceBrowserController) -> str:
    """Return the first rows as plain text."""
    from lmops.traces._listing import COLUMNS

    names, rows = controller.rows(10)
    lines = [f"{controller.total:,} traces: {_plain(controller.words, 300)}"]
    for row in rows:
        words = [_words(name, COLUMNS[name].kind, value) for name, value in zip(names[1:], row[1:], strict=True)]
        lines.append("  ".join(_plain(word, 48) for word in [row[0][:8], *words] if word))
    if controller.total > len(rows):
        lines.append(f"... and {controller.total - len(rows):,} more: .df() has all")
    return "\n".join(lines)


def _label(name: str) -> str:
    return {"trace_id": "trace"}.get(name, name.replace("_", " "))


def _side(name: str) -> str:
    from lmops.traces._listing import COLUMNS

    return "right" if COLUMNS[name].kind in _NUMBERS else "left"


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


def _escape(value: object, limit: int = _TEXT) -> str:
    return html.escape(_plain(value, limit), quote=True)


def _plain(value: object, limit: int) -> str:
    text = " ".join(str(value)[: limit * 4].split())
    text = text if len(text) <= limit else text[: limit - 1] + "…"
    return _INVISIBLE.sub(lambda match: f"[U+{ord(match[0]):04X}]", text)


def bundle(controller: TraceBrowserController) -> dict[str, str]:
    """Return the static forms by their media types."""
    return {"text/plain": as_text(controller), "text/html": as_html(controller)}
