"""Questions can be stopped and bounded, and the store goes on as if nothing had been asked."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from click.testing import CliRunner

from lmops.cli import main
from lmops.errors import QueryError, UsageError
from lmops.store import Store
from lmops.store._limits import _ELSEWHERE, LEAST_MEMORY, Asking, Limits, memory_of_machine

from .helpers import count, start, trace_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Takes minutes, and little memory.
ENDLESS = "select count(*) from range(300000) a, range(300000) b where (a.range * b.range) % 7 = 3"
ENDLESS_NESTED = f"select count(*) from spans where name = (select max(x::varchar) from ({ENDLESS}) t(x))"


@pytest.fixture
def full(store: Store) -> Store:
    """A store with a segment and a tail."""
    store.load(trace_of("a"))
    store.append_many({"spans": trace_of("b")})
    return store


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """Ctrl+C is heard, also when the tests were started in the background of a shell, which has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press_ctrl_c() -> None:
    """Press it in a moment, when the question is running."""
    threading.Timer(0.4, os.kill, (os.getpid(), signal.SIGINT)).start()


def _lazily(read: str) -> Callable[[Store], object]:
    return lambda store: getattr(store.sql("select 1 as one").project(f"({ENDLESS})"), read)()


STOPPED: dict[str, Callable[[Store], object]] = {
    "sql": lambda store: store.sql(ENDLESS),
    "sql over views": lambda store: store.sql(ENDLESS_NESTED),
    **{read: _lazily(read) for read in ("df", "fetchall", "to_arrow_table", "__repr__", "__len__")},
    "shape": lambda store: store.sql("select 1 as one").project(f"({ENDLESS})").shape,
}


@pytest.mark.parametrize("ask", STOPPED.values(), ids=STOPPED)
def test_ctrl_c_ends_a_question(full: Store, ask: Callable[[Store], object]) -> None:
    """While it runs, while a lazy relation is read, converted or shown; the next question is answered."""
    count(full)
    press_ctrl_c()
    with pytest.raises(KeyboardInterrupt):
        ask(full)
    assert count(full) == 16


@pytest.mark.parametrize("ask", STOPPED.values(), ids=STOPPED)
def test_a_time_limit_ends_a_question(full: Store, ask: Callable[[Store], object]) -> None:
    """The error names the limit and how to raise it; the next question is answered."""
    with Store.open(full.path, timeout_s=0.3) as store:
        with pytest.raises(QueryError, match=r"longer than 0.3 s.*timeout_s"):
            ask(store)
        assert count(store) == 16


def test_a_time_limit_of_one_question(full: Store) -> None:
    """It holds in any thread, and for that question only."""
    errors: list[BaseException] = []

    def ask() -> None:
        try:
            full.sql(ENDLESS, timeout_s=0.2)
        except QueryError as error:
            errors.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert "0.2 s" in str(errors)
    assert count(full) == 16


def test_ctrl_c_ends_the_questions_of_other_threads(full: Store) -> None:
    """What a thread asks for somebody ends with the question of the main thread, with an error of ours."""
    errors: list[BaseException] = []

    def ask() -> None:
        try:
            full.sql(ENDLESS, timeout_s=60)
        except QueryError as error:
            errors.append(error)

    count(full)
    thread = threading.Thread(target=ask)
    thread.start()
    while not _ELSEWHERE:
        time.sleep(0.01)
    press_ctrl_c()
    with pytest.raises(KeyboardInterrupt):
        full.sql(ENDLESS)
    thread.join()
    assert "it was interrupted" in str(errors)
    assert count(full) == 16


def test_what_a_thread_asks_on_its_own_goes_on(full: Store) -> None:
    """Ctrl+C is not for a drain that runs in the background."""
    went_on = threading.Event()
    begun = threading.Event()

    def work() -> None:
        with Asking():
            begun.set()
            went_on.wait()

    thread = threading.Thread(target=work)
    thread.start()
    begun.wait()
    press_ctrl_c()
    with pytest.raises(KeyboardInterrupt):
        full.sql(ENDLESS)
    went_on.set()
    thread.join()
    assert count(full) == 16


def test_a_handler_that_raises_nothing(full: Store) -> None:
    """Somebody who takes SIGINT for himself still stops the question."""
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        press_ctrl_c()
        with pytest.raises(QueryError, match="interrupted"):
            full.sql(ENDLESS)
    finally:
        signal.signal(signal.SIGINT, before)
    assert count(full) == 16


def test_an_event_loop_still_hears_of_signals(full: Store) -> None:
    """What was woken by signals before is woken during a question, and after it."""
    mine, theirs = os.pipe()
    os.set_blocking(theirs, False)
    before = signal.set_wakeup_fd(theirs)
    try:
        press_ctrl_c()
        with pytest.raises(KeyboardInterrupt):
            full.sql(ENDLESS)
        assert os.read(mine, 10) == bytes([signal.SIGINT])
        assert signal.set_wakeup_fd(before) == theirs
    finally:
        signal.set_wakeup_fd(before)


def test_a_forked_process_can_be_stopped(full: Store) -> None:
    """The watch over signals is one of the process's own."""
    count(full)
    child = os.fork()
    if not child:
        code = 1
        try:
            press_ctrl_c()
            full.sql(ENDLESS)
        except KeyboardInterrupt:
            code = 0 if count(full) == 16 else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert count(full) == 16


@pytest.mark.parametrize("timeout_s", [0, -1, float("nan"), float("inf")])
def test_a_time_limit_that_is_none(store: Store, timeout_s: float) -> None:
    """It is refused before anything runs."""
    with pytest.raises(UsageError, match="above 0"):
        store.sql("select 1", timeout_s=timeout_s)


def test_memory_is_shared_among_processes(store: Store) -> None:
    """By default a process takes a quarter of the machine; the setting is the one that DuckDB has."""
    limits = Limits.of()
    assert limits.memory_bytes == max(memory_of_machine() // 4, LEAST_MEMORY)
    shown = "select value from duckdb_settings() where name = 'memory_limit'"
    with Store.open(store.path, memory_limit="512MiB") as small:
        assert small.sql(shown).fetchall() == [("512.0 MiB",)]


def test_memory_of_a_container(tmp_path: Path) -> None:
    """The limit of the control group counts when it is below what the machine has."""
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/job\n")
    (tmp_path / "sys/fs/cgroup/job").mkdir(parents=True)
    assert memory_of_machine(tmp_path) == memory_of_machine(Path("/nowhere"))
    (tmp_path / "sys/fs/cgroup/job/memory.max").write_text("max\n")
    (tmp_path / "sys/fs/cgroup/memory.max").write_text("1073741824\n")
    assert memory_of_machine(tmp_path) == 2**30


@pytest.mark.parametrize("given", ["lots", "80%", "10", "1kB", "-1GB"])
def test_an_amount_of_memory_that_is_none(tmp_path: Path, given: str) -> None:
    """The error shows one that is."""
    with pytest.raises(UsageError, match="2GB"):
        Store.open(tmp_path / "s", memory_limit=given)


def test_limits_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They hold where nothing else is said."""
    monkeypatch.setenv("LMOPS_TIMEOUT_S", "7.5")
    monkeypatch.setenv("LMOPS_MEMORY_LIMIT", "1GB")
    assert Limits.of() == Limits(timeout_s=7.5, memory_bytes=10**9)
    assert Limits.of(3, "2GiB") == Limits(timeout_s=3, memory_bytes=2 * 2**30)
    monkeypatch.setenv("LMOPS_TIMEOUT_S", "soon")
    with pytest.raises(UsageError, match="LMOPS_TIMEOUT_S='soon'"):
        Store.open(tmp_path / "s")


def test_a_result_beyond_the_memory_says_which_limit(store: Store) -> None:
    """And how to raise it; the next question is answered."""
    with Store.open(store.path, memory_limit="32MB") as small:
        with pytest.raises(QueryError, match=r"memory_limit, 31 MiB.*memory_limit='8GB'"):
            small.sql("select list(a.range) from range(30000000) a")
        assert count(small) == 0


def test_what_is_sorted_on_the_disk_lies_in_the_store(store: Store) -> None:
    """In a folder that nobody else may enter, gone with the process that made it."""
    with Store.open(store.path, memory_limit="100MB") as small:
        big = small.sql("select range as a, md5(range::varchar) as b from range(3000000)")
        files = list(store.path.glob("spill/*/query-*/*"))
        assert files
        assert {stat.S_IMODE(path.parent.stat().st_mode) for path in files} == {0o700}
        assert stat.S_IMODE((store.path / "spill").stat().st_mode) == 0o700
        del big
    assert list(store.path.glob("spill/*/query-*")) == list(store.path.glob("spill/*/query-*/.."))


def test_what_a_killed_process_sorted_is_swept(store: Store) -> None:
    """By the next one that opens the store; never what belongs to a living one."""
    with closing(store):
        count(store)
        mine = set(store.path.glob("spill/*"))
        child = start("sort_and_wait", store.path)
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        (theirs,) = set(store.path.glob("spill/*")) - mine
        with Store.open(store.path):
            assert theirs.exists()
        child.kill()
        child.communicate()
        with Store.open(store.path):
            assert not theirs.exists()
        assert set(store.path.glob("spill/*")) == mine


def test_ctrl_c_at_a_commit_loses_no_rows(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commit is made when the exception comes: the files it lists must not be taken for leftovers."""

    class Interrupted(sqlite3.Connection):
        def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
            found = super().execute(sql, *args)
            if sql == "commit" and armed.is_set():
                armed.clear()
                raise KeyboardInterrupt
            return found

    armed = threading.Event()
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **options: connect(*args, factory=Interrupted, **options))
    with Store.open(store.path) as again:
        again.append_many({"spans": trace_of("a")})
        armed.set()
        with pytest.raises(KeyboardInterrupt):
            again.drain()
        assert count(again) == 8


def test_an_answer_is_a_relation(full: Store) -> None:
    """All that a relation of DuckDB does, it does; what comes of it is one as well."""
    answer = full.sql("select name, start_ns from spans")
    assert answer.columns == ["name", "start_ns"]
    assert (len(answer), answer.shape, "name" in answer) == (16, (16, 2), True)
    joined = answer.limit(2).union(answer.limit(1))
    assert len(joined.fetchall()) == 3
    assert answer["name"].distinct().order("name").fetchall()[0] == ("c1",)
    assert answer.to_arrow_table().num_rows == len(answer.df()) == 16
    assert "start_ns" in str(answer)
    with pytest.raises(AttributeError):
        _ = answer.nothing
    with pytest.raises(duckdb.Error):
        answer.filter("nothing = 1")


def test_the_command_line_has_a_time_limit(full: Store) -> None:
    """It ends with the error."""
    done = CliRunner().invoke(main, ["sql", ENDLESS, "--timeout", "0.3", "--store", str(full.path)])
    assert done.exit_code == 2
    assert "longer than 0.3 s" in done.output
