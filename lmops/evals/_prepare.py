"""Everything that is checked before a run starts, so that nothing is spent on a run that cannot end well."""

from __future__ import annotations

import inspect
import numbers
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from lmops.base.units import counted
from lmops.errors import UsageError
from lmops.evals._records import Plan
from lmops.evals._task import Task, function_task, prompt_task, recorded_task
from lmops.evals._until import planned
from lmops.judges import scorers_meant
from lmops.models import check_params
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lmops.datasets import DatasetVersion, Example
    from lmops.evals._runs import Run
    from lmops.records import Project
    from lmops.scorers import Scorer
    from lmops.traces import Traces

#: Attempts are given this long unless the caller says otherwise: a task that hangs must end some time.
TIMEOUT_S: Final = 300.0
_NAMED: Final = 5


class Host(Protocol):
    """The part of a workspace that evaluations work with."""

    @property
    def project(self) -> Project:
        """The store and who acts."""

    @property
    def datasets(self) -> Any:
        """The datasets."""

    @property
    def prompts(self) -> Any:
        """The prompts."""

    @property
    def models(self) -> Any:
        """The models."""

    @property
    def traces(self) -> Traces:
        """The traces."""

    @property
    def feedback(self) -> Any:
        """What people label."""


class Prepared(NamedTuple):
    """A run that can start."""

    plan: Plan
    task: Task
    examples: Sequence[Example]
    scorers: Sequence[Scorer]


def settings(
    *, concurrency: int, timeout_s: float | None, retries: int, budget_usd: float | None, cache: bool, tracing: bool
) -> dict[str, Any]:
    """Return the settings of a run, checked.

    Raises:
        UsageError: One of them is out of range.
    """
    _at_least("concurrency", concurrency, 1)
    _at_least("retries", retries, 0)
    return {
        "concurrency": concurrency,
        "timeout_s": _above_0("timeout_s", timeout_s),
        "retries": retries,
        "budget_usd": _above_0("budget_usd", budget_usd),
        "cache": cache,
        "tracing": tracing,
    }


def _above_0(name: str, value: Any) -> float | None:
    if value is None:
        return None
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not (is_number and value > 0):
        raise UsageError(f"{name}={value!r}: give a number above 0, or None for no limit")
    return float(value)


def _at_least(name: str, value: int, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise UsageError(f"{name}={value!r}: give a whole number, {least} or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How a run was asked for, task, dataset and scorers aside; ``ws.evals.run`` says what each is.

    Args:
        name: Of the experiment; None for the task's.
        repeats: Times that each example is asked.
        prompt: The prompt version of a function, or the task itself.
        model: None for the prompt's.
        params: Over those of the prompt.
        limit: Only the first so many examples.
        seed: Of the model, and of the order of a run that may stop early.
        settings: How its cases are run, checked (see ``settings``).
    """

    name: str | None
    repeats: int
    prompt: Any
    model: str | None
    params: Mapping[str, Any] | None
    limit: int | None
    seed: int | None
    settings: dict[str, Any]


def prepare(
    host: Host, task: Any, dataset: Any, scorers: Any, asked: Asked, *, until: tuple[Any, Run | None] | None = None
) -> Prepared:
    """Return a run that can start.

    Raises:
        UsageError: Something does not fit together; nothing was run.
        NotFoundError: A dataset, prompt or scorer that is not there.
    """
    _at_least("repeats", asked.repeats, 1)
    version = resolve_dataset(host, dataset, name=asked.name)
    examples = version.examples
    if asked.limit is not None:
        _at_least("limit", asked.limit, 1)
        examples = examples[: asked.limit]
    refuse_bad_examples(version.ref, examples)
    found = scorers_meant(host.project, scorers)
    made, version_of, model = make_task(
        host,
        task,
        examples,
        prompt=asked.prompt,
        model=asked.model,
        params=asked.params,
        cache=asked.settings["cache"],
        seed=asked.seed,
    )
    refuse_hopeless_scorers(found, examples, made.kind)
    for scorer in found:
        if scorer.kind == "judge" and isinstance(given := scorer.options.get("params"), Mapping):
            check_params(given)
    described = [describe(scorer) for scorer in found]
    settings = _settings(asked, version, examples)
    if until is not None:
        by_name = {one["name"]: one for one in described}
        settings["until"] = planned(*until, examples, by_name, repeats=asked.repeats, seed=asked.seed or 0)
    plan = Plan(
        name=asked.name or (made.name.rpartition(":")[2] if made.kind == "function" else made.name),
        task_kind=made.kind,  # type: ignore[arg-type]  # one of the three
        task=made.name,
        dataset=version.ref,
        dataset_hash=version.hash,
        prompt_ref=version_of.ref if version_of is not None else None,
        prompt_hash=version_of.hash if version_of is not None else None,
        model=model,
        params={**((version_of.params if version_of is not None else None) or {}), **(asked.params or {})} or None,
        scorers=described,
        settings=settings,
        examples=len(examples),
        repeats=asked.repeats,
        seed=asked.seed,
    )
    return Prepared(plan, made, examples, found)


def _settings(asked: Asked, version: DatasetVersion, examples: Sequence[Example]) -> dict[str, Any]:
    """Return how a run was asked for, so that it can go on by its record alone."""
    whole = asked.limit is None and version.selection is None
    return {
        **asked.settings,
        "selection": version.selection,
        "limit": asked.limit,
        "example_ids": None if whole else [example.example_id for example in examples],
        "given_params": dict(asked.params) if asked.params else None,
    }


def selected(host: Host, run: Run) -> Sequence[Example]:
    """Return the examples of a run.

    Raises:
        UsageError: The dataset is not what it was when the run began.
        NotFoundError: It is not there any more.
    """
    version = host.datasets.get(run.dataset)
    if version.hash != run.dataset_hash:
        raise UsageError(f"the dataset {run.dataset} is not what it was when run {run.run_id} began")
    examples: Sequence[Example] = version.examples
    ids = run.settings["example_ids"]
    if ids is None:
        return examples
    by_id = {example.example_id: example for example in examples}
    return [by_id[one] for one in ids]


def resolve_dataset(host: Host, dataset: Any, *, name: str | None) -> DatasetVersion:
    """Return the version that is meant; rows are saved first, so that the run can say what it was over."""
    if hasattr(dataset, "examples") and hasattr(dataset, "hash"):
        found: DatasetVersion = dataset
        return found
    if isinstance(dataset, str):
        by_name: DatasetVersion = host.datasets.get(dataset)
        return by_name
    if dataset is None:
        raise UsageError("a run needs a dataset: its name, 'name@version', or rows")
    rows = list(dataset) if isinstance(dataset, list | tuple) else dataset
    if isinstance(rows, list) and not rows:
        raise UsageError("the dataset is empty: there is nothing to run")
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", name or "eval").strip("-._")[:80] or "eval"
    saved: DatasetVersion = host.datasets.save(f"{stem}-examples", rows)
    return saved


def refuse_bad_examples(ref: str, examples: Sequence[Example]) -> None:
    """Refuse a dataset that is empty or in which an id stands twice.

    Raises:
        UsageError: It does.
    """
    if not examples:
        raise UsageError(f"the dataset {ref} is empty: there is nothing to run")
    counts = Counter(one.example_id for one in examples)
    twice = sorted(name for name, count in counts.items() if count > 1)
    if twice:
        raise UsageError(
            f"the dataset {ref} has {counted(len(twice), 'example id')} more than once: {_some(twice)}; results are "
            "paired by id, so give every example its own"
        )


def describe(scorer: Scorer) -> dict[str, Any]:
    """Return what is written down of a scorer."""
    return {
        "name": scorer.name,
        "version": scorer.version,
        "higher_is_better": scorer.higher_is_better,
        "kind": scorer.kind,
        "range": None if scorer.range is None else list(scorer.range),
        "options": _plain(scorer.options),
    }


def _plain(options: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return options that can be written down and read again; None when one cannot."""
    import orjson

    try:
        found = orjson.loads(orjson.dumps(dict(options)))
    except (TypeError, UnicodeEncodeError):
        return None
    return dict(found)


def refuse_hopeless_scorers(scorers: Sequence[Scorer], examples: Sequence[Example], kind: str) -> None:
    """Refuse scorers that need what no example has.

    Raises:
        UsageError: One does.
    """
    for scorer in scorers:
        needs: list[str] = [need for need in ("expected", "metadata") if need in scorer.needs]
        if kind == "recorded":
            needs += [need for need in ("documents", "trace_id") if need in scorer.needs]
        for need in needs:
            if all(getattr(example, need) in (None, {}) for example in examples):
                raise UsageError(
                    f"scorer {scorer.name!r} needs {need}, and no example of the dataset has any; save the dataset "
                    f"with {need}=COLUMN, or leave the scorer out"
                )


def make_task(
    host: Host,
    task: Any,
    examples: Sequence[Example],
    *,
    prompt: Any,
    model: str | None,
    params: Mapping[str, Any] | None,
    cache: bool,
    seed: int | None,
) -> tuple[Task, Any, str | None]:
    """Return the task, the prompt version it uses or None, and the model it asks or None.

    Raises:
        UsageError: There is no such task.
    """
    version = host.prompts.get(prompt) if isinstance(prompt, str) else prompt
    if callable(task) and not hasattr(task, "render"):
        if inspect.isclass(task):
            raise UsageError(f"the task is the class {task.__name__}; give a function or an object that can be called")
        return function_task(task, examples), version, model
    if task == "recorded" or (task is None and version is None):
        if all(example.output is None for example in examples):
            raise UsageError(
                "no example has a recorded output; give a task, or make the dataset of traces: "
                "ws.datasets.add_traces(name, ...)"
            )
        return recorded_task(), version, model
    if isinstance(task, str):
        version = host.prompts.get(task)
    elif task is not None:
        if not hasattr(task, "render"):
            raise UsageError(
                f"a task is a function, a prompt such as 'support-answer@3', or 'recorded'; "
                f"this is {type(task).__name__} {plain_line(task, 60)!r}"
            )
        version = task
    asked = model or version.model
    if asked is None:
        raise UsageError(f"the prompt {version.ref} names no model; give one: model='standin:ferry-1'")
    made = prompt_task(version, examples[0], host.models, model=asked, params=params, cache=cache, seed=seed)
    return made, version, asked


def _some(names: Sequence[str]) -> str:
    return ", ".join(plain_line(name, 40) for name in names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
