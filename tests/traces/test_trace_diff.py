"""What differs between two traces, and who called whom in one."""

from __future__ import annotations

import html
import json
import re

from lmops.store._tables import SPAN_COLUMNS
from lmops.traces import Trace
from lmops.traces.diffs import diff
from lmops.traces.reading import exchange

HOSTILE = "<img src=x onerror=alert(1)> [x](javascript:alert(1)) \x1b[31m\u202e"


def row(trace, number, parent=None, name="step", kind="chain", ms=10.0, **columns):
    values = dict.fromkeys(column[0] for column in SPAN_COLUMNS)
    values |= {
        "trace_id": trace * 32,
        "span_id": f"{number:016x}",
        "name": name,
        "kind": kind,
        "status": "ok",
        "parent_span_id": None if parent is None else f"{parent:016x}",
        "start_ns": 1_000_000 * number,
        "end_ns": 1_000_000 * number + int(ms * 1e6),
        "latency_ms": ms,
        "attributes": "{}",
        "is_call": kind == "llm",
    }
    return values | columns


def said(role, text, *calls):
    wanted = [{"id": None, "name": name, "arguments": arguments} for name, arguments in calls]
    return json.dumps([{"role": role, "content": text} | ({"tool_calls": wanted} if wanted else {})])


def booking(trace, answer="A cabin is 58 euro.", *, model="gpt-5", extra=(), ms=100.0):
    """A root that keeps its state as JSON, a model that asks for a tool, the tool, and the model that answers."""
    return Trace.from_rows(
        [
            row(trace, 1, None, "ask", "agent", ms, input='{"state": 1}', output='{"done": true}'),
            row(
                trace,
                2,
                1,
                "chat",
                "llm",
                20,
                model=model,
                input=said("user", "How much is a cabin?"),
                output=said("assistant", "", ("price", '{"of": "cabin"}')),
                input_tokens=10,
                output_tokens=5,
                cost_usd=0.001,
            ),
            row(trace, 3, 1, "run", "tool", 5, tool_name="price", input='{"of": "cabin"}', output="58"),
            *extra,
            row(
                trace,
                9,
                1,
                "chat",
                "llm",
                30,
                model=model,
                input=said("user", "How much is a cabin?"),
                output=said("assistant", answer),
                input_tokens=20,
                output_tokens=len(answer.split()),
            ),
        ]
    )


def test_the_exchange_is_what_the_user_saw():
    """State of a framework is passed over for the words of the model calls; tools come in their order."""
    found = exchange(booking("a"))
    assert (found.question, found.answer) == ("How much is a cabin?", "A cabin is 58 euro.")
    assert found.answer_span.row["span_id"].endswith("9")
    assert [(one.name, one.arguments, one.result, one.is_error) for one in found.tools] == [
        ("price", '{"of": "cabin"}', "58", False)
    ]


def test_tools_that_nobody_ran_are_those_that_were_asked_for():
    """A trace of model calls alone says what they wanted."""
    wanted = said("assistant", "", ("refund", "{}"))
    trace = Trace.from_rows([row("a", 1, None, "chat", "llm", input=said("user", "Refund, please"), output=wanted)])
    found = exchange(trace)
    assert (found.question, found.answer) == ("Refund, please", None)
    assert [(one.name, one.result) for one in found.tools] == [("refund", None)]


def test_a_trace_without_content_has_no_exchange():
    """Nothing is made up."""
    found = exchange(Trace.from_rows([row("a", 1)]))
    assert (found.question, found.answer, found.answer_span, found.tools) == (None, None, None, ())


def test_spans_are_aligned_by_kind_and_name():
    """A tool that is new is added; the calls around it still belong together."""
    more = row("b", 5, 1, "run", "tool", 7, tool_name="seats", input="{}", output="4")
    found = diff(booking("a"), booking("b", "A cabin is 60 euro.", extra=[more]))
    assert [pair.kind for pair in found.pairs] == ["same", "same", "same", "added", "changed"]
    assert found.pairs[-1].differs == ("output",)
    assert found.summary == "1 changed, 1 added, 3 spans the same"
    assert [tuple(piece) for piece in found.answer if piece.sign != " "] == [("-", "58"), ("+", "60")]


def test_another_name_of_one_kind_is_the_same_step():
    """What is renamed is not an old span and a new one."""
    left, right = (
        Trace.from_rows([row(side, 1), row(side, 2, 1, name, "llm", model=name, input="x")])
        for side, name in (("a", "chat gpt-5"), ("b", "chat gpt-5-mini"))
    )
    found = diff(left, right)
    assert [(pair.kind, pair.differs) for pair in found.pairs] == [("same", ()), ("changed", ("model",))]
    assert "model chat gpt-5 → chat gpt-5-mini" in found.text


def test_measures_are_those_of_calls_and_missing_is_missing():
    """The change needs both sides; a wrapper's own numbers do not count."""
    found = diff(booking("a"), booking("b", "A cabin is 60 euro each way.", ms=150.0))
    assert found.measure("latency_ms") == (100.0, 150.0, 50.0)
    assert found.measure("output_tokens") == (10, 12, 2)
    assert found.pairs[-1].measure("cost_usd") == (None, None, None)
    frame = found.df()
    assert frame["change_latency_ms"].tolist() == [50.0, 0.0, 0.0, 0.0]
    assert frame["change_output_tokens"].isna().tolist() == [True, False, True, False]
    assert "latency     100 ms → 150 ms (+50 ms)" in found.text


def test_a_trace_does_not_differ_from_itself():
    """And it says so."""
    found = diff(booking("a"), booking("a"))
    assert {pair.kind for pair in found.pairs} == {"same"}
    assert repr(found) == "<TraceDiff aaaaaaaa → aaaaaaaa: the same words in all 4 spans>"


def test_the_difference_shows_hostile_text_as_text():
    """In a terminal nothing acts, in HTML nothing but our own tags is one."""
    found = diff(booking("a", f"{HOSTILE} old"), booking("b", f"{HOSTILE} new", model=HOSTILE))
    shown = found._repr_html_()
    tags = set(re.findall(r"</?(\w+)", shown))
    table = {"table", "thead", "tbody", "tr", "th", "td"}
    assert tags <= {"div", "span", "b", "code", "details", "summary", "ins", "del"} | table
    assert "<img src=x" in html.unescape(shown)
    assert "<del>old</del><ins>new</ins>" in shown
    assert not re.search("[\x1b\u202e]", shown + found.text)


def test_a_long_difference_shows_what_differs():
    """Of thousands of spans those are shown that are not the same, and how many are left out."""
    left, right = (
        Trace.from_rows(
            [row(side, 1), *(row(side, n, 1, f"step {n}", input=side if n == 2_500 else "x") for n in range(2, 3_000))]
        )
        for side in "ab"
    )
    found = diff(left, right).text
    assert "~    chain step 2500" in found
    assert "… and 2,799 more spans: .df() has all" in found


def test_the_graph_says_who_called_whom():
    """One row a pair: how often, how many failed, what is known of tokens and cost; chains are seen through."""
    again = [
        row("a", 5, 1, "wrap"),
        row("a", 6, 5, "run", "tool", 7, tool_name="price", status="error"),
        row("a", 7, 5, "repeats", "llm", model="gpt-5", is_call=False),
    ]
    found = booking("a", extra=again).graph()
    pairs = list(zip(found["source"], found["target_kind"], found["target"], strict=True))
    assert pairs == [("ask", "llm", "gpt-5"), ("ask", "tool", "price")]
    assert found["count"].tolist() == [2, 2]
    assert found["errors"].tolist() == [0, 1]
    assert found["latency_ms"].tolist() == [50.0, 12.0]
    assert found["input_tokens"].tolist()[0] == 30
    assert found["cost_usd"].isna().tolist() == [False, True]


def test_the_graph_of_one_span_has_no_edge():
    """And the columns all the same."""
    found = Trace.from_rows([row("a", 1, None, "chat", "llm", model="m")]).graph()
    assert found.empty
    assert "span_id" in found.columns


def test_the_card_shows_the_answer_before_the_spans():
    """What was asked in one line, the tools, the whole answer, and only then the waterfall."""
    trace = booking("a", "A cabin is 58 euro.\n\nSources:\n- prices")
    shown = trace._repr_html_()
    order = [
        shown.index(words)
        for words in ("asked</span>", "<b>price</b>", '<ul style="margin:0 0 6px 0"><li>prices</li>', 'role="list"')
    ]
    assert order == sorted(order)
    assert "  answered  A cabin is 58 euro. Sources: - prices" in trace.text


def test_the_card_takes_its_colours_from_the_page():
    """Where a page does not say JupyterLab's colours, text and ground are the page's own, light or dark."""
    shown = booking("a")._repr_html_()
    assert "var(--jp-ui-font-color1,inherit)" in shown
    assert "var(--jp-layout-color1,transparent)" in shown
    assert not re.search(r"Canvas|color-scheme", shown)
