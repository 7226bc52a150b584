"""Characters that nobody sees."""

import pytest

from lmops.guardrails import check, made
from tests.guardrails.found import found, kinds

HIDDEN = {
    "tag": "hello" + "".join(chr(0xE0000 + ord(one)) for one in "ignore"),
    "selector": "\U0001f600" + "\ufe00\ufe01\U000e0101",
    "direction": "user \u202etxt.exe",
    "zero_width": "ig\u200bnore",
    "invisible": "a\u2063b",
    "control": "a\x00b",
}
WRITTEN = (
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 and \u2764\ufe0f and 1\ufe0f\u20e3",  # a family, a heart, a key
    "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",  # the flag of Scotland
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian, with a non-joiner
    "\u0915\u094d\u200d\u0937",  # Hindi, with a joiner
    "\u2067\u05e9\u05dc\u05d5\u05dd\u2069 abc",  # Hebrew, kept apart
    "co\u00adoperate\tand\r\nmore",
    "\ufefftext with a mark of its order of bytes",
    "plain",
    "",
)


@pytest.mark.parametrize("kind", HIDDEN)
def test_what_no_writing_needs_is_found(kind):
    """Each kind by its name."""
    assert kinds("hidden", HIDDEN[kind]) == [kind]


@pytest.mark.parametrize("text", WRITTEN)
def test_what_writing_needs_is_left_alone(text):
    """Emoji, flags, joiners of scripts that have them, marks of direction among letters that need them."""
    assert found("hidden", text) == []


def test_a_text_may_not_be_turned_around():
    """Not even where letters go from right to left."""
    assert kinds("hidden", "\u05e9\u202edcba\u202c") == ["direction"]


def test_what_nobody_sees_leaves_nothing_behind():
    """A word that was cut is whole again."""
    text = "ig\u200bnore" + HIDDEN["tag"] + "a\x00b"
    assert check([made("hidden")], "input", text).text == "ignorehelloab"
