"""Where documents are cut: without loss, so that a chunk is what stands between two places of its document."""

from __future__ import annotations

import functools
import re
from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.base.endings import Caught
from lmops.errors import MissingDependencyError, NotFoundError, UsageError
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lmops.retrieval.settings import Chunker

#: A run without spaces counts as a word for each so many characters: some languages write none.
LONGEST_WORD: Final = 200
#: Most characters that the library is given at once: beyond that it takes four times as long for twice the text.
STRETCH: Final = 50_000
#: After which a sentence ends. Each run of marks is looked at once, however long it is.
_SENTENCE_END: Final = re.compile(
    r"(?<![.!?\u2026])[.!?\u2026]++[\"'\u201d\u2019)\]]*+\s++"
    r"|(?<![\u3002\uff01\uff1f])[\u3002\uff01\uff1f]++[\u300d\u300f\uff09]*+\s*+"
    r"|\n\s*+"
)
_WORD: Final = re.compile(r"\s*+\S++\s*+|\s++")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_LIBRARY: Final = "semantic-text-splitter"


class _Piece(NamedTuple):
    """A stretch that is not cut: where it starts, where it ends, how many units it has."""

    start: int
    end: int
    units: int


def cut(text: str, chunker: Chunker) -> list[tuple[int, int]]:
    """Return where a text is cut: the first character of each chunk, and the first that is not in it any more.

    Without overlap the chunks put together are the text. "sentences" packs whole sentences, "words" whole words, up to
    the size; a sentence that is longer is cut between words, a word that is longer inside. An overlap repeats whole
    sentences or words. Time grows as the text does, and memory by its chunks alone: semantic-text-splitter is given
    stretches of at most ``STRETCH`` characters, and no chunk goes from one to the next.

    Args:
        text: Of a document; "" has no chunks.
        chunker: How it is cut.

    Raises:
        NotFoundError: lmops has no such chunker: it is an application's own.
        UsageError: There is no such tokenizer.
        MissingDependencyError: Its library is not installed.

    Example:
        >>> from lmops.retrieval import Chunker
        >>> cut("Cats purr. Dogs bark.", Chunker(size=12))
        [(0, 11), (11, 21)]
    """
    if chunker.name == "whole":
        return [(0, len(text))] if text else []
    if chunker.name == _LIBRARY:
        return _by_library(text, chunker)
    if chunker.name not in ("sentences", "words"):
        raise NotFoundError(
            f"lmops does not cut by {plain_line(chunker.name, 120)!r}: it is an application's own chunker. Its "
            "settings can be stamped and compared; lmops itself cuts by sentences, words, whole, "
            "semantic-text-splitter"
        )
    pieces = _words if chunker.name == "words" else _sentences
    return [*_packed(pieces(text, chunker), chunker.size, chunker.overlap)]


def _packed(pieces: Iterable[_Piece], size: int, overlap: int) -> Iterator[tuple[int, int]]:
    held: deque[_Piece] = deque()
    units = 0
    for piece in pieces:
        if held and units + piece.units > size:
            yield held[0].start, held[-1].end
            while held and (units > overlap or units + piece.units > size):
                units -= held.popleft().units
        held.append(piece)
        units += piece.units
    if held:
        yield held[0].start, held[-1].end


def _sentences(text: str, chunker: Chunker) -> Iterator[_Piece]:
    for start, end in _sentence_spans(text):
        units = end - start if chunker.unit == "characters" else _n_words(text, start, end)
        if units <= chunker.size:
            yield _Piece(start, end, units)
        else:
            yield from _words(text, chunker, start, end)


def _n_words(text: str, start: int, end: int) -> int:
    return sum(-(-(one.end() - one.start()) // LONGEST_WORD) for one in _WORD.finditer(text, start, end))


def _sentence_spans(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for found in _SENTENCE_END.finditer(text):
        yield start, found.end()
        start = found.end()
    if start < len(text):
        yield start, len(text)


def _words(text: str, chunker: Chunker, start: int = 0, end: int | None = None) -> Iterator[_Piece]:
    by_characters = chunker.unit == "characters"
    longest = chunker.size if by_characters else LONGEST_WORD
    for found in _WORD.finditer(text, start, len(text) if end is None else end):
        for at in range(found.start(), found.end(), longest):
            to = min(at + longest, found.end())
            yield _Piece(at, to, to - at if by_characters else 1)


def _by_library(text: str, chunker: Chunker) -> list[tuple[int, int]]:
    splitter = _splitter(chunker.size, chunker.overlap, chunker.tokenizer)
    # Half a character cannot be given to it; another one in its place keeps the places of all others.
    whole = _SURROGATE.sub("\ufffd", text)
    return [
        (start + at, start + at + len(chunk))
        for start, end in _stretches(whole, max(STRETCH, 4 * chunker.size))
        for at, chunk in splitter.chunk_indices(whole[start:end])
    ]


def _stretches(text: str, longest: int) -> Iterator[tuple[int, int]]:
    """Yield stretches of a text that end at a paragraph, else a line, else a sentence, else a word, where one ends."""
    start = 0
    while len(text) - start > longest:
        end = start + longest
        half = start + longest // 2
        for mark in ("\n\n", "\n", ". ", "\u3002", " "):
            if (found := text.rfind(mark, half, end)) >= 0:
                end = found + len(mark)
                break
        yield start, end
        start = end
    if start < len(text):
        yield start, len(text)


@functools.lru_cache(maxsize=16)
def _splitter(size: int, overlap: int, tokenizer: str | None) -> Any:
    try:
        import semantic_text_splitter
    except ImportError:
        raise MissingDependencyError.of(_LIBRARY, "retrieval") from None
    splitter = semantic_text_splitter.TextSplitter
    if tokenizer is None:
        return splitter(size, overlap=overlap, trim=False)
    kind, _, name = tokenizer.partition(":")
    makers = {"tiktoken": splitter.from_tiktoken_model, "file": splitter.from_huggingface_tokenizer_file}
    if kind not in makers:
        raise UsageError(
            f"tokenizer={plain_line(repr(tokenizer), 120)}: write 'tiktoken:MODEL', or 'file:PATH' of a tokenizer.json"
        )
    with Caught(Exception) as caught:  # of any kind: it comes out of Rust
        return makers[kind](name, size, overlap=overlap, trim=False)
    said = plain_line(str(caught.error), 300)
    raise UsageError(f"tokenizer={plain_line(repr(tokenizer), 120)}: {said}") from caught.error
