"""The filter as text: split into chips, joined again, made from words and clicks."""

from __future__ import annotations

import pytest

from lmops.traces.listing import check_predicate
from lmops.widgets.traces.predicates import bin_predicate, conjuncts, joined, value_predicate, words_as_predicate


@pytest.mark.parametrize(
    ("where", "parts"),
    [
        (None, []),
        ("  ", []),
        ("status = 'error'", ["status = 'error'"]),
        ("a = 1 AND b = 2", ["a = 1", "b = 2"]),
        ("a = 'x and y' and b = 2", ["a = 'x and y'", "b = 2"]),
        ("a = 'it''s and' and b", ["a = 'it''s and'", "b"]),
        ("x between 1 and 2 and y", ["x between 1 and 2", "y"]),
        ("(a and b) and c", ["(a and b)", "c"]),
        ("a and b or c", ["a and b or c"]),
        ("case when a and b then c else d end and e", ["case when a and b then c else d end", "e"]),
        ("attributes['a and b'] = 1 and c", ["attributes['a and b'] = 1", "c"]),
    ],
)
def test_chips_are_the_parts_that_and_joins(where, parts):
    """Quotes, parentheses, BETWEEN and CASE do not split; OR at the top keeps everything in one chip."""
    assert conjuncts(where) == parts


def test_an_or_is_put_in_parentheses_when_it_meets_an_and():
    """A chip keeps its meaning beside another."""
    assert joined(["a or b", "c"]) == "(a or b) and c"
    assert joined(["a or b"]) == "a or b"
    assert joined([]) is None


@pytest.mark.parametrize("words", ["refund", "night ferry", "Überfahrt?", "50 % off", "snake_case", "a1b2c3d4"])
def test_plain_words_become_a_search_that_compiles(words):
    """Words look into name, input and output; the start of an id looks for the trace."""
    check_predicate(words_as_predicate(words))


@pytest.mark.parametrize("text", ["status = 'x'", "'ab'", "", "f(x)"])
def test_more_than_words_is_no_word_search(text):
    """SQL stays SQL."""
    assert words_as_predicate(text) is None


@pytest.mark.parametrize(
    "predicate",
    [
        value_predicate("status", "error"), value_predicate("models", "o'model"), value_predicate("models", None),
        value_predicate("prompt_refs", "a@1"), value_predicate("prompt_refs", None), value_predicate("user_id", None),
        value_predicate("is_orphan", True), bin_predicate("latency_ms", 0.5, 1e7),
        bin_predicate("start_at", 1_760_000_000_000_000_000, 1_760_003_600_000_000_000),
    ],
)  # fmt: skip  # cases that belong together share a line
def test_every_click_makes_one_chip_that_compiles(predicate):
    """What the page may ask by a click is in the search language, whatever the value."""
    check_predicate(predicate)
    assert conjuncts(predicate) == [predicate]
