"""Statistics and facts as pure functions: standard library and numpy (scipy inside functions), no I/O, no clock.

    =============  ====================================================================================================
    intervals      score_interval (chooses), wilson, jeffreys, proportion_interval, mean_interval, clustered_se,
                   quantile_interval, small_n_advice -> Interval
    bootstrap      bca_interval, bootstrap_limits, resampled_sums: items or whole clusters
    paired         paired_difference (repeats, clusters) -> PairedDifference; paired_bootstrap, flips, mcnemar,
                   sign_flip_test
    decide         decide -> Decision: better, worse, non_inferior or inconclusive, with the items needed
    power          n_for_difference, minimum_detectable_effect, n_for_paired_binary, mde_paired_binary, n_for_paired_t,
                   n_for_non_inferiority
    multiple       holm, benjamini_hochberg, adjust
    bounds         mean_bounds, difference_bounds: coverage, and the worst and best case of what is missing
    repeats        variance_split, items_or_repeats, flip_rate, pass_at_k, pass_hat_k, pass_k_interval
    rollup         facts of one trace
    =============  ====================================================================================================

A statistic that cannot be computed is NaN, never 0, and its record carries n. Missing values (NaN) are left out and
counted. Random draws take a ``seed``; the same call gives the same numbers.
"""
