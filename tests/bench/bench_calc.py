"""Coverage of the intervals and errors of the sequential tests by simulation: printed, and bars of tests/calc.

Nominal is 95 %; an interval should hold the truth in 94 % of the trials or more, a test err in 5 % or less. More trials
than by default say it more exactly: ``python -m tests.bench.bench_calc 4000``.
"""

from __future__ import annotations

import sys
from collections import Counter
from functools import partial

import numpy as np
from scipy.stats import binom

from lmops.calc.active import draw_items, sampled_mean, sampling_probabilities
from lmops.calc.corrected import corrected_difference, corrected_pass_rate
from lmops.calc.decide import decide
from lmops.calc.intervals import mean_interval, proportion_interval, score_interval, wilson
from lmops.calc.judge import ppi_mean
from lmops.calc.paired import paired_bootstrap, paired_difference
from lmops.calc.repeats import pass_k_interval
from lmops.calc.sequential import betting_test, difference_sequence
from lmops.evals import read_criteria
from lmops.evals._until import Watch

SIZES, RATES = (20, 50, 200, 1000), (0.5, 0.9, 0.95, 0.99)
#: Sensitivity and specificity of one judge on two versions.
JUDGES = (
    ((0.9, 0.8), (0.7, 0.95)),
    ((0.95, 0.6), (0.6, 0.95)),
    ((0.6, 0.6), (0.6, 0.6)),
    ((0.8, 0.8), (0.8, 0.8)),
    ((0.95, 0.95), (0.95, 0.95)),
)
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


def wilson_coverage(rate, n):
    """How often Wilson's interval of a pass rate holds the truth, exactly: the sum over all numbers of passes."""
    passes = np.arange(n + 1)
    low, high = wilson(passes, n)
    return float(binom.pmf(passes, n, rate)[(low <= rate) & (rate <= high)].sum())


def in_clusters(rng, rate, clusters, size, alike):
    """Verdicts in clusters that share so much of their variance (Beta), and the cluster of each."""
    codes = np.repeat(np.arange(clusters), size)
    chances = (
        np.full(clusters, rate)
        if not alike
        else rng.beta(*(part * (1 / alike - 1) for part in (rate, 1 - rate)), clusters)
    )
    return (rng.random(codes.size) < chances[codes]).astype(float), codes


def clustered_coverage(rate, clusters, size, alike, *, trials, seed=8):
    """How often the interval of a pass rate of clustered verdicts holds the truth."""
    rng = np.random.default_rng(seed)
    found = (
        proportion_interval(x, clusters=codes)
        for x, codes in (in_clusters(rng, rate, clusters, size, alike) for _ in range(trials))
    )
    return sum(one.low <= rate <= one.high for one in found) / trials


def verdict_coverage(rate, n, discordance, *, trials, seed=9, size=None):
    """How often the interval of the difference of two pass rates on the same items holds the truth.

    The versions disagree on a share of the items and differ by half of it; items in clusters share their verdicts.
    """
    rng = np.random.default_rng(seed)
    truth, held = discordance / 2, 0
    for _ in range(trials):
        units = n if size is None else n // size
        kind, common = rng.random(units), (rng.random(units) < rate).astype(float)
        up, down = kind < 0.75 * discordance, (kind >= 0.75 * discordance) & (kind < discordance)
        a, b = np.where(up, 1.0, np.where(down, 0.0, common)), np.where(up, 0.0, np.where(down, 1.0, common))
        codes = None if size is None else np.repeat(np.arange(units), size)
        found = paired_difference(a if codes is None else a[codes], b if codes is None else b[codes], clusters=codes)
        held += found.low <= truth <= found.high
    return held / trials


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


def judged(rng, labels, errors):
    """Verdicts of a judge of this sensitivity and specificity."""
    return np.where(labels == 1, rng.random(labels.size) < errors[0], rng.random(labels.size) >= errors[1]).astype(
        float
    )


def corrected_rate_coverage(rate, errors, labels, *, trials, n=1000, seed=11):
    """How often the corrected rate holds the truth, how often Wilson's of the verdicts, and how often there is none.

    The labels are of so many items drawn from all, so that a rare outcome has few.
    """
    rng = np.random.default_rng(seed)
    held = raw = known = 0
    for _ in range(trials):
        human = (rng.random(labels) < rate).astype(float)
        verdicts = judged(rng, human, errors)
        passes = rng.binomial(n, rate * errors[0] + (1 - rate) * (1 - errors[1]))
        n_pass = int(human.sum())
        found = corrected_pass_rate(
            passes,
            n,
            sensitivity=verdicts[human == 1].mean() if n_pass else np.nan,
            n_pass=n_pass,
            specificity=1 - verdicts[human == 0].mean() if n_pass < labels else np.nan,
            n_fail=labels - n_pass,
        )
        if found.reason is None:
            known += 1
            held += found.low <= rate <= found.high
            low, high = wilson(passes, n)
            raw += bool(low <= rate <= high)
    return held / max(known, 1), raw / max(known, 1), trials - known


def corrected_difference_coverage(rates, judges, labels, *, trials, n=500, sides="both", clusters=None, seed=12):
    """How often the corrected difference holds the truth, how often the raw one, and how often there is none.

    Labels are on the same items of both versions ("both"), on different ones ("apart") or on one version ("one").
    """
    rng = np.random.default_rng(seed)
    truth = rates[0] - rates[1]
    codes = None if clusters is None else np.arange(n) % clusters
    held = raw = known = 0
    for _ in range(trials):
        hard = rng.random(n) if codes is None else rng.random(clusters)[codes]
        alike = rng.random(n) < 0.6
        human = [(np.where(alike, hard, rng.random(n)) < rate).astype(float) for rate in rates]
        verdicts = [judged(rng, one, errors) for one, errors in zip(human, judges, strict=True)]
        chosen = [rng.permutation(n)[:labels] for _ in range(2)]
        seen = [np.full(n, np.nan), np.full(n, np.nan)]
        seen[0][chosen[0]] = human[0][chosen[0]]
        if sides != "one":
            where = chosen[0 if sides == "both" else 1]
            seen[1][where] = human[1][where]
        found = corrected_difference(*verdicts, labels_a=seen[0], labels_b=seen[1], clusters=codes)
        if found.reason is None:
            known += 1
            held += found.low <= truth <= found.high
            plain = paired_difference(*verdicts, clusters=codes)
            raw += plain.low <= truth <= plain.high
    return held / max(known, 1), raw / max(known, 1), trials - known


def sampled_coverage(rate, budget, *, trials, n=1000, good=True, seed=13):
    """How often the mean of actively drawn labels holds the truth, and how often Wilson's of the labels alone does."""
    rng = np.random.default_rng(seed)
    held = plain = 0
    for trial in range(trials):
        chance = rng.beta(4 * rate, 4 * (1 - rate), n)
        human = (rng.random(n) < chance).astype(float)
        judge = chance if good else 0.5 + 0.5 * rng.random(n)
        probabilities = sampling_probabilities(np.sqrt(judge * (1 - judge)), budget)
        drawn = draw_items(probabilities, seed=trial)
        found = sampled_mean(np.where(drawn, human, np.nan), judge, probabilities)
        held += found.low <= rate <= found.high
        low, high = wilson(human[drawn].sum(), drawn.sum())
        plain += bool(low <= rate <= high)
    return held / trials, plain / trials


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
    ):
        for rate in rates:
            found, share = stopped(rate, asked, 500, trials=max(40, trials // 8), before=before)
            shown = ", ".join(f"{name} {count:.2f}" for name, count in sorted(found.items()))
            against = f" against {before}" if before else ""
            print(f"  {asked} at rate {rate}{against}: {shown}; {share:.0%} of the calls")


def print_verdicts(trials):
    print("pass rates, coverage of Wilson's interval, exactly")
    for n in SIZES:
        many = [wilson_coverage(rate, n) for rate in np.arange(0.5, 0.991, 0.01)]
        cells = ", ".join(f"rate {rate} {wilson_coverage(rate, n):.3f}" for rate in RATES)
        print(f"  n {n:<5} {cells}; rates .5 to .99: mean {np.mean(many):.3f}, least {min(many):.3f}")
    print("pass rates in clusters that share none, a tenth and a third of their variance, coverage")
    for clusters in (8, 20, 40):
        for size in (5, 25):
            cells = []
            for rate in RATES:
                shares = (clustered_coverage(rate, clusters, size, alike, trials=trials) for alike in (0, 0.1, 1 / 3))
                cells.append(f"rate {rate} {' | '.join(f'{share:.3f}' for share in shares)}")
            print(f"  {clusters} clusters of {size}: {', '.join(cells)}")
    print("differences of pass rates on the same items, coverage by the share on which they disagree")
    for n in SIZES:
        cells = [f"{share} {verdict_coverage(0.9, n, share, trials=trials):.3f}" for share in (0.02, 0.05, 0.1, 0.3)]
        print(f"  n {n:<5} {', '.join(cells)}")
    for clusters in (8, 20, 40):
        cells = [
            f"{share} {verdict_coverage(0.9, 5 * clusters, share, trials=trials, size=5):.3f}"
            for share in (0.02, 0.05, 0.1, 0.3)
        ]
        print(f"  {clusters} clusters of five that are alike: {', '.join(cells)}")


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
                bca = cost_coverage(
                    lambda *a, **k: paired_bootstrap(*a, draws=500, **k), n, sigma, trials=trials // 10, ratio=ratio
                )
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
            for n in (20, 50, 200)
            for kind, k in (("any", 2), ("all", 4))
        ]
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
        (0.5, 0.5, 0.5),
        (0.95, 0.95, 0.1),
        (0.99, 0.99, 0.1),
        (0.9, 0.95, 0.1),
        (0.5, 0.95, 0.1),
        (0.8, 0.9, 0.5),
    ):
        wrong, stop = difference_errors(rate_a, rate_b, share, 1500, trials=trials // 4)
        print(f"  rates {rate_a} {rate_b}, {share:.0%} in a: {wrong:.3f}, {stop:,.0f}")
    print("betting_test: streams that are stopped, items until then")
    for rate, mean, side in (
        (0.8, 0.8, "two-sided"),
        (0.95, 0.95, "below"),
        (0.7, 0.8, "below"),
        (0.8, 0.9, "below"),
        (0.85, 0.8, "above"),
        (0.98, 0.9, "above"),
        (0.5, 0.6, "below"),
    ):
        share, stop = betting(rate, mean, side, 2000, trials=trials // 4)
        print(f"  rate {rate} against {mean}, {side}: {share:.3f}, {stop:,.0f}")


def print_corrected(trials):
    print("corrected pass rates, of 1,000 verdicts: held by the corrected limits, by the raw ones, trials without any")
    for labels in (50, 100, 300):
        for rate in (0.5, 0.8, 0.95):
            found = {
                (one, other): corrected_rate_coverage(rate, (one, other), labels, trials=trials)
                for one in (0.6, 0.8, 0.95)
                for other in (0.6, 0.8, 0.95)
            }
            line = "  ".join(f"{held:.3f} {raw:.3f} {none:3d}" for held, raw, none in found.values())
            print(f"  {labels:4d} labels, rate {rate:.2f}: {line}")
    print("means of labels that were drawn where the judge is unsure: held, and by Wilson's of the labels alone")
    for rate in (0.5, 0.8, 0.95):
        line = "  ".join(
            "{:.3f} {:.3f}".format(*sampled_coverage(rate, budget, trials=trials, good=good))
            for budget in (50, 100, 300)
            for good in (True, False)
        )
        print(f"  rate {rate:.2f}: {line}")
    print("corrected differences of 500 pairs")
    for sides in ("both", "apart", "one"):
        for labels in (50, 100, 300):
            for rates in ((0.8, 0.7), (0.95, 0.9), (0.5, 0.5)):
                line = "  ".join(
                    "{:.3f} {:.3f} {:3d}".format(
                        *corrected_difference_coverage(rates, judges, labels, trials=trials, sides=sides)
                    )
                    for judges in JUDGES
                    if sides != "one" or judges[0] == judges[1]
                )
                print(f"  {sides:5s} {labels:4d} labels, {rates}: {line}")


def print_needed(trials):
    print("n_needed with a margin, and the power of a gate with so many examples (0.8 is asked)")
    for discordance, margin, pilot in ((0.02, 0.02, 100), (0.05, 0.02, 200), (0.1, 0.03, 150), (0.2, 0.05, 100)):
        n, power = power_at_needed(partial(verdict_pairs, discordance=discordance), margin, pilot, trials=trials)
        print(f"  discordance {discordance}, margin {margin}: n {n:,}, power {power:.3f}")
    n, power = power_at_needed(skewed_pairs, 0.03, 60, trials=trials)
    print(f"  scores that may fall far, margin 0.03: n {n:,}, power {power:.3f}")


def main(trials=400):
    print(f"{trials} trials: a coverage near .95 is known to about +-{2 * (0.95 * 0.05 / trials) ** 0.5:.3f}")
    for part in (
        print_verdicts,
        print_means,
        print_costs,
        print_rates,
        print_corrected,
        print_sequences,
        print_needed,
        print_stopped,
    ):
        part(trials)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
