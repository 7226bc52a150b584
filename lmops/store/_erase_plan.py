"""What has to go when traces are erased: everything that was made of them, found before anything is touched.

Ids only, never text: the plan is kept in the store until the work is done.
"""

from __future__ import annotations

import html
import json
import re
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lmops.store._backup import at_home
from lmops.store._long import references, resolve

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from lmops.store._blobs import Blobs
    from lmops.store._engine import Engine
    from lmops.store._meta import Meta

#: What stands where a text was.
ERASED: Final = "[erased]"
RUNS_DIR: Final = "runs"
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
_INSTRUCTIONS: Final = frozenset({"system", "developer"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What goes.

    Attributes:
        by: How it was chosen: user_id, session_id, trace_ids, where.
        trace_ids: The traces.
        examples: Ids of contents of examples.
        cases: [run, example, repeat] of results.
        cached: Keys of the response cache.
        blobs: Names of blobs that their spans refer to.
        runbooks: Ids of runs of runbooks whose notebook shows something of them.
        notebooks: The files of these runs.
        files: Paths below the store's folder that no record names and that hold something of them.
        salt: For the words that clusters become.
        planned_ns: When; a blob that was used since then stays.
        counts: How many spans and log events there are.
        unsearched: How many examples name no trace, by data set.
    """

    by: str
    trace_ids: list[str]
    examples: list[int] = field(default_factory=list)
    cases: list[list[Any]] = field(default_factory=list)
    cached: list[str] = field(default_factory=list)
    blobs: list[str] = field(default_factory=list)
    runbooks: list[str] = field(default_factory=list)
    notebooks: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    salt: str = ""
    planned_ns: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    unsearched: dict[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return it as it is kept."""
        return asdict(self)

    def __bool__(self) -> bool:
        return bool(
            self.counts.get("traces") or self.examples or self.cases or self.cached or self.runbooks or self.files
        )


class Planner:
    """Looks for everything that was made of traces."""

    def __init__(self, folder: Path, meta: Meta, engine: Engine, blobs: Blobs) -> None:
        self._folder = folder
        self._meta = meta
        self._engine = engine
        self._blobs = blobs

    def plan(self, trace_ids: Iterable[str], *, by: str, words: Collection[str], salt: str) -> Plan:
        """Return what has to go.

        Args:
            trace_ids: The traces that were asked for; traces of evaluations over their examples are added.
            by: How they were chosen.
            words: Ids of the person or session that notebooks may show.
            salt: For the words that clusters become.
        """
        ids, examples, cases = self._spread(set(trace_ids))
        seen = _Seen(words={word for word in words if word}, ids=ids)
        outputs: set[str] = set()
        responses: set[str] = set()
        blobs: set[str] = set()
        for row in self._spans(ids):
            blobs.update(name for _, name in references(row))
            whole = resolve(row, self._blobs)
            seen.add(whole)
            outputs.update(text for text in leaves(whole["output"]) if len(text) >= _SHORTEST)
            responses.update([whole["response_id"]] if whole["response_id"] else [])
        for row in self._texts_of_cases(cases):
            seen.add(row)
        seen.drop_common(self._others(ids))
        runbooks, notebooks, files = self._notebooks(seen)
        return Plan(
            by=by,
            trace_ids=sorted(ids),
            examples=sorted(examples),
            cases=sorted(map(list, cases)),
            cached=self._cached(outputs, responses),
            blobs=sorted(blobs),
            runbooks=runbooks,
            notebooks=notebooks,
            files=[*files, *self._quarantine(ids)],
            salt=salt,
            planned_ns=time.time_ns(),
            counts=self._counts(ids),
            unsearched=self._unsearched(),
        )

    def _unsearched(self) -> dict[str, int]:
        """Return how many examples of each data set, of any version, hold texts and name no trace."""
        query = (
            "select v.name, count(distinct e.content_id) from dataset_versions v, json_each(v.chunks) c "
            "join dataset_chunks k on k.chunk_id = c.value, json_each(k.members) m "
            "join example_contents e on e.content_id = m.value "
            "where e.trace_id is null and e.input is not ? group by v.name"
        )
        with self._meta.read() as con:
            return {row[0]: row[1] for row in con.execute(query, (json.dumps(ERASED),))}

    # -- what was made of them -------------------------------------------------------------------------------------

    def _spread(self, ids: set[str]) -> tuple[set[str], set[int], set[tuple[str, str, int]]]:
        """Return the traces, the examples made of them, and the cases over those, with the traces of the cases."""
        known: set[str] = set()
        examples: set[int] = set()
        cases: set[tuple[str, str, int]] = set()
        while ids - known:
            fresh = sorted(ids - known)
            known |= ids
            with self._meta.read() as con:
                made = {row[0]: row[1] for row in _in(con, "content_id, example_id", "example_contents", fresh)}
                pairs = _pairs(con, {one: name for one, name in made.items() if one not in examples})
            examples.update(made)
            for row in self._cases(fresh, pairs):
                cases.add((row["run_id"], row["example_id"], row["repeat"]))
                if row["trace_id"]:
                    ids.add(row["trace_id"])
        return known, examples, cases

    def _cases(self, ids: Sequence[str], pairs: Collection[tuple[str, str]]) -> Iterator[dict[str, Any]]:
        query = "select run_id, example_id, repeat, trace_id from results where "
        for some in _batches(ids):
            yield from self._rows(query + "trace_id in (select unnest(?))", [some])
        for some in _batches(sorted({run for run, _ in pairs})):
            for row in self._rows(query + "run_id in (select unnest(?))", [some]):
                if (row["run_id"], row["example_id"]) in pairs:
                    yield row

    def _spans(self, ids: Collection[str]) -> Iterator[dict[str, Any]]:
        columns = "input, output, attributes, events, documents, error_message, response_id"
        for some in _batches(sorted(ids)):
            yield from self._rows(f"select {columns} from spans where trace_id in (select unnest(?))", [some])

    def _texts_of_cases(self, cases: Collection[tuple[str, str, int]]) -> Iterator[dict[str, Any]]:
        wanted = set(cases)
        query = "select run_id, example_id, repeat, output, error from results where run_id in (select unnest(?))"
        for some in _batches(sorted({run for run, _, _ in wanted})):
            for row in self._rows(query, [some]):
                if (row["run_id"], row["example_id"], row["repeat"]) in wanted:
                    yield {"input": None, "output": row["output"], "error_message": row["error"]}

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

    def _cached(self, outputs: Collection[str], responses: Collection[str]) -> list[str]:
        """Return the keys of cached answers that these spans got, by the id of the response or by the text."""
        found = []
        with self._meta.read() as con:
            for row in con.execute("select key, content from response_cache"):
                try:
                    kept = json.loads(row["content"])
                except ValueError:
                    continue
                texts = set(leaves(kept.get("content"))) | set(leaves(kept.get("tool_calls")))
                if kept.get("response_id") in responses or not texts.isdisjoint(outputs):
                    found.append(row["key"])
        return found

    # -- notebooks and files ---------------------------------------------------------------------------------------

    def _notebooks(self, seen: _Seen) -> tuple[list[str], list[str], list[str]]:
        """Return the runs whose record or notebook shows something, their files, and files of no run that do."""
        with self._meta.read() as con:
            rows = [dict(row) for row in con.execute("select * from runbook_runs")]
        recorded: set[Path] = set()
        runs: list[str] = []
        shown: list[str] = []
        for row in rows:
            places = (at_home(self._folder, row[name]) for name in ("notebook_path", "html_path"))
            paths = [Path(place) for place in places if place]
            recorded.update(path.resolve() for path in paths)
            said = [row[name] or "" for name in ("parameters", "result", "failing_cell", "error")]
            if any(map(seen.is_in, said)) or any(seen.is_in(_text(path)) for path in paths[:1]):
                runs.append(row["run_id"])
                shown += map(str, paths)
        strays = [path for path in (self._folder / RUNS_DIR).rglob("*") if path.is_file()]
        files = [path for path in strays if path.resolve() not in recorded and seen.is_in(_text(path))]
        return runs, shown, [str(path.relative_to(self._folder)) for path in files]

    def _quarantine(self, ids: Collection[str]) -> list[str]:
        """Return the files that were set aside and name one of the traces."""
        files = (path for path in (self._folder / QUARANTINE_DIR).rglob("*") if path.is_file())
        return [str(path.relative_to(self._folder)) for path in files if not _names_of(path).isdisjoint(ids)]

    def _rows(self, query: str, params: Sequence[Any]) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._engine.sql(query, list(params)).to_arrow_table().to_pylist()
        return rows


class _Seen:
    """Tells whether a text shows something of the traces: a person's id, a trace's id, or a stretch of their texts."""

    def __init__(self, *, words: Collection[str], ids: Collection[str]) -> None:
        self._words = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, sorted(words)))})(?!\w)") if words else None
        self._ids = {one[:_ID_SHOWN] for one in ids}
        self._windows: set[str] = set()
        self._short: set[str] = set()

    def add(self, row: Mapping[str, Any]) -> None:
        """Take in the texts of a span or case; what instructs the model is no text of a person."""
        if len(self._windows) < _MOST_WINDOWS:
            for text in _own_texts(row):
                last = len(text) - _WINDOW
                if last < 0:
                    self._short.update([text] if len(self._short) < _MOST_SHORT else [])
                else:
                    self._windows.update(text[at : at + _WINDOW] for at in (*range(0, last, _STEP), last))

    def drop_common(self, others: Iterable[Mapping[str, Any]]) -> None:
        """Forget the stretches that other traces hold as well."""
        for row in others:
            for text in _own_texts(row):
                self._windows.difference_update(_windows(text))
                self._short.discard(text)

    def is_in(self, text: str) -> bool:
        """Return whether a text shows something."""
        if self._words is not None and self._words.search(text):
            return True
        if any(found[:_ID_SHOWN] in self._ids for found in _HEX.findall(text)):
            return True
        plain = " ".join(text.split())
        return any(window in self._windows for window in _windows(plain)) or any(one in plain for one in self._short)


def _windows(text: str) -> Iterator[str]:
    return (text[at : at + _WINDOW] for at in range(max(len(text) - _WINDOW + 1, 1)))


def _own_texts(row: Mapping[str, Any]) -> Iterator[str]:
    for name in ("input", "output", "error_message"):
        for text in leaves(row.get(name), skip=_INSTRUCTIONS):
            plain = " ".join(text.split())
            if len(plain) >= _SHORTEST:
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


def _text(path: Path) -> str:
    """Return all that a notebook or a page says; "" when it cannot be read."""
    try:
        content = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    if path.suffix == ".ipynb":
        return "\n".join([content, *leaves(content)])
    return html.unescape(content)


def _names_of(path: Path) -> set[str]:
    """Return the trace ids that a file names: those of a Parquet file, or what looks like one in its bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return set(map(str, pq.read_table(path, columns=["trace_id"], partitioning=None)["trace_id"].to_pylist()))
    except (pa.ArrowException, OSError, KeyError, ValueError):
        return set(re.findall("[0-9a-f]{32}", path.read_bytes().decode("latin-1")))


def waiting(folder: Path, trace_ids: Collection[str]) -> list[str]:
    """Return the files in which spans of these traces wait to be stored by a process that lives."""
    ids = set(trace_ids)
    found = (path for path in folder.glob(_WAITING) if path.is_file())
    return [str(path.relative_to(folder)) for path in found if not _names_of(path).isdisjoint(ids)]


def _in(con: sqlite3.Connection, columns: str, table: str, ids: Sequence[str]) -> list[Any]:
    query = f"select {columns} from {table} where trace_id in (select value from json_each(?))"
    return [row for some in _batches(ids) for row in con.execute(query, (json.dumps(some),))]


def _pairs(con: sqlite3.Connection, made: Mapping[int, str]) -> set[tuple[str, str]]:
    """Return (run, example) of the runs over versions of datasets that hold these contents."""
    if not made:
        return set()
    held: dict[int, list[int]] = {}
    for row in con.execute("select chunk_id, members from dataset_chunks"):
        if inside := [one for one in json.loads(row["members"]) if one in made]:
            held[row["chunk_id"]] = inside
    examples: dict[str, set[str]] = {}
    for row in con.execute("select name, version, chunks from dataset_versions"):
        found = {made[one] for chunk in json.loads(row["chunks"]) for one in held.get(chunk, ())}
        if found:
            examples[f"{row['name']}@{row['version']}"] = found
    runs = con.execute("select run_id, dataset from eval_runs").fetchall()
    return {(row["run_id"], name) for row in runs for name in examples.get(row["dataset"], ())}


def _batches(values: Sequence[str]) -> Iterator[list[str]]:
    for at in range(0, len(values), _TAKEN):
        yield list(values[at : at + _TAKEN])
