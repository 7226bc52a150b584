"""Statistics and facts as pure functions: standard library and numpy (scipy inside functions), no I/O, no clock.

    =============  ====================================================================================================
    intervals      score_interval (chooses), wilson, jeffreys, proportion_interval, weighted_interval,
                   fraction_interval, mean_interval, clustered_se, quantile_interval, small_n_advice -> Interval
    bootstrap      bca_interval, bootstrap_limits, resampled_sums: items or whole clusters
    paired         paired_difference (repeats, clusters) -> PairedDifference; paired_bootstrap, flips, mcnemar,
                   mcnemar_chi2, sign_flip_test
    decide         decide -> Decision: better, worse, non_inferior or inconclusive, with the items needed
    power          n_for_difference, minimum_detectable_effect, n_for_paired_binary, mde_paired_binary, n_for_paired_t,
                   n_for_non_inferiority; two groups: n_for_two_rates, n_for_two_means, power_of_two_rates
    multiple       holm, benjamini_hochberg, adjust
    bounds         mean_bounds, difference_bounds: coverage, and the worst and best case of what is missing
    unpaired       rate_difference, mean_difference, newcombe: two groups of different items
    repeats        variance_split, items_or_repeats, flip_rate, pass_at_k, pass_hat_k, pass_k_interval
    agreement      agreement_report; cohen_kappa (weighted), fleiss_kappa, conger_kappa, krippendorff_alpha,
                   gwet_ac1, brennan_prediger -> Agreement
    raters         agreement_by_field: rows of labels by field, pair of raters and category, with what is in dispute
    reliability    icc -> Reliability: ICC(1), ICC(2), ICC(3), of one rating or of the average
    judge          calibrate, ppi_mean, position_bias, verbosity_slope, self_preference
    corrected      corrected_pass_rate, corrected_difference of two versions under one judge, allocate_labels
    corrected_scores  corrected_score_difference: the same of a judge that scores on a scale
    needed         labels_needed: how many more labels a corrected rate needs
    budget         error_budget: what the error comes from, and what next calls or labels take off it
    staleness      staleness: do newer labels disagree with a judge's record? fisher_p
    active         sampling_probabilities, draw_items, sampled_mean: which items to label, and their unbiased mean
    ranking        bradley_terry -> Ranking, with ties, the bonus of the first place and intervals over items
    sequential     betting_sequence, betting_test, bernstein_sequence, normal_sequence, difference_sequence (A/B),
                   msprt, normal_mixture_boundary: bounds that hold however often one looks
    anytime        anytime_rate, anytime_mean, anytime_quantile, wider: limits of one figure, by cluster, at every look
    experiments    arm_difference by user (phases, earlier means), judge_arms, pairs_needed, sample_ratio: two arms of
                   traffic, at every look
    detectors      detect -> Detection: has a rate moved, with a stated run between false alarms; first_of_clusters,
                   values_until_found
    detection      rates, curve (ROC with band), auroc, threshold_for: what finds things in texts, on known ones
    distances      cramers_v: how far two mixes of kinds are apart; mix_p: whether chance alone does as much
    changes        change_point -> ChangePoint: when a mean moved, with an interval
    windows        failing_windows: when something failed more than chance accounts for
    mix            decompose -> Decomposition: what of a change is mix and what is rate, kind by kind
    retrieval      recall_at_k, precision_at_k, hit_at_k, reciprocal_rank, average_precision, ndcg_at_k
    rankings       rbo, overlap_at_k: how alike two rankings are
    judgements     judged_at_k, condensed, bpref, trec_order: rankings in which not everything was judged
    clusters       text_cosines, cosines, silhouettes, group, telling: short texts in groups, and words for each
    alignment      matches, words, pieces: which lines, words or spans of two sequences belong together
    trajectories   loops, align, kept_in_order: the calls of a run as a path, and two runs step by step
    rollup         facts of one trace
    usage          tokens as every client says them, in one form
    fees           what an answer says was paid for beside its tokens: searches, sound, pictures
    arrays         values of any kind as arrays of numbers: columns, matrices, clusters
    =============  ====================================================================================================

A statistic that cannot be computed is NaN, never 0, and its record carries n. Missing values (NaN) are left out and
counted. Random draws take a ``seed``; the same call gives the same numbers.
"""
