"""Rates of what users say, over time and by group, with intervals and with how much of the traffic said anything."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.base.units import share
from lmops.errors import UsageError, did_you_mean
from lmops.feedback._by_labels import ByLabels, mean_by_labels
from lmops.feedback._people import labels_of_traces
from lmops.feedback._records import FeedbackStats
from lmops.feedback.calibration import by_name
from lmops.store import FACT_VIEWS
from lmops.traces import bucket_sql, found_sql, time_range

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    import pandas as pd

    from lmops.calc.intervals import Interval
    from lmops.feedback._measured import JudgeCalibration
    from lmops.feedback._people import CaseLabels
    from lmops.store import Store

#: Columns of ``traces`` that group them as they are.
_PLAIN: Final = ("name", "status", "service", "environment", "user_id", "session_id", "error_type", "is_orphan")
#: Columns of spans, of which a trace may have several values: it counts with each.
_OF_SPANS: Final = frozenset(name for name, sql, _ in FACT_VIEWS["spans"] if sql == "VARCHAR") - {
    *_PLAIN,
    "trace_id",
    "span_id",
    "parent_span_id",
    "input",
    "output",
    "attributes",
    "events",
    "resource",
    "documents",
    "links",
    "error_message",
    "response_id",
}
#: What users said under a name, such as feedback.thumb.
_SAID: Final = "feedback."
#: Columns of the result that are no groups.
_OWN: Final = frozenset({
    "bucket", "traces", "with_feedback", "share", "share_low", "share_high", "signals", "users", "up", "down", "value",
    "count", "rate", "mean", "low", "high", "corrected", "corrected_low", "corrected_high", "ppi", "ppi_low",
    "ppi_high", "ppi_labels", "ppi_note",
})  # fmt: skip  # many words: packed, they are read at a glance
_WORDS: Final = {"hour": "1h", "day": "1d", "week": "1w"}
#: So many errors fewer than there are, and the labels do not stand for all.
_SURE: Final = 4.0
#: Where clients put what they say of a trace in words of their own.
_PLACES: Final = ("{}", "lmops.{}", "metadata.{}", "langfuse.trace.metadata.{}", "langfuse.observation.metadata.{}")


def feedback_stats(
    store: Store,
    *,
    name: str,
    by: str | Sequence[str],
    every: str | None,
    last: str | None,
    since: str | datetime | None,
    until: str | datetime | None,
    where: str | None,
    evaluations: bool,
) -> FeedbackStats:
    """Return the rates of the signals of one name; see :meth:`lmops.feedback.Feedback.stats`."""
    groups = [by] if isinstance(by, str) else list(by)
    if len(set(groups)) != len(groups):
        raise UsageError(f"by={groups}: name each grouping once")
    bounds = time_range(store, last=last, since=since, until=until)
    kind, notes = _kind(store, name)
    names = [f"g{place}" for place in range(len(groups))]
    asked = found_sql(where, bounds, evaluations=evaluations)
    source, params = traces_by(store, groups, asked, every)
    keys = ["bucket", *names]
    frame = _shares(store, source, params, keys, name)
    said = store.sql(
        f"select {', '.join(f't.{key}' for key in keys)}, f.trace_id, f.value, f.number, "
        "coalesce(f.user_id, t.user_id, f.trace_id) as who "
        f"from ({source}) as t join feedback as f on f.trace_id = t.trace_id where f.name = $name and f.kind = $kind",
        {**params, "name": name, "kind": kind},
    ).df()
    judge, judged = _judge(store, name, said, kind)
    shown = [f"{group} of the trace" if group in _OWN else group for group in groups]
    frame = _with_rates(frame, said, keys, kind, judge).rename(columns=dict(zip(names, shown, strict=True)))
    if every is None:
        frame = frame.drop(columns="bucket")
    total, given = _totals(store, asked, name)
    return FeedbackStats(
        frame=frame,
        name=name,
        kind=kind,
        by=tuple(shown),
        traces=total,
        with_feedback=given,
        notes=(*_shared(total, given), *notes, *_several(groups), *_elsewhere(store, name), *judged),
    )


def _kind(store: Store, name: str) -> tuple[str, tuple[str, ...]]:
    """Return the kind that most signals of a name have, and what to say when some have another."""
    query = "select name, kind, count(*) from feedback group by 1, 2 order by 3 desc, 2"
    rows = store.sql(query).fetchall()
    found = [(kind, count) for one, kind, count in rows if one == name]
    if rows and not found:
        raise UsageError(did_you_mean("signal", name, {row[0] for row in rows}))
    if not found:
        return "thumb", ("no signal is in the store",)
    others = sum(count for _, count in found[1:])
    return found[0][0], (f"{others:,} signals of this name are no {found[0][0]}s and are left out",) if others else ()


def traces_by(store: Store, groups: Sequence[str], asked: str, every: str | None) -> tuple[str, dict[str, str]]:
    """Return a query of the traces that are asked for with their bucket and groups (g0, g1, ...), and its parameters.

    Raises:
        UsageError: There is no such group.
    """
    bucket = bucket_sql(None if every is None else _WORDS.get(every, every), "start_ns")
    sql = f"select trace_id, user_id, {bucket} as bucket, {', '.join(_PLAIN)}, prompt_refs from traces "
    sql += f"where trace_id in ({asked})"
    params: dict[str, str] = {}
    for place, group in enumerate(groups):
        if group in _PLAIN:
            sql = f"select t.*, t.{group} as g{place} from ({sql}) as t"
        elif group in ("prompt_version", "prompt_ref"):
            sql = f"select t.*, unnest(coalesce(nullif(t.prompt_refs, []), [null])) as g{place} from ({sql}) as t"
        else:
            find = _of_signals if group.startswith(_SAID) else _of_spans
            values = find(store, group, f"p{place}", params)
            sql = f"select t.*, v.value as g{place} from ({sql}) as t left join ({values}) as v using (trace_id)"
    return sql, params


def _of_spans(store: Store, group: str, name: str, params: dict[str, str]) -> str:
    """Return a query of the values that the spans of each trace have of a column or of an attribute."""
    if group in _OF_SPANS:
        which = " and kind = 'llm'" if group in ("model", "requested_model", "provider") else ""
        return f"select distinct trace_id, {group} as value from spans where {group} is not null{which}"
    values = []
    for place, form in enumerate(_PLACES):
        key = form.format(group)
        params[f"{name}_{place}"] = "/" + key.replace("~", "~0").replace("/", "~1")
        values.append(f"json_extract_string(attributes, ${name}_{place})")
    params[name] = group
    query = (
        f"select distinct trace_id, coalesce({', '.join(values)}) as value from spans "
        f"where contains(attributes, ${name}) and coalesce({', '.join(values)}) is not null"
    )
    own = {key: value for key, value in params.items() if key == name or key.startswith(f"{name}_")}
    if not store.sql(f"select 1 from ({query}) limit 1", own).fetchall():
        known = [*_PLAIN, "prompt_version", *_OF_SPANS]
        raise UsageError(did_you_mean("grouping", group, known, hint="nor has any span an attribute of this name"))
    return query


def _of_signals(store: Store, group: str, name: str, params: dict[str, str]) -> str:
    """Return a query of what users said of each trace under a name."""
    params[name] = group.removeprefix(_SAID)
    known = [row[0] for row in store.sql("select distinct name from feedback").fetchall()]
    if params[name] not in known:
        raise UsageError(did_you_mean("signal", params[name], known))
    return f"select distinct trace_id, value from feedback where name = ${name} and trace_id is not null"


def _shares(store: Store, source: str, params: dict[str, str], keys: list[str], name: str) -> pd.DataFrame:
    """Return traces, and those with a signal, by bucket and group."""
    columns = ", ".join(keys)
    frame: pd.DataFrame
    given = "select distinct trace_id from feedback where name = $name and trace_id is not null"
    frame = store.sql(
        f"select {columns}, count(*) as traces, count(f.trace_id) as with_feedback from ({source}) as t "
        f"left join ({given}) as f on f.trace_id = t.trace_id group by {columns} order by {columns}",
        {**params, "name": name},
    ).df()
    return frame


def _totals(store: Store, asked: str, name: str) -> tuple[int, int]:
    """Return how many traces there are, and how many of them have a signal."""
    rows = store.sql(
        f"select count(*), count(f.trace_id) from ({asked}) as t left join (select distinct trace_id from feedback "
        "where name = ? and trace_id is not null) as f on f.trace_id = t.trace_id",
        [name],
    ).fetchall()
    return int(rows[0][0]), int(rows[0][1])


class _Judge(NamedTuple):
    """Who spoke, and by what that is corrected."""

    name: str
    record: JudgeCalibration | None
    labels: CaseLabels | None


def _judge(store: Store, name: str, said: pd.DataFrame, kind: str) -> tuple[_Judge | None, tuple[str, ...]]:
    """Return by what rates of a judge are corrected, and what to say of it; nothing of people's."""
    record, is_judge = by_name(store, name)
    if not is_judge or kind not in ("thumb", "number"):
        return None, (f"not corrected: what judge {name} says is no pass or fail",) if is_judge else ()
    labels = labels_of_traces(store, name)
    notes = () if labels.by_case else ("not corrected by labels: nobody labelled these traces",)
    is_corrected, words = _by_record(name, record, said)
    return _Judge(name, record if is_corrected else None, labels if labels.by_case else None), (words, *notes)


def _by_record(name: str, record: JudgeCalibration | None, said: pd.DataFrame) -> tuple[bool, str]:
    """Return whether a calibration corrects what a judge said, and how or why not."""
    if record is None:
        return False, f"the judge {name} is uncalibrated: it has no calibration"
    if not record.is_fresh:
        return False, f"not corrected: the calibration of judge {name} is stale: {'; '.join(record.stale)}"
    if not said["number"].isin((0, 1)).all():
        return False, f"not corrected by a calibration: what judge {name} says is no pass or fail"
    version = f"version {record.judge_version}; signals do not say which version of the judge spoke"
    return True, f"corrected by calibration {record.number} of {version}"


def _with_rates(
    frame: pd.DataFrame, said: pd.DataFrame, keys: list[str], kind: str, judge: _Judge | None
) -> pd.DataFrame:
    """Return the frame with the share that gave feedback, and the figures of what they said."""
    from lmops.calc.intervals import wilson

    low, high = wilson(frame["with_feedback"].to_numpy(), frame["traces"].to_numpy())
    frame = frame.assign(share=frame["with_feedback"] / frame["traces"], share_low=low, share_high=high)
    rows = []
    parts = {_key(key): part for key, part in said.groupby(keys, dropna=False, sort=False)}
    for row in frame.to_dict("records"):
        part = parts.get(_key(tuple(row[key] for key in keys)), said.iloc[:0])
        rows += [{**row, **figures} for figures in _figures(part, kind, judge)]
    import pandas as pd

    return pd.DataFrame(rows, columns=[*frame.columns, *next(_figures(said.iloc[:0], kind, judge))])


def _key(values: Any) -> tuple[Any, ...]:
    """Return a group as something that is equal to itself where a value is missing."""
    import pandas as pd

    return tuple(None if pd.isna(value) else value for value in values)


def _figures(part: pd.DataFrame, kind: str, judge: _Judge | None) -> Iterator[dict[str, Any]]:
    """Yield the figures of the signals of one group; of categories, a row for each."""
    from lmops.calc.intervals import mean_interval, proportion_interval

    said: dict[str, Any] = {"signals": len(part), "users": int(part["who"].nunique())}
    who = part["who"].to_numpy() if said["users"] < said["signals"] else None
    if kind == "thumb":
        found = proportion_interval(part["number"].to_numpy(float), clusters=who)
        said |= {"up": int((part["number"] == 1).sum()), "down": int((part["number"] == 0).sum()), **_rate(found)}
        yield {**said, **_corrected(part, who, judge)}
    elif kind == "number":
        found = mean_interval(part["number"].to_numpy(float), clusters=who)
        said |= {"mean": found.estimate, "low": found.low, "high": found.high}
        yield {**said, **_corrected(part, who, judge)}
    elif kind == "category":
        for value, count in part["value"].value_counts().items() if len(part) else [(None, 0)]:
            is_it = (part["value"] == value).to_numpy(float)
            yield {**said, "value": value, "count": count, **_rate(proportion_interval(is_it, clusters=who))}
    else:
        yield said


def _corrected(part: pd.DataFrame, who: Any, judge: _Judge | None) -> dict[str, Any]:
    """Return what people would find where a judge spoke; nothing where none did."""
    from lmops.calc.intervals import proportion_interval

    found: dict[str, Any] = {}
    if judge is not None and judge.record is not None:
        rate = proportion_interval(part["number"].to_numpy(float), clusters=who)
        worth = 0.0 if math.isnan(rate.n_effective) else rate.n_effective
        made = judge.record.corrected(rate.estimate * worth if worth else 0.0, worth)
        found |= {"corrected": made.estimate, "corrected_low": made.low, "corrected_high": made.high}
    if judge is not None and judge.labels is not None:
        mean, low, high, count, words = _by_labels(part, judge.name, judge.labels)
        found |= {"ppi": mean, "ppi_low": low, "ppi_high": high, "ppi_labels": count, "ppi_note": words}
    return found


def _by_labels(part: pd.DataFrame, judge: str, labels: CaseLabels) -> ByLabels:
    """Return the mean that people would give of the traces of one group, by labels on a sample of them."""
    if not len(part):
        return ByLabels(words="the judge said nothing of these traces")
    of_trace = part.groupby("trace_id")
    scores, who = of_trace["number"].mean(), of_trace["who"].first()
    cases = [(str(trace_id), 0) for trace_id in scores.index]
    said = labels.of(judge, cases)
    if said.reason is not None:
        return ByLabels(words=said.reason.replace("its cases", "these traces").replace("cases", "traces"))
    made = mean_by_labels(
        said, cases, scores.to_numpy(float), clusters=who.tolist() if who.duplicated().any() else None
    )
    if said.reach is not None and len(cases) > said.reach[0] + _SURE * said.reach[1] + 1:
        words = (
            f"the labels stand for about {said.reach[0]:,.0f} of {len(cases):,} traces: the others were not drawn from"
        )
        return ByLabels(n_labels=made.n_labels, words=words)
    if math.isnan(made.low):
        return made._replace(words=f"{made.n_labels:,} labels are too few" if made.n_labels < 2 else made.words)
    return made


def _rate(found: Interval) -> dict[str, float]:
    return {"rate": found.estimate, "low": found.low, "high": found.high}


def _shared(total: int, given: int) -> tuple[str, ...]:
    if not total:
        return ("no trace is in this range",)
    return (f"{share(given / total)} of traffic gave feedback ({given:,} of {total:,} traces); the others may differ",)


def _several(groups: Sequence[str]) -> tuple[str, ...]:
    several = [group for group in groups if group not in _PLAIN]
    return (f"a trace with several values of {', '.join(several)} counts with each",) if several else ()


def _elsewhere(store: Store, name: str) -> tuple[str, ...]:
    """Say how many signals of a name are on conversations or wait for their trace."""
    query = (
        "select count(*) filter (target = 'session'), count(*) filter (target <> 'session' and trace_id is null) "
        "from feedback where name = ?"
    )
    sessions, waiting = store.sql(query, [name]).fetchall()[0]
    notes = [f"{sessions:,} signals on whole conversations are not in it"] if sessions else []
    notes += [f"{waiting:,} signals wait for their trace"] if waiting else []
    return tuple(notes)
