"""Tasks: a function, a prompt or recorded answers, each as one coroutine function (example, repeat) -> TaskResult."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from lmops.base.threads import Threads
from lmops.errors import UsageError
from lmops.evals._checked import readable
from lmops.evals._records import TaskResult
from lmops.evals.answers import parsed
from lmops.models import check_params

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from lmops.datasets import Example


class Call(Protocol):
    """Answers one example."""

    def __call__(self, example: Example, repeat: int, /) -> Awaitable[Any]:
        """Return the answer; whatever a task may return."""


class Task(NamedTuple):
    """What runs, and what is written down of it."""

    kind: str
    name: str
    call: Call
    close: Callable[[], None] = lambda: None


#: Names of parameters that stand for something else than a field of the example.
_SPECIAL: Final = ("example", "repeat")


def function_task(function: Callable[..., Any], examples: Sequence[Example]) -> Task:
    """Return the task of a function.

    It gets what it names: ``example`` (the Example), ``repeat`` (0, 1, ...), fields of the input or the metadata by
    their names. A single parameter of any other name gets the input itself.

    Raises:
        UsageError: It takes something that the first example does not have.
    """
    name = f"{getattr(function, '__module__', '?')}:{getattr(function, '__qualname__', type(function).__name__)}"
    arguments = _arguments(function, examples, name)
    if _is_async(function):

        async def call(example: Example, repeat: int, /) -> Any:
            return await function(*arguments(example, repeat))

        return Task("function", name, call)
    threads = Threads()

    async def call_in_thread(example: Example, repeat: int, /) -> Any:
        found = await threads.run(function, *arguments(example, repeat))
        return await found if inspect.isawaitable(found) else found

    return Task("function", name, call_in_thread, threads.close)


def _is_async(function: Callable[..., Any]) -> bool:
    call = getattr(function, "__call__", None)  # noqa: B004  # an object with an async __call__
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


def _arguments(
    function: Callable[..., Any], examples: Sequence[Example], name: str
) -> Callable[[Example, int], tuple[Any, ...]]:
    """Return what turns an example into the function's arguments."""
    try:
        parameters = [p for p in inspect.signature(function).parameters.values() if p.kind is not p.VAR_KEYWORD]
    except (ValueError, TypeError):
        return lambda example, _: (example.input,)
    needed = [p.name for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.KEYWORD_ONLY)]
    known = [p.name for p in parameters]
    wanted = [n for n in known if n in needed or n in _SPECIAL]
    if any(p.kind is p.KEYWORD_ONLY and p.default is p.empty for p in parameters):
        raise UsageError(f"the task {name} has keyword-only parameters; make them positional, or wrap it in a function")
    others = [n for n in wanted if n not in _SPECIAL]
    fields = _fields(examples[0]) if examples else {}
    if len(others) == 1 and (others[0] not in fields or not isinstance(examples[0].input, dict)):
        only = others[0]
        return lambda example, repeat: tuple(
            example.input if n == only else example if n == "example" else repeat for n in wanted
        )
    missing = [n for n in others if n not in fields]
    if not wanted or missing:
        what = f"takes {', '.join(missing)}" if missing else "takes nothing"
        raise UsageError(
            f"the task {name} {what}; it may take one parameter (the input), `example`, `repeat`, or fields of the "
            f"example: {', '.join(fields) or 'there are none'}"
        )
    if wanted == ["example"]:
        return lambda example, _: (example,)
    return lambda example, repeat: tuple(
        example if n == "example" else repeat if n == "repeat" else _fields(example).get(n) for n in wanted
    )


def _fields(example: Example) -> dict[str, Any]:
    """Return what an example offers by name: its metadata, and over it its input."""
    given = example.input if isinstance(example.input, dict) else {}
    return {**example.metadata, **given}


def prompt_task(
    prompt: Any,
    first: Example,
    models: Any,
    *,
    model: str,
    params: Mapping[str, Any] | None,
    cache: bool,
    seed: int | None,
) -> Task:
    """Return the task that renders a prompt with the fields of an example and asks a model.

    Args:
        prompt: A PromptVersion.
        first: An example to try the prompt on.
        models: What has ``acomplete``.
        model: The model to ask.
        params: Put over those of the prompt.
        cache: Whether answers may come from the cache of models.
        seed: Sent with the request, plus the number of the repeat.

    Raises:
        UsageError: The example lacks a variable of the prompt, the prompt ignores the input, or a parameter is none.
    """
    merged = {**(prompt.params or {}), **(params or {})}
    check_params(merged, has_schema=prompt.response_schema is not None)
    tools, schema = prompt.tools, prompt.response_schema
    names = tuple(prompt.variables)
    _refuse_ignored_input(prompt.ref, names, first)
    # What is missing in one is missing in all, most of the time; better known before money is spent.
    prompt.render(_variables(first, names))

    async def call(example: Example, repeat: int, /) -> Any:
        messages = prompt.render(_variables(example, names))
        sent = merged if seed is None else {**merged, "seed": seed + repeat}
        return await models.acomplete(
            model, messages, params=sent or None, tools=tools, response_schema=schema, cache=cache, repeat=repeat
        )

    return Task("prompt", prompt.ref, call)


def _refuse_ignored_input(ref: str, names: Sequence[str], first: Example) -> None:
    """Raise when a prompt would ask the same whatever the input is, or would get several fields as one text of JSON.

    Raises:
        UsageError: It would; the message says which variables there are and which fields.
    """
    given = first.input
    if not names:
        raise UsageError(
            f"{ref} has no variable, so it would ask the same of every example: write {{{{ question }}}} or the name "
            "of another field of the input where the input belongs"
        )
    fields = list(given) if isinstance(given, dict) else []
    read = [name for name in names if (name in given if isinstance(given, dict) else _gets_whole(name, names, first))]
    if not read:
        known = f"the fields {', '.join(map(repr, fields[:10]))}" if fields else "one text"
        raise UsageError(
            f"{ref} reads nothing of the input, which is {known}: its variables are {', '.join(map(repr, names))}; "
            "name the variables like the fields, or save the dataset with input=[...] of the columns that it needs"
        )
    inner = _object_in(given)
    if inner is not None and len(inner) > 1:
        raise UsageError(
            f"{ref} would get the fields {', '.join(map(repr, list(inner)[:10]))} as one text of JSON in {read[0]!r}: "
            "save the dataset with objects as inputs (of traces: ws.datasets.add_traces(..., map={'question': "
            "'input.question'})), and name the prompt's variables like the fields"
        )


def _gets_whole(name: str, names: Sequence[str], example: Example) -> bool:
    """Return whether a variable gets an input that is no object; see :func:`_variables`."""
    if name in ("input", "question"):
        return name == "input" or "question" not in example.metadata
    return len(names) == 1 and name not in example.metadata


def _object_in(given: Any) -> dict[str, Any] | None:
    found = parsed(given) if isinstance(given, str) and given.lstrip().startswith("{") else None
    return found if isinstance(found, dict) else None


def _variables(example: Example, names: Sequence[str]) -> dict[str, Any]:
    """Return the values of a prompt's variables; those that are not there are left to the prompt to refuse."""
    fields = _fields(example)
    if not isinstance(example.input, dict):
        fields["input"] = example.input
        if len(names) == 1 and names[0] not in fields:
            fields[names[0]] = example.input
        elif "question" in names:
            fields.setdefault("question", example.input)
    if "documents" not in fields and example.documents is not None:
        fields["documents"] = example.documents
    return {name: fields[name] for name in names if name in fields}


def recorded_task() -> Task:
    """Return the task that answers with what the example says was answered."""

    async def call(example: Example, _repeat: int, /) -> Any:
        known = {name: readable(name, example.metadata.get(name)) for name in _RECORDED}
        return TaskResult(example.output, documents=example.documents, trace_id=example.trace_id, **known)

    return Task("recorded", "recorded", call)


_RECORDED: Final = (
    "tool_calls",
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "reasoning_tokens",
    "cost_usd",
    "latency_ms",
    "model",
    "finish_reason",
)
