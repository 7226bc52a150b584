"""Vectors of texts: by any endpoint of ``ws.models``, by wordllama without a network, or by the stand-in."""

from __future__ import annotations

import functools
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lmops.errors import MissingDependencyError, ModelError, UsageError
from lmops.retrieval.indexes.vectors import normalised
from lmops.retrieval.spaces import refuse_other_width
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lmops.retrieval.indexes.vectors import Vectors
    from lmops.retrieval.settings import Embedder

#: So many texts are embedded, and kept, at once.
BATCH: Final = 256
#: A longer text is refused: no embedder reads it to its end.
MOST_CHARACTERS: Final = 200_000
_TOGETHER: Final = 1 << 20
_WORDLLAMA: Final = "wordllama:"
_SPACES: Final = re.compile(r"\s+")
_MARKDOWN: Final = re.compile(
    r"```\w*|`|^#{1,6}\s+|^\s*[-*+]\s+|\*{1,3}|!?\[([^\]\n]{0,500})\]\([^)\s]{0,2000}\)", re.MULTILINE
)


def cleaned(text: str, cleaner: str) -> str:
    r"""Return what of a chunk is embedded and counted; the chunk itself stays as it stands in its document.

    Args:
        text: Of the chunk.
        cleaner: "none", "whitespace" (each run of it is one space) or "markdown" (its marks go as well).

    Raises:
        UsageError: It is a cleaner of an application's own.

    Example:
        >>> cleaned("# Pets\n\n**Cats** [pay](https://x.example)", "markdown")
        'Pets Cats pay'
    """
    if cleaner == "none":
        return text
    if cleaner not in ("whitespace", "markdown"):
        raise UsageError(f"cleaner {cleaner!r} is of your own: an index here takes 'none', 'whitespace' or 'markdown'")
    return _SPACES.sub(" ", _MARKDOWN.sub(r"\1", text) if cleaner == "markdown" else text).strip()


def embedded(models: Any, embedder: Embedder, texts: Sequence[str]) -> Vectors:
    """Return the vectors of some texts, in their order; prefixes are the caller's.

    Args:
        models: ``ws.models``.
        embedder: What makes them.
        texts: At least one.

    Raises:
        RefusedError: They have another dimension than the settings say.
        ModelError: The endpoint failed, or answered with something that is no number.
        MissingDependencyError: wordllama is not installed.
        UsageError: A text is longer than an embedder reads.
    """
    for text in texts:
        if len(text) > MOST_CHARACTERS:
            raise UsageError(
                f"a text of {len(text):,} characters ({plain_line(text, 40)!r}) is more than an embedder reads "
                f"({MOST_CHARACTERS:,}): choose a chunker that cuts, such as 'sentences'"
            )
    if embedder.model.startswith(_WORDLLAMA):
        found = _by_wordllama(embedder, texts)
    else:
        answer = models.embed(embedder.model, list(texts))
        if len(answer.vectors) != len(texts):
            raise ModelError(f"{embedder.model}: {len(texts)} texts, and {len(answer.vectors)} vectors came back")
        for vector in answer.vectors:
            refuse_other_width(embedder, len(vector))
        found = np.asarray(answer.vectors, np.float32).reshape(len(texts), embedder.dim)
    if not np.isfinite(found).all():
        raise ModelError(f"{plain_line(embedder.model, 120)} answered with vectors that are not made of finite numbers")
    return normalised(found) if embedder.is_normalised else found


def _by_wordllama(embedder: Embedder, texts: Sequence[str]) -> Vectors:
    model = _wordllama(embedder.dim)
    found = np.empty((len(texts), embedder.dim), np.float32)
    for places in _alike([len(text) for text in texts]):
        found[places] = model.embed([texts[place] or " " for place in places], norm=False, batch_size=len(places))
    return np.nan_to_num(found)


def _alike(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Yield places of texts of about one length: all are padded to the longest, in memory."""
    some: list[int] = []
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        if some and (len(some) >= BATCH or (len(some) + 1) * lengths[place] > _TOGETHER):
            yield some
            some = []
        some.append(place)
    yield some


@functools.lru_cache(maxsize=2)
def _wordllama(dim: int) -> Any:
    """Return the model whose weights lie in the package: nothing is downloaded, and nothing is tried to be."""
    root = logging.getLogger()
    before = root.level, list(root.handlers)
    try:
        import wordllama
    except ImportError as error:
        raise MissingDependencyError.of("wordllama", "retrieval") from error
    finally:  # it sets up the logging of the whole process
        root.setLevel(before[0])
        for handler in [one for one in root.handlers if one not in before[1]]:
            root.removeHandler(handler)
    known = (64, 128, 256)
    if dim not in known:
        raise UsageError(f"'wordllama:{dim}': its vectors have {', '.join(map(str, known))} numbers")
    # The package looks for its tokenizer in the folder of downloads only: the package itself is one.
    return wordllama.WordLlama.load(
        cache_dir=Path(wordllama.__file__).parent, trunc_dim=None if dim == known[-1] else dim, disable_download=True
    )
