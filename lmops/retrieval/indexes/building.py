"""Building an index: only documents that changed are cut, only texts that are new are embedded."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lmops.errors import ModelError, UsageError, interrupted
from lmops.progress import Progress
from lmops.retrieval._said import installed_version
from lmops.retrieval.chunking import cut
from lmops.retrieval.fingerprints import corpus_fingerprint, document_hash
from lmops.retrieval.indexes.embedding import BATCH, cleaned, embedded
from lmops.retrieval.indexes.files import (
    CANARY,
    CHUNKS,
    DOCUMENTS,
    GRAPH,
    TEXTS,
    VECTORS,
    WORDS,
    Built,
    write_documents,
    write_vectors,
)
from lmops.retrieval.indexes.journal import Journal
from lmops.retrieval.indexes.lexical import Lexical, words_of
from lmops.retrieval.spaces import CANARY_TEXT, refuse_other_vectors
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from lmops.retrieval.contract import Document
    from lmops.retrieval.indexes.vectors import Vectors
    from lmops.retrieval.settings import Settings

#: So many vectors are written at once.
_ROWS: Final = 4096
_KINDS: Final = ("bm25", "exact", "hybrid", "usearch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a build did.

    Args:
        added: Documents that were not there.
        changed: Documents with another text.
        removed: Documents that are no longer there.
        kept: Documents that are as they were: not cut again.
        embedded: Texts that were embedded.
        reused: Chunks whose vectors were there.
        seconds: That it took.
    """

    added: int
    changed: int
    removed: int
    kept: int
    embedded: int
    reused: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What was built, before a record names it.

    Args:
        files: Their names.
        about: What the next build compares with.
        corpus_fingerprint: Of the documents.
        documents: How many.
        chunks: How many.
        work: What was done.
    """

    files: tuple[str, ...]
    about: str
    corpus_fingerprint: str
    documents: int
    chunks: int
    work: Work


def refuse_unbuildable(settings: Settings) -> None:
    """Raise when no index of ours can be built of settings, before anything is read or asked.

    Args:
        settings: A version.

    Raises:
        UsageError: The index is an application's own.
        MissingDependencyError: What it needs is not installed.
    """
    if settings.kind not in _KINDS:
        raise UsageError(
            f"{settings.ref} is of {plain_line(settings.kind, 80)!r}, a store of your own: lmops builds "
            f"{', '.join(map(repr, _KINDS))}; stamp the spans of others with ws.retrieval.stamp(...)"
        )
    cleaned("", settings.cleaner)
    cut("", settings.chunker)
    if settings.kind in ("bm25", "hybrid"):
        Lexical.built([], settings.params)
        words_of(settings.params.get("language"))("")
    if settings.kind == "usearch":
        from lmops.retrieval.indexes.graph import refuse_absent

        refuse_absent()


def about(settings: Settings, documents: Sequence[Document]) -> str:
    """Return what an index is made of beside texts: a build that would make the same makes nothing.

    Args:
        settings: A version.
        documents: In the order of their ids.
    """
    heads = hashlib.blake2b(digest_size=16)
    for one in documents:
        heads.update(json.dumps([one.id, dict(one.metadata)], sort_keys=True).encode())
    return json.dumps({**_cutting(settings), "heads": heads.hexdigest()}, sort_keys=True)


def _cutting(settings: Settings) -> dict[str, Any]:
    """Return what decides where documents are cut, with the library as it is here."""
    return {"chunker": asdict(settings.chunker), "cut_by": installed_version(settings.chunker.name)}


def made(
    folder: Path,
    settings: Settings,
    documents: Sequence[Document],
    models: Any,
    before: Built | None = None,
    before_about: str = "{}",
) -> Made:
    """Write the files of an index into a folder; cut short, the next call goes on behind what was embedded.

    Args:
        folder: Of what is not finished.
        settings: A version.
        documents: In the order of their ids, each id once.
        models: ``ws.models``.
        before: The index that there is.
        before_about: What it is made of.

    Raises:
        UsageError: The documents hold no text.
        ModelError: An endpoint failed; what was embedded is kept.
        RefusedError: It makes vectors of another dimension.
    """
    began = time.perf_counter()
    for name in (TEXTS, DOCUMENTS, CHUNKS, VECTORS, CANARY, WORDS, GRAPH):
        (folder / name).unlink(missing_ok=True)
    hashes = [document_hash(one.id, one.text) for one in documents]
    cuts, kept, known = _cuts(settings, documents, hashes, before, before_about)
    chunks = write_documents(folder, documents, hashes, cuts)
    if not len(chunks):
        raise UsageError(f"{len(documents):,} documents, and no text in any: there is nothing to find")
    files, asked, reused = [TEXTS, DOCUMENTS, CHUNKS], 0, 0
    now = Built(folder, chunks)
    if settings.embedder is not None:
        asked, reused = _write_vectors(folder, settings, now, models, before)
        files += [VECTORS, CANARY]
    np.save(folder / CHUNKS, chunks, allow_pickle=False)
    if settings.kind in ("bm25", "hybrid"):
        Lexical.built(_texts(now, settings), settings.params).save(folder / WORDS)
        files.append(WORDS)
    if settings.kind == "usearch":
        from lmops.retrieval.indexes.graph import write_graph

        write_graph(folder / GRAPH, Built(folder, chunks).vectors, settings.params)
        files.append(GRAPH)
    there = 0 if before is None else len(before.documents)
    work = Work(
        added=len(documents) - known,
        changed=known - kept,
        removed=there - known,
        kept=kept,
        embedded=asked,
        reused=reused,
        seconds=time.perf_counter() - began,
    )
    return Made(
        files=tuple(files),
        about=about(settings, documents),
        corpus_fingerprint=corpus_fingerprint(documents),
        documents=len(documents),
        chunks=len(chunks),
        work=work,
    )


def _cuts(
    settings: Settings,
    documents: Sequence[Document],
    hashes: Sequence[bytes],
    before: Built | None,
    before_about: str,
) -> tuple[list[list[tuple[int, int]]], int, int]:
    """Return where each document is cut, how many are as they were, and how many were there."""
    ids = {} if before is None else {head["id"]: number for number, head in enumerate(before.heads())}
    told = json.loads(before_about)
    is_same = {name: told.get(name) for name in ("chunker", "cut_by")} == _cutting(settings)
    cuts, kept = [], 0
    with Progress("cut", len(documents), unit="documents") as bar:
        for one, hashed in zip(documents, hashes, strict=True):
            row = before.documents[ids[one.id]] if before is not None and one.id in ids else None
            is_kept = row is not None and row["hash"].tobytes() == hashed
            kept += is_kept
            if is_kept and is_same and before is not None and row is not None:
                own = before.chunks[int(row["first"]) : int(row["first"]) + int(row["count"])]
                cuts.append(list(zip(own["start"].tolist(), own["end"].tolist(), strict=True)))
            else:
                cuts.append(cut(one.text, settings.chunker))
            bar.advance()
    return cuts, kept, sum(one.id in ids for one in documents)


def _texts(built: Built, settings: Settings) -> Iterator[str]:
    """Yield what of each chunk is embedded or counted."""
    return (cleaned(text, settings.cleaner) for text in built.texts())


def _write_vectors(folder: Path, settings: Settings, now: Built, models: Any, before: Built | None) -> tuple[int, int]:
    """Write the vectors of all chunks and their keys on these; return how many were made and how many there."""
    embedder = settings.embedder
    if embedder is None:
        return 0, 0
    space = json.dumps(asdict(embedder), sort_keys=True).encode("utf-8", "surrogatepass")
    keys = [_key(space, embedder.document_prefix + text) for text in _texts(now, settings)]
    now.chunks["key"] = np.frombuffer(b"".join(keys), "V16")
    old: dict[bytes, int] = {}
    if before is not None and before.vectors is not None and before.vectors.shape[1] == embedder.dim:
        old = {key.tobytes(): row for row, key in enumerate(before.chunks["key"])}
    journal = Journal(folder / f"embedded-{hashlib.blake2b(space, digest_size=8).hexdigest()}.bin", embedder.dim)
    canary = _key(space, embedder.query_prefix + CANARY_TEXT)
    wanted: dict[bytes, int] = {}
    reused = 0
    for place, key in enumerate(keys):
        if key in old or key in journal:
            reused += 1
        else:
            wanted.setdefault(key, place)
    known = []
    if before is not None and not old.keys().isdisjoint(keys):
        known.append((np.load(before.folder / CANARY, allow_pickle=False)[0], "the vectors of the index that is there"))
    if canary in journal:
        known.append((journal.vectors([canary])[0], "the part of this build that is done"))
    if wanted or not known:
        _embed([(canary, None), *wanted.items()], settings, now, journal, models, known)
    first = known[0][0][None] if known else journal.vectors([canary])
    rows = len(keys)
    write_vectors(folder / VECTORS, _gathered(keys, embedder.dim, old, journal, before), rows, embedder.dim)
    write_vectors(folder / CANARY, [first], 1, embedder.dim)
    return len(wanted), reused


def _embed(
    missing: Sequence[tuple[bytes, int | None]],
    settings: Settings,
    now: Built,
    journal: Journal,
    models: Any,
    known: Sequence[tuple[Vectors, str]],
) -> None:
    """Embed what nothing is known of, and keep each batch; the first text says whether it is the model that it was."""
    embedder = settings.embedder
    if embedder is None:
        return

    def text(place: int | None) -> str:
        if place is None:
            return embedder.query_prefix + CANARY_TEXT
        return embedder.document_prefix + cleaned(now.text(place), settings.cleaner)

    with Progress("embed", len(missing), unit="texts", resumed_by="the same call") as bar:
        for at in range(0, len(missing), BATCH):
            some = missing[at : at + BATCH]
            try:
                vectors = embedded(models, embedder, [text(place) for _, place in some])
            except ModelError as error:
                raise ModelError(
                    f"{error} [{at:,} of {len(missing):,} texts are embedded and kept: the same call goes on behind "
                    "them, and the index is as it was]",
                    kind=error.kind,
                    is_retryable=error.is_retryable,
                    status=error.status,
                    retry_after_s=error.retry_after_s,
                ) from error
            except KeyboardInterrupt as error:
                raise interrupted("the same call goes on behind what is embedded") from error
            for then, since in known if at == 0 else ():
                refuse_other_vectors(embedder, then, vectors[0], since=since)
            journal.append([key for key, _ in some], vectors)
            bar.advance(len(some))


def _gathered(
    keys: Sequence[bytes], dim: int, old: dict[bytes, int], journal: Journal, before: Built | None
) -> Iterator[Vectors]:
    """Yield the vectors of all chunks in their order, from what was embedded and from the index that there is."""
    for at in range(0, len(keys), _ROWS):
        some = keys[at : at + _ROWS]
        block = np.empty((len(some), dim), np.float32)
        fresh = np.array([key in journal for key in some])
        if fresh.any():
            block[fresh] = journal.vectors([key for key in some if key in journal])
        if before is not None and not fresh.all():
            block[~fresh] = before.vectors[[old[key] for key in some if key not in journal]]
        yield block


def _key(space: bytes, text: str) -> bytes:
    """Return the hash of what an embedder is given, in its space."""
    return hashlib.blake2b(space + b"\0" + text.encode(), digest_size=16).digest()
