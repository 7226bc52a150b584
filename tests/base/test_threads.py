"""Threads beside who asks."""

from __future__ import annotations

import contextvars
import threading

import pytest

from lmops.base.threads import Threads

PLACE = contextvars.ContextVar("PLACE", default="none")


def test_what_is_begun_tells_of_its_end():
    """What it returned, or what it raised; the caller's context is there."""
    threads = Threads()
    PLACE.set("here")
    assert threads.start(PLACE.get).result(60) == "here"
    with pytest.raises(SystemExit):
        threads.start(_leave).result(60)
    threads.close()


def _leave():
    raise SystemExit


def test_a_thread_that_is_left_alone_is_used_again_when_it_has_ended():
    """And not before."""
    threads, release = Threads(), threading.Event()
    left = threads.start(lambda: release.wait(60) and threading.get_ident())
    other = threads.start(threading.get_ident).result(60)
    release.set()
    assert left.result(60) != other
    meet = threading.Barrier(2)
    both = [threads.start(lambda: meet.wait(60) >= 0 and threading.get_ident()) for _ in range(2)]
    assert {one.result(60) for one in both} == {left.result(60), other}
    threads.close()
