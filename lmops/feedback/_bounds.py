"""Stretches that a rater marked lie within the text that was before the rater's eyes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lmops.feedback._label_records import LabelSchema
    from lmops.store import Store

_ITEMS: Final = (
    "select position, trace_id, run_id, example_id, coalesce(repeat, 0) from queue_items where queue = $queue "
    "and (list_contains($positions, position) or list_contains($items, item))"
)
_OF_CASE: Final = "select output from results where run_id = ? and example_id = ? and repeat = ?"
_OF_TRACE: Final = "select * from spans where trace_id = ? and output is not null"


def refuse_outside(
    store: Store, queue: str, item: int | str | Sequence[int | str], schema: LabelSchema, values: Mapping[str, Any]
) -> None:
    """Refuse stretches that end beyond the output, in characters; what an output is that is not there nobody can say.

    An answer may be shown as the trace has it or as the model's call does: the longest text that a rater may have seen
    is the bound.

    Raises:
        UsageError: A stretch does; the message says how long the output is.
    """
    ends = {
        field.name: max(one["end"] for one in values[field.name])
        for field in schema.fields
        if field.kind == "spans" and values.get(field.name)
    }
    if not ends:
        return
    given = [item] if isinstance(item, int | str) else list(item)
    asked = {
        "queue": queue,
        "positions": [one for one in given if isinstance(one, int)],
        "items": [one for one in given if isinstance(one, str)],
    }
    for position, *what in store.sql(_ITEMS, asked).fetchall():
        length = _length(store, *what)
        for field, end in ends.items():
            if length is not None and end > length:
                raise UsageError(
                    f"{field}: a stretch ends at {end:,} and the output of item {position} has {length:,} characters: "
                    "give start and end within it, 0 for the first character. Nothing was changed"
                )


def _length(store: Store, trace_id: str | None, run_id: str | None, example_id: str | None, repeat: int) -> int | None:
    """Return how long the longest output of an item is; None where there is none."""
    texts: list[str | None] = []
    if run_id is not None:
        texts += [row[0] for row in store.sql(_OF_CASE, [run_id, example_id, repeat]).fetchall()]
    if trace_id is not None:
        rows = store.sql(_OF_TRACE, [trace_id]).to_arrow_table().to_pylist()
        texts += [row["output"] for row in store.whole(rows)]
    return max((len(text) for text in texts if text is not None), default=None)
