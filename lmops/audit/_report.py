"""The audit chain as a report: who changed what, when, why and on which evidence."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lmops.base.sheet import html_table
from lmops.text import escape, plain_line
from lmops.times import from_ns

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    import pandas as pd

    from lmops.audit._chain import Verification

_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~&])")
_HTML_ROWS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class AuditReport:
    """Who changed what, when, why and on which evidence, and whether the chain holds."""

    events: tuple[dict[str, Any], ...]
    scope: str
    verification: Verification

    def df(self) -> pd.DataFrame:
        """Return one row an event, oldest first.

        Returns:
            event_id, at (UTC), actor, action, subject, reason, change (words), evidence (words), forced, before and
            after (JSON).
        """
        from lmops.base.frames import Frame

        rows = [
            (
                event["event_id"],
                _time(event["at_ns"]),
                event["actor"],
                event["action"],
                event["subject"],
                event["reason"],
                _change(event),
                _evidence(event),
                _is_forced(event),
                event["before"],
                event["after"],
            )
            for event in self.events
        ]
        names = ["event_id", "at", "actor", "action", "subject", "reason", "change", "evidence", "forced"]
        frame = Frame(rows, columns=[*names, "before", "after"])
        return frame.astype({"at": "datetime64[ns, UTC]"}) if frame.empty else frame

    def by_actor(self) -> pd.DataFrame:
        """Return how many events of each kind everybody caused: actor, action, events, first_at, last_at."""
        frame = self.df()
        found: pd.DataFrame = (
            frame.groupby(["actor", "action"])
            .agg(events=("event_id", "size"), first_at=("at", "min"), last_at=("at", "max"))
            .reset_index()
        )
        return found

    @property
    def text(self) -> str:
        """Return the report as plain text."""
        lines = [self._title(), f"chain: {self._chain()}", ""]
        for event in self.events:
            parts = [f"{event['event_id']:>6}  {_moment(event)}", _cut(event["actor"], 40), event["action"]]
            lines.append("  ".join([*parts, _cut(event["subject"], 120)]))
            lines += [f"        {words}" for words in _details(event)]
        return "\n".join(lines if self.events else [*lines, "no events"])

    @property
    def markdown(self) -> str:
        """Return the report as a Markdown table; no text in it acts as markup."""
        heads = ("event", "at (UTC)", "who", "what", "on", "change", "reason", "evidence")
        lines = [f"## {_mark(self._title())}", "", f"Chain: {_mark(self._chain())}", ""]
        lines += [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
        lines += ["| " + " | ".join(_mark(cell) for cell in _cells(event)) + " |" for event in self.events]
        return "\n".join(lines) + "\n"

    def __repr__(self) -> str:
        return f"<AuditReport {len(self.events)} events, {self.scope}; chain {self._chain()}>"

    def _repr_html_(self) -> str:
        return self.html

    @property
    def html(self) -> str:
        """Return the report as HTML that needs neither script nor style sheet; the newest events of a long one."""
        style = "padding:1px 12px 1px 0;text-align:left;vertical-align:top"
        heads = ("event", "at (UTC)", "who", "what", "on", "change", "reason", "evidence")
        shown = self.events[-_HTML_ROWS:]
        styles = [style + (";white-space:nowrap" if place < 4 else "") for place in range(len(heads))]
        rows = map(_cells, shown)
        table = html_table(heads, rows, styles=styles, heads=[style] * len(heads), compact=True)
        cut = f", the newest {_HTML_ROWS} shown" if len(shown) < len(self.events) else ""
        return (
            f'<div style="max-height:520px;overflow:auto"><p style="margin:0"><b>{escape(self._title())}</b>{cut}; '
            f"chain: {escape(self._chain())}</p>{table}</div>"
        )

    def _title(self) -> str:
        return f"{len(self.events):,} audit events ({self.scope})"

    def _chain(self) -> str:
        return self.verification.text


# -- words -------------------------------------------------------------------------------------------------------------


def _time(at_ns: Any) -> datetime | None:
    """Return the time of an event; None when somebody put something else there."""
    return from_ns(at_ns) if isinstance(at_ns, int) else None


def _moment(event: Mapping[str, Any]) -> str:
    at = _time(event["at_ns"])
    return "no time" if at is None else f"{at:%Y-%m-%d %H:%M:%S}"


def _change(event: Mapping[str, Any]) -> str:
    """Return what an event changed, in words: the members that differ."""
    before, after = (json_or_none(event[name]) if event[name] else None for name in ("before", "after"))
    if not isinstance(after, dict):
        return "" if after is None else _short(after)
    before = before if isinstance(before, dict) else {}
    hidden = {"verdicts", "forced", "protected"}
    names = [name for name in after if name not in hidden and before.get(name) != after[name]]
    names = [name for name in names if name != "note" or after[name] != event["reason"]]
    names.sort(key=lambda name: name == "hash")
    return "; ".join(
        f"{name}: {_short(before[name])} -> {_short(after[name])}"
        if name in before
        else f"{name}: {_short(after[name])}"
        for name in names
        if after[name] is not None
    )


def _evidence(event: Mapping[str, Any]) -> str:
    """Return the evidence of an event with what it said."""
    ids = json_or_none(event["evidence"]) if event["evidence"] else []
    after = json_or_none(event["after"]) if event["after"] else None
    verdicts = after.get("verdicts") if isinstance(after, dict) else None
    said = {one.get("id"): one.get("outcome") for one in verdicts or [] if isinstance(one, dict)}
    words = [f"{one} ({said[one]})" if said.get(one) else str(one) for one in (ids if isinstance(ids, list) else [])]
    return ", ".join([*words, *(["FORCED"] if _is_forced(event) else [])])


def _is_forced(event: Mapping[str, Any]) -> bool:
    after = json_or_none(event["after"]) if event["after"] else None
    return isinstance(after, dict) and after.get("forced") is True


def _short(value: object) -> str:
    if isinstance(value, str) and value.startswith("sha256:"):
        return value[:19] + "…"
    return plain_line(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), 80)


def _cut(value: object, limit: int) -> str:
    return plain_line(value, limit)


def _details(event: Mapping[str, Any]) -> Iterator[str]:
    parts = (("change", _change(event)), ("reason", event["reason"]), ("evidence", _evidence(event)))
    for name, words in parts:
        if words:
            yield f"{name}: {plain_line(words, 300)}"


def _cells(event: Mapping[str, Any]) -> list[str]:
    words = (
        event["event_id"],
        _moment(event),
        event["actor"],
        event["action"],
        event["subject"],
        _change(event),
        event["reason"],
        _evidence(event),
    )
    return [_cut(word, 300) for word in words]


def _mark(text: str) -> str:
    """Return text that Markdown shows as it is."""
    return _MARKDOWN.sub(r"\\\1", text)


def json_or_none(text: str) -> Any:  # any JSON
    """Return what a text says as JSON; None when it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
