"""The figures that the benchmark prints, reduced and seeded: intervals cover, tests err seldom, plans hold."""

from functools import partial

import pytest

from lmops.calc.intervals import mean_interval, score_interval
from lmops.calc.paired import paired_difference
from tests.bench import bench_calc as simulate

#: Two standard errors below 94 % at 300 trials.
BAR = 0.913


@pytest.mark.parametrize(("clusters", "rate"), [(8, 0.9), (20, 0.95), (40, 0.99)])
def test_clustered_pass_rates_are_covered(clusters, rate):
    """Of 25 items each; where few hold a failure the plain formula covers .83 to .88."""
    assert simulate.clustered_coverage(rate, clusters, 25, 1 / 3, trials=300) >= BAR


@pytest.mark.parametrize("size", [None, 5])
@pytest.mark.parametrize("share", [0.05, 0.3])
def test_differences_of_pass_rates_are_covered(share, size):
    """Whether the versions disagree on few items or on many."""
    assert simulate.verdict_coverage(0.9, 100, share, trials=300, size=size) >= BAR


@pytest.mark.parametrize("sigma", [0.5, 1.5])
@pytest.mark.parametrize("n", [20, 200])
def test_paired_t_covers_skewed_costs(n, sigma):
    """Lognormal costs of related items, also of few."""
    assert simulate.cost_coverage(paired_difference, n, sigma, trials=300) >= BAR


@pytest.mark.parametrize("sigma", [0.5, 1.5])
@pytest.mark.parametrize("n", [20, 50, 200])
def test_a_version_that_costs_three_times_as_much_is_covered(n, sigma):
    """Then the differences are as skewed as the costs; Student's limits hold the truth in 80 to 95 %."""
    assert simulate.cost_coverage(simulate.compared, n, sigma, trials=400, ratio=3) >= BAR


@pytest.mark.parametrize("kind", ["lognormal 1.5", "exponential", "gamma .5", "beta 9, 1", "normal"])
def test_means_of_skewed_scores_are_covered(kind):
    """Of twenty costs or scores; Student's limits hold the mean of lognormal costs of sigma 1.5 in 77 %."""
    assert simulate.mean_coverage(score_interval, kind, 20, trials=400) >= BAR
    assert kind != "lognormal 1.5" or simulate.mean_coverage(mean_interval, kind, 20, trials=400) < 0.85


@pytest.mark.parametrize("sigma", [0.5, 1.0, 1.5])
@pytest.mark.parametrize("clusters", [8, 20, 40])
def test_clustered_costs_are_covered(clusters, sigma):
    """Whole clusters are alike, and their costs skewed."""
    assert simulate.cost_coverage(simulate.compared, 200, sigma, trials=400, clusters=clusters) >= BAR


@pytest.mark.parametrize(("kind", "k"), [("any", 2), ("all", 4)])
@pytest.mark.parametrize("shape", [(1, 1), (20, 1)])
def test_pass_k_covers_also_where_nearly_all_pass(kind, k, shape):
    """A bootstrap had no width there."""
    assert simulate.pass_k_coverage(kind, k, shape, 50, trials=300) >= BAR


@pytest.mark.parametrize("judge", [(0.9, 0.8), (0.98, 0.95)])
@pytest.mark.parametrize(("rate", "n"), [(0.5, 50), (0.95, 20), (0.95, 200)])
def test_ppi_covers_near_the_ends(rate, n, judge):
    """With a judge that errs often, and with one that hardly errs."""
    assert simulate.ppi_coverage(rate, n, judge, trials=300) >= BAR


@pytest.mark.parametrize("groups", [8, 40])
def test_ppi_covers_clusters(groups):
    """Five labels each."""
    assert simulate.ppi_coverage(0.8, 5 * groups, (0.9, 0.8), trials=200, size=5) >= 0.91


@pytest.mark.parametrize(
    ("rate_a", "rate_b", "share"), [(0.95, 0.95, 0.1), (0.99, 0.99, 0.1), (0.9, 0.95, 0.1), (0.5, 0.95, 0.1)]
)
def test_difference_sequence_errs_seldom_at_unequal_arrivals(rate_a, rate_b, share):
    """Near 1, where a small group has shown no failure yet."""
    wrong, _ = simulate.difference_errors(rate_a, rate_b, share, 800, trials=100)
    assert wrong <= 0.09


def test_a_mixture_of_bets_errs_seldom_and_stops_early():
    """It needs no guess of the effect."""
    assert simulate.betting(0.8, 0.8, "two-sided", 500, trials=200)[0] <= 0.08
    assert simulate.betting(0.7, 0.8, "below", 1000, trials=60) == (1.0, pytest.approx(150, rel=0.25))


@pytest.mark.parametrize(
    ("make", "margin", "pilot"),
    [
        (partial(simulate.verdict_pairs, discordance=0.05), 0.02, 200),
        (partial(simulate.verdict_pairs, discordance=0.2), 0.05, 100),
        (simulate.skewed_pairs, 0.03, 60),
    ],
    ids=["few differ", "many differ", "skewed"],
)
def test_the_items_needed_have_the_power_that_was_asked(make, margin, pilot):
    """By simulation of gates of that size."""
    n, power = simulate.power_at_needed(make, margin, pilot, trials=200)
    assert 0.7 <= power <= 0.9
    assert n < 10 * pilot
