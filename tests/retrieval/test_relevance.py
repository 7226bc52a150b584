"""What is relevant: spans and whole documents, chunks of any cut, duplicates, what nobody judged, ties."""

from __future__ import annotations

import math
import random

import pytest

from lmops.errors import UsageError
from lmops.retrieval import Chunk, Hit, Judgement
from lmops.retrieval.relevance import found_by, judgement_of, judgements_in, measured


def hit(document, start=0, end=10, *, number=1, rank=1, score=1.0):
    """A hit of one chunk."""
    return Hit(chunk=Chunk(document=document, number=number, start=start, end=end, text=""), rank=rank, score=score)


def span(start, end, grade=1.0, document="a"):
    """A judgement of a span."""
    return Judgement(document=document, start=start, end=end, grade=grade)


@pytest.mark.parametrize(
    ("start", "end", "is_relevant"),
    [(0, 100, True), (145, 300, False), (100, 300, True), (0, 1000, True), (120, 140, True), (200, 300, False)],
)
def test_a_chunk_needs_half_of_the_shorter_one(start, end, is_relevant):
    """Half of a span in a long chunk, or half of a short chunk in the span; the span is 0 to 200."""
    assert span(0, 200).holds(hit("a", start, end).chunk) is is_relevant
    assert not span(0, 200).holds(hit("b", start, end).chunk)


def test_a_span_counts_once_where_its_first_chunk_stands():
    """Three chunks of one span are one thing that was found, and take one place."""
    hits = [hit("b", number=9), *(hit("a", at, at + 50, number=at) for at in (0, 50, 100)), hit("c")]
    found = found_by(hits, [span(0, 150)], k=10)
    assert found.ranked[1] == "a[0:150]"
    assert len(found.ranked) == 3
    values = measured(found, 10)
    assert (values["recall"], values["mrr"], values["coverage"]) == (1, 0.5, 1)
    assert values["judged"] == pytest.approx(1 / 3)


def test_one_chunk_with_two_spans_takes_two_places():
    """What is whole is not punished for being long: nDCG is 1 and never more."""
    values = measured(found_by([hit("a", 0, 400)], [span(0, 50, 3), span(200, 250, 1)], k=1), 1)
    assert (values["ndcg"], values["recall"], values["map"]) == (1, 1, 1)


def test_whole_documents_count_where_they_stand_first():
    """Without spans chunks are their documents, on both sides of relevance."""
    hits = [hit("x", number=1), hit("x", number=2), hit("a", number=7), hit("a", number=8)]
    found = found_by(hits, [Judgement(document="a"), Judgement(document="b")], k=4)
    assert found.ranked == ("x", "a")
    assert measured(found, 4)["recall"] == 0.5
    assert math.isnan(found.coverage)


def test_a_chunk_that_is_there_twice_counts_once_and_is_said():
    """The second place is wasted by nobody."""
    found = found_by([hit("x"), hit("x"), hit("a")], [span(0, 10)], k=3)
    assert (found.repeated, found.ranked) == (1, ("x#1 [0:10]", "a[0:10]"))


def test_equal_scores_as_they_are_ranked_or_as_trec_orders_them():
    """By our own order a is first, by trec_eval's c."""
    hits = [hit("a"), hit("b"), hit("c")]
    judgements = [Judgement(document="c")]
    assert measured(found_by(hits, judgements), 3)["mrr"] == pytest.approx(1 / 3)
    assert measured(found_by(hits, judgements, ties="trec"), 3)["mrr"] == 1


def test_measures_stay_within_their_ends():
    """Whatever overlaps what, no measure leaves 0 to 1; without anything relevant all but judged are unmeasured."""
    draw = random.Random(7)
    for _ in range(400):
        places = [(draw.choice("abc"), draw.randint(0, 9), draw.randint(1, 6)) for _ in range(draw.randint(0, 12))]
        hits = [hit(name, at * 10, (at + size) * 10, number=at) for name, at, size in places]
        spans = [(draw.choice("abc"), draw.randint(0, 9), draw.randint(1, 6)) for _ in range(draw.randint(1, 5))]
        judgements = [span(at * 10, (at + size) * 10, draw.choice([0, 0, 1, 3]), name) for name, at, size in spans]
        k = draw.randint(1, 10)
        values = measured(found_by(hits, judgements, k=k), k)
        for name, value in values.items():
            assert math.isnan(value) or 0 <= value <= 1 + 1e-9, name
        if not any(one.grade > 0 for one in judgements):
            assert all(math.isnan(value) for name, value in values.items() if name != "judged")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"document": "a", "grade": -1}, "grades are numbers from 0"),
        ({"document": "a", "grade": math.nan}, "grades are numbers from 0"),
        ({"document": "a", "start": 5, "end": 5}, "0 <= start < end"),
        ({"document": "a", "start": -1, "end": 5}, "0 <= start < end"),
        ({"document": "a", "start": 5}, "0 <= start < end"),
        ({"grade": 1}, "needs the id of a document"),
        (7, "is no judgement"),
    ],
)
def test_what_is_no_judgement_says_why(given, said):
    """The message names the query, what was found and what would do."""
    with pytest.raises(UsageError, match=said) as raised:
        judgement_of(given, "query 'q1'")
    assert "q1" in str(raised.value)


def test_data_sets_that_name_relevant_documents_otherwise():
    """source_ids and relevant of the metadata are judgements of whole documents."""
    assert judgements_in({"source_ids": ["a", "b"]}) == (Judgement(document="a"), Judgement(document="b"))
    assert judgements_in({"relevant": {"a": 2}}) == (Judgement(document="a", grade=2.0),)
    assert judgements_in({}) == ()
