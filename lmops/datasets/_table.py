"""Versions in the store: contents kept once, versions as lists of chunks of them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from lmops.datasets._content import Encoded, version_hash
from lmops.datasets._schema import FIELDS, example_hash
from lmops.errors import DamagedStoreError, NotFoundError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from lmops.records import Change
    from lmops.store import Store

Row = dict[str, Any]
_COLUMNS: Final = ", ".join(FIELDS)
_VERSIONS: Final = (
    "select v.name, v.version, v.count, v.hash, v.parent, v.note, v.author, v.created_ns, "
    "h.version = v.version as is_current from dataset_versions v join dataset_heads h on h.name = v.name"
)
#: Bound values in one statement; SQLite takes 32,766.
_BATCH: Final = 30_000
#: A chunk ends at a content whose hash ends in 9 zero bits: about 512 contents, and inserting one moves one border.
_BORDER: Final = 512
_LONGEST_CHUNK: Final = 4096


def counts(con: sqlite3.Connection) -> tuple[int, int]:
    """Return how many datasets and how many versions there are."""
    names, versions = con.execute("select count(distinct name), count(*) from dataset_versions").fetchone()
    return names, versions


def names(con: sqlite3.Connection) -> list[str]:
    """Return the names of all datasets."""
    return [row[0] for row in con.execute("select name from dataset_heads")]


def newest(con: sqlite3.Connection, name: str) -> int:
    """Return the number of the newest version of a dataset, 0 without any."""
    last = con.execute("select max(version) from dataset_versions where name = ?", (name,)).fetchone()[0]
    return int(last or 0)


def hashed(con: sqlite3.Connection, name: str, prefix: str) -> int:
    """Return the version of a dataset whose hash starts with ``sha256:ab12``.

    Raises:
        NotFoundError: None does, or more than one.
    """
    digits = prefix.removeprefix("sha256:")
    fits = [row["version"] for row in versions(con, name) if row["hash"].startswith(digits)]
    if len(fits) == 1:
        return int(fits[0])
    if fits:
        listed = ", ".join(map(str, fits))
        raise NotFoundError(f"{name}@{prefix} is the hash of more than one version ({listed}); give more digits")
    raise NotFoundError(f"no version of {name} has a hash that starts with {prefix}")


def versions(con: sqlite3.Connection, name: str | None = None) -> list[Row]:
    """Return what is known of every version, of one dataset or of all, oldest first."""
    query = f"{_VERSIONS} where ? is null or v.name = ? order by v.name, v.version"
    return [dict(row) for row in con.execute(query, (name, name))]


def found(store: Store, con: sqlite3.Connection, name: str, version: int | None) -> Row | None:
    """Return one version, or the one that a name without a number means; None when there is no such one.

    Raises:
        DamagedStoreError: It is not what was saved, or the name does not mean what it was made to mean.
    """
    if version is None:
        current = store.record(con, "dataset_heads", name)
        if current is None:
            return None
        version = current["version"]
    row = store.record(con, "dataset_versions", name, version)
    return None if row is None else dict(row)


def head(con: sqlite3.Connection, name: str) -> Row | None:
    """Return the version that a name without a number means; None when there is no such dataset."""
    row = con.execute(
        "select v.* from dataset_heads h join dataset_versions v on v.name = h.name and v.version = h.version "
        "where h.name = ?",
        (name,),
    ).fetchone()
    return dict(row) if row else None


def put(change: Change, name: str, encoded: Sequence[Encoded], *, action: str) -> tuple[Row, bool]:
    """Make these examples what ``name`` means; return the version and whether it is a new one.

    Content that a version of this name has already is that version again.
    """
    con, found_hash = change.con, version_hash(one.hash for one in encoded)
    before = head(con, name)
    if before is not None and before["hash"] == found_hash:
        return before, False
    row = con.execute(
        "select * from dataset_versions where name = ? and hash = ? order by version desc limit 1", (name, found_hash)
    ).fetchone()
    known = dict(row) if row else None
    if known is None:
        known = _new_version(change, name, encoded, found_hash, before)
        is_new = True
    else:
        is_new = False
    change.replace("dataset_heads", {"name": name, "version": known["version"], "moved_ns": change.at_ns})
    action = action if is_new else "dataset.restore"
    change.say(action, f"{name}@{known['version']}", before=_said(before), after=_said(known))
    return known, is_new


def _new_version(change: Change, name: str, encoded: Sequence[Encoded], found_hash: str, before: Row | None) -> Row:
    con = change.con
    ids = _put_contents(con, encoded)
    chunks = [_put_chunk(con, members) for members in chunked(encoded, ids)]
    row: Row = {
        "name": name,
        "version": newest(con, name) + 1,
        "hash": found_hash,
        "chunks": _json(chunks),
        "count": len(encoded),
        "parent": before["version"] if before else None,
        "note": change.reason or "",
        "author": change.actor,
        "created_ns": change.at_ns,
    }
    change.insert("dataset_versions", row)
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


def read(store: Store, con: sqlite3.Connection, version: Row) -> list[tuple[str | None, ...]]:
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
    store: Store, con: sqlite3.Connection, version: Row, ids: Sequence[int], rows: dict[int, tuple[str | None, ...]]
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
