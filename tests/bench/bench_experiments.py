"""Arms of traffic under continuous peeking: errors, coverage, power against a test of one look, the split of users."""

from __future__ import annotations

import sys
import time

import numpy as np

from lmops.calc.experiments import arm_difference, judge_arms, pairs_needed, sample_ratio


def _rate(rng, n, effect, in_a):
    return (rng.random(n) < 0.7 + effect * in_a).astype(float)


def _rare(rng, n, effect, in_a):
    return (rng.random(n) < 0.05 + effect * in_a).astype(float)


def _cost(rng, n, effect, in_a):
    return np.exp(rng.normal(0, 1, n)) + effect * in_a


def stream(rng, draw, *, n, share, effect, looks=1.15, **asked):
    """Return (whether the truth was ever left out, after how many users 0 was, None for never)."""
    in_a = rng.random(n) < share
    items = 1 + rng.poisson(1.0, n)
    users = np.repeat(np.arange(n), items)
    values = draw(rng, users.size, effect, in_a[users])
    missed, told, look = False, None, 60
    while look <= n:
        came = users < look
        found = arm_difference(values[came], users[came], in_a[users[came]], **asked)
        missed |= found.low > effect or found.high < effect
        if told is None and (found.low > 0 or found.high < 0):
            told = look
        look = max(look + 1, int(look * looks))
    return missed, told


def print_errors(trials):
    print("no difference, looked at some 30 times from 60 to 3,000 users of two items: share of streams that err")
    for name, draw in (("rate .7", _rate), ("rate .05", _rare), ("lognormal cost", _cost)):
        for share in (0.5, 0.1):
            rng = np.random.default_rng(1)
            told = [stream(rng, draw, n=3000, share=share, effect=0.0)[1] for _ in range(trials)]
            print(f"  {name:15} share {share}: {np.mean([one is not None for one in told]):.3f}")


def print_power(trials):
    print("an effect: coverage at all looks, users until it is told, and what a test of one look needs for 80 %")
    for name, draw, effect, variance in (("rate .7", _rate, 0.08, 0.21 / 2), ("rate .05", _rare, 0.04, 0.06 / 2)):
        rng = np.random.default_rng(2)
        found = [stream(rng, draw, n=4000, share=0.5, effect=effect) for _ in range(trials)]
        told = [one for _, one in found if one is not None]
        one_look, always = (4 * pairs_needed(effect, variance, tightest_at=at) for at in (None, 250))
        print(
            f"  {name:9} +{effect}: coverage {1 - np.mean([miss for miss, _ in found]):.3f}, told in "
            f"{len(told) / trials:.2f} of the streams, median at {np.median(told):,.0f} users; "
            f"one look {one_look:,}, always valid {always:,}"
        )


def print_split(trials):
    rng = np.random.default_rng(3)
    found = sum(
        sample_ratio([[int(n := rng.binomial(50_000, 0.52)), 50_000 - n]], [[0.5, 0.5]]).is_mismatch
        for _ in range(trials)
    )
    fair = 0
    for _ in range(trials):
        seen = np.cumsum(rng.random(20_000) < 0.5)
        looks = range(99, 20_000, 100)
        fair += any(sample_ratio([[int(seen[n]), n + 1 - int(seen[n])]], [[0.5, 0.5]]).is_mismatch for n in looks)
    print(
        f"52/48 at 50,000 users found in {found} of {trials}; a fair split called off in {fair} of {trials} (200 looks)"
    )


def print_speed():
    rng = np.random.default_rng(4)
    n = 200_000
    values, users, in_a = rng.random(n), rng.integers(0, n // 4, n), np.arange(n // 4) % 2 == 0
    began = time.perf_counter()
    judge_arms(arm_difference(values, users, in_a[users]), margin=0.01)
    print(f"one comparison of {n:,} items of {n // 4:,} users: {(time.perf_counter() - began) * 1000:.0f} ms")


def main(trials=100):
    print(f"{trials} streams each")
    print_errors(trials)
    print_power(trials)
    print_split(trials)
    print_speed()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
