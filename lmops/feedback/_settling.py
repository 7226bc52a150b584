"""What holds of an item that several people labelled, where they disagreed, and examples made of it."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lmops.datasets import Datasets, DatasetVersion, Example
    from lmops.feedback._label_records import LabelSchema, Queue, Values
    from lmops.store import Store

#: What is written, and so never the same of two people.
_WRITTEN: Final = ("critique",)
_READ: Final = (
    "select position, item, trace_id, rater, is_adjudicated, schema_version, field_values, probability "
    "from labels where queue = ? and field_values is not null order by position, said_at, rater"
)


class Said(NamedTuple):
    """One label."""

    position: int
    item: str
    trace_id: str | None
    rater: str
    is_adjudicated: bool
    schema_version: int
    values: Values
    probability: float | None


class Settled(NamedTuple):
    """What holds of one item, and whose labels say so."""

    item: str
    trace_id: str | None
    values: Values
    is_adjudicated: bool
    raters: tuple[str, ...]
    schema_versions: tuple[int, ...]
    probability: float | None


def labels_of_queue(store: Store, queue: str) -> list[list[Said]]:
    """Return the labels of a queue, those of one item together."""
    found: dict[int, list[Said]] = defaultdict(list)
    for row in store.sql(_READ, [queue]).fetchall():
        found[row[0]].append(Said._make((*row[:6], json.loads(row[6]), row[7])))
    return list(found.values())


def chosen_part(value: Any) -> str:
    """Return the part of a value in which two people can agree, as text: without what they wrote beside it."""
    bare = {key: one for key, one in value.items() if key not in _WRITTEN} if isinstance(value, dict) else value
    return json.dumps(bare, ensure_ascii=False, sort_keys=True)


def settle(labels: Sequence[Said]) -> Settled:
    """Return what holds of one item: a decision, else in each field what most raters said, if any is ahead."""
    decided = [one for one in labels if one.is_adjudicated]
    counted = decided or labels
    values: Values = {}
    for field in dict.fromkeys(name for one in counted for name in one.values):
        given = [one.values[field] for one in counted if field in one.values]
        (most, times), *others = Counter(map(chosen_part, given)).most_common(2)
        if not others or others[0][1] < times:
            values[field] = next(value for value in given if chosen_part(value) == most)
    first = labels[0]
    return Settled(
        item=first.item,
        trace_id=first.trace_id,
        values=values,
        is_adjudicated=bool(decided),
        raters=tuple(dict.fromkeys(one.rater for one in counted)),
        schema_versions=tuple(sorted({one.schema_version for one in counted})),
        probability=first.probability,
    )


def disputes(items: Iterable[Sequence[Said]]) -> list[tuple[int, str, str | None, str, str]]:
    """Return (position, item, trace, field, answers as JSON) of what raters said differently and nobody decided."""
    found = []
    for labels in items:
        if any(one.is_adjudicated for one in labels):
            continue
        for field in dict.fromkeys(name for one in labels for name in one.values):
            answers = {one.rater: one.values[field] for one in labels if field in one.values}
            if len(set(map(chosen_part, answers.values()))) > 1:
                one = labels[0]
                found.append((one.position, one.item, one.trace_id, field, json.dumps(answers, ensure_ascii=False)))
    return found


def text_field(schema: LabelSchema, asked: str | None) -> str | None:
    """Return the field with the corrected answer: the one that was asked for, else the only text of the schema.

    Raises:
        UsageError: There is no such field of text.
    """
    texts = [field.name for field in schema.fields if field.kind == "text"]
    if asked is None:
        return texts[0] if len(texts) == 1 else None
    if asked not in texts:
        raise UsageError(did_you_mean(f"text field of {schema.ref}", asked, texts))
    return asked


def rows_for_dataset(
    settled: Iterable[Settled], queue: Queue, schema: LabelSchema, *, expected: str | None
) -> dict[str, dict[str, Any]]:
    """Return what becomes part of the example of each trace: its labels, where they come from, the right answer."""
    rows = {}
    for one in settled:
        if one.trace_id is None:
            continue
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
        rows[one.trace_id] = {"labels": {**labels, "labelled": source}, "expected": correction}
    return rows


def changes(rows: Mapping[str, Mapping[str, Any]], known: Mapping[str | None, Example], queue: str) -> str:
    """Return what a new version changes, in words."""
    new = sum(trace_id not in known for trace_id in rows)
    corrected = relabelled = 0
    for trace_id, row in rows.items():
        before = known.get(trace_id)
        if before is not None:
            relabelled += any((before.labels or {}).get(name) != value for name, value in row["labels"].items())
            corrected += row["expected"] is not None and row["expected"] != before.expected
    parts = (f"{new} new", f"{relabelled} with other labels", f"{corrected} with another expected answer")
    return f"labels of queue {queue}: {', '.join(parts)}"


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

    Raises:
        UsageError: None of the traces is in the store any more.
    """
    import pandas as pd

    there = {
        row[0]
        for row in store.sql(
            "select trace_id from traces where trace_id in (select unnest($ids))", {"ids": list(rows)}
        ).fetchall()
    }
    if not there:
        raise UsageError(f"none of the {len(rows)} labelled traces of queue {queue} is in the store (any more)")
    kept = {trace_id: row for trace_id, row in rows.items() if trace_id in there}
    is_known = dataset in set(datasets.list()["name"])
    known = {one.trace_id: one for one in datasets.get(dataset).examples} if is_known else {}
    lost = f"; {len(rows) - len(kept)} whose trace is gone are left out" if len(kept) < len(rows) else ""
    frame = pd.DataFrame(
        {
            "trace_id": list(kept),
            "labels": pd.Series([row["labels"] for row in kept.values()], dtype=object),
            "expected": pd.Series([row["expected"] for row in kept.values()], dtype=object),
        }
    )
    said = note or changes(kept, known, queue) + lost
    return datasets.add_traces(dataset, frame, split=split, tags=("labelled",), note=said)
