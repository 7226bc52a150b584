"""Versions in the store: contents kept once, versions as lists of chunks of them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from lmops.datasets._content import Encoded, version_hash
from lmops.datasets._schema import FIELDS, example_hash
from lmops.errors import DamagedStoreError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from lmops import records
    from lmops.store import Store

Row = dict[str, Any]
_COLUMNS: Final = ", ".join(FIELDS)
#: Bound values in one statement; SQLite takes 32,766.
_BATCH: Final = 30_000
#: A chunk ends at a content whose hash ends in 9 zero bits: about 512 contents, and inserting one moves one border.
_BORDER: Final = 512
_LONGEST_CHUNK: Final = 4096


def keep(con: sqlite3.Connection, encoded: Sequence[Encoded]) -> Row:
    """Keep the examples of a version and return the columns that lead to them."""
    ids = _put_contents(con, encoded)
    chunks = [_put_chunk(con, members) for members in chunked(encoded, ids)]
    return {"chunks": _json(chunks), "count": len(encoded)}


def _put_contents(con: sqlite3.Connection, encoded: Sequence[Encoded]) -> list[int]:
    """Keep the contents that are not there yet and return the id of each."""
    known: dict[bytes, int] = {}
    hashes = list(dict.fromkeys(one.hash for one in encoded))
    last = con.execute("select coalesce(max(content_id), 0) from example_contents").fetchone()[0]
    for batch in batches(hashes if last else []):
        marks = ", ".join("?" * len(batch))
        known.update(con.execute(f"select hash, content_id from example_contents where hash in ({marks})", batch))
    fresh = []
    for one in encoded:
        if one.hash not in known:
            last += 1
            known[one.hash] = last
            fresh.append((last, one.hash, *one.texts))
    con.executemany(
        f"insert into example_contents (content_id, hash, {_COLUMNS}) values (?, ?, {', '.join('?' * len(FIELDS))})",
        fresh,
    )
    return [known[one.hash] for one in encoded]


def chunked(encoded: Sequence[Encoded], ids: Sequence[int]) -> Iterator[list[int]]:
    """Yield the ids in runs whose borders follow from the contents, so that an insertion changes one run."""
    members: list[int] = []
    for one, content_id in zip(encoded, ids, strict=True):
        members.append(content_id)
        if int.from_bytes(one.hash[-4:]) % _BORDER == 0 or len(members) >= _LONGEST_CHUNK:
            yield members
            members = []
    if members:
        yield members


def _put_chunk(con: sqlite3.Connection, members: list[int]) -> int:
    text = _json(members)
    name = hashlib.sha256(text.encode()).digest()
    con.execute("insert or ignore into dataset_chunks (hash, members) values (?, ?)", (name, text))
    return int(con.execute("select chunk_id from dataset_chunks where hash = ?", (name,)).fetchone()[0])


def read(store: Store, con: sqlite3.Connection, version: records.Row) -> list[tuple[str | None, ...]]:
    """Return the stored examples of a version in their order: the values of ``FIELDS``.

    Raises:
        DamagedStoreError: They are not what was saved.
    """
    import orjson

    chunks = orjson.loads(version["chunks"])
    members: dict[int, list[int]] = {}
    for batch in batches(sorted(set(chunks))):
        marks = ", ".join("?" * len(batch))
        for chunk_id, text in con.execute(
            f"select chunk_id, members from dataset_chunks where chunk_id in ({marks})", batch
        ):
            members[chunk_id] = orjson.loads(text)
    ids = [content_id for chunk in chunks for content_id in members.get(chunk, ())]
    rows = _contents(con, ids)
    _refuse_altered(store, con, version, ids, rows)
    return [rows[content_id] for content_id in ids]


def _refuse_altered(
    store: Store,
    con: sqlite3.Connection,
    version: records.Row,
    ids: Sequence[int],
    rows: dict[int, tuple[str | None, ...]],
) -> None:
    """Raise when these contents are not those of a version."""
    hashes = {content_id: example_hash(texts) for content_id, texts in rows.items()}
    if version_hash(hashes.get(one, b"?") for one in ids) == version["hash"]:
        return
    # Where somebody was erased, an event names the content that is there, and the version keeps the hash of what was.
    for content_id, digest in list(hashes.items()):
        row = con.execute("select hash from example_contents where content_id = ?", (content_id,)).fetchone()
        if row[0] != digest:
            store.record(con, "example_contents", content_id)
            hashes[content_id] = row[0]
    if version_hash(hashes.get(one, b"?") for one in ids) != version["hash"]:
        raise DamagedStoreError(
            f"{version['name']}@{version['version']}: its examples are not what was saved, and are not handed out. "
            "A backup has them as they were (lmops store restore)"
        )


def _contents(con: sqlite3.Connection, ids: Sequence[int]) -> dict[int, tuple[str | None, ...]]:
    """Return contents by id: one scan where the ids lie close together, look-ups elsewhere."""
    if not ids:
        return {}
    wanted = sorted(set(ids))
    select = f"select content_id, {_COLUMNS} from example_contents where content_id"
    cursor = con.cursor()
    cursor.row_factory = None
    found: dict[int, tuple[str | None, ...]] = {}
    if wanted[-1] - wanted[0] < 2 * len(wanted):
        for row in cursor.execute(f"{select} between ? and ?", (wanted[0], wanted[-1])):
            found[row[0]] = row[1:]
        return found
    for batch in batches(wanted):
        for row in cursor.execute(f"{select} in ({', '.join('?' * len(batch))})", batch):
            found[row[0]] = row[1:]
    return found


def batches(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Yield the values in runs that one statement can take."""
    for at in range(0, len(values), _BATCH):
        yield values[at : at + _BATCH]


def _json(values: list[int]) -> str:
    return "[" + ",".join(map(str, values)) + "]"
