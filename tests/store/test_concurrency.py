"""Many processes and threads, some of them killed: nothing lost, torn or doubled, and every reader sees one state."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from lmops.store import Store

from .helpers import count, span, start, trace_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.forked import Program


def acknowledged(path: Path) -> tuple[list[str], list[str]]:
    """Return the names of the traces and of the records that writers were told are safe."""
    lines = [
        line.split(" ") for file in path.parent.glob(f"{path.name}-acks-*") for line in file.read_text().splitlines()
    ]
    whole = [line for line in lines if len(line) == 2]
    return [name for what, name in whole if what == "trace"], [name for what, name in whole if what == "record"]


def look(store: Store) -> None:
    """Read one consistent state: every trace is whole in both views."""
    torn = "select trace_id, count(*) as found from spans group by 1 having count(*) <> 8"
    assert store.sql(torn).fetchall() == []
    both = "select (select sum(span_count) from traces), (select count(*) from spans), (select count(*) from llm_calls)"
    by_traces, spans, calls = store.sql(both).fetchall()[0]
    assert (by_traces or 0, calls * 8) == (spans, spans * 7)


def kill_now_and_then(path: Path, reader: Store) -> int:
    """Keep four writers alive, kill one at random now and then, read all the time; return the kills.

    It ends as soon as there is enough to look at, which takes longer on a slow machine.
    """
    chance = random.Random(7)
    writers: list[Program] = [start("hammer", path, number, 20, 600) for number in range(4)]
    end, next_kill, kills = time.monotonic() + 120, time.monotonic() + 2, 0
    try:
        while time.monotonic() < end and (
            kills < 7 or len(acknowledged(path)[0]) <= 300 or not reader.stats().segments
        ):
            look(reader)
            if time.monotonic() > next_kill:
                victim = chance.randrange(4)
                writers[victim].kill()
                writers[victim].communicate()
                writers[victim] = start("hammer", path, victim, 20, 600)
                kills += 1
                next_kill = time.monotonic() + 1
            time.sleep(0.2)
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()
    return kills


def test_writers_that_are_killed_lose_nothing(tmp_path: Path) -> None:
    """Four writers, drains, compactions, kill -9 and a reader: all that was acknowledged is there once."""
    path = tmp_path / ".lmops"
    with Store.open(path) as reader:
        kills = kill_now_and_then(path, reader)
        traces, records = acknowledged(path)
        assert kills >= 7
        assert len(traces) > 300
        assert reader.stats().segments > 0, "the drains made no progress"
        look(reader)
        stored = Counter(row[0] for row in reader.sql("select trace_id from traces").fetchall())
        assert set(stored.values()) == {1}
        assert {span(name, "x")["trace_id"] for name in traces} <= stored.keys()
        subjects = Counter(row[0] for row in reader.sql("select subject from audit").fetchall())
        assert set(records) <= subjects.keys()
        assert max(subjects.values()) == 1
        reader.compact(grace_s=0)
        assert count(reader, "traces") == len(stored)
        report = reader.check()
        assert report.ok, report


def test_reading_while_files_are_replaced(tmp_path: Path) -> None:
    """Questions asked during drains, loads and merges each see one state."""
    with Store.open(tmp_path / ".lmops") as store, Store.open(tmp_path / ".lmops") as other:
        done = threading.Event()

        def write() -> None:
            for number in range(30):
                other.load(trace_of(f"l{number}"))
                other.append_many({"spans": trace_of(f"a{number}")})
                if number % 4 == 0:
                    other.compact()
            done.set()

        writer = threading.Thread(target=write)
        writer.start()
        while not done.is_set():
            look(store)
        writer.join()
        assert count(store, "traces") == 60


def test_a_backup_while_another_process_writes(tmp_path: Path) -> None:
    """The copy is whole and consistent, and holds everything acknowledged before it was begun."""
    path = tmp_path / ".lmops"
    with Store.open(path) as store:
        writer = start("hammer", path, 1, 200, 30)
        try:
            while not acknowledged(path)[0]:
                time.sleep(0.05)
            time.sleep(1.5)
            before, _ = acknowledged(path)
            store.backup(tmp_path / "copy")
        finally:
            writer.kill()
            writer.communicate()
    with Store.open(tmp_path / "copy") as copy:
        assert copy.check().ok
        look(copy)
        stored = {row[0] for row in copy.sql("select trace_id from traces").fetchall()}
        assert {span(name, "x")["trace_id"] for name in before} <= stored


def test_threads_share_a_store(store: Store) -> None:
    """Eight threads write and read through one object; their connections end with them."""

    def work(number: int) -> int:
        for step in range(10):
            store.append_many({"spans": trace_of(f"{number}-{step}")})
        return count(store)

    with ThreadPoolExecutor(8) as pool:
        assert max(pool.map(work, range(8))) <= 640
    assert count(store) == 640
    assert len(store._meta._open_here) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_gets_connections_of_its_own(store: Store) -> None:
    """The child reads and writes, even when a lock was held at the fork; the parent goes on."""
    store.append_many({"spans": trace_of("parent")})
    assert count(store) == 8
    with store._housekeeping.lock, store._engine._lock, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if not pid:
        with contextlib.suppress(BaseException):
            store.append_many({"spans": trace_of("child")})
            store.drain()
            os._exit(0 if count(store) == 16 else 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert count(store) == 16
    store.append_many({"spans": trace_of("again")})
    assert store.check().ok


def child_writes(store: Store, name: str) -> int:
    """Fork, write in the child, and return how it ended; a child that hangs is ended by its alarm."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if not pid:
        signal.alarm(20)
        with contextlib.suppress(BaseException):
            with store.transaction() as con:
                con.execute("insert into info values (?, '1')", (name,))
            os._exit(0)
        os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_waits_for_the_transaction_of_another_thread(store: Store) -> None:
    """Otherwise the child would find the store locked for ever, by a thread that it does not have."""
    begun = threading.Event()

    def write() -> None:
        with store.transaction() as con:
            con.execute("insert into info values ('parent', '1')")
            begun.set()
            time.sleep(0.3)

    thread = threading.Thread(target=write)
    thread.start()
    begun.wait()
    assert child_writes(store, "child") == 0
    thread.join()
    with store.reading() as con:
        keys = {row[0] for row in con.execute("select key from info")}
    assert {"parent", "child"} <= keys


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_children_write_while_a_thread_of_the_parent_does(store: Store) -> None:
    """Transactions in a row leave no moment at which a fork goes wrong; the parent's go on."""
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            with store.transaction() as con:
                con.execute("insert or replace into info values ('parent', ?)", (str(number),))
            time.sleep(0.001)  # a writer that never pauses leaves nobody else a chance

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert [child_writes(store, f"child{number}") for number in range(12)] == [0] * 12
    finally:
        stop.set()
        thread.join()
    with store.reading() as con:
        assert con.execute("select count(*) from info where key like 'child%'").fetchone()[0] == 12


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_within_a_transaction_does_not_wait_for_itself(store: Store) -> None:
    """Who forks with a transaction open goes on with it; the child opens connections of its own."""
    with store.transaction() as con:
        assert child_writes_nothing() == 0
        con.execute("insert into info values ('parent', '1')")
    with store.reading() as con:
        assert con.execute("select count(*) from info where key = 'parent'").fetchone()[0] == 1


def child_writes_nothing() -> int:
    """Fork, and end the child at once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if not pid:
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_process_that_never_closes_ends_quietly(tmp_path: Path) -> None:
    """Neither the drain in the background nor DuckDB writes anything at the end; what was written is there."""
    command = [sys.executable, "-W", "error", "-m", "tests.store.helpers", "leave_open", tmp_path / ".lmops"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    assert (done.stdout.strip(), done.stderr) == (str(600 * 8), "")
    with Store.open(tmp_path / ".lmops") as store:
        assert count(store) == 600 * 8


def test_closing_during_a_drain(tmp_path: Path) -> None:
    """Close waits for the batch in progress; also for a store that vanishes."""
    for path in (tmp_path / ".lmops", ":memory:"):
        store = Store.open(path)
        for number in range(700):
            store.append_many({"spans": trace_of(f"t{number}")})
        store.close()
        assert sys.exc_info() == (None, None, None)
        assert not any(thread.name == "lmops-drain" and thread.is_alive() for thread in threading.enumerate())
    with Store.open(tmp_path / ".lmops") as store:
        assert count(store, "traces") == 700


def test_writing_faster_than_the_drain_stays_bounded(store: Store) -> None:
    """The inbox is drained while it is written, and files are merged: neither grows with what was written."""
    for number in range(60):
        store.append_many({"spans": [row for part in range(100) for row in trace_of(f"{number}-{part}")]})
    stats = store.stats()
    assert stats.spans == 48_000
    assert stats.inbox_rows <= 41_000
    assert stats.segments <= 64
