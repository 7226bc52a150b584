"""When a failed call is sent again, and when it is given up."""

from __future__ import annotations

import asyncio
import email.utils
import math
from typing import TYPE_CHECKING, Any, Final, TypeVar

from lmops.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from random import Random

    from lmops.models._limits import Limiter, Outcome

T = TypeVar("T")

BASE_S: Final = 0.5
CAP_S: Final = 16.0
#: So many times a server that asks for a short wait gets just that.
TAKEN_AT_ITS_WORD: Final = 4
#: Statuses by which an endpoint says that it gets too much.
OVERLOADED: Final = frozenset({429, 503, 529})


def retry_after_s(headers: Mapping[str, str], now_s: float) -> float | None:
    """Return how long a server asks to wait, in seconds and never negative; None when it does not say.

    Args:
        headers: ``retry-after-ms``, or ``retry-after`` in seconds or as an HTTP date; names in lower case.
        now_s: The present, in seconds since 1970 UTC.

    >>> retry_after_s({"retry-after": "2.5"}, 0), retry_after_s({"retry-after": "soon"}, 0)
    (2.5, None)
    """
    for name, scale in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) / scale
        except ValueError:
            continue
        if math.isfinite(seconds):
            return max(seconds, 0.0)
    try:
        at = email.utils.parsedate_to_datetime(headers.get("retry-after", ""))
        return max(at.timestamp() - now_s, 0.0)
    except (TypeError, ValueError, OverflowError, IndexError):
        return None


def backoff_s(failures: int, random: Random) -> float:
    """Return the wait after so many failures: exponential with full jitter, 0 to at most ``CAP_S`` seconds."""
    return random.uniform(0.0, min(CAP_S, BASE_S * 2.0 ** min(failures - 1, 20)))


async def with_retries(
    attempt: Callable[[], Awaitable[T]],
    *,
    limiter: Limiter,
    max_wait_s: float,
    random: Random,
    on_retry: Callable[[ModelError, float, int], Any],
) -> tuple[T, int]:
    """Return the result of the first attempt that succeeds, and how many failed before it.

    Args:
        attempt: Sends the request once; raises ModelError.
        limiter: Gives the slots.
        max_wait_s: Most seconds to wait between attempts in all; waiting for a slot does not count.
        random: Draws the jitter.
        on_retry: Told the error, the wait in seconds and the number of the failed attempt, before each wait.

    Raises:
        ModelError: The last failure, when it is none to repeat or the time to wait is used up.
    """
    waited, failures = 0.0, 0
    while True:
        result, error = await _once(attempt, limiter)
        if error is None:
            return result, failures  # type: ignore[return-value]  # there is one or the other
        failures += 1
        error.attempts, error.waited_s = failures, waited
        if not error.is_retryable:
            raise error
        left = max_wait_s - waited
        asked = error.retry_after_s
        if left <= 0 or (asked is not None and asked > left):
            raise _given_up(error, max_wait_s)
        wait = _wait_s(asked, failures, left, random)
        on_retry(error, wait, failures)
        if asked is not None:
            limiter.pause(asked)
        await asyncio.sleep(wait)
        waited += wait


def _wait_s(asked: float | None, failures: int, left: float, random: Random) -> float:
    """Return the next wait: what the server asks, or our own; our own as well when it keeps asking for too little."""
    if asked is None:
        return min(backoff_s(failures, random), left)
    patience = failures - TAKEN_AT_ITS_WORD
    return max(asked, min(backoff_s(patience, random), left)) if patience > 0 else asked


async def _once(attempt: Callable[[], Awaitable[T]], limiter: Limiter) -> tuple[T | None, ModelError | None]:
    cuts = await limiter.acquire()
    outcome: Outcome = "other"
    try:
        result = await attempt()
        outcome = "ok"
    except ModelError as error:
        outcome = "overload" if error.status in OVERLOADED and error.is_retryable else "other"
        return None, error
    finally:
        limiter.release(cuts, outcome)
    return result, None


def _given_up(error: ModelError, max_wait_s: float) -> ModelError:
    tries = "1 attempt" if error.attempts == 1 else f"{error.attempts} attempts"
    asked = ""
    if error.retry_after_s is not None:
        asked = f"; the server asks for another {error.retry_after_s:,.1f} s (Retry-After)"
    said = f"{error} (given up after {tries} and {error.waited_s:,.1f} s of waiting{asked}; max_wait_s={max_wait_s:g})"
    final = ModelError(
        said,
        kind=error.kind,
        is_retryable=True,
        status=error.status,
        retry_after_s=error.retry_after_s,
        text=error.text,
    )
    final.attempts, final.waited_s = error.attempts, error.waited_s
    return final
