"""Looking is cheap: what a run, a comparison and a gate read of the store, counted in transactions and questions."""

from __future__ import annotations

import contextlib
from collections import Counter

import pytest

from lmops.evals._runs import states
from lmops.store import Store

CRITERIA = {
    "scorers": {"exact_match": {"min": 0.5, "max_loss": 0.1}, "token_f1": {"max_loss": 0.2}},
    "min_coverage": 0.9,
    "max_error_rate": 0.1,
    "max_latency_ms": 60_000,
}
SCORERS = ["exact_match", "token_f1"]


@pytest.fixture
def reads(monkeypatch):
    """Count read transactions over records, and questions over all rows."""
    counted = Counter()
    reading, sql = Store.reading, Store.sql

    @contextlib.contextmanager
    def counted_reading(store):
        counted["transactions"] += 1
        with reading(store) as con:
            yield con

    def counted_sql(store, *args, **options):
        counted["questions"] += 1
        return sql(store, *args, **options)

    monkeypatch.setattr(Store, "reading", counted_reading)
    monkeypatch.setattr(Store, "sql", counted_sql)

    def of(ask):
        counted.clear()
        ask()
        return counted["transactions"], counted["questions"]

    return of


@pytest.fixture
def pair(quiet, rows):
    """A run, and one that is worse."""
    good = quiet(lambda question: question.replace("q", "a"), rows, SCORERS, name="good")
    bad = quiet(lambda question: question.replace("q", "a") if question < "q6" else "", rows, SCORERS, name="bad")
    return bad, good


@pytest.mark.parametrize("look", [lambda run: run.text, lambda run: run._repr_html_(), lambda run: run.summary()])
def test_a_run_is_read_once(reads, pair, look):
    """Its row in one transaction, its cases and scores with one question, however much is said of it."""
    assert reads(lambda: look(pair[0])) == (1, 1)


def test_why_a_run_has_nothing_to_show_is_one_question_more(reads, quiet, rows):
    """It is asked only where nothing has a score."""

    def broken(question):
        raise ValueError(question)

    run = quiet(broken, rows, SCORERS)
    assert "ValueError" in run.text
    assert reads(lambda: run.text) == (1, 2)


@pytest.mark.parametrize("is_by_name", [True, False])
def test_a_gate_reads_three_times(reads, ws, pair, is_by_name):
    """Both rows in one transaction, the cases of both with one question, and whether their outputs are the same."""
    one, other = ("bad", "good") if is_by_name else pair
    assert reads(lambda: ws.evals.gate(one, other, CRITERIA)) == (1, 2)
    assert reads(lambda: ws.evals.compare(one, other)) == (1, 2)
    assert reads(lambda: ws.evals.gate(one, None, {"scorers": {"exact_match": {"min": 0.5}}})) == (1, 1)


def test_a_gate_of_a_run_that_looked_reads_as_little(reads, ws, quiet, rows, pair):
    """Its cases once, and once more in the order in which they came; its baseline where nobody names it."""
    until = {"scorers": {"exact_match": {"max_loss": 0.5}}}
    run = quiet(lambda question: question.replace("q", "a"), rows, SCORERS, until=until, baseline=pair[1])
    transactions, questions = reads(lambda: ws.evals.gate(run, pair[1]))
    assert (transactions, questions) <= (3, 3)


def test_runs_side_by_side_are_read_together(reads, ws, pair):
    """However many there are."""
    assert reads(lambda: ws.evals.summary([*pair, "good", "bad"])) == (1, 1)


def test_a_verdict_is_what_is_kept(ws, pair):
    """A gate says what it wrote down, without reading it again."""
    verdict = ws.evals.gate(*pair, CRITERIA)
    assert verdict == ws.evals.verdict(verdict.verdict_id)


def test_runs_that_are_read_together_are_told_apart(ws, pair):
    """Neither takes what is the other's."""
    bad, good = (state.measured for state in states(ws.store, pair))
    assert bad.scores["exact_match"].sum() < good.scores["exact_match"].sum() == 12
    assert [state.ids for state in (bad, good)] == [[f"e{number:03}" for number in range(12)]] * 2
