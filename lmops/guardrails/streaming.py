"""A text that comes in pieces, checked as it comes: what has passed is released while the rest is still being written.

A text is read in blocks of a fixed length, each with as much around it as a rail has to see (its window). What is found
in a block depends on the text alone, and not on how it was cut into pieces. A finding that may go on is waited for.
Rails that judge a text as a whole hold it back as a whole, unless they only flag, or find what grows with the text.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from lmops.guardrails.checking import gravest, text_of
from lmops.guardrails.contract import Finding, Given
from lmops.guardrails.redacting import Redactor
from lmops.guardrails.running import decided, verdict_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lmops.guardrails._records import Decision, Verdict
    from lmops.guardrails.checking import Checker
    from lmops.guardrails.contract import Stage
    from lmops.guardrails.running import Run

#: Characters of a block: fewer release sooner, more are cheaper.
BLOCK: Final = 128
#: A finding that ends so near to the end of what is there may go on: what closes a private key is as long.
_EDGE: Final = 40
#: What grows with a text is asked again when the text is longer by a quarter.
_GROWTH: Final = 1.25
#: So many characters are dropped at once.
_FORGOTTEN: Final = 4096


def holds_whole(run: Run) -> bool:
    """Return whether a rail has to see a text to its end before anything of it may be shown."""
    kind, action = run.rail.kind, run.rail.action
    return not _is_windowed(run) and action != "flag" and not (kind.grows and action == "block" and run.is_inline)


def _is_windowed(run: Run) -> bool:
    return run.rail.kind.window is not None and run.is_inline


def held(runs: tuple[Run, ...]) -> int | None:
    """Return how many characters a stream holds back; None where it holds back all of them."""
    if any(map(holds_whole, runs)):
        return None
    windows = [run.rail.kind.window or 0 for run in runs if _is_windowed(run)]
    return max(windows) + BLOCK if windows else 0


@dataclass(slots=True)
class _Told:
    """What one rail has said of a text up to now."""

    run: Run
    findings: list[Finding] = field(default_factory=list)
    latency_ms: float = 0.0
    failed: Verdict | None = None
    is_blocking: bool = False
    need: int = 0

    @property
    def end(self) -> int:
        return self.findings[-1].end if self.findings else 0

    def verdict(self) -> Verdict:
        if self.failed is not None:
            return replace(self.failed, latency_ms=self.latency_ms)
        return verdict_of(self.run, tuple(self.findings), self.latency_ms)


class _Text:
    """A text that grows: all of it in pieces, and in one what is still looked at."""

    def __init__(self) -> None:
        self.length = 0
        self._pieces: list[str] = []
        self._new: list[str] = []
        self._tail, self._base = "", 0

    def add(self, piece: str) -> None:
        self._pieces.append(piece)
        self._new.append(piece)
        self.length += len(piece)

    def part(self, start: int, end: int) -> str:
        if self._new:
            self._tail += "".join(self._new)
            self._new.clear()
        return self._tail[start - self._base : end - self._base]

    def forget(self, before: int) -> None:
        """Look no more at what stands before a place, once that is much."""
        if before - self._base > _FORGOTTEN:
            self._tail, self._base = self._tail[before - self._base :], before

    @property
    def whole(self) -> str:
        self._pieces = ["".join(self._pieces)]
        return self._pieces[0]


class Stream:
    """A text in pieces: ``feed`` returns what may be shown by now, ``finish`` the rest; ``decision`` is then there.

    Args:
        checker: The rails.
        stage: Where the text is met.
        context: What rails may know beside it.
        redactor: That of the request.
        spent_ms: Milliseconds of its budget that were spent before; what is checked while the text is still being
            written spends none.
    """

    def __init__(
        self,
        checker: Checker,
        stage: Stage = "output",
        *,
        context: Mapping[str, Any] | None = None,
        redactor: Redactor | None = None,
        spent_ms: float = 0.0,
    ) -> None:
        self._spent_ms = spent_ms
        self._checker, self._stage, self._context = checker, stage, context or {}
        self._redactor = redactor or Redactor()
        self._runs = checker.runs(stage)
        self._holds_whole = any(map(holds_whole, self._runs))
        self._told = [_Told(run) for run in self._runs if _is_windowed(run)]
        self._growing = [run for run in self._runs if not _is_windowed(run) and run.rail.kind.grows and run.is_inline]
        self._window = max((one.run.rail.kind.window or 0 for one in self._told), default=0)
        self._text = _Text()
        self._block, self._at, self._asked = 0, 0, 0
        self._waiting: list[Finding] = []
        self._shown: list[str] = []
        self._grown: dict[str, Verdict] = {}
        self._took_ms = 0.0
        self.decision: Decision | None = None

    def __repr__(self) -> str:
        return f"<Stream of {self._checker.policy or 'rails'}: {self._text.length:,} characters, {self._at:,} released>"

    @property
    def is_blocked(self) -> bool:
        """Whether nothing more of it may be shown."""
        return self.decision is not None and self.decision.is_blocked

    def feed(self, piece: str) -> str:
        """Take a piece and return what may be shown by now; once it is blocked, the policy's words and then nothing.

        Args:
            piece: What comes next.

        Raises:
            UsageError: It is no text.
        """
        self._text.add(text_of(piece))
        if self.decision is not None or self._holds_whole:
            return ""
        if not self._told and not self._growing:
            self._shown.append(piece)
            return piece
        return self._advanced(is_whole=False)

    def finish(self) -> str:
        """Return what is left to show; of a blocked text the policy's words, unless they were returned before."""
        if self.decision is not None:
            return ""
        if self._holds_whole:
            self.decision = self._checker.check(
                self._stage, self._text.whole, context=self._context, redactor=self._redactor, spent_ms=self._spent_ms
            )
            return self.decision.text
        shown = self._advanced(is_whole=True) if self._told or self._growing else ""
        return shown if self.decision is not None else shown + self._ended()

    # -- blocks ------------------------------------------------------------------------------------------------------

    def _advanced(self, *, is_whole: bool) -> str:
        """Read the blocks that can be read and return what they release."""
        began, released = time.perf_counter(), list[str]()
        while self._reads(is_whole=is_whole):
            self._block += 1
            if self._blocks():
                released.append(self._stopped())
                break
            released.append(self._released())
        self._took_ms += (time.perf_counter() - began) * 1000
        return "".join(released)

    def _reads(self, *, is_whole: bool) -> bool:
        """Read the next block, and return whether all of what is around it is there."""
        start = self._block * BLOCK
        end = start + BLOCK
        if start >= self._text.length or (not is_whole and self._text.length < end + self._window):
            return False
        found = []
        for told in self._told:
            if (new := self._found(told, start, end, is_whole=is_whole)) is None:
                return False
            found.append(new)
        for told, new in zip(self._told, found, strict=True):
            told.need = 0
            told.findings += new
            if told.run.rail.action == "redact":
                self._waiting += new
        return True

    def _found(self, told: _Told, start: int, end: int, *, is_whole: bool) -> list[Finding] | None:
        """Return what a rail finds that begins in a block; None where that may go on behind what is there."""
        window = told.run.rail.kind.window or 0
        reach = max(window, told.need)
        while True:
            last = end + reach
            if last > self._text.length and not is_whole:
                return None
            first = max(0, start - window)
            verdict = decided(
                told.run, Given(text=self._text.part(first, last), stage=self._stage, context=self._context)
            )
            told.latency_ms += verdict.latency_ms
            if verdict.error is not None:
                told.failed = told.failed or verdict
                told.is_blocking = told.is_blocking or verdict.action == "block"
                return []
            new = [
                one._replace(start=one.start + first, end=one.end + first)
                for one in verdict.findings
                if start <= one.start + first < end and one.start + first >= told.end
            ]
            if (is_whole and last >= self._text.length) or not any(one.end > last - _EDGE for one in new):
                told.is_blocking = told.is_blocking or (bool(new) and verdict.action == "block")
                return new
            reach *= 2
            told.need = reach

    def _blocks(self) -> bool:
        """Return whether what was read up to now must not be shown."""
        at = min(self._block * BLOCK, self._text.length)
        if self._growing and at >= self._asked * _GROWTH:
            self._asked = at
            given = Given(text=self._text.whole[:at], stage=self._stage, context=self._context)
            self._grown = {run.rail.name: decided(run, given) for run in self._growing}
        return any(one.is_blocking for one in self._told) or gravest(list(self._grown.values())) == "block"

    def _released(self) -> str:
        """Return the text up to the end of the block, unless something that is to be taken out goes on behind it."""
        end = min(self._block * BLOCK, self._text.length)
        if any(one.end > end for one in self._waiting):
            return ""
        here = [one._replace(start=one.start - self._at, end=one.end - self._at) for one in self._waiting]
        shown = self._redactor.redacted(self._text.part(self._at, end), here)
        self._at, self._waiting = end, []
        self._text.forget(end - self._window)
        self._shown.append(shown)
        return shown

    # -- the end -----------------------------------------------------------------------------------------------------

    def _stopped(self) -> str:
        """Decide on a text that is blocked before its end, and return the words for it."""
        verdicts = {one.run.rail.name: one.verdict() for one in self._told} | self._grown
        return self._decide([verdicts[run.rail.name] for run in self._runs if run.rail.name in verdicts])

    def _ended(self) -> str:
        """Ask the rest of the rails, decide, and return what is still to be shown: nothing, or the words of a block."""
        given = Given(text=self._text.whole, stage=self._stage, context=self._context)
        windowed = {one.run.rail.name: one.verdict() for one in self._told}
        rest = tuple(run for run in self._runs if run.rail.name not in windowed)
        others = self._checker.verdicts(given, rest, spent_ms=self._spent_ms)
        known = windowed | {one.rail: one for one in others}
        return self._decide([known[run.rail.name] for run in self._runs if run.rail.name in known])

    def _decide(self, verdicts: list[Verdict]) -> str:
        whole = "".join(self._shown)
        self.decision = self._checker.decided(
            self._stage, verdicts, redactor=self._redactor, text=whole, latency_ms=self._took_ms
        )
        if not self.decision.is_blocked:
            return ""
        return f"\n{self.decision.text}" if whole else self.decision.text
