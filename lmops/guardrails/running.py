"""One rail on one text: whatever it does, raise, hang or return nonsense, becomes a verdict."""

from __future__ import annotations

import functools
import math
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

from lmops.base.endings import Caught
from lmops.base.threads import Threads
from lmops.errors import MissingDependencyError, UsageError
from lmops.guardrails._records import Verdict
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lmops.base.threads import Started
    from lmops.guardrails.contract import Finding, Given, Rail

#: Rails of ours end in time that is linear in their text and wait for nothing: they need no thread.
_OURS: Final = "lmops.guardrails.rails."
#: Checks of one rail that have not ended when they should have; with so many it is asked no more until one ends.
MAX_HUNG: Final = 16
_MAX_ERROR: Final = 200
_threads = Threads("lmops-rail")
_hung: Counter[int] = Counter()
_hung_lock = threading.Lock()


class Run(NamedTuple):
    """A rail as it is asked, with what is found out once.

    Args:
        rail: The rail.
        version: Hash of its configuration.
        is_inline: It is asked in the thread of who checks.
    """

    rail: Rail
    version: str
    is_inline: bool


class Asked(NamedTuple):
    """A rail that was asked and has not answered yet."""

    run: Run
    given: Given
    began: float
    answer: Started[list[Finding]]


def run_of(rail: Rail) -> Run:
    """Return a rail as it is asked."""
    return Run(rail, rail.config_hash, str(rail.kind.function.__module__).startswith(_OURS))


def decided(run: Run, given: Given) -> Verdict:
    """Return the verdict of a rail that is asked in this thread."""
    began = time.perf_counter()
    with Caught(Exception) as caught:
        found = checked(run.rail.find(given), given.text)
    if caught.error is not None:
        return failed(run, _words(caught.error), began)
    return verdict_of(run, found, _ms_since(began))


def begun(run: Run, given: Given) -> Asked | Verdict:
    """Ask a rail beside this thread; of one whose checks hang return a verdict that says so."""
    began, key = time.perf_counter(), id(run.rail.kind.function)
    if _hung[key] >= MAX_HUNG:
        return failed(run, f"{MAX_HUNG} of its checks have not ended: it is asked again when one has", began)
    return Asked(run, given, began, _threads.start(run.rail.find, given))


def awaited(asked: Asked, *, until: float) -> Verdict:
    """Return the verdict of a rail that was asked, however it ends; one that is late is left alone.

    Args:
        asked: What was begun.
        until: When the time of the request is over, as ``time.perf_counter`` has it.
    """
    run, rail = asked.run, asked.run.rail
    end = min(asked.began + rail.timeout_s, until)
    with Caught(BaseException) as caught:
        found = checked(asked.answer.result(max(0.0, end - time.perf_counter())), asked.given.text)
    error = caught.error
    if error is None:
        return verdict_of(run, found, _ms_since(asked.began))
    if isinstance(error, KeyboardInterrupt) and not asked.answer.done():
        raise error  # of who waits, and not of the rail
    if isinstance(error, TimeoutError) and not asked.answer.done():
        _leave(asked)
        why = f"{rail.timeout_s:g} s" if end < until else "the budget of its request"
        return failed(run, f"it took longer than {why}", asked.began)
    return failed(run, _words(error), asked.began)


def failed(run: Run, why: str, began: float) -> Verdict:
    """Return the verdict of a rail that could not decide: it blocks or is flagged, as its policy says."""
    closed = run.rail.on_error == "closed"
    return Verdict(
        rail=run.rail.name,
        kind=run.rail.kind.name,
        action="block" if closed else "flag",
        reason=f"it could not decide, and fails {run.rail.on_error}",
        latency_ms=_ms_since(began),
        version=run.version,
        error=why,
    )


def checked(found: Sequence[Finding], text: str) -> tuple[Finding, ...]:
    """Return what a rail found, once it is known to be findings in this text.

    Raises:
        UsageError: It is something else.
    """
    for one in found:
        if not (_is_place(one.start) and _is_place(one.end) and one.start <= one.end <= len(text)):
            said = plain_line(f"{one.start!r} to {one.end!r}", 60)
            raise UsageError(f"it found something from {said} in a text of {len(text):,} characters")
        if not isinstance(one.kind, str) or not one.kind:
            raise UsageError("it found something without a kind")
        if one.score is not None and not _is_score(one.score):
            raise UsageError(f"it gave a score of {plain_line(repr(one.score), 40)}, and not of 0 to 1")
    return tuple(found)


def _is_place(given: object) -> bool:
    return isinstance(given, int) and not isinstance(given, bool) and given >= 0


def _is_score(given: object) -> bool:
    return isinstance(given, int | float) and math.isfinite(given) and 0 <= given <= 1


def verdict_of(run: Run, found: tuple[Finding, ...], latency_ms: float) -> Verdict:
    """Return the verdict of a rail on what it found.

    Args:
        run: The rail.
        found: What it found, in the order of the text.
        latency_ms: Milliseconds it took.
    """
    scores = [one.score for one in found if one.score is not None]
    action = run.rail.action if found else "allow"
    reason = _counted(found)
    if action == "redact" and not all(one.end > one.start for one in found):
        # what cannot be taken out must not go on
        action, reason = "block", f"{reason}: there is nothing to take out of the text"
    return Verdict(
        rail=run.rail.name,
        kind=run.rail.kind.name,
        action=action,
        findings=found,
        score=max(scores) if scores else None,
        reason=reason,
        latency_ms=latency_ms,
        version=run.version,
    )


def _ms_since(began: float) -> float:
    return (time.perf_counter() - began) * 1000


def _counted(found: tuple[Finding, ...]) -> str:
    """Return what was found in words: the kinds with how often; "" for nothing."""
    counts = Counter(one.kind for one in found)
    listed = ", ".join(
        plain_line(kind, 60) if n == 1 else f"{n:,} {plain_line(kind, 60)}" for kind, n in counts.items()
    )
    return plain_line(listed, 300)


def _words(error: BaseException) -> str:
    """Return what a rail raised, without what its message may hold of the text."""
    if isinstance(error, UsageError | MissingDependencyError):
        return plain_line(str(error), _MAX_ERROR)
    return f"it raised {plain_line(type(error).__name__, 80)}"


def _leave(asked: Asked) -> None:
    """Count a check that goes on by itself, until it ends."""
    key = id(asked.run.rail.kind.function)
    with _hung_lock:
        _hung[key] += 1
    asked.answer.add_done_callback(functools.partial(_ended, key))


def _ended(key: int, _answer: object) -> None:
    with _hung_lock:
        _hung[key] -= 1
