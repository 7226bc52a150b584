"""Scores of production: each trace once, what was paid is kept, and the chances are known."""

from __future__ import annotations

import re

import pytest

from lmops.errors import UsageError
from lmops.monitors import Monitors
from lmops.monitors._score_draw import number_of
from lmops.monitors._score_inputs import seen
from lmops.monitors._score_write import Claims, Said
from lmops.scorers import Score, build, judge
from lmops.store import Bounds
from tests.forked import Program
from tests.store.helpers import DAY, START

from .conftest import MINUTE, POLITE, Model, trace_id, traces_of


def is_good(output):
    """Whether it says so."""
    return output == "good"


GOOD = build(is_good, name="is_good", range=(0, 1))


def scores(ws, condition="true"):
    """Return what the view has, by trace."""
    query = f"select trace_id, score, probability, status from trace_scores where {condition} order by start_at"
    return {row[0]: row[1:] for row in ws.sql(query).fetchall()}


def test_code_scores_all_traces_and_each_once(ws, score):
    """A second call scores only what came since; the scores lie beside their trace."""
    assert [one.values for one in score(GOOD).scorers] == [200]
    ws.store.append_many({"spans": traces_of(range(200, 210))})
    (again,) = score(GOOD).scorers
    assert (again.wanted, again.known, again.values, again.left) == (210, 200, 10, 0)
    found = scores(ws)
    assert len(found) == 210
    assert (found[trace_id(4)], found[trace_id(5)]) == ((0.0, 1.0, "value"), (1.0, 1.0, "value"))
    assert ws.sql("select count(*) from trace_score_history").fetchall() == [(210,)]


def test_a_trace_that_grew_is_scored_again(ws, score):
    """Spans that come late change what is scored; the view has the last word, the history both."""
    score(GOOD)
    late = traces_of([5])[0] | {"span_id": "f" * 16, "parent_span_id": traces_of([5])[0]["span_id"]}
    ws.store.append_many({"spans": [late]})
    assert score(GOOD).scorers[0].values == 1
    query = "select span_count from {} where trace_id = ? order by seq"
    assert ws.sql(query.format("trace_scores"), [trace_id(5)]).fetchall() == [(2,)]
    assert ws.sql(query.format("trace_score_history"), [trace_id(5)]).fetchall() == [(1,), (2,)]


def test_a_new_version_scores_anew(ws, score):
    """Another source is another version; the view has what was said last, and the old version has nothing to do."""
    score(GOOD)
    other = build(lambda output: output == "bad", name="is_good", range=(0, 1))
    assert score(other).scorers[0].values == 200
    assert scores(ws)[trace_id(4)][0] == 1.0
    assert score(GOOD).scorers[0].known == 200


def test_a_trace_gives_its_scorers_what_it_has(ws, monitors):
    """Input, output, documents, tools, latency, cost and its id, as a case of an evaluation does."""
    found = []

    def all_of_it(output, input, trace_id, latency_ms, cost_usd, input_tokens):
        found.append((output, input, trace_id, latency_ms, cost_usd, input_tokens))
        return True

    monitors.score(build(all_of_it, name="all"), progress=False, where="input = 'q7'")
    assert found == [("good", "q7", trace_id(7), 1.0, 0.001, 3)]


@pytest.mark.parametrize(
    ("scorers", "given", "said"),
    [
        ("exact_match", {}, "needs an expected answer"),
        (POLITE, {}, "sample=0.05"),
        (judge("kind", "Is it kind?", model="m"), {}, "budget_usd=2"),
        ([], {}, "name a scorer"),
        (POLITE, {"sample": 5}, "above 0 and at most 1"),
        (POLITE, {"sample": 0.1, "more": {"status = 'error'": 2}}, "above 0 and at most 1"),
        (POLITE, {"budget_usd": 1, "by": "service"}, "give sample="),
        (POLITE, {"budget_usd": -1}, "number above 0"),
        (POLITE, {"sample": 1, "concurrency": 0}, "1 or more"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_asked(score, model, scorers, given, said):
    """The error says what would do."""
    with pytest.raises(UsageError, match=re.escape(said)):
        score(scorers, **given)
    assert model.asked == []


def test_judges_are_shown_a_sample_with_chances_that_are_known(ws, score, model):
    """The same traces in every call: those whose number is below the share."""
    report = score(sample=0.3)
    wanted = [trace_id(one) for one in range(200) if number_of(trace_id(one), 0) < 0.3]
    assert list(scores(ws)) == wanted
    assert {row[1] for row in scores(ws).values()} == {0.3}
    assert (report.drawn, len(model.asked)) == (len(wanted), len(wanted))
    assert score(sample=0.3).scorers[0].known == len(wanted)
    assert len(model.asked) == len(wanted)


def test_a_greater_sample_holds_the_smaller_one(ws, score):
    """What was drawn before is not paid for again, and has the greater chance from then on."""
    score(sample=0.1)
    before = set(scores(ws))
    score(sample=0.5)
    assert before < set(scores(ws))
    assert {row[1] for row in scores(ws).values()} == {0.5}
    score(sample=0.1)
    assert {row[1] for row in scores(ws).values()} == {0.5}


def test_more_of_what_a_condition_finds_has_its_chance(ws, score):
    """What is looked at for sure counts once, what was drawn by one over its share."""
    score(sample=0.2, more="output = 'bad'")
    found = scores(ws)
    assert sum(row[0] == 0 for row in found.values()) == 50
    assert {row[1] for row in found.values() if row[0] == 0} == {1.0}
    assert {row[1] for row in found.values() if row[0] == 1} == {0.2}


def test_each_value_of_a_column_gets_equally_many(ws, score):
    """Rare ones are seen: their chance is greater."""
    ws.store.append_many({"spans": traces_of(range(200, 220), service="rare")})
    score(sample=0.1, by="service")
    chances = {
        round(row[1], 6) for row in scores(ws, f"start_at >= make_timestamp({(START + 200 * MINUTE) // 1000})").values()
    }
    assert chances == {11 / 20}


def test_a_budget_ends_a_call_and_leaves_a_draw(ws, score, model):
    """Nothing is begun when it is spent; all that were judged have one chance, which makes the rate unbiased."""
    report = score(budget_usd=0.5, concurrency=2)
    assert report.status == "over_budget"
    assert 49 <= len(model.asked) <= 50
    assert report.cost_usd == pytest.approx(0.01 * len(model.asked))
    found = scores(ws)
    (chance,) = {row[1] for row in found.values()}
    assert set(found) == {one for one in map(trace_id, range(200)) if number_of(one, 0) < chance}
    assert (report.scorers[0].left, score(budget_usd=5).scorers[0].known) == (200 - len(found), len(found))
    assert {row[1] for row in scores(ws).values()} == {1.0}


def test_a_budget_needs_a_price(ws, score, model):
    """What judges cost is not known: the call ends before everything was asked for an unknown sum."""
    model.cost_usd = None
    report = score(budget_usd=1, concurrency=4)
    assert report.status == "failed"
    assert "ws.models.set_price" in report.error
    assert len(model.asked) < 10


def test_an_endpoint_that_is_gone_is_no_score(ws, score, model):
    """The call ends, nothing is written of the traces, and the next call goes on."""
    model.outage = True
    report = score(sample=1.0, concurrency=2)
    assert (report.status, len(scores(ws))) == ("failed", 0)
    assert "score again when it is back" in report.error
    model.outage = False
    assert score(sample=1.0).scorers[0].values == 200


def test_what_fails_is_tried_three_times(ws, score):
    """A scorer that fails on a trace is a score that says so; it is not paid for in every call."""
    broken = build(lambda output: 1 / 0, name="broken")
    assert [score(broken, where="input = 'q1'").scorers[0].failed for _ in range(4)] == [1, 1, 1, 0]
    assert scores(ws)[trace_id(1)] == (None, 1.0, "error")


def test_another_seed_is_refused(score):
    """Of two draws that hang on nothing common the chances would be others."""
    score(sample=0.1)
    with pytest.raises(UsageError, match="keep the seed"):
        score(sample=0.1, seed=7)


def test_a_dry_run_says_how_many_and_what_it_would_cost(ws, score, model):
    """By the scores so far; without any it says how to find out."""
    first = score(sample=0.5, dry_run=True)
    assert (first.status, first.scorers[0].expected_usd, model.asked) == ("planned", None, [])
    assert "small budget_usd" in first.text
    score(sample=0.1)
    second = score(sample=0.5, dry_run=True).scorers[0]
    assert second.expected_usd == pytest.approx(0.01 * second.left)


def test_what_somebody_else_scores_is_left_to_them(ws, monitors, score, model):
    """A living process holds its claims, and those of a dead one are taken over: nobody pays twice."""
    other, mine = (
        Claims(monitors._project, [GOOD, POLITE]),
        [(one, [POLITE]) for one in seen(ws.store, None, Bounds(None, None))[:50]],
    )
    assert len(other.take(mine)) == 50
    report = score(sample=1.0)
    assert (report.scorers[0].left, len(model.asked)) == (50, 150)
    assert {row[1] for row in scores(ws).values()} != {1.0}
    with ws.store.transaction() as con:
        con.execute("update trace_score_claims set pid_started = 'another'")
    assert score(sample=1.0).scorers[0].values == 50
    assert ({row[1] for row in scores(ws).values()}, other.take(mine)) == ({1.0}, [])


def test_two_at_once_keep_each_score_once(ws, monitors):
    """What asks no model may be reckoned twice, and is kept once."""
    one, other = Claims(monitors._project, [GOOD, POLITE]), Claims(monitors._project, [GOOD, POLITE])
    row = {"trace": seen(ws.store, None, Bounds(None, None))[0], "said": [Said(GOOD, Score.of(True), None)]}
    one.write([row])
    other.write([row])
    assert (len(scores(ws)), other.kept["is_good"].total()) == (1, 0)


KILLED = """
import os, sys
import lmops
from lmops.monitors import Monitors
from tests.monitors.conftest import POLITE, Model

class Deadly(Model):
    async def acomplete(self, *given, **options):
        if len(self.asked) == 60:
            os.kill(os.getpid(), 9)
        return await super().acomplete(*given, **options)

ws = lmops.open(sys.argv[1])
Monitors(ws.project, models=Deadly).score(POLITE, sample=1.0, concurrency=4, progress=False)
"""


def test_a_killed_call_keeps_what_it_paid_for(ws, score, model):
    """All but what was in hand is there; it is in no rate until the draw is finished, which the same call does."""
    score(GOOD)
    assert Program(KILLED, ws.store.path).wait(60) != 0
    kept = len(scores(ws, "scorer = 'polite'"))
    assert 60 - 4 <= kept <= 60
    assert "a draw that was cut off" in Monitors(ws.project).scores("polite").text
    assert (score(sample=1.0).scorers[0].known, len(model.asked)) == (kept, 200 - kept)
    assert {row[1] for row in scores(ws).values()} == {1.0}


def test_who_is_erased_is_erased_from_the_scores(ws, score):
    """The scores of an erased trace go, with their chances."""
    score([GOOD, POLITE], sample=1.0)
    ws.erase(session_id="c7", dry_run=False, reason="asked to")
    assert trace_id(7) not in scores(ws)
    assert ws.sql("select count(*) from trace_score_chances").fetchall() == [(199,)]


def test_scores_outlive_their_traces(ws, score):
    """Old traces are removed and what was said of them stays, with when they were."""
    score(GOOD)
    ws.store.retain(days=1, now_ns=START + 100 * MINUTE + DAY)
    assert ws.sql("select count(*) from traces").fetchall() == [(100,)]
    assert len(scores(ws)) == 200
    assert Monitors(ws.project).scores(every="hour").df()["n"].sum() == 200


def test_traces_of_evaluations_are_no_production(ws, score):
    """Neither what an evaluation asked nor what a judge traced is judged."""
    ws.store.append_many({"spans": traces_of([500], environment="evaluation")})
    assert score(GOOD).traces == 200


def test_an_empty_store_says_so(ws):
    """Nothing to score is no error."""
    report = Monitors(ws.project, models=Model).score(GOOD, progress=False)
    assert report.notes == ("no trace of production is in this range",)
