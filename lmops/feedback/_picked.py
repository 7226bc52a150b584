"""What a judge is calibrated on when nobody hands it over: labels of people and verdicts of the judge on the same."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.errors import UsageError
from lmops.feedback._people import critique_of, value_of
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from lmops.feedback.calibration import Judge
    from lmops.store import Store

#: Queues whose items were chosen by what the judge said: on these it errs more often, or less, than elsewhere.
_BY_THE_JUDGE: Final = ("judge_against_human", "judge_uncertainty", "active")
_LABELS: Final = (
    "select l.queue, q.strategy, l.schema, l.schema_version, coalesce(l.run_id || '/' || l.example_id || '/' || "
    "coalesce(l.repeat, 0), l.trace_id), l.trace_id, l.run_id, l.example_id, coalesce(l.repeat, 0), l.rater, "
    "l.is_adjudicated, l.probability, l.field_values from labels l join queues q on q.queue = l.queue "
    "where l.span_id is null and not l.is_gold and l.field_values is not null and "
    "($after is null or l.said_at > $after) and ($queue is null or l.queue = $queue) "
    "and ($run is null or l.run_id = $run or l.trace_id in (select trace_id from results where run_id = $run)) "
    "order by l.queue, l.position, l.said_at, l.rater"
)
_VERDICTS: Final = (
    "select s.run_id, s.example_id, s.repeat, s.trace_id, s.value, length(r.output), r.cluster from scores s "
    "join results r on r.run_id = s.run_id and r.example_id = s.example_id and r.repeat = s.repeat "
    "where s.scorer = $judge and s.value is not null and s.run_id in (select unnest($runs)) "
    "order by s.run_id, s.example_id, s.repeat"
)
#: What evaluations said of traces; people who give feedback are users.
_IN_PRODUCTION: Final = (
    "select trace_id, number from feedback where name = $judge and kind in ('number', 'thumb') and user_id is null and "
    "trace_id is not null and number in (0, 1) order by seq"
)


class Picked(NamedTuple):
    """Rows as :meth:`lmops.feedback.Feedback.calibrate` takes them, and what they are, in sentences."""

    rows: list[dict[str, Any]]
    used: tuple[str, ...]


class _Label(NamedTuple):
    queue: str
    schema: str
    version: int
    item: str
    trace_id: str | None
    case: tuple[str, str, int] | None
    rater: str
    is_adjudicated: bool
    value: float
    critique: str
    probability: float | None  # that its item was drawn with; None: chosen for a reason


class _Verdict(NamedTuple):
    value: float
    length: float | None
    cluster: str | None
    source: str
    case: tuple[str, str, int] | None = None  # of the run where it judged


def picked(
    store: Store,
    judge: Judge,
    *,
    queue: str | None = None,
    run_id: str | None = None,
    field: str | None = None,
    after: datetime | None = None,
) -> Picked:
    """Return the labels of people and the verdicts of a judge, item by item.

    Labels of the newest version of the schema that has most of them; where somebody decided on an item, that alone.
    Verdicts of this version of the judge in runs, on the same case or on the trace whose answer it judged; where there
    are none, what evaluations said in production under its name, of which nobody knows the version.

    Args:
        store: Where they are.
        judge: The judge.
        queue: Only labels of this queue.
        run_id: Only labels on this run's cases.
        field: Of labels; that of the judge's name, else the only pass or fail.
        after: Only labels of later than this.

    Raises:
        UsageError: There is no item with both; the message says what is missing.
    """
    asked = {"queue": queue, "run": run_id, "after": after}
    labels, left = _labels(store, judge, asked, field)
    verdicts = _verdicts(store, judge, {one.trace_id for one in labels})
    rows, sources, unjudged = [], Counter[str](), set()
    by_item = _by_item(labels)
    weights = _weights([said[0] for said in by_item.values()])
    for item, said in by_item.items():
        found = verdicts.of(said[0])
        if not found:
            unjudged.add(item)
            continue
        sources.update({one.source: 1 for one in found})
        rows += [
            {
                "item": item,
                "label": label.value,
                "rater": label.rater,
                "verdict": verdict.value,
                "repeat": repeat,
                "length": verdict.length,
                "cluster": verdict.cluster,
                "weight": weights[item],
                "schema": f"{label.schema}@{label.version}",
                "critique": label.critique,
                "case": verdict.case,
            }
            for label in said
            for repeat, verdict in enumerate(found)
        ]
    if not rows:
        raise UsageError(_nothing(judge, labels, left))
    return Picked(rows, tuple(_used(labels, unjudged, sources, left)))


def _labels(store: Store, judge: Judge, asked: Mapping[str, Any], field: str | None) -> tuple[list[_Label], list[str]]:
    """Return the labels that count, and what is left out, in sentences."""
    found: list[_Label] = []
    by_judge, chosen = Counter[str](), dict[str, str]()
    for name, strategy, schema, version, item, trace_id, run, example, repeat, rater, *more in store.sql(
        _LABELS, asked
    ).fetchall():
        is_adjudicated, probability, said = more
        values = json.loads(said)
        if field is not None:
            values = {field: values[field]} if field in values else {}
        value = value_of(values, judge.name)
        if value is None:
            continue
        if strategy in _BY_THE_JUDGE and asked["queue"] is None:
            by_judge[name] += 1
            continue
        if strategy in _BY_THE_JUDGE and probability is None:
            chosen[name] = strategy
        critique = critique_of(values, judge.name)
        case = None if run is None else (run, example, repeat)
        label = _Label(name, schema, version, item, trace_id, case, rater, is_adjudicated, value, critique, probability)
        found.append(label)
    left = [
        f"{count:,} labels of queue {name} are left out: its items were chosen by what the judge said of them"
        for name, count in by_judge.items()
    ]
    left += [
        f"items of queue {name} were chosen by what the judge said of them ({strategy}): it may err otherwise elsewhere"
        for name, strategy in chosen.items()
    ]
    if not found:
        return [], left
    schema = Counter(one.schema for one in found).most_common(1)[0][0]
    version = max(one.version for one in found if one.schema == schema)
    kept = [one for one in found if (one.schema, one.version) == (schema, version)]
    if len(kept) < len(found):
        left.append(f"{len(found) - len(kept):,} labels under another schema than {schema}@{version} are left out")
    return kept, left


class _Found(NamedTuple):
    by_case: dict[tuple[str, str, int], list[_Verdict]]
    by_trace: dict[str, list[_Verdict]]
    in_production: dict[str, list[_Verdict]]

    def of(self, label: _Label) -> list[_Verdict]:
        """Return the verdicts on what a label is on."""
        on_case = self.by_case.get(label.case, []) if label.case is not None else []
        trace = label.trace_id or ""
        return on_case or self.by_trace.get(trace, []) or self.in_production.get(trace, [])


def _verdicts(store: Store, judge: Judge, traces: Iterable[str | None]) -> _Found:
    runs = [
        run_id
        for run_id, scorers in store.sql("select run_id, scorers from runs").fetchall()
        if any((one["name"], one["version"]) == (judge.name, judge.version) for one in json.loads(scorers))
    ]
    wanted = set(traces)
    found = _Found(defaultdict(list), defaultdict(list), defaultdict(list))
    for run_id, example_id, repeat, trace_id, value, length, cluster in store.sql(
        _VERDICTS, {"judge": judge.name, "runs": runs}
    ).fetchall():
        verdict = _Verdict(value, length, cluster, f"run {run_id}", (run_id, example_id, repeat))
        found.by_case[run_id, example_id, repeat].append(verdict)
        if trace_id in wanted and trace_id is not None:
            found.by_trace[trace_id].append(verdict)
    for trace_id, value in store.sql(_IN_PRODUCTION, {"judge": judge.name}).fetchall():
        found.in_production[trace_id] = [_Verdict(value, None, None, "production, whose version nobody said")]
    return found


def _by_item(labels: Sequence[_Label]) -> dict[str, list[_Label]]:
    """Return the labels of each item; only the last decision where there is one."""
    found: dict[str, list[_Label]] = defaultdict(list)
    for one in labels:
        found[one.item].append(one)
    return {
        item: [decided[-1]] if (decided := [one for one in said if one.is_adjudicated]) else said
        for item, said in found.items()
    }


def _weights(labels: Sequence[_Label]) -> dict[str, float]:
    """Return by item what it counts: the inverse of its chance, on average 1 in a queue; 1 where it had none."""
    counts: dict[str, list[float]] = defaultdict(list)
    for one in labels:
        counts[one.queue].append(0.0 if one.probability is None else 1 / one.probability)
    mean = {queue: sum(found) / len(found) for queue, found in counts.items() if all(found)}
    return {
        one.item: 1.0 if one.probability is None or one.queue not in mean else 1 / one.probability / mean[one.queue]
        for one in labels
    }


def _used(labels: Sequence[_Label], unjudged: set[str], sources: Counter[str], left: Sequence[str]) -> Iterable[str]:
    """Yield what was used, and what was left out."""
    counted = [one for one in labels if one.item not in unjudged]
    for queue in dict.fromkeys(one.queue for one in counted):
        mine = [one for one in counted if one.queue == queue]
        raters = sorted({one.rater for one in mine})
        who = plain_line(", ".join(raters[:5]) + (", ..." if len(raters) > 5 else ""), 200)
        yield f"{len(mine):,} labels of queue {queue} under {mine[0].schema}@{mine[0].version} by {who}"
    for source, count in sources.most_common(5):
        yield f"verdicts on {count:,} items by {source}"
    if len(sources) > 5:
        yield f"and by {len(sources) - 5:,} more runs"
    if unjudged:
        yield f"{len(unjudged):,} labelled items are left out: this version of the judge never judged them"
    yield from left


def _nothing(judge: Judge, labels: Sequence[_Label], left: Sequence[str]) -> str:
    """Return why there is nothing to calibrate on, and what would help."""
    more = "".join(f"; {one}" for one in left)
    name = plain_line(judge.name, 60)
    if not labels:
        return (
            f"calibrate: people labelled nothing of what judge {name!r} judges{more}; ws.feedback.queue(name, run, "
            "schema=...) asks them, or give labels="
        )
    return (
        f"calibrate: people labelled {len({one.item for one in labels}):,} items, and version {judge.version} of judge "
        f"{name!r} judged none of them{more}; run it on them: ws.evals.run('recorded', dataset, [judge])"
    )
