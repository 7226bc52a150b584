"""How often failure modes were found: shares of the items that somebody looked at, of the traffic where they may be."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.errors import UsageError
from lmops.feedback._failure_records import FailurePivot
from lmops.feedback.stats import traces_by
from lmops.store import Bounds
from lmops.traces import found_sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lmops.store import Store

_FIGURES: Final = ("mode", "failure_mode", "of", "count", "items", "share", "low", "high")
TRAFFIC: Final = "traffic"
CHOSEN: Final = "items chosen"
#: Items with a label or a note.
_LOOKED_AT: Final = (
    "select position, item, trace_id, probability from queue_items where queue = $queue and not is_gold and "
    "(done > 0 or position in "
    "(select position from failure_notes where queue = $queue))"
)
_IN_MODES: Final = "select distinct position, mode from failure_notes where queue = $queue and mode is not null"
_MODES: Final = "select mode, name from failure_modes where queue = ? order by items desc, notes desc, mode"
_OPEN: Final = "select count(*) from failure_notes where queue = ? and mode is null and verdict is distinct from 'pass'"


class _Item(NamedTuple):
    position: int
    cluster: str
    probability: float | None


def pivot_of(store: Store, queue: str, groups: Sequence[str], *, level: float) -> FailurePivot:
    """Return how often each mode was found; see :meth:`lmops.feedback.Themes.pivot`."""
    from lmops.base.frames import Frame

    if not 0 < level < 1:
        raise UsageError(f"level={level!r}: give a share between 0 and 1, such as 0.95")
    if len(set(groups)) != len(groups):
        raise UsageError(f"by={groups}: name each grouping once")
    names = ["prompt_version" if group == "version" else group for group in groups]
    source, params = traces_by(store, names, found_sql(None, Bounds(None, None), evaluations=True), None)
    keys = "".join(f", t.g{place}" for place in range(len(groups)))
    query = (
        f"select i.position, coalesce(t.session_id, i.trace_id, i.item), i.probability{keys} from ({_LOOKED_AT}) as i "
        f"left join ({source}) as t using (trace_id) order by i.position"
    )
    found: dict[tuple[Any, ...], list[_Item]] = defaultdict(list)
    for row in store.sql(query, {**params, "queue": queue}).fetchall():
        item = _Item(*row[:3])
        found[(*row[3:], CHOSEN if item.probability is None else TRAFFIC)].append(item)
    members: dict[int, set[int]] = defaultdict(set)
    for position, mode in store.sql(_IN_MODES, {"queue": queue}).fetchall():
        members[mode].add(position)
    modes = store.sql(_MODES, [queue]).fetchall()
    order = sorted(found, key=lambda key: (key[-1] == CHOSEN, *((one is None, str(one)) for one in key[:-1])))
    rows = [
        [*key[:-1], mode, name, key[-1], *_figures(found[key], members[mode], level)]
        for key in order
        for mode, name in modes
    ]
    shown = [f"{group} of the trace" if group in _FIGURES else group for group in groups]
    return FailurePivot(
        frame=Frame(rows, columns=[*shown, *_FIGURES]),
        queue=queue,
        by=tuple(shown),
        items=len({item.position for items in found.values() for item in items}),
        notes=_notes(store, queue, groups, found),
    )


def _figures(items: Sequence[_Item], members: set[int], level: float) -> tuple[int, int, float, float, float]:
    """Return how many of some items are in a mode, of how many, and the share with its interval."""
    from lmops.calc.intervals import weighted_interval

    is_in = [float(item.position in members) for item in items]
    weights = [1 / (item.probability or 1.0) for item in items]
    clusters = [item.cluster for item in items]
    is_clustered = len(set(clusters)) < len(clusters)
    found = weighted_interval(is_in, weights, clusters=clusters if is_clustered else None, level=level)
    return int(sum(is_in)), len(items), found.estimate, found.low, found.high


def _notes(
    store: Store, queue: str, groups: Sequence[str], found: dict[tuple[Any, ...], list[_Item]]
) -> tuple[str, ...]:
    """Return what a reader has to know of the figures."""
    notes = []
    drawn, chosen = (
        len({item.position for key, items in found.items() if key[-1] == of for item in items})
        for of in (TRAFFIC, CHOSEN)
    )
    if drawn:
        notes.append(f"{drawn:,} items were drawn with a known probability: their shares are of the traffic")
    if chosen:
        notes.append(f"{chosen:,} items were chosen for a reason: their shares are of these items, not of the traffic")
    if not drawn and not chosen:
        notes.append("nobody has looked at an item yet")
    (left,) = store.sql(_OPEN, [queue]).fetchall()[0]
    if left:
        notes.append(f"{left:,} notes are in no mode yet")
    (gone,) = store.sql(
        "select count(*) from queue_items where queue = $queue and trace_id is not null and trace_id not in "
        "(select trace_id from traces)",
        {"queue": queue},
    ).fetchall()[0]
    if gone and groups:
        notes.append(f"{gone:,} items whose trace is not in the store (any more) are in no group")
    return tuple(notes)
