"""Canaries, in any of the ways in which they come out."""

import base64
import codecs
import json
import urllib.parse

import pytest

from lmops.errors import UsageError
from lmops.guardrails import made
from tests.guardrails.found import found, kinds

WORD = "Zebra-7731/kiwi"
WAYS = {
    "as it is": WORD,
    "in another case": WORD.upper(),
    "apart": " ".join(WORD),
    "without signs": "zebra 7731 kiwi",
    "backwards": WORD[::-1],
    "rot13": codecs.encode(WORD, "rot13"),
    "in an address": urllib.parse.quote(WORD, safe=""),
    "in JSON": json.dumps(WORD)[1:-1],
    "hex": WORD.encode().hex(),
    "base64": base64.b64encode(WORD.encode()).decode(),
    "base64 after one": base64.b64encode(f"a{WORD}bc".encode()).decode(),
    "base64 after two": base64.b64encode(f"ab{WORD}c".encode()).decode(),
    "base64 inside": base64.b64encode(f"the word is {WORD}, keep it".encode()).decode(),
    "full width": "".join(chr(ord(one) + 0xFEE0) for one in WORD),
    "zero-width": "\u200b".join(WORD),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_canary_is_found_however_it_is_written(way):
    """In the middle of a text."""
    assert kinds("canaries", f"so, {WAYS[way]} it is", values=[WORD])[:1] == ["canary"]


def test_the_context_may_say_them():
    """As one or several; both count beside those of the policy."""
    assert found("canaries", "my kiwi-kiwi", context={"canaries": "kiwi-kiwi"}) == [("canary", "kiwi-kiwi")]
    assert kinds("canaries", "my kiwi-kiwi", context={"canaries": ["kiwi-kiwi"]}, values=[WORD]) == ["canary"]
    assert kinds("canaries", "a zebra with 7731 stripes eats", values=[WORD]) == []


@pytest.mark.parametrize("word", ["kiwi", "a" * 200])
def test_a_canary_is_rare_and_short(word):
    """Else many texts hold it, or a stream would have to wait for it."""
    with pytest.raises(UsageError, match="give 6 letters or digits to 80"):
        made("canaries", {"values": [word]})
