"""What people say of the answers that a judge judged: labels of queues on the cases of runs, and on traces."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.feedback._settling import Said, settle

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lmops.feedback._label_records import Values
    from lmops.store import Store

Case = tuple[str, int]  # example, repeat
VERDICTS: Final = {"pass": 1.0, "fail": 0.0}
_LABEL: Final = (
    "l.queue, l.schema, l.position, l.item, l.trace_id, l.rater, l.is_adjudicated, l.schema_version, l.field_values, "
    "l.probability"
)
#: A label is on a case by its name, or on the trace whose answer was judged.
_OF_CASES: Final = (
    f"select r.run_id, r.example_id, r.repeat, {_LABEL} from labels l join results r on r.run_id = l.run_id and "
    "r.example_id = l.example_id and r.repeat = coalesce(l.repeat, 0) where l.run_id in (select unnest($runs)) "
    "and not l.is_gold "
    f"union all select r.run_id, r.example_id, r.repeat, {_LABEL} from labels l join results r on "
    "r.trace_id = l.trace_id where l.run_id is null and l.span_id is null and not l.is_gold and "
    "r.run_id in (select unnest($runs)) "
    "order by 1, 4, 6, 9"
)
#: The same on traces that something was said of, in the place of a case the trace.
_OF_TRACES: Final = (
    f"select null, l.trace_id, 0, {_LABEL} from labels l where l.run_id is null and l.span_id is null "
    "and not l.is_gold and l.trace_id in (select trace_id from feedback where name = $name) order by 2, 4, 6, 9"
)
_DONE: Final = (
    "select queue, count(*) filter (done > 0) / count(*) from queue_items where not is_gold group by queue "
    "having max(done) > 0"
)


class Labels(NamedTuple):
    """What people say of the cases of one run, as numbers.

    Args:
        numbers: By case: 1 for a pass and 0 for a fail, or a number on a scale.
        chances: How likely each was to be labelled; None where all were alike.
        queue: Where they were labelled.
        schema: The version of the label schema.
        reason: Why there are none.
        reach: So many cases the labels stand for by their chances, and the error of that; None where every case has
            one.
    """

    numbers: Mapping[Case, float]
    chances: Mapping[Case, float] | None = None
    queue: str | None = None
    schema: str | None = None
    reason: str | None = None
    reach: tuple[float, float] | None = None


class _Labelled(NamedTuple):
    queue: str
    schema: str
    said: Values
    probability: float | None


class CaseLabels(NamedTuple):
    """The labels on the cases of a run, whatever was asked."""

    by_case: Mapping[Case, tuple[_Labelled, ...]]
    done: Mapping[str, float]  # by queue, the share of its items that have a label

    def of(self, judge: str, cases: Iterable[Case]) -> Labels:
        """Return what people say of what a judge judged, from the queue that has most of it.

        Labels tell of the cases without one when every case has one, or when which have one was left to chance: what
        was chosen for a reason, such as marked rows, tells of itself only and is left out.

        Args:
            judge: Its name; the field of this name counts, else the only one of a label that is pass or fail.
            cases: What it judged.
        """
        judged = set(cases)
        found = {
            case: [(one, value) for one in self.by_case[case] if (value := value_of(one.said, judge)) is not None]
            for case in judged & self.by_case.keys()
        }
        counts = Counter((one.queue, one.schema) for said in found.values() for one, _ in said)
        if not counts:
            return Labels({}, reason="nobody labelled its cases")
        drawn = Counter(
            (one.queue, one.schema) for said in found.values() for one, _ in said if one.probability is not None
        )
        whole = [key for key, count in counts.items() if count == len(judged)]
        if not (whole or drawn):
            return Labels({}, reason=f"the {len(found):,} cases that people labelled were chosen for a reason")
        queue, schema = whole[0] if whole else drawn.most_common(1)[0][0]
        taken = {
            case: (value, one.probability)
            for case, said in found.items()
            for one, value in said
            if (one.queue, one.schema) == (queue, schema) and (whole or one.probability is not None)
        }
        so_far = self.done.get(queue, 1.0)  # items are in an order left to chance: so much of each chance was used
        chances = {case: chance * so_far for case, (_, chance) in taken.items() if chance is not None}
        is_even = bool(whole) or len(set(chances.values())) < 2
        numbers = {case: value for case, (value, _) in taken.items()}
        return Labels(numbers, None if is_even else chances, queue, schema, reach=None if whole else _reach(chances))


def _reach(chances: Mapping[Case, float]) -> tuple[float, float]:
    """Return how many cases a sample stands for, and the error of that (D. G. Horvitz, D. J. Thompson, 1952)."""
    each = chances.values()
    return sum(1 / chance for chance in each), math.sqrt(sum((1 - chance) / chance**2 for chance in each))


def labels_of_cases(store: Store, run_ids: Sequence[str]) -> dict[str, CaseLabels]:
    """Return the labels on the cases of runs, settled by queue and version of the schema.

    Args:
        store: Where they are.
        run_ids: The runs.
    """
    found = _settled(store, store.sql(_OF_CASES, {"runs": [*run_ids]}).fetchall())
    return {run_id: found.get(run_id, CaseLabels({}, {})) for run_id in run_ids}


def _settled(store: Store, rows: Iterable[tuple[Any, ...]]) -> dict[Any, CaseLabels]:
    """Return by run what holds of each case, of rows of run, case, repeat and a label."""
    given: dict[Any, list[Said]] = defaultdict(list)
    for run_id, example_id, repeat, queue, schema, *label, values, probability in rows:
        if values is not None:
            position, item, trace_id, rater, is_adjudicated, version = label
            said = Said(position, item, trace_id, rater, is_adjudicated, version, json.loads(values), probability)
            given[run_id, (example_id, repeat), queue, f"{schema}@{version}"].append(said)
    found: dict[Any, dict[Case, list[_Labelled]]] = defaultdict(lambda: defaultdict(list))
    for (run_id, case, queue, schema), labels in given.items():
        settled = settle(labels)
        found[run_id][case].append(_Labelled(queue, schema, settled.values, settled.probability))
    done = dict(store.sql(_DONE).fetchall()) if given else {}
    return {
        run_id: CaseLabels({case: tuple(said) for case, said in cases.items()}, done) for run_id, cases in found.items()
    }


def labels_of_traces(store: Store, name: str) -> CaseLabels:
    """Return the labels on traces that signals of a name are on; a case is a trace, and has no repeats.

    Args:
        store: Where they are.
        name: Of the signals.
    """
    return _settled(store, store.sql(_OF_TRACES, {"name": name}).fetchall()).get(None, CaseLabels({}, {}))


def value_of(said: Values, judge: str) -> float | None:
    """Return what a label says of what a judge judges: of the field of its name, else of the only pass or fail."""
    if judge in said:
        return _number(said[judge])
    found = [VERDICTS[bare] for value in said.values() if (bare := _bare(value)) in VERDICTS]
    return found[0] if len(found) == 1 else None


def critique_of(said: Values, judge: str) -> str:
    """Return what a rater wrote beside the value that :func:`value_of` takes; empty where nothing."""
    own = said.get(judge)
    value = next((one for one in said.values() if _bare(one) in VERDICTS), None) if own is None else own
    critique = value.get("critique") if isinstance(value, dict) else None
    return critique if isinstance(critique, str) else ""


def _number(value: Any) -> float | None:
    bare = _bare(value)
    if isinstance(bare, str):
        return VERDICTS.get(bare)
    return float(bare) if isinstance(bare, int | float) else None


def _bare(value: Any) -> Any:
    bare = value.get("value") if isinstance(value, dict) else value
    return bare if isinstance(bare, str | int | float) else None
