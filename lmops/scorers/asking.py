"""Scores one output at a time, with what its scorers may ask: nothing that a scorer does gets out of here."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from lmops.base.endings import Caught
from lmops.base.threads import Threads
from lmops.errors import LmopsError, ModelError
from lmops.scorers._records import Score
from lmops.text import as_text, plain
from lmops.types import EVAL_RUN_ID

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Mapping, Sequence

    from lmops.scorers._records import ScoreInput
    from lmops.scorers._scorer import Scorer

_MAX_ERROR: Final = 10_000
#: A scorer that holds up the loop for so long is moved to a thread, when it does so so many times in a row: once, it
#: may have waited for a busy machine.
_SLOW_S: Final = 0.02
_SLOW_TIMES: Final = 2
#: Errors that say that the endpoint is gone rather than that this output is bad.
OUTAGE: Final = frozenset({"rate_limit", "timeout", "server", "auth", "connection"})
#: What a scorer takes that asks a model.
_ASKS: Final = frozenset({"complete", "embed"})


def asks(scorer: Scorer) -> bool:
    """Return whether a scorer asks a model, and so may cost something."""
    return not _ASKS.isdisjoint(scorer.parameters)


def known_sum(values: Iterable[Any]) -> Any:
    """Return the sum of the values that are known; None when none is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


class Meter:
    """What judges spent on one output, and the error of one whose model could not be reached."""

    __slots__ = ("cost_usd", "outage")

    def __init__(self) -> None:
        self.cost_usd: float | None = None
        self.outage: ModelError | None = None

    def add(self, answer: Any) -> None:
        """Count the cost of an answer, where there is one and it is known."""
        self.cost_usd = known_sum((self.cost_usd, getattr(answer, "cost_usd", None)))

    async def count(self, asked: Awaitable[Any]) -> Any:
        """Return what a model answers; one that cannot be used has its price as well, and why there is none is kept."""
        try:
            found = await asked
        except ModelError as error:
            self.add(error.completion)
            if error.kind in OUTAGE:
                self.outage = error
            raise
        self.add(found)
        return found


class InRun:
    """Lets every span that is made in a worker, by the task or a judge, say which run it belongs to.

    Args:
        run_id: The run.
    """

    def __init__(self, run_id: str) -> None:
        from opentelemetry import context

        self._attach = context.attach
        self._inside = context.set_value(EVAL_RUN_ID, run_id)

    def enter(self) -> None:
        """Put whoever calls into the context of the run; it is a task of its own, which ends with the run."""
        self._attach(self._inside)


class Asking:
    """Lets scorers score.

    Args:
        scorers: All that will.
        models: What judges call; None when there is nothing to call.
        is_cached: Whether judges may be answered from the cache of models.
        timeout_s: Most seconds for one score of a judge; None for no limit.
    """

    def __init__(
        self, scorers: Sequence[Scorer], *, models: Any = None, is_cached: bool = False, timeout_s: float | None = None
    ) -> None:
        self._models = models
        self._is_cached = is_cached
        self._timeout_s = timeout_s
        self._slow: dict[str, int] = {}
        self._threads = Threads()
        self._needs_models = models is not None and any(map(asks, scorers))

    def close(self) -> None:
        """Let the threads of slow scorers end."""
        self._threads.close()

    def calls(self, meter: Meter) -> dict[str, Any]:
        """Return ``complete`` and ``embed`` of a :class:`ScoreInput`; what they cost is on the meter."""
        if not self._needs_models:
            return {"complete": None, "embed": None}
        return {"complete": self._completing(meter), "embed": self._embedding(meter)}

    async def score(self, scorer: Scorer, given: ScoreInput) -> Score:
        """Return the score of one output; whatever goes wrong is in it."""
        with Caught(BaseException) as caught:
            if scorer.is_async:
                async with asyncio.timeout(self._timeout_s):
                    return await scorer.ascore(given)
            slow_times = self._slow.get(scorer.name, 0)
            if slow_times >= _SLOW_TIMES:
                return await self._threads.run(scorer.score, given)
            began = time.perf_counter()
            score = scorer.score(given)
            if time.perf_counter() - began > _SLOW_S:
                self._slow[scorer.name] = slow_times + 1
            elif slow_times:
                self._slow[scorer.name] = 0
            return score
        assert caught.error is not None
        return Score(name=scorer.name, status="error", reason=self._why_unscored(caught.error))

    def _why_unscored(self, raised: BaseException) -> str:
        """Return why there is no score; what ends the run goes on."""
        if isinstance(raised, asyncio.CancelledError) and not is_stopping():
            return "the scorer cancelled itself"
        if isinstance(raised, KeyboardInterrupt) and not is_interrupt(raised):
            return "KeyboardInterrupt"
        if not isinstance(raised, Exception):
            raise raised
        words = words_of(raised) if str(raised) or self._timeout_s is None else f"longer than {self._timeout_s:g} s"
        return f"{type(raised).__name__}: {words}"

    def _completing(self, meter: Meter) -> Any:
        async def complete(
            model: str,
            messages: list[dict[str, Any]],
            *,
            params: Mapping[str, Any] | None = None,
            response_schema: Mapping[str, Any] | None = None,
            repeat: int = 0,
        ) -> Any:
            return await meter.count(
                self._models.acomplete(
                    model,
                    messages,
                    params=params,
                    response_schema=response_schema,
                    cache=self._is_cached,
                    repeat=repeat,
                )
            )

        return complete

    def _embedding(self, meter: Meter) -> Any:
        async def embed(model: str, texts: Sequence[str]) -> Any:
            return await meter.count(self._models.aembed(model, list(texts)))

        return embed


def is_stopping() -> bool:
    """Return whether a cancellation came from outside."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def is_interrupt(raised: BaseException) -> bool:
    """Return whether somebody pressed Ctrl+C, which only the main thread hears of."""
    return isinstance(raised, KeyboardInterrupt) and threading.current_thread() is threading.main_thread()


def words_of(error: BaseException) -> str:
    """Return what an error says, as plain text of bounded length."""
    text = as_text(error)
    return plain(text or ("" if isinstance(error, LmopsError) else repr(error)), _MAX_ERROR)
