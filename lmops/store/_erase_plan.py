"""What has to go when traces are erased: everything that was made of them, found before anything is touched.

Ids only, never text: the plan is kept in the store until the work is done.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import time
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from lmops.store._backup import files_at_home
from lmops.store._bundles import BUNDLES_DIR
from lmops.store._long import references, resolve
from lmops.store._named import named_in
from lmops.store.schema import Becomes, schema
from lmops.text import unescape

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from lmops.store._blobs import Blobs
    from lmops.store._engine import Engine
    from lmops.store._meta import Meta
    from lmops.store.schema import Erased, Keys

RUNS_DIR: Final = "runs"
#: Files of numbers, in which nobody can be shown by a word.
_NUMBERS: Final = frozenset({".npy", ".npz", ".bin", ".usearch"})
#: What plans called the rows of a table before each could have its own.
_BEFORE: Final = {
    "examples": "examples",
    "cases of evaluations": "cases",
    "cached answers": "cached",
    "executed runbooks": "runbooks",
}
T = TypeVar("T")
#: Keys of rows, by table.
Rows = dict[str, set[tuple[Any, ...]]]
QUARANTINE_DIR: Final = "quarantine"
_WAITING: Final = "spill/*/spans-*.json"
_TAKEN: Final = 1_000
#: A notebook shows a text of a trace when so many characters in a row are the same; looked at from so many on.
_WINDOW: Final = 24
_STEP: Final = 12
_MOST_WINDOWS: Final = 2_000_000
#: Shorter texts are looked for as a whole, but not what is hardly more than a word.
_SHORTEST: Final = 8
_MOST_SHORT: Final = 5_000
#: Texts that other traces hold as well (what a template says) tell nothing of these.
_OTHERS: Final = 2_000
#: Tables show the beginning of an id.
_ID_SHOWN: Final = 12
_HEX: Final = re.compile(rf"[0-9a-f]{{{_ID_SHOWN},}}")
#: What of a span is looked for elsewhere; and how the id of an answer looks.
_TEXTS: Final = ("input", "output", "error_message")
_ANSWER: Final = re.compile(r"[\w-]{8,}")
_INSTRUCTIONS: Final = frozenset({"system", "developer"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What goes.

    Attributes:
        by: How it was chosen: user_id, session_id, trace_ids, where, examples, words.
        trace_ids: The traces.
        rows: Keys of the rows of records, by table.
        blobs: Names of blobs that their spans refer to.
        notebooks: The files of the erased rows.
        files: Paths below the store's folder that no record names and that hold something of them.
        salt: For the words that clusters become.
        planned_ns: When; a blob that was used since then stays.
        counts: How many spans and traces there are.
        alike: Names of rows that only have a stretch of text in common and stay, by what they are called.
        who: A hash of the user's or session's id, by the column that it is in.
        unread: The places of files that cannot be read and may hold more of them.
        obscure: Paths of files that were set aside and can only be read in part, if at all.
    """

    by: str
    trace_ids: list[str]
    rows: dict[str, list[list[Any]]] = field(default_factory=dict)
    blobs: list[str] = field(default_factory=list)
    notebooks: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    salt: str = ""
    planned_ns: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    alike: dict[str, list[str]] = field(default_factory=dict)
    who: dict[str, str] = field(default_factory=dict)
    unread: list[dict[str, Any]] = field(default_factory=list)
    obscure: list[str] = field(default_factory=list)

    @classmethod
    def kept(cls, plan: dict[str, Any]) -> Plan:
        """Return the plan of a noted change, also of one that named its rows otherwise."""
        given = {name: value for name, value in plan.items() if name in cls.__slots__}
        if "rows" not in plan:
            given["rows"] = {
                table: [key if isinstance(key, list) else [key] for key in plan[_BEFORE[erased.called]]]
                for table, erased in schema().erased.items()
                if plan.get(_BEFORE.get(erased.called, ""))
            }
        return cls(**given)

    def to_dict(self) -> dict[str, Any]:
        """Return it as it is kept."""
        return asdict(self)

    def rest(self) -> Plan:
        """Return all that has to be known to find later what cannot be read now: ids and hashes."""
        kept = {table: keys for table, keys in self.rows.items() if schema().erased[table].left is not None}
        return Plan(
            by=self.by, trace_ids=self.trace_ids, rows=kept, salt=self.salt, planned_ns=self.planned_ns, who=self.who
        )

    def is_person(self, column: str, value: str) -> bool:
        """Return whether a user's or session's id is the one whose hash was kept."""
        return column in self.who and self.who[column] == hashed(self.salt, value)

    @property
    def has_more(self) -> bool:
        """Whether files that cannot be read may hold something that this tells from others."""
        return bool(self.unread and (self.trace_ids or self.rows or self.who))

    def __bool__(self) -> bool:
        return bool(self.counts.get("traces") or self.rows or self.files)


def hashed(salt: str, value: object) -> str:
    """Return a hash of a value that tells nothing of it to whoever does not know it."""
    return hashlib.sha256(f"{salt}{value}".encode("utf-8", "surrogatepass")).hexdigest()


class Planner:
    """Looks for everything that was made of traces."""

    def __init__(self, folder: Path, meta: Meta, engine: Engine, blobs: Blobs) -> None:
        self._folder = folder
        self._meta = meta
        self._engine = engine
        self._blobs = blobs

    def plan(
        self,
        trace_ids: Iterable[str],
        *,
        by: str,
        words: Collection[str],
        named: Keys,
        salt: str,
        who: Mapping[str, str],
        unread: list[dict[str, Any]],
    ) -> Plan:
        """Return what has to go.

        Args:
            trace_ids: The traces that were asked for; those that were made of their texts are added.
            by: How they were chosen.
            words: Ids and other words of the person or session that texts may show.
            named: Rows of records that were asked for, by table.
            salt: For the words that clusters become.
            who: A hash of the user's or session's id, by the column that it is in.
            unread: The places of files that cannot be read.
        """
        seen = _Seen(words={word for word in words if word})
        ids, rows, blobs, alike = self._gathered(seen, trace_ids, named)
        notebooks, files = self._files(seen, rows)
        plan = Plan(
            by=by,
            trace_ids=sorted(ids),
            rows={table: sorted(map(list, keys)) for table, keys in rows.items() if keys},
            blobs=sorted(blobs),
            notebooks=notebooks,
            salt=salt,
            planned_ns=time.time_ns(),
            counts=self._counts(ids),
            alike=alike,
            who=dict(who),
            unread=unread,
        )
        aside, obscure = self._quarantine(plan, seen)
        return replace(plan, files=[*files, *aside], obscure=obscure)

    def _gathered(
        self, seen: _Seen, trace_ids: Iterable[str], named: Keys
    ) -> tuple[set[str], Rows, set[str], dict[str, list[str]]]:
        """Return traces, rows and blobs that go, and the names of rows that are only alike."""
        asked: Rows = {table: set(keys) for table, keys in named.items()}
        ids: set[str] = set()
        rows: Rows = {}
        blobs: set[str] = set()
        # What shows somebody may be what other records are made of: until nothing more is found.
        while True:
            more, found = self._spread(ids.union(trace_ids), _union(rows, asked))
            for row in self._spans(more - ids):
                blobs.update(name for _, name in references(row))
                seen.add_span(resolve(row, self._blobs))
            seen.name(more)
            for text in self._texts({table: keys - rows.get(table, set()) for table, keys in found.items()}, asked):
                seen.add(text)
            ids, rows = more, found
            seen.drop_common(self._others(ids))
            shown, alike = self._shown(seen, rows)
            if not shown:
                return ids, rows, blobs, alike
            asked = _union(asked, shown)

    def found_again(self, waiting_plan: Plan, passed: Sequence[Mapping[str, Any]]) -> tuple[set[str], set[str]]:
        """Return the traces and the ids of the person that can be read now, of those that had waited.

        Args:
            waiting_plan: Which hashes they have, and when it was made: what came later is somebody's again.
            passed: Where they lay in time.
        """
        ids, words = set(waiting_plan.trace_ids), set()
        places = [(one["min_ns"], one["max_ns"]) for one in passed]
        is_anywhere = any(None in place for place in places)
        lies = "true" if is_anywhere else " or ".join(["start_ns between ? and ?"] * len(places))
        bounds = [waiting_plan.planned_ns, *([] if is_anywhere else [one for place in places for one in place])]
        for column, view in itertools.product(waiting_plan.who, ("spans", "traces")):
            there = f"from {view} where start_ns <= ? and ({lies})"  # our own names
            values = {row["value"] for row in self._rows(f"select distinct {column} as value {there}", bounds)}
            for value in values - {None}:
                if waiting_plan.is_person(column, value):
                    words.add(value)
                    rows = self._rows(f"select distinct trace_id {there} and {column} = ?", [*bounds, value])
                    ids.update(row["trace_id"] for row in rows)
        return ids, words

    # -- what was made of them -------------------------------------------------------------------------------------

    def _spread(self, ids: set[str], rows: Rows) -> tuple[set[str], Rows]:
        """Return the traces and the rows made of them, with what was made of those."""
        found: Rows = {table: set(keys) for table, keys in rows.items()}
        while True:
            before = len(ids), sum(map(len, found.values()))
            for table, erased in schema().erased.items():
                with self._meta.read() as con:
                    kin = set() if erased.kin is None else set(erased.kin(con, found))
                for row in self._of_traces(table, erased, sorted(ids), kin):
                    found.setdefault(table, set()).add(tuple(row[name] for name in schema().tables[table].key))
                    if erased.spreads:
                        ids = ids.union(row[name] for name in erased.traces if row[name])
            if before == (len(ids), sum(map(len, found.values()))):
                return ids, found

    def _of_traces(
        self, table: str, erased: Erased, ids: Sequence[str], kin: Collection[tuple[Any, ...]]
    ) -> Iterator[Mapping[str, Any]]:
        """Yield keys and traces of the rows that are made of traces, or that belong to erased rows of other tables."""
        key = schema().tables[table].key
        columns = ", ".join(dict.fromkeys((*key, *erased.traces)))
        tests = [(name, some) for name in erased.traces for some in _batches(ids)]
        tests += [(key[0], some) for some in _batches(sorted({one[0] for one in kin}))]
        for name, some in tests:
            for row in self._select(table, columns, name, some):
                if name in erased.traces or any(
                    tuple(row[one] for one in key[:n]) in kin for n in range(1, len(key) + 1)
                ):
                    yield row

    def _select(self, table: str, columns: str, name: str, values: Sequence[Any]) -> list[dict[str, Any]]:
        """Return columns of the rows in which a column has one of these values, wherever the rows lie."""
        packed = schema().packed
        if table == packed.table:
            return self._rows(
                f"select {columns} from {packed.rows.name} where {name} in (select unnest(?))", [list(values)]
            )
        query = f"select {columns} from {table} where {name} in (select value from json_each(?))"  # our own names
        with self._meta.read() as con:
            return [dict(row) for row in con.execute(query, (json.dumps(list(values)),))]

    def _texts(self, rows: Rows, asked: Rows) -> Iterator[str]:
        """Yield the texts of rows that are somebody's own, and of those that were made by asking what they asked."""
        for table, erased in schema().erased.items():
            key = schema().tables[table].key
            wanted = rows.get(table, set())
            if erased.kin is None:
                wanted = wanted & asked.get(table, set()) if erased.names is not None else set()
            columns = ", ".join(dict.fromkeys((*key, *erased.texts)))
            for some in _batches(sorted({one[0] for one in wanted})):
                for row in self._select(table, columns, key[0], some):
                    if tuple(row[name] for name in key) in wanted:
                        yield from (row[name] for name in erased.texts if row[name])

    # -- what shows them -------------------------------------------------------------------------------------------

    def _shown(self, seen: _Seen, rows: Rows) -> tuple[Rows, dict[str, list[str]]]:
        """Return the rows that show something of them, and the names of those that are only alike."""
        packed = schema().packed.table
        shown: Rows = {}
        alike: dict[str, list[str]] = {}
        for table, erased in schema().erased.items():
            key, own_files = schema().tables[table].key, schema().tables[table].files[:1]
            if not (erased.texts or own_files) or table == packed:
                continue
            columns = ", ".join(dict.fromkeys((*key, *erased.texts, *own_files)))
            close: set[tuple[Any, ...]] = set()
            with self._meta.read() as con:
                for row in con.execute(f"select {columns} from {table}"):  # our own names
                    one = tuple(row[name] for name in key)
                    if one in rows.get(table, ()):
                        continue
                    said = [_whole_text(row[name]) for name in erased.texts if row[name]]
                    said += [_text(path) for name in own_files for path in files_at_home(self._folder, row[name])]
                    if any(map(seen.is_named_in, said)) or (erased.names is None and any(map(seen.is_in, said))):
                        shown.setdefault(table, set()).add(one)
                    elif erased.names is not None and any(map(seen.is_in, said)):
                        close.add(one)
                if close and erased.names is not None:
                    alike[erased.called] = erased.names(con, close)
        return shown, alike

    def _files(self, seen: _Seen, rows: Rows) -> tuple[list[str], list[str]]:
        """Return the files of erased rows, and files of no record that show something."""
        recorded: set[Path] = set()
        own: list[str] = []
        for table in schema().tables.values():
            if not table.files:
                continue
            columns = ", ".join(dict.fromkeys((*table.key, *table.files)))
            with self._meta.read() as con:
                found = [dict(row) for row in con.execute(f"select {columns} from {table.name}")]  # our own names
            for row in found:
                paths = [path for name in table.files for path in files_at_home(self._folder, row[name])]
                recorded.update(path.resolve() for path in paths)
                if tuple(row[name] for name in table.key) in rows.get(table.name, ()):
                    own += map(str, paths)
        strays = [path for path in (self._folder / RUNS_DIR).rglob("*") if path.is_file()]
        files = [path for path in strays if path.resolve() not in recorded and seen.is_in(_text(path))]
        for path in (path for path in (self._folder / BUNDLES_DIR).glob("*/*/*") if path.is_file()):
            # What was made of a text lies beside it.
            if path.resolve() not in recorded and seen.is_named_in(_text(path)):
                files += [one for one in path.parent.iterdir() if one.is_file() and one not in files]
        return own, [str(path.relative_to(self._folder)) for path in files]

    def _spans(self, ids: Collection[str]) -> Iterator[dict[str, Any]]:
        columns = "input, output, attributes, events, documents, error_message, response_id"
        for some in _batches(sorted(ids)):
            yield from self._rows(f"select {columns} from spans where trace_id in (select unnest(?))", [some])

    def _others(self, ids: Collection[str]) -> Iterator[dict[str, Any]]:
        query = "select trace_id, input, output, error_message from spans where input is not null limit ?"
        return (row for row in self._rows(query, [_OTHERS + 50 * len(ids)]) if row["trace_id"] not in ids)

    def _counts(self, ids: Collection[str]) -> dict[str, int]:
        spans = traces = 0
        for some in _batches(sorted(ids)):
            (row,) = self._rows("select count(*) as n from spans where trace_id in (select unnest(?))", [some])
            (held,) = self._rows("select count(*) as n from traces where trace_id in (select unnest(?))", [some])
            spans, traces = spans + row["n"], traces + held["n"]
        return {"traces": traces, "spans": spans}

    def _quarantine(self, plan: Plan, seen: _Seen) -> tuple[list[str], list[str]]:
        """Return the files that were set aside and name them, and those that may and cannot be read as a whole."""
        ids = set(plan.trace_ids)
        keys = set(map(tuple, plan.rows.get(schema().packed.table, ())))
        named, obscure = [], []
        for path in (path for path in (self._folder / QUARANTINE_DIR).rglob("*") if path.is_file()):
            found = named_in(path)
            if (
                not ids.isdisjoint(found.ids)
                or not keys.isdisjoint(found.packed)
                or any(plan.is_person(*one) for one in found.persons)
                or seen.is_told_in(found.text)
            ):
                named.append(str(path.relative_to(self._folder)))
            elif not found.is_whole:
                obscure.append(str(path.relative_to(self._folder)))
        return named, obscure

    def _rows(self, query: str, params: Sequence[Any]) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._engine.sql(query, list(params)).to_arrow_table().to_pylist()
        return rows


class _Seen:
    """Tells whether a text shows something of the traces: a person's id, a trace's id, or a stretch of their texts."""

    def __init__(self, *, words: Collection[str]) -> None:
        self._words = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, sorted(words)))})(?!\w)") if words else None
        self._ids: set[str] = set()
        self._answers: set[str] = set()
        self._windows: set[str] = set()
        self._short: set[str] = set()

    def name(self, ids: Collection[str]) -> None:
        """Take in the ids of traces."""
        self._ids.update(one[:_ID_SHOWN] for one in ids)

    def add_span(self, row: Mapping[str, Any]) -> None:
        """Take in the texts and the answer's id of a span."""
        self._answers.update([row["response_id"]] if row["response_id"] else [])
        for name in _TEXTS:
            self.add(row[name])

    def add(self, content: object) -> None:
        """Take in a text, or the texts of JSON; what instructs the model is no text of a person."""
        if len(self._windows) < _MOST_WINDOWS:
            for text in _own_texts(content):
                last = len(text) - _WINDOW
                if last < 0:
                    self._short.update([text] if len(self._short) < _MOST_SHORT else [])
                else:
                    self._windows.update(text[at : at + _WINDOW] for at in (*range(0, last, _STEP), last))

    def drop_common(self, others: Iterable[Mapping[str, Any]]) -> None:
        """Forget the stretches that other traces hold as well."""
        for text in (text for row in others for name in _TEXTS for text in _own_texts(row[name])):
            self._windows.difference_update(_windows(text))
            self._short.discard(text)

    def is_named_in(self, text: str) -> bool:
        """Return whether a text shows a person's id or word, or the id of a trace or of an answer."""
        return self.is_told_in(text) or any(found[:_ID_SHOWN] in self._ids for found in _HEX.findall(text))

    def is_told_in(self, text: str) -> bool:
        """Return whether a text shows a person's id or word, or the id of an answer."""
        if self._words is not None and self._words.search(text):
            return True
        return bool(self._answers) and not self._answers.isdisjoint(_ANSWER.findall(text))

    def is_in(self, text: str) -> bool:
        """Return whether a text shows something."""
        if self.is_named_in(text):
            return True
        plain = " ".join(text.split())
        return any(window in self._windows for window in _windows(plain)) or any(one in plain for one in self._short)


def _windows(text: str) -> Iterator[str]:
    return (text[at : at + _WINDOW] for at in range(max(len(text) - _WINDOW + 1, 1)))


def _own_texts(content: object) -> Iterator[str]:
    for text in leaves(content, skip=_INSTRUCTIONS):
        plain = " ".join(text.split())
        if len(plain) >= _SHORTEST and plain != Becomes.ERASED.value:
            yield plain


def leaves(value: object, *, skip: Collection[str] = ()) -> Iterator[str]:
    """Yield every text in a value; text that is JSON is looked into, and messages of these roles are left out."""
    if isinstance(value, str):
        if value[:1] in ("[", "{"):
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                yield str(value)
                return
            yield from leaves(value, skip=skip)
        elif value:
            yield value
    elif isinstance(value, dict):
        if value.get("role") not in skip:
            for one in value.values():
                yield from leaves(one, skip=skip)
    elif isinstance(value, list):
        for one in value:
            yield from leaves(one, skip=skip)


def _whole_text(content: object) -> str:
    """Return a text with every text that it holds as JSON."""
    return "\n".join([str(content), *leaves(content)])


def _text(path: Path) -> str:
    """Return all that a notebook, a page or a text says; "" when it cannot be read, or is made of numbers."""
    if path.suffix in _NUMBERS:
        return ""
    try:
        content = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    if path.suffix == ".ipynb":
        return _whole_text(content)
    return unescape(content)


def waiting(folder: Path, trace_ids: Collection[str]) -> list[str]:
    """Return the files in which spans of these traces wait to be stored by a process that lives."""
    ids = set(trace_ids)
    found = (path for path in folder.glob(_WAITING) if path.is_file())
    return [str(path.relative_to(folder)) for path in found if not named_in(path).ids.isdisjoint(ids)]


def _union(one: Rows, other: Rows) -> Rows:
    return {table: one.get(table, set()) | other.get(table, set()) for table in one.keys() | other.keys()}


def _batches(values: Sequence[T]) -> Iterator[list[T]]:
    for at in range(0, len(values), _TAKEN):
        yield list(values[at : at + _TAKEN])
