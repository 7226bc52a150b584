"""What users say in figures, held to what is known of the sample."""

from __future__ import annotations

import json

import pytest

import lmops
from lmops.calc.intervals import proportion_interval
from lmops.errors import UsageError
from lmops.sample import data_dir
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
