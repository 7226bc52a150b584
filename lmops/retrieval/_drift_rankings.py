"""How the rankings of the same queries differ between two periods, and whether the corpus is why."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import numpy as np

from lmops.calc.rankings import overlap_at_k, rbo
from lmops.retrieval._drift_records import Differing, Rankings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lmops.calc.arrays import Ints
    from lmops.retrieval._drift_golden import Golden
    from lmops.retrieval._drift_read import Retrievals

#: So many queries are compared, those that are asked most.
MOST: Final = 2_000
_SHOWN: Final = 50


class Pair(NamedTuple):
    """The rankings of one query on both sides, and what is relevant to it."""

    query: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    relevant: frozenset[str] | None


def compared(
    pairs: Sequence[Pair], *, k: int, level: float, of: Literal["production", "replay"] = "production"
) -> Rankings:
    """Return how rankings differ; pairs in which both found nothing are the same."""
    from lmops.calc.intervals import proportion_interval, score_interval

    rows = [_differing(one, k) for one in pairs]
    overlap = score_interval([one.overlap for one in rows], level=level)
    first = proportion_interval([float(one.before[:1] != one.after[:1]) for one in rows], level=level)
    had = [one for one in pairs if one.relevant and one.relevant & set(one.before[:k])]
    worst = sorted(rows, key=lambda one: (not one.gold, one.overlap, one.rbo, one.query))
    return Rankings(
        of=of,
        k=k,
        queries=len(rows),
        overlap=known(overlap.estimate),
        overlap_low=known(overlap.low),
        overlap_high=known(overlap.high),
        rbo=known(float(np.mean([one.rbo for one in rows]))) if rows else None,
        top1_changed=known(first.estimate),
        top1_low=known(first.low),
        top1_high=known(first.high),
        gold_lost=sum(bool(one.gold) for one in rows),
        gold=len(had),
        differing=tuple(one for one in worst if one.rbo < 1)[:_SHOWN],
    )


def _differing(one: Pair, k: int) -> Differing:
    before, after = one.before[:k], one.after[:k]
    same = before == after
    lost = None if one.relevant is None else tuple(sorted(one.relevant & set(before) - set(after)))
    return Differing(
        query=one.query,
        before=before,
        after=after,
        overlap=1.0 if same else overlap_at_k(before, after, k),
        rbo=1.0 if same else rbo(before, after),
        gold=lost,
    )


def known(value: float) -> float | None:
    """Return a number; None for NaN."""
    return None if math.isnan(value) else float(value)


def newest(found: Retrievals, *, is_after: bool, column: Ints | None = None) -> dict[tuple[int, ...], int]:
    """Return the last retrieval of each query of one period, by its source and text (and a fingerprint)."""
    rows = np.flatnonzero(_usable(found) & (found.is_after == is_after))
    keys = [found.source[rows], found.key[rows], *([] if column is None else [column[rows]])]
    return dict(zip(zip(*(one.tolist() for one in keys), strict=True), rows.tolist(), strict=True))


def _usable(found: Retrievals) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return the retrievals with a ranking: of sources that never say what they found nothing is known."""
    says = np.zeros(len(found.names["source"]) + 1, np.bool_)
    says[found.source[found.has_documents & found.found]] = True
    return found.found & (found.key >= 0) & (found.source >= 0) & says[found.source]


def of_production(found: Retrievals, golden: Sequence[Golden], *, k: int, level: float) -> tuple[Rankings, int]:
    """Return how the last rankings of the queries of both periods differ, and how many queries both have."""
    before, after = (newest(found, is_after=is_after) for is_after in (False, True))
    both = [key for key in before if key in after]
    asked = np.bincount(found.key[found.found & (found.key >= 0)], minlength=1)
    both.sort(key=lambda key: (-int(asked[key[1]]), key))
    pairs = []
    for key in both[:MOST]:
        rows = before[key], after[key]
        place = int(found.golden[rows[1]])
        names = [tuple(found.document_names[one] for one in found.ranking(row)) for row in rows]
        query = found.names["query"][found.query[rows[1]]]
        pairs.append(Pair(query, names[0], names[1], golden[place].relevant if place >= 0 else None))
    return compared(pairs, k=k, level=level), len(both)


class Steady(NamedTuple):
    """How often the same query under the same settings and documents is ranked otherwise.

    Args:
        changed: Queries that are, between the periods.
        n: Queries that both periods have under the same settings.
        noise: Repeats within the period before that are.
        repeats: Repeats within the period before.
        texts: Chunks with another text under the same id and settings.
        chunks: Chunks that both periods found under the same settings, each with one text in each.
        first_us: When the first other text was found; None without any.
    """

    changed: int
    n: int
    noise: int
    repeats: int
    texts: int
    chunks: int
    first_us: int | None


def steadiness(found: Retrievals) -> Steady:
    """Return how often the same is ranked otherwise, as far as the fingerprints of settings are the same."""
    column = found.settings
    before, after = (newest(found, is_after=is_after, column=column) for is_after in (False, True))
    both = [key for key in before if key in after][:MOST]
    changed = sum(found.chunk_ranking(before[key]) != found.chunk_ranking(after[key]) for key in both)
    noise = repeats = 0
    last: dict[tuple[int, int, int], int] = {}
    rows = np.flatnonzero(_usable(found) & ~found.is_after)
    keys = zip(found.source[rows].tolist(), found.key[rows].tolist(), column[rows].tolist(), strict=True)
    for key, row in zip(keys, rows.tolist(), strict=True):
        if key in last and repeats < MOST:
            repeats += 1
            noise += found.chunk_ranking(last[key]) != found.chunk_ranking(row)
        last[key] = row
    return Steady(changed, len(both), noise, repeats, *_texts(found))


def _texts(found: Retrievals) -> tuple[int, int, int | None]:
    """Return chunks with another text under the same id and settings, those that can be compared, and since when."""
    rows = np.repeat(np.arange(len(found.at_us)), np.diff(found.starts))
    kept = found.found[rows] & (found.texts > 0) & (found.settings[rows] >= 0)
    rows, chunks, texts = rows[kept], found.chunks[kept], found.texts[kept]
    if not len(rows):
        return 0, 0, None
    pair = found.settings[rows].astype(np.int64) * len(found.names["chunk"]) + chunks
    after = found.is_after[rows]
    _, place = np.unique(pair, return_inverse=True)
    size = int(place.max()) + 1
    low, high = (np.zeros((2, size), np.uint64) for _ in range(2))
    for side in (0, 1):
        here = after == bool(side)
        low[side] = np.iinfo(np.uint64).max
        np.minimum.at(low[side], place[here], texts[here])
        np.maximum.at(high[side], place[here], texts[here])
    newest_text = high[1].copy()
    newest_text[place[after]] = texts[after]  # rows are in the order of time: the last one stays
    # a text that depends on the query says nothing of the document: one before, and at most one other after
    is_end = (texts == low[1][place]) | (texts == high[1][place])
    many = np.bincount(place[after & ~is_end], minlength=size) > 0
    kept_old = (low[1] == low[0]) | (high[1] == low[0])
    comparable = (low[0] == high[0]) & (high[1] > 0) & ~many & ((low[1] == high[1]) | kept_old)
    other = comparable & (newest_text != low[0])
    times = found.at_us[rows][other[place] & after & (texts != low[0][place])]
    return int(other.sum()), int(comparable.sum()), int(times.min()) if len(times) else None
