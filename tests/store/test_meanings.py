"""``describe VIEW`` says what each column is."""

from __future__ import annotations

import pytest

import lmops
from lmops.store import view_names


@pytest.mark.parametrize("view", view_names())
def test_every_column_of_every_view_says_what_it_is(ws, view):
    """In the order of the view, with its type, and never without a word."""
    found = ws.sql(f"describe {view}").fetchall()
    assert [row[0] for row in found] == ws.sql(f"select * from {view} limit 0").columns
    assert [row[0] for row in found if not row[2].strip()] == []


@pytest.mark.parametrize("written", ["describe spans", "DESCRIBE Spans ;", ' desc "spans"'])
def test_it_is_asked_in_any_spelling(ws, written):
    """As SQL is."""
    assert ws.sql(written).columns == ["column_name", "column_type", "meaning"]


def test_a_view_of_others_says_what_is_its_own(ws):
    """A vote's name is not a span's, and a quote in a meaning is text."""
    said = {row[0]: row[2] for row in ws.sql("describe feedback").fetchall()}
    assert said["name"] != dict(ws.sql("select column_name, 'x' from (describe spans)").fetchall()).get("name")
    assert said["kind"] == {row[0]: row[2] for row in ws.sql("describe feedback_history").fetchall()}["kind"]


def test_what_is_no_view_is_refused_as_ever(ws):
    """And a query is described by the database itself."""
    with pytest.raises(lmops.QueryError, match="no_such"):
        ws.sql("describe no_such")
    assert ws.sql("describe select 1 as one").fetchall()[0][0] == "one"
