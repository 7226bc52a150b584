"""Reports and findings over traces: outages, wrong arguments, loops; and what the sample planted."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from lmops.errors import UsageError
from tests.store.helpers import START, llm, span

DATA = Path(__file__).parents[2] / "data"
MINUTE = 60_000_000_000


def called(trace, tool="find", arguments="{}", at=0, *, failed=False, question="Is TL-1 paid?", **more):
    """A trace: a question, the model that asks for a tool, the tool."""
    start = START + at * MINUTE
    said = json.dumps([{"role": "user", "content": question}])
    state = {"status": "error", "error_type": more.pop("error_type", "ConnectionError")} if failed else {}
    columns = {"kind": "tool", "tool_name": tool, "input": arguments, "output": "{}", **state, **more}
    return [
        span(trace, "root", start=start, input=question),
        llm(trace, "model", "root", start=start + 1, input=said),
        span(trace, "tool", "root", start=start + 2, **columns),
    ]


def outage(ws):
    rows = [called(f"a{n}", at=n, failed=20 <= n < 30) for n in range(60)]
    rows += [called(f"b{n}", "pay", at=n, failed=22 <= n < 31) for n in range(60)]
    ws.store.load(spans=[row for trace in rows for row in trace])


def test_an_outage_is_found_with_its_tools_and_times(ws):
    """Tools that failed together are one; a failure here and there is none."""
    outage(ws)
    found = ws.tools.findings()
    (one,) = found.outages
    assert (one.tools, one.calls, one.failed, one.error_type) == (("find", "pay"), 19, 19, "ConnectionError")
    assert (one.last_at - one.first_at).total_seconds() == 600
    assert len(one.trace_ids) == 19
    assert not found.wrong
    assert not found.is_clean
    assert "19 of 19 calls failed" in found.text
    assert list(found.frame().finding) == ["outage"]
    assert ws.tools.findings(where="name = 'nothing'").is_clean


def test_the_report_counts_by_what_is_asked(ws):
    """Calls, errors with intervals, timeouts; by model the one that asked; nothing named is one row."""
    outage(ws)
    ws.store.load(spans=called("c", failed=True, error_type="ReadTimeout"))
    frame = ws.tools.report().set_index("tool")
    assert (frame.calls["find"], frame.errors["find"], frame.timeouts["find"]) == (61, 11, 1)
    assert frame.error_rate_low["find"] < frame.error_rate["find"] == 11 / 61 < frame.error_rate_high["find"]
    assert list(ws.tools.report(by=()).calls) == [121]
    assert list(ws.tools.report(by=["model", "tool"]).model) == ["m", "m"]
    with pytest.raises(UsageError, match="error_type"):
        ws.tools.report(by="eror_type")
    with pytest.raises(UsageError, match="level"):
        ws.tools.report(level=1.0)


def test_what_a_tool_spends_on_models_is_its_cost_once(ws):
    """Of a sub-agent that calls another, each has its own sum, and a group counts a call once."""
    rows = [
        span("t", "root"),
        span("t", "outer", "root", kind="tool", tool_name="plan", input='{"a":1}'),
        span("t", "inner", "outer", kind="tool", tool_name="search", input="{}"),
        llm("t", "m1", "outer", cost_usd=1.0),
        llm("t", "m2", "inner", cost_usd=0.25),
    ]
    ws.store.load(spans=rows)
    by_tool = ws.tools.report().set_index("tool").cost_usd
    assert (by_tool["plan"], by_tool["search"]) == (1.25, 0.25)
    assert list(ws.tools.report(by=()).cost_usd) == [1.25]


def test_wrong_arguments_and_loops_are_found(ws):
    """A number nobody said; the same call three times; arguments that do not fit the registered tool."""
    ws.store.load(spans=called("a", arguments='{"reference": "TL-2"}', question="Is TL-12 paid?"))
    repeated = [
        span("r", f"t{n}", start=START + n, kind="tool", tool_name="look", input='{"q": "x"}', output="none")
        for n in range(3)
    ]
    ws.store.load(spans=repeated)
    found = ws.tools.findings()
    assert [(one.doubt.kind, one.doubt.value, one.tool) for one in found.wrong] == [("unsaid", "TL-2", "find")]
    assert [one.what for one in found.circles] == ["the same call 3 times (calls 1 to 3)"]
    assert found.unchecked == 3

    @ws.tools.tool
    def look(n: int) -> str:
        """Look."""
        return str(n)

    assert {one.doubt.kind for one in ws.tools.findings().wrong} == {"unsaid", "schema"}


def test_hostile_texts_are_shown_and_bounded(ws):
    """Markup in names and arguments stays text."""
    evil = "<img src=x onerror=alert(1)>"
    ws.store.load(spans=called("a", evil, json.dumps({"id": f"{evil}9"}), question=evil))
    ws.store.load(spans=called("b", evil, json.dumps({"ref_id": "AB-1234567"}), question="hello"))
    found = ws.tools.findings()
    assert len(found.wrong) == 1
    assert "<img" not in found._repr_html_()
    assert "[1, 2" not in found.text


@pytest.mark.parametrize("arguments", ["[1, 2", "", None])
def test_arguments_that_cannot_be_read_break_nothing(ws, arguments):
    """Neither findings nor report."""
    ws.store.load(spans=called("a", arguments=arguments))
    assert ws.tools.findings().calls == 1
    assert len(ws.tools.report()) == 1


def with_tools():
    """The sample's traces that called a tool, whole, as lines of OTLP JSON."""
    read = [gzip.decompress(file.read_bytes()) for file in sorted((DATA / "traces").glob("*.jsonl.gz"))]
    batches = [json.loads(line) for text in read for line in text.splitlines()]
    places = [scope for batch in batches for one in batch["resourceSpans"] for scope in one["scopeSpans"]]
    kept = {span["traceId"] for one in places for span in one["spans"] if span["name"].startswith("execute_tool")}
    for one in places:
        one["spans"] = [span for span in one["spans"] if span["traceId"] in kept]
    return "\n".join(map(json.dumps, batches)).encode()


def test_what_the_sample_planted_is_found(ws):
    """Outage and wrong arguments: precision and recall of at least .95 against the truth, from traces alone."""
    ws.traces.ingest(with_tools(), format="jsonl", progress=False)
    truth = [json.loads(line) for line in (DATA / "truth.jsonl").read_text().splitlines()]
    found = ws.tools.findings()
    assert found.calls > 500
    (outage,) = found.outages
    assert f"{outage.first_at:%m-%d %H}" == "10-23 09"
    for name, told in (
        ("tool_outage", set(outage.trace_ids)),
        ("wrong_tool_call", {one.trace_id for one in found.wrong}),
    ):
        planted = {row["trace_id"] for row in truth if row[name]}
        hits = len(told & planted)
        print(f"{name}: precision {hits / len(told):.3f}, recall {hits / len(planted):.3f} of {len(planted)}")
        assert hits / len(told) >= 0.95
        assert hits / len(planted) >= 0.95
