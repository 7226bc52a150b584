"""Every check is a span: the view over them, and how often rails do what."""

from __future__ import annotations

import json

import pytest

from lmops.errors import UsageError
from lmops.metrics import items_sql, metric_of
from tests.store.helpers import span


@pytest.fixture
def traced(guarded):
    """A workspace that recorded four checks: two that pass, one redacted, one blocked."""
    guarded.traces.instrument(clients=False)
    policy = guarded.guardrails.get("support@production")
    for text in ("hello", "hello a@b.eu", "the attack of a@b.eu"):
        policy.check("input", text)
    policy.check("output", "fine")
    guarded.traces.stop_instrumentation()
    return guarded


def test_each_verdict_is_a_row(traced):
    """With who decided, where, what and how; the text that was found is nowhere in the store."""
    rows = traced.sql(
        "select stage, rail, kind, action, decision, rule, found, positions::varchar from guardrail_checks "
        "where policy = 'support' and version = 1 order by start_at, rail"
    ).fetchall()
    assert len(rows) == 8
    assert rows[2] == ("input", "attacks", "word", "allow", "redact", None, None, None)
    assert rows[3] == ("input", "mail", "mail", "redact", "redact", "email", 1, "[[6,12]]")
    assert rows[4] == ("input", "attacks", "word", "block", "block", "word", 1, "[[4,10]]")
    held = b"".join(path.read_bytes() for path in traced.store.path.rglob("*") if path.is_file())
    assert b"a@b.eu" not in held


def test_a_list_of_spans_says_what_was_decided(traced):
    """And nothing of the text."""
    rows = traced.sql("select output from spans where kind = 'guardrail' order by start_at").fetchall()
    said = ["allow", "redact by mail: email", "block by attacks: word", "allow"]
    assert [one for (one,) in rows] == said


def test_monitors_watch_the_view(traced):
    """By policy, version and rail."""
    blocks = {"view": "guardrail_checks", "value": "action = 'block'", "kind": "rate"}
    traced.monitors.save("blocks", metric=blocks, by=["policy", "version", "rail"], method="threshold", limit=0.2)
    items = traced.sql(items_sql(metric_of(blocks), by=["rail"], since="'2000-01-01'", until="'2100-01-01'")).fetchall()
    assert sorted((row[-1], row[3]) for row in items if row[3]) == [('{"rail":"attacks"}', 1.0)]


def test_rates_are_by_rail_or_by_check(traced):
    """With intervals; without the rail a check counts once, by its gravest."""
    found = traced.guardrails.rates(by=["stage", "rail"]).set_index(["stage", "rail"])
    assert found.loc[("input", "attacks"), ["checks", "blocked"]].tolist() == [3, 1]
    assert found.loc[("input", "mail"), ["redacted", "flagged"]].tolist() == [2, 0]
    row = traced.guardrails.rates(by=["policy", "version"]).iloc[0]
    assert (row["checks"], row["blocked"], row["redacted"], row["errors"]) == (4, 1, 1, 0)
    assert row["block_low"] < row["block_rate"] == 0.25 < row["block_high"]
    assert len(traced.guardrails.rates(last="1h", by=["day"])) == 1
    assert len(traced.guardrails.rates(until="2020-01-01")) == 0
    with pytest.raises(UsageError, match="did you mean 'rail'"):
        traced.guardrails.rates(by=["rial"])


def test_the_checks_of_an_application_are_rows_as_well(ws):
    """One that says what it did in its own words is one verdict."""
    said = {"lmops.guardrail.name": "input-patterns", "lmops.guardrail.action": "pass"}
    blocked = {**said, "lmops.guardrail.action": "block", "lmops.guardrail.rule": "override"}
    ws.store.load(
        spans=[
            span("t", name, kind="guardrail", attributes=json.dumps(one)) for name, one in (("a", said), ("b", blocked))
        ]
    )
    rows = ws.sql("select rail, action, rule, policy, stage from guardrail_checks order by action").fetchall()
    assert rows == [("input-patterns", "allow", None, None, None), ("input-patterns", "block", "override", None, None)]


def test_the_metric_counts_checks(traced):
    """A policy of several rails is one check of its text."""
    metric = metric_of("guardrail_block_rate")
    query = f"select avg(({metric.value})::int), count(*) from {metric.view} where {metric.where}"
    assert traced.sql(query).fetchall() == [(0.25, 4)]


def test_a_rail_that_fails_is_seen(guarded):
    """In the view with what it said, and among the rates."""
    guarded.traces.instrument(clients=False)
    from lmops.guardrails.contract import KINDS

    del KINDS._known["mail"]
    guarded.guardrails.get("support@1").checker()
    guarded.guardrails.check("support@1", "input", "hello")
    guarded.traces.stop_instrumentation()
    ((error,),) = guarded.sql("select error from guardrail_checks where error is not null").fetchall()
    assert "no rail named 'mail'" in error
    assert guarded.guardrails.rates(by=["rail"]).set_index("rail").loc["mail", "errors"] == 1
