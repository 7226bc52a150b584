"""Do corrected rates and differences hold what people would find? Simulated through ``ws.feedback`` and ``ws.evals``.

Every judge of a run is one draw: its verdicts on all examples, a calibration on items of its own, labels on some of the
cases. Nominal is 95 %; 93 to 97 % is asked of what is corrected, which raw rates are far from. The recorded judges of
``../shared/data/judge_pairs`` are drawn from in the same way, when they are there. More draws than by default say it
more exactly: ``python -m tests.bench.bench_corrected 2000``.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

import lmops
from lmops.scorers import build

PAIRS = Path(__file__).parents[3] / "shared/data/judge_pairs/judge_verdicts.csv"
#: rate of a, rate of b, sensitivity, specificity, labels of a calibration
DRAWN = (
    (0.5, 0.4, 0.9, 0.7, 100),
    (0.8, 0.8, 0.95, 0.6, 300),
    (0.5, 0.4, 0.7, 0.8, 300),
    (0.9, 0.85, 0.8, 0.8, 200),
)
A_RUN = 250  # draws that share a run


class Simulated:
    """Draws people's labels and a judge's verdicts with known errors."""

    def __init__(self, rates, sensitivity, specificity):
        self.rates, self.sensitivity, self.specificity = rates, sensitivity, specificity

    def draw(self, rng, side, n):
        """Return labels and verdicts of so many items of one side."""
        human = rng.random(n) < self.rates[side]
        return human, rng.random(n) < np.where(human, self.sensitivity, 1 - self.specificity)


class Recorded:
    """Draws pairs with the verdict that a real judge gave; a pass is "the first output is the better one"."""

    def __init__(self, human, verdicts):
        self.human, self.verdicts = human, verdicts
        self.rates = (float(human.mean()), float(human.mean()))

    def draw(self, rng, _side, n):
        """Return labels and verdicts of so many pairs."""
        rows = rng.integers(0, len(self.human), n)
        return self.human[rows], self.verdicts[rows]


def recorded(path=PAIRS, judges=("GPT-4", "ChatGPT", "LLaMA2"), style="Vanilla_NoRules"):
    """Yield the judges that were recorded, each with its name."""
    import pandas as pd

    frame = pd.read_csv(path)
    for judge in judges:
        mine = frame[(frame.judge == judge) & (frame.prompt_style == style)]
        winner = pd.to_numeric(mine.winner_original_order, errors="coerce")
        known = mine[winner.isin([1, 2])]
        yield judge, Recorded((known.human_label == 1).to_numpy(), (winner[known.index] == 1).to_numpy())


def held(ws, judge, *, draws, labels, n=150, on_cases=60, seed=0):
    """Return how often each interval held the truth, as shares: raw, calibrated, labelled, difference, ...

    Args:
        ws: A workspace.
        judge: What draws items.
        draws: How many.
        labels: Items of each calibration.
        n: Examples of a run.
        on_cases: Cases of each run that people label.
        seed: Of the draws.
    """
    counts = Counter()
    for part in range(0, draws, A_RUN):
        rng = np.random.default_rng((seed, part))
        names = [f"j{part + place}" for place in range(min(A_RUN, draws - part))]
        sides = [{name: judge.draw(rng, side, n) for name in names} for side in (0, 1)]
        runs = [_run(ws, said, f"{side}-{part}", n) for said, side in zip(sides, "ab", strict=True)]
        for name in names:
            human, verdicts = judge.draw(rng, 0, labels)
            rows = [
                {"item": at, "label": y, "verdict": f} for at, (y, f) in enumerate(zip(human, verdicts, strict=True))
            ]
            ws.feedback.calibrate(_judge(name, sides[0][name][1]), rows)
        by_errors = ws.evals.compare(*runs)
        for run, said in zip(runs, sides, strict=True):
            _label(ws, run, said, on_cases)
        by_labels = ws.evals.compare(*runs)
        counts += _counted(runs[0], by_errors, by_labels, judge.rates)
    return {name: count / draws for name, count in counts.items()}


def _judge(name, verdicts):
    passes = {f"e{at:03}": bool(verdict) for at, verdict in enumerate(verdicts)}
    made = build(lambda input: passes[input], name=name)  # the field's name
    return replace(made, kind="judge", options={"model": name}, source="a judge that is drawn")


def _run(ws, said, name, n):
    rows = [{"id": f"e{at:03}", "input": f"e{at:03}"} for at in range(n)]
    judges = [_judge(one, verdicts) for one, (_, verdicts) in said.items()]
    return ws.evals.run(lambda given: given, rows, judges, name=name, progress=False)


def _label(ws, run, said, count):
    schema = f"asked-{run.name[2:]}"
    ws.feedback.schemas.save(schema, [{"name": name, "kind": "pass_fail"} for name in said])
    ws.feedback.queue(run.name, run, schema=schema)
    for item in ws.feedback.queues.items(run.name, n=count).itertuples():
        at = int(item.example_id[1:])
        values = {name: "pass" if human[at] else "fail" for name, (human, _) in said.items()}
        ws.feedback.queues.label(run.name, item.position, values, rater="ann")


def _counted(run, by_errors, by_labels, rates):
    found = Counter()
    for one in run.summary():
        found["rate, raw"] += one.low <= rates[0] <= one.high
        found["rate, by calibration"] += one.corrected_low <= rates[0] <= one.corrected_high
        found["rate, by labels"] += one.ppi_low <= rates[0] <= one.ppi_high
    gap = rates[0] - rates[1]
    for one in by_errors.scorers:
        found["difference, raw"] += one.low <= gap <= one.high
        found["difference, by calibration"] += one.corrected_low <= gap <= one.corrected_high
    for one in by_labels.scorers:
        found["difference, by labels"] += one.corrected_low <= gap <= one.corrected_high
    return found


def main(draws=500):
    """Print the shares."""
    cases = [
        (f"rates {a:g}, {b:g}, sensitivity {q1:g}, specificity {q0:g}, {m} labels", Simulated((a, b), q1, q0), m)
        for a, b, q1, q0, m in DRAWN
    ]
    if PAIRS.exists():
        cases += [(f"recorded judge {name}, 150 labels", judge, 150) for name, judge in recorded()]
    for name, judge, labels in cases:
        with tempfile.TemporaryDirectory() as folder, lmops.open(Path(folder) / ".lmops") as ws:
            found = held(ws, judge, draws=draws, labels=labels)
        sys.stdout.write(f"{name}\n" + "".join(f"  {one:28} {share:.3f}\n" for one, share in found.items()))
        sys.stdout.flush()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
