"""Embedding spaces: vectors of two of them tell nothing of each other, whatever number comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lmops.errors import RefusedError
from lmops.text import plain_line

if TYPE_CHECKING:
    from lmops.retrieval.settings import Embedder

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
