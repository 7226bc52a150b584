"""The trace of a case: one root span around the task, with its scores as events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from lmops.types import EVAL_RUN_ID

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lmops.datasets import Example
    from lmops.evals._records import Plan
    from lmops.scorers import Score
    from lmops.traces import Traces

_MAX_TEXT: Final = 65_000
_EVENT: Final = "gen_ai.evaluation.result"


class CaseTracer:
    """Makes spans through the workspace's own exporter; what the task traces inside becomes part of the trace.

    Args:
        traces: The traces of the workspace.
        plan: What runs.
        run_id: The run.
    """

    def __init__(self, traces: Traces, plan: Plan, run_id: str) -> None:
        from opentelemetry import context, trace

        known = traces._instrumentation  # noqa: SLF001  # a second call would change the settings of the first
        self._is_mine = not known
        # A run may end spans faster than they are written, and none may be lost.
        self._handle = known[-1] if known else traces.instrument(max_queue=65_536, block_ms=10_000, clients=False)
        self._stop = traces.stop_instrumentation
        self._tracer = self._handle.get_tracer("lmops.evals")
        self._context, self._trace = context, trace
        self._name = f"eval {plan.name}"
        self._common: dict[str, Any] = {
            "openinference.span.kind": "CHAIN",
            EVAL_RUN_ID: run_id,
            "lmops.eval.dataset": plan.dataset,
        }

    def start(self, example: Example, repeat: int) -> Any:
        """Return the open root span of a case."""
        attributes = {
            **self._common,
            "lmops.eval.example_id": example.example_id,
            "lmops.eval.repeat": repeat,
            "input.value": _text(example.input),
        }
        return self._tracer.start_span(self._name, self._context.Context(), attributes=attributes)

    def enter(self, span: Any) -> Any:
        """Make the span current and return what ``leave`` takes."""
        return self._context.attach(self._trace.set_span_in_context(span))

    def leave(self, token: Any) -> None:
        """Put the context back."""
        self._context.detach(token)

    def end(self, span: Any, output: str | None, scores: Sequence[Score], error: Exception | None) -> str | None:
        """End the span of a case and return its trace id."""
        if output is not None:
            span.set_attribute("output.value", output[:_MAX_TEXT])
        for score in scores:
            span.add_event(_EVENT, _event(score))
        if error is not None:
            span.record_exception(error)
            span.set_status(self._trace.StatusCode.ERROR, str(error)[:4096])
        if error is None:
            span.set_status(self._trace.StatusCode.OK)
        span.end()
        found = span.get_span_context()
        return f"{found.trace_id:032x}" if found.is_valid else None

    def close(self) -> None:
        """Write what waits; what was set up for this run alone is taken down."""
        self._handle.flush()
        if self._is_mine:
            self._stop()


def _event(score: Score) -> dict[str, Any]:
    made: dict[str, Any] = {"gen_ai.evaluation.name": score.name}
    if score.value is not None:
        made["gen_ai.evaluation.score.value"] = float(score.value)
    else:
        made["error.type"] = score.status
    if score.rationale or score.reason:
        made["gen_ai.evaluation.explanation"] = (score.rationale or score.reason or "")[:4096]
    return made


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value[:_MAX_TEXT]
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()[:_MAX_TEXT]
