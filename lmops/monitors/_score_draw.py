"""Which production traces a judge is shown: drawn with chances that are known, by a number that each trace always has.

The number of a trace comes from its id and a seed, evenly spread over [0, 1). A trace is drawn when its number is below
its chance, so several calls draw as one would with the greatest chance that the trace had in any of them. The drawn are
judged in the order of number / chance: where a budget or an interrupt ends that early, everything before the first
that was not judged is a draw with chances that are smaller by one factor, the place of that first one. Source: N.
Duffield, C. Lund, M. Thorup, "Priority sampling for estimation of arbitrary subset sums", JACM 54 (2007); E. Ohlsson,
"Coordination of samples using permanent random numbers" (1995).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from lmops.errors import UsageError
from lmops.feedback.sampling import chances
from lmops.traces import found_sql

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from lmops.monitors._score_inputs import Seen
    from lmops.store import Bounds, Store


class Sampling(NamedTuple):
    """How traces are drawn for what asks a model.

    Args:
        share: Of all traces, above 0 and at most 1; None: all, as far as a budget reaches.
        by: The column of traces whose values get equally many, so that rare ones are seen.
        more: Conditions, and the chance that the traces which they find have at least.
        seed: Of the draw.
    """

    share: float | None
    by: str | None
    more: Mapping[str, float]
    seed: int


class Drawn(NamedTuple):
    """A trace that was drawn, its chance, and its place in the order in which the drawn are judged."""

    trace: Seen
    chance: float
    place: float


def checked(share: float | None, by: str | None, more: str | Mapping[str, float] | None, seed: int) -> Sampling:
    """Return how traces are drawn.

    Raises:
        UsageError: Something of it is out of range.
    """
    asked = {more: 1.0} if isinstance(more, str) else dict(more or {})
    given = {"sample": 1.0 if share is None else share, **{f"more: {key}": value for key, value in asked.items()}}
    for words, value in given.items():
        if not 0 < value <= 1:
            raise UsageError(f"{words}={value!r}: give a share above 0 and at most 1, such as 0.05")
    if by is not None and share is None:
        raise UsageError(f"by={by!r} says how a sample is spread: give sample= as well, such as sample=0.05")
    return Sampling(share, by, asked, seed)


def number_of(trace_id: str, seed: int) -> float:
    """Return the number of a trace, evenly spread over [0, 1), always the same."""
    digest = hashlib.blake2b(f"{seed}|{trace_id}".encode(), digest_size=7).digest()
    return int.from_bytes(digest, "big") / 256**7


def drawn(store: Store, traces: Sequence[Seen], asked: Sampling, bounds: Bounds) -> list[Drawn]:
    """Return the traces that are drawn, in the order in which they are judged.

    Args:
        store: Where they are.
        traces: From which is drawn.
        asked: How.
        bounds: The time range of the traces.

    Raises:
        QueryError: A condition cannot be read, or there is no such column.
    """
    found = []
    for trace, chance in zip(traces, _chances(store, traces, asked, bounds), strict=True):
        number = number_of(trace.trace_id, asked.seed)
        if number < chance:
            found.append(Drawn(trace, chance, number / chance))
    return sorted(found, key=lambda one: (one.place, one.trace.trace_id))


def _chances(store: Store, traces: Sequence[Seen], asked: Sampling, bounds: Bounds) -> list[float]:
    """Return the chance of each trace."""
    share = 1.0 if asked.share is None else asked.share
    found = [share] * len(traces)
    if asked.by is not None and traces:
        column = f'"{asked.by.replace(chr(34), chr(34) * 2)}"::VARCHAR'
        ids = [trace.trace_id for trace in traces]
        query = f"select trace_id, {column} from traces where trace_id in (select unnest(?::VARCHAR[]))"
        groups = dict(store.sql(query, [ids]).fetchall())
        found = chances([groups.get(one) for one in ids], max(1, round(share * len(ids))), strategy="rare")
    for condition, least in asked.more.items():
        wanted = {row[0] for row in store.sql(found_sql(condition, bounds, evaluations=True)).fetchall()}
        found = [
            max(chance, least) if trace.trace_id in wanted else chance
            for trace, chance in zip(traces, found, strict=True)
        ]
    return found


def reached(order: Sequence[Drawn], judged: Collection[str]) -> dict[str, float]:
    """Return the probabilities that traces were judged with, of those for which it is known.

    Args:
        order: All that were drawn, in their order.
        judged: Those that were judged, whatever came of it.
    """
    place = next((one.place for one in order if one.trace.trace_id not in judged), 1.0)
    return {one.trace.trace_id: one.chance * place for one in order if one.place < place}
