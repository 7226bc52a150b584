"""The machine-readable result that a runbook's last cell shows, and reading it back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from lmops.base.sheet import BAD, GOOD
from lmops.errors import UsageError
from lmops.runbooks._decision import SIGNS, kind_of
from lmops.runbooks._display import display_bundle
from lmops.runbooks._table import show_value
from lmops.text import escape, plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_COLOURS: Final = {"pass": GOOD, "fail": BAD, "inconclusive": "font-weight:600", "planned": "font-weight:600"}
MIMETYPE: Final = "application/vnd.lmops.result+json"


def show_result(
    decision: str,
    *,
    summary: Mapping[str, object] | None = None,
    reasons: Sequence[str] = (),
    evidence: Mapping[str, object] | None = None,
    ids: Mapping[str, object] | None = None,
) -> None:
    """Display the result of a runbook; the runner reads it back into ``RunbookRun.result``.

    Args:
        decision: One word that a program can act on, such as "ok", "attention", "promoted", "refused".
        summary: The numbers that matter; a missing one is None.
        reasons: Why the decision is what it is, one sentence each.
        evidence: What a reader may check: queries, thresholds, intervals.
        ids: Identifiers of what was looked at or changed: traces, alerts, audit events.

    Raises:
        UsageError: A value has no JSON form, or the decision is empty.

    Example:
        >>> show_result("ok", summary={"traces": 3})  # doctest: +ELLIPSIS
        decision: ok...
    """
    if not decision.strip():
        raise UsageError("a result needs a decision: one word, such as 'ok' or 'attention'")
    result = {
        "schema": 1,
        "decision": decision,
        "reasons": [str(reason) for reason in reasons],
        "summary": dict(summary or {}),
        "evidence": dict(evidence or {}),
        "ids": dict(ids or {}),
    }
    try:
        plain = json.loads(json.dumps(result, default=_plain, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise UsageError(f"a result holds plain values only: {error}") from error
    display_bundle({MIMETYPE: plain, "text/html": _html(plain), "text/plain": _text(plain)})


def read_result(notebook: Any) -> dict[str, object] | None:
    """Return the last result that an executed notebook shows, or None."""
    for cell in reversed(notebook.cells):
        for output in reversed(cell.get("outputs", [])):
            found = output.get("data", {}).get(MIMETYPE)
            if isinstance(found, dict) and isinstance(found.get("decision"), str):
                plain: dict[str, object] = json.loads(json.dumps(found))
                return plain
    return None


def _plain(value: object) -> object:
    """Return numpy and pandas scalars, dates and paths as plain values."""
    item = getattr(value, "item", None)
    if callable(item):
        return item()
    isoformat = getattr(value, "isoformat", None)
    if callable(isoformat):
        return isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _text(result: Mapping[str, Any]) -> str:
    lines = [f"decision: {result['decision']}", *(f"  because {reason}" for reason in result["reasons"])]
    for part in ("summary", "ids"):
        lines += [f"{name}: {_cell(name, value)}" for name, value in result[part].items()]
    return plain("\n".join(lines))


def _html(result: Mapping[str, Any]) -> str:
    kind = kind_of(result["decision"])
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in result["reasons"])
    rows = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th>'
        f'<td style="text-align:left;font-variant-numeric:tabular-nums">{escape(_cell(name, value))}</td></tr>'
        for part in ("summary", "ids")
        for name, value in result[part].items()
    )
    return (
        f'<p style="font-size:1.6em;{_COLOURS[kind]}">{SIGNS[kind]} {escape(result["decision"])}</p>'
        + (f"<ul>{reasons}</ul>" if reasons else "")
        + (f"<table>{rows}</table>" if rows else "")
    )


def _cell(name: str, value: object) -> str:
    """Return a value as a person reads it; a missing one as a dash."""
    if isinstance(value, dict):
        return json.dumps(value)
    if isinstance(value, list) and not value:
        return "-"
    return show_value(name, value)
