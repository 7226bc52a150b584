"""Canary queries: asked again now, and held against the rankings that were recorded before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lmops.errors import UsageError
from lmops.retrieval._drift_golden import Golden, question_of
from lmops.retrieval._drift_rankings import Pair, compared, newest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lmops.retrieval._drift_read import Retrievals
    from lmops.retrieval._drift_records import Rankings
    from lmops.retrieval.contract import Searchable
    from lmops.retrieval.hosting import Host

#: Without canaries so many queries are asked again, those that were asked most before.
_USUAL = 50


def replayed(
    host: Host,
    found: Retrievals,
    golden: Sequence[Golden],
    *,
    canaries: str | Sequence[str] | None,
    index: Searchable | None,
    k: int,
    level: float,
) -> Rankings:
    """Return how what an index finds now differs from what was found before.

    Raises:
        UsageError: There is no index, no canary, or none of them has a ranking from before.
    """
    if index is None:
        raise UsageError(
            "canaries are asked again: give index=, what they are asked of, such as ws.retrieval.index(name)"
        )
    recorded = {_plain(found.names["query"][found.query[row]]): row for row in newest(found, is_after=False).values()}
    if canaries is None:
        times = np.bincount(found.key[found.found & (found.key >= 0) & ~found.is_after], minlength=1)
        rows = sorted(recorded.values(), key=lambda row: (-int(times[found.key[row]]), row))[:_USUAL]
        asked = [(found.names["query"][found.query[row]], None) for row in rows]
    elif isinstance(canaries, str):
        examples = host.datasets.get(canaries).examples
        asked = [(text, one.documents) for one in examples if (text := question_of(one.input))]
    else:
        asked = [(text, None) for text in dict.fromkeys(canaries)]
    relevant = {_plain(one.text): one.relevant for one in golden}
    kept = [(text, before) for text, documents in asked if (before := _before(found, recorded, text, documents))]
    if not kept:
        raise UsageError(
            f"none of {len(asked):,} canaries has a ranking from before: ask what traffic asked, or give a data set "
            "whose examples have documents"
        )
    pairs = []
    for (text, before), now in zip(kept, index.search_many([text for text, _ in kept], k), strict=True):
        after = tuple(dict.fromkeys(hit.chunk.document for hit in now.hits))
        pairs.append(Pair(text, before, after, relevant.get(_plain(text))))
    return compared(pairs, k=k, level=level, of="replay")


def _before(found: Retrievals, recorded: dict[str, int], text: str, documents: object) -> tuple[str, ...]:
    """Return what was found for a canary before: in traffic, else as its example says."""
    row = recorded.get(_plain(text))
    if row is not None:
        return tuple(found.document_names[one] for one in found.ranking(row))
    ids = [one.get("id") for one in documents if isinstance(one, dict)] if isinstance(documents, list | tuple) else []
    return tuple(dict.fromkeys(str(one).rpartition("#")[0] or str(one) for one in ids if one is not None))


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
