"""Records as small cards, in text and in HTML."""

from __future__ import annotations

import re

from lmops.base.cards import card_html, card_text

FACTS = [("cost", "$5 or $6"), ("none", None), ("empty", ""), ("zero", 0)]


def test_facts_without_a_value_are_left_out():
    """What is not known is not shown; 0 is known."""
    assert card_text("store", "here", FACTS) == "store here\n  cost  $5 or $6\n  zero  0"
    found = card_html("store", "here", FACTS)
    assert "none" not in found
    assert "empty" not in found


def test_texts_stand_below_with_their_headings():
    """As they were written, lines and all."""
    found = card_text("prompt", "ask@1", [], texts=[("user", "one\ntwo"), ("", "three"), ("system", None)])
    assert found == "prompt ask@1\n\nuser:\none\ntwo\n\nthree"
    assert "one\ntwo</pre>" in card_html("prompt", "ask@1", [], texts=[("user", "one\ntwo")])


def test_hostile_words_are_shown_and_do_nothing():
    """No markup, no sign that turns text around, no colour that the page does not know."""
    bad = "<img src=x onerror=alert(1)>\u202e"
    found = card_html(bad, bad, [(bad, bad)], texts=[(bad, bad)])
    assert set(re.findall(r"<(\w+)", found)) == {"div", "span", "b", "pre"}
    assert "\u202e" not in found + card_text(bad, bad, [(bad, bad)], texts=[(bad, bad)])
    assert not re.search(r"color:", found)
