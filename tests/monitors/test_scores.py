"""What scorers say of production: rates without bias, searches and the trace browser."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lmops.errors import QueryError, UsageError
from lmops.monitors import items_sql, metric_of
from lmops.monitors._score_draw import Drawn, number_of, reached
from lmops.monitors._score_inputs import Seen
from lmops.scorers import build
from lmops.store import Bounds
from lmops.traces.listing import TraceSource
from lmops.widgets.traces.controller import TraceBrowserController

from .conftest import POLITE, trace_id, traces_of

GOOD = build(lambda output: output == "good", name="is:good", range=(0, 1))
ALL = Bounds(None, None)


def test_a_rate_counts_each_trace_by_its_chance(monitors, score):
    """More of the bad ones are judged than there are, and the rate is that of the traffic all the same."""
    score(sample=0.5, more="output = 'bad'")
    (row,) = monitors.scores("polite").df().to_dict("records")
    assert row["n"] < 160
    assert row["low"] < 0.75 < row["high"]
    assert abs(row["mean"] - 0.75) < 0.08
    assert (row["kind"], bool(row["is_rate"]), row["note"]) == ("judge", True, "uncalibrated")


def test_a_monitor_of_a_judge_sees_a_uniform_sample(ws, score):
    """What was looked at for a reason counts only where the share alone would have drawn it."""
    score(sample=0.3, more="output = 'bad'")
    times = {"since": datetime(2000, 1, 1, tzinfo=UTC), "until": datetime(2100, 1, 1, tzinfo=UTC)}
    found = ws.sql(items_sql(metric_of("score.polite")), times).fetchall()
    assert {row[0] for row in found} == {one for one in map(trace_id, range(200)) if number_of(one, 0) < 0.3}


@pytest.mark.parametrize("left", [1.0, 0.4])
def test_rates_of_draws_are_unbiased_however_early_they_end(left):
    """Over many seeds the weighted mean is that of all, also where only the first part of the drawn was judged."""
    traces = [Seen(trace_id(one), one, None, 1, None, None, None, None) for one in range(120)]
    good = {one.trace_id: float(one.start_ns % 3 > 0) for one in traces}
    means = []
    for seed in range(300):
        drawn = []
        for one in traces:
            chance, number = 0.9 if not good[one.trace_id] else 0.4, number_of(one.trace_id, seed)
            if number < chance:
                drawn.append(Drawn(one, chance, number / chance))
        drawn.sort(key=lambda one: one.place)
        chances = reached(drawn, {one.trace.trace_id for one in drawn[: round(left * len(drawn))]})
        means.append(sum(good[one] / chance for one, chance in chances.items()) / len(traces))
    assert abs(sum(means) / len(means) - 2 / 3) < 0.02


def test_what_is_judged_out_of_order_waits_for_what_is_before_it():
    """A trace beyond the first that was not judged has no chance that is known yet."""
    order = [Drawn(Seen(str(at), at, None, 1, None, None, None, None), 0.5, at / 10) for at in range(5)]
    assert reached(order, {"0", "1", "3"}) == {"0": 0.1, "1": 0.1}
    assert reached(order, {"0", "1", "2", "3", "4"}) == dict.fromkeys("01234", 0.5)


def test_a_judge_is_corrected_by_its_calibration(ws, monitors, score):
    """The rate that people would find stands beside that of the judge, with its interval."""
    labels = [{"item": f"{one}-{at}", "label": one, "verdict": one} for one in ("pass", "fail") for at in range(40)]
    labels += [{"item": f"wrong-{at}", "label": "fail", "verdict": "pass"} for at in range(10)]
    ws.feedback.calibrate("polite", labels, version=POLITE.version)
    score(sample=1.0)
    (row,) = monitors.scores("polite").df().to_dict("records")
    assert row["corrected"] < row["mean"]
    assert row["corrected_low"] < row["corrected"] < row["corrected_high"]
    assert row["note"] == "corrected by calibration 1"


def test_scores_by_interval_and_group(ws, monitors, score):
    """Groups are those of feedback: columns of traces, prompts, spans, attributes."""
    ws.store.append_many({"spans": traces_of(range(200, 240), service="other")})
    score([GOOD, build(lambda output: len(output) / 4, name="length")])
    found = monitors.scores("is:good", by="service", every="hour").df()
    assert list(found.columns[:5]) == ["scorer", "version", "kind", "bucket", "service"]
    assert found.groupby("service", dropna=False)["n"].sum().to_dict()["other"] == 40
    (length,) = monitors.scores("length").df().to_dict("records")
    assert (bool(length["is_rate"]), length["mean"]) == (False, pytest.approx(0.9375))
    assert "is:good" in monitors.scores().text
    assert "is:good" in monitors.scores()._repr_html_()


def test_an_unknown_scorer_is_named_with_the_nearest(ws, monitors, score):
    """Neither a rate nor a search is empty because of a slip."""
    score(GOOD)
    with pytest.raises(UsageError, match="is:good"):
        monitors.scores("is:god")
    with pytest.raises(QueryError, match="no scorer called god has scored"):
        ws.traces.search("score.god = 1")
    with pytest.raises(QueryError, match="cannot name a scorer"):
        ws.traces.search('score."a\'b" = 1')


@pytest.mark.parametrize("order", ["start_at desc", "latency_ms asc"])
def test_a_search_names_and_shows_what_a_scorer_said(ws, score, order):
    """A name that is no word stands in quotes; what is not scored is missing."""
    score(GOOD, where="input <> 'q4'")
    found = ws.traces.search('score."is:good" < 1', order=order)
    assert len(found) == 49
    assert set(found["score.is:good"]) == {0.0}
    assert ws.traces.search('score."is:good" is null')["trace_id"].tolist() == [trace_id(4)]


def test_the_browser_has_a_column_and_a_facet_of_each_scorer(ws, score):
    """A bar of the facet filters, the column sorts, and the list as SQL has both."""
    score(GOOD)
    browser = TraceBrowserController(TraceSource(ws.store))
    name = 'score."is:good"'
    (column,) = [one for one in browser.state("now")["columns"] if one["name"] == name]
    assert (column["label"], column["kind"]) == ("is:good", "number")
    (facet,) = browser.handle({"kind": "summary", "rev": browser.state("now")["rev"], "column": name})
    assert [one["count"] for one in facet["bins"] if one["count"]] == [50, 150]
    browser.handle({"kind": "filter", "column": name, "low": 0, "high": 1})
    assert (browser.where, browser.total) == (f"({name} >= 0 and {name} < 1)", 50)
    browser.handle({"kind": "sort", "column": name, "descending": True})
    assert len(ws.sql(browser.sql).fetchall()) == 50


def test_a_facet_of_shares_has_bars_between_its_ends(ws, score):
    """Scores from 0 to 1 are no whole numbers, though both ends are."""
    score(build(lambda output, trace_id: int(trace_id, 16) % 11 / 10, name="part", range=(0, 1)))
    facet = TraceSource(ws.store).listing(None, ALL).summary("score.part")
    assert len([one for one in facet["bins"] if one["count"]]) == 11


def test_names_of_scorers_are_data(ws, score):
    """Neither SQL nor markup: a name is a name."""
    odd = build(lambda output: True, name="or:1-1--.x")
    score(odd)
    assert len(ws.traces.search('score."or:1-1--.x" = 1', limit=None)) == 200


def test_a_score_that_was_changed_is_found(ws, score):
    """Scores and chances have a checksum each."""
    score([GOOD, POLITE], sample=1.0)
    assert ws.audit.verify().ok
    with ws.store.transaction() as con:
        con.execute("update trace_score_history set score = 1 where trace_id = ?", (trace_id(4),))
        con.execute("update trace_score_chances set probability = .5 where seq = 300")
    found = ws.audit.verify()
    assert not found.ok
    assert {line.split()[0] for line in found.altered} == {"trace_score_history", "trace_score_chances"}
