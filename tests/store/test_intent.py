"""Changes that take long: cut short anywhere they are done, undone or finished by the next who opens the store."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import lmops
from lmops.store import Store

from .helpers import DAY, START, count, llm, run, state, trace_of

if TYPE_CHECKING:
    from lmops.store import PendingChange


def cut(template: Path, action: str, step: int) -> list[Path]:
    """Return copies of a store in which an action was killed after ever more steps; the last one was not."""
    lines = [line.rsplit(" ", 1) for line in run("crash", template, action, step).splitlines()]
    assert [killed for _, killed in lines[-2:]] == ["True", "False"]
    return [Path(path) for path, _ in lines]


def begin(store: Store, **given: Any) -> PendingChange:
    """Note a change."""
    with store.transaction() as con:
        return store.changes.begin(con, **{"kind": "retain", "subject": "s", "arguments": {}, "actor": "ann"} | given)


def leave(store: Store, **given: Any) -> None:
    """Note a change as a process that was killed leaves it."""
    change = begin(store, **given)
    with store.transaction() as con:
        con.execute("update pending_changes set pid = 4194304 where change_id = ?", (change.change_id,))


@pytest.fixture
def priced(tmp_path: Path) -> Path:
    """A store with calls of one model in four segments and in the inbox, at a price of one dollar."""
    template = tmp_path / "store"
    with lmops.open(template) as ws:
        for part in range(4):
            ws.store.load([llm(f"t{part}-{n}", "c", input_tokens=1_000_000, output_tokens=0) for n in range(3)])
        ws.models.set_price("m", input_usd_per_mtok=1, output_usd_per_mtok=1)
        ws.store.append_many({"spans": [llm("late", "c", input_tokens=1_000_000, output_tokens=0, cost_usd=1.0)]})
    return template


def test_a_price_that_was_cut_short_is_put_on_every_call(priced: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Killed at any statement or change of a file: every cost follows the prices that are listed, each call once."""
    told = 0
    for path in cut(priced, "set_price", 37):
        caplog.clear()
        with lmops.open(path) as ws:
            listed = ws.sql("select max_by(input_usd_per_mtok, price_id) from prices").fetchall()[0][0]
            assert ws.sql("select cost_usd, count(*) from llm_calls group by 1").fetchall() == [(listed, 13)]
            assert ws.sql("select sum(cost_usd) from traces").fetchall() == [(13 * listed,)]
            assert (ws.store.pending, ws.store.check().ok, ws.audit.verify().ok) == ((), True, True)
        told += "the reprice of m, asked for by" in caplog.text and "is finished" in caplog.text
    assert told > 1


def test_a_renormalisation_that_was_cut_short_is_finished(priced: Path) -> None:
    """Killed anywhere, every span is read again, once."""
    with lmops.open(priced) as ws:
        before = state(ws.store)
    found = []
    for path in cut(priced, "renormalise", 41):
        with lmops.open(path) as ws:
            found.append(state(ws.store))
            assert (ws.store.pending, ws.store.check().ok) == ((), True)
    assert len(found[-1]["spans"]) == 13
    assert found[-1] != before
    assert all(one in (before, found[-1]) for one in found)


def test_a_retention_that_was_cut_short_says_once_what_it_removed(tmp_path: Path) -> None:
    """Killed anywhere: everything old is there, or nothing of it and one event that counts all of it."""
    template = tmp_path / "store"
    with Store.open(template) as store:
        for day in range(4):
            store.load(trace_of(f"t{day}", start=START + 3 * day * DAY))
    for path in cut(template, "retain", 19):
        with lmops.open(path) as ws:
            said = ws.sql("""select "after"->>'$.removed.spans' from audit where action = 'store.retain'""").fetchall()
            assert (count(ws.store, "traces"), count(ws.store), said) in ((4, 32, []), (2, 16, [("16",)]))
            assert (ws.store.pending, ws.store.check().ok) == ((), True)


def test_a_change_is_pending_until_it_is_done(store: Store) -> None:
    """It says what, by whom, and whether somebody works on it; its work may keep how far it came."""
    change = begin(store, arguments={"days": 3})
    (found,) = store.pending
    assert (found.kind, found.subject, found.arguments, found.actor) == ("retain", "s", {"days": 3}, "ann")
    assert found.is_running
    assert str(found).startswith("retain of s, asked for by ann at 20")

    def work(mine: PendingChange) -> int:
        with store.transaction() as con:
            store.changes.move(con, mine, {"done": [1]})
        assert store.pending[0].progress == {"done": [1]}
        return 5

    assert store.changes.carry_out(change, work) == 5
    assert store.pending == ()


def test_a_change_that_fails_stays_and_check_names_it(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """An error cuts it short; what it came to is there for the next, who finishes it."""

    def fail(_: PendingChange) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.changes.carry_out(begin(store, kind="other"), fail)
    assert "the other of s, asked for by ann" in caplog.text
    assert [one.is_running for one in store.pending] == [False]
    report = store.check()
    assert not report.ok
    assert "the other of s" in report.problems[0]
    assert "CUT SHORT" in repr(store.pending[0])
    assert [one.kind for one in store.resume({"other": lambda _store, _: None})] == ["other"]
    assert (store.pending, store.check().ok) == ((), True)


def test_what_cannot_be_finished_keeps_nobody_out(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """One change fails again and stays; the next one is finished, and one of an unknown kind is left alone."""
    for kind in ("broken", "good", "unknown"):
        leave(store, kind=kind)
    caplog.set_level(logging.WARNING)
    ways = {"broken": lambda _store, _: 1 / 0, "good": lambda _store, _: None}
    assert [one.kind for one in store.resume(ways)] == ["good"]
    assert [(one.kind, one.is_running) for one in store.pending] == [("broken", False), ("unknown", False)]
    assert "could not be finished" in caplog.text


def test_a_change_at_work_is_not_taken_over(store: Store) -> None:
    """Neither from another process that lives nor from another thread of this one."""
    begin(store)
    leave(store, kind="other")
    with store.transaction() as con:
        con.execute(
            "update pending_changes set pid = ?, pid_started = ? where kind = 'other'",
            (os.getppid(), Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()[19]),
        )
    assert store.resume({"other": lambda _store, _: pytest.fail("taken over")}) == []
    assert [one.is_running for one in store.pending] == [True, True]


def test_a_reader_says_what_is_not_finished(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """A store that is open read-only changes nothing and does not keep silent."""
    leave(store, kind="reprice", subject="m", arguments={"model": "m"})
    with lmops.open(store.path, read_only=True) as ws:
        assert len(ws.store.pending) == 1
    assert "the reprice of m, asked for by ann" in caplog.text
    assert "is not finished" in caplog.text


def test_a_compaction_meanwhile_leaves_no_span_out(store: Store) -> None:
    """Segments that are merged while spans are rewritten get their turn."""
    for part in range(4):
        store.load([llm(f"t{part}", "c")])
    merged = []

    def merge(_done: int, _all: int) -> None:
        if not merged:
            merged.append(store.compact(grace_s=0))

    assert store.rewrite_spans(lambda _row, _logs: {"cost_usd": 9.0}, on_segment=merge) == 4
    assert merged[0] > 1
    assert store.sql("select distinct cost_usd from spans").fetchall() == [(9.0,)]
