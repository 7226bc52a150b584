"""Which items a queue takes: drawn with a known probability, or chosen for a reason and then in no rate."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from lmops.store import Store


class Chosen(NamedTuple):
    """An item of a queue, and the chance that it had; None where it was chosen for a reason."""

    trace_id: str | None = None
    span_id: str | None = None
    run_id: str | None = None
    example_id: str | None = None
    repeat: int | None = None
    stratum: str | None = None
    probability: float | None = None

    @property
    def item(self) -> str:
        """What it is called, once in a queue."""
        if self.run_id is not None:
            return f"{self.run_id}/{self.example_id}/{self.repeat or 0}"
        return f"{self.trace_id}/{self.span_id}" if self.span_id is not None else str(self.trace_id)


#: Those that know the probability of each item: rates of their labels are those of the traffic.
DRAWN: Final = ("random", "stratified", "rare")
#: Traces by the strategy that finds them, the most telling first; $name is that of signals, of a scorer or of a field.
_FOUND: Final = {
    "thumbs_down": "select trace_id, max(said_at) as told from feedback where kind = 'thumb' and value = 'down' "
    "and name = coalesce($name, 'thumb') and trace_id is not null group by trace_id order by told desc, trace_id",
    "judge_against_human": "select s.trace_id, max(s.started_at) as told from scores s join feedback f on "
    "f.trace_id = s.trace_id and f.kind = 'thumb' where s.value is not null and "
    "s.scorer = coalesce($name, s.scorer) and (s.value >= .5) <> (f.number = 1) group by s.trace_id "
    "order by told desc, s.trace_id",
    "judge_uncertainty": "select trace_id, min(abs(value - .5)) as told from scores where value > 0 and value < 1 and "
    "scorer = coalesce($name, scorer) and trace_id is not null group by trace_id order by told, trace_id",
    "low_agreement": "select trace_id, count(distinct field_values::json ->> coalesce($name, '$')) as told from labels "
    "where not is_adjudicated and trace_id is not null group by queue, item, trace_id having told > 1 "
    "order by told desc, trace_id",
}
STRATEGIES: Final = (*DRAWN, *_FOUND)


def draw(groups: Sequence[Hashable], n: int, *, strategy: str, seed: int) -> list[tuple[int, float]]:
    """Draw rows without replacement and return (row, probability), in a random order.

    Args:
        groups: The group of each row; not looked at by "random".
        n: How many; all where there are fewer.
        strategy: "random": each row alike. "stratified": each group by its share, at least one of each. "rare": of
            each group alike, so that small ones are seen.
        seed: The same seed draws the same rows.
    """
    import numpy as np

    generator = np.random.default_rng(seed)
    rows: dict[Hashable, list[int]] = defaultdict(list)
    for row, group in enumerate(groups):
        rows[None if strategy == "random" else group].append(row)
    sizes = [len(one) for one in rows.values()]
    counts = _even(sizes, n) if strategy == "rare" else _by_share(sizes, n)
    found = [
        (row, count / len(members))
        for members, count in zip(rows.values(), counts, strict=True)
        for row in (members[at] for at in generator.permutation(len(members))[:count])
    ]
    return [found[at] for at in generator.permutation(len(found))]


def _by_share(sizes: Sequence[int], n: int) -> list[int]:
    """Return how many of each group: by its share, rounded so that they add up, and one at least."""
    total = sum(sizes)
    if n >= total:
        return list(sizes)
    exact = [size * n / total for size in sizes]
    counts = [max(int(one), 1) for one in exact]
    order = sorted(range(len(sizes)), key=lambda at: int(exact[at]) - exact[at])
    for at in order:
        if sum(counts) < n and counts[at] < sizes[at] and exact[at] > counts[at]:
            counts[at] += 1
    return counts


def _even(sizes: Sequence[int], n: int) -> list[int]:
    """Return how many of each group: alike, what small ones lack from the others, and one at least."""
    counts = [0] * len(sizes)
    left, open_groups = min(n, sum(sizes)), len(sizes)
    for at in sorted(range(len(sizes)), key=lambda at: sizes[at]):
        counts[at] = min(sizes[at], max(-(-left // open_groups), 1))
        left, open_groups = left - counts[at], open_groups - 1
    return counts


def chosen_by(
    store: Store, strategy: str, *, n: int, by: str | None, where: str | None, name: str | None, seed: int
) -> list[Chosen]:
    """Return the traces that a strategy chooses.

    Args:
        store: Where the traces are.
        strategy: One of ``STRATEGIES``.
        n: The most.
        by: The column of traces that groups them, of "stratified" and "rare".
        where: Traces by a condition, as for a search; of those that draw.
        name: Of the signals, the scorer or the field that is looked at, of the others.
        seed: Of what is drawn.

    Raises:
        UsageError: There is no such strategy, or it needs a group.
        QueryError: The condition or the column does not bind.
    """
    if strategy not in STRATEGIES:
        raise UsageError(did_you_mean("strategy", strategy, STRATEGIES))
    if strategy not in DRAWN:
        rows = store.sql(f"select trace_id from ({_FOUND[strategy]}) limit $n", {"name": name, "n": n}).fetchall()
        return [Chosen(trace_id=one) for one in dict.fromkeys(row[0] for row in rows)]
    if (by is None) != (strategy == "random"):
        raise UsageError(
            f"strategy {strategy!r}: give by=, a column of traces"
            if by is None
            else "strategy 'random' draws from all alike: by= is for 'stratified' and 'rare'"
        )
    group = "null" if by is None else f'"{by.replace(chr(34), chr(34) * 2)}"::varchar'
    found: list[tuple[Any, ...]] = store.sql(
        f"select trace_id, {group} from traces where ({where or 'true'}\n) order by trace_id"
    ).fetchall()
    drawn = draw([row[1] for row in found], n, strategy=strategy, seed=seed)
    return [Chosen(trace_id=found[row][0], stratum=found[row][1], probability=share) for row, share in drawn]
