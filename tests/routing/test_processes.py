"""What one process changes of a route is there for the others."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest

import lmops
from lmops.errors import RefusedError
from lmops.records import Project
from lmops.routing import Routing
from tests.forked import Program

TWO = {"answer@1": 1}
#: Chooses until it is refused, and says each arm that is another one than before.
CHOOSER = """
import sys, time, lmops
from lmops.errors import RefusedError
ws, before, end = lmops.open(sys.argv[1]), None, time.monotonic() + 120
try:
    while time.monotonic() < end:
        now = ws.routing.choose("support", "u1").arm
        if now != before:
            print(now, flush=True)
        before = now
        time.sleep(0.01)
except RefusedError:
    print("off", flush=True)
"""
WRITER = """
import sys, time, lmops
ws, number = lmops.open(sys.argv[1]), 0
print("begun", flush=True)
while True:
    number += 1
    ws.feedback.record("a" * 32, value=number, name="stars")
    time.sleep(0.005)
"""


def test_moves_and_switches_are_seen_elsewhere_while_others_write(routed):
    """A promotion, a rollback and a switch, with four processes that write without a pause."""
    routed.routing.set("support", {"answer@1": 1})
    routed.routing.set("support", {"answer@2": 1}, to=None)
    path = routed.store.path
    chooser, *writers = Program(CHOOSER, path), *(Program(WRITER, path) for _ in range(4))
    try:
        assert [one.stdout.readline() for one in writers] == ["begun\n"] * 4
        assert chooser.stdout.readline() == "answer@1\n"
        routed.routing.promote("support", 2, to="production")
        assert chooser.stdout.readline() == "answer@2\n"
        routed.routing.rollback("support", reason="worse")
        assert chooser.stdout.readline() == "answer@1\n"
        routed.routing.kill("support", reason="leaks")
        assert chooser.stdout.readline() == "off\n"
    finally:
        for one in (chooser, *writers):
            one.kill()
            one.wait()


def test_a_switch_counts_whatever_the_clock_of_who_made_it_says(routed):
    """One whose clock is a year behind, after one whose clock is a year ahead."""
    routed.routing.set("support", TWO)
    for year, is_off in ((2031, True), (2021, False), (2021, True)):
        project = Project(store=routed.store, actor="skewed", now=lambda year=year: datetime(year, 1, 1, tzinfo=UTC))
        other = Routing(project, models=lambda: routed.models)
        (other.kill if is_off else other.revive)("support", reason="skew")
        routed.routing._live.refresh()
        if is_off:
            with pytest.raises(RefusedError):
                routed.routing.choose("support", "u1")
        else:
            routed.routing.choose("support", "u1")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_sees_what_is_changed_after_it(routed):
    """Its thread is not there: it looks by itself."""
    routed.routing.set("support", TWO)
    routed.routing.choose("support", "u1")
    code = (
        "import os, sys, time, lmops\n"
        "ws = lmops.open(sys.argv[1])\n"
        "ws.routing.choose('support', 'u1')\n"
        "if os.fork():\n"
        "    os.wait()\n"
        "    sys.exit()\n"
        "print('forked', flush=True)\n"
        "end = time.monotonic() + 60\n"
        "try:\n"
        "    while time.monotonic() < end: ws.routing.choose('support', 'u1'), time.sleep(0.02)\n"
        "except lmops.RefusedError: print('off', flush=True)\n"
        "os._exit(0)\n"
    )
    process = Program(code, routed.store.path)
    assert process.stdout.readline() == "forked\n"
    routed.routing.kill("support", reason="leaks")
    assert process.stdout.readline() == "off\n"
    assert process.wait(60) == 0


def test_a_route_that_another_process_made_is_there_at_once(routed):
    """Who asks for a name that he has not seen looks once more."""
    with pytest.raises(lmops.NotFoundError, match="support"):
        routed.routing.choose("support", "u1")
    with lmops.open(routed.store.path, actor="other") as other:
        other.routing.set("support", TWO)
    assert routed.routing.choose("support", "u1").arm == "answer@1"
