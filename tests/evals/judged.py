"""Runs that a judge scored whose errors are known, and people who know the truth."""

from __future__ import annotations

import random
from dataclasses import replace

from lmops.scorers import scorer


@scorer
def polite(output):
    return output.endswith("y")


JUDGE = replace(polite, kind="judge")


def truth(count, *, rate, seed, sensitivity=0.9, specificity=0.7):
    """Return (what people say, what the judge says) of each example."""
    chance = random.Random(seed)
    said = {}
    for number in range(count):
        is_pass = chance.random() < rate
        said[f"e{number:03}"] = is_pass, (chance.random() < (sensitivity if is_pass else 1 - specificity))
    return said


def judged(ws, said, name, **more):
    """Return a run whose answers the judge scores as it says."""
    rows = [{"example_id": one, "input": one, "expected": "", **more} for one in said]
    return ws.evals.run(lambda given: f"{given} {'y' if said[given][1] else 'n'}", rows, (JUDGE,), name=name,
                        progress=False)  # fmt: skip  # arguments that belong together share a line


def calibrated(ws, count=300, *, judge=JUDGE, seed=5, **errors):
    """Calibrate the judge on other items."""
    items = truth(count, rate=0.6, seed=seed, **errors)
    return ws.feedback.calibrate(judge, [{"item": n, "label": y, "verdict": f} for n, (y, f) in items.items()])


def labelled(ws, run, said, count=60, *, queue=None):
    """Let somebody label so many of a run's cases, as they come."""
    name = queue or f"of-{run.name}"
    ws.feedback.schemas.save("verdict")
    ws.feedback.queue(name, run, schema="verdict")
    for row in ws.feedback.queues.items(name, n=count).itertuples():
        values = {"verdict": "pass" if said[row.example_id][0] else "fail"}
        ws.feedback.queues.label(name, row.position, values, rater="ann")
    return name
