"""What happened with feedback and labels in a window of time: what was disliked, what is new, how queues are."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from lmops.feedback.agreement import labels_of, rater_agreement
from lmops.feedback.stats import feedback_stats
from lmops.times import from_ns
from lmops.traces import NO_EVALUATION, range_sql, time_range

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    import pandas as pd

    from lmops.feedback._label_records import LabelField
    from lmops.feedback._records import FeedbackStats
    from lmops.feedback.queues import Queues
    from lmops.feedback.schemas import LabelSchemas
    from lmops.store import Store

#: Kinds of fields whose values say what is wrong, or what it is about.
_NAMED: Final = ("category", "choices", "tags")
_DISLIKED: Final = (
    "select f.trace_id, f.said_at, f.comment, f.user_id, t.input, t.output from feedback f "
    "join (select trace_id, input, output from traces where {where}) t on t.trace_id = f.trace_id "
    "where f.name = $name and f.kind = 'thumb' and f.value = 'down' "
    "order by f.comment is null, f.said_at desc, f.trace_id"
)
_SAID: Final = (
    "select l.trace_id, t.start_ns, l.schema, l.schema_version, l.field_values from labels l "
    "join (select trace_id, start_ns from traces where {where}) t on t.trace_id = l.trace_id "
    "where l.field_values is not null"
)
_LAST: Final = "select queue, max(said_at) from labels where not is_adjudicated group by queue"
PROBLEMS: Final = ("field", "value", "traces", "share", "before", "is_new")
QUEUES: Final = (
    "queue",
    "strategy",
    "items",
    "done",
    "raters",
    "disputed",
    "field",
    "agreement",
    "agreement_low",
    "agreement_high",
    "idle_days",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackDigest:
    """What a week, or another window, says: see :meth:`lmops.feedback.Feedback.digest`.

    Args:
        since: Start of the window.
        now: What users said in it.
        before: What they said in the window of the same length before it.
        disliked: Answers with a thumb down, those with a comment first: trace_id, said_at, comment, user_id, input,
            output.
        problems: Of the traces of the window what raters named: field, value, traces, share of the labelled traces,
            traces before the window, and whether it is new (there were labels before, and none said so).
        queues: Open queues: queue, strategy, items, done, raters, items in dispute, the field with the least agreement
            and its AC1 with its 95 % interval, and days since the last label; agreement of two raters and more.
    """

    since: datetime | None
    now: FeedbackStats
    before: FeedbackStats | None
    disliked: pd.DataFrame = field(repr=False)
    problems: pd.DataFrame = field(repr=False)
    queues: pd.DataFrame = field(repr=False)


def digest(
    store: Store,
    schemas: LabelSchemas,
    queues: Queues,
    *,
    name: str,
    last: str,
    until: str | datetime | None,
    at: datetime,
) -> FeedbackDigest:
    """Return what a window says; see :meth:`lmops.feedback.Feedback.digest`."""
    bounds = time_range(store, last=last, since=None, until=until)
    stats = partial(feedback_stats, store, name=name, by=(), every=None, where=None, evaluations=False)
    now, before = stats(last=last, since=None, until=until), None
    if bounds.since_ns is not None:
        before = stats(last=last, since=None, until=from_ns(bounds.since_ns))
    where = f"{range_sql(bounds)} and {NO_EVALUATION}"
    until_only = range_sql(bounds._replace(since_ns=None))
    return FeedbackDigest(
        since=None if bounds.since_ns is None else from_ns(bounds.since_ns),
        now=now,
        before=before,
        disliked=store.sql(_DISLIKED.format(where=where), {"name": name}).df(),
        problems=_problems(schemas, store, until_only, bounds.since_ns or 0),
        queues=_queues(queues, store, at),
    )


def _problems(schemas: LabelSchemas, store: Store, where: str, since_ns: int) -> pd.DataFrame:
    """Return what raters named in the traces of the window, the most frequent first."""
    import pandas as pd

    kinds: dict[tuple[str, int], dict[str, LabelField]] = {}
    now, before = defaultdict[tuple[str, str], set[str]](set), defaultdict[tuple[str, str], set[str]](set)
    labelled: tuple[set[str], set[str]] = (set(), set())
    for trace_id, start_ns, schema, version, said in store.sql(_SAID.format(where=where)).fetchall():
        if (schema, version) not in kinds:
            fields = schemas.get(f"{schema}@{version}").fields
            kinds[schema, version] = {one.name: one for one in fields if one.kind in _NAMED}
        is_now = start_ns >= since_ns
        labelled[not is_now].add(trace_id)
        for name, value in json.loads(said).items():
            for one in _values(value) if name in kinds[schema, version] else ():
                (now if is_now else before)[name, one].add(trace_id)
    rows = [
        (name, value, len(traces), len(traces) / len(labelled[0]), len(before[name, value]))
        for (name, value), traces in now.items()
    ]
    rows.sort(key=lambda row: (-row[2], row[0], row[1]))
    return pd.DataFrame([(*row, bool(labelled[1]) and row[4] == 0) for row in rows], columns=list(PROBLEMS))


def _values(value: Any) -> Iterable[str]:
    return map(str, value) if isinstance(value, list) else (str(value),)


def _queues(queues: Queues, store: Store, at: datetime) -> pd.DataFrame:
    """Return how open queues are, those with most to do first."""
    import pandas as pd

    last = dict(store.sql(_LAST).fetchall())
    rows = []
    open_ones = queues.list()
    for name, strategy in open_ones.loc[open_ones["status"] == "open", ["queue", "strategy"]].itertuples(index=False):
        progress = queues.progress(name)
        raters = sum(one.done > 0 for one in progress.raters)
        disputed = queues.disagreements(name)["position"].nunique()
        days = (at - last[name]).total_seconds() / 86_400 if name in last else None
        agreed = _least(store, name) if raters > 1 else (None, None, None, None)
        rows.append((name, strategy, progress.items, progress.done, raters, disputed, *agreed, days))
    rows.sort(key=lambda row: (row[3] - row[2], row[0]))
    return pd.DataFrame(rows, columns=list(QUEUES))


def _least(store: Store, name: str) -> tuple[Any, ...]:
    """Return the field with the least agreement: its name, AC1, low, high."""
    frame = rater_agreement(labels_of(store, name), categories=None, level=0.95, seed=0).df()
    frame = frame[frame["coefficient"] == "gwet_ac1"].dropna(subset=["value"])
    if not len(frame):
        return (None, None, None, None)
    row = frame.sort_values(["value", "field"]).iloc[0]
    return (row["field"], float(row["value"]), float(row["low"]), float(row["high"]))
