"""What an index is on the disk: texts as text, numbers as arrays that are mapped and not read.

    texts.txt      of each document a line of JSON (id, metadata), then its text
    documents.npy  where each begins, its first chunk, how many it has, its hash
    chunks.npy     of each chunk its document, start and end in characters, place in texts.txt, hash of what is embedded
    vectors.npy    one a chunk; canary.npy: that of a text of ours
    words.npz      how much each word says for each chunk
    graph.usearch  for approximate search

Documents lie in the order of their ids, and chunks in that of their documents: equal scores come in this order.
"""

from __future__ import annotations

import contextlib
import mmap
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson

from lmops.retrieval.contract import Chunk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from lmops.retrieval.contract import Document
    from lmops.retrieval.indexes.vectors import Vectors

TEXTS: Final = "texts.txt"
DOCUMENTS: Final = "documents.npy"
CHUNKS: Final = "chunks.npy"
VECTORS: Final = "vectors.npy"
CANARY: Final = "canary.npy"
WORDS: Final = "words.npz"
GRAPH: Final = "graph.usearch"
_DOCUMENT: Final = np.dtype(
    [("head", "<u8"), ("text", "<u8"), ("end", "<u8"), ("first", "<u8"), ("count", "<u4"), ("hash", "V16")]
)
_CHUNK: Final = np.dtype(
    [("document", "<u4"), ("start", "<u8"), ("end", "<u8"), ("at", "<u8"), ("to", "<u8"), ("key", "V16")]
)


def write_documents(
    folder: Path, documents: Sequence[Document], hashes: Sequence[bytes], cuts: Sequence[Sequence[tuple[int, int]]]
) -> npt.NDArray[np.void]:
    """Write texts and where their chunks are; return the chunks, whose keys are not known yet.

    Args:
        folder: Where to.
        documents: In the order of their ids.
        hashes: Of each, 16 bytes.
        cuts: Start and end of the chunks of each, in characters.
    """
    chunks = np.zeros(sum(map(len, cuts)), _CHUNK)
    rows = np.zeros(len(documents), _DOCUMENT)
    first = at = 0
    with (folder / TEXTS).open("wb") as file:
        for number, (one, hashed, places) in enumerate(zip(documents, hashes, cuts, strict=True)):
            head = orjson.dumps({"id": one.id, "metadata": dict(one.metadata)}, option=orjson.OPT_SORT_KEYS)
            text = one.text.encode()
            begin = at + len(head) + 1
            rows[number] = (at, begin, begin + len(text), first, len(places), hashed)
            bytes_at = _bytes_at(one.text, places)
            for place, (start, end) in enumerate(places, start=first):
                chunks[place] = (number, start, end, begin + bytes_at[start], begin + bytes_at[end], b"")
            file.writelines((head, b"\n", text, b"\n"))
            at, first = begin + len(text) + 1, first + len(places)
    np.save(folder / DOCUMENTS, rows, allow_pickle=False)
    return chunks


def _bytes_at(text: str, places: Sequence[tuple[int, int]]) -> Mapping[int, int] | range:
    """Return the byte of UTF-8 at which each place of a text is."""
    if text.isascii():
        return range(len(text) + 1)
    found, before, size = {}, 0, 0
    for place in sorted({place for pair in places for place in pair}):
        size += len(text[before:place].encode())
        found[place] = size
        before = place
    return found


def write_vectors(path: Path, blocks: Iterable[Vectors], rows: int, dim: int) -> None:
    """Write vectors as one array, block after block: a disk that is full is an error, and not the end of the process.

    Args:
        path: The file.
        blocks: Together they are all rows.
        rows: How many.
        dim: Numbers in each.
    """
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": np.lib.format.dtype_to_descr(np.dtype("<f4")), "fortran_order": False, "shape": (rows, dim)}
        )
        for block in blocks:
            file.write(np.ascontiguousarray(block, "<f4").tobytes())


class Built:
    """The files of one index, mapped: what is read of them is what a search needs.

    Args:
        folder: Where they are.
        chunks: Where they are not written yet.
    """

    def __init__(self, folder: Path, chunks: Any = None) -> None:
        self.folder = folder
        self.documents = _mapped(folder / DOCUMENTS)
        self.chunks = _mapped(folder / CHUNKS) if chunks is None else chunks
        self.vectors: Any = _mapped(folder / VECTORS) if (folder / VECTORS).exists() else None
        with (folder / TEXTS).open("rb") as file:
            self._texts = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def chunk(self, place: int) -> Chunk:
        """Return a chunk with its text.

        Args:
            place: Its row.
        """
        row = self.chunks[place]
        owner = self.documents[row["document"]]
        return Chunk(
            document=self.head(int(row["document"]))["id"],
            number=place - int(owner["first"]) + 1,
            start=int(row["start"]),
            end=int(row["end"]),
            text=self.text(place),
        )

    def text(self, place: int) -> str:
        """Return the text of a chunk.

        Args:
            place: Its row.
        """
        row = self.chunks[place]
        return self._texts[int(row["at"]) : int(row["to"])].decode()

    def texts(self) -> Iterator[str]:
        """Yield the texts of all chunks."""
        for at, to in zip(self.chunks["at"].tolist(), self.chunks["to"].tolist(), strict=True):
            yield self._texts[at:to].decode()

    def head(self, number: int) -> dict[str, Any]:
        """Return id and metadata of a document.

        Args:
            number: Its row.
        """
        row = self.documents[number]
        found: dict[str, Any] = orjson.loads(self._texts[int(row["head"]) : int(row["text"]) - 1])
        return found

    def heads(self) -> Iterator[dict[str, Any]]:
        """Yield id and metadata of all documents."""
        return (self.head(number) for number in range(len(self.documents)))

    def document(self, number: int) -> str:
        """Return the text of a document.

        Args:
            number: Its row.
        """
        row = self.documents[number]
        return self._texts[int(row["text"]) : int(row["end"])].decode()


def _mapped(path: Path) -> Any:
    """Return an array that is mapped, as a plain one: a look at a row of numpy's own kind costs ten times as much."""
    with contextlib.suppress(ValueError):  # nothing to map in one without rows
        return np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)
    return np.load(path, allow_pickle=False)
