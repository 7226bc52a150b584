"""Coverage of the intervals and errors of the sequential tests by simulation: printed, and bars of tests/calc.

Nominal is 95 %; an interval should hold the truth in 94 % of the trials or more, a test err in 5 % or less. At 1,000
trials a share near .95 is known to about +-.014.
"""

from __future__ import annotations

import sys
from collections import Counter
from functools import partial

import numpy as np

from lmops.calc.decide import decide
from lmops.calc.intervals import mean_interval, score_interval
from lmops.calc.judge import ppi_mean
from lmops.calc.paired import paired_bootstrap, paired_difference
from lmops.calc.repeats import pass_k_interval
from lmops.calc.sequential import betting_test, difference_sequence
from lmops.evals import read_criteria
from lmops.evals._until import Watch

SIZES, RATES = (20, 50, 200, 1000), (0.5, 0.9, 0.95, 0.99)
#: As evaluations ask for the difference of a cost.
compared = partial(paired_difference, has_ends=False, long_tails=True)
MEANS = {
    "lognormal .5": (lambda rng, n: np.exp(0.5 * rng.normal(size=n)), np.exp(0.125)),
    "lognormal 1": (lambda rng, n: np.exp(rng.normal(size=n)), np.exp(0.5)),
    "lognormal 1.5": (lambda rng, n: np.exp(1.5 * rng.normal(size=n)), np.exp(1.125)),
    "exponential": (lambda rng, n: rng.exponential(size=n), 1.0),
    "gamma .5": (lambda rng, n: rng.gamma(0.5, size=n), 0.5),
    "beta 9, 1": (lambda rng, n: rng.beta(9, 1, size=n), 0.9),
    "normal": (lambda rng, n: rng.normal(size=n), 0.0),
}


def skewed(rng, n, sigma, clusters=None, ratio=1.3):
    """Costs of two versions on the same items: lognormal and related, of this ratio; in clusters when asked."""
    shared = rng.normal(size=n) if clusters is None else rng.normal(size=clusters)[np.arange(n) % clusters]
    return [np.exp(sigma * (0.7 * shared + 0.7 * rng.normal(size=n))) * factor for factor in (1.0, ratio)]


def mean_coverage(make, kind, n, *, trials, seed=0):
    """How often an interval of the mean of one column of costs or scores holds the truth."""
    rng = np.random.default_rng(seed)
    draw, truth = MEANS[kind]
    found = (make(draw(rng, n)) for _ in range(trials))
    return sum(one.low <= truth <= one.high for one in found) / trials


def plain_t(a, b, clusters):
    """Return Student's limits of a clustered difference."""
    return mean_interval(a - b, clusters=clusters)


def cost_coverage(make, n, sigma, *, trials, seed=1, clusters=None, ratio=1.3):
    """How often an interval of the mean paired difference of skewed costs holds the truth."""
    rng = np.random.default_rng(seed)
    truth = (1 - ratio) * np.exp(0.98 * sigma**2 / 2)
    held = 0
    for _ in range(trials):
        a, b = skewed(rng, n, sigma, clusters, ratio)
        found = make(a, b, clusters=None if clusters is None else np.arange(n) % clusters)
        held += found.low <= truth <= found.high
    return held / trials


def pass_k_coverage(kind, k, shape, n, *, trials, seed=2):
    """How often the interval of pass@k or pass^k over items of different difficulty (Beta) holds the truth."""
    rng = np.random.default_rng(seed)
    rates = rng.beta(*shape, 400_000)
    truth = np.mean(rates**k if kind == "all" else 1 - (1 - rates) ** k)
    held = 0
    for _ in range(trials):
        found = pass_k_interval(rng.random((n, 4)) < rng.beta(*shape, (n, 1)), k, kind=kind)
        held += found.low <= truth <= found.high
    return held / trials


def ppi_coverage(rate, n, judge, *, trials, seed=3, size=None):
    """How often the interval of a judge-assisted pass rate holds the truth; in clusters of a size when asked."""
    rng = np.random.default_rng(seed)
    sensitivity, specificity = judge
    total = n * 11
    held = 0
    for _ in range(trials):
        codes = None if size is None else np.arange(total) // size
        chance = np.full(total, rate) if codes is None else rng.beta(8 * rate, 8 * (1 - rate), codes.max() + 1)[codes]
        passes = rng.random(total) < chance
        judged = np.where(passes, rng.random(total) < sensitivity, rng.random(total) > specificity).astype(float)
        y = passes.astype(float)
        given = {} if codes is None else {"clusters": codes[:n], "unlabeled_clusters": codes[n:]}
        found = ppi_mean(y[:n], judged[:n], judged[n:], **given)
        held += found.low <= rate <= found.high
    return held / trials


def difference_errors(rate_a, rate_b, share, n, *, trials, seed=4):
    """(How often a stream ever leaves the truth out, mean number of arrivals until 0 is left out)."""
    rng = np.random.default_rng(seed)
    wrong, stops = 0, []
    for _ in range(trials):
        in_a = rng.random(n) < share
        values = (rng.random(n) < np.where(in_a, rate_a, rate_b)).astype(float)
        found = difference_sequence(values, in_a, tau=0.05)
        wrong += found.first_excluding(rate_a - rate_b) is not None
        stops.append(found.first_excluding(0.0) or n)
    return wrong / trials, float(np.mean(stops))


def betting(rate, mean, side, n, *, trials, seed=5):
    """(How often a stream of verdicts is stopped, after how many items on average, n for those that are not)."""
    rng = np.random.default_rng(seed)
    stops = [betting_test((rng.random(n) < rate).astype(float), mean, side=side).stopped_at for _ in range(trials)]
    return sum(stop is not None for stop in stops) / trials, float(np.mean([stop or n for stop in stops]))


def verdict_pairs(rng, n, discordance, rate=0.9):
    """Verdicts of two versions that are alike and disagree on this share of the items."""
    kind, common = rng.random(n), (rng.random(n) < rate).astype(float)
    up, down = kind < discordance / 2, (kind >= discordance / 2) & (kind < discordance)
    return np.where(up, 1.0, np.where(down, 0.0, common)), np.where(up, 0.0, np.where(down, 1.0, common))


def skewed_pairs(rng, n):
    """Scores of two versions whose means are alike, where a loss, if there is one, may be large."""
    lost = np.exp(0.8 * rng.normal(size=n)) - np.exp(0.32)
    return 0.5 - 0.125 * lost, 0.5 + 0.01 * rng.normal(size=n)


def power_at_needed(make, margin, pilot, *, trials, seed=6):
    """(Median n_needed of pilots of two versions that are alike, power of the gate with so many)."""
    rng = np.random.default_rng(seed)

    def decided(n):
        return decide(paired_difference(*make(rng, n), long_tails=True), margin=margin)

    n = int(np.median([one.n_needed for one in (decided(pilot) for _ in range(100)) if one.n_needed]))
    return n, sum(bool(decided(n).passes) for _ in range(trials)) / trials


def stopped(rate, asked, n, *, trials, seed=7, before=None, discordance=0.1):
    """(Share of each outcome of a gate that stops when it knows, mean share of the examples that it asks)."""
    rng = np.random.default_rng(seed)
    ids = [str(place) for place in range(n)]
    outcomes, used = Counter(), []
    for _ in range(trials):
        scores = (rng.random(n) < rate).astype(float)
        baseline = {}
        if before is not None:
            # related answers: those of the baseline, of which some are lost and some are gained
            old = (rng.random(n) < before).astype(float)
            lost, gained = (discordance + before - rate) / 2 / before, (discordance - before + rate) / 2 / (1 - before)
            move = rng.random(n)
            scores = np.where(old == 1, move >= lost, move < gained).astype(float)
            baseline = dict(zip(ids, old.tolist(), strict=True))
        watch = Watch(read_criteria({"scorers": {"s": asked}}), ids, {"s": {"range": [0, 1]}}, {"s": baseline})
        for example, score in zip(ids, scores.tolist(), strict=True):
            if watch.add(example, {"s": score}) is not None:
                break
        outcomes[watch.outcome or "inconclusive"] += 1
        used.append(watch.looks / n)
    return {name: count / trials for name, count in outcomes.items()}, float(np.mean(used))


def print_stopped(trials):
    print("a gate that stops when it knows, 500 examples: outcomes, share of the calls that it makes")
    for asked, rates, before in (
        ({"min": 0.8}, (0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95), None),
        ({"max_loss": 0.03}, (0.8, 0.85, 0.87, 0.9, 0.93), 0.9),
    ):  # fmt: skip
        for rate in rates:
            found, share = stopped(rate, asked, 500, trials=max(40, trials // 8), before=before)
            shown = ", ".join(f"{name} {count:.2f}" for name, count in sorted(found.items()))
            against = f" against {before}" if before else ""
            print(f"  {asked} at rate {rate}{against}: {shown}; {share:.0%} of the calls")


def print_means(trials):
    print("mean of one column, coverage: Student's t | with long tails, as runs and gates show it")
    for kind in MEANS:
        cells = []
        for n in SIZES:
            plain, now = (mean_coverage(make, kind, n, trials=trials) for make in (mean_interval, score_interval))
            cells.append(f"n {n} {plain:.3f} | {now:.3f}")
        print(f"  {kind:14} {', '.join(cells)}")


def print_costs(trials):
    print("cost and latency differences, coverage: paired t | with long tails, as evaluations compare | BCa")
    for ratio in (1.3, 3.0):
        for sigma in (0.5, 1.0, 1.5):
            for n in SIZES:
                plain, now = (
                    cost_coverage(make, n, sigma, trials=trials, ratio=ratio) for make in (paired_difference, compared)
                )
                bca = cost_coverage(lambda *a, **k: paired_bootstrap(*a, draws=500, **k), n, sigma,
                                    trials=trials // 10, ratio=ratio)  # fmt: skip
                print(f"  ratio {ratio} sigma {sigma:<4} n {n:<5} {plain:.3f} | {now:.3f} | {bca:.3f}")
    print("the same in clusters that share most of their cost, 200 examples: Student's t | with long tails")
    for clusters in (8, 20, 40):
        cells = []
        for sigma in (0.05, 0.5, 1.0, 1.5):
            before, now = (
                cost_coverage(make, 200, sigma, trials=trials, clusters=clusters) for make in (plain_t, compared)
            )
            cells.append(f"sigma {sigma} {before:.3f} | {now:.3f}")
        print(f"  {clusters} clusters: {', '.join(cells)}")


def print_rates(trials):
    print("pass@k and pass^k, coverage by items of difficulty Beta(a, b)")
    for shape in ((1, 1), (9, 1), (20, 1), (0.5, 0.05)):
        cells = [
            f"{kind}{k} n {n} {pass_k_coverage(kind, k, shape, n, trials=trials):.3f}"
            for n in (20, 50, 200) for kind, k in (("any", 2), ("all", 4))
        ]  # fmt: skip
        print(f"  {shape}: {', '.join(cells)}")
    print("PPI++ of a pass rate, coverage (ten verdicts per label)")
    for judge in ((0.9, 0.8), (0.98, 0.95)):
        for rate in RATES:
            cells = [f"n {n} {ppi_coverage(rate, n, judge, trials=trials // 2):.3f}" for n in (20, 50, 200)]
            print(f"  judge {judge} rate {rate}: {', '.join(cells)}")
    clustered = [f"{ppi_coverage(0.8, 5 * g, (0.9, 0.8), trials=trials // 2, size=5):.3f} ({g})" for g in (8, 20, 40)]
    print(f"  rate 0.8 in clusters of five (clusters with labels): {', '.join(clustered)}")


def print_sequences(trials):
    print("difference_sequence: streams that ever leave the truth out, arrivals until 0 is left out")
    for rate_a, rate_b, share in (
        (0.5, 0.5, 0.5), (0.95, 0.95, 0.1), (0.99, 0.99, 0.1), (0.9, 0.95, 0.1), (0.5, 0.95, 0.1), (0.8, 0.9, 0.5),
    ):  # fmt: skip
        wrong, stop = difference_errors(rate_a, rate_b, share, 1500, trials=trials // 4)
        print(f"  rates {rate_a} {rate_b}, {share:.0%} in a: {wrong:.3f}, {stop:,.0f}")
    print("betting_test: streams that are stopped, items until then")
    for rate, mean, side in (
        (0.8, 0.8, "two-sided"), (0.95, 0.95, "below"), (0.7, 0.8, "below"), (0.8, 0.9, "below"), (0.85, 0.8, "above"),
        (0.98, 0.9, "above"), (0.5, 0.6, "below"),
    ):  # fmt: skip
        share, stop = betting(rate, mean, side, 2000, trials=trials // 4)
        print(f"  rate {rate} against {mean}, {side}: {share:.3f}, {stop:,.0f}")


def print_needed(trials):
    print("n_needed with a margin, and the power of a gate with so many examples (0.8 is asked)")
    for discordance, margin, pilot in ((0.02, 0.02, 100), (0.05, 0.02, 200), (0.1, 0.03, 150), (0.2, 0.05, 100)):
        n, power = power_at_needed(partial(verdict_pairs, discordance=discordance), margin, pilot, trials=trials)
        print(f"  discordance {discordance}, margin {margin}: n {n:,}, power {power:.3f}")
    n, power = power_at_needed(skewed_pairs, 0.03, 60, trials=trials)
    print(f"  scores that may fall far, margin 0.03: n {n:,}, power {power:.3f}")


def main(trials=400):
    for part in (print_means, print_costs, print_rates, print_sequences, print_needed, print_stopped):
        part(trials)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
