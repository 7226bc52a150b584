"""What users say in figures, held to what is known of the sample."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

import lmops
from lmops.calc.intervals import proportion_interval
from lmops.calc.judge import ppi_mean
from lmops.errors import QueryError, UsageError
from lmops.sample import data_dir
from lmops.scorers import build
from tests.store.helpers import DAY, START, span


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """The sample's traffic with its votes."""
    with lmops.open(tmp_path_factory.mktemp("sample") / ".lmops", actor="tester") as ws:
        ws.traces.ingest(str(data_dir() / "traces" / "*.jsonl.gz"), progress=False)
        ws.feedback.ingest(data_dir() / "feedback.jsonl")
        yield ws


def known():
    """Return (prompt version, whether the vote is up) of every vote, by what is known of the sample."""
    read = lambda name: map(json.loads, (data_dir() / name).read_text(encoding="utf-8").splitlines())  # noqa: E731
    version = {row["trace_id"]: row["prompt_version"] for row in read("truth.jsonl")}
    return [(version[row["trace_id"]], row["value"] == "up", row["user"]) for row in read("feedback.jsonl")]


@pytest.mark.parametrize("version", [1, 2, 3])
def test_rates_by_prompt_version_are_those_that_are_known(sample, version):
    """With what one user says as one cluster; version 3 is liked less."""
    frame = sample.feedback.stats(by="prompt_version", every=None).df().set_index("prompt_version")
    row = frame.loc[f"support-answer@{version}"]
    votes = [(up, user) for one, up, user in known() if one == version and up is not None]
    refused = row["signals"] - len(votes)
    assert abs(refused) <= 1  # one vote is on a question that was blocked before the prompt
    want = proportion_interval([up for up, _ in votes], clusters=[user for _, user in votes])
    assert row["rate"] == pytest.approx(want.estimate, abs=0.02)
    assert (row["low"], row["high"]) == (pytest.approx(want.low, abs=0.02), pytest.approx(want.high, abs=0.02))


def test_the_share_of_the_traffic_is_said(sample):
    """It is few who say anything."""
    found = sample.feedback.stats(every="week")
    assert (found.traces, found.with_feedback) == (2000, 171)
    assert "8.6 % of traffic gave feedback (171 of 2,000 traces)" in found.text
    assert "8.6 % of traffic gave any" in found.title
    before, after = found.df()["rate"]
    assert after < before - 0.15


def test_a_chart_is_its_view(sample):
    """Over time or by group, and its static twin has the same figures."""
    over_time, by_group = sample.feedback.stats(), sample.feedback.stats(by="environment", every=None)
    assert len(over_time.view.data) == 2
    assert list(by_group.view.data[0].x)
    assert "production" in by_group._repr_html_()
    assert by_group._repr_mimebundle_() is not None


@pytest.mark.parametrize("by", ["model", "tool_name", "index_fingerprint", "user_id", "gen_ai.prompt.name", "status"])
def test_anything_of_a_trace_or_its_spans_groups(sample, by):
    """Columns of traces and spans, and attributes; every vote is counted at least once."""
    frame = sample.feedback.stats(by=by, every=None).df()
    assert frame["signals"].sum() >= 171
    assert frame["traces"].sum() >= 2000


def test_two_groups(sample):
    """Cross each other."""
    frame = sample.feedback.stats(by=["environment", "prompt_version"], every=None).df()
    assert {"environment", "prompt_version", "rate"} <= set(frame.columns)
    assert frame["traces"].sum() == 2000


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"by": "modell"}, "model"),
        ({"by": ["model", "model"]}, "once"),
        ({"name": "thump"}, "thumb"),
        ({"every": "fortnight"}, "every="),
        ({"by": "'; drop table x"}, "grouping"),
    ],
)
def test_what_there_is_not_is_said(sample, arguments, said):
    """With what there is."""
    with pytest.raises(UsageError, match=said):
        sample.feedback.stats(**arguments)


def test_an_attribute_with_a_word_of_the_application(ws):
    """Such as the topic, wherever a client puts it."""
    rows = [
        span(f"t{n}", "s", attributes=json.dumps({["topic", "metadata.topic"][n % 2]: ["refund", "ferry"][n // 2]}))
        for n in range(4)
    ]
    ws.store.append_many({"spans": rows})
    for row in rows[:3]:
        ws.feedback.record(row["trace_id"], value="up")
    frame = ws.feedback.stats(by="topic", every=None).df()
    assert frame[["topic", "traces", "signals"]].to_numpy().tolist() == [["ferry", 2, 1], ["refund", 2, 2]]


def test_numbers_and_categories(ws):
    """A mean with its interval; the share of each category; one who says much counts as one."""
    rows = [span(f"t{n}", "s", start=START + n * DAY) for n in range(4)]
    ws.store.append_many({"spans": rows})
    for n, row in enumerate(rows):
        ws.feedback.record(row["trace_id"], value=n + 1, name="rating", scale=(1, 5), user=f"u{n}")
        ws.feedback.record(row["trace_id"], value=["a", "b"][n == 3], name="topic", user="one")
    rating = ws.feedback.stats("rating", every=None).df().iloc[0]
    assert (rating["mean"], rating["users"]) == (2.5, 4)
    assert rating["low"] < 2.5 < rating["high"]
    topic = ws.feedback.stats("topic", every=None).df()
    assert topic[["value", "count", "rate"]].to_numpy().tolist() == [["a", 3, 0.75], ["b", 1, 0.25]]
    assert topic["low"].isna().all()
    assert len(ws.feedback.stats("rating").df()) == 4


def test_what_is_not_in_it_is_said(ws):
    """Signals on conversations, those that wait, and traces of evaluations."""
    ws.store.append_many({"spans": [span("t", "s"), span("e", "s", environment="evaluation")]})
    ws.feedback.record(session_id="s", value="up")
    ws.feedback.record(response_id="r", value="up")
    found = ws.feedback.stats(every=None)
    assert found.traces == 1
    assert ws.feedback.stats(every=None, evaluations=True).traces == 2
    assert found.notes[1:] == ("1 signals on whole conversations are not in it", "1 signals wait for their trace")


def test_nothing_at_all(ws):
    """Is said, and drawn as nothing."""
    found = ws.feedback.stats()
    assert found.df().empty
    assert found.share is None
    assert "no trace is in this range" in found.text
    assert found.view.layout.annotations[0].text == "no data"


def judged(ws, passes=60, count=100):
    """So many traces, of which a judge in production passes some."""
    ids = [f"{number:032x}" for number in range(count)]
    ws.store.append_many({"spans": [span("t", "root", trace_id=one, span_id="1" * 16) for one in ids]})
    for number, one in enumerate(ids):
        ws.feedback.record(one, value=int(number < passes), name="kind", kind="number", source="otel")


def test_what_a_judge_said_is_corrected(ws):
    """By its newest calibration, in the frame, the text and the chart; nobody knows of which version it was."""
    judged(ws)
    labels = [{"item": n, "label": n < 60, "verdict": n % 10 != 0 if n < 60 else n % 5 == 0} for n in range(100)]
    record = ws.feedback.calibrate("kind", labels, version="v1")
    found = ws.feedback.stats("kind", every=None)
    (row,) = found.df().to_dict("records")
    wanted = record.corrected(60, 100)
    assert (row["corrected"], row["corrected_low"]) == pytest.approx((wanted.estimate, wanted.low))
    assert "corrected by calibration 1 of version v1; signals do not say which version" in found.text
    assert [trace.name for trace in found.view.data] == ["mean", "corrected"]
    assert "kind corrected" not in [trace.name for trace in ws.feedback.stats("kind").view.data]


def drawn(ws, strategy="random", n=40, human=lambda number: number % 2, **how):
    """Let somebody label so many traces that were drawn from the traffic."""
    ws.feedback.schemas.save("verdict", [{"name": "kind"}])
    ws.feedback.queue("drawn", strategy, n=n, schema="verdict", **how)
    for row in ws.feedback.queues.items("drawn").itertuples():
        said = {"kind": "pass" if human(int(row.trace_id, 16)) else "fail"}
        ws.feedback.queues.label("drawn", row.position, said, rater="ann")


@pytest.fixture
def uncalibrated(ws):
    """Two hundred traces with what a judge said, which a run knows as a judge."""
    judged(ws, passes=120, count=200)
    judge = replace(build(lambda output: True, name="kind"), kind="judge")
    ws.evals.run(lambda given: given, [{"id": "a", "input": "x"}], [judge], progress=False, name="x")
    return ws


def test_labels_on_a_sample_of_the_traffic_correct_a_judge(uncalibrated):
    """PPI++ beside what the judge says: in the frame, the text and the chart, without a calibration."""
    ws = uncalibrated
    drawn(ws)
    found = ws.feedback.stats("kind", every=None)
    (row,) = found.df().to_dict("records")
    labelled = ws.feedback.queues.items("drawn")["trace_id"].map(lambda one: int(one, 16))
    judge = [float(number < 120) for number in range(200)]
    rest = sorted(set(range(200)) - set(labelled))
    wanted = ppi_mean([n % 2 for n in labelled], [judge[n] for n in labelled], [judge[n] for n in rest])
    assert (row["ppi"], row["ppi_low"]) == pytest.approx((wanted.estimate, wanted.low), abs=0.02)
    assert (row["ppi_labels"], row["ppi_note"]) == (40, "40 labels of queue drawn under verdict@1")
    assert ", 40 labels" in found.text
    assert [trace.name for trace in found.view.data] == ["mean", "by labels"]
    assert found.view.layout.scattermode == "group"
    over_time = ws.feedback.stats("kind").view.data[-1]
    assert (over_time.name, over_time.error_y.array[0]) == ("by labels", pytest.approx(row["ppi_high"] - row["ppi"]))


def more(ws, count, environment):
    """So many traces more, of which the judge passes all."""
    ids = [f"{number:032x}" for number in range(300, 300 + count)]
    ws.store.append_many(
        {"spans": [span("t", "root", trace_id=one, span_id="1" * 16, environment=environment) for one in ids]}
    )
    for one in ids:
        ws.feedback.record(one, value=1, name="kind", kind="number", source="otel")


def test_labels_of_unequal_chances_count_by_them(uncalibrated):
    """Half of the labels are of a tenth of the traffic, all of which people fail: the mean is that of the traffic."""
    ws = uncalibrated
    more(ws, 22, "rare")
    drawn(ws, "rare", 44, lambda number: number < 300, by="environment")
    (row,) = ws.feedback.stats("kind", every=None).df().to_dict("records")
    assert row["ppi_labels"] == 44
    assert row["ppi"] == pytest.approx(200 / 222, abs=0.1)
    assert row["ppi_low"] < 200 / 222 < row["ppi_high"]


def test_a_group_where_labels_tell_nothing_says_why(uncalibrated):
    """Nobody labelled it; or most of it could not be drawn, as what came after the queue was made."""
    ws = uncalibrated
    assert "not corrected by labels: nobody labelled these traces" in ws.feedback.stats("kind", every=None).notes
    drawn(ws)
    later = [f"{number:032x}" for number in range(300, 500)]
    ws.store.append_many(
        {"spans": [span("t", "root", trace_id=one, span_id="1" * 16, environment="later") for one in later]}
    )
    for one in later:
        ws.feedback.record(one, value=1, name="kind", kind="number", source="otel")
    found = ws.feedback.stats("kind", by="environment", every=None)
    notes = dict(zip(found.df()["environment"], found.df()["ppi_note"], strict=True))
    assert notes["later"] == "nobody labelled these traces"
    assert "nobody labelled these traces" in found.text
    (row,) = ws.feedback.stats("kind", every=None).df().to_dict("records")
    assert row["ppi_note"] == "the labels stand for about 200 of 400 traces: the others were not drawn from"
    assert math.isnan(row["ppi"])


def test_a_judge_without_a_calibration_says_so(ws):
    """Where a run has a judge of this name; what users say says nothing of it."""
    judged(ws)
    judge = replace(build(lambda output: True, name="kind"), kind="judge")
    ws.evals.run(lambda given: given, [{"id": "a", "input": "x"}], [judge], progress=False, name="x")
    found = ws.feedback.stats("kind", every=None)
    assert "the judge kind is uncalibrated: it has no calibration" in found.notes
    assert "corrected" not in found.df()
    ws.feedback.record("0" * 32, value="up")
    assert not any("calibrat" in note for note in ws.feedback.stats(every=None).notes)


def test_a_condition_narrows_traces_and_signals_alike(sample):
    """As a search says it, over traces, spans and what was said; both parts make the whole."""
    whole = sample.feedback.stats(every=None)
    parts = [sample.feedback.stats(every=None, where=f"{word}environment = 'production'") for word in ("", "not ")]
    assert sum(part.traces for part in parts) == whole.traces
    assert sum(part.with_feedback for part in parts) == whole.with_feedback
    down = sample.feedback.stats(every=None, where="thumb = 'down'")
    assert (down.share, down.df().loc[0, "rate"]) == (1.0, 0.0)
    tools = "tool_name = 'timetable'"
    assert sample.feedback.stats(every=None, where=tools).traces == len(sample.traces.search(tools, limit=None))
    with pytest.raises(QueryError, match="modell"):
        sample.feedback.stats(where="modell = 'x'")


@pytest.mark.parametrize("by", ["model", "prompt_version"])
def test_groups_of_the_sample_have_rates_with_limits_and_the_share_that_said_anything(sample, by):
    """Each by what clients say of a trace; a card and a chart show them."""
    found = sample.feedback.stats(by=by, every=None)
    frame = found.df()
    assert len(frame[by].dropna()) > 1
    assert {"rate", "low", "high", "share", "share_low", "share_high", "traces", "with_feedback"} <= set(frame.columns)
    assert (frame["share"].dropna() <= 1).all()
    assert by in found.title


def test_a_trace_of_an_evaluation_is_found_where_its_environment_is_named(ws):
    """As in a search."""
    ws.store.append_many({"spans": [span("t", "s"), span("e", "s", environment="evaluation")]})
    assert ws.feedback.stats(every=None, where="environment = 'evaluation'").traces == 1


@pytest.mark.parametrize("name", ["signals", "count", "value", "rate", "bucket", "share"])
def test_attributes_with_the_name_of_a_figure(ws, name):
    """Are groups under a name of their own, in the rows, the text and the chart."""
    for number in range(4):
        trace_id, said = f"{number + 1:032x}", "ab"[number % 2]
        ws.store.append_many(
            {"spans": [span("t", "root", trace_id=trace_id, span_id="1" * 16, attributes=json.dumps({name: said}))]}
        )
        ws.feedback.record(trace_id, value="up" if number % 2 else "down", user=str(number))
    found = ws.feedback.stats(by=name, every=None)
    assert found.by == (f"{name} of the trace",)
    assert dict(zip(found.df()[found.by[0]], found.df()["rate"], strict=True)) == {"a": 0, "b": 1}
    assert found.df().columns.is_unique
    assert found.by[0] in found.text
    assert [*found.view.data[0].y] == ["a", "b"] or [*found.view.data[0].x] == ["a", "b"]
    assert len(ws.feedback.stats(by=name).df()) == 2
