"""Search by words: BM25 as bm25s weighs it, over words that are folded, stemmed and, without spaces, cut in pairs."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from lmops.errors import MissingDependencyError, UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    import numpy.typing as npt

#: Scripts that put no spaces between words: each two neighbours are a word.
_NO_SPACES: Final = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_RUN: Final = re.compile(rf"[{_NO_SPACES}]+|[^\W_{_NO_SPACES}]+")
_ASCII: Final = re.compile(r"[^\W_]+", re.ASCII)
_UNSPACED: Final = re.compile(f"[{_NO_SPACES}]")
#: ISO 639-1 -> how bm25s and the stemmer call it.
_LANGUAGES: Final[Mapping[str, str]] = {
    "da": "danish",
    "de": "german",
    "en": "english",
    "es": "spanish",
    "fr": "french",
    "it": "italian",
    "nl": "dutch",
    "no": "norwegian",
    "pt": "portuguese",
    "ru": "russian",
    "sv": "swedish",
    "tr": "turkish",
}
#: A language for texts of many: nothing is stemmed, no word is left out.
ANY: Final = "any"
_LONGEST: Final = 64
_REMEMBERED: Final = 200_000


@functools.cache
def words_of(language: str | None) -> Callable[[str], list[str]]:
    """Return what yields the words of a text, as an index has them.

    Case and width are folded; of one of twelve languages, words that say nothing are left out and the others are
    stemmed (Snowball).

    Args:
        language: ISO 639-1, such as "en"; "any" or None: texts of many languages.

    Raises:
        UsageError: It is no language that is known here.
        MissingDependencyError: bm25s or the stemmer is not installed.
    """
    if language is None or language == ANY:
        return lambda text: [word[:_LONGEST] for word in _plain_words(text)]
    if language not in _LANGUAGES:
        raise UsageError(did_you_mean("language", language, [*_LANGUAGES, ANY]))
    try:
        from bm25s import stopwords
        from Stemmer import Stemmer
    except ImportError as error:
        raise MissingDependencyError.of("bm25s", "retrieval") from error
    name = _LANGUAGES[language]
    listed = "EN" if language == "en" else name.upper()
    stems = _Stems(getattr(stopwords, f"STOPWORDS_{listed}"), Stemmer(name).stemWord)
    return lambda text: [stem for word in _plain_words(text) if (stem := stems[word])]


class _Stems(dict[str, str]):
    """Words and what an index has of them: "" where that is nothing. Stemming costs more than looking it up."""

    def __init__(self, left_out: Iterable[str], stem: Callable[[str], str]) -> None:
        super().__init__()
        self._left_out = frozenset(left_out)
        self._stem = stem

    def __missing__(self, word: str) -> str:
        short = word[:_LONGEST]
        stem = "" if short in self._left_out else self._stem(short)
        if len(self) >= _REMEMBERED:
            self.clear()
        self[short] = stem
        return stem


def _plain_words(text: str) -> list[str]:
    if text.isascii():
        return _ASCII.findall(text.lower())
    folded = unicodedata.normalize("NFKC", text).casefold()
    if not _UNSPACED.search(folded):
        return _RUN.findall(folded)
    found: list[str] = []
    for run in _RUN.findall(folded):
        if not _UNSPACED.match(run) or len(run) == 1:
            found.append(run)
        else:
            found += [run[at : at + 2] for at in range(len(run) - 1)]
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Lexical:
    """How much each word says for each chunk: a sparse matrix by words.

    Args:
        words: Their columns.
        weights: BM25 of a word in a chunk, word after word.
        chunks: The chunk of each weight.
        starts: Where the weights of each word begin; one more than there are words.
        size: Chunks in all.
        language: As for :func:`words_of`.
    """

    words: Mapping[str, int]
    weights: npt.NDArray[np.float32]
    chunks: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int64]
    size: int
    language: str | None

    @classmethod
    def built(cls, texts: Iterable[str], params: Mapping[str, Any]) -> Self:
        """Return the weights of all words (BM25 as Lucene has it: Kamphuis et al., ECIR 2020).

        Args:
            texts: Of the chunks.
            params: k1, b and language.

        Raises:
            MissingDependencyError: bm25s is not installed.
        """
        try:
            import bm25s
        except ImportError as error:
            raise MissingDependencyError.of("bm25s", "retrieval") from error
        split = words_of(params.get("language"))
        known: dict[str, int] = {}
        numbered = [[known.setdefault(word, len(known)) for word in split(text)] for text in texts]
        made = bm25s.BM25(k1=params["k1"], b=params["b"], method="lucene")
        if not known:
            nothing = np.empty(0, np.int64)
            return cls(
                words={},
                weights=nothing.astype(np.float32),
                chunks=nothing.astype(np.int32),
                starts=np.zeros(1, np.int64),
                size=len(numbered),
                language=params.get("language"),
            )
        made.index((numbered, known), create_empty_token=False, show_progress=False)
        return cls(
            words=known,
            weights=np.ascontiguousarray(made.scores["data"], np.float32),
            chunks=np.ascontiguousarray(made.scores["indices"], np.int32),
            starts=np.ascontiguousarray(made.scores["indptr"], np.int64),
            size=len(numbered),
            language=params.get("language"),
        )

    def scores(self, query: str) -> npt.NDArray[np.float32]:
        """Return the score of each chunk for a query; minus infinity of those that hold none of its words.

        Args:
            query: What is asked.
        """
        total = np.zeros(self.size, np.float32)
        for word, times in sorted(self._asked(query).items()):
            at = slice(self.starts[self.words[word]], self.starts[self.words[word] + 1])
            total[self.chunks[at]] += times * self.weights[at]  # a word has one weight a chunk
        total[total <= 0] = -np.inf
        return total

    def terms(self, query: str, chunk: int) -> dict[str, float]:
        """Return the words of a query that a chunk holds, with their share of its score, the greatest first.

        Args:
            query: What is asked.
            chunk: Its place.
        """
        found: dict[str, float] = {}
        for word, times in self._asked(query).items():
            start, end = self.starts[self.words[word]], self.starts[self.words[word] + 1]
            at = start + np.searchsorted(self.chunks[start:end], chunk)
            if at < end and self.chunks[at] == chunk:
                found[word] = float(times * self.weights[at])
        return dict(sorted(found.items(), key=lambda one: (-one[1], one[0])))

    def _asked(self, query: str) -> Counter[str]:
        return Counter(word for word in words_of(self.language)(query) if word in self.words)

    def save(self, path: Path) -> None:
        """Write it to a file that :meth:`load` reads.

        Args:
            path: A new file, ``*.npz``.
        """
        words = "\n".join(sorted(self.words, key=self.words.__getitem__)).encode("utf-8", "surrogatepass")
        with path.open("wb") as file:
            np.savez(
                file,
                words=np.frombuffer(words, np.uint8),
                weights=self.weights,
                chunks=self.chunks,
                starts=self.starts,
                size=np.int64(self.size),
            )

    @classmethod
    def load(cls, path: Path, language: str | None) -> Self:
        """Return what was written to a file.

        Args:
            path: The file.
            language: As for :func:`words_of`.
        """
        with np.load(path, allow_pickle=False) as kept:
            words = kept["words"].tobytes().decode("utf-8", "surrogatepass")
            return cls(
                words={word: number for number, word in enumerate(words.split("\n") if words else ())},
                weights=kept["weights"],
                chunks=kept["chunks"],
                starts=kept["starts"],
                size=int(kept["size"]),
                language=language,
            )
