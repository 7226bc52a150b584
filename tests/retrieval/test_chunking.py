"""Where documents are cut: without loss, in time that grows as the text does."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmops.errors import MissingDependencyError, NotFoundError, UsageError
from lmops.retrieval import Chunker, chunking
from lmops.retrieval.chunking import LONGEST_WORD, cut

TEXTS = st.text(alphabet=st.sampled_from(list("ab .!?\n\t\"')。」…é\ud800\U0001f6a2")), max_size=200)
CHUNKERS = st.builds(
    lambda name, size, overlap, unit: Chunker(name=name, size=size, overlap=min(overlap, size - 1), unit=unit),
    st.sampled_from(["sentences", "words"]),
    st.integers(1, 30),
    st.integers(0, 10),
    st.sampled_from(["characters", "words"]),
)


def pieces(text, chunker):
    """Return the chunks of a text."""
    return [text[start:end] for start, end in cut(text, chunker)]


@settings(max_examples=150, deadline=None)
@given(TEXTS, CHUNKERS)
def test_nothing_is_lost_and_no_chunk_is_too_long(text, chunker):
    """Each begins where the one before ends, or in what an overlap allows; the last one ends the text."""
    found = cut(text, chunker)
    at = 0
    for start, end in found:
        assert at - chunker.overlap * (1 if chunker.unit == "characters" else 10**6) <= start <= at < end
        assert chunker.unit == "words" or end - start <= chunker.size
        at = end
    assert at == len(text)
    assert chunker.overlap or "".join(pieces(text, chunker)) == text


def test_sentences_and_words_stay_whole_where_they_fit():
    """Longer ones are cut between words, and longer words inside."""
    assert pieces("Cats purr. Dogs bark loudly! 猫は鳴く。犬は。", Chunker(size=12)) == [
        "Cats purr. ",
        "Dogs bark ",
        "loudly! ",
        "猫は鳴く。犬は。",
    ]
    assert pieces("one two three four", Chunker(name="words", size=2, unit="words")) == ["one two ", "three four"]
    assert pieces("one two three four", Chunker(name="words", size=2, overlap=1, unit="words")) == [
        "one two ",
        "two three ",
        "three four",
    ]
    assert pieces("abcdef gh", Chunker(size=4)) == ["abcd", "ef ", "gh"]
    assert pieces("x" * 450, Chunker(size=2, unit="words")) == ["x" * 2 * LONGEST_WORD, "x" * 50]
    assert pieces("a b\n c", Chunker(name="whole", size=0)) == ["a b\n c"]
    assert [cut("", Chunker(name=name)) for name in ("whole", "words", "sentences")] == [[], [], []]


@pytest.mark.parametrize("mark", ["a", ".", " ", "\n", ". ", "日本語。", "'", '."'])
@pytest.mark.parametrize("chunker", [Chunker(), Chunker(name="words", unit="words", size=200)], ids=lambda c: c.name)
def test_a_long_text_of_one_mark_takes_no_more_than_its_length(mark, chunker):
    """Half a million characters: a pattern that looks at a run again from each of its places would take minutes."""
    text = (mark * 500_000)[:500_000]
    found = cut(text, chunker)
    assert found[-1][1] == len(text)
    assert max(end - start for start, end in found) <= LONGEST_WORD * 200


def test_the_library_is_lossless_and_bounded(monkeypatch):
    """In stretches; half a character keeps its place; tokens are those of a tokenizer."""
    pytest.importorskip("semantic_text_splitter")
    monkeypatch.setattr(chunking, "STRETCH", 100)
    text = "".join(f"Sentence {number} of é\ud800 text. " for number in range(100)) + "x" * 500
    chunker = Chunker(name="semantic-text-splitter", size=20)
    assert "".join(pieces(text, chunker)) == text
    assert max(map(len, pieces(text, chunker))) <= 20
    tokens = Chunker(name="semantic-text-splitter", size=5, unit="tokens", tokenizer="tiktoken:gpt-4o")
    assert "".join(pieces("one two three four five six seven", tokens)) == "one two three four five six seven"
    for tokenizer in ("tiktoken:none", "file:nowhere.json", "words"):
        with pytest.raises(UsageError, match="tokenizer="):
            cut("text", Chunker(name="semantic-text-splitter", unit="tokens", tokenizer=tokenizer))


def test_what_lmops_does_not_cut_by_is_said(monkeypatch):
    """And which package is missing."""
    with pytest.raises(NotFoundError, match="an application's own chunker"):
        cut("text", Chunker(name="ours:cutter"))
    monkeypatch.setitem(__import__("sys").modules, "semantic_text_splitter", None)
    chunking._splitter.cache_clear()
    with pytest.raises(MissingDependencyError, match=r"lmops\[retrieval\]"):
        cut("text", Chunker(name="semantic-text-splitter", size=7))
