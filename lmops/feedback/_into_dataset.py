"""Labels of a queue as examples of a data set: with where they come from, and again when people labelled anew."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.datasets import Example, examples_of, merged
from lmops.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lmops.datasets import Datasets, DatasetVersion
    from lmops.feedback._label_records import LabelSchema, Queue
    from lmops.feedback._settling import Settled
    from lmops.store import Store

_TAG: Final = "labelled"
#: Items with the case that they are, or whose answer their trace is, and whether their trace is there.
_ITEMS: Final = (
    "select i.item, i.trace_id, coalesce(any_value(c.dataset), any_value(r.dataset)), "
    "coalesce(i.example_id, any_value(s.example_id)), count(t.trace_id) > 0 from queue_items i "
    "left join runs c on c.run_id = i.run_id left join results s on i.run_id is null and s.trace_id = i.trace_id "
    "left join runs r on r.run_id = s.run_id left join traces t on t.trace_id = i.trace_id "
    "where i.queue = ? and i.span_id is null and not i.is_gold group by i.item, i.trace_id, i.example_id, i.position "
    "order by i.position"
)


class _Item(NamedTuple):
    key: str  # of its example: the trace that it was made of, else its id
    original: Example | None  # that was evaluated; None: an answer of production
    is_there: bool  # its trace


def rows_for_dataset(
    settled: Iterable[Settled], queue: Queue, schema: LabelSchema, *, expected: str | None
) -> dict[str, dict[str, Any]]:
    """Return what becomes part of the example of each item: its labels, where they come from, the right answer."""
    rows = {}
    for one in settled:
        source = {
            "queue": queue.name,
            "schema": [f"{queue.schema}@{version}" for version in one.schema_versions],
            "raters": list(one.raters),
            "is_adjudicated": one.is_adjudicated,
            "probability": one.probability,
            "strategy": queue.strategy,
        }
        # A field that nobody answers any more is said to be empty: examples keep what they are not told of.
        labels = {field.name: one.values.get(field.name) for field in schema.fields} | one.values
        correction = None if expected is None else one.values.get(expected)
        rows[one.item] = {"labels": {**labels, _TAG: source}, "expected": correction}
    return rows


def add_rows(
    store: Store,
    datasets: Datasets,
    dataset: str,
    rows: Mapping[str, Mapping[str, Any]],
    *,
    split: str | None,
    queue: str,
    note: str,
) -> DatasetVersion:
    """Add examples to a data set in one version whose note says what changed; traces that are gone are left out.

    The case of a run is the example that was evaluated, whether or not it was traced. An example whose labels were all
    taken back since loses them.

    Raises:
        UsageError: Nothing is labelled, or none of the traces is in the store any more.
    """
    is_known = dataset in set(datasets.list()["name"])
    known = {one.trace_id or one.example_id: one for one in datasets.get(dataset).examples} if is_known else {}
    items = _items(store, datasets, queue)
    empty = {
        name: {"labels": dict.fromkeys(known[item.key].labels or ()), "expected": None}
        for name, item in items.items()
        if name not in rows and item.key in known and _is_of(known[item.key], queue)
    }
    if not rows and not empty:
        raise UsageError(f"queue {queue} has no labelled trace yet: ws.feedback.queues.progress({queue!r})")
    told = [
        (items[name], row)
        for name, row in (*rows.items(), *empty.items())
        if name in items and (items[name].key in known or items[name].original or items[name].is_there)
    ]
    if not told:
        raise UsageError(f"none of the {len(rows)} labelled traces of queue {queue} is in the store (any more)")
    new = {one.key: row for one, row in told if one.key not in known and one.original is None}
    found, skipped = examples_of(store, [*new], None, None, lambda _: None) if new else ([], [])
    made: dict[str, Example] = {one.example_id: _told(one, new[str(one.trace_id)], split) for one in found}
    for item, row in told:
        if item.key not in new:
            example = _again(item, row, known.get(item.key), split)
            made[example.example_id] = example
    words = _changes(
        made, known, queue, empty=len(empty), gone=len(rows) + len(empty) - len(told), skipped=len(skipped)
    )
    return datasets.add(dataset, list(made.values()), note=note or words)


def _items(store: Store, datasets: Datasets, queue: str) -> dict[str, _Item]:
    versions: dict[str, Mapping[str, Example]] = {}
    found = {}
    for name, trace_id, dataset, example_id, is_there in store.sql(_ITEMS, [queue]).fetchall():
        if dataset is not None and dataset not in versions:
            try:
                versions[dataset] = datasets.get(dataset).content.by_id
            except NotFoundError:  # of another store
                versions[dataset] = {}
        original = versions[dataset].get(example_id) if dataset is not None else None
        key = trace_id if original is None else original.trace_id or original.example_id
        if key is not None:
            found[name] = _Item(key, original, is_there)
    return found


def _is_of(example: Example, queue: str) -> bool:
    """Return whether the labels of an example come from a queue."""
    source = (example.labels or {}).get(_TAG)
    return isinstance(source, dict) and source.get("queue") == queue


def _told(example: Example, row: Mapping[str, Any], split: str | None) -> Example:
    """Return an example with what people said of it."""
    return replace(
        example,
        expected=example.expected if row["expected"] is None else row["expected"],
        labels={**(example.labels or {}), **row["labels"]},
        split=split or example.split,
        tags=tuple(sorted({*example.tags, _TAG})),
    )


def _again(item: _Item, row: Mapping[str, Any], before: Example | None, split: str | None) -> Example:
    """Return an example that was evaluated, or that is in the data set already, with what people say of it now."""
    original = item.original
    if before is None and original is not None:
        return _told(original, row, split)
    assert before is not None
    now = merged(before, _told(replace(original or before, expected=None, split=None), row, split))
    return replace(now, expected=original.expected) if now.expected is None and original is not None else now


def _changes(
    made: Mapping[str, Example], known: Mapping[str, Example], queue: str, *, empty: int, gone: int, skipped: int
) -> str:
    """Return what a new version changes, in words."""
    before = {one.example_id: one for one in known.values()}
    again = [(before[name], one) for name, one in made.items() if name in before]
    parts = [
        f"{len(made) - len(again)} new",
        f"{sum(old.labels != one.labels for old, one in again)} with other labels",
        f"{sum(old.expected != one.expected for old, one in again)} with another expected answer",
    ]
    parts += [f"{empty} without labels now"] if empty else []
    lost = f"; {gone} whose trace is gone are left out" if gone else ""
    lost += f"; {skipped} whose trace makes no example are left out" if skipped else ""
    return f"labels of queue {queue}: {', '.join(parts)}{lost}"
