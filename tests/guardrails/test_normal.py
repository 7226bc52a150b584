"""Texts as rules read them, and the way back to the text as it came."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmops.guardrails.normal import Folded, fold

ANY = st.text(st.characters(), max_size=60)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("\uff29\uff47\uff4e\uff4f\uff52\uff45", "ignore"),  # full width
        ("ign\u043er\u0435", "ignore"),  # Cyrillic o and e
        ("i\u200bg\u200dn\u2060o\u00adre", "ignore"),
        ("i\u0336g\u0301\u0302n\u0489ore".replace("\u0489", ""), "ignore"),
        ("ig\U000e0061\U000e007fnore", "ignore"),
        ("ig\x00no\x1bre", "ignore"),
        ("\U0001d48a\U0001d488\U0001d48f\U0001d490\U0001d493\U0001d486", "ignore"),
        ("\u201cno\u201d \u2013 don\u2019t", '"no" - don\'t'),
        ("a\u2028b\u00a0c", "a\nb c"),
        ("\uac00\u304c\u4e2d", "\uac00\u304c\u4e2d"),
        ("\ud800x", "\ud800x"),
    ],
)
def test_what_hides_a_word_is_out(text, folded):
    """Compatibility forms, look-alikes, invisible characters, piled marks, controls; other scripts stay."""
    assert fold(text) == folded


@given(ANY)
def test_folding_twice_changes_nothing(text):
    """Phrases are folded as texts are, whatever they were before."""
    assert Folded(Folded(text).text).text == Folded(text).text


@given(ANY, ANY)
def test_a_text_may_be_cut_anywhere(one, other):
    """Each character is folded by itself."""
    assert Folded(one + other).text == Folded(one).text + Folded(other).text


@given(ANY, st.integers(0, 80), st.integers(0, 80))
def test_a_span_leads_back_to_what_was_folded_to_it(text, start, length):
    """Folding the span in the original yields at least what was found."""
    folded = Folded(text)
    start = min(start, len(folded.text))
    end = min(start + length, len(folded.text))
    first, last = folded.span(start, end)
    assert 0 <= first <= last <= len(text)
    assert folded.text[start:end] in Folded(text[first:last]).text


def test_small_letters_keep_their_places():
    """Also where a letter's small form would be longer."""
    folded = Folded("".join(map(chr, range(0x3000))) + "\u0130x")
    assert len(folded.lower) == len(folded.text)


def test_places_far_into_a_long_text_are_right():
    """Blocks are counted, not walked."""
    folded = Folded("\u200bab\u0301" * 5000 + "ignore\u200bd")
    at = folded.text.index("ignored")
    assert folded.span(at, at + 7) == (20_000, 20_008)
