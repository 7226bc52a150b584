"""Nothing is dropped at any rate: what the queue cannot hold waits on the disk and is stored once, crash or not."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pytest

from lmops.store import SPAN_COLUMNS, DamagedSegmentWarning, Store
from lmops.traces._exporter import Instrumentation, instrument
from tests.forked import Program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

    from lmops.traces._batch import Row
    from lmops.traces._processor import Spilled, Writes


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "store") as opened:
        yield opened


@contextlib.contextmanager
def locked(store: Store) -> Iterator[None]:
    """Keep the store from being written, as another process does that writes for long."""
    with contextlib.closing(sqlite3.connect(store.path / "meta.sqlite", isolation_level=None)) as con:
        con.execute("begin immediate")
        yield
        con.execute("rollback")


def private(store: Store, **options: float) -> Instrumentation:
    return instrument(store, set_global=False, **options)  # type: ignore[arg-type]


def make(handle: Instrumentation, count: int, name: str = "s") -> None:
    tracer = handle.get_tracer("test")
    for number in range(count):
        tracer.start_span(f"{name}{number}").end()


def counts(store: Store) -> tuple[int, int]:
    """Return the number of spans, and of different names."""
    found: tuple[int, int] = store.sql("select count(*), count(distinct name) from spans").fetchall()[0]
    return found


def row(name: str, number: int) -> dict[str, object]:
    empty: dict[str, object] = dict.fromkeys(column for column, _, _ in SPAN_COLUMNS)
    ids = {"trace_id": f"{number:032x}", "span_id": f"{number:016x}"}
    return {**empty, **ids, "name": name, "kind": "chain", "start_ns": 10, "end_ns": 20, "status": "ok"}


def spilled_files(store: Store) -> list[Path]:
    return sorted(store.path.glob("spill/*/spans-*.json"))


def test_nothing_is_dropped_at_full_speed(store: Store) -> None:
    """Far more spans than the queue holds, as fast as they can be made."""
    handle = private(store, max_queue=600)
    make(handle, 20_000)
    assert handle.flush(120)
    assert (handle.exported, handle.pending, handle.spilled, handle.dropped) == (20_000, 0, 0, 0)
    handle.shutdown()
    assert counts(store) == (20_000, 20_000)
    assert spilled_files(store) == []


def test_the_application_does_not_wait_for_a_store_that_is_locked(store: Store) -> None:
    """Its spans go to the disk, where nobody else can read them, and into the store when that is free."""
    handle = private(store, max_queue=600, block_ms=60_000)
    with locked(store):
        make(handle, 4_000)
        assert handle.spilled >= 4_000 - 600 - 2 * 512
        assert f"{handle.spilled} on the disk" in repr(handle)
        assert {stat.S_IMODE(path.stat().st_mode) for path in spilled_files(store)} == {0o600}
        assert {stat.S_IMODE(path.parent.stat().st_mode) for path in spilled_files(store)} == {0o700}
    assert handle.flush(60)
    handle.shutdown()
    assert (handle.exported, handle.dropped) == (4_000, 0)
    assert counts(store) == (4_000, 4_000)


def test_what_is_left_at_the_end_is_stored_by_the_next_one(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """A process that may not wait for the store puts its spans on the disk; opening the store stores them."""
    handle = private(store, max_queue=600)
    with locked(store):
        make(handle, 1_500)
        handle.shutdown(timeout_s=0.2)
    assert (handle.exported, handle.spilled, handle.dropped) == (0, 1_500, 0)
    assert "1500 spans" in caplog.text
    store.close()
    with Store.open(store.path) as again:
        assert counts(again) == (1_500, 1_500)
        assert spilled_files(again) == []


def test_a_handle_that_is_taken_up_again_stores_what_it_left(store: Store) -> None:
    """In the same process nobody else would."""
    handle = private(store, max_queue=600)
    with locked(store):
        make(handle, 1_000)
        handle.shutdown(timeout_s=0.2)
    handle.processor.restart(handle.processor._exporter, max_queue=600, block_ms=1)
    make(handle, 10, "later")
    assert handle.flush(60)
    handle.shutdown()
    assert counts(store) == (1_010, 1_010)


class Slow:
    """Hands on what is written, and keeps the first rows until it is let go."""

    def __init__(self, inner: Writes) -> None:
        self.inner = inner
        self.began, self.go = threading.Event(), threading.Event()

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def write(self, rows: list[Row]) -> None:
        if not self.began.is_set():
            self.began.set()
            assert self.go.wait(60)
        self.inner.write(rows)


class Stalled(Slow):
    """Keeps the first rows until it is let go; ``meanwhile`` runs while the first spans go to the disk."""

    def __init__(self, inner: Writes, meanwhile: Callable[[], None]) -> None:
        super().__init__(inner)
        self.meanwhile: Callable[[], None] | None = meanwhile

    def rows(self, spans: Sequence[ReadableSpan]) -> list[Row]:
        if "refused" in {span.name for span in spans}:
            raise ValueError("no row can be made of it")
        return self.inner.rows(spans)

    def spill(self, rows: list[Row]) -> Spilled:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        return self.inner.spill(rows)


def test_a_queue_that_fills_while_its_oldest_spans_go_to_the_disk_drops_none(store: Store) -> None:
    """Other threads go on meanwhile, and nobody may wait; a span that cannot be stored costs no other."""
    handle = private(store, max_queue=512, block_ms=0)
    stalled = Stalled(handle.processor._exporter, lambda: make(handle, 512, "meanwhile"))
    handle.processor._exporter = stalled  # type: ignore[assignment]
    make(handle, 1)
    assert handle.flush(0) is False
    assert stalled.began.wait(60)
    handle.get_tracer("test").start_span("refused").end()
    make(handle, 2_000, "later")
    assert (handle.exported, handle.dropped) == (0, 1)
    assert handle.spilled >= 2_000 - 512
    stalled.go.set()
    assert handle.flush(60)
    handle.shutdown()
    assert (handle.exported, handle.pending, handle.dropped) == (2_513, 0, 1)
    assert counts(store) == (2_513, 2_513)


def test_threads_that_end_spans_at_once_drop_none(store: Store) -> None:
    """Each of them finds the queue full again and again."""
    handle = private(store, max_queue=16, block_ms=0)
    threads = [threading.Thread(target=make, args=(handle, 200, f"{number}-")) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert handle.flush(60)
    handle.shutdown()
    assert (handle.exported, handle.dropped) == (1_600, 0)
    assert counts(store) == (1_600, 1_600)


def test_a_write_that_outlasts_the_shutdown_is_counted_once(store: Store) -> None:
    """Its spans wait on the disk as well: whoever takes the handle up again waits for them once."""
    handle = private(store, max_queue=600)
    exporter = handle.processor._exporter
    slow = handle.processor._exporter = Slow(exporter)  # type: ignore[assignment]
    make(handle, 100)
    assert slow.began.wait(60)
    make(handle, 300)
    handle.shutdown(timeout_s=0.1)
    assert (handle.spilled, handle.pending) == (400, 0)
    handle.processor.restart(exporter, max_queue=600, block_ms=1)
    slow.go.set()
    make(handle, 10, "later")
    assert handle.flush(60)
    handle.shutdown()
    assert (handle.exported, handle.pending, handle.dropped) == (410, 0, 0)
    assert counts(store) == (410, 310)


KILLED = """
import sqlite3, sys, time
from lmops.store import Store
from lmops.traces._exporter import instrument
store = Store.open(sys.argv[1])
handle = instrument(store, set_global=False, max_queue=600)
con = sqlite3.connect(sys.argv[1] + "/meta.sqlite", isolation_level=None)
con.execute("begin immediate")
tracer = handle.get_tracer("t")
for number in range(5000):
    tracer.start_span(f"s{number}").end()
print(handle.spilled, flush=True)
time.sleep(60)
"""


def killed(path: Path) -> int:
    """Kill a process whose spans wait on the disk; return how many do."""
    child = Program(KILLED, path)
    spilled = int(child.stdout.readline())
    child.send_signal(signal.SIGKILL)
    child.communicate()
    return spilled


def test_spans_of_a_killed_process_come_back_once(store: Store) -> None:
    """Also when the process that takes them up is killed right before it forgets them."""
    store.close()
    spilled = killed(store.path)
    assert spilled >= 3_000
    (theirs,) = store.path.glob("spill/*")
    shutil.copytree(theirs, store.path.parent / "kept")
    with Store.open(store.path) as again:
        assert counts(again) == (spilled, spilled)
        assert not theirs.exists()
        shutil.copytree(store.path.parent / "kept", theirs)
        with Store.open(store.path):
            assert counts(again) == (spilled, spilled)
        assert not theirs.exists()


def test_a_living_process_keeps_its_spans(store: Store) -> None:
    """Whoever opens the store meanwhile leaves them alone."""
    spilled = store.spill({"spans": [row("mine", 1)]})
    with Store.open(store.path) as other:
        assert counts(other) == (0, 0)
    assert spilled.read()["spans"][0]["name"] == "mine"


def test_a_fork_leaves_the_spans_of_its_parent_to_it(store: Store) -> None:
    """Each has a folder of its own; all are stored once."""
    handle = private(store, max_queue=600)
    with locked(store):
        make(handle, 2_000, "parent")
        child = os.fork()
        if not child:
            code = 1
            with contextlib.suppress(BaseException):
                make(handle, 2_000, "child")
                handle.shutdown(timeout_s=0.2)
                code = 0 if handle.spilled == 2_000 else 2
            os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert handle.flush(60)
    handle.shutdown()
    with Store.open(store.path) as again:
        assert counts(again) == (4_000, 4_000)
        assert spilled_files(again) == []


def test_what_cannot_be_stored_does_not_cost_the_others(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """A file that was damaged stays where it is; a row that the store refuses is left out; both are named."""
    store.spill({"spans": [row("a", 1), {"name": "no ids"}, row("b", 2)]})
    damaged = store.spill({"spans": [row("c", 3)]}).path
    damaged.write_bytes(b"\x00" * 10)
    link = damaged.with_name("spans-000000000009.json")
    (store.path / "elsewhere").write_bytes(orjson.dumps({"spans": [row("planted", 4)]}))
    link.symlink_to(store.path / "elsewhere")
    store.close()
    with Store.open(store.path) as again, pytest.warns(DamagedSegmentWarning) as said:
        assert again.sql("select name from spans order by 1").fetchall() == [("a",), ("b",)]
    assert {Path(str(one.message).split(" cannot be read")[0]).name for one in said} == {damaged.name, link.name}
    assert "is left out" in caplog.text
    assert caplog.text.count("stays where it is") == 2
    assert damaged.exists()


def test_when_the_disk_takes_nothing_either(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """The application waits for room as long as it said, and what is lost is counted and reported."""
    (store.path / "spill").write_text("in the way")
    handle = private(store, max_queue=600, block_ms=1)
    with locked(store):
        make(handle, 2_000)
        assert handle.dropped >= 2_000 - 600 - 512
        assert "the queue was full" in caplog.text or "spill" in caplog.text
    assert handle.flush(60)
    handle.shutdown()
    assert handle.exported + handle.dropped == 2_000
    assert counts(store) == (handle.exported, handle.exported)


def test_a_program_that_ends_at_once_leaves_nothing_behind(tmp_path: Path) -> None:
    """Whatever it made is in the store when it has ended, and its folder on the disk is gone."""
    code = """
    import sys, lmops
    ws = lmops.open(sys.argv[1])
    tracer = ws.traces.instrument(set_global=False, max_queue=100).get_tracer("t")
    for number in range(3000):
        tracer.start_span(f"s{number}").end()
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code), str(tmp_path / "p")],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    with Store.open(tmp_path / "p") as store:
        assert counts(store) == (3_000, 3_000)
        assert spilled_files(store) == []
