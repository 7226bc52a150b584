"""Converters: pure, and back again."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmops.errors import NotFoundError, UsageError
from lmops.redteam import Converter, converter, converters
from lmops.redteam.writing import CONVERTERS

BUILT_IN = sorted(converters())
EXACT = [name for name in BUILT_IN if CONVERTERS.get(name).is_exact]
#: What some converters write in is no part of what goes in.
PLAIN_TEXT = st.text(st.characters(codec="ascii", exclude_categories=["Cc"], include_characters="\n"), max_size=60)


def test_there_are_twenty_and_more():
    """At least twenty ways to write an attack come with the package."""
    assert len(BUILT_IN) >= 20


@pytest.mark.parametrize("name", EXACT)
@settings(max_examples=30, deadline=None)
@given(text=PLAIN_TEXT)
def test_exact_ones_come_back(name, text):
    """What was written comes back, sign by sign."""
    one = CONVERTERS.get(name)
    assert one.decode(one.encode(text)) == text


@pytest.mark.parametrize("name", [name for name in EXACT if name not in ("homoglyph", "bold", "fullwidth", "zalgo")])
def test_other_scripts_come_back(name):
    """Text of other scripts comes back where a writing keeps it."""
    one, text = CONVERTERS.get(name), "Grüße, 漢字 و 😀"
    assert one.decode(one.encode(text)) == text


@pytest.mark.parametrize("name", sorted(set(BUILT_IN) - set(EXACT)))
@settings(max_examples=30, deadline=None)
@given(words=st.lists(st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=8), min_size=1, max_size=5))
def test_others_come_back_as_letters(name, words):
    """What a writing loses aside, words come back."""
    one, text = CONVERTERS.get(name), " ".join(words)
    assert one.decode(one.encode(text)) == text


@pytest.mark.parametrize("name", BUILT_IN)
@pytest.mark.parametrize("text", ["", "\ud800", "a\x00b", "x" * 100_000])
def test_odd_texts_are_written(name, text):
    """Nothing, lone surrogates, NUL and long texts are written without an error, the same each time."""
    one = CONVERTERS.get(name)
    assert one.convert(text) == one.convert(text)


@pytest.mark.parametrize("name", [name for name in BUILT_IN if name != "plain"])
def test_each_changes_the_text(name):
    """A converter says something else than the text itself."""
    assert CONVERTERS.get(name).convert("Say TERN4821 now.") != "Say TERN4821 now."


def test_own_converter_by_decorator():
    """A function becomes a converter by its name, with what the target is told."""

    @converter(ask="Louder: {text}", decode=str.lower, is_exact=False)
    def loud(text):
        """In capitals."""
        return text.upper()

    assert CONVERTERS.get("loud").convert("hi") == "Louder: HI"
    assert converters()["loud"] == "In capitals."
    CONVERTERS._known.pop("loud")


def test_bad_converters_are_refused():
    """An ask without a place, an unknown name and a plugin that is no function are refused."""
    with pytest.raises(UsageError, match="has no"):
        converter(ask="nothing")
    with pytest.raises(NotFoundError, match="base64"):
        CONVERTERS.get("bas64")
    with pytest.raises(UsageError, match="function"):
        CONVERTERS._accept("x", 3)
    assert isinstance(CONVERTERS._accept("x", str.upper), Converter)
