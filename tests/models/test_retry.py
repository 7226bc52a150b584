"""When a failed call is sent again, how long it waits, and when it is given up."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from random import Random

import pytest

from lmops.errors import ModelError
from lmops.models._retry import CAP_S, backoff_s, retry_after_s

ASK = "Hello?"
NOW = 1_772_366_400.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "x", "retry-after": "9"}, 9.0),
        ({"retry-after": "-4"}, 0.0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Sun, 01 Mar 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Sun, 01 Mar 2026 11:00:00 GMT"}, 0.0),
    ],
)
def test_how_long_a_server_asks_to_wait(headers, seconds):
    """Seconds, milliseconds or a date; what makes no sense is as if it were not there."""
    assert retry_after_s(headers, NOW) == seconds


def test_backoff_grows_to_a_ceiling_with_full_jitter():
    """The draws fill the whole range from 0, and the range doubles."""
    for failures, most in ((1, 0.5), (2, 1.0), (4, 4.0), (60, CAP_S)):
        draws = [backoff_s(failures, Random(seed)) for seed in range(200)]
        assert 0 <= min(draws) < 0.1 * most
        assert 0.9 * most < max(draws) <= most
    assert backoff_s(3, Random(1)) == backoff_s(3, Random(1))


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
def test_what_may_pass_is_sent_again(ws, house, kit, status):
    """Two failures, then the answer, which says how many there were."""
    again = kit.reply({"error": {"message": "busy"}}, status=status, headers={"retry-after-ms": "5"})
    house.reply(again, again, kit.reply(kit.completion()))
    found = ws.models.complete("house", ASK)
    assert (found.content, found.retries, len(house.asked)) == ("Hello.", 2, 3)


def test_a_date_is_waited_for(ws, house, kit):
    """A server may name the moment instead of the seconds."""
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=1), usegmt=True)
    house.reply(kit.reply({}, status=429, headers={"retry-after": at}), kit.reply(kit.completion()))
    assert ws.models.complete("house", ASK).retries == 1


def test_timeouts_and_connections_are_tried_again(ws, house, kit):
    """The first answer is too slow, the second comes."""
    house.reply(kit.reply(kit.completion(), delay_s=0.6), kit.reply(kit.completion("Late.")))
    found = ws.models.complete("house", ASK, timeout_s=0.2)
    assert (found.content, found.retries) == ("Late.", 1)


def test_a_wait_beyond_the_ceiling_fails_at_once(ws, house, kit):
    """An hour is not waited for: the error says what was asked and what the ceiling is."""
    house.reply(kit.reply({"error": {"message": "quota"}}, status=429, headers={"retry-after": "3600"}))
    with pytest.raises(ModelError, match=r"1 attempt and 0\.0 s .*3,600\.0 s \(Retry-After\); max_wait_s=60") as caught:
        ws.models.complete("house", ASK)
    error = caught.value
    assert (error.kind, error.retry_after_s, error.waited_s, error.attempts) == ("rate_limit", 3600.0, 0.0, 1)
    assert len(house.asked) == 1


def test_waiting_has_a_ceiling_in_all(ws, house, kit):
    """It is given up when the next wait would go beyond it."""
    house.reply(kit.reply({}, status=429, headers={"retry-after-ms": "40"}))
    with pytest.raises(ModelError, match=r"3 attempts and 0\.1 s of waiting") as caught:
        ws.models.complete("house", ASK, max_wait_s=0.1)
    assert caught.value.waited_s == pytest.approx(0.08)
    assert len(house.asked) == 3


def test_a_server_that_asks_for_no_wait_is_not_hammered(ws, house, kit):
    """Taken at its word four times, then the waits grow as without it, and the ceiling holds."""
    house.reply(kit.reply({}, status=429, headers={"retry-after": "0"}))
    with pytest.raises(ModelError) as caught:
        ws.models.complete("house", ASK, max_wait_s=0.3)
    assert caught.value.waited_s == pytest.approx(0.3)
    assert 6 <= len(house.asked) < 30


@pytest.mark.parametrize(
    ("body", "headers"),
    [({"error": {"code": "insufficient_quota", "message": "pay"}}, {}), ({}, {"x-should-retry": "false"})],
)
def test_a_limit_that_no_waiting_lifts_is_not_repeated(ws, house, kit, body, headers):
    """An empty account, or a server that says so."""
    house.reply(kit.reply(body, status=429, headers=headers))
    with pytest.raises(ModelError) as caught:
        ws.models.complete("house", ASK)
    assert (caught.value.kind, caught.value.is_retryable, len(house.asked)) == ("rate_limit", False, 1)


def test_an_error_survives_the_way_to_another_process():
    """Runs of evaluations pickle them."""
    import pickle

    error = ModelError("busy", kind="rate_limit", is_retryable=True, status=429, retry_after_s=2.0, text="x")
    error.attempts = 4
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), vars(copy)) == (str(error), vars(error))
