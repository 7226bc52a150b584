"""When an arm is left alone, and when it is asked again."""

from __future__ import annotations

from lmops.routing._records import CircuitSettings
from lmops.routing.circuits import Circuit

RULES = CircuitSettings(failures=3, of=5, window_s=10, open_s=4)


def fed(*calls):
    found = Circuit()
    for at, is_ok in calls:
        assert found.take(RULES, at)
        found.told(RULES, at, is_ok=is_ok)
    return found


def test_it_opens_at_the_failures_it_says():
    """Not before, and other calls between them do not matter."""
    found = fed((0, False), (1, True), (2, False), (3, True))
    assert found.state(RULES, 3) == "closed"
    found.told(RULES, 4, is_ok=False)
    assert (found.state(RULES, 4), found.take(RULES, 5)) == ("open", False)


def test_old_failures_do_not_count():
    """Those before the window, and those before the last so many calls."""
    assert fed((0, False), (1, False), (12, False)).state(RULES, 12) == "closed"
    many = fed((0, False), (0, False), *[(1, True)] * 4, (2, False))
    assert many.state(RULES, 2) == "closed"


def test_after_its_time_one_request_tries():
    """Only one; an answer closes it, and what failed before is forgotten."""
    found = fed((0, False), (0, False), (0, False))
    assert [found.take(RULES, 4), found.take(RULES, 4)] == [True, False]
    found.told(RULES, 5, is_ok=True)
    assert (found.state(RULES, 5), found.failures(RULES, 5)) == ("closed", 0)


def test_a_trial_that_fails_opens_it_anew():
    """For the same time from then on."""
    found = fed((0, False), (0, False), (0, False))
    assert found.take(RULES, 4)
    found.told(RULES, 6, is_ok=False)
    assert (found.state(RULES, 9), found.state(RULES, 10)) == ("open", "half_open")


def test_a_trial_that_says_nothing_lets_another_one_try():
    """Such as one that was cancelled."""
    found = fed((0, False), (0, False), (0, False))
    assert found.take(RULES, 4)
    found.told(RULES, 5, is_ok=None)
    assert (found.state(RULES, 5), found.take(RULES, 5)) == ("half_open", True)


def test_what_was_under_way_when_it_opened_does_not_prolong_it():
    """A request of before that fails late."""
    found = fed((0, False), (0, False), (0, False))
    found.told(RULES, 3, is_ok=False)
    assert found.state(RULES, 4) == "half_open"
