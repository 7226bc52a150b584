"""A body that does not come to its end is undone, or its failure is logged, or is a value."""

from __future__ import annotations

import doctest
import logging

import pytest

from lmops.base import endings
from lmops.base.endings import Caught, Logged, Undone

LOG = logging.getLogger("lmops.test")


def test_the_examples_hold():
    """The docstrings show what happens."""
    assert doctest.testmod(endings).failed == 0


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_whatever_ends_a_body_early_undoes_it(kind):
    """And goes on as it was."""
    undone = []
    with pytest.raises(kind), Undone(lambda: undone.append(True)):
        raise kind
    assert undone == [True]


def test_a_body_that_comes_to_its_end_is_kept():
    """Nothing is undone."""
    undone = []
    with Undone(lambda: undone.append(True)):
        pass
    assert undone == []


def test_a_failure_is_logged_and_goes_no_further(caplog):
    """With its traceback, at the level that was asked for."""
    with caplog.at_level(logging.DEBUG), Logged(LOG, "no page for %s", "a", level=logging.ERROR):
        raise ValueError("no space")
    (record,) = caplog.records
    assert (record.getMessage(), record.levelname) == ("no page for a", "ERROR")
    assert record.exc_info[0] is ValueError


def test_an_interrupt_goes_on(caplog):
    """Whoever wants to stop the program can."""
    with pytest.raises(KeyboardInterrupt), Logged(LOG, "never"):
        raise KeyboardInterrupt
    assert caplog.records == []


def test_a_failure_is_a_value():
    """None when there was none; the body after it goes on without an error around."""
    with Caught(Exception) as caught:
        raise ValueError("no space")
    assert repr(caught.error) == "ValueError('no space')"
    with Caught(Exception) as caught:
        pass
    assert caught.error is None


def test_what_is_not_asked_for_goes_on():
    """An interrupt ends the program unless it is asked for."""
    with pytest.raises(KeyboardInterrupt), Caught(Exception):
        raise KeyboardInterrupt
    with Caught(BaseException) as caught:
        raise SystemExit(3)
    assert caught.error.code == 3
