"""The tables of datasets: versions, the contents that they share; what holds these, and the views over them."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from lmops.store import key_text, row_hash, rows_of
from lmops.store.schema import TIME, Becomes, Erased, Room, Table, View

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Sequence

    from lmops.store.schema import Checking

#: The columns of an example, in the order of its canonical form.
FIELDS: Final = (
    "example_id",
    "input",
    "expected",
    "metadata",
    "split",
    "tags",
    "cluster",
    "trace_id",
    "output",
    "documents",
    "labels",
)


def example_hash(texts: Sequence[object]) -> bytes:
    """Return the SHA-256 of an example: of the JSON list of its fields' texts."""
    import orjson

    return hashlib.sha256(orjson.dumps(texts)).digest()


def check_examples(check: Checking) -> None:
    """Derive the hashes of examples, chunks and versions again, from the bottom up."""
    contents = dict(_contents(check))
    used: set[int] = set()
    chunks: dict[Any, list[Any] | None] = {}
    for row in rows_of(check.con, "select * from dataset_chunks"):
        members = _list(row["members"])
        is_whole = members is not None and row["hash"] == hashlib.sha256(row["members"].encode()).digest()
        chunks[row["chunk_id"]] = members if is_whole else None
        if not is_whole:
            check.damaged(None, f"dataset_chunks [{row['chunk_id']}] is not what its hash says")
    linked: set[Any] = set()
    for row in rows_of(check.con, "select * from dataset_versions"):
        own = _list(row["chunks"]) or []
        linked.update(own)
        members = [one for chunk in own for one in chunks.get(chunk) or ()]
        used.update(members)
        digest = hashlib.sha256(b"".join(contents.get(one) or b"?" for one in members)).hexdigest()
        if digest != row["hash"] or len(members) != row["count"]:
            event, _ = check.said("dataset_versions", key_text([row["name"], row["version"]]))
            check.differs(event, f"{row['name']}@{row['version']}: its examples are not what was saved")
        else:
            check.covered += len(members)
    for one in chunks.keys() - linked:
        check.differs(None, f"dataset_chunks [{one}] is in no version")
    for one in contents.keys() - used:
        check.differs(None, f"example_contents [{one}] is in no version")


def _contents(check: Checking) -> Iterator[tuple[int, bytes | None]]:
    """Yield the id and the hash of every example; None where the content is another one."""
    for row in rows_of(check.con, "select * from example_contents"):
        event, said = check.said("example_contents", key_text([row["content_id"]]))
        try:
            # An event that names an example replaced its content: the version keeps the hash of what was there.
            is_whole = (
                example_hash([row[name] for name in FIELDS]) == row["hash"]
                if said is None
                else row_hash("example_contents", row) == said
            )
        except (TypeError, ValueError):
            is_whole = False
        if not is_whole:
            where = f"example_contents [{row['content_id']}]"
            check.damaged(event, f"{where} is not what {f'event {event}' if event else 'its hash'} says")
        yield row["content_id"], row["hash"] if is_whole and isinstance(row["hash"], bytes) else None


def _list(text: object) -> list[Any] | None:
    try:
        found = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return found if isinstance(found, list) else None


def held_examples(con: sqlite3.Connection) -> Iterator[tuple[str, int, str, int]]:
    """Yield (data set, version, id, content) of every example of every version."""
    query = (
        "select v.name, v.version, e.example_id, e.content_id from dataset_versions v, json_each(v.chunks) c "
        "join dataset_chunks k on k.chunk_id = c.value, json_each(k.members) m "
        "join example_contents e on e.content_id = m.value order by v.name, v.version desc"
    )
    return map(tuple, con.execute(query))


def names_of_examples(con: sqlite3.Connection, keys: Iterable[tuple[Any, ...]]) -> list[str]:
    """Return NAME@VERSION/ID of contents of examples, each by the newest version that holds it."""
    asked = {key[0] for key in keys}
    found: dict[int, str] = {}
    for name, version, example_id, content_id in held_examples(con):
        if content_id in asked:
            found.setdefault(content_id, f"{name}@{version}/{example_id}")
    return sorted(found.values())


TABLES: Final = (
    Table("dataset_versions", ("name", "version")),
    Table("dataset_heads", ("name",)),
    Table(
        "example_contents", ("content_id",), held_by="the hash of the version that it is in", check=check_examples,
        erased=Erased(
            "examples", traces=("trace_id",), names=names_of_examples,
            texts=("input", "expected", "metadata", "tags", "cluster", "output", "documents", "labels"),
            left={
                "input": json.dumps(Becomes.ERASED.value), "expected": None, "metadata": None, "tags": None,
                "cluster": Becomes.WORD, "trace_id": None, "output": None, "documents": None, "labels": None,
            },
        ),
    ),
    Table("dataset_chunks", ("chunk_id",), held_by="the hash of the version that it is in", check=check_examples),
)  # fmt: skip  # one line for each table where it fits
VIEWS: Final = (
    View(
        "datasets",
        (
            ("dataset", "VARCHAR", "name; one row per version"),
            ("version", "BIGINT", "1, 2, 3, ..."),
            ("ref", "VARCHAR", "name@version"),
            ("is_current", "BIGINT", "1: what the name without a number means"),
            ("count", "BIGINT", "examples"),
            ("hash", "VARCHAR", "SHA-256 over its examples in their order"),
            ("parent", "BIGINT", "the version it was made from"),
            ("note", "VARCHAR", "why"),
            ("author", "VARCHAR", "who saved it"),
            ("created_at", TIME, "when"),
        ),
        "select v.name, v.version, v.name || '@' || v.version, v.version = h.version, v.count, v.hash, v.parent, "
        "v.note, v.author, v.created_ns from dataset_versions v join dataset_heads h on h.name = v.name "
        "order by v.name, v.version",
        (
            "dataset_versions",
            "dataset_heads",
        ),
    ),
    View(
        "examples",
        (
            ("dataset", "VARCHAR", "name; its current version only (ws.datasets.get has the others)"),
            ("version", "BIGINT", "the current version"),
            ("position", "BIGINT", "1, 2, 3, ... within the version"),
            ("example_id", "VARCHAR", "unique within the version"),
            ("input", "VARCHAR", "text, or JSON"),
            ("expected", "VARCHAR", "text, or JSON"),
            ("metadata", "VARCHAR", "JSON object"),
            ("split", "VARCHAR", "such as dev, test"),
            ("tags", "VARCHAR", "JSON list"),
            ("cluster", "VARCHAR", "what it belongs to"),
            ("trace_id", "VARCHAR", "the trace it was made from"),
            ("output", "VARCHAR", "what production answered: text, or JSON"),
            ("documents", "VARCHAR", "JSON list of {id, content, score}"),
            ("labels", "VARCHAR", "JSON object"),
        ),
        "select v.name, v.version, row_number() over (partition by v.name order by c.key, m.key), e.example_id, "
        "iif(json_type(e.input) = 'text', json_extract(e.input, '$'), e.input), "
        "iif(json_type(e.expected) = 'text', json_extract(e.expected, '$'), e.expected), "
        "e.metadata, e.split, e.tags, e.cluster, e.trace_id, "
        "iif(json_type(e.output) = 'text', json_extract(e.output, '$'), e.output), e.documents, e.labels "
        "from dataset_heads h join dataset_versions v on v.name = h.name and v.version = h.version, "
        "json_each(v.chunks) c join dataset_chunks k on k.chunk_id = c.value, "
        "json_each(k.members) m join example_contents e on e.content_id = m.value order by v.name, c.key, m.key",
        (
            "dataset_versions",
            "dataset_heads",
            "example_contents",
            "dataset_chunks",
        ),
    ),
)
ROOM: Final = Room(TABLES, VIEWS)
