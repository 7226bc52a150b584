"""The writer of a run: every case is committed before its worker goes on, and nothing else is."""

from __future__ import annotations

import asyncio

import pytest

from lmops.evals._journal import Journal as Kept
from lmops.scorers import writing
from lmops.scorers.writing import EARLY_ROWS, Writer

from .conftest import right


class Journal:
    """Keeps what it is given, batch by batch."""

    def __init__(self):
        self.batches = []
        self.was_silent = asyncio.Event()

    def write(self, rows, *, wait=True):
        self.batches.append(list(rows))
        if not rows:
            self.was_silent.set()


def written(count, *, turns=3, owns_loop=True):
    """Return the batches of so many workers, and what each found committed when it went on."""
    journal, seen = Journal(), []

    async def worker(writer, number):
        for turn in range(turns):
            await asyncio.sleep(0)
            await writer.put((number, turn))
            seen.append((number, turn) in [row for batch in journal.batches for row in batch])

    async def run():
        writer = Writer(journal, owns_loop=owns_loop)
        await asyncio.gather(*(worker(writer, number) for number in range(count)))
        await writer.close()

    asyncio.run(run())
    return journal.batches, seen


@pytest.mark.parametrize("owns_loop", [True, False])
@pytest.mark.parametrize("count", [1, EARLY_ROWS - 1, EARLY_ROWS, 2 * EARLY_ROWS + 1])
def test_what_finished_is_committed_once_and_nothing_is_committed_without_it(count, owns_loop):
    """No batch is empty: who is woken for cases that are committed already goes back to sleep."""
    batches, seen = written(count, owns_loop=owns_loop)
    assert sorted(row for batch in batches for row in batch) == [(n, turn) for n in range(count) for turn in range(3)]
    assert all(batches)
    assert seen == [True] * (3 * count)


def test_a_run_that_finishes_nothing_says_that_it_is_alive(monkeypatch):
    """An empty batch moves its heartbeat."""
    monkeypatch.setattr(writing, "HEARTBEAT_S", 0.001)
    journal = Journal()

    async def run():
        writer = Writer(journal, owns_loop=True)
        await journal.was_silent.wait()
        await writer.close()

    asyncio.run(run())
    assert journal.batches[0] == []


@pytest.mark.parametrize("status", ["interrupted", "failed"])
def test_a_batch_that_was_written_twice_counts_once(ws, quiet, rows, status):
    """Whatever stopped the run in between, its totals are those of its cases."""
    run = quiet(right, rows)
    with ws.store.reading() as con:
        kept = [dict(row) for row in con.execute("select * from eval_results")]
    journal = Kept.resume(ws.project, run.run_id, retry_errors=False, settings=None)
    journal.write(kept)
    journal.end(status, error="stopped")
    assert (run.totals.cases, run.status) == (len(rows), status)
    assert ws.audit.verify().ok
