"""What holds of an item that several people labelled, and where they disagreed."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from lmops.feedback._label_records import LabelSchema, Values
    from lmops.store import Store

#: What is written, and so never the same of two people.
_WRITTEN: Final = ("critique",)
_READ: Final = (
    "select position, item, trace_id, rater, is_adjudicated, schema_version, field_values, probability, run_id, "
    "example_id, repeat from labels where queue = ? and field_values is not null and not is_gold "
    "order by position, said_at, rater"
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
    run_id: str | None = None
    example_id: str | None = None
    repeat: int | None = None


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
        found[row[0]].append(Said._make((*row[:6], json.loads(row[6]), *row[7:])))
    return list(found.values())


def chosen_part(value: Any) -> str:
    """Return the part of a value in which two people can agree, as text: without what they wrote beside it."""
    bare = {key: one for key, one in value.items() if key not in _WRITTEN} if isinstance(value, dict) else value
    return json.dumps(bare, ensure_ascii=False, sort_keys=True)


def settle(labels: Sequence[Said], written: Collection[str] = ()) -> Settled:
    """Return what holds of one item: a decision, else in each field what most raters said, if any is ahead.

    Args:
        labels: Of the item, the oldest first.
        written: Fields of text: no two people write the same, so the newest text holds.
    """
    decided = [one for one in labels if one.is_adjudicated]
    counted = decided or labels
    values: Values = {}
    for field in dict.fromkeys(name for one in counted for name in one.values):
        given = [one.values[field] for one in counted if field in one.values]
        if field in written:
            values[field] = given[-1]
            continue
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


def disputes(items: Iterable[Sequence[Said]], written: Collection[str] = ()) -> list[tuple[Any, ...]]:
    """Return the rows of :meth:`lmops.feedback.Queues.disagreements`: said differently, and decided by nobody.

    Fields that are ``written`` are left out: no two people write the same.
    """
    found = []
    for labels in items:
        if any(one.is_adjudicated for one in labels):
            continue
        for field in dict.fromkeys(name for one in labels for name in one.values if name not in written):
            answers = {one.rater: one.values[field] for one in labels if field in one.values}
            if len(set(map(chosen_part, answers.values()))) > 1:
                one = labels[0]
                said = json.dumps(answers, ensure_ascii=False)
                case = (one.run_id, one.example_id, one.repeat)
                found.append((one.position, one.item, one.trace_id, field, said, *case))
    return found


def texts_of(schema: LabelSchema) -> list[str]:
    """Return the fields of text of a schema."""
    return [field.name for field in schema.fields if field.kind == "text"]


def text_field(schema: LabelSchema, asked: str | None) -> str | None:
    """Return the field with the corrected answer: the one that was asked for, else the only text of the schema.

    Raises:
        UsageError: There is no such field of text.
    """
    texts = texts_of(schema)
    if asked is None:
        return texts[0] if len(texts) == 1 else None
    if asked not in texts:
        raise UsageError(did_you_mean(f"text field of {schema.ref}", asked, texts))
    return asked
