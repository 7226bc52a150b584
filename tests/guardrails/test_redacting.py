"""What gives way to a word that stands for it, and comes back."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from lmops.guardrails import Checker, Finding, made
from lmops.guardrails.exchange import Exchange
from lmops.guardrails.redacting import Redactor, Restore, Restoring, merged
from tests.guardrails.words import words

TEXTS = st.text(alphabet="ab[]_1CARD \ud800é", max_size=40)


@given(TEXTS, st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=6))
def test_what_was_redacted_is_what_was_there(text, places):
    """Whatever overlaps, and whatever in the text looks like a placeholder."""
    found = [Finding(min(a, b, len(text)), min(max(a, b), len(text)), "card") for a, b in places]
    redactor = Redactor()
    said = redactor.redacted(text, found)
    assert redactor.restore(said) == text


@given(st.text(alphabet="ab[]_12CARD", max_size=60), st.lists(st.integers(0, 60), max_size=8))
def test_pieces_are_restored_as_the_whole_is(text, cuts):
    """However a text is cut, also in the middle of a placeholder."""
    restore = Restore({"[CARD_1]": "4111", "[CARD_12]": "5500", "[A_1]": "[CARD_1]"})
    text = text.replace("a", "[CARD_1]").replace("b", "[CARD_12]")
    places = [0, *sorted(min(one, len(text)) for one in cuts), len(text)]
    restoring = Restoring(restore)
    shown = [restoring.feed(text[start:end]) for start, end in itertools.pairwise(places)]
    assert "".join(shown) + restoring.finish() == restore(text)


ADDRESSES = st.sampled_from(["a@b.eu", "c@d.eu", "[EMAIL_1]", "[EMAIL_2]", "[", "]", "hello", " ", "@"])


@given(st.lists(ADDRESSES, max_size=8).map(" ".join))
def test_who_is_answered_his_own_words_reads_them(text):
    """Whatever of them was redacted on the way, and whatever looks like a placeholder."""
    with words():
        rails = [made("mail")]
    exchange = Exchange(Checker({"input": rails, "output": rails}))
    asked = exchange.asked(text)
    assert "@b.eu" not in asked
    assert exchange.answered(asked) == text


def test_a_value_has_one_stand_in_in_a_request():
    """And two values never the same one; what somebody wrote himself stands for nothing."""
    redactor = Redactor()
    assert redactor.redacted("ab", [Finding(0, 1, "e-mail")]) == "[E_MAIL_1]b"
    assert redactor.redacted("ba", [Finding(1, 2, "e-mail"), Finding(0, 1, "e-mail")]) == "[E_MAIL_2][E_MAIL_1]"
    assert redactor.redacted("[E_MAIL_3]c", [Finding(10, 11, "e-mail")]) == "[E_MAIL_3][E_MAIL_4]"


def test_what_overlaps_is_one():
    """Under the kind of the longest."""
    found = [
        Finding(0, 3, "short"),
        Finding(2, 9, "long"),
        Finding(4, 5, "in"),
        Finding(9, 10, "next"),
        Finding(1, 1, "no"),
    ]
    assert merged(found) == [(0, 9, "long"), (9, 10, "next")]
