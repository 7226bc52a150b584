"""Do corrected rates and differences hold what people would find? Simulated through ``ws.feedback`` and ``ws.evals``.

Every judge of a run is one draw: its verdicts on all examples, a calibration on items of its own, labels on some of the
cases. Nominal is 95 %; 93 to 97 % is asked of what is corrected, which raw rates are far from. The recorded judges of
``../shared/data/judge_pairs`` are drawn from in the same way, when they are there. More draws than by default say it
more exactly: ``python -m tests.bench.bench_corrected 2000``. Where a rate has no limits, nothing is held and nothing
missed: the shares are of the draws that have them, and the share without is printed beside.

``python -m tests.bench.bench_corrected grid 1000`` asks the functions themselves, over a grid of judges, rates and
numbers of labels.
"""

from __future__ import annotations

import itertools
import math
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.stats import binom

import lmops
from lmops.calc.corrected import Errors, corrected_difference, corrected_pass_rate
from lmops.calc.judge import ppi_mean
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
WITHOUT = ", without limits"


class Simulated:
    """Draws people's labels and a judge's verdicts with known errors."""

    def __init__(self, rates, sensitivity, specificity):
        self.rates, self.sensitivity, self.specificity = rates, sensitivity, specificity

    def draw(self, rng, side, n):
        """Return labels and verdicts of so many items of one side."""
        return self._judged(rng, rng.random(n) < self.rates[side])

    def pair(self, rng, n):
        """Return labels and verdicts of both sides, of which six in ten items are as hard on either."""
        hard = rng.random(n)
        others = np.where(rng.random(n) < 0.6, hard, rng.random(n))
        return [self._judged(rng, one < rate) for one, rate in zip((hard, others), self.rates, strict=True)]

    def _judged(self, rng, human):
        return human, rng.random(len(human)) < np.where(human, self.sensitivity, 1 - self.specificity)


class Recorded:
    """Draws pairs with the verdict that a real judge gave; a pass is "the first output is the better one"."""

    def __init__(self, human, verdicts):
        self.human, self.verdicts = human, verdicts
        self.rates = (float(human.mean()), float(human.mean()))

    def draw(self, rng, _side, n):
        """Return labels and verdicts of so many pairs."""
        rows = rng.integers(0, len(self.human), n)
        return self.human[rows], self.verdicts[rows]

    def pair(self, rng, n):
        """Return labels and verdicts of both sides."""
        return [self.draw(rng, side, n) for side in (0, 1)]


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
    """Return how often each interval held the truth, of those with limits, and how often there were none.

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
    return _shares(counts, draws)


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
        _count(found, "rate, raw", one.low, one.high, rates[0])
        _count(found, "rate, by calibration", one.corrected_low, one.corrected_high, rates[0])
        _count(found, "rate, by labels", one.ppi_low, one.ppi_high, rates[0])
    gap = rates[0] - rates[1]
    for one in by_errors.scorers:
        _count(found, "difference, raw", one.low, one.high, gap)
        _count(found, "difference, by calibration", one.corrected_low, one.corrected_high, gap)
    for one in by_labels.scorers:
        _count(found, "difference, by labels", one.corrected_low, one.corrected_high, gap)
    return found


def _count(found, name, low, high, truth):
    found[name] += low <= truth <= high
    found[name + WITHOUT] += math.isnan(low)


def cell(judge, labels, *, draws, n=1000, seed=0):
    """Return what :func:`held` does, of one judge by the functions themselves: quicker, and on pairs that are alike.

    Labels are of items of the run, or in their stead of a calibration on others.
    """
    rng, found = np.random.default_rng(seed), Counter()
    gap = judge.rates[0] - judge.rates[1]
    for _ in range(draws):
        (human, verdicts), (other, _) = pair = judge.pair(rng, n)
        errors = _errors(*judge.draw(rng, 0, labels))
        told = dict(zip(("sensitivity", "n_pass", "specificity", "n_fail"), errors, strict=True))
        rate = corrected_pass_rate(verdicts.sum(), n, **told)
        _count(found, "rate, by calibration", rate.low, rate.high, judge.rates[0])
        ppi = ppi_mean(human[:labels], verdicts[:labels], verdicts[labels:])
        _count(found, "rate, by labels", ppi.low, ppi.high, judge.rates[0])
        gone = np.arange(n) >= labels
        by_labels = {"labels_a": np.where(gone, np.nan, human), "labels_b": np.where(gone, np.nan, other)}
        for name, by in (("calibration", {"errors": errors}), ("labels", by_labels)):
            made = corrected_difference(*(one for _, one in pair), **by)
            _count(found, f"difference, by {name}", made.low, made.high, gap)
    return _shares(found, draws)


def _shares(found, draws):
    """Return by name the share held of the draws with limits, and the share without."""
    return {
        name: (count / max(draws - found[name + WITHOUT], 1), found[name + WITHOUT] / draws)
        for name, count in found.items()
        if not name.endswith(WITHOUT)
    }


def _errors(human, verdicts):
    rates = [(right.mean() if right.size else math.nan, right.size) for right in (verdicts[human], ~verdicts[~human])]
    return Errors(*rates[0], *rates[1])


def grid(draws=1000):
    """Print the shares for every judge, rate and number of labels, a line each, and which are not in 93 to 97 %.

    Those are said of which the draws tell it: by two standard errors.
    """
    cases = [
        (f"rate {rate:g}, sensitivity {q1:g}, specificity {q0:g}", Simulated((rate, rate + gap), q1, q0))
        for rate, gap in ((0.1, 0.08), (0.5, -0.08), (0.9, -0.08))
        for q1, q0 in itertools.product((0.6, 0.75, 0.95), repeat=2)
    ]
    if PAIRS.exists():
        cases += [(f"recorded judge {name}", judge) for name, judge in recorded()]
    outside = []
    few = ((0.1, 0.95), (0.9, 0.95))
    sys.stdout.write("".join(f"{attainable(labels, *one)}\n" for labels, one in itertools.product((50, 100), few)))
    error = math.sqrt(0.05 * 0.95 / draws)
    sys.stdout.write(f"held of {draws} draws, of those with limits (standard error {error:.3f})\n")
    for seed, (labels, (told, judge)) in enumerate(itertools.product((50, 100, 300), cases)):
        found = cell(judge, labels, draws=draws, seed=seed)
        cells = [f"{name} {share:.3f}" + f" ({none:.0%} none)" * (none > 0) for name, (share, none) in found.items()]
        sys.stdout.write(f"{labels} labels, {told}: {'; '.join(cells)}\n")
        sys.stdout.flush()
        outside += [
            f"{labels} labels, {told}: {name} {share:.3f}"
            for name, (share, _) in found.items()
            if not 0.93 - 2 * error <= share <= 0.97 + 2 * error
        ]
    sys.stdout.write("outside of .93 to .97 by two standard errors:\n" + "".join(f"  {one}\n" for one in outside))


def attainable(labels, rate, right):
    """Return in words how often labels show at most so many of the errors that a judge makes seldom, exactly.

    Limits that go by this number hold the truth at it or do not, and so about as often as one of these shares says:
    where none is in 93 to 97 %, the nearest that does not fall below is what to expect.
    """
    seldom = min(rate, 1 - rate) * (1 - right)
    shares = ", ".join(f"at most {most} {binom.cdf(most, labels, seldom):.3f}" for most in range(4))
    return f"exactly: {labels} labels, rate {rate:g}, right in {right:g}: the rarer error is seen {shares}"


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
        sys.stdout.write(
            f"{name}\n"
            + "".join(
                f"  {one:28} {share:.3f}" + f", {none:.0%} without" * (none > 0) + "\n"
                for one, (share, none) in found.items()
            )
        )
        sys.stdout.flush()


if __name__ == "__main__":
    if sys.argv[1:2] == ["grid"]:
        grid(*map(int, sys.argv[2:]))
    else:
        main(*map(int, sys.argv[1:]))
