"""What a judge's verdicts are worth: measured on labels, kept as a record, and held against newer labels."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.calc.corrected import allocate_labels, corrected_pass_rate
from lmops.calc.intervals import proportion_interval
from lmops.calc.judge import Calibration, calibrate, verbosity_slope
from lmops.calc.repeats import flip_rate
from lmops.calc.staleness import staleness
from lmops.errors import NotFoundError, UsageError
from lmops.feedback._measured import JudgeCalibration, Limits
from lmops.feedback.agreement import read_labels
from lmops.judges import meant
from lmops.scorers import Scorer
from lmops.text import plain_line
from lmops.times import from_ns

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from lmops.calc.intervals import Interval
    from lmops.records import Project
    from lmops.store import Store

_WORDS: Final = {"pass": 1.0, "fail": 0.0, "true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0}
_NEXT: Final = 50  # labels that the advice is for


class Judge(NamedTuple):
    """Which judge, to the version of its prompt."""

    name: str
    version: str
    model: str | None


def judge_of(project: Project, judge: Any, version: str | None = None, model: str | None = None) -> Judge:
    """Return which judge is meant: a scorer says it, a version of ``ws.judges``, or a name with its version.

    The version of a name alone is that of the newest run.
    """
    judge = meant(project, judge)
    if isinstance(judge, Scorer):
        asked = judge.options.get("model")
        return Judge(judge.name, judge.version, None if asked is None else str(asked))
    if not isinstance(judge, str) or not judge.strip():
        raise UsageError(f"judge={judge!r:.80}: give the scorer, or its name with version=")
    if version:
        return Judge(judge, version, model)
    judges = _of_runs(project.store)
    if judge not in judges:
        known = f" (judges of runs: {plain_line(', '.join(sorted(judges)), 200)})" if judges else ""
        raise UsageError(
            f"judge={judge!r:.80}: no run has a judge of this name{known}; give version= with the name, or the scorer "
            "itself"
        )
    return judges[judge] if model is None else judges[judge]._replace(model=model)


def _of_runs(store: Store) -> dict[str, Judge]:
    """Return the judges that runs were scored by, each in the version of its newest run."""
    found: dict[str, Judge] = {}
    for (scorers,) in store.sql("select scorers from runs order by started_at, run_id").fetchall():
        for one in json.loads(scorers):
            if one.get("kind") == "judge":
                asked = (one.get("options") or {}).get("model")
                found[one["name"]] = Judge(one["name"], one["version"], None if asked is None else str(asked))
    return found


class _Item(NamedTuple):
    label: float  # NaN: none, or as many pass as fail
    verdicts: list[float]  # by repeat; NaN for a missing one
    swapped: float
    length: float
    cluster: object
    is_disputed: bool
    weight: float


def measure(project: Project, judge: Judge, labels: Any, *, used: Sequence[str] = ()) -> JudgeCalibration:
    """Measure a judge and keep the record; see :meth:`lmops.feedback.Feedback.calibrate`."""
    rows = read_labels(labels, ("item", "label", "verdict"), doing="calibrate")
    schema = _schema(rows)
    items = _items(rows)
    verdicts, human = [item.verdicts[0] for item in items], [item.label for item in items]
    found = calibrate(verdicts, human, clusters=_clusters(items), weights=[item.weight for item in items])
    if not found.n:
        raise UsageError(f"calibrate: none of the {len(items)} items has both a label that is no tie and a verdict")
    figures = {
        **_figures(found),
        "n_disputed": sum(item.is_disputed for item in items),
        **_habits(items),
        "advice": _advice(found),
        "used": list(used),
    }
    with project.change() as change:
        row = {
            "judge": judge.name,
            "judge_version": judge.version,
            "model": judge.model,
            "schema": schema,
            "figures": json.dumps(figures, ensure_ascii=False, allow_nan=False),
            "author": change.actor,
            "created_ns": change.at_ns,
        }
        number = change.insert("calibrations", row)
        change.say("judge.calibrate", judge.name, after={"number": number, "version": judge.version, "n": found.n})
        return _record({**row, "number": number, "stale": None})


def latest(store: Store, judge: Judge, schema: str | None = None) -> JudgeCalibration | None:
    """Return the newest record of a judge of this name, with why it does not hold for this version, or None."""
    with store.reading() as con:
        row = _newest(con, judge, schema)
        if row is None:
            return None
        if schema is None and row["schema"] is not None:
            schema = _in_use(con, row["schema"])
        whole = store.record(con, "calibrations", row["number"])
    record = _record(dict(whole if whole is not None else row))
    moved = [
        f"{what} was {plain_line(before or 'not said', 60)} and is {plain_line(now, 60)}"
        for what, before, now in (
            ("the judge's version", record.judge_version, judge.version),
            ("its model", record.model, judge.model),
            ("the label schema", record.schema, schema),
        )
        if now is not None and before != now
    ]
    return _with_stale(record, moved)


def by_name(store: Store, name: str) -> tuple[JudgeCalibration | None, bool]:
    """Return the newest calibration of any version of a judge, and whether there is a judge of this name at all."""
    with store.reading() as con:
        row = con.execute("select * from calibrations where judge = ? order by number desc limit 1", (name,)).fetchone()
        whole = None if row is None else store.record(con, "calibrations", row["number"])
    if row is not None:
        return _record(dict(whole if whole is not None else row)), True
    query = "select scorers from runs where contains(scorers, $name)"
    judged = (json.loads(scorers) for (scorers,) in store.sql(query, {"name": name}).fetchall())
    is_judge = any(one["name"] == name and one.get("kind") == "judge" for scorers in judged for one in scorers)
    return None, is_judge


def known(project: Project, judge: Judge) -> JudgeCalibration:
    """Return the newest record of a judge.

    Raises:
        NotFoundError: There is none.
    """
    record = latest(project.store, judge)
    if record is None:
        raise NotFoundError(f"judge {judge.name!r:.80} has no calibration yet: ws.feedback.calibrate(judge, labels)")
    return record


def recheck(project: Project, judge: Judge, labels: Any, *, alpha: float) -> JudgeCalibration:
    """Hold newer labels against the record; see :meth:`lmops.feedback.Feedback.recheck`."""
    if not 0 < alpha < 1:
        raise UsageError(f"alpha={alpha!r}: give a share of false alarms between 0 and 1, such as 0.05")
    record = known(project, judge)
    items = _items(read_labels(labels, ("item", "label", "verdict"), doing="recheck"))
    found = staleness(
        record.errors,
        [item.verdicts[0] for item in items],
        [item.label for item in items],
        clusters=_clusters(items),
        weights=[item.weight for item in items],
        alpha=alpha,
    )
    if not found.is_stale:
        return record
    parts = [
        f"{what} was {before:.3f} and is {now:.3f} on {n} newer labels (p {p:.2g})"
        for what, before, now, n, p in (
            ("sensitivity", record.sensitivity[0], found.sensitivity, found.n_pass, found.sensitivity_p),
            ("specificity", record.specificity[0], found.specificity, found.n_fail, found.specificity_p),
        )
        if before is not None and p <= alpha
    ]
    with project.change() as change:
        whole = project.store.record(change.con, "calibrations", record.number)
        if whole is None:
            raise NotFoundError(f"calibration {record.number} is not there any more")
        change.replace("calibrations", {**dict(whole), "stale": "; ".join(parts)})
        change.say("judge.stale", judge.name, after={"number": record.number, "why": parts})
    return _with_stale(record, parts)


def _newest(con: sqlite3.Connection, judge: Judge, schema: str | None) -> sqlite3.Row | None:
    """Return the newest row of this version and schema, else of any version."""
    row: sqlite3.Row | None = con.execute(
        "select * from calibrations where judge = ? order by judge_version = ? desc, "
        "? is not null and schema is ? desc, number desc limit 1",
        (judge.name, judge.version, schema, schema),
    ).fetchone()
    return row


def _in_use(con: sqlite3.Connection, schema: str) -> str:
    """Return the newest version of the schema that labels were made under; that itself where it is not kept here."""
    name = schema.rpartition("@")[0]
    (newest,) = con.execute("select max(version) from label_schemas where name = ?", (name,)).fetchone()
    return schema if newest is None else f"{name}@{newest}"


def _with_stale(record: JudgeCalibration, reasons: Iterable[str]) -> JudgeCalibration:
    return replace(record, stale=tuple(dict.fromkeys((*record.stale, *reasons))))


def _record(row: dict[str, Any]) -> JudgeCalibration:
    figures = json.loads(row["figures"])
    limits: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in figures.items()
    }
    return JudgeCalibration(
        number=row["number"],
        judge=row["judge"],
        judge_version=row["judge_version"],
        model=row["model"],
        schema=row["schema"],
        author=row["author"],
        created_at=from_ns(row["created_ns"]),
        stale=() if row["stale"] is None else (row["stale"],),
        **limits,
    )


def _schema(rows: Sequence[dict[str, Any]]) -> str | None:
    named = sorted({str(row["schema"]) for row in rows if row.get("schema") is not None})
    if len(named) > 1:
        raise UsageError(
            f"calibrate: the labels were made under {', '.join(plain_line(one, 40) for one in named[:5])}; give those "
            "of one version of a schema"
        )
    return named[0] if named else None


def _items(rows: Iterable[dict[str, Any]]) -> list[_Item]:
    """Return the items: what most raters say of each, and what the judge said each time it was asked."""
    by_item: dict[Any, list[dict[str, Any]]] = {}
    for row in rows:
        by_item.setdefault(row["item"], []).append(row)
    found = [_item(given) for given in by_item.values()]
    most = max(len(item.verdicts) for item in found)
    return [item._replace(verdicts=item.verdicts + [math.nan] * (most - len(item.verdicts))) for item in found]


def settled(rows: Iterable[dict[str, Any]]) -> dict[str, tuple[float, float]]:
    """Return by item what most raters say of it, and the verdict; items that as many pass as fail are left out."""
    by_item: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_item.setdefault(str(row["item"]), []).append(row)
    found = {name: _item(given) for name, given in by_item.items()}
    return {name: (one.label, one.verdicts[0]) for name, one in found.items() if not math.isnan(one.label)}


def _item(rows: list[dict[str, Any]]) -> _Item:
    labels = {row.get("rater"): _value(row, "label") for row in rows}
    verdicts = {row.get("repeat") or 0: _value(row, "verdict") for row in rows}
    votes = Counter(label for label in labels.values() if not math.isnan(label))
    is_disputed = bool(votes) and votes[0.0] == votes[1.0]
    label = math.nan if not votes or is_disputed else votes.most_common(1)[0][0]
    last = rows[-1]
    length = last.get("length")
    return _Item(
        label,
        [verdicts[repeat] for repeat in sorted(verdicts)],
        _value(last, "swapped"),
        float(length) if isinstance(length, int | float) else math.nan,
        last.get("cluster"),
        is_disputed,
        _weight(last),
    )


def _weight(row: dict[str, Any]) -> float:
    given = row.get("weight")
    if given is None:
        return 1.0
    try:
        weight = float(given)
    except (TypeError, ValueError):
        weight = math.nan
    if not 0 < weight < math.inf:
        raise UsageError(
            f"weight of item {plain_line(row['item'], 60)!r} is {plain_line(given, 60)!r}; give 1 over the chance that "
            "it was drawn with, a number above 0"
        )
    return weight


def _clusters(items: Sequence[_Item]) -> list[object] | None:
    """Return what each item belongs to; an item of no cluster is one of its own. None: all are independent."""
    if all(item.cluster is None for item in items):
        return None
    return [("item", place) if item.cluster is None else ("cluster", item.cluster) for place, item in enumerate(items)]


def _value(row: dict[str, Any], name: str) -> float:
    given = row.get(name)
    if given is None:
        return math.nan
    said = str(given).strip().lower().removesuffix(".0")
    if said not in _WORDS:
        raise UsageError(
            f"{name} of item {plain_line(row['item'], 60)!r} is {plain_line(given, 60)!r}; give pass or fail, 1 or 0, "
            "true or false"
        )
    return _WORDS[said]


def _figures(found: Calibration) -> dict[str, Any]:
    return {
        "n_pass": found.true_pass + found.false_fail,
        "n_fail": found.true_fail + found.false_pass,
        "n_missing": found.n_missing,
        "worth_pass": _worth(found.sensitivity),
        "worth_fail": _worth(found.specificity),
        "sensitivity": _limits(found.sensitivity.estimate, found.sensitivity.low, found.sensitivity.high),
        "specificity": _limits(found.specificity.estimate, found.specificity.low, found.specificity.high),
        "kappa": _limits(found.kappa.value, found.kappa.low, found.kappa.high),
        "ac1": _limits(found.ac1.value, found.ac1.low, found.ac1.high),
        "base_rate": _known(found.base_rate),
        "judge_rate": _known(found.judge_rate),
    }


def _habits(items: Sequence[_Item]) -> dict[str, Any]:
    """Return how the judge behaves beside being right: over a swap, over repeats, and with length."""
    kept = [item.verdicts[0] == item.swapped for item in items if not math.isnan(item.swapped + item.verdicts[0])]
    swaps = proportion_interval(kept)
    slope = verbosity_slope([item.verdicts[0] - item.label for item in items], [item.length for item in items])
    return {
        "position_consistency": _limits(swaps.estimate, swaps.low, swaps.high),
        "flip_rate": _known(flip_rate([item.verdicts for item in items]).pair_rate),
        "length_slope": _limits(slope.slope, slope.low, slope.high),
    }


def _advice(found: Calibration) -> str:
    """Return what the next labels should be of, in a sentence."""
    n_pass, n_fail = _worth(found.sensitivity), _worth(found.specificity)
    if not (n_pass and n_fail):
        return f"label {_NEXT} more items: no label says {'fail' if n_pass else 'pass'} yet"
    sensitivity, specificity = found.sensitivity.estimate, found.specificity.estimate
    rate = corrected_pass_rate(
        found.judge_rate * found.n,
        found.n,
        sensitivity=sensitivity,
        n_pass=n_pass,
        specificity=specificity,
        n_fail=n_fail,
    )
    if math.isnan(rate.estimate):
        return f"mend the judge first: {rate.reason}"
    split = allocate_labels(
        _NEXT, rate=rate.estimate, sensitivity=sensitivity, n_pass=n_pass, specificity=specificity, n_fail=n_fail
    )
    parts = [f"{n} more of class {name}" for n, name in ((split.add_pass, "pass"), (split.add_fail, "fail")) if n]
    return f"label {' and '.join(parts)}"


def _worth(rate: Interval) -> float:
    """Return how many independent labels a rate rests on; a single cluster is one."""
    return float(min(rate.n, 1)) if math.isnan(rate.n_effective) else rate.n_effective


def _limits(*values: float) -> Limits:
    estimate, low, high = map(_known, values)
    return estimate, low, high


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
