"""How one trace is shown: static HTML that needs no script, and a tree of text.

The HTML must read in four places: a trusted notebook; JupyterLab before the notebook is trusted, whose sanitiser
removes ``<style>``, roles, and every inline colour that is not plain (``var()``, ``calc()``); exported HTML; and pages
that remove styles altogether. So the layout is inline and inside that sanitiser's list, colours of text come from the
page, and without any style each span is still one line of words with its indent.

Every text of a trace goes through :mod:`lmops.text`, and nothing else writes it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from lmops.base.markdown import markdown_html
from lmops.base.shown import html_of, text_of
from lmops.base.units import counted, duration, money, tokens
from lmops.text import attribute, escape, one_line, plain, plain_line, unescape
from lmops.traces._json import loads
from lmops.traces._trace import Trace
from lmops.traces.reading import exchange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lmops.base.chat import Message
    from lmops.traces._trace import Span
    from lmops.traces.reading import ToolUse

MAX_SPANS: Final = 200
#: characters of trace text in one waterfall, after escaping
BUDGET: Final = 160_000
_MARKUP: Final = 80  # what stands around each text
_MESSAGE: Final = 2_000
_ANSWER: Final = 8_000
_LINE: Final = 140  # what a line of the card holds
_DOCUMENT: Final = 400
_VALUE: Final = 160
_PRETTY: Final = 20_000
_MAX_MESSAGES: Final = 12
_MAX_DOCUMENTS: Final = 20
_MAX_ATTRIBUTES: Final = 40
_MAX_INDENT: Final = 12
_MAX_LINE: Final = 12
_MAX_TOOLS: Final = 6

#: Middle tones that read on white and on black; the kind is always written beside its colour.
_COLOURS: Final = {
    "llm": "#3f83d6",
    "embedding": "#2fa3b5",
    "agent": "#8a70d6",
    "tool": "#c78a1e",
    "retriever": "#2f9e78",
    "reranker": "#6aa84f",
    "guardrail": "#c2639f",
    "evaluator": "#8f9a2f",
    "chain": "#8b93a1",
}
_OTHER: Final = "#8b93a1"
_RED: Final = "#d9463e"
_GREEN: Final = "#2f9e78"

_STYLE: Final = """<style>
.lmops-trace{font:12px/1.5 var(--jp-ui-font-family,system-ui,sans-serif);color:var(--jp-ui-font-color1,inherit);
background:var(--jp-layout-color1,transparent);border:1px solid var(--jp-border-color2,#8886);
border-radius:3px;max-width:1200px;font-variant-numeric:tabular-nums}
.lmops-trace summary::-webkit-details-marker{display:none}
.lmops-trace summary:hover{background:var(--jp-layout-color2,#8881)}
.lmops-trace summary:focus-visible{outline:2px solid var(--jp-brand-color1,#3f83d6);outline-offset:-2px}
.lmops-trace .lmt-mark{display:inline-block}
.lmops-trace details[open]>summary .lmt-mark{transform:rotate(90deg)}
.lmops-trace .lmt-row{border-top:1px solid var(--jp-border-color3,#8883)}
.lmops-trace .lmt-body{background:var(--jp-layout-color0,transparent);
border-top:1px solid var(--jp-border-color3,#8883)}
.lmops-trace .lmt-lane{background:var(--jp-layout-color2,#8881)}
.lmops-trace pre,.lmops-trace code{font-family:var(--jp-code-font-family,ui-monospace,monospace);font-size:11.5px}
.lmops-trace pre{background:none;color:inherit;border:0}
.lmops-trace table{border-collapse:collapse;font:inherit;color:inherit;margin:0;border:0;table-layout:auto}
.lmops-trace td,.lmops-trace th{padding:1px 12px 1px 0;text-align:left;vertical-align:top;background:none;border:0;
font-weight:normal;max-width:none;white-space:normal;color:inherit}
.lmops-trace tr{background:none!important;border:0}
.lmops-trace .lmt-num{text-align:right}
.lmops-trace ul{list-style:disc;padding-left:22px}.lmops-trace ol{list-style:decimal;padding-left:22px}
.lmops-trace blockquote{margin:0 0 6px 0;padding:1px 0 1px 10px;border-left:3px solid #8886}
.lmops-trace .lmt-said table{margin:0 0 6px 0}.lmops-trace .lmt-said th{font-weight:bold}
@media (max-width:600px){.lmops-trace .lmt-wide{display:none!important}}
</style>"""

_FLEX: Final = (
    "display:flex;align-items:center;height:22px;padding:0 10px;cursor:default;list-style:none;white-space:nowrap"
)
_NAME: Final = "width:42%;min-width:180px;overflow:hidden;text-overflow:ellipsis;flex-shrink:0"
_LANE: Final = "flex-grow:1;height:10px;margin:0 10px;border-radius:2px;overflow:hidden"
_TOKENS: Final = "124px"
_MUTED: Final = "opacity:0.65"
_CUT: Final = "overflow:hidden;text-overflow:ellipsis;white-space:nowrap"
_SCROLL: Final = "overflow-wrap:break-word;max-height:340px;overflow:auto"
_PRE: Final = "white-space:pre-wrap;overflow-wrap:break-word;margin:0;padding:0;max-height:340px;overflow:auto"


class Budget:
    """The room that is left for texts of the trace, so that the page stays small."""

    def __init__(self, characters: int) -> None:
        self.left = characters

    def take(self, value: object, limit: int, write: Callable[[str], str] = escape) -> str:
        """Return the text as harmless HTML, cut where the limit or the room ends, with the count of what is left out.

        Args:
            value: The text.
            limit: Its most characters.
            write: Makes HTML of it.
        """
        text = "" if value is None else str(value)
        keep = min(limit, max(self.left, 0))
        shown = write(text[:keep])
        self.left -= len(shown) + _MARKUP
        if len(text) <= keep:
            return shown
        return f'{shown}<span style="{_MUTED}"> … {len(text) - keep:,} more characters</span>'


def chosen(trace: Trace, limit: int) -> list[Span]:
    """Return at most ``limit`` spans in tree order: roots, errors (deepest first), the slowest; with parents."""
    tree = trace.tree
    if len(tree) <= limit:
        return tree
    picked: set[str] = set()
    errors = [trace.error, *trace.errors[:limit]] if trace.error is not None else []
    slowest = sorted(tree, key=lambda span: (-span.latency_ms, span.row["start_ns"]))[: limit * 2]
    # Each kind has its share of the room, so that a thousand failures do not hide what was slow.
    for spans, room in ((trace.roots, limit // 4), (errors, limit * 5 // 8), (slowest, limit)):
        for span in spans:
            line = _line_above(span, picked)
            if len(picked) + len(line) <= room:
                picked.update(line)
    return [span for span in tree if span.row["span_id"] in picked]


def _line_above(span: Span, picked: set[str]) -> list[str]:
    """Return the span and its nearest ancestors up to one that is shown; of a very long chain only a few."""
    line: list[str] = []
    above: Span | None = span
    while above is not None and above.row["span_id"] not in picked and len(line) < _MAX_LINE:
        line.append(above.row["span_id"])
        above = above.parent
    return line


@html_of.register(Trace)
def waterfall(trace: Trace, *, max_spans: int = MAX_SPANS) -> str:
    """Return the trace as static HTML: what failed, what was asked and answered, then one row per span.

    Args:
        trace: the trace to show.
        max_spans: at most this many rows; of a longer trace the roots, the errors and the slowest spans are shown.
    """
    budget = Budget(BUDGET)
    shown = chosen(trace, max_spans)
    head = f"{_head(trace)}{_failure(trace, budget)}{_exchange(trace, budget)}"
    spans = "\n".join(_row(span, trace, budget) for span in shown)
    return (
        f'{_STYLE}\n<div class="lmops-trace" role="region" aria-label="Trace {attribute(trace.trace_id)}" '
        f'style="font-size:12px;line-height:1.5">\n{head}<div style="overflow:auto">{_axis(trace)}'
        f'<div role="list" aria-label="Spans">\n{spans}\n</div></div>\n'
        f"{_rest(trace, len(shown))}</div>"
    )


def _head(trace: Trace) -> str:
    root = trace.root.row
    unpriced = trace.unpriced_calls
    cost = " + ".join(
        part for part in (escape(money(trace.cost_usd)), f"{unpriced} unpriced" if unpriced else "") if part
    )
    models = [escape(model, 60) for model in trace.models[:4]]
    if len(trace.models) > len(models):
        models.append(f"+{len(trace.models) - len(models)} models")
    facts = [
        f"<b>{duration(trace.known_duration_ms) or 'no times'}</b>",
        counted(len(trace), "span"),
        counted(len(trace.call_span_ids), "model call"),
        tokens(trace.input_tokens, trace.output_tokens).replace("tok", "tokens"),
        f"<b>{cost}</b>" if cost else "",
        ", ".join(models),
    ]
    place = "/".join(escape(root[key], 60) for key in ("service", "environment") if root.get(key))
    origin = [
        f"{trace.start_at:%Y-%m-%d %H:%M:%S} UTC",
        place,
        f"session {escape(trace.session_id, 60)}" if trace.session_id else "",
        f"user {escape(trace.user_id, 60)}" if trace.user_id else "",
        f"<code>{escape(trace.trace_id)}</code>",
        "its root span has not arrived" if trace.is_orphan else "",
    ]
    return (
        f'<div style="padding:8px 10px 4px 10px"><div style="font-size:14px">{_status(trace.status)} '
        f"<b>{one_line(trace.name, 120)}</b></div>\n<div>{_dotted(facts)}</div>\n"
        f'<div style="{_MUTED}">{_dotted(origin)}</div></div>\n'
    )


def _failure(trace: Trace, budget: Budget) -> str:
    failed = trace.error
    if failed is None:
        return ""
    kind = one_line(failed.row.get("error_type") or "error", 80)
    count = len(trace.errors)
    others = f"; {counted(count, 'span')} failed" if count > 1 else ""
    return (
        f'<div style="margin:4px 10px;padding:4px 10px;border-left:3px solid {_RED}" role="alert">'
        f'<span style="color:{_RED};font-weight:bold">✗ {kind}</span> in {one_line(failed.row["name"], 80)} '
        f'<span style="{_MUTED}">({escape(failed.row["kind"])}, at '
        f"{duration((failed.row['start_ns'] - trace.start_ns) / 1e6)}{others})</span>\n"
        f'<div style="{_PRE}">{budget.take(failed.row.get("error_message"), _MESSAGE)}</div></div>\n'
    )


def _exchange(trace: Trace, budget: Budget) -> str:
    """What was asked, in one line that opens; the tools, a line each; what was answered, as the user saw it."""
    found = exchange(trace)
    parts = []
    if found.question:
        line = f'<span style="{_MUTED}">asked</span> {one_line(found.question, 300)}'
        is_short = len(found.question) <= _LINE and "\n" not in found.question
        whole = "" if is_short else f'<div style="{_PRE}">{budget.take(found.question, _MESSAGE)}</div>'
        parts.append(_fold(line, whole, cut=True) if whole else f'<div style="{_CUT}">{line}</div>')
    parts += [_tool_line(one) for one in found.tools[:_MAX_TOOLS]]
    if len(found.tools) > _MAX_TOOLS:
        parts.append(f'<div style="{_MUTED}">… {counted(len(found.tools) - _MAX_TOOLS, "more call")} of tools</div>')
    if found.answer:
        parts.append(
            f'<div class="lmt-said" style="{_SCROLL};margin-top:4px;padding-left:10px;font-size:13px;'
            f'border-left:3px solid {_GREEN}">'
            f"{budget.take(found.answer, _ANSWER, said_html)}</div>"
        )
    return f'<div style="padding:2px 10px 8px 10px">{"".join(parts)}</div>\n' if parts else ""


def _tool_line(used: ToolUse) -> str:
    failed = used.span.row.get("error_type") or "error" if used.is_error else None
    result = f'<span style="color:{_RED}">✗ {one_line(failed, 60)}</span>' if failed else one_line(used.result, 120)
    arrow = f' <span style="{_MUTED}">→</span> {result}' if result else ""
    return (
        f'<div style="{_CUT}"><span style="color:{_COLOURS["tool"]};font-weight:bold;font-size:11px">tool</span> '
        f"<b>{one_line(used.name, 80)}</b> <code>{one_line(used.arguments, 120)}</code>{arrow}</div>"
    )


def _axis(trace: Trace) -> str:
    ticks = "".join(f"<span>{duration(trace.duration_ms * i / 2)}</span> " for i in range(3))
    heads = "".join(
        f'<span class="{"lmt-wide" if width == _TOKENS else ""}" style="width:{width};text-align:right;flex-shrink:0">'
        f"{name}</span> "
        for name, width in (("latency", "68px"), ("tokens in → out", _TOKENS), ("cost", "84px"))
    )
    lane = "flex-grow:1;margin:0 10px;display:flex;justify-content:space-between;overflow:hidden"
    return (
        f'<div style="{_FLEX};{_MUTED};font-size:11px" aria-hidden="true"><span style="{_NAME}">span</span> '
        f'<span class="lmt-wide" style="{lane}">{ticks}</span> {heads}</div>\n'
    )


def _used(span: Span) -> str:
    if not span.is_call:
        return ""
    given, made = span.row.get("input_tokens"), span.row.get("output_tokens")
    if span.row["kind"] == "embedding" and made is None:
        return "" if given is None else f"{given:,} tok"
    return tokens(given, made)


def _cost(span: Span) -> str:
    """The cost of a call, escaped; a call without a price says so, other spans have none."""
    if not span.is_call:
        return ""
    cost = span.row.get("cost_usd")
    return "unpriced" if cost is None and not span.is_error else escape(money(cost))


def _row(span: Span, trace: Trace, budget: Budget) -> str:
    name = _name(span)
    numbers = "".join(
        f'<span class="lmt-num{" lmt-wide" if width == _TOKENS else ""}" '
        f'style="width:{width};text-align:right;flex-shrink:0">{text}</span> '
        for text, width in (
            (duration(span.known_latency_ms), "68px"),
            (_used(span), _TOKENS),
            (_cost(span), "84px"),
        )
    )
    line = f'<span style="{_NAME}">{name}</span> {_bar(span, trace)} {numbers}'
    body = _body(span, trace, budget)
    level = f'role="listitem" aria-level="{span.depth + 1}"'
    if not body:
        return f'<div class="lmt-row" {level} style="{_FLEX}">{line}</div>'
    return (
        f'<details class="lmt-row" {level}><summary style="{_FLEX}">{line}</summary>'
        f'<div class="lmt-body" style="padding:6px 10px 10px 32px">{body}</div></details>'
    )


def _name(span: Span) -> str:
    row = span.row
    colour = _COLOURS.get(row["kind"], _OTHER)
    depth = span.depth
    # No-break spaces indent also where every style is removed.
    indent = "\u00a0" * 4 * min(depth, _MAX_INDENT) + (f"⋯{depth} " if depth > _MAX_INDENT else "")
    extra = []
    if span.is_error:
        extra.append(f'<span style="color:{_RED}">✗ {one_line(row.get("error_type") or "error", 40)}</span>')
    if row.get("documents"):
        extra.append(f'<span style="{_MUTED}">{counted(len(span.documents), "document")}</span>')
    if row.get("model") and not any(
        str(m) in str(row["name"]) for m in (row["model"], row.get("requested_model")) if m
    ):
        extra.append(f'<span style="{_MUTED}">{one_line(row["model"], 40)}</span>')
    title = row.get("tool_name") if row["kind"] == "tool" and row.get("tool_name") else row["name"]
    return (
        f'{indent}<span class="lmt-mark" style="opacity:0.5" aria-hidden="true">▸</span> '
        f'<span style="color:{colour};font-weight:bold;font-size:11px">{escape(row["kind"], 20)}</span> '
        f"{one_line(title, 90)} {' '.join(extra)}"
    )


def _bar(span: Span, trace: Trace) -> str:
    total = trace.duration_ms or 1.0
    left = min((span.row["start_ns"] - trace.start_ns) / 1e6 / total * 100, 99.7)
    width = min(max(span.latency_ms / total * 100, 0.3), 100 - left)
    is_cause = span.is_error and not any(child.is_error for child in span.children)
    colour = _RED if is_cause else _COLOURS.get(span.row["kind"], _OTHER)
    return (
        f'<span class="lmt-lane lmt-wide" style="{_LANE}" aria-hidden="true"><span style="display:block;height:10px;'
        f'border-radius:2px;margin-left:{left:.2f}%;width:{width:.2f}%;background-color:{colour}"></span></span>'
    )


def _body(span: Span, trace: Trace, budget: Budget) -> str:
    row = span.row
    parts = [_facts(span, trace)]
    if budget.left <= 0:
        return f"{parts[0]}<div>Its content is not repeated here: trace.span('{escape(row['span_id'], 32)}')</div>"
    if span.is_error and span is not trace.error:
        parts.append(_section("error", _pre(budget.take(row.get("error_message") or row.get("error_type"), _MESSAGE))))
    if row["kind"] == "tool":
        parts += [_text("arguments", row.get("input"), budget), _text("result", row.get("output"), budget)]
    elif row["kind"] in {"llm", "agent"} or str(row.get("input") or "").startswith('[{"role"'):
        parts += [_messages(span.input_messages, budget), _messages(span.output_messages, budget)]
    else:
        parts.append(_text("input", row.get("input"), budget))
        parts += [] if row.get("documents") else [_text("output", row.get("output"), budget)]
    if row.get("documents"):
        parts.append(_documents(span.documents, budget))
    parts.append(_attributes(span.attributes, budget))
    return "".join(parts)


def _facts(span: Span, trace: Trace) -> str:
    row = span.row
    model = str(row.get("model") or "")
    asked = row.get("requested_model")
    prompt = "@".join(str(row[key]) for key in ("prompt_name", "prompt_version") if row.get(key))
    twins = row.get("duplicate_span_ids")
    facts = [
        f"at {duration((row['start_ns'] - trace.start_ns) / 1e6)}",
        escape(row.get("provider"), 40),
        escape(f"{asked} → {model}" if asked and asked != model else model, 120),
        f"prompt {escape(prompt, 80)}" if prompt else "",
        f"finish {escape(row['finish_reason'], 40)}" if row.get("finish_reason") else "",
        f"first token {duration(row['ttft_ms'])}" if row.get("ttft_ms") is not None else "",
        *(
            f"{row[key]:,} {label}"
            for key, label in (
                ("cached_input_tokens", "cached"),
                ("cache_write_input_tokens", "written to cache"),
                ("reasoning_tokens", "reasoning"),
            )
            if row.get(key)
        ),
        f"index {escape(row['index_fingerprint'], 40)}" if row.get("index_fingerprint") else "",
        f"also reported by {counted(len(twins), 'span')}, counted once" if twins else "",
        f"<code>{escape(row['span_id'], 32)}</code>",
    ]
    return f'<div style="{_MUTED}">{_dotted(facts)}</div>'


def _messages(found: list[Message], budget: Budget) -> str:
    left_out = max(len(found) - _MAX_MESSAGES, 0)
    head = found[:2] if left_out else []
    tail = found[2 + left_out :] if left_out else found
    parts = [_message(message, budget) for message in head]
    if left_out:
        parts.append(f'<div style="{_MUTED}">… {counted(left_out, "message")} in between</div>')
    return "".join((*parts, *(_message(message, budget) for message in tail)))


def _message(message: Message, budget: Budget) -> str:
    label = one_line(message.role, 20) + (f" {one_line(message.name, 40)}" if message.name else "")
    parts = []
    if message.reasoning:
        parts.append(_fold("reasoning", _pre(budget.take(message.reasoning, _MESSAGE))))
    if message.content:
        is_said = message.role == "assistant"
        style, write = (_SCROLL, said_html) if is_said else (_PRE, escape)
        parts.append(f'<div style="{style}">{budget.take(message.content, _MESSAGE, write)}</div>')
    for call in message.tool_calls[:20]:
        head = f"calls <b>{one_line(call.name, 80)}</b> {one_line(call.arguments, 80)}"
        parts.append(_fold(head, _pre(budget.take(call.arguments, _MESSAGE))))
    return _section(label, "".join(parts)) if parts else ""


def _documents(documents: list[dict[str, Any]], budget: Budget) -> str:
    rows = []
    for place, document in enumerate(documents[:_MAX_DOCUMENTS], start=1):
        score = document.get("score")
        number = f"{score:.3f}" if isinstance(score, (int, float)) else one_line(score, 20)
        rank = document.get("rank")
        rows.append(
            f'<tr><td class="lmt-num" style="text-align:right">{escape(place if rank is None else rank, 10)}</td>'
            f'<td class="lmt-num" style="text-align:right">{number}</td>'
            f'<td style="white-space:nowrap">{one_line(document.get("id"), 60)}</td>'
            f"<td>{budget.take(document.get('content'), _DOCUMENT)}</td></tr>"
        )
    more = len(documents) - _MAX_DOCUMENTS
    foot = f'<div style="{_MUTED}">… {counted(more, "more document")}</div>' if more > 0 else ""
    heads = "".join(
        f'<th scope="col" style="{_MUTED}">{name}</th>' for name in ("rank", "score", "document", "content")
    )
    return _section("documents", f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>{foot}")


def _attributes(attributes: dict[str, Any], budget: Budget) -> str:
    if not attributes or budget.left <= 0:
        return ""
    rows = "".join(
        f'<tr><td style="white-space:nowrap">{budget.take(key, 80)}</td><td>{budget.take(value, _VALUE)}</td></tr>'
        for key, value in list(attributes.items())[:_MAX_ATTRIBUTES]
    )
    more = len(attributes) - _MAX_ATTRIBUTES
    foot = f"<div>… {counted(more, 'more attribute')}</div>" if more > 0 else ""
    return _fold(f"{counted(len(attributes), 'attribute')} as sent", f"<table><tbody>{rows}</tbody></table>{foot}")


def _rest(trace: Trace, shown: int) -> str:
    hidden = len(trace) - shown
    if hidden <= 0:
        return ""
    return (
        f'<div class="lmt-row" style="padding:4px 10px;{_MUTED}">… {counted(hidden, "more span")}. '
        "Shown are the roots, the errors and the slowest; all are in "
        "<code>trace.spans</code>, <code>trace.df()</code> and <code>trace.find(text)</code>.</div>"
    )


def _text(label: str, value: object, budget: Budget) -> str:
    return _section(label, _pre(budget.take(_indented(value), _MESSAGE))) if value not in (None, "") else ""


def _indented(value: object) -> object:
    """Return JSON text of reasonable size with one member a line; anything else as it is."""
    if not isinstance(value, str) or len(value) > _PRETTY or not value.startswith(("{", "[")):
        return value
    try:
        return json.dumps(loads(value), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return value


def said_html(text: str) -> str:
    """Return what a model said as HTML: JSON one member a line, all else as Markdown."""
    pretty = _indented(text)
    return _pre(escape(pretty)) if pretty is not text else markdown_html(text)


def _section(label: str, content: str) -> str:
    return f'<div style="margin-top:6px"><div style="{_MUTED};font-size:11px">{label}</div>{content}</div>'


def _fold(label: str, content: str, *, cut: bool = False) -> str:
    mark = '<span class="lmt-mark" style="opacity:0.5" aria-hidden="true">▸</span>'
    return (
        f'<details style="margin-top:4px"><summary style="list-style:none;display:block{f";{_CUT}" if cut else ""}">'
        f"{mark} {label}</summary>"
        f'<div style="padding-left:14px">{content}</div></details>'
    )


def _pre(content: str) -> str:
    return f'<pre style="{_PRE}">{content}</pre>'


def _status(status: str) -> str:
    if status == "error":
        return f'<span style="color:{_RED};font-weight:bold">✗ error</span>'
    return f'<span style="color:{_GREEN};font-weight:bold">✓ {"ok" if status == "ok" else "no error"}</span>'


def _dotted(parts: Iterable[str]) -> str:
    return " · ".join(part for part in parts if part)


@text_of.register(Trace)
def tree_text(trace: Trace, *, max_spans: int = MAX_SPANS) -> str:
    """Return the trace as lines of text: a heading, what failed, then one line per span with its indent."""
    mark = "✗" if trace.status == "error" else "✓"
    facts = (
        duration(trace.known_duration_ms) or "no times",
        counted(len(trace), "span"),
        counted(len(trace.call_span_ids), "call"),
        tokens(trace.input_tokens, trace.output_tokens),
        money(trace.cost_usd),
        f"{trace.unpriced_calls} unpriced" if trace.unpriced_calls else "",
    )
    lines = [f"{mark} {plain_line(trace.name, 80)}  {_dotted(facts)}", f"  trace {plain(trace.trace_id)}"]
    failed = trace.error
    if failed is not None:
        kind = plain_line(failed.row.get("error_type") or "error", 60)
        lines.append(f"  {kind}: {plain_line(failed.row.get('error_message'), 160)} (in {plain_line(failed.name, 60)})")
    found = exchange(trace)
    lines += [
        f"  {name:<8}  {plain_line(text, 240)}"
        for name, text in (("asked", found.question), ("answered", found.answer))
        if text
    ]
    shown = chosen(trace, max_spans)
    names = [_plain_name(span) for span in shown]
    width = min(max((len(name) for name in names), default=0), 64)
    for span, name in zip(shown, names, strict=True):
        error = f"✗ {plain_line(span.row.get('error_type') or 'error', 40)}" if span.is_error else ""
        numbers = f"{duration(span.known_latency_ms):>10}  {_used(span):>18}  {unescape(_cost(span)):>10}"
        lines.append(f"{name:<{width}} {numbers}  {error}".rstrip())
    if len(trace) > len(shown):
        lines.append(f"… {counted(len(trace) - len(shown), 'more span')}: trace.spans, trace.df(), trace.find(text)")
    return "\n".join(lines)


def _plain_name(span: Span) -> str:
    indent = "  " * (1 + min(span.depth, _MAX_INDENT)) + (f"⋯{span.depth} " if span.depth > _MAX_INDENT else "")
    return plain(f"{indent}{span.row['kind']} {plain_line(span.row['name'], 80)}", 64)
