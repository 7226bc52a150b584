"""One trace in Python, as text and as HTML."""

from __future__ import annotations

import json
import random
import re
import time
from html.parser import HTMLParser

import pytest

from lmops.errors import NotFoundError, UsageError
from lmops.store._tables import SPAN_COLUMNS
from lmops.traces._show import (
    Budget,
    chosen,
    escape,
    plain,
    tree_text,
    waterfall,
)
from lmops.traces._trace import Trace

START = 1_790_000_000_000_000_000
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "</style></details></div><b>",
    "\"' onmouseover='alert(1)' x=\"",
    "&lt;b&gt; &amp; &#60;i&#62;",
    "safe\u202etxt.exe\u2066",
    "nul\x00 esc\x1b[31m bell\x07",
    "javascript:alert(1)",
    "\ud800 lone",
    "<!-- -->]]>",
]


def row(number, parent=None, name="step", kind="chain", start=0.0, ms=10.0, **columns):
    values = dict.fromkeys(column[0] for column in SPAN_COLUMNS)
    values |= {
        "trace_id": "t" * 32, "span_id": f"{number:016x}", "name": name, "kind": kind, "status": "ok",
        "parent_span_id": None if parent is None else f"{parent:016x}", "start_ns": START + int(start * 1e6),
        "end_ns": START + int((start + ms) * 1e6), "latency_ms": ms, "attributes": "{}",
    }  # fmt: skip  # items that belong together share a line
    return values | columns


def said(*pairs):
    return json.dumps([{"role": role, "content": content} for role, content in pairs])


def rows():
    documents = [{"rank": 1, "id": "help/7", "score": 0.91, "content": "Refunds take 14 days.", "metadata": {}}]
    calls = [{"id": "c", "name": "lookup", "arguments": '{"ref": "OB-1"}'}]
    answer = json.dumps([{"role": "assistant", "content": "", "tool_calls": calls}])
    return [
        row(1, None, "assistant", "agent", 0, 1000, status="error", error_type="ToolError", service="support",
            input=said(("user", "Where is my refund?")), output=said(("assistant", "On its way."))),
        row(2, 1, "retrieve", "retriever", 10, 100, input="refund", documents=json.dumps(documents), user_id="u1"),
        row(3, 1, "chat", "llm", 120, 500, model="gpt-5-mini", input=said(("user", "Where?")), output=answer,
            input_tokens=1200, output_tokens=30, cost_usd=0.004, attributes='{"retry.count": 2}', session_id="s1"),
        row(4, 1, "run", "tool", 630, 200, tool_name="lookup", input='{"ref": "OB-1"}', status="error",
            error_type="ToolError"),
        row(5, 4, "GET /x", "unknown", 640, 180, status="error", error_type="ReadTimeout", error_message="too slow"),
        row(6, 1, "chat", "llm", 900, 50, model="local", input_tokens=10),
    ]  # fmt: skip  # items that belong together share a line


def test_facts():
    """The trace answers the questions of the detail view."""
    trace = Trace.from_rows(reversed(rows()))
    assert [span.row["span_id"][-1] for span in trace.spans] == list("123456")
    assert [(span.name, span.depth) for span in trace.tree] == [
        ("assistant", 0), ("retrieve", 1), ("chat", 1), ("run", 1), ("GET /x", 2), ("chat", 1),
    ]  # fmt: skip  # what is expected is read at a glance
    assert trace.root.name == trace.name == "assistant"
    assert [span.model for span in trace.calls] == ["gpt-5-mini", "local"]
    assert trace.models == ["gpt-5-mini", "local"]
    assert trace.error.error_type == "ReadTimeout"
    assert len(trace.errors) == 3
    assert (trace.duration_ms, trace.status) == (1000.0, "error")
    assert (trace.cost_usd, trace.unpriced_calls) == (0.004, 1)
    assert (trace.input_tokens, trace.output_tokens) == (1210, 30)
    assert (trace.session_id, trace.user_id) == ("s1", "u1")
    assert [span.tool_name for span in trace.tool_calls] == ["lookup"]
    assert trace.documents[0]["id"] == "help/7"
    assert trace.documents[0]["span_id"].endswith("2")
    assert repr(trace) == f"<Trace {'t' * 32} 'assistant' error 1.00 s, 6 spans, 2 calls>"


def test_missing_is_none():
    """No calls: no tokens, no cost, never zero."""
    trace = Trace.from_rows([row(1)])
    assert (trace.cost_usd, trace.input_tokens, trace.output_tokens, trace.error) == (None, None, None, None)
    assert (trace.models, trace.documents, trace.session_id) == ([], [], None)


def test_span():
    """Columns are attributes; JSON columns are parsed; messages are canonical."""
    trace = Trace.from_rows(rows())
    call = trace.span("0000000000000003")
    assert (call.provider, call.input_tokens, call.attributes) == (None, 1200, {"retry.count": 2})
    assert call.row["attributes"] == '{"retry.count": 2}'
    assert [message.role for message in call.messages] == ["user", "assistant"]
    assert call.messages[1].tool_calls[0].name == "lookup"
    assert call.parent is trace.root
    assert [span.name for span in trace.root.children] == ["retrieve", "chat", "run", "chat"]
    assert trace.span("0000000000000004").input_messages[0].content == '{"ref": "OB-1"}'
    assert call.start_at.utcoffset().total_seconds() == 0
    assert "input_tokens" in dir(call)
    with pytest.raises(AttributeError, match="a span has no 'tokens'"):
        _ = call.tokens
    with pytest.raises(TypeError):
        call.row["model"] = "x"


def test_finding_spans():
    """By id, by a prefix that only one has, by text in any column."""
    trace = Trace.from_rows([*rows(), row(0xABC << 52, 1, "last", start=950)])
    assert trace.span("ABC").name == "last"
    with pytest.raises(NotFoundError, match="6 spans of trace"):
        trace.span("000")
    with pytest.raises(NotFoundError, match="no span of trace"):
        trace.span("ffff")
    assert [span.name for span in trace.find("RETRY.count")] == ["chat"]
    assert trace.find("nowhere") == []


def test_the_stores_verdict_on_calls_goes_first():
    """Rows that carry is_call are believed: the store also knows duplicates in other traces."""
    given = [one | {"is_call": one["span_id"].endswith("6"), "duplicate_span_ids": None} for one in rows()]
    assert [span.model for span in Trace.from_rows(given).calls] == ["local"]


def test_rows_of_one_trace_only():
    """No rows and rows of two traces are refused."""
    with pytest.raises(UsageError, match="0 rows are of 0"):
        Trace.from_rows([])
    with pytest.raises(UsageError, match="2 rows are of 2"):
        Trace.from_rows([row(1), row(2) | {"trace_id": "other"}])


def test_orphans_and_cycles_are_shown():
    """Spans whose parent never arrived stand at the top; a cycle of parents still shows every span once."""
    trace = Trace.from_rows([row(1, 9, "lost", status="error"), row(2, 3, "a"), row(3, 2, "b"), row(4, 4, "self")])
    assert trace.is_orphan
    assert trace.status == "error"
    assert len(trace.tree) == 4
    assert "root span has not arrived" in trace._repr_html_()


def test_frame_and_json():
    """Both hold every span in tree order."""
    trace = Trace.from_rows(rows())
    frame = trace.df()
    assert frame["depth"].tolist() == [0, 1, 1, 1, 2, 1]
    assert str(frame["start_at"].dtype).endswith("UTC]")
    data = json.loads(trace.to_json())
    assert data["spans"][2]["attributes"] == {"retry.count": 2}
    assert data["spans"][2]["is_call"] is True
    assert data["spans"][0]["cost_usd"] is None


def test_text():
    """The tree of text has heading, cause, indent, numbers and marks."""
    lines = str(Trace.from_rows(rows())).splitlines()
    assert lines[0] == "✗ assistant  1.00 s · 6 spans · 2 calls · 1,210 → 30 tok · $0.004000 · 1 unpriced"
    assert lines[2] == "  ReadTimeout: too slow (in GET /x)"
    assert re.fullmatch(r"    llm chat +500 ms +1,200 → 30 tok +\$0\.004000", lines[7])
    assert re.fullmatch(r"      unknown GET /x +180 ms +✗ ReadTimeout", lines[9])
    assert lines[10].endswith("unpriced")


def test_text_cannot_act_on_a_terminal():
    """Escape sequences, NUL and bidi marks are spelled out; one span is one line."""
    hostile = "a\x1b[31m\x00\u202e\nb\rc\x9b"
    text = str(Trace.from_rows([row(1, name=hostile, status="error", error_message=hostile)]))
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)
    assert len(text.splitlines()) == 4
    assert plain("\u202e") == "[U+202E]"


class Page(HTMLParser):
    """Collects what a browser would build."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.texts, self.open = set(), [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in ("hr", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


TAGS = {"style", "div", "span", "b", "code", "pre", "details", "summary", "table", "thead", "tbody", "tr", "td", "th"}
#: What a model's answer may be made of besides.
TAGS |= {"p", "ul", "ol", "li", "strong", "em", "del", "blockquote", "hr", "br"}


@pytest.mark.parametrize("hostile", HOSTILE)
def test_text_of_traces_is_only_ever_text(hostile):
    """A hostile text in every column adds no tag and no attribute, and closes none."""
    bad = rows()
    for one in bad:
        for name, value in one.items():
            if name not in {"trace_id", "span_id", "parent_span_id", "kind", "status"} and not isinstance(
                value, int | float
            ):
                one[name] = hostile
        one["status"] = "error"
        one["attributes"] = json.dumps({hostile: hostile})
        one["documents"] = json.dumps([{"rank": hostile, "id": hostile, "score": hostile, "content": hostile}])
        for name in [name for name, value in one.items() if name.endswith(("tokens", "_usd")) or name == "ttft_ms"]:
            one[name] = 1
    bad[0]["input"] = json.dumps(
        [{"role": hostile, "content": hostile, "name": hostile, "reasoning": hostile,
          "tool_calls": [{"id": hostile, "name": hostile, "arguments": hostile}]}]
    )  # fmt: skip  # arguments that belong together share a line
    markup = Trace.from_rows(bad)._repr_html_()
    markup.encode()  # no lone surrogates
    page = Page(markup)
    assert page.open == []
    assert page.tags <= TAGS
    assert {name for _, name, _ in page.attributes} <= {
        "class", "style", "role", "scope", "aria-label", "aria-level", "aria-hidden",
    }  # fmt: skip  # what is expected is read at a glance
    shown = "".join(text for text in page.texts if "lmops-trace" not in text)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)
    assert plain(hostile) in shown


def test_one_megabyte_of_text():
    """A huge text is cut, and the page says how much is left out."""
    given = rows()
    given[2]["input"] = said(("user", "<" * 1_000_000))
    markup = Trace.from_rows(given)._repr_html_()
    assert "998,000 more characters" in markup
    assert len(markup) < 60_000


#: What JupyterLab 4's sanitiser lets through in an untrusted notebook, of what is used here.
COLOUR = r"#[0-9a-f]{6}"
LENGTH = r"-?\d+(\.\d+)?(px|%)|0"
ALLOWED = {
    "align-items": "center", "background-color": COLOUR, "border-left": rf"3px solid {COLOUR}",
    "border-radius": LENGTH, "color": COLOUR, "cursor": "default", "display": "flex|block", "flex-grow": r"\d",
    "flex-shrink": r"\d", "font-size": LENGTH, "font-weight": "bold", "height": LENGTH,
    "justify-content": "space-between", "line-height": r"[\d.]+", "list-style": "none",
    "margin": rf"(({LENGTH}) ?){{1,4}}", "margin-left": LENGTH, "margin-top": LENGTH, "max-height": LENGTH,
    "min-width": LENGTH, "opacity": r"0?\.\d+", "overflow": "hidden|auto", "overflow-wrap": "break-word",
    "padding": rf"(({LENGTH}) ?){{1,4}}", "padding-left": LENGTH, "text-align": "left|right",
    "text-overflow": "ellipsis", "white-space": "nowrap|pre-wrap", "width": LENGTH,
}  # fmt: skip  # keys that belong together share a line


def test_layout_survives_an_untrusted_notebook():
    """Inline styles stay inside the sanitiser's list: no var(), no calc(), no other property."""
    page = Page(Trace.from_rows(rows())._repr_html_())
    styles = [value for _, name, value in page.attributes if name == "style"]
    assert styles
    for declaration in {part for style in styles for part in style.split(";")}:
        name, _, value = declaration.partition(":")
        assert re.fullmatch(ALLOWED[name], value), declaration


def test_no_script_and_nothing_from_outside():
    """The page loads nothing and runs nothing."""
    markup = Trace.from_rows(rows())._repr_html_()
    assert not re.search(r"<script|<link|<iframe|@import|url\(|https?:|src=|href=|\son\w+=", markup)


def test_reads_without_any_style():
    """Where all styles are removed each span is a line of words, with its indent."""
    markup = re.sub(r"<style>.*?</style>", "", Trace.from_rows(rows())._repr_html_(), flags=re.DOTALL)
    words = " ".join(re.sub(r"<[^>]+>", "", markup).replace("\u00a0", "~").split())
    assert "✗ ReadTimeout in GET /x (unknown, at 640 ms; 3 spans failed)" in words
    assert "~~~~▸ llm chat gpt-5-mini 500 ms 1,200 → 30 tok $0.004000" in words
    assert "~~~~~~~~▸ unknown GET /x ✗ ReadTimeout 180 ms" in words
    assert "rankscoredocumentcontent10.910help/7Refunds take 14 days." in words
    assert "asked Where is my refund?" in words


def large(count, shape):
    rng = random.Random(5)
    parents = {"chain": lambda i: i - 1, "bushy": lambda i: rng.randrange(max(0, i - 40), i), "flat": lambda i: 0}
    long = {"input": "hello world " * 200, "output": "<>&" * 300, "attributes": json.dumps({"k" * 9: "v" * 90})}
    return [row(0, ms=60_000.0)] + [
        row(i, parents[shape](i), f"step {i}", "llm", i, 1 + i % 700, status="error" if i % 97 == 0 else "ok", **long)
        for i in range(1, count)
    ]


@pytest.mark.parametrize("shape", ["chain", "bushy", "flat"])
def test_thirty_thousand_spans(shape):
    """A huge trace is shown bounded: size, time, no recursion, and the way to the rest."""
    trace = Trace.from_rows(large(30_000, shape))
    began = time.process_time()
    markup = trace._repr_html_()
    text = trace.text
    assert time.process_time() - began < 4
    assert len(markup.encode()) < 500_000
    assert len(text.splitlines()) < 210
    shown = chosen(trace, 200)
    assert 150 < len(shown) <= 200
    assert {trace.root, trace.error} <= set(shown)
    assert max(span.latency_ms for span in trace.spans if span is not trace.root) in {s.latency_ms for s in shown}
    assert f"{30_000 - len(shown):,} more spans" in markup
    assert "trace.df()" in markup
    assert f"{30_000 - len(shown):,} more spans" in text


def test_fewer_spans_on_request():
    """The number of rows is the caller's choice."""
    trace = Trace.from_rows(rows())
    assert waterfall(trace, max_spans=3).count('role="listitem"') == 3
    assert "more span" in tree_text(trace, max_spans=3)


def test_budget_counts_what_it_leaves_out():
    """Texts are cut at their limit and at the end of the room."""
    budget = Budget(100)
    assert budget.take("abc", 10) == "abc"
    assert "abcdefghij<span" in budget.take("abcdefghijk", 10)
    assert "5 more characters" in budget.take("xxxxx", 10)
    assert escape(None) == ""
