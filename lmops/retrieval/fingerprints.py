"""Fingerprints: of settings, and apart from them of the documents; equal on every machine for what is equal."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError
from lmops.retrieval.contract import Document
from lmops.text import plain_line

if TYPE_CHECKING:
    #: Documents, pairs of id and text, or texts by their ids.
    Documents = Iterable[Document | tuple[str, str]] | Mapping[str, str]

_BYTES: Final = 16


def plain_numbers(value: Any) -> Any:
    """Return JSON in which a number has one spelling: 800.0 and 800 are the same, and so are -0.0 and 0.

    Args:
        value: What JSON can say.

    Example:
        >>> plain_numbers({"size": 800.0, "b": 0.75})
        {'size': 800, 'b': 0.75}
    """
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {name: plain_numbers(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain_numbers(one) for one in value]
    return value


def content_fingerprint(content: Mapping[str, Any]) -> str:
    """Return the fingerprint of the content of settings: BLAKE2b of 16 bytes over canonical JSON, as 32 hex digits.

    Canonical: keys sorted, no spaces, UTF-8, numbers as :func:`plain_numbers` writes them.

    Args:
        content: Chunker, cleaner, embedder, kind of the index with its params, k, filters, fusion, reranker.

    Example:
        >>> content_fingerprint({"k": 10}) == content_fingerprint({"k": 10.0})
        True
    """
    text = json.dumps(
        plain_numbers(content), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_BYTES).hexdigest()


def corpus_fingerprint(documents: Documents) -> str:
    """Return the fingerprint of documents, in whatever order they come; each is read once and let go.

    BLAKE2b of 16 bytes over the sorted hashes of (id, text), as 32 hex digits; 16 bytes a document are kept. What
    metadata says does not count.

    Args:
        documents: Documents, pairs of id and text, or a mapping of ids to texts.

    Raises:
        UsageError: One is no document.

    Example:
        >>> corpus_fingerprint({"a": "Cats.", "b": "Dogs."}) == corpus_fingerprint([("b", "Dogs."), ("a", "Cats.")])
        True
    """
    import numpy as np

    kept = bytearray()
    for one in documents.items() if isinstance(documents, Mapping) else documents:
        kept += document_hash(*_id_and_text(one))
    hashes = np.frombuffer(kept, dtype=">u8").reshape(-1, 2)
    order = np.lexsort((hashes[:, 1], hashes[:, 0]))
    return hashlib.blake2b(hashes[order].tobytes(), digest_size=_BYTES).hexdigest()


def document_hash(name: str, text: str) -> bytes:
    """Return the hash of a document: 16 bytes.

    Args:
        name: Its id.
        text: Its whole text.
    """
    key = name.encode("utf-8", "surrogatepass")
    made = hashlib.blake2b(len(key).to_bytes(8, "big"), digest_size=_BYTES)
    made.update(key)
    made.update(text.encode("utf-8", "surrogatepass"))
    return made.digest()


def _id_and_text(one: object) -> tuple[str, str]:
    found = (one.id, one.text) if isinstance(one, Document) else one
    match found:
        case (str(name), str(text)):
            return name, text
    raise UsageError(
        f"{plain_line(repr(one), 80)} is no document: give Document(id=..., text=...), a pair of id and text, or a "
        "mapping of ids to texts"
    )
