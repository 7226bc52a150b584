"""What was acknowledged is what is there: whatever is sent again, whoever dies, in whatever order."""

from __future__ import annotations

import itertools
import json
import os
import signal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lmops
from lmops.feedback import Queues
from lmops.records import Project
from tests.forked import Program

ITEMS = [f"{number:032x}" for number in range(1, 6)]
NAMES = itertools.count()
ACTS = st.tuples(
    st.sampled_from(["ann", "bob"]),
    st.sampled_from(["next", "label", "skip", "undo", "again", "wait", "restart"]),
    st.integers(1, len(ITEMS)),
    st.sampled_from(["pass", "fail"]),
)
WORKER = """
import sys, lmops
path, rater = sys.argv[1:]
with lmops.open(path) as ws:
    for sequence in range(1, 10_000):
        turn = ws.feedback.queues.next("q", rater=rater)
        kept = ws.feedback.queues.label("q", turn.position, {"verdict": "pass"}, rater=rater, client=rater,
                                        sequence=sequence)
        print(kept.sequence, turn.position, flush=True)
"""


class Model:
    """What raters did and did not take back, by the acknowledgements alone."""

    def __init__(self):
        self.stacks = {"ann": [], "bob": []}
        self.sent = {}
        self.numbers = {}

    def act(self, queues, queue, who, what, at, verdict):
        """Do one thing as a page does it, and note what was acknowledged."""
        if what in ("label", "skip", "undo"):
            self.numbers[who] = self.numbers.get(who, 0) + 1
        send = {"rater": who, "client": f"{queue}-{who}", "sequence": self.numbers.get(who, 0)}
        if what == "next":
            queues.next(queue, rater=who)
            return
        if what == "again":
            for call, first in self.sent.get(who, []):
                repeated = call(queues)
                assert (repeated.seq, repeated.is_repeated) == (first.seq, True)
            return
        calls = {
            "label": lambda queues: queues.label(queue, at, {"verdict": verdict}, **send),
            "skip": lambda queues: queues.skip(queue, at, **send),
            "undo": lambda queues: queues.undo(queue, **send),
        }
        kept = calls[what](queues)
        stack = self.stacks[who]
        if what == "undo":
            assert (kept is None) == (not stack)
        if kept is not None:
            self.sent.setdefault(who, []).append((calls[what], kept))
            stack.pop() if what == "undo" else stack.append((at, what, verdict))

    def labels(self):
        """Return what holds: (rater, position, verdict)."""
        found = {(who, at): (what, verdict) for who, stack in self.stacks.items() for at, what, verdict in stack}
        return sorted((who, at, verdict) for (who, at), (what, verdict) in found.items() if what == "label")


def held(ws, queue):
    """Return the labels that the store has."""
    rows = ws.sql("select rater, position, field_values from labels where queue = ?", [queue]).fetchall()
    return sorted((who, at, json.loads(values)["verdict"]["value"]) for who, at, values in rows)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=st.lists(ACTS, max_size=20))
def test_any_interleaving_ends_in_the_acknowledged_state(tmp_path, clock, acts):
    """Labels, undos, retries, lapsed time and restarts of two raters, against what was acknowledged."""
    path, queue, model = tmp_path / ".lmops", f"q{next(NAMES)}", Model()
    ws = lmops.open(path, actor="tester")
    ws.feedback.schemas.save("support")
    ws.feedback.queue(queue, ITEMS, schema="support", overlap=0.4)
    for who, what, at, verdict in acts:
        if what == "wait":
            clock.advance(seconds=200)
        elif what == "restart":
            ws.close()
            ws = lmops.open(path, actor="tester")
        else:
            model.act(Queues(Project(store=ws.store, actor="x", now=clock)), queue, who, what, at, verdict)
    assert held(ws, queue) == model.labels()
    rows = ws.sql("select needs, done, position from queue_items where queue = ?", [queue]).fetchall()
    with ws.store.reading() as con:
        full = {row[0] for row in con.execute("select position from queue_full where queue = ?", (queue,))}
        taken = "select count(*) from queue_turns where queue = ? and position = ? and status <> 'skipped'"
        assert full == {at for needs, _, at in rows if con.execute(taken, (queue, at)).fetchone()[0] >= needs}
    assert ws.audit.verify().ok
    ws.close()


@pytest.mark.skipif(os.name == "nt", reason="processes are killed by a signal")
def test_nothing_acknowledged_is_lost_when_raters_are_killed(tmp_path):
    """Three raters in processes of their own, killed at once: each acknowledged label is there, none is there twice."""
    path = str(tmp_path / ".lmops")
    with lmops.open(path) as ws:
        ws.feedback.schemas.save("support")
        ws.feedback.queue("q", [f"{number:032x}" for number in range(2_000)], schema="support")
    raters = {name: Program(WORKER, path, name) for name in ("ann", "bob", "cy")}
    heard = {name: [one.stdout.readline() for _ in range(5)] for name, one in raters.items()}
    for one in raters.values():
        one.send_signal(signal.SIGKILL)
    for name, one in raters.items():
        heard[name] += [line for line in one.communicate()[0].splitlines(keepends=True) if line.endswith("\n")]
    with lmops.open(path) as ws:
        rows = ws.sql("select client, sequence, position from label_history order by 1, 2").fetchall()
        assert len({position for *_, position in rows}) == len(rows)
        for name, lines in heard.items():
            kept = [f"{sequence} {position}\n" for client, sequence, position in rows if client == name]
            assert kept[: len(lines)] == lines
            assert len(kept) - len(lines) <= 1
        assert ws.audit.verify().ok
