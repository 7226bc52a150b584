"""A span, and what an ingest added, as text and as HTML."""

from __future__ import annotations

from typing import Any, Final

from lmops.base.cards import card_html, card_text
from lmops.base.sheet import framed
from lmops.base.shown import html_of, text_of
from lmops.base.units import counted, duration, money, tokens
from lmops.traces._ingest import IngestReport, in_words
from lmops.traces._trace import Span

_REJECTIONS: Final = 20
_SAID: Final = 2_000


def _span_parts(span: Span) -> dict[str, Any]:
    row = span.row
    said = (("input", span.input_messages), ("output", span.output_messages))
    texts = [
        (f"{name}, {message.role}" if len(messages) > 1 else name, _words(message))
        for name, messages in said
        for message in messages[-3:]
    ]
    return {
        "kind": str(row["kind"]),
        "title": row["tool_name"] if row["kind"] == "tool" and row.get("tool_name") else row["name"],
        "facts": [
            ("status", f"error: {row.get('error_type') or 'unknown'}" if span.is_error else ""),
            ("model", row.get("model")),
            ("time", duration(span.known_latency_ms)),
            ("tokens", tokens(row.get("input_tokens"), row.get("output_tokens"))),
            ("cost", money(row.get("cost_usd"))),
            ("prompt", "@".join(str(row[key]) for key in ("prompt_name", "prompt_version") if row.get(key))),
            ("documents", len(span.documents) or ""),
            ("started (UTC)", f"{span.start_at:%Y-%m-%d %H:%M:%S}"),
            ("span", row["span_id"]),
            ("trace", row["trace_id"]),
        ],
        "texts": [("error", row.get("error_message")), *((name, text[:_SAID]) for name, text in texts)],
    }


def _words(message: Any) -> str:
    calls = [f"calls {call.name}({call.arguments})" for call in message.tool_calls]
    return "\n".join([message.content, *calls] if message.content else calls)


@text_of.register(Span)
def _(span: Span) -> str:
    return card_text(**_span_parts(span))


@html_of.register(Span)
def _(span: Span) -> str:
    return card_html(**_span_parts(span))


def _report_parts(found: IngestReport) -> dict[str, Any]:
    rate = f"{found.spans / found.duration_s:,.0f} spans/s" if found.spans and found.duration_s else ""
    return {
        "kind": "ingest",
        "title": f"{counted(found.spans, 'new span')} in {counted(found.traces, 'trace')}",
        "facts": [
            ("files", f"{found.files:,}"),
            ("time", duration(found.duration_s * 1e3)),
            ("rate", rate),
            ("log events", f"{found.logs:,}" if found.logs else ""),
            ("there before", f"{found.duplicates:,}" if found.duplicates else ""),
            ("redacted", in_words(found.redacted)),
            ("rejected", f"{found.rejected_count:,}" if found.rejected_count else ""),
            ("of no model call", f"{found.ignored:,} log records" if found.ignored else ""),
        ],
    }


@text_of.register(IngestReport)
def _(found: IngestReport) -> str:
    rejected = "\n".join(f"{where}: {why}" for where, why in found.rejected[:_REJECTIONS])
    return card_text(**_report_parts(found), texts=[("rejected", rejected)])


@html_of.register(IngestReport)
def _(found: IngestReport) -> str:
    left = found.rejected_count - _REJECTIONS
    note = f"and {left:,} more: .rejected has up to 1,000" if left > 0 else ""
    rows = found.rejected[:_REJECTIONS]
    table = framed("could not be read", ["where", "why"], rows, note=note, wraps=True) if rows else ""
    return card_html(**_report_parts(found), more=table)
