"""Small datasets and tasks for evaluations."""

from __future__ import annotations

import pytest


def rows_of(count, **more):
    """Return rows whose right answer is known."""
    return [
        {"example_id": f"e{number:03}", "input": f"q{number}", "expected": f"a{number}", **more}
        for number in range(count)
    ]


def right(question):
    """Answer rightly."""
    return question.replace("q", "a")


@pytest.fixture
def rows():
    return rows_of(12)


@pytest.fixture
def quiet(ws):
    """Run without progress."""

    def run(task, dataset, scorers=("exact_match",), **given):
        return ws.evals.run(task, dataset, scorers, progress=False, **given)

    return run
