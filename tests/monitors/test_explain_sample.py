"""The incidents that were planted in the sample, each by what accounts for it."""

from __future__ import annotations

import pytest

from lmops.sample import data_dir

#: metric, since, until, before -> dimension, and what it was replaced by or has more of
INCIDENTS = [
    ("output_tokens", "2026-10-29T06:00", None, None, "fingerprint", "fp_070a1f797b"),
    ("answer_length", "2026-10-29T06:00", "2026-10-30T06:00", None, "fingerprint", "fp_070a1f797b"),
    ("cost_per_query", "2026-10-29T06:00", None, "2d", "fingerprint", "fp_070a1f797b"),
    ("latency_p95", "2026-10-29T06:00", None, None, "fingerprint", "fp_070a1f797b"),
    ("retrieval_score", "2026-10-27T05:00", "2026-10-29T06:00", None, "index", "idx_d50249d0e998"),
    ("tool_failure_rate", "2026-10-23T09:00", "2026-10-23T12:00", None, "error_type", "ToolUnavailableError"),
    ("error_rate", "2026-10-23T09:00", "2026-10-23T12:00", None, "error_type", "ToolUnavailableError"),
    ("refusals", "2026-10-24T08:00", "2026-10-27T05:00", None, "prompt", "support-answer@3"),
    ("failed_calls", "2026-10-31T11:00", "2026-10-31T12:00", "7d", "error_type", "ModelError"),
    ("rate_limited_rate", "2026-10-31T11:45", "2026-10-31T12:45", None, "error_type", "ModelError"),
]
OWN = {
    "refusals": {"view": "traces", "value": "output ilike '%sorry%' or output ilike '%cannot%'", "kind": "rate"},
    "failed_calls": {"view": "llm_calls", "value": "status = 'error'", "kind": "rate"},
}
CLEAN = ("output_tokens", "answer_length", "cost_per_query", "error_rate", "retrieval_score")


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """A workspace with two weeks of sample traffic."""
    import lmops

    with lmops.open(tmp_path_factory.mktemp("sample") / ".lmops") as ws:
        ws.traces.ingest(str(data_dir() / "traces" / "*.jsonl.gz"), progress=False)
        yield ws


@pytest.mark.parametrize(("metric", "since", "until", "before", "dimension", "value"), INCIDENTS)
def test_the_first_entry_is_what_was_planted(sample, metric, since, until, before, dimension, value):
    """By the metric that sees it."""
    found = sample.monitors.explain(OWN.get(metric, metric), since=since, until=until, before=before)
    assert (found.accounts[0].dimension, found.accounts[0].values[0]) == (dimension, value)
    assert 0.9 < found.accounts[0].share < 1.1


@pytest.mark.parametrize("metric", CLEAN)
def test_a_clean_day_has_nothing_to_explain(sample, metric):
    """The second day beside the first, and one between two incidents."""
    assert sample.monitors.explain(metric, since="2026-10-20", until="2026-10-21").state == "no_change"
    assert sample.monitors.explain(metric, since="2026-10-28", until="2026-10-29").state == "no_change"


def test_eight_calls_are_too_few_to_be_sure(sample):
    """What is likely is shown, and how many more are needed is said."""
    found = sample.monitors.explain(
        OWN["failed_calls"], since="2026-10-31T11:00", until="2026-10-31T12:00", before="7d"
    )
    assert (found.state, found.needed, found.accounts[0].is_clear) == ("cannot_tell", 22, False)


def test_what_may_be_chance_is_said_to_be(sample):
    """One query of six was lost to a rate limit: what is likely is named by its error, which parts as two others do."""
    found = sample.monitors.explain("rate_limited_rate", since="2026-10-31T11:45", until="2026-10-31T12:45")
    assert found.low < 0 < found.high
    assert (found.state, found.needed) == ("cannot_tell", 24)
    assert not any(one.is_clear for one in found.accounts)
    assert found.accounts[0].also == ("system fingerprint", "end of the answer")
    assert "cannot tell yet, 24 more items needed" in found.text
