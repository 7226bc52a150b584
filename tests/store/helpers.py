"""Rows to store, what a store shows of them, and (run as a script) the processes that tests start and kill."""

from __future__ import annotations

import functools
import json
import logging
import os
import resource
import shutil
import signal
import sqlite3
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmops.store import Store, append_event, rescue
from lmops.store._tables import LOG_COLUMNS, SPAN_COLUMNS
from tests.forked import Program

if TYPE_CHECKING:
    from collections.abc import Callable

Row = dict[str, Any]
EMPTY: Row = {name: None for name, _, _ in SPAN_COLUMNS}
EMPTY_LOG: Row = {name: None for name, _, _ in LOG_COLUMNS}
DAY = 86_400_000_000_000
START = 1_790_000_000_000_000_000
#: SPAN_COLUMNS as the view shows them.
SPAN_NAMES = ", ".join(EMPTY)


def span(trace: str, name: str, parent: str | None = None, *, start: int = START, **columns: object) -> Row:
    """Return a span row; a trace or a span is named by a short text."""
    row = {
        "trace_id": trace.encode().hex().rjust(32, "0"), "span_id": name.encode().hex().rjust(16, "0"),
        "parent_span_id": parent and parent.encode().hex().rjust(16, "0"), "name": name, "kind": "chain",
        "start_ns": start, "end_ns": start + 1_000_000, "latency_ms": 1.0, "status": "ok", "attributes": "{}",
    }  # fmt: skip  # keys that belong together share a line
    return {**EMPTY, **row, **columns}


def llm(trace: str, name: str, parent: str | None = None, *, start: int = START, **columns: object) -> Row:
    """Return the row of a model call."""
    given = {"kind": "llm", "model": "m", "input_tokens": 3, "output_tokens": 2, "cost_usd": 0.001}
    return span(trace, name, parent, start=start, **(given | columns))


def log_of(row: Row, body: str, *, at: int = START) -> Row:
    """Return a log event of a span."""
    ids = {"trace_id": row["trace_id"], "span_id": row["span_id"]}
    return {**EMPTY_LOG, **ids, "time_ns": at, "name": "message", "body": body, "attributes": "{}"}


def trace_of(name: str, *, start: int = START, spans: int = 8) -> list[Row]:
    """Return a trace of a root, its children and model calls."""
    rows = [span(name, "root", start=start)]
    rows += [llm(name, f"c{number}", "root", start=start + number) for number in range(1, spans)]
    return rows


def bodies(row: Row, logs: list[Row]) -> Row:
    """Join log events into a span: its output is the list of their bodies."""
    return {**row, "output": json.dumps([log["body"] for log in logs])}


def shown(store: Store, view: str) -> list[Row]:
    """Return all rows of a view in a fixed order."""
    rows: list[Row] = store.sql(f"select * from {view}").to_arrow_table().to_pylist()
    return sorted(rows, key=lambda row: (row["trace_id"], row.get("span_id") or ""))


def state(store: Store) -> dict[str, list[Row]]:
    """Return what a store shows of all facts."""
    return {view: shown(store, view) for view in ("spans", "traces", "llm_calls")}


def count(store: Store, view: str = "spans") -> int:
    """Return the number of rows of a view."""
    return int(store.sql(f"select count(*) from {view}").fetchall()[0][0])


def start(*command: object) -> Program:
    """Start one of the commands below in a process of its own."""
    code = "import sys, warnings; warnings.simplefilter('error'); from tests.store import helpers"
    return Program(f"{code}; helpers.obey(*sys.argv[1:])", *command)


def run(*command: object, timeout_s: float = 300) -> str:
    """Run one of the commands below in a process of its own and return what it prints."""
    process = start(*command)
    out, err = process.communicate(timeout=timeout_s)
    assert process.returncode == 0, err
    assert err == ""
    return out.strip()


def hammer(path: str, number: str, rate: str, seconds: str) -> None:
    """Write traces and records at a rate; every acknowledged one is noted in a file of its own."""
    end = time.monotonic() + float(seconds)
    done = 0
    with Store.open(path) as store, Path(f"{path}-acks-{number}-{os.getpid()}").open("w", buffering=1) as acks:
        due = time.monotonic()
        while time.monotonic() < end:
            key = f"{number}-{os.getpid()}-{done}"
            if done % 5 == 4:
                with store.transaction() as con:
                    append_event(con, actor="tester", action="test.write", subject=key)
                acks.write(f"record {key}\n")
            else:
                store.append_many({"spans": trace_of(key, start=time.time_ns())})
                acks.write(f"trace {key}\n")
            done += 1
            due += 1 / float(rate)
            time.sleep(max(0.0, due - time.monotonic()))


def identify(path: str) -> None:
    """Open a store and print its id."""
    with Store.open(path) as store:
        store.append_many({"spans": trace_of(str(os.getpid()))})
        print(store.store_id)


def append(path: str, name: str, network: str = "") -> None:
    """Append one trace."""
    logging.getLogger("lmops").setLevel(logging.ERROR)
    with Store.open(path, network=bool(network) or None) as store:
        store.append_many({"spans": trace_of(name)})


def leave_open(path: str) -> None:
    """Use a store and end without closing it, while a drain is running."""
    store = Store.open(path)
    for number in range(600):
        store.append_many({"spans": trace_of(f"t{number}")})
    print(count(store))
    globals()["kept"] = store


def fill(path: str, way: str, limit: str) -> None:
    """Write until the disk (or the limit of a file's size) is full; print what was acknowledged."""
    from lmops.errors import StoreFullError

    store = Store.open(path)
    store.append_many({"spans": trace_of("first")})
    store.sql("select count(*) from spans").fetchall()
    if int(limit):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), resource.RLIM_INFINITY))
    acknowledged = 1
    try:
        for number in range(2000):
            spans = 2 if way == "append" else 20 + 20 * number
            rows = [row | {"input": os.urandom(20_000).hex()} for row in trace_of(f"t{number}", spans=spans)]
            if way == "append":
                store.append_many({"spans": rows})
            else:
                store.load(rows)
            acknowledged += 1
    except StoreFullError as error:
        if "intact" not in str(error):
            raise
    else:
        raise SystemExit("the disk did not fill")
    print(acknowledged, count(store, "traces"))


def sort_and_wait(path: str) -> None:
    """Put something on the disk for a question, and wait to be killed."""
    store = Store.open(path, memory_limit="100MB")
    kept = store.sql("select range as a, md5(range::varchar) as b from range(3000000)")
    assert list(Path(path).glob("spill/*/query-*/*"))
    print("ready", flush=True)
    time.sleep(60)
    del kept


def read_slowly(path: str) -> None:
    """Count spans, slowly."""
    with Store.open(path) as store:
        count(store)
        print("ready", flush=True)
        slow = "sum(list_sum(list_transform(range(20000), lambda x: (x * length(name)) % 7)))"
        print(store.sql(f"select count(*), {slow} from spans").fetchall()[0][0])


class Crash:
    """Kills this process at its n-th SQL statement or call that changes or syncs a file."""

    def __init__(self, at: int) -> None:
        self.left = at

    def count(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return a call that counts, and at the n-th kills before anything is done."""

        def counting(*args: Any, **options: Any) -> Any:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **options)

        return counting

    def connect(self, *args: Any, **options: Any) -> sqlite3.Connection:
        """Return a connection that counts its statements."""
        crash = self

        class Counting(sqlite3.Connection):
            def execute(self, *args: Any) -> sqlite3.Cursor:
                crash.left -= 1
                if crash.left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return super().execute(*args)

        return CONNECT(*args, factory=Counting, **options)


CONNECT = sqlite3.connect


def crash(template: str, action: str, step: str) -> None:
    """Do something to copies of a store, killed one step later each time, until it is done; print the copies."""
    at = 1
    while True:
        copy = Path(f"{template}-{action}-{at}")
        if Path(template).exists():
            shutil.copytree(template, copy)
        pid = os.fork()
        if not pid:
            counter = Crash(at)
            sqlite3.connect = functools.partial(counter.connect)  # type: ignore[assignment]
            for name in ("rename", "replace", "unlink", "fsync", "link"):
                setattr(os, name, counter.count(getattr(os, name)))
            ACTIONS[action](copy)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        print(copy, os.WIFSIGNALED(status))
        if not os.WIFSIGNALED(status):
            assert os.WEXITSTATUS(status) == 0
            return
        at += int(step)


def _load(path: Path) -> None:
    Store.open(path).load([row for number in range(20) for row in trace_of(f"new{number}")])


def _compact(path: Path) -> None:
    Store.open(path).compact(grace_s=0)


def _retain(path: Path) -> None:
    Store.open(path).retain(days=5, now_ns=START + 10 * DAY)


def _drain(path: Path) -> None:
    Store.open(path).drain()


def _set_price(path: Path) -> None:
    import lmops

    with lmops.open(path) as ws:
        ws.models.set_price("m", input_usd_per_mtok=5, output_usd_per_mtok=5, valid_from="2020-01-01")


def _renormalise(path: Path) -> None:
    import lmops

    with lmops.open(path) as ws:
        ws.traces.renormalise(progress=False)


def _backup(path: Path) -> None:
    Store.open(path).backup(path / "copy")


def _migrate(path: Path) -> None:
    Store.open(path)


def _rescue(path: Path) -> None:
    rescue(path)


def _repair(path: Path) -> None:
    Store.open(path).check(repair=True)


ACTIONS = {
    "rescue": _rescue, "repair": _repair, "load": _load, "compact": _compact, "retain": _retain, "drain": _drain,
    "migrate": _migrate, "set_price": _set_price, "renormalise": _renormalise, "backup": _backup,
}  # fmt: skip  # keys that belong together share a line
COMMANDS = (hammer, identify, append, leave_open, fill, crash, sort_and_wait, read_slowly)


def obey(command: str, *arguments: str) -> None:
    """Do what one of the commands above says."""
    {one.__name__: one for one in COMMANDS}[command](*arguments)


if __name__ == "__main__":
    obey(*sys.argv[1:])
