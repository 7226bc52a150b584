"""What the audit chain says of the records: each event names the rows that it wrote with the hash of their content.

A hash is over the typed content of a row: its columns by name, NULL left out, so that a text is not the bytes of that
text, 1 is not 1.0, and nothing is not the empty text. The newest event that names a row decides what must be there.

Rows that no event can name yet (of older stores, of a run that goes on, answers that wait for their event) are listed
in ``unsealed``; a row that is neither named nor listed came past the chain. Examples of datasets are held by the hash
of their version, cases and scores of a run by one hash over all of them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

Row = dict[str, Any]


class Sealed(NamedTuple):
    """How the rows of a table are named, and which columns move while its status is "running"."""

    key: tuple[str, ...]
    moving: frozenset[str] = frozenset()


SEALED: Final[dict[str, Sealed]] = {
    "prices": Sealed(("price_id",)),
    "prompt_versions": Sealed(("name", "version")),
    "prompt_aliases": Sealed(("name", "alias")),
    "prompt_moves": Sealed(("event_id",)),
    "prompt_protections": Sealed(("name", "alias")),
    "model_endpoints": Sealed(("name",)),
    "response_cache": Sealed(("key",)),
    "dataset_versions": Sealed(("name", "version")),
    "dataset_heads": Sealed(("name",)),
    "eval_runs": Sealed(
        ("run_id",),
        frozenset({
            "cases", "errors", "input_tokens", "output_tokens", "cost_usd", "scoring_cost_usd", "unpriced",
            "duration_s", "heartbeat_ns",
        }),
    ),
    "verdicts": Sealed(("verdict_id",)),
    "runbook_runs": Sealed(("run_id",), frozenset({"heartbeat_ns"})),
}  # fmt: skip
#: Held by the hash of a version, and of all results of a run.
HELD: Final = ("example_contents", "dataset_chunks", "eval_results")
#: Columns of an example in the order in which they are hashed.
_EXAMPLE: Final = (
    "example_id", "input", "expected", "metadata", "split", "tags", "cluster", "trace_id", "output", "documents",
    "labels",
)  # fmt: skip
#: table -> key -> (event, hash that it names; None: it removed the row)
Named = dict[str, dict[str, tuple[int, str | None]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What comparing the records with the chain found."""

    covered: int
    not_covered: dict[str, int]
    problems: tuple[tuple[int | None, str], ...]


def key_text(key: Iterable[object]) -> str:
    """Return the key of a row as an event names it: a JSON list."""
    return json.dumps(list(key), ensure_ascii=False, separators=(",", ":"), default=_plain)


def row_hash(table: str, row: Mapping[str, Any]) -> str:
    """Return the SHA-256 of what a row holds, types included."""
    moving = SEALED[table].moving if table in SEALED and row.get("status") == "running" else ()
    held = {name: value for name, value in row.items() if value is not None and name not in moving}
    text = json.dumps(held, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=_plain)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def example_hash(texts: Sequence[object]) -> bytes:
    """Return the SHA-256 of an example: of the JSON list of its fields' texts."""
    import orjson

    return hashlib.sha256(orjson.dumps(texts)).digest()


def seal(
    con: sqlite3.Connection, rows: Iterable[Sequence[Any]], named: Mapping[str, Mapping[str, str | None]]
) -> str | None:
    """Return what an event says of rows as they are now, in the caller's transaction; None when there are none.

    Args:
        con: Inside the transaction that wrote them.
        rows: (table, *key) of each; one that is gone is named as removed.
        named: Hashes that the caller made: table -> key -> hash.
    """
    found: dict[str, dict[str, str | None]] = {table: dict(keys) for table, keys in named.items()}
    for table, *key in rows:
        where = " and ".join(f"{name} = ?" for name in _key_of(table))  # our own names
        held = next(_rows(con, f"select * from {table} where {where}", key), None)
        found.setdefault(table, {})[key_text(key)] = None if held is None else row_hash(table, held)
    if not found:
        return None
    keys = [(table, key) for table, named_keys in found.items() for key in named_keys]
    con.executemany("delete from unsealed where tbl = ? and key = ?", keys)
    return json.dumps(found, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def leave_open(con: sqlite3.Connection, table: str, *key: object) -> int:
    """List a row that a later event will name; return how many rows of its table wait for one."""
    con.execute("insert or ignore into unsealed (tbl, key) values (?, ?)", (table, key_text(key)))
    return int(con.execute("select count(*) from unsealed where tbl = ?", (table,)).fetchone()[0])


def unsealed(con: sqlite3.Connection, table: str | None = None) -> list[tuple[str, list[Any]]]:
    """Return (table, key) of the rows that no event names yet."""
    rows = con.execute("select tbl, key from unsealed where ? is null or tbl = ? order by tbl, key", (table, table))
    return [(row[0], json.loads(row[1])) for row in rows]


def note(named: Named, event_id: int, records: object) -> None:
    """Add what one event says of rows; a later event replaces what an earlier one said."""
    if not isinstance(records, str):
        return
    for table, keys in json.loads(records).items():
        for key, digest in keys.items():
            named.setdefault(table, {})[key] = (event_id, digest)


@contextlib.contextmanager
def _usual_text(con: sqlite3.Connection) -> Iterator[None]:
    factory, con.text_factory = con.text_factory, str
    try:
        yield
    finally:
        con.text_factory = factory


def compare(con: sqlite3.Connection, named: Named, results: Callable[[], Mapping[str, str]]) -> Coverage:
    """Compare every record with what the chain says of it.

    Args:
        con: Inside a read transaction, within :func:`lmops.store._segments.any_text`.
        named: What the events of that transaction say.
        results: Returns the hash of the results of each run that has any.
    """
    waiting: dict[str, set[str]] = defaultdict(set)
    for table, key in con.execute("select tbl, key from unsealed"):
        waiting[table].add(key)
    check = Check(con, named, waiting)
    for table in SEALED:
        rows = _rows(con, f"select * from {table}")
        check.compare(table, ((_key(table, row), row_hash(table, row)) for row in rows))
    if not check.misfits():
        try:
            with _usual_text(con):
                found = results()
        except Exception as error:  # noqa: BLE001  # whatever somebody put there
            check.problems.append((None, f"eval_results cannot be read: {error}"))
        else:
            check.compare("eval_results", ((key_text([run_id]), digest) for run_id, digest in found.items()))
    check.examples()
    return Coverage(covered=check.covered, not_covered=dict(check.open), problems=tuple(check.problems))


class Check:
    """One comparison."""

    def __init__(self, con: sqlite3.Connection, named: Named, waiting: Mapping[str, set[str]]) -> None:
        self._con = con
        self._named = named
        self._waiting = waiting
        self.covered = 0
        self.open: Counter[str] = Counter()
        self.problems: list[tuple[int | None, str]] = []

    def compare(self, table: str, rows: Iterable[tuple[str, str]]) -> None:
        """Compare the rows of a table, given as (key, hash), with what events say."""
        left = dict(self._named.get(table, {}))
        for key, digest in rows:
            event, said = left.pop(key, (None, None))
            waits = key in self._waiting.get(table, ())
            if waits and (said is None or table == "eval_results"):  # a run that is resumed gets other cases
                self.open[table] += 1
            elif said is not None and said != digest:
                self.problems.append((event, f"{table} {key} is not what event {event} wrote"))
            elif said is not None:
                self.covered += 1
            elif event is not None:
                self.problems.append((event, f"{table} {key} is there although event {event} removed it"))
            else:
                self.problems.append((None, f"{table} {key} is named by no event"))
        for key, (event, said) in left.items():
            if said is not None and key not in self._waiting.get(table, ()):
                self.problems.append((event, f"{table} {key} is missing: event {event} wrote it"))

    def misfits(self) -> bool:
        """Note the cases with a value of another type than their column has; such results cannot be read."""
        columns = self._con.execute("pragma table_info(eval_results)").fetchall()
        tests = [f"typeof({row[1]}) not in ('{str(row[2]).lower()}', 'null')" for row in columns]
        tests += [
            "output_is_json not in (0, 1)",
            "is_cached not in (0, 1)",
            "not json_valid(scores)",
            "scores <> json(scores)",
        ]
        query = f"select run_id, example_id, repeat from eval_results where {' or '.join(tests)}"
        found = self._con.execute(query).fetchall()
        for run_id, *rest in found:
            event = self._named.get("eval_results", {}).get(key_text([run_id]), (None, None))[0]
            self.problems.append((event, f"eval_results {key_text([run_id, *rest])} holds a value of another type"))
        return bool(found)

    def examples(self) -> None:
        """Derive the hashes of examples, chunks and versions again, from the bottom up."""
        contents = dict(self._contents())
        used: set[int] = set()
        chunks: dict[Any, list[Any] | None] = {}
        for row in _rows(self._con, "select * from dataset_chunks"):
            members = _list(row["members"])
            is_whole = members is not None and row["hash"] == hashlib.sha256(row["members"].encode()).digest()
            chunks[row["chunk_id"]] = members if is_whole else None
            if not is_whole:
                self.problems.append((None, f"dataset_chunks [{row['chunk_id']}] is not what its hash says"))
        linked: set[Any] = set()
        for row in _rows(self._con, "select * from dataset_versions"):
            own = _list(row["chunks"]) or []
            linked.update(own)
            members = [one for chunk in own for one in chunks.get(chunk) or ()]
            used.update(members)
            digest = hashlib.sha256(b"".join(contents.get(one) or b"?" for one in members)).hexdigest()
            if digest != row["hash"] or len(members) != row["count"]:
                event = self._named.get("dataset_versions", {}).get(_key("dataset_versions", row), (None,))[0]
                self.problems.append((event, f"{row['name']}@{row['version']}: its examples are not what was saved"))
            else:
                self.covered += len(members)
        self.problems += [(None, f"dataset_chunks [{one}] is in no version") for one in chunks.keys() - linked]
        self.problems += [(None, f"example_contents [{one}] is in no version") for one in contents.keys() - used]

    def _contents(self) -> Iterator[tuple[int, bytes | None]]:
        """Yield the id and the hash of every example; None where the content is another one."""
        named = self._named.get("example_contents", {})
        for row in _rows(self._con, "select * from example_contents"):
            event, said = named.get(key_text([row["content_id"]]), (None, None))
            try:
                # An event that names an example replaced its content: the version keeps the hash of what was there.
                is_whole = (
                    example_hash([row[name] for name in _EXAMPLE]) == row["hash"]
                    if said is None
                    else row_hash("example_contents", row) == said
                )
            except (TypeError, ValueError):
                is_whole = False
            if not is_whole:
                where = f"example_contents [{row['content_id']}]"
                self.problems.append((event, f"{where} is not what {f'event {event}' if event else 'its hash'} says"))
            yield row["content_id"], row["hash"] if is_whole and isinstance(row["hash"], bytes) else None


def _key_of(table: str) -> tuple[str, ...]:
    return SEALED[table].key if table in SEALED else ("content_id",)


def _key(table: str, row: Mapping[str, Any]) -> str:
    return key_text(row[name] for name in _key_of(table))


def _rows(con: sqlite3.Connection, query: str, values: Sequence[object] = ()) -> Iterator[Row]:
    cursor = con.cursor()
    cursor.row_factory = None
    cursor.execute(query, values)
    names = [column[0] for column in cursor.description]
    for row in cursor:
        yield dict(zip(names, row, strict=True))


def _list(text: object) -> list[Any] | None:
    try:
        found = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return found if isinstance(found, list) else None


def _plain(value: object) -> object:
    """Return bytes in a form that no text has."""
    return ["blob", value.hex()] if isinstance(value, bytes) else repr(value)
