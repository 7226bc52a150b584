"""One case: ask, measure, score, and put everything into one row. Nothing a task or a scorer does gets out of here."""

from __future__ import annotations

import asyncio
import json
import operator
import random
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from lmops.base.endings import Caught
from lmops.evals._checked import COUNTS
from lmops.evals._records import Case, TaskResult
from lmops.evals._schema import CASES
from lmops.evals.answers import as_result, without_answer
from lmops.models import timed
from lmops.scorers import Score, ScoreInput
from lmops.scorers.asking import OUTAGE, Asking, InRun, Meter, is_interrupt, is_stopping, known_sum, words_of
from lmops.text import as_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lmops.datasets import Example
    from lmops.evals._task import Call
    from lmops.evals._tracing import CaseTracer
    from lmops.scorers import Scorer

_JSON: Final = orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY
_BACKOFF_S: Final = 0.5
_MAX_BACKOFF_S: Final = 30.0


class Cases:
    """Turns one example into one finished row.

    Args:
        run_id: The run the rows belong to.
        call: The task.
        scorers: What scores its answers.
        timeout_s: Most seconds for one attempt; None for no limit.
        retries: Further attempts after an error that may pass.
        models: What judges call; None when there is nothing to call.
        is_cached: Whether judges may be answered from the cache of models.
        tracer: Makes the trace of a case; None for no traces.
        is_looked_up: Whether answers are only read somewhere, so that the time it takes says nothing.
    """

    def __init__(
        self,
        *,
        run_id: str,
        call: Call,
        scorers: Sequence[Scorer],
        timeout_s: float | None,
        retries: int,
        models: Any = None,
        is_cached: bool = False,
        tracer: CaseTracer | None = None,
        is_looked_up: bool = False,
    ) -> None:
        self._run_id = run_id
        self._run = InRun(run_id)
        self._call = call
        self._scorers = tuple(scorers)
        self._timeout_s = timeout_s
        self._retries = retries
        self._tracer = tracer
        self._is_looked_up = is_looked_up
        self._random = random.Random()  # jitter; of its own, so that no global seed matters
        self._asking = Asking(self._scorers, models=models, is_cached=is_cached, timeout_s=timeout_s)

    def close(self) -> None:
        """Let the threads of slow scorers end."""
        self._asking.close()

    async def row(self, example: Example, repeat: int) -> tuple[Case, str | None]:
        """Return the finished row of a case, and what kind of outage made it fail, if one did.

        The worker that asks for it is in the context of the run from then on, whatever the case before left behind.
        """
        self._run.enter()
        started_ns = time.time_ns()
        span = self._tracer.start(example, repeat) if self._tracer is not None else None
        result, error, attempts, latency_ms = await self._answer(example, repeat, span)
        outage = None
        if error is None:
            output, is_json = stored(result.output)
            status, error_type, message = "ok", None, None
        else:
            output, is_json, status = None, 0, "timeout" if isinstance(error, _TimedOutError) else "error"
            kind = getattr(error, "kind", None)
            error_type = type(error).__name__.lstrip("_") + (f" ({kind})" if isinstance(kind, str) else "")
            message = words_of(error)
            outage = kind if kind in OUTAGE else _outage(error)
        meter = Meter()
        scores = await self._scores(example, repeat, result, latency_ms, meter, error) if self._scorers else []
        if meter.outage is not None and any(score.status == "error" for score in scores):
            # Not judged, and no fault of the answer: the case is to be run again.
            status, error_type, outage = "error", f"ModelError ({meter.outage.kind})", meter.outage.kind
            message = f"a scorer could not reach its model: {words_of(meter.outage)}"
        trace_id = result.trace_id
        if span is not None and self._tracer is not None:
            trace_id = self._tracer.end(span, output, scores, error)
        row = {
            **dict(zip(_TAKEN, _taken(result), strict=True)),
            "run_id": self._run_id, "example_id": example.example_id, "repeat": repeat, "status": status,
            "output": output, "output_is_json": is_json, "error_type": error_type, "error": message,
            "latency_ms": latency_ms,
            "scoring_cost_usd": meter.cost_usd, "attempts": attempts, "trace_id": trace_id,
            "cluster": example.cluster, "documents": _listed(result.documents),
            "tool_calls": _listed(result.tool_calls), "started_ns": started_ns, "scores": packed(scores),
        }  # fmt: skip  # columns that belong together share a line
        return row, outage

    # -- the answer ------------------------------------------------------------------------------------------------

    async def _answer(
        self, example: Example, repeat: int, span: Any
    ) -> tuple[TaskResult, Exception | None, int, float | None]:
        """Return the answer or the error of the last attempt, the attempts, and its milliseconds."""
        attempts = 0
        spent = _NOTHING
        while True:
            attempts += 1
            token = self._tracer.enter(span) if self._tracer is not None else None
            error: Exception | None = None
            try:
                with Caught(BaseException) as caught, timed() as watch:
                    result = as_result(await self._attempt(example, repeat))
            finally:
                if self._tracer is not None:
                    self._tracer.leave(token)
            if caught.error is not None:
                result, error = _failed(caught.error)
            # What was looked up, recorded or kept by a cache, was not waited for.
            latency_ms = None if self._is_looked_up or watch.is_looked_up else watch.ms
            if attempts > 1:
                result = _with_spent(result, spent)
            if error is None:
                return result, None, attempts, latency_ms if result.latency_ms is None else result.latency_ms
            if attempts > self._retries or not _may_pass(error):
                return result, error, attempts, latency_ms
            spent = result
            await asyncio.sleep(self._delay(error, attempts))

    async def _attempt(self, example: Example, repeat: int) -> Any:
        if self._timeout_s is None:
            return await self._call(example, repeat)
        try:
            async with asyncio.timeout(self._timeout_s) as limit:
                return await self._call(example, repeat)
        except TimeoutError as error:
            if limit.expired():
                raise _TimedOutError(f"the task took longer than {self._timeout_s:g} s (timeout_s)") from error
            raise

    def _delay(self, error: Exception, attempts: int) -> float:
        asked = getattr(error, "retry_after_s", None)
        if isinstance(asked, int | float) and asked > 0:
            return float(asked)
        return min(_BACKOFF_S * 2.0 ** (attempts - 1), _MAX_BACKOFF_S) * (0.5 + self._random.random() / 2)

    # -- scores ----------------------------------------------------------------------------------------------------

    async def _scores(
        self,
        example: Example,
        repeat: int,
        result: TaskResult,
        latency_ms: float | None,
        meter: Meter,
        error: Exception | None,
    ) -> list[Score]:
        if error is not None:
            reason = f"the task failed: {type(error).__name__.lstrip('_')}"
            return [Score(name=scorer.name, status="unmeasured", reason=reason) for scorer in self._scorers]
        given = ScoreInput(
            output=result.output,
            expected=example.expected,
            example=example.as_dict(),
            documents=_list(result.documents if result.documents is not None else example.documents),
            tool_calls=_list(result.tool_calls),
            latency_ms=latency_ms,
            cost_usd=result.cost_usd,
            input_tokens=result.input_tokens,
            output_tokens=result.output_tokens,
            trace_id=result.trace_id,
            repeat=repeat,
            **self._asking.calls(meter),
        )
        return [await self._asking.score(scorer, given) for scorer in self._scorers]


class _TimedOutError(TimeoutError):
    """An attempt took longer than the runner allows."""


class _CancelledTaskError(RuntimeError):
    """A task ended with a cancellation that nobody outside asked for."""


_NOTHING: Final = TaskResult(None)
#: What a case keeps of an answer as it is.
_TAKEN: Final = tuple(name for name in CASES.stored if name in TaskResult.__dataclass_fields__)
_taken: Final = operator.attrgetter(*_TAKEN)
_SPENT: Final = (*COUNTS, "cost_usd")


def _failed(raised: BaseException) -> tuple[TaskResult, Exception]:
    """Return what is recorded of a task that raised: one bad case does not end the others; raise what ends the run."""
    if isinstance(raised, Exception):
        return without_answer(raised), raised
    if isinstance(raised, asyncio.CancelledError) and not is_stopping():
        return _NOTHING, _CancelledTaskError(str(raised) or "the task cancelled itself")
    if isinstance(raised, asyncio.CancelledError | GeneratorExit) or is_interrupt(raised):
        raise raised
    # A library that calls sys.exit ends its case, not the run.
    return _NOTHING, RuntimeError(f"the task raised {type(raised).__name__}: {words_of(raised)}")


def _outage(error: Exception) -> str | None:
    """Return the kind of outage that an error without a kind may come from: an endpoint that hangs, or is gone."""
    if isinstance(error, _TimedOutError):
        return "timeout"
    return "connection" if isinstance(error, ConnectionError) else None


def _may_pass(error: Exception) -> bool:
    """Return whether an error may be gone the next time; not when the server asks for more patience than there is."""
    asked = getattr(error, "retry_after_s", None)
    if isinstance(asked, int | float) and asked > _MAX_BACKOFF_S:
        return False
    retryable = getattr(error, "is_retryable", None)
    return bool(retryable) if retryable is not None else isinstance(error, ConnectionError)


def _with_spent(result: TaskResult, spent: TaskResult) -> TaskResult:
    """Return a result with what is known to have been spent on the attempts before it."""
    return replace(result, **{name: known_sum((getattr(spent, name), getattr(result, name))) for name in _SPENT})


def stored(output: Any) -> tuple[str | None, int]:
    """Return an output as text, and 1 when that is JSON."""
    if output is None or type(output) is str:
        return output, 0
    if isinstance(output, str):
        return str(output), 0
    return _json(output), 1


def _json(value: Any) -> str:
    """Return any value as JSON: what has no JSON form as its text."""
    try:
        return orjson.dumps(value, default=str, option=_JSON).decode()
    except (TypeError, ValueError, RecursionError):  # lone surrogates, huge integers, or something that holds itself
        try:
            return json.dumps(value, default=str)
        except (TypeError, ValueError, RecursionError):
            return json.dumps(as_text(value))


def _listed(values: Any) -> str | None:
    return None if values is None else _json(values)


def _list(values: Sequence[Any] | None) -> list[Any] | None:
    return values if values is None or isinstance(values, list) else list(values)


def packed(scores: Sequence[Score]) -> str:
    """Return scores as they are stored with their case."""
    if not scores:
        return "[]"
    packed = [
        [
            score.name,
            None if score.value is None else float(score.value),
            score.status,
            score.reason,
            score.rationale,
            None if score.detail is None else _json(score.detail),
        ]
        for score in scores
    ]
    try:
        return orjson.dumps(packed).decode()
    except (orjson.JSONEncodeError, UnicodeEncodeError):
        # A judge quotes what it was given, lone surrogates included.
        return orjson.dumps([[_utf8(value) for value in row] for row in packed]).decode()


def _utf8(value: Any) -> Any:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
