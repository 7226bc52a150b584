"""Runs by cases, as the explorer shows them: scores and states as arrays, one case in full, outputs as a frame."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.errors import LmopsError, NotFoundError, UsageError
from lmops.evals._calibrated import notes_on
from lmops.evals.summaries import scale
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from lmops.datasets import Datasets, Example
    from lmops.evals._comparison import Comparison
    from lmops.evals._matrix import Matrix
    from lmops.evals._runs import Run
    from lmops.evals.summaries import ScorerSummary
    from lmops.store import Store

MAX_RUNS: Final = 5
#: Why a case has no score, as a number; 0: it has one.
STATES: Final = ("value", "unmeasured", "scorer error", "case failed", "not run")
_VALUE, _UNMEASURED, _ERROR, _FAILED, _NOT_RUN = range(5)


class RunFacts(NamedTuple):
    """What stands over the column of a run; ``label`` tells the runs apart."""

    run_id: str
    label: str
    short: str
    name: str
    dataset: str
    prompt_ref: str | None
    model: str | None
    task_kind: str
    repeats: int
    cases: int
    planned: int
    errors: int
    cost_usd: float | None


class ScorerFacts(NamedTuple):
    """A scorer of at least one run; the ends of its scale are infinite where it has none.

    ``runs`` are the places of the runs that were scored by it; None: all.
    """

    name: str
    low: float
    high: float
    higher_is_better: bool
    runs: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """The scores of runs, examples x runs, each the mean of its repeats.

    Args:
        runs: The columns.
        scorers: In the order in which they were given.
        ids: The rows: the examples in the order of their dataset.
        scores: By scorer; NaN where there is none.
        states: By scorer, an index of :data:`STATES`.
    """

    runs: tuple[RunFacts, ...]
    scorers: tuple[ScorerFacts, ...]
    ids: tuple[str, ...]
    scores: Mapping[str, Matrix]
    states: Mapping[str, NDArray[np.int8]]

    def __repr__(self) -> str:
        return f"<Board {len(self.ids):,} cases x {len(self.runs)} runs, {len(self.scorers)} scorers>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one run answered to one example, once.

    Args:
        run_id: The run.
        label: What tells it from the others.
        repeat: 0, 1, 2, ...
        status: ok, error, timeout or not_run.
        output: What the task returned.
        error: What went wrong.
        latency_ms: Without scoring.
        cost_usd: None when it is unknown.
        input_tokens: Cached ones included.
        output_tokens: Reasoning included.
        model: The model that answered.
        trace_id: None when the run was not traced.
        scores: By scorer: value, status, reason, rationale, detail.
        tool_calls: The tools called, as JSON; None when nothing says so.
    """

    run_id: str
    label: str
    repeat: int
    status: str
    output: str | None
    error: str | None
    latency_ms: float | None
    cost_usd: float | None
    input_tokens: int | None
    output_tokens: int | None
    model: str | None
    trace_id: str | None
    scores: Mapping[str, Mapping[str, Any]]
    tool_calls: str | None = None

    def __repr__(self) -> str:
        return f"<Answer {plain_line(self.label, 60)} #{self.repeat}: {plain_line(self.output or self.error, 60)!r}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One example with everything that the runs answered to it.

    Args:
        example_id: The example.
        example: As it is in the dataset; None when the dataset is gone.
        answers: One per run and repeat.
    """

    example_id: str
    example: Example | None
    answers: tuple[Answer, ...]

    def __repr__(self) -> str:
        return f"<Case {plain_line(self.example_id, 60)}: {len(self.answers)} answers>"

    @property
    def input(self) -> Any:
        """What the task was given."""
        return None if self.example is None else self.example.input

    @property
    def expected(self) -> Any:
        """The reference answer."""
        return None if self.example is None else self.example.expected

    @property
    def trace_ids(self) -> list[str]:
        """The traces of its answers."""
        return [one.trace_id for one in self.answers if one.trace_id]


class CaseSource:
    """What the explorer reads: one to five runs of a store, and the examples that they answered.

    Args:
        store: Where they are.
        datasets: Where the examples are.
        runs: The one that is judged, then what it is compared with.

    Raises:
        UsageError: None or too many, or one twice.
    """

    def __init__(self, store: Store, datasets: Datasets, runs: Sequence[Run]) -> None:
        ids = [run.run_id for run in runs]
        if not 1 <= len(ids) <= MAX_RUNS:
            raise UsageError(f"{len(ids)} runs: the explorer shows one to {MAX_RUNS} side by side")
        if len(set(ids)) < len(ids):
            raise UsageError(f"a run is given twice: {', '.join(ids)}")
        self._store = store
        self._datasets = datasets
        self.runs = tuple(runs)
        self._examples: dict[str, Example] | None = None

    def __repr__(self) -> str:
        return f"<CaseSource {', '.join(run.run_id for run in self.runs)}>"

    @property
    def examples(self) -> dict[str, Example]:
        """The examples by id, those of the first run's dataset first; empty when the datasets are gone."""
        if self._examples is None:
            self._examples = {}
            for ref in dict.fromkeys(run.dataset for run in self.runs):
                try:
                    found = self._datasets.get(ref).examples
                except LmopsError:
                    continue
                for example in found:
                    self._examples.setdefault(example.example_id, example)
        return self._examples

    def board(self) -> Board:
        """Return the scores of all runs, as far as the runs are."""
        runs = facts(self.runs)
        results = self._table(
            "select run_id, example_id, count(*) as n, count(*) filter (status = 'ok') as ok, "
            "count(*) filter (status = 'not_run') as not_run from results where run_id in (?) group by all"
        )
        ids = _ordered(results["example_id"], self.examples)
        place = {example_id: row for row, example_id in enumerate(ids)}
        column = {run.run_id: at for at, run in enumerate(runs)}
        scorers = {name: one for run in reversed(self.runs) for name, one in run.scorers.items()}
        scorers = {name: scorers[name] for run in self.runs for name in run.scorers}
        states = _blank((len(ids), len(runs)), scorers, results, place, column)
        scores = {name: _nan((len(ids), len(runs))) for name in scorers}
        found = self._table(
            "select run_id, example_id, scorer, avg(value) as value, count(*) filter (status = 'error') as errors, "
            "count(value) as n from scores where run_id in (?) group by all"
        )
        for run_id, example_id, name, value, errors, n in zip(*found.values(), strict=True):
            if name not in scores:
                continue
            at = place[example_id], column[run_id]
            if n:
                scores[name][at], states[name][at] = value, _VALUE
            elif states[name][at] not in (_FAILED, _NOT_RUN):
                states[name][at] = _ERROR if errors else _UNMEASURED
        return Board(
            runs=runs,
            scorers=tuple(
                ScorerFacts(
                    name,
                    *scale(one["range"]),
                    bool(one["higher_is_better"]),
                    tuple(place for place, run in enumerate(self.runs) if name in run.scorers),
                )
                for name, one in scorers.items()
            ),
            ids=tuple(ids),
            scores=scores,
            states=states,
        )

    def case(self, example_id: str) -> Case:
        """Return one example with all answers to it.

        Raises:
            NotFoundError: No run has it.
        """
        results = self._table(
            "select run_id, example_id, repeat, status, output, error_type, error, latency_ms, cost_usd, input_tokens, "
            "output_tokens, model, trace_id, tool_calls from results where run_id in (?) and example_id = ? "
            "order by repeat",
            [example_id],
        )
        rows = [dict(zip(results, row, strict=True)) for row in zip(*results.values(), strict=True)]
        if not rows:
            raise NotFoundError.of("case of these runs", example_id, list(self.examples)[:2_000])
        found = self._table(
            "select run_id, repeat, scorer, value, status, reason, rationale, detail from scores "
            "where run_id in (?) and example_id = ?",
            [example_id],
        )
        scores: dict[tuple[str, int], dict[str, dict[str, Any]]] = {}
        for row in zip(*found.values(), strict=True):
            one = dict(zip(found, row, strict=True))
            scores.setdefault((one.pop("run_id"), one.pop("repeat")), {})[one.pop("scorer")] = one
        labels = {run.run_id: run.label for run in facts(self.runs)}
        order = list(labels)
        rows.sort(key=lambda row: (order.index(row["run_id"]), row["repeat"]))
        answers = tuple(
            Answer(
                run_id=row["run_id"],
                label=labels[row["run_id"]],
                repeat=row["repeat"],
                status=row["status"],
                output=row["output"],
                error=": ".join(filter(None, (row["error_type"], row["error"]))) or None,
                latency_ms=row["latency_ms"],
                cost_usd=row["cost_usd"],
                input_tokens=row["input_tokens"],
                output_tokens=row["output_tokens"],
                model=row["model"],
                trace_id=row["trace_id"],
                scores=scores.get((row["run_id"], row["repeat"]), {}),
                tool_calls=row["tool_calls"],
            )
            for row in rows
        )
        return Case(example_id=example_id, example=self.examples.get(example_id), answers=answers)

    def trace_ids(self, run_id: str, ids: Sequence[str]) -> dict[str, str]:
        """Return the trace of the first answer by example; those without one are left out."""
        found: list[tuple[str, str]] = self._store.sql(
            "select example_id, arg_min(trace_id, repeat) from results where run_id = $run and trace_id is not null "
            "and example_id in (select unnest($ids)) group by 1",
            {"run": run_id, "ids": list(ids)},
        ).fetchall()
        return dict(found)

    def cases(self, run_id: str, ids: Sequence[str]) -> list[dict[str, Any]]:
        """Return the cases of a run, each repeat one: trace_id, run_id, example_id, repeat, in the order of the ids."""
        query = (
            "select trace_id, run_id, example_id, repeat from results where run_id = $run and "
            "example_id in (select unnest($ids)) order by repeat"
        )
        rows = self._store.sql(query, {"run": run_id, "ids": list(ids)}).fetchall()
        place = {example_id: at for at, example_id in enumerate(ids)}
        rows.sort(key=lambda row: place[row[2]])
        return [dict(zip(("trace_id", "run_id", "example_id", "repeat"), row, strict=True)) for row in rows]

    def saying(self, words: Sequence[str], runs: Sequence[str]) -> frozenset[str]:
        """Return the examples of which an output, an error or a scorer's reason has each of the words, in any case.

        Args:
            words: All of them are looked for, each in whatever text of a case.
            runs: The ids of the runs that are looked at.
        """
        found: set[str] | None = None
        for word in words:
            asked = {"runs": list(runs), "word": word.lower()}
            has = {row[0] for row in self._store.sql(_SAYING, asked).fetchall()}
            found = has if found is None else found & has
        return frozenset(found or ())

    def outputs(self) -> dict[str, dict[str, tuple[str | None, str | None]]]:
        """Return (output, error) of the first answer by run and example."""
        found = self._table(
            "select run_id, example_id, arg_min({'output': output, 'error': nullif(concat_ws(': ', error_type, error), "
            "'')}, repeat) as it from results where run_id in (?) group by all"
        )
        made: dict[str, dict[str, tuple[str | None, str | None]]] = {run.run_id: {} for run in self.runs}
        for run_id, example_id, one in zip(*found.values(), strict=True):
            made[run_id][example_id] = (one["output"], one["error"])
        return made

    def called(self) -> dict[str, dict[str, str | None]]:
        """Return the tool calls of the first answer, as JSON, by run and example."""
        found = self._table(
            "select run_id, example_id, arg_min({'it': tool_calls}, repeat) as it from results where run_id in (?) "
            "group by all"
        )
        made: dict[str, dict[str, str | None]] = {run.run_id: {} for run in self.runs}
        for run_id, example_id, one in zip(*found.values(), strict=True):
            made[run_id][example_id] = one["it"]
        return made

    def compare(self, a: int, b: int) -> Comparison:
        """Return run a against run b, over the examples that both finished.

        Raises:
            UsageError: They have no example or no scorer in common.
        """
        from lmops.evals._comparison import compare, sameness
        from lmops.evals._runs import states

        one, two = states(self._store, [self.runs[a], self.runs[b]])
        return compare(
            self._store,
            self._datasets,
            one,
            two,
            same=sameness(self._store, one.run, two.run),
            scorers=None,
            margin=None,
            slices=(),
            alpha=0.05,
            correction="bh",
            clustered=True,
            allow_unmatched=True,
            allow_changed=True,
            seed=0,
        )

    def summary(self, run: int) -> list[ScorerSummary]:
        """Return the mean of each scorer of a run with its interval and coverage."""
        return self.runs[run].summary()

    def doubts(self) -> list[str]:
        """Return a sentence on each judge of these runs that has no calibration that holds."""
        found = [one for run in self.runs for one in run.uncalibrated().items()]
        return list(dict.fromkeys(notes_on(found)))

    def _table(self, query: str, more: Sequence[Any] = ()) -> dict[str, list[Any]]:
        """Return columns; ``(?)`` in the query stands for all runs."""
        ids = [run.run_id for run in self.runs]
        query = query.replace("(?)", f"({', '.join('?' * len(ids))})")
        found: dict[str, list[Any]] = self._store.sql(query, [*ids, *more]).to_arrow_table().to_pydict()
        return found


_SAYING: Final = """
select example_id from results where run_id in (select unnest($runs))
  and contains(lower(concat_ws(chr(10), output, error_type, error)), $word)
union
select example_id from scores where run_id in (select unnest($runs))
  and contains(lower(concat_ws(chr(10), rationale, reason)), $word)
"""


def facts(runs: Sequence[Run]) -> tuple[RunFacts, ...]:
    """Return what stands over the columns; versions of one prompt are told apart by their numbers."""
    labels = [plain_line(run.prompt_ref or run.name, 60) for run in runs]
    labels = [
        label if labels.count(label) == 1 else f"{label} ({run.run_id[-6:]})"
        for label, run in zip(labels, runs, strict=True)
    ]
    names = {(run.prompt_ref or "").rpartition("@")[0] for run in runs}
    is_one_prompt = len(names) == 1 and "" not in names
    found = []
    for label, run in zip(labels, runs, strict=True):
        totals = run.totals
        found.append(
            RunFacts(
                run_id=run.run_id,
                label=label,
                short=f"v{label.rpartition('@')[2]}" if is_one_prompt else label,
                name=run.name,
                dataset=run.dataset,
                prompt_ref=run.prompt_ref,
                model=run.model,
                task_kind=str(run.record["task_kind"]),
                repeats=run.repeats,
                cases=totals.cases,
                planned=totals.planned,
                errors=totals.errors,
                cost_usd=totals.cost_usd,
            )
        )
    return tuple(found)


def frame(columns: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    """Return columns as a frame; values that are no text or number are JSON."""
    from lmops.base.frames import Frame

    return Frame({name: [_cell(value) for value in column] for name, column in columns.items()})


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, dict | list) else value


def _ordered(found: Sequence[str], examples: Mapping[str, Example]) -> list[str]:
    """Return the examples of results in the order of the dataset, then the others."""
    there = set(found)
    return [one for one in examples if one in there] + sorted(there - examples.keys())


def _nan(shape: tuple[int, int]) -> Matrix:
    import numpy as np

    return np.full(shape, np.nan)


def _blank(
    shape: tuple[int, int],
    scorers: Mapping[str, Any],
    results: Mapping[str, list[Any]],
    place: Mapping[str, int],
    column: Mapping[str, int],
) -> dict[str, NDArray[np.int8]]:
    """Return what is known of every case without its scores."""
    import numpy as np

    states = np.full(shape, _NOT_RUN, dtype=np.int8)
    rows: Callable[..., Any] = zip
    for run_id, example_id, n, ok, not_run in rows(*results.values(), strict=True):
        state = _UNMEASURED if ok else _NOT_RUN if not_run == n else _FAILED
        states[place[example_id], column[run_id]] = state
    return {name: states.copy() for name in scorers}
