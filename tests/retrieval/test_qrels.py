"""Judgements become data sets: rows, frames, JSONL and TREC files, and what cannot be one."""

from __future__ import annotations

import json
import math

import pandas as pd
import pytest

from lmops.errors import NotFoundError, UsageError
from tests.retrieval.asked import TEXTS, judged


def test_rows_become_one_example_a_query(ws):
    """Judgements of one query stand together; the source is its cluster; other columns are kept."""
    rows = [*judged(), {**judged()[0], "document": "fares", "start": None, "end": None, "grade": 0, "language": "en"}]
    made = ws.retrieval.qrels("asked", rows, documents=TEXTS)
    first = made.examples[0]
    assert (len(made), first.input, first.cluster) == (8, "May dogs come into the lounges?", "pets")
    assert first.metadata["judgements"] == [
        {"document": "pets", "start": 62, "end": 115, "grade": 3},
        {"document": "fares", "grade": 0},
    ]
    assert ws.retrieval.qrels("asked", pd.DataFrame(rows)).version == made.version


def test_a_file_of_rows_with_all_judgements_of_a_query(ws, tmp_path):
    """JSON lines, one query each; ids are made where there are none."""
    path = tmp_path / "qrels.jsonl"
    path.write_text(json.dumps({"query": "Do dogs pay?", "judgements": [{"document": "pets", "grade": 2}, "fares"]}))
    (only,) = ws.retrieval.qrels("asked", str(path)).examples
    assert only.metadata["judgements"] == [{"document": "pets", "grade": 2}, {"document": "fares", "grade": 1}]


def test_a_qrels_file_of_trec(ws, tmp_path):
    """Grades below 0 are judged and not relevant, and the note says how many; texts come from a file of their own."""
    path, topics = tmp_path / "qrels.txt", tmp_path / "topics.tsv"
    path.write_text("1 0 pets 2\n1 0 fares -1\n2 0 bikes 1\n")
    topics.write_text("1\tDo dogs pay?\n2\tDo bikes pay?\n")
    made = ws.retrieval.qrels("trec", path, queries=topics)
    assert made.examples[0].metadata["judgements"][1] == {"document": "fares", "grade": 0}
    assert "1 grade below 0" in made.note
    path.write_text("1 pets 2\n")
    with pytest.raises(UsageError, match=r"line 1 of qrels\.txt"):
        ws.retrieval.qrels("trec", path, queries=topics)
    with pytest.raises(NotFoundError, match="no file"):
        ws.retrieval.qrels("trec", tmp_path / "none.txt")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "there is no judgement"),
        ([{"document": "pets"}], "row 1 has no query"),
        ([{"query_id": "7", "document": "pets"}], "the text of query '7' is not known"),
        ([{"query": "a?", "document": "pets", "grade": -2}], "grades are numbers from 0"),
        ([{"query": "a?", "document": "pets", "start": 9, "end": 3}], "0 <= start < end"),
        ([{"query": "a?", "document": "pets", "start": 0, "end": 999}], "ends outside the document"),
        ([{"query": "a?", "document": "pest"}], "pets"),
        ([{"query": "a?", "document": "pets", "grade": g} for g in (1, 2)], "has the grades 1 and 2"),
        ([{"query": q, "query_id": 1, "document": "pets"} for q in ("a?", "b?")], "has two texts"),
    ],
)
def test_what_cannot_be_judged_by_is_refused(ws, rows, said):
    """Nothing is saved, and the message says what is wrong with which row."""
    with pytest.raises((UsageError, NotFoundError), match=said):
        ws.retrieval.qrels("asked", rows, documents=TEXTS)
    assert ws.datasets.list().empty


@pytest.mark.parametrize(
    ("rankings", "said"),
    [
        ({}, "has no ranking"),
        ({"q": "pets"}, "a ranking is a list"),
        ({"q": [{"text": "x"}]}, "place 1 has no id"),
        ({"q": [("pets", math.nan)]}, "scores are finite"),
    ],
)
def test_rankings_that_cannot_be_read_are_refused(ws, rankings, said):
    """The message names the query."""
    with pytest.raises(UsageError, match=said):
        ws.retrieval.rankings("mine", rankings)


def test_a_run_file_of_trec(ws, tmp_path):
    """By falling score, whatever the ranks say; a line that is none is named."""
    path = tmp_path / "run.txt"
    path.write_text("1 Q0 pets 1 0.5 tag\n1 Q0 fares 2 0.9 tag\n")
    hits = ws.retrieval.rankings("theirs", path).search("1").hits
    assert [one.chunk.document for one in hits] == ["fares", "pets"]
    path.write_text("1 Q0 pets 1 nan tag\n")
    with pytest.raises(UsageError, match=r"line 1 of run\.txt: the score is nan"):
        ws.retrieval.rankings("theirs", path)
