"""Items whose answers are known: what is given as such, and how often raters gave the same."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.errors import UsageError
from lmops.feedback._measured import GoldAccuracy, RaterAccuracy
from lmops.feedback._opening import chosen_of
from lmops.feedback._settling import chosen_part, labels_of_queue, settle
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from lmops.feedback._label_records import Values
    from lmops.feedback.sampling import Chosen
    from lmops.store import Store

_TAKES: Final = (
    "answers: give trace id -> values, such as {'4f2a...': {'verdict': 'pass'}}, rows with values, or the name of a "
    "queue with decisions; this is "
)
_SAID: Final = (
    "select l.rater, l.said_at, l.position, l.field_values, g.field_values from labels l join gold_answers g on "
    "g.queue = l.queue and g.position = l.position where l.queue = ? and l.field_values is not null and not "
    "l.is_adjudicated order by l.rater, l.said_at, l.seq"
)
#: A rater drifts when chance alone would tell the halves apart so rarely.
_ALPHA: Final = 0.05


class _Answer(NamedTuple):
    said_at: datetime
    position: int
    is_right: bool


def answers_of(store: Store, given: Any) -> list[tuple[Chosen, Mapping[str, Any]]]:
    """Return items with their known answers; of a queue those that somebody decided.

    Raises:
        UsageError: It is nothing that has answers.
    """
    if isinstance(given, str):
        settled = map(settle, labels_of_queue(store, given))
        rows: Any = [{"trace_id": one.trace_id, "values": one.values} for one in settled if one.is_adjudicated]
        if not rows:
            raise UsageError(f"queue {plain_line(given, 60)} has no decisions: ws.feedback.queues.adjudicate makes one")
    elif hasattr(given, "items") and not hasattr(given, "columns"):
        rows = [{"trace_id": trace_id, "values": values} for trace_id, values in given.items()]
    else:
        rows = given.to_dict("records") if hasattr(given, "to_dict") else given
    if isinstance(rows, bytes) or not hasattr(rows, "__iter__"):
        raise UsageError(f"{_TAKES}{plain_line(repr(given), 60)}")
    rows = list(rows)
    for row in rows:
        if not hasattr(row, "keys") or not hasattr(row.get("values"), "keys"):
            raise UsageError(f"{_TAKES}{plain_line(repr(row), 60)}")
    # What is known is in no rate, however it was drawn.
    found = [one._replace(probability=None, stratum=None) for one in chosen_of(store, rows)]
    return list(zip(found, (row["values"] for row in rows), strict=True))


def accuracy_of(store: Store, queue: str) -> GoldAccuracy:
    """Return how often raters gave the known answers; see :meth:`lmops.feedback.Queues.accuracy`."""
    from lmops.calc.multiple import holm
    from lmops.calc.staleness import fisher_p

    answers: dict[str, list[_Answer]] = defaultdict(list)
    for rater, said_at, position, said, known in store.sql(_SAID, [queue]).fetchall():
        answers[rater].append(_Answer(said_at, position, is_right(json.loads(said), json.loads(known))))
    halves = {rater: _halves([one.is_right for one in given]) for rater, given in answers.items()}
    chances = [fisher_p(sum(early), len(early), sum(late), len(late)) for early, late in halves.values()]
    adjusted: Sequence[float] = holm(chances).tolist() if chances else []
    raters = tuple(
        _measured(rater, *halves[rater], float(chance)) for rater, chance in zip(answers, adjusted, strict=True)
    )
    over_time = tuple((rater, *one) for rater, given in answers.items() for one in given)
    return GoldAccuracy(queue=queue, raters=raters, answers=over_time)


def is_right(said: Values, known: Values) -> bool:
    """Return whether somebody gave what is known, in each field in which something is."""
    return all(field in said and chosen_part(said[field]) == chosen_part(value) for field, value in known.items())


def _halves(right: Sequence[bool]) -> tuple[Sequence[bool], Sequence[bool]]:
    middle = len(right) // 2
    return right[:middle], right[middle:]


def _measured(rater: str, early: Sequence[bool], late: Sequence[bool], chance: float) -> RaterAccuracy:
    from lmops.calc.intervals import wilson

    right, n = sum(early) + sum(late), len(early) + len(late)
    low, high = wilson(right, n)
    return RaterAccuracy(
        rater=rater,
        n=n,
        right=right,
        rate=(right / n, float(low), float(high)),
        early=sum(early) / len(early) if early else None,
        late=sum(late) / len(late) if late else None,
        p=None if math.isnan(chance) else chance,
        is_drifting=chance < _ALPHA,
    )
