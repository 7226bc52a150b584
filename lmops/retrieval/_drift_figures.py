"""What is measured of the retrievals of both periods: recall, empty results, scores, documents, coverage, words."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lmops.calc.clusters import words_of
from lmops.calc.distances import cramers_v, mix_p
from lmops.calc.intervals import score_interval
from lmops.calc.paired import paired_difference
from lmops.calc.retrieval import recall_at_k
from lmops.calc.unpaired import mean_difference
from lmops.datasets import recorded
from lmops.retrieval._drift_rankings import known
from lmops.retrieval._drift_records import Figure, Seen
from lmops.times import from_ns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lmops.calc.arrays import Floats, Ints
    from lmops.calc.unpaired import UnpairedDifference
    from lmops.retrieval._drift_golden import Golden
    from lmops.retrieval._drift_read import Retrievals
    from lmops.store import Store

#: With so many questions in both periods recall is compared question by question.
PAIRED: Final = 10
#: People (or sessions) a period whose words count, and kinds into which words fall.
_UNITS: Final = 2_000
_KINDS: Final = 256
_SHOWN: Final = 50
_DAY_US: Final = 86_400_000_000
_HOUR_US: Final = 3_600_000_000


def recalls(found: Retrievals, golden: Sequence[Golden], *, k: int) -> Floats:
    """Return the recall of each row by document; NaN where the question is not golden."""
    values = np.full(len(found.at_us), np.nan)
    place_of = {name: place for place, name in enumerate(found.document_names)}
    # a relevant document that nobody found has a place of its own, so that it counts as missed
    relevant = [{place_of.get(name, name) for name in one.relevant} for one in golden]
    says = {int(one) for one in np.unique(found.source[found.has_documents])}
    for row in np.flatnonzero(found.golden >= 0).tolist():
        if int(found.source[row]) in says:
            values[row] = recall_at_k(found.ranking(row), relevant[int(found.golden[row])], k)
    return values


def recall(found: Retrievals, golden: Sequence[Golden], values: Floats, *, is_reranked: bool, level: float) -> Figure:
    """Return recall on the golden questions: question by question where enough of them occur in both periods."""
    kept = np.flatnonzero(~np.isnan(values) & (found.is_reranked == is_reranked))
    sides = [kept[found.is_after[kept] == is_after] for is_after in (False, True)]
    means = [_by_question(found.golden[rows], values[rows]) for rows in sides]
    both = sorted(set(means[0]) & set(means[1]))
    name, title = ("recall_reranked", "recall after reranking") if is_reranked else ("recall", "recall")
    title = f"{title} on golden questions"
    if len(both) >= PAIRED:
        before, after = ([one[place] for place in both] for one in means)
        pairs = paired_difference(after, before, clusters=[golden[place].cluster for place in both], level=level)
        return Figure(
            name=name,
            title=title,
            unit="share",
            before=known(pairs.mean_b),
            after=known(pairs.mean_a),
            change=known(pairs.difference),
            low=known(pairs.low),
            high=known(pairs.high),
            p_value=known(pairs.p_value),
            n_before=len(sides[0]),
            n_after=len(sides[1]),
            n=pairs.n,
        )
    apart = mean_difference(
        values[sides[1]],
        values[sides[0]],
        clusters_a=found.golden[sides[1]],
        clusters_b=found.golden[sides[0]],
        level=level,
    )
    return _figure(name, title, "share", apart)


def _by_question(places: Ints, values: Floats) -> dict[int, float]:
    sums, counts = np.bincount(places, weights=values), np.bincount(places)
    return {int(place): float(sums[place] / counts[place]) for place in np.flatnonzero(counts)}


def _figure(name: str, title: str, unit: str, apart: UnpairedDifference) -> Figure:
    return Figure(
        name=name,
        title=title,
        unit=unit,
        before=known(apart.mean_b),
        after=known(apart.mean_a),
        change=known(apart.difference),
        low=known(apart.low),
        high=known(apart.high),
        p_value=known(apart.p_value),
        n_before=apart.n_b,
        n_after=apart.n_a,
    )


def plain_figures(found: Retrievals, *, level: float) -> list[Figure]:
    """Return empty results, documents found and first scores, with limits by user (session, trace)."""
    says = np.unique(found.source[found.has_documents])
    rows = np.flatnonzero(found.found & np.isin(found.source, says))
    counts = np.diff(found.starts)[rows]
    asked = (
        ("empty", "empty results", "share", (counts == 0).astype(np.float64)),
        ("documents", "documents found", "documents", counts.astype(np.float64)),
        ("top_score", "score of the first document", "score", np.where(counts > 0, found.top_score[rows], np.nan)),
    )
    return [_of_users(found, rows, *one, level=level) for one in asked]


def _of_users(
    found: Retrievals, rows: Ints, name: str, title: str, unit: str, values: Floats, *, level: float
) -> Figure:
    values = np.where(np.isfinite(values), values, np.nan)
    after = found.is_after[rows]
    apart = mean_difference(
        values[after],
        values[~after],
        clusters_a=found.unit[rows][after],
        clusters_b=found.unit[rows][~after],
        level=level,
    )
    return _figure(name, title, unit, apart)


def score_distance(found: Retrievals) -> float | None:
    """Return how far the first scores of both periods are apart: Cramer's V over the tenths of those before."""
    rows = found.found & np.isfinite(found.top_score)
    before, after = (found.top_score[rows & (found.is_after == is_after)] for is_after in (False, True))
    if len(before) < 20 or not len(after):
        return None
    edges = np.unique(np.quantile(before, np.linspace(0.1, 0.9, 9)))
    counts = [
        np.bincount(np.searchsorted(edges, one, side="right"), minlength=len(edges) + 1) for one in (before, after)
    ]
    return known(cramers_v(counts[0], counts[1]))


def coverage(store: Store, found: Retrievals, *, most: int, level: float) -> Figure:
    """Return how far documents support answers, by words, on traces of each period that are drawn at random."""
    from lmops.scorers import ScoreInput, source_support

    rows = np.flatnonzero(found.found & found.has_documents)
    scorer, values = source_support(), []
    for is_after in (False, True):
        traces = np.unique(found.trace[rows[found.is_after[rows] == is_after]])
        drawn = np.random.default_rng(0).permutation(traces)[:most]
        ids = [found.names["trace_id"][place] for place in drawn.tolist()]
        values.append([_supported(scorer, ScoreInput, one) for _, one in recorded(store, ids) if one is not None])
    apart = mean_difference(values[1], values[0], level=level)
    return _figure("coverage", "claims of answers that documents support", "share", apart)


def _supported(scorer: Any, given: Any, example: Any) -> float:
    """Return the share of the claims of an answer that documents support; NaN where it claims nothing."""
    documents = None if example.documents is None else list(example.documents)
    tools = example.metadata.get("tool_calls")
    score = scorer.score(given(output=example.output, example=example.as_dict(), documents=documents, tool_calls=tools))
    return float(score.detail["supported"]) if score.value is not None else np.nan


def only_one_side(found: Retrievals) -> tuple[list[Seen], int, int]:
    """Return documents that one period alone found: the least likely first, and how many there are of each side."""
    rows = np.repeat(np.arange(len(found.at_us)), np.diff(found.starts))
    rows, documents = (one[found.found[rows]] for one in (rows, found.documents))
    size = len(found.document_names)
    sides = [np.bincount(documents[found.is_after[rows] == is_after], minlength=size) for is_after in (False, True)]
    totals = [int(one.sum()) for one in sides]
    seen, counts = [], []
    for mine, others, is_after in ((0, 1, False), (1, 0, True)):
        alone = np.flatnonzero((sides[mine] > 0) & (sides[others] == 0))
        counts.append(len(alone) if totals[others] else 0)
        for place in alone[np.argsort(-sides[mine][alone], kind="stable")][: _SHOWN if totals[others] else 0].tolist():
            n = int(sides[mine][place])
            chance = float((1 - n / totals[mine]) ** totals[others]) if n < totals[mine] else 0.0
            seen.append(Seen(document=found.document_names[place], is_after=is_after, n=n, chance=chance))
    return sorted(seen, key=lambda one: (one.chance, one.document)), counts[0], counts[1]


def questions(found: Retrievals) -> tuple[float, float, list[tuple[str, float, float]]]:
    """Return how far the words of queries are apart, the chance of that, and the words whose share moved most.

    Words fall into 256 kinds; somebody's words of one period stay together when they are dealt again.

    Returns:
        (Cramer's V, p, [(word, share of queries before, after)]); NaN where a period has no words.
    """
    rows = _drawn(found)
    said = {int(key): set(words_of(found.names["key"][key])) for key in np.unique(found.key[rows])}
    units: dict[tuple[int, bool], int] = {}
    kinds: dict[str, int] = {}
    uses: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    places, words = [], []
    for row in rows.tolist():
        after = bool(found.is_after[row])
        unit = units.setdefault((int(found.unit[row]), after), len(units))
        for word in sorted(said[int(found.key[row])]):
            places.append(unit)
            words.append(kinds.setdefault(word, len(kinds)) % _KINDS)
            uses[after][word] += 1
    counts = np.zeros((len(units), min(_KINDS, max(len(kinds), 1))))
    np.add.at(counts, (places, words), 1.0)
    sides = np.array([after for _, after in units], dtype=np.bool_)
    v = cramers_v(counts[~sides].sum(axis=0), counts[sides].sum(axis=0))
    n = [max(int((found.is_after[rows] == after).sum()), 1) for after in (False, True)]
    moved = [(word, uses[0][word] / n[0], uses[1][word] / n[1]) for word in kinds]
    moved.sort(key=lambda one: (-abs(one[2] - one[1]), one[0]))
    return v, mix_p(counts, sides) if len(counts) else np.nan, moved[:5]


def _drawn(found: Retrievals) -> Ints:
    """Return the retrievals whose words count: of more people than that, some drawn at random."""
    rows = np.flatnonzero(found.found & (found.key >= 0) & (found.unit >= 0))
    kept = []
    for is_after in (False, True):
        here = rows[found.is_after[rows] == is_after]
        units = np.unique(found.unit[here])
        if len(units) > _UNITS:
            here = here[np.isin(found.unit[here], np.random.default_rng(0).choice(units, _UNITS, replace=False))]
        kept.append(here)
    return np.sort(np.concatenate(kept))


def days(found: Retrievals, values: Floats, *, level: float) -> tuple[tuple[dict[str, Any], ...], str]:
    """Return what is drawn over the days (hours of a short time), and what it is.

    Recall on golden questions; where there are none the share of queries that found something.
    """
    rows = np.flatnonzero(found.found)
    is_golden = bool((~np.isnan(values[rows])).any())
    title = "Recall on golden questions" if is_golden else "Queries that found something"
    drawn = values if is_golden else (np.diff(found.starts) > 0).astype(np.float64)
    if not len(rows):
        return (), title
    step = _DAY_US if found.at_us[rows[-1]] - found.at_us[rows[0]] >= 2 * _DAY_US else _HOUR_US
    buckets = found.at_us[rows] // step
    told = []
    for bucket in np.unique(buckets).tolist():
        here = rows[buckets == bucket]
        of = score_interval(drawn[here], clusters=found.golden[here] if is_golden else found.unit[here], level=level)
        served = np.bincount(found.settings[here] + 1)
        most = int(served.argmax()) - 1
        told.append(
            {
                "bucket": from_ns(bucket * step * 1000),
                "estimate": known(of.estimate),
                "low": known(of.low),
                "high": known(of.high),
                "n": of.n,
                "fingerprint": found.names["settings"][most] if most >= 0 else None,
            }
        )
    return tuple(told), title
