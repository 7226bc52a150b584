"""Rates and means of what scorers say of production, from all traces or from those that were drawn."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError, did_you_mean
from lmops.feedback import known_calibration
from lmops.feedback.stats import traces_by
from lmops.monitors._score_records import TraceScores
from lmops.text import plain_line
from lmops.traces import bucket_sql, found_sql, range_sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pandas as pd

    from lmops.calc.intervals import Interval
    from lmops.store import Bounds, Store

_EVERY: Final = {"hour": "1h", "day": "1d", "week": "1w"}
_FIGURES: Final = (
    *("n", "unmeasured", "failed", "is_rate", "mean", "low", "high", "probability"),
    *("corrected", "corrected_low", "corrected_high", "note"),
)


def rates(
    store: Store, scorer: str | None, bounds: Bounds, *, groups: Sequence[str], every: str | None, level: float
) -> TraceScores:
    """Return what scorers say; see :meth:`lmops.monitors.Monitors.scores`."""
    import pandas as pd

    _check(store, scorer)
    names = [f"g{place}" for place in range(len(groups))]
    frame = _rows(store, scorer, bounds, groups, every)
    about = {(row["scorer"], row["scorer_version"]): row for row in _scorers(store)}
    keys = ["scorer", "scorer_version", "kind", *(["bucket"] if every is not None else []), *names]
    rows = []
    for key, part in frame.groupby(keys, dropna=False, sort=True):
        said = about.get((key[0], key[1]), {})
        rows.append({**dict(zip(keys, key, strict=True)), **_figures(store, part, said, level)})
    shown = {"scorer_version": "version", **dict(zip(names, groups, strict=True))}
    found = pd.DataFrame(rows, columns=[*keys, *_FIGURES]).rename(columns=shown)
    return TraceScores(frame=found, by=tuple(groups), notes=tuple(_notes(frame)))


def _check(store: Store, scorer: str | None) -> None:
    """Refuse a scorer that has scored nothing."""
    known = sorted({row["scorer"] for row in _scorers(store)})
    if scorer is not None and scorer not in known:
        hint = 'ws.monitors.score(["refusal"]) lets one score'
        raise UsageError(did_you_mean("scorer of traces", scorer, known, hint=hint))


def _scorers(store: Store) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = store.sql("select * from trace_scorers").to_arrow_table().to_pylist()
    return found


def _rows(store: Store, scorer: str | None, bounds: Bounds, groups: Sequence[str], every: str | None) -> pd.DataFrame:
    """Return the scores in a range with their bucket and groups."""
    at = "epoch_ns(s.start_at)"
    bucket = bucket_sql(None if every is None else _EVERY.get(every, every), at)
    condition = range_sql(bounds).replace("start_ns", at)
    source, params, more = "trace_scores s", dict[str, Any](), ""
    if groups:
        traces, params = traces_by(store, groups, found_sql(None, bounds, evaluations=True), None)
        source += f" join ({traces}) as t on t.trace_id = s.trace_id"
        more = "".join(f", t.g{place}" for place in range(len(groups)))
    frame: pd.DataFrame = store.sql(
        f"select s.scorer, s.scorer_version, s.kind, s.status, s.score, s.probability, {bucket} as bucket, "
        f"coalesce(s.session_id, s.trace_id) as cluster{more} from {source} where {condition} "
        "and coalesce(s.scorer = $scorer, true)",
        {**params, "scorer": scorer},
    ).df()
    return frame


def _figures(store: Store, part: pd.DataFrame, said: dict[str, Any], level: float) -> dict[str, Any]:
    """Return the figures of the scores of one scorer in one interval and group."""
    counted = part[(part["status"] == "value") & part["probability"].notna()]
    values = counted["score"].to_numpy(float)
    chances = counted["probability"].to_numpy(float)
    is_rate = bool(len(values)) and bool(((values == 0) | (values == 1)).all())
    found = _interval(values, chances, counted["cluster"].to_numpy(), said, level, is_rate=is_rate)
    return {
        "n": len(values),
        "unmeasured": int((part["status"] == "unmeasured").sum()),
        "failed": int((part["status"] == "error").sum()),
        "is_rate": is_rate,
        "mean": found.estimate,
        "low": found.low,
        "high": found.high,
        "probability": float(chances.mean()) if len(chances) else math.nan,
        **_corrected(store, found, said, level, is_rate=is_rate),
    }


def _interval(
    values: np.ndarray, chances: np.ndarray, clusters: np.ndarray, said: dict[str, Any], level: float, *, is_rate: bool
) -> Interval:
    """Return the mean of all traces that these were drawn from, each counted by one over its chance."""
    from lmops.calc.intervals import score_interval, weighted_interval

    groups = clusters if len(set(clusters)) < len(clusters) else None
    least, most = said.get("low"), said.get("high")
    if is_rate or not len(values):
        return weighted_interval(values, 1 / chances, clusters=groups, level=level)
    if (chances == chances[0]).all():
        has_ends = least is not None and most is not None
        return _within(score_interval(values, clusters=groups, level=level, has_ends=has_ends), least, most)
    # of values between two ends the interval is that of shares of the way from one to the other
    low = float(values.min()) if least is None else least
    width = ((float(values.max()) if most is None else most) - low) or 1.0
    found = weighted_interval((values - low) / width, 1 / chances, clusters=groups, level=level)
    ends = {name: low + width * getattr(found, name) for name in ("estimate", "low", "high")}
    return replace(found, **ends, se=found.se * width)


def _within(found: Interval, least: float | None, most: float | None) -> Interval:
    """Return an interval whose limits lie within the scale."""
    low = found.low if least is None else max(found.low, least)
    return replace(found, low=low, high=found.high if most is None else min(found.high, most))


def _corrected(store: Store, found: Interval, said: dict[str, Any], level: float, *, is_rate: bool) -> dict[str, Any]:
    """Return the rate that people would find where a judge spoke, or why it is not known."""
    if said.get("kind") != "judge":
        return {}
    name = said["scorer"]
    record = known_calibration(store, name, said["scorer_version"], said["model"])
    if record is None:
        return {"note": "uncalibrated"}
    if not record.is_fresh:
        return {"note": f"not corrected, its calibration is stale: {'; '.join(record.stale)}"}
    if not is_rate or math.isnan(found.n_effective):
        return {"note": "not corrected: only a rate of two clusters or more is"}
    made = record.corrected(found.estimate * found.n_effective, found.n_effective, level=level)
    ends = {"corrected": made.estimate, "corrected_low": made.low, "corrected_high": made.high}
    return {**ends, "note": made.reason or f"corrected by calibration {record.number}"}


def _notes(frame: pd.DataFrame) -> list[str]:
    """Say what is left out."""
    notes = [] if len(frame) else ["nothing is scored in this range"]
    waiting = frame[(frame["status"] == "value") & frame["probability"].isna()].groupby("scorer").size()
    notes += [
        f"{count:,} scores of {plain_line(name, 60)} are of a draw that was cut off, and are in no rate: score again"
        for name, count in waiting.items()
    ]
    return notes
