"""Which items a queue takes: drawn with a known probability, or chosen for a reason and then in no rate."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.errors import UsageError, did_you_mean
from lmops.store import Bounds
from lmops.traces import found_sql

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
#: The judges of each run, or the scorer that is named, with the middle and the width of their scales.
_JUDGES: Final = (
    "select run_id, j.name as scorer, coalesce((j.range[1] + j.range[2]) / 2, .5) as middle, "
    "coalesce(j.range[2] - j.range[1], 1) as width from (select run_id, unnest(from_json(scorers, "
    """'[{"name": "VARCHAR", "kind": "VARCHAR", "range": ["DOUBLE"]}]')) as j from runs) """
    "where coalesce(j.name = $name, j.kind = 'judge')"
)
#: Traces by the strategy that finds them, the most telling first; $name is that of signals, of a scorer or of a field.
_FOUND: Final = {
    "thumbs_down": "select trace_id, max(said_at) as told from feedback where kind = 'thumb' and value = 'down' "
    "and name = coalesce($name, 'thumb') and trace_id is not null group by trace_id order by told desc, trace_id",
    "judge_against_human": "select s.trace_id, max(s.started_at) as told from scores s join judges j on "
    "j.run_id = s.run_id and j.scorer = s.scorer join feedback f on f.trace_id = s.trace_id and f.kind = 'thumb' "
    "where s.value is not null and (s.value >= j.middle) <> (f.number = 1) group by s.trace_id "
    "order by told desc, s.trace_id",
    "judge_uncertainty": "select trace_id, min(away) as told from (select s.trace_id, s.scorer, "
    "abs(avg(s.value) - any_value(j.middle)) / any_value(j.width) as away from scores s join judges j on "
    "j.run_id = s.run_id and j.scorer = s.scorer where s.value is not null and s.trace_id is not null "
    "group by s.trace_id, s.scorer) where away < .5 group by trace_id order by told, trace_id",
    "low_agreement": "select trace_id, count(distinct field_values::json ->> coalesce($name, '$')) as told from labels "
    "where not is_adjudicated and not is_gold and trace_id is not null group by queue, item, trace_id having told > 1 "
    "order by told desc, trace_id",
}
STRATEGIES: Final = (*DRAWN, *_FOUND)


class Drawn(NamedTuple):
    """Items that a strategy takes, and the chance of all that it drew from; None where it chose them for a reason."""

    items: list[Chosen]
    frame: dict[str, float] | None


def chances(groups: Sequence[Hashable], n: int, *, strategy: str) -> list[float]:
    """Return the probability of each row to be drawn by :func:`draw`."""
    named = [None if strategy == "random" else group for group in groups]
    sizes = Counter(named)
    if len(sizes) > n:
        return [n / len(sizes) / sizes[group] for group in named]
    counts = (_even if strategy == "rare" else _by_share)([*sizes.values()], n)
    shares = {group: count / size for (group, size), count in zip(sizes.items(), counts, strict=True)}
    return [shares[group] for group in named]


def draw(groups: Sequence[Hashable], n: int, *, strategy: str, seed: int | Sequence[int]) -> list[tuple[int, float]]:
    """Draw rows without replacement and return (row, probability), in a random order.

    Args:
        groups: The group of each row; not looked at by "random".
        n: How many, 1 or more; all where there are fewer.
        strategy: "random": each row alike. "stratified": each group by its share, at least one of each. "rare": of
            each group alike, so that small ones are seen. Where there are more groups than n, one row of each of n
            groups, drawn themselves.
        seed: The same seed draws the same rows.
    """
    import numpy as np

    generator = np.random.default_rng(seed)
    rows: dict[Hashable, list[int]] = defaultdict(list)
    for row, group in enumerate(groups):
        rows[None if strategy == "random" else group].append(row)
    chance = chances(groups, n, strategy=strategy)
    members = list(rows.values())
    if len(members) > n:
        members = [members[at] for at in generator.permutation(len(members))[:n]]
    sizes = [len(one) for one in members]
    counts = _even(sizes, n) if strategy == "rare" else _by_share(sizes, n)
    found = [
        (row, chance[row])
        for group, count in zip(members, counts, strict=True)
        for row in (group[at] for at in generator.permutation(len(group))[:count])
    ]
    return [found[at] for at in generator.permutation(len(found))]


def _by_share(sizes: Sequence[int], n: int) -> list[int]:
    """Return how many of each group, n in all: by its share, and one at least; there are no more groups than n."""
    total = sum(sizes)
    if n >= total:
        return list(sizes)
    exact = [size * n / total for size in sizes]
    counts = [max(int(one), 1) for one in exact]
    order = sorted(range(len(sizes)), key=lambda at: int(exact[at]) - exact[at])
    for at in order:
        if sum(counts) < n and counts[at] < sizes[at] and exact[at] > counts[at]:
            counts[at] += 1
    while sum(counts) > n:  # what small groups have beyond their share comes from the others
        most = max((at for at in range(len(counts)) if counts[at] > 1), key=lambda at: counts[at] - exact[at])
        counts[most] -= 1
    return counts


def _even(sizes: Sequence[int], n: int) -> list[int]:
    """Return how many of each group: alike, what small ones lack from the others; there are no more groups than n."""
    counts = [0] * len(sizes)
    left, open_groups = min(n, sum(sizes)), len(sizes)
    for at in sorted(range(len(sizes)), key=lambda at: sizes[at]):
        counts[at] = min(sizes[at], -(-left // open_groups))
        left, open_groups = left - counts[at], open_groups - 1
    return counts


def chosen_by(
    store: Store,
    strategy: str,
    *,
    n: int,
    by: str | None,
    where: str | None,
    name: str | None,
    seed: int | Sequence[int],
) -> Drawn:
    """Return the traces that a strategy chooses, and from what it drew them.

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
        query = f"with judges as ({_JUDGES}) select trace_id from ({_FOUND[strategy]}) limit $n"
        rows = store.sql(query, {"name": name, "n": n}).fetchall()
        return Drawn([Chosen(trace_id=one) for one in dict.fromkeys(row[0] for row in rows)], None)
    if (by is None) != (strategy == "random"):
        raise UsageError(
            f"strategy {strategy!r}: give by=, a column of traces"
            if by is None
            else "strategy 'random' draws from all alike: by= is for 'stratified' and 'rare'"
        )
    group = "null" if by is None else f'"{by.replace(chr(34), chr(34) * 2)}"::varchar'
    asked = found_sql(where, Bounds(None, None), evaluations=True)
    found: list[tuple[Any, ...]] = store.sql(
        f"select trace_id, {group} from traces where trace_id in ({asked}) order by trace_id"
    ).fetchall()
    groups = [row[1] for row in found]
    drawn = draw(groups, n, strategy=strategy, seed=seed)
    items = [Chosen(trace_id=found[row][0], stratum=found[row][1], probability=share) for row, share in drawn]
    frame = zip((row[0] for row in found), chances(groups, n, strategy=strategy), strict=True)
    return Drawn(items, dict(frame))
