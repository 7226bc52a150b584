"""Many decisions in one call: on what raters said differently, from whoever looked at it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lmops.errors import UsageError
from lmops.feedback._settling import labels_of_queue, settle
from lmops.feedback.schemas import checked_values
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lmops.feedback._label_records import Adjudication
    from lmops.feedback.queues import Queues
    from lmops.feedback.schemas import LabelSchemas
    from lmops.store import Store


def adjudicate(
    store: Store,
    queues: Queues,
    schemas: LabelSchemas,
    name: str,
    decisions: str | Mapping[int | str, Mapping[str, Any]],
    *,
    reason: str | None,
) -> tuple[Adjudication, ...]:
    """Keep decisions on a queue's items; see :meth:`lmops.feedback.Feedback.adjudicate`."""
    queue = queues.get(name)
    frame = queues.disagreements(name)
    disputed = dict(zip(frame["item"].tolist(), frame["position"].tolist(), strict=True))
    given = _of_queue(store, queues, decisions, disputed) if isinstance(decisions, str) else dict(decisions)
    if not given:
        raise UsageError(f"adjudicate: there is no decision on any of the {len(disputed):,} items in dispute in {name}")
    schema = schemas.get(queue.schema_ref)
    known = {*disputed, *disputed.values()}
    for item, values in given.items():
        if item not in known:
            raise UsageError(f"adjudicate: item {plain_line(item, 60)!r} of {name} is not in dispute")
        checked_values(schema, values)
    return tuple(queues.adjudicate(name, item, values, reason=reason) for item, values in given.items())


def _of_queue(
    store: Store, queues: Queues, name: str, disputed: Mapping[str, int]
) -> dict[int | str, Mapping[str, Any]]:
    """Return what was said in another queue of the items in dispute; nothing of those that are in dispute there too."""
    settled = map(settle, labels_of_queue(store, queues.get(name).name))
    return {one.item: one.values for one in settled if one.item in disputed and one.values}
