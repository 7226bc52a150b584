"""Versions in the store: contents kept once, versions as lists of chunks of them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from lmops.datasets._content import Encoded, version_hash
from lmops.datasets._records import FIELDS
from lmops.store import append_event

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

Row = dict[str, Any]
_COLUMNS: Final = ", ".join(FIELDS)
#: Bound values in one statement; SQLite takes 32,766.
_BATCH: Final = 30_000
#: A chunk ends at a content whose hash ends in 9 zero bits: about 512 contents, and inserting one moves one border.
_BORDER: Final = 512
_LONGEST_CHUNK: Final = 4096


def head(con: sqlite3.Connection, name: str) -> Row | None:
    """Return the version that a name without a number means; None when there is no such dataset."""
    row = con.execute(
        "select v.* from dataset_heads h join dataset_versions v on v.name = h.name and v.version = h.version "
        "where h.name = ?",
        (name,),
    ).fetchone()
    return dict(row) if row else None


def numbered(con: sqlite3.Connection, name: str, version: int) -> Row | None:
    """Return one version, or None."""
    row = con.execute("select * from dataset_versions where name = ? and version = ?", (name, version)).fetchone()
    return dict(row) if row else None


def put(
    con: sqlite3.Connection, name: str, encoded: Sequence[Encoded], *, note: str, actor: str, now_ns: int, action: str
) -> tuple[Row, bool]:
    """Make these examples what ``name`` means; return the version and whether it is a new one.

    Content that a version of this name has already is that version again.
    """
    found_hash = version_hash(one.hash for one in encoded)
    before = head(con, name)
    if before is not None and before["hash"] == found_hash:
        return before, False
    row = con.execute(
        "select * from dataset_versions where name = ? and hash = ? order by version desc limit 1", (name, found_hash)
    ).fetchone()
    known = dict(row) if row else None
    if known is None:
        known = _new_version(con, name, encoded, found_hash, before, note=note, actor=actor, now_ns=now_ns)
        is_new = True
    else:
        is_new = False
    con.execute(
        "insert into dataset_heads values (?, ?, ?) on conflict (name) do update set version = excluded.version, "
        "moved_ns = excluded.moved_ns",
        (name, known["version"], now_ns),
    )
    append_event(
        con, actor=actor, action=action if is_new else "dataset.restore", subject=f"{name}@{known['version']}",
        reason=note or None, before=_said(before), after=_said(known), at_ns=now_ns,
        rows=[("dataset_heads", name), *([("dataset_versions", name, known["version"])] if is_new else [])],
    )  # fmt: skip
    return known, is_new


def _new_version(
    con: sqlite3.Connection, name: str, encoded: Sequence[Encoded], found_hash: str, before: Row | None, *, note: str,
    actor: str, now_ns: int,
) -> Row:  # fmt: skip
    last = con.execute("select max(version) from dataset_versions where name = ?", (name,)).fetchone()[0]
    ids = _put_contents(con, encoded)
    chunks = [_put_chunk(con, members) for members in chunked(encoded, ids)]
    row: Row = {
        "name": name, "version": (last or 0) + 1, "hash": found_hash, "chunks": _json(chunks), "count": len(encoded),
        "parent": before["version"] if before else None, "note": note, "author": actor, "created_ns": now_ns,
    }  # fmt: skip
    con.execute(
        "insert into dataset_versions (name, version, hash, chunks, count, parent, note, author, created_ns) "
        "values (:name, :version, :hash, :chunks, :count, :parent, :note, :author, :created_ns)",
        row,
    )
    return row


def _said(row: Row | None) -> Row | None:
    return None if row is None else {key: row[key] for key in ("version", "hash", "count")}


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


def read(con: sqlite3.Connection, version: Row) -> list[tuple[str | None, ...]]:
    """Return the stored examples of a version in their order: the values of ``FIELDS``."""
    import orjson

    chunks = orjson.loads(version["chunks"])
    members: dict[int, list[int]] = {}
    for batch in batches(sorted(set(chunks))):
        marks = ", ".join("?" * len(batch))
        for chunk_id, text in con.execute(
            f"select chunk_id, members from dataset_chunks where chunk_id in ({marks})", batch
        ):
            members[chunk_id] = orjson.loads(text)
    ids = [content_id for chunk in chunks for content_id in members[chunk]]
    rows = _contents(con, ids)
    return [rows[content_id] for content_id in ids]


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
