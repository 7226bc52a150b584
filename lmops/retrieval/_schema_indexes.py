"""The table of indexes: what was built of which settings and which documents, where it lies, and what holds it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from lmops.store import bundle_problems
from lmops.store.schema import TIME, Erased, Room, Table, View

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable
    from pathlib import Path

_COLUMNS: Final = (
    ("name", "VARCHAR", "unique"),
    ("settings", "VARCHAR", "name@version"),
    ("index_fingerprint", "VARCHAR", "of the settings; stands on every span that retrieves"),
    ("corpus_fingerprint", "VARCHAR", "of the documents"),
    ("documents", "BIGINT", "how many"),
    ("chunks", "BIGINT", "how many"),
    ("bytes", "BIGINT", "of its files"),
    ("folder", "VARCHAR", "of its files, below that of the store"),
    ("manifest", "VARCHAR", "JSON object: file -> bytes and SHA-256"),
    ("author", "VARCHAR", "who built it"),
    ("built_at", TIME, "when"),
)
MADE: Final = """
create table retrieval_indexes (
    name text not null primary key, settings text not null, index_fingerprint text not null,
    corpus_fingerprint text not null, documents integer not null, chunks integer not null, about text not null,
    folder text not null, manifest text not null, author text not null, built_ns integer not null
) without rowid;
"""


def check_indexes(con: sqlite3.Connection, folder: Path) -> list[str]:
    """Return one sentence for every file of an index that is missing or not what was written."""
    rows = con.execute("select name, folder, manifest from retrieval_indexes order by name").fetchall()
    found = []
    for row in rows:
        wrong = bundle_problems(folder, row["folder"], json.loads(row["manifest"]))
        found += [f"index {row['name']}: {one} (ws.retrieval.build makes it anew)" for one in wrong]
    return found


def _names(_con: sqlite3.Connection, keys: Iterable[tuple[str, ...]]) -> list[str]:
    return sorted(key[0] for key in keys)


ROOM: Final = Room(
    tables=(
        Table(
            "retrieval_indexes",
            ("name",),
            files=("folder",),
            check_files=check_indexes,
            # An article that somebody's answer quotes is no one's in particular: a word or an id has to be in it.
            erased=Erased("indexes with all their chunks", names=_names),
        ),
    ),
    views=(
        View(
            "retrieval_indexes",
            _COLUMNS,
            "select name, settings, index_fingerprint, corpus_fingerprint, documents, chunks, "
            "(select sum(json_extract(value, '$.bytes')) from json_each(manifest)), folder, manifest, author, built_ns "
            "from retrieval_indexes order by name",
            ("retrieval_indexes",),
        ),
    ),
    migrations={27: MADE},
)
