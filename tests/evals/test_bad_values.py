"""Whatever a task returns or raises costs one case at most: the other cases, the run and the store stay as they are."""

import asyncio
import math
import sys
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from lmops import scorers
from lmops.errors import UsageError
from lmops.evals import TaskResult


class _SilentError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class CarryingError(Exception):
    completion = "half a text"


def deep():
    """Return a list nested deeper than Python can walk."""
    found = []
    for _ in range(100_000):
        found = [found]
    return found


def once(bad):
    """Return a task that does it for one case and answers the others."""

    def task(question):
        return bad() if question == "q5" else question.replace("q", "a")

    return task


def test_measures_of_other_libraries_are_plain_numbers(ws, quiet, rows):
    """Token counts of numpy, amounts as decimals, NaN for what is not known, documents as texts."""
    found = TaskResult(
        np.float64(2.5), input_tokens=np.int64(7), output_tokens=3.0, reasoning_tokens=math.nan,
        cost_usd=Decimal("0.25"), latency_ms=np.float32(2), is_cached=np.True_, documents=("one",),
    )  # fmt: skip  # arguments that belong together share a line
    run = quiet(once(lambda: found), rows)
    case = run.df().set_index("example_id").loc["e005"]
    assert (case.input_tokens, case.output_tokens, case.cost_usd, case.latency_ms) == (7, 3, 0.25, 2.0)
    assert (case.output, bool(case.is_cached), case.documents) == ("2.5", True, '[{"id":"1","content":"one"}]')
    assert np.isnan(case.reasoning_tokens)
    assert (run.totals.input_tokens, run.totals.cost_usd) == (7, 0.25)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("latency_ms", "slow", "latency_ms is str 'slow'; give a number"),
        ("input_tokens", 2**70, "give a whole number of tokens"),
        ("input_tokens", 2**45, "give a whole number of tokens"),
        ("output_tokens", -1, "give a number from 0 up"),
        ("cost_usd", math.inf, "give a number from 0 up"),
        ("cost_usd", True, "cost_usd is bool"),
        ("model", {"name": "m"}, "model is dict"),
        ("trace_id", 5, "trace_id is int"),
        ("documents", "one", "documents is str 'one'; give a list of objects"),
        ("tool_calls", [1], "tool_calls is list"),
        ("is_cached", "no", "is_cached is str"),
    ],
)
def test_a_field_of_the_wrong_kind_is_one_error(quiet, rows, field, value, words):
    """It is named; no other case, and no later question, suffers."""
    run = quiet(once(lambda: TaskResult("x", **{field: value})), rows)
    (failure,) = run.failures().itertuples()
    assert (run.status, len(run.df()), failure.example_id) == ("finished", 12, "e005")
    assert words in failure.error


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize(
    "error",
    [SystemExit(3), KeyboardInterrupt(), _SilentError(), CarryingError("x"), BaseExceptionGroup("g", [SystemExit(1)])],
)
def test_whatever_a_task_raises_is_one_error(quiet, rows, error, is_async):
    """A library that calls sys.exit, an error that cannot be printed, one that carries what looks like an answer."""

    def fail():
        raise error

    plain = once(fail)

    async def later(question):
        return plain(question)

    run = quiet(later if is_async else plain, rows)
    assert (run.status, run.totals.cases, run.totals.errors) == ("finished", 12, 1)
    assert type(error).__name__ in run.failures().error_type[0] + run.failures().error[0]


def test_an_answer_that_cannot_be_written_down_is_kept_in_words(quiet, rows):
    """Nested deeper than anything can walk."""
    limit = sys.getrecursionlimit()
    run = quiet(once(deep), rows)
    assert run.df().set_index("example_id").output["e005"] == '"a list without a text"'
    assert sys.getrecursionlimit() == limit


def test_recorded_measures_are_read_as_far_as_they_can_be(quiet):
    """A CSV file has texts for numbers, and a column that is called like a measure may hold something else."""
    row = {"example_id": "a", "input": "q", "output": "x", "cost_usd": "0.5", "latency_ms": "slow", "model": [1]}
    case = quiet("recorded", [row], ()).df().iloc[0]
    assert (case.status, case.cost_usd) == ("ok", 0.5)
    assert pd.isna(case.model)


def test_numbers_of_numpy_are_answers(quiet, rows):
    """A task of a data library returns its numbers."""
    run = quiet(once(lambda: np.int64(4)), rows)
    assert (run.totals.errors, run.df().set_index("example_id").output["e005"]) == (0, "4")


@pytest.mark.parametrize("error", [asyncio.CancelledError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("is_async", [False, True])
def test_a_scorer_that_stops_itself_is_one_error(quiet, rows, error, is_async):
    """As a task that does."""

    def gives_up(output):
        if output == "a5":
            raise error
        return 1.0

    async def later(output):
        return gives_up(output)

    run = quiet(once(lambda: "a5"), rows, [later if is_async else gives_up])
    assert (run.status, run.scores().status.value_counts().to_dict()) == ("finished", {"value": 11, "error": 1})


def test_a_misspelt_parameter_of_a_judge_is_refused_when_it_is_made():
    """Not found out case by case."""
    with pytest.raises(UsageError, match="did you mean 'temperature'"):
        scorers.judge("right", "Is it right?", model="standin:ferry-1", params={"temp": 0})
