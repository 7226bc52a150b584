"""Embedding spaces: vectors of two of them tell nothing of each other, whatever number comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lmops.errors import RefusedError
from lmops.text import plain_line

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from lmops.retrieval.settings import Embedder

    Vectors = npt.NDArray[np.float32]

#: What every index embeds beside its chunks, to see later whether the model still answers the same.
CANARY_TEXT: Final = "Where can I read how my order is paid back when the ferry is cancelled?"
#: Cosine of one text then and now, below which it is another model that answers.
_ALIKE: Final = 0.99
_SAME: Final = ("model", "dim", "is_normalised", "query_prefix", "document_prefix", "version")


def space_words(embedder: Embedder | None) -> str:
    """Return an embedding space in words: model, numbers in a vector, length, prefixes.

    Args:
        embedder: What makes the vectors; None: nothing does.
    """
    if embedder is None:
        return "no vectors"
    version = f" {embedder.version}" if embedder.version else ""
    prefixes = {"query": embedder.query_prefix, "document": embedder.document_prefix}
    said = ", ".join(f"{name} prefix {plain_line(repr(one), 60)}" for name, one in prefixes.items() if one)
    length = "of length 1" if embedder.is_normalised else "of any length"
    return f"{plain_line(embedder.model, 120)}{version} ({embedder.dim} numbers {length}{f', {said}' if said else ''})"


def is_same_space(a: Embedder | None, b: Embedder | None) -> bool:
    """Return whether vectors of one may be compared with vectors of the other.

    Args:
        a: What made some vectors.
        b: What made the others.
    """
    if a is None or b is None:
        return a is b
    return all(getattr(a, name) == getattr(b, name) for name in _SAME)


def refuse_mixed(there: Embedder | None, asked: Embedder | None, *, index: str = "the index") -> None:
    """Refuse to put vectors of one embedding space beside those of another, or to search them by it.

    Asked of what settings say, never of what an endpoint answered: one that does not answer has no other dimension.

    Args:
        there: What made the vectors that are there.
        asked: What would make those that are added, or the vector of the query.
        index: What has them, for the message.

    Raises:
        RefusedError: They are two spaces; both are named, and what would work.
    """
    if is_same_space(there, asked):
        return
    raise RefusedError(
        f"{index} holds {space_words(there)}, and {space_words(asked)} is asked for: their vectors cannot be compared. "
        "Search it with the embedder that it was built with, or build it anew with these settings under another name: "
        "ws.retrieval.build('NAME', documents, settings). Nothing was changed"
    )


def refuse_other_width(embedder: Embedder, found: int) -> None:
    """Refuse vectors that an embedder answered with and that have not the dimension of its settings.

    Args:
        embedder: As the settings say it.
        found: Numbers in a vector that came.

    Raises:
        RefusedError: They are more or fewer.
    """
    if found != embedder.dim:
        raise RefusedError(
            f"{plain_line(embedder.model, 120)} answers with vectors of {found} numbers, and the settings say "
            f"{embedder.dim}: it is another model than it was, or save settings with embedder={{'model': "
            f"{plain_line(repr(embedder.model), 120)}, 'dim': {found}}} and build anew. Nothing was changed"
        )


def refuse_other_vectors(embedder: Embedder, then: Vectors, now: Vectors, *, since: str) -> None:
    """Refuse an embedder that answers with vectors of another space under the name that it had, of the same width.

    Args:
        embedder: As the settings say it.
        then: The vector of a text.
        now: That of the same text, as it is answered now.
        since: What was made with the vectors then, for the message, such as "the index 'docs' of 2026-11-02".

    Raises:
        RefusedError: The two are not alike.
    """
    lengths = float((then**2).sum() * (now**2).sum()) ** 0.5
    cosine = float((then * now).sum()) / lengths if lengths else 1.0
    if cosine < _ALIKE:
        name = plain_line(embedder.model, 120)
        raise RefusedError(
            f"{name} answers with other vectors than for {since} (cosine {cosine:.2f} of one text then and now): "
            f"beside those that are there they are noise. Name the model that it was; if {name} is another one now, "
            f"save settings with embedder={{'model': {plain_line(repr(embedder.model), 120)}, 'dim': {embedder.dim}, "
            "'version': '2'} and build with them, which embeds all again. Nothing was changed"
        )
