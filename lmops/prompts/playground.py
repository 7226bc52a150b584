"""Trying versions of a prompt on inputs: every version, every input, one call of a model each, answers as they come."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from lmops.errors import LmopsError, UsageError
from lmops.prompts.calls import recovered, remembered
from lmops.prompts.rendering import analyse, render
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    import pandas as pd

    from lmops.prompts._records import PromptVersion
    from lmops.store import Store

CONCURRENCY: Final = 8
#: characters at which a span cuts a variable
_CUT: Final = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What is tried: template messages and how the model is called. ``ref`` is None for one that is not saved.

    Tools that are given by name only cannot be offered here and are left out.
    """

    label: str
    messages: Sequence[Mapping[str, str]]
    model: str | None
    params: Mapping[str, Any] = field(default_factory=dict)
    tools: Sequence[Any] | None = None
    response_schema: Mapping[str, Any] | None = None
    ref: str | None = None

    @classmethod
    def of(cls, version: PromptVersion, *, model: str | None = None) -> Candidate:
        """Return a saved version as it would be called, on another model when one is given."""
        return cls(
            label=version.ref,
            messages=version.messages,
            model=model or version.model,
            params=version.params,
            tools=version.tools,
            response_schema=version.response_schema,
            ref=version.ref,
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Trial:
    """One answer, or what went wrong instead; what is not known is None. ``error_kind`` is "prompt" for a template."""

    candidate: int
    input: int
    label: str
    model: str | None
    variables: Mapping[str, Any]
    messages: Sequence[Mapping[str, str]] | None = None
    output: str | None = None
    tool_calls: tuple[tuple[str, str], ...] = ()
    error: str | None = None
    error_kind: str | None = None
    latency_ms: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    finish_reason: str | None = None
    is_cached: bool = False
    trace_id: str | None = None

    def __repr__(self) -> str:
        said = self.error or self.output or ", ".join(name for name, _ in self.tool_calls)
        return f"<Trial {self.label} on {self.model}: {plain_line(said, 60)!r}>"


class Complete(Protocol):
    """The call of a model: ``ws.models.acomplete``."""

    def __call__(
        self,
        model: str,
        messages: Any,
        /,
        *,
        params: Any = None,
        tools: Any = None,
        response_schema: Any = None,
        prompt: Any = None,
    ) -> Awaitable[Any]:
        """Return a completion."""


async def try_versions(
    candidates: Sequence[Candidate],
    inputs: Sequence[Mapping[str, Any]],
    *,
    complete: Complete,
    on_trial: Callable[[Trial], None] | None = None,
    concurrency: int = CONCURRENCY,
) -> list[Trial]:
    """Return one trial for each candidate and input, in the order of the inputs; an error is a trial too.

    Args:
        candidates: What is tried.
        inputs: Variables of the templates by name; those that a template does not use are left out for it.
        complete: The call of a model.
        on_trial: Called with each trial as soon as it is there.
        concurrency: Calls at the same time.
    """
    limit = asyncio.Semaphore(concurrency)

    async def one(place: int, candidate: Candidate, number: int, variables: Mapping[str, Any]) -> Trial:
        async with limit:
            trial = await _try(candidate, variables, complete=complete, candidate_number=place, input_number=number)
        if on_trial is not None:
            on_trial(trial)
        return trial

    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(one(place, candidate, number, variables))
            for number, variables in enumerate(inputs)
            for place, candidate in enumerate(candidates)
        ]
    return [task.result() for task in tasks]


async def _try(
    candidate: Candidate,
    variables: Mapping[str, Any],
    *,
    complete: Complete,
    candidate_number: int,
    input_number: int,
) -> Trial:
    found: dict[str, Any] = {
        "candidate": candidate_number,
        "input": input_number,
        "label": candidate.label,
        "model": candidate.model,
        "variables": dict(variables),
    }
    try:
        # A template may take its time; other answers must not wait for it.
        found["messages"] = await asyncio.to_thread(_rendered, candidate, variables)
        if candidate.model is None:
            raise UsageError(f"{candidate.label} names no model: choose one")
    except LmopsError as error:
        return Trial(**found, error=str(error), error_kind="prompt")
    try:
        answer = await _called(candidate, found["messages"], complete)
    except LmopsError as error:
        return Trial(**found, error=str(error), error_kind=getattr(error, "kind", None) or "model")
    except Exception as error:  # noqa: BLE001  # whatever a client raises belongs to this answer alone
        return Trial(**found, error=f"{type(error).__name__}: {error}", error_kind="model")
    usage = answer.usage
    return Trial(
        **found,
        output=answer.content,
        tool_calls=tuple((call.name, call.arguments) for call in answer.tool_calls),
        latency_ms=answer.latency_ms,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cost_usd=answer.cost_usd,
        finish_reason=answer.finish_reason,
        is_cached=answer.is_cached,
        trace_id=answer.trace_id,
    )


def _rendered(candidate: Candidate, variables: Mapping[str, Any]) -> list[Any]:
    used = analyse(candidate.messages)
    given = {name: value for name, value in variables.items() if name in used}
    return render(candidate.messages, given, ref=candidate.label)


async def _called(candidate: Candidate, messages: Any, complete: Complete) -> Any:
    """Call the model, which marks its span with the prompt when it is a saved one."""
    name, _, version = (candidate.ref or "").partition("@")
    return await complete(
        candidate.model or "",
        messages,
        params=dict(candidate.params),
        tools=[tool for tool in candidate.tools or () if isinstance(tool, Mapping)] or None,
        response_schema=candidate.response_schema,
        prompt=(name, version) if version else None,
    )


def recent_inputs(store: Store, version: PromptVersion, *, limit: int = 3) -> list[dict[str, str]]:
    """Return what the prompt was last rendered with, newest first.

    It is what its traces remember, or what their messages hold in the places of this version's variables. Values that
    a span may have cut are left out; rows that have every variable come first.

    Args:
        store: Where the traces are.
        version: The version that is tried.
        limit: Rows.
    """
    query = (
        "select attributes, input, prompt_version from spans where prompt_name = $name "
        "and (kind = 'llm' or attributes like '%gen_ai.prompt.variable.%') order by start_at desc limit 200"
    )
    found: dict[tuple[tuple[str, str], ...], dict[str, str]] = {}
    for attributes, sent, number in store.sql(query, {"name": version.name}).fetchall():
        said = {name: value for name, value in remembered(json.loads(attributes or "{}")).items() if len(value) < _CUT}
        if number == str(version.version):
            said = _held(version, sent) | said
        given = {name: said[name] for name in version.variables if name in said}
        if given:
            found.setdefault(tuple(given.items()), given)
    return sorted(found.values(), key=lambda given: -len(given))[:limit]


def _held(version: PromptVersion, sent: str | None) -> dict[str, str]:
    try:
        messages = json.loads(sent or "[]")
    except ValueError:
        return {}
    if not isinstance(messages, list) or not all(isinstance(one, dict) for one in messages):
        return {}
    return recovered(version.messages, messages) or {}


def last_dataset(store: Store, name: str) -> str | None:
    """Return the dataset that a version of the prompt was evaluated on last, as it was then; None when none was."""
    query = "select dataset from runs where starts_with(prompt_ref, $name || '@') order by started_at desc limit 1"
    rows = store.sql(query, {"name": name}).fetchall()
    return str(rows[0][0]) if rows and rows[0][0] else None


def as_frame(trials: Sequence[Trial]) -> pd.DataFrame:
    """Return one row a trial.

    Columns: input (1, 2, ...), prompt, model, output, error, error_kind, latency_ms, input_tokens, output_tokens,
    cost_usd, finish_reason, is_cached, trace_id, and one for each variable.
    """
    from lmops.base.frames import Frame

    names = [
        "output",
        "error",
        "error_kind",
        "latency_ms",
        "input_tokens",
        "output_tokens",
        "cost_usd",
        "finish_reason",
        "is_cached",
        "trace_id",
    ]
    variables = list(dict.fromkeys(name for trial in trials for name in trial.variables))
    rows = [
        [
            trial.input + 1,
            trial.label,
            trial.model,
            *(getattr(trial, name) for name in names),
            *(trial.variables.get(name) for name in variables),
        ]
        for trial in trials
    ]
    frame = Frame(rows, columns=["input", "prompt", "model", *names, *(f"variable.{name}" for name in variables)])
    return frame.astype({"input_tokens": "Int64", "output_tokens": "Int64", "latency_ms": float, "cost_usd": float})
