"""One store, all kinds of work, SIGKILL at any moment: what was acknowledged is there once, and the totals are right.

``python -m tests.store.kills 1000`` kills so many processes and prints what they were doing. A worker notes what it is
about to do and that it is done; after its end somebody opens the store and compares it with the notes.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import random
import shutil
import signal
import sqlite3
import string
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import lmops
import tests.loaded  # noqa: F401 - all that is used is loaded before the forks
from lmops.errors import LmopsError
from lmops.store import append_event, rescue, restore

from .helpers import DAY, START, Crash, llm, span

if TYPE_CHECKING:
    from collections.abc import Callable

NEW: Final = START + 100 * DAY
#: A store is left for a new one after so many kills.
_LIFE: Final = 40
_SPANS: Final = 4


def rows_of(name: str, price: float) -> list[dict[str, Any]]:
    """Return a trace of four spans; its name says how old it is and whose."""
    age, user, _ = name.split("-", 2)
    start = START if age == "old" else NEW
    rows = [span(name, "root", start=start, user_id=user, attributes=json.dumps({"user.id": user}))]
    usage = {"gen_ai.usage.input_tokens": 1_000_000, "gen_ai.usage.output_tokens": 0}
    said = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "user.id": user, **usage}
    given = {"input_tokens": 1_000_000, "output_tokens": 0, "cost_usd": price, "user_id": user}
    given |= {"attributes": json.dumps(said), "requested_model": "m", "dialect": "genai"}
    return [*rows, *(llm(name, f"c{n}", "root", start=start + n, **given) for n in range(1, _SPANS))]


def trace_id(name: str) -> str:
    """Return the id of a trace."""
    return str(span(name, "root")["trace_id"])


def _is_of_the_erased(name: str) -> bool:
    return name.split("-")[1] == "cat"


class Notes:
    """What was begun and what was done, in a file that outlives the process."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, **line: Any) -> None:
        """Write one line."""
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(handle, json.dumps(line).encode() + b"\n")
        os.close(handle)

    def read(self) -> tuple[set[str], list[dict[str, Any]], list[str]]:
        """Return the traces that must be there, what was begun and not done, and the events that must be there."""
        must: set[str] = set()
        begun: list[dict[str, Any]] = []
        events: list[str] = []
        cut: set[str] = set()  # begun, killed, and not there afterwards: a rescue may find the files all the same
        for line in map(json.loads, self.path.read_text().splitlines() if self.path.exists() else ()):
            if "seen" in line:
                cut |= {name for one in begun for name in one["add"]}
                must, begun = set(line["seen"]), []
                cut -= must
            elif "done" in line:
                did = begun.pop()
                if did["kind"] == "erase":
                    cut = {name for name in cut if not _is_of_the_erased(name)}
                must = (must | set(did["add"])) - set(did["drop"])
                events += did["events"]
            else:
                if line["kind"] == "rescue":
                    begun.append({"kind": "cut", "add": sorted(cut), "drop": [], "events": []})
                begun.append(line)
        return must, begun, events


class Worker:
    """Does one thing after the other until it is killed."""

    def __init__(self, path: Path, seed: int) -> None:
        self.path = path
        self.notes = Notes(path.parent / "notes")
        self.rng = random.Random(seed)
        self.seed = seed
        self.number = 0
        self.ws = opened(path)

    def run(self, kind: str) -> None:
        """Do this first, then anything."""
        while True:
            self.number += 1
            self.must = self.notes.read()[0]
            KINDS[kind](self)
            self.notes.add(done=kind)
            kind = self.rng.choice(tuple(KINDS))

    def names(self, count: int) -> list[str]:
        """Return new names of traces."""
        ages, users = ("old", "new"), ("ann", "bob", "cat")
        # at most 16 letters: the id of a trace as it travels has no more room
        number = (string.digits + string.ascii_letters)[self.number]
        return [f"{self.rng.choice(ages)}-{self.rng.choice(users)}-{self.seed:x}.{number}.{n}" for n in range(count)]

    def rows(self, names: list[str]) -> list[dict[str, Any]]:
        """Return the rows of some traces at the present price."""
        price = self.ws.sql("select max_by(input_usd_per_mtok, price_id) from prices").fetchall()[0][0]
        return [row for name in names for row in rows_of(name, price)]

    def begin(self, kind: str, add: list[str] | None = None, drop: list[str] | None = None, *events: str) -> None:
        """Note what is about to be done."""
        self.notes.add(kind=kind, add=add or [], drop=drop or [], events=events)


def _append(self: Worker) -> None:
    names = self.names(1)
    rows = self.rows(names)
    self.begin("append", names)
    self.ws.store.append_many({"spans": rows})


def _load(self: Worker) -> None:
    names = self.names(6)
    rows = self.rows(names)
    self.begin("load", names)
    self.ws.store.load(rows)


def _spill(self: Worker) -> None:
    names = self.names(2)
    rows = self.rows(names)
    self.begin("spill", names)
    self.ws.store.spill({"spans": rows})
    # Whoever opens the store next takes it back.
    self.ws.close()
    self.ws = lmops.open(self.path)


def _ingest(self: Worker) -> None:
    names = self.names(2)
    lines = []
    for row in self.rows(names):
        attributes = [
            {"key": key, "value": {"intValue": value} if isinstance(value, int) else {"stringValue": value}}
            for key, value in json.loads(row["attributes"]).items()
        ]
        one = {
            "traceId": row["trace_id"],
            "spanId": row["span_id"],
            "parentSpanId": row["parent_span_id"] or "",
            "name": row["name"],
            "startTimeUnixNano": str(row["start_ns"]),
            "endTimeUnixNano": str(row["end_ns"]),
            "attributes": attributes,
        }
        lines.append(json.dumps({"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": [one]}]}]}))
    self.begin("ingest", names)
    self.ws.traces.ingest("\n".join(lines).encode(), format="jsonl", progress=False)


def _drain(self: Worker) -> None:
    self.begin("drain")
    self.ws.store.drain()


def _compact(self: Worker) -> None:
    self.begin("compact")
    self.ws.store.compact(grace_s=0)


def _retain(self: Worker) -> None:
    self.begin("retain", None, [name for name in self.must if name.startswith("old-")])
    self.ws.store.retain(days=50, now_ns=NEW + DAY)


def _erase(self: Worker) -> None:
    self.begin("erase", None, [*filter(_is_of_the_erased, self.must)])
    self.ws.erase(user_id="cat", reason="asked", dry_run=False)


def _reprice(self: Worker) -> None:
    self.begin("reprice")
    price = self.rng.randrange(1, 50)
    self.ws.models.set_price("m", input_usd_per_mtok=price, output_usd_per_mtok=1, valid_from="2020-01-01")


def _renormalise(self: Worker) -> None:
    self.begin("renormalise")
    self.ws.traces.renormalise(progress=False)


def _record(self: Worker) -> None:
    subject = f"e{self.seed}.{self.number}"
    self.begin("record", None, None, subject)
    with self.ws.store.transaction() as con:
        append_event(con, actor="tester", action="test", subject=subject)


def _repair(self: Worker) -> None:
    self.begin("repair")
    self.ws.store.check(repair=True)


def _backup(self: Worker) -> Path:
    self.begin("backup")
    target = self.path.parent / f"backup-{time.time_ns()}"
    self.ws.store.backup(target)
    for older in sorted(self.path.parent.glob("backup-*"))[:-1]:
        shutil.rmtree(older)
    return target


def _restore(self: Worker) -> None:
    source = _backup(self)
    self.notes.add(done="backup")
    self.begin("restore")
    target = self.path.parent / "restored"
    if target.exists():
        shutil.rmtree(target)
    restore(source, target)
    with lmops.open(target) as other:
        must, begun, _ = self.notes.read()
        compare(other, must, begun)


def _rescue(self: Worker) -> None:
    self.ws.store.drain()
    _backup(self)
    self.notes.add(done="backup")
    self.begin("rescue")
    self.ws.close()
    for file in self.path.glob("meta.sqlite*"):
        file.unlink()
    rescue(self.path)
    self.ws = lmops.open(self.path)


KINDS: Final[dict[str, Callable[[Worker], object]]] = {
    "append": _append, "load": _load, "spill": _spill, "ingest": _ingest, "drain": _drain, "compact": _compact,
    "retain": _retain, "erase": _erase, "reprice": _reprice, "renormalise": _renormalise, "record": _record,
    "repair": _repair, "backup": _backup, "restore": _restore, "rescue": _rescue,
}  # fmt: skip  # keys that belong together share a line


def opened(path: Path) -> lmops.Workspace:
    """Open the store as the next one would, after a rescue that was cut short too."""
    try:
        return lmops.open(path)
    except LmopsError:
        assert any(one["kind"] == "rescue" for one in Notes(path.parent / "notes").read()[1])
        rescue(path)
        return lmops.open(path)


def compare(ws: lmops.Workspace, must: set[str], begun: list[dict[str, Any]]) -> set[str]:
    """Compare the traces and the totals with what must be there; return the traces."""
    may, drop = ({name for one in begun for name in one[what]} for what in ("add", "drop"))
    stored: dict[str, int] = dict(ws.sql("select trace_id, count(*) from spans group by 1").fetchall())
    known = {trace_id(name): name for name in must | may}
    seen = {known.get(one, one) for one in stored}
    assert seen - set(known.values()) == set(), "traces that nobody wrote, or that were removed"
    assert (must - drop) <= seen, f"lost: {(must - drop) - seen}"
    assert set(stored.values()) <= {_SPANS}, "torn or doubled"
    for one in begun:
        left = set(one["drop"]) & seen
        assert len(begun) > 1 or left in (set(), set(one["drop"])), "removed by half"
    query = "select count(*), sum(span_count), sum(call_count), sum(input_tokens), sum(cost_usd) from traces"
    traces, spans, calls, tokens, cost = ws.sql(query).fetchall()[0]
    price = ws.sql("select max_by(input_usd_per_mtok, price_id) from prices").fetchall()[0][0]
    expected = (len(seen) * _SPANS, len(seen) * (_SPANS - 1), len(seen) * (_SPANS - 1) * 1_000_000)
    assert (traces, spans or 0, calls or 0, tokens or 0) == (len(seen), *expected), "totals of tokens"
    assert abs((cost or 0) - expected[1] * price) < 1e-6, f"costs: {_costs(ws)}, not {price}"
    assert ws.sql("select coalesce(sum(cost_usd), 0) from llm_calls").fetchall()[0][0] == (cost or 0)
    return seen


def _costs(ws: lmops.Workspace) -> object:
    return ws.sql("select cost_usd, left(name, 1), min(trace_id), count(*) from llm_calls group by 1, 2").fetchall()


def look(path: Path, *, closely: bool) -> None:
    """Open the store and compare everything."""
    notes = Notes(path.parent / "notes")
    must, begun, events = notes.read()
    with opened(path) as ws:
        seen = compare(ws, must, begun)
        subjects = Counter(row[0] for row in ws.sql("select subject from audit where action = 'test'").fetchall())
        assert set(events) <= subjects.keys()
        assert set(subjects.values()) <= {1}
        if closely:
            report = ws.store.check()
            assert report.ok, report
            assert ws.audit.verify().ok, ws.audit.verify()
    notes.add(seen=sorted(seen))


def prepare(path: Path) -> None:
    """Make a store with a price and a few traces."""
    with lmops.open(path) as ws:
        ws.models.set_price("m", input_usd_per_mtok=2, output_usd_per_mtok=1, valid_from="2020-01-01")
        names = [f"{age}-{user}-{n}" for age in ("old", "new") for user in ("ann", "cat") for n in range(3)]
        ws.store.load([row for name in names for row in rows_of(name, 2)])
    Notes(path.parent / "notes").add(seen=names)


def forked(work: Callable[[], object], *, kill_after_s: float | None = None) -> int:
    """Do something in a process of its own and return how it ended; perhaps kill it after a while."""
    pid = os.fork()
    if not pid:
        try:
            work()
        except BaseException:  # noqa: BLE001  # said, and the child ends here
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    if kill_after_s is not None:
        time.sleep(kill_after_s)
        os.kill(pid, signal.SIGKILL)
    return os.waitpid(pid, 0)[1]


def _work(path: Path, kind: str, seed: int, at: int | None) -> None:
    if at is not None:
        counter = Crash(at)
        sqlite3.connect = functools.partial(counter.connect)  # type: ignore[assignment]
        for name in ("rename", "replace", "unlink", "fsync", "link"):
            setattr(os, name, counter.count(getattr(os, name)))
    Worker(path, seed).run(kind)


def kill(path: Path, seed: int) -> tuple[str, str]:
    """Kill one worker; return what it was doing and what is wrong afterwards."""
    rng = random.Random(seed)
    kind = tuple(KINDS)[seed % len(KINDS)]
    # At a statement or a change of a file, or at any moment.
    at = int(30 * 20 ** rng.random()) if rng.random() < 0.6 else None
    after = None if at is not None else 0.05 + 0.6 * rng.random()
    before = Notes(path.parent / "notes").path.stat().st_size
    status = forked(lambda: _work(path, kind, seed, at), kill_after_s=after)
    if not os.WIFSIGNALED(status):
        return kind, "the worker failed"
    began = Notes(path.parent / "notes").path.stat().st_size > before
    begun = Notes(path.parent / "notes").read()[1]
    doing = begun[-1]["kind"] if began and begun else "open"
    if rng.random() < 0.6:  # the next one is killed too, perhaps while it puts right what this one left
        return doing, ""
    ended = forked(lambda: look(path, closely=rng.random() < 0.3))
    return doing, "" if ended == 0 else f"status {ended}"


def main(count: int, first: int = 0) -> int:
    """Kill so many workers and print what they were doing; return how many left something wrong."""
    logging.getLogger("lmops").setLevel(logging.ERROR)
    root = Path(tempfile.mkdtemp(prefix="kills-"))
    tally: Counter[str] = Counter()
    bad = 0
    try:
        path = root / "0" / ".lmops"
        for number in range(count):
            if number % _LIFE == 0:
                shutil.rmtree(path.parent, ignore_errors=True)
                path = root / str(number) / ".lmops"
                path.parent.mkdir()
                assert forked(functools.partial(prepare, path)) == 0
            doing, problem = kill(path, first + number)
            tally[doing] += 1
            if problem:
                bad += 1
                print(f"seed {first + number}: {doing}: {problem}", flush=True)
                shutil.rmtree(path.parent)
                path = root / f"{number}-again" / ".lmops"
                path.parent.mkdir()
                assert forked(functools.partial(prepare, path)) == 0
    finally:
        shutil.rmtree(root)
    print(f"{count} kills, {bad} bad: {dict(tally.most_common())}", flush=True)
    return bad


if __name__ == "__main__":
    sys.exit(bool(main(*map(int, sys.argv[1:]))))
