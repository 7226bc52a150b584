"""Two runs over forty examples for the tests of the eval explorer, and what is known of them.

The baseline fails every tenth case (from 9 on). The new run fails every fourth, raises at case 5, and is traced.
So ten cases are lost, four are gained, and one has no score.
"""

from __future__ import annotations

COUNT = 40
LOST = [f"e{i:02}" for i in range(0, COUNT, 4)]
GAINED = [f"e{i:02}" for i in range(9, COUNT, 10)]
FAILED = "e05"


def rows():
    """Every example has a language, a topic that is its cluster, and a label."""
    return [
        {
            "example_id": f"e{i:02}",
            "input": {"sources": "Dogs travel in the pet cabins. " * 20, "question": f"May my dog number {i} travel?"},
            "expected": f"Yes, dog {i} may travel.",
            "language": "de" if i % 4 == 0 else "en",
            "cluster": f"topic {i % 5}",
            "labels": {"value": "down" if i % 8 == 0 else "up", "comment": f"seen {i}"},
        }
        for i in range(COUNT)
    ]


def number_of(question):
    return int(question.split()[4])


def baseline(question):
    """Answer as the example expects, but for every tenth."""
    i = number_of(question)
    return f"Yes, dog {i} must stay." if i % 10 == 9 else f"Yes, dog {i} may travel."


def changed(question):
    """Answer as the example expects, but for every fourth; one raises."""
    i = number_of(question)
    if i == 5:
        raise ValueError("no dogs here")
    return f"Yes, dog {i} may never travel." if i % 4 == 0 else f"Yes, dog {i} may travel."


def evaluated(ws, *, tracing=True, **more):
    """Save the examples and run both; return (new run, baseline)."""
    ws.datasets.save("dogs", rows())
    old = ws.evals.run(baseline, "dogs", ["exact_match", "token_f1"], name="old", progress=False, retries=0, **more)
    new = ws.evals.run(
        changed, "dogs", ["exact_match", "token_f1"], name="new", progress=False, retries=0, tracing=tracing, **more
    )
    return new, old
