"""How versions behave, from the traces that used them: latency, tokens, cost, errors, votes, each with n and interval.

Traffic is not an experiment: versions mostly run one after the other, and whatever else changed meanwhile changed with
them. What is known of that is said beside the numbers (:attr:`PromptComparison.caveats`).
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.base.shown import Viewed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    import pandas as pd

    from lmops.store import Store

_LEVEL: Final = 0.95
_VOTE_NAMES: Final = frozenset(("user_feedback", "user-feedback", "feedback", "thumbs", "thumb", "user_thumbs"))
_UP: Final = frozenset(("up", "thumbs_up", "thumbs-up", "positive", "good", "like", "yes", "true", "pass"))
_DOWN: Final = frozenset(("down", "thumbs_down", "thumbs-down", "negative", "bad", "dislike", "no", "false", "fail"))


class Value(NamedTuple):
    """A number with its interval; all None when nothing was measured. ``n`` values were there, ``missing`` were not."""

    estimate: float | None
    low: float | None
    high: float | None
    n: int
    missing: int = 0


class Measure(NamedTuple):
    """One measure for every version, and how each differs from the first (None for the first itself)."""

    name: str
    label: str
    #: ms, tokens, usd, rate
    unit: str
    values: tuple[Value, ...]
    differences: tuple[Value | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What versions answered to the same inputs, one run each.

    Args:
        outputs: example_id, input and one column a version; missing where it gave no answer.
        runs: The run of each version.
        asked: The model of each run and its parameters, in words.
        dataset: What they ran over.
    """

    outputs: pd.DataFrame
    runs: tuple[str, ...]
    asked: tuple[str, ...]
    dataset: str

    @property
    def silent(self) -> tuple[int, ...]:
        """How many inputs each version gave no answer to."""
        return tuple(int(self.outputs[ref].isna().sum()) for ref in self.outputs.columns[2:])


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PromptComparison(Viewed):
    """How versions of a prompt behaved; the first one is what the others are compared with."""

    name: str
    refs: tuple[str, ...]
    #: what the traces were limited to, in words
    scope: str
    traces: tuple[int, ...]
    sessions: tuple[int, ...]
    #: first and last trace of each version, None without any
    first_at: tuple[datetime | None, ...]
    last_at: tuple[datetime | None, ...]
    measures: tuple[Measure, ...]
    caveats: tuple[str, ...]
    #: what they answered in evaluations; None when no runs of all can be compared
    answers: Answers | None = None

    def df(self) -> pd.DataFrame:
        """Return one row a measure and version.

        Returns:
            measure, unit, version (reference), value, low, high (95 %), n, missing, difference, difference_low,
            difference_high (from the first version). What was not measured is NaN, and n is 0.
        """
        from lmops.base.frames import Frame

        nothing = Value(None, None, None, 0)
        rows = [
            (measure.name, measure.unit, ref, *value, *(difference or nothing)[:3])
            for measure in self.measures
            for ref, value, difference in zip(self.refs, measure.values, measure.differences, strict=True)
        ]
        names = ["measure", "unit", "version", "value", "low", "high", "n", "missing"]
        frame = Frame(rows, columns=[*names, "difference", "difference_low", "difference_high"])
        floats = ["value", "low", "high", "difference", "difference_low", "difference_high"]
        return frame.astype(dict.fromkeys(floats, "float64"))

    @property
    def outputs(self) -> pd.DataFrame | None:
        """Return what the versions answered to the same inputs, in runs of one model and one setting over one dataset.

        Returns:
            example_id, input, and one column a version, missing where it gave no answer; None when no runs of all of
            them can be compared.
        """
        return None if self.answers is None else self.answers.outputs.copy()

    def __repr__(self) -> str:
        counts = ", ".join(f"{ref} {n:,} traces" for ref, n in zip(self.refs, self.traces, strict=True))
        return f"<PromptComparison {counts}>"


def compare(
    store: Store,
    name: str,
    versions: Sequence[int],
    *,
    last: str | None = None,
    since: str | datetime | None = None,
    until: str | datetime | None = None,
    environment: str | None = None,
    evaluations: bool = False,
) -> PromptComparison:
    """Return how versions of one prompt behaved in the traces of a time range; the arguments are those of Prompts."""
    from lmops.traces import range_sql, time_range

    refs = tuple(f"{name}@{version}" for version in versions)
    bounds = time_range(store, last=last, since=since, until=until)
    frame, mixed = _traces(store, refs, range_sql(bounds), environment, evaluations=evaluations)
    parts = [frame[frame["ref"] == ref] for ref in refs]
    votes = _votes(store, name, versions, range_sql(bounds))
    times = [(part["start_at"].min(), part["start_at"].max()) if len(part) else (None, None) for part in parts]
    words = [f"last {last}" if last else "", f"since {since}" if since else "", f"until {until}" if until else ""]
    answers, why_none = _aligned(store, refs)
    scope = ", ".join(word for word in (*words, environment or "") if word) or "all traces"
    return PromptComparison(
        name=name,
        refs=refs,
        scope=scope,
        traces=tuple(len(part) for part in parts),
        sessions=tuple(int(part["session_id"].nunique()) for part in parts),
        first_at=tuple(time[0] for time in times),
        last_at=tuple(time[1] for time in times),
        measures=tuple(_measures(parts, votes)),
        caveats=(*_caveats(store, parts, refs, times, mixed, range_sql(bounds)), *filter(None, (why_none,))),
        answers=answers,
    )


def _traces(
    store: Store, refs: Sequence[str], where: str, environment: str | None, *, evaluations: bool
) -> tuple[pd.DataFrame, int]:
    """Return one row a trace that used exactly one of the versions, and how many used more than one."""
    from lmops.traces import NO_EVALUATION

    kept = "true" if evaluations or environment is not None else NO_EVALUATION
    query = (
        "select trace_id, start_at, coalesce(session_id, trace_id) as session_id, latency_ms, status, input_tokens, "
        "output_tokens, case when unpriced_calls = 0 then cost_usd end as cost_usd, models, "
        "list_filter(prompt_refs, lambda ref: list_contains($refs, ref)) as refs from traces "
        f"where list_has_any(prompt_refs, $refs) and {where} and "
        f"($environment is null or environment = $environment) and {kept}"
    )
    frame: pd.DataFrame = store.sql(query, {"refs": list(refs), "environment": environment}).df()
    counts = frame["refs"].map(len)
    mixed = int((counts > 1).sum())
    frame = frame[counts == 1].copy()
    frame["ref"] = frame["refs"].map(lambda found: found[0])
    return frame, mixed


# -- numbers -----------------------------------------------------------------------------------------------------------


def _measures(parts: Sequence[pd.DataFrame], votes: dict[str, bool]) -> Iterable[Measure]:
    """Return every measure; traces of one session are alike, so intervals are over sessions."""
    for name, label, q in (("latency_p50_ms", "latency p50", 0.5), ("latency_p95_ms", "latency p95", 0.95)):
        yield _measure(name, label, "ms", [_quantile(part["latency_ms"], part["session_id"], q) for part in parts])
    columns = (
        ("input_tokens", "input tokens", "tokens"),
        ("output_tokens", "output tokens", "tokens"),
        ("cost_usd", "cost per query", "usd"),
    )
    for name, label, unit in columns:
        yield _measure(name, label, unit, [_mean(part[name], part["session_id"]) for part in parts])
    yield _measure(
        "error_rate", "error rate", "rate", [_rate(part["status"] == "error", part["session_id"]) for part in parts]
    )
    voted = [part[part["trace_id"].isin(list(votes))] for part in parts]
    downs = [~part["trace_id"].map(votes).astype(bool) for part in voted]
    rates = [_rate(down, part["session_id"]) for down, part in zip(downs, voted, strict=True)]
    yield _measure(
        "thumbs_down_rate",
        "thumbs down",
        "rate",
        [rate._replace(missing=len(part) - rate.n) for rate, part in zip(rates, parts, strict=True)],
    )


def _measure(name: str, label: str, unit: str, values: list[Value]) -> Measure:
    first, *others = values
    return Measure(name, label, unit, tuple(values), (None, *(difference(one, first) for one in others)))


def _mean(column: pd.Series[float], sessions: pd.Series[str]) -> Value:
    from lmops.calc.intervals import score_interval

    data = column.astype("float64").to_numpy()
    found = score_interval(data, clusters=sessions.to_numpy(), level=_LEVEL, has_ends=False)
    return _value(found.estimate, found.low, found.high, found.n, found.n_missing)


def _rate(outcomes: pd.Series[bool], sessions: pd.Series[str]) -> Value:
    from lmops.calc.intervals import proportion_interval

    found = proportion_interval(outcomes.astype("float64").to_numpy(), clusters=sessions.to_numpy(), level=_LEVEL)
    return _value(found.estimate, found.low, found.high, found.n, found.n_missing)


def _quantile(column: pd.Series[float], sessions: pd.Series[str], q: float) -> Value:
    from lmops.calc.intervals import quantile_interval

    known = column.dropna()
    low, high = quantile_interval(column.to_numpy(dtype="float64"), q, _LEVEL, clusters=sessions.to_numpy())
    estimate = float(known.quantile(q)) if len(known) else math.nan
    return _value(estimate, low, high, len(known), len(column) - len(known))


def _value(estimate: float, low: float, high: float, n: int, missing: int) -> Value:
    at, bottom, top = (None if math.isnan(number) else float(number) for number in (estimate, low, high))
    return Value(at, bottom, top, n, missing)


def difference(one: Value, other: Value) -> Value:
    """Return one - other with an interval from the intervals of both ("square and add").

    With estimates a, b and limits (l, u): ``d - sqrt((a-la)^2 + (ub-b)^2)`` to ``d + sqrt((ua-a)^2 + (b-lb)^2)``, for
    independent groups. Source: R. G. Newcombe, Statistics in Medicine 17 (1998) 873-890, method 10; G. Y. Zou,
    A. Donner, Statistics in Medicine 27 (2008) 1693-1702 for any pair of intervals. ``n`` is the smaller one. A
    limit is None when one that it needs is.

    >>> found = difference(Value(0.2, 0.1, 0.4, 50), Value(0.1, 0.05, 0.2, 60))
    >>> f"{found.estimate:.2f} [{found.low:.4f}, {found.high:.4f}] n={found.n}"
    '0.10 [-0.0414, 0.3062] n=50'
    """
    n, missing = min(one.n, other.n), max(one.missing, other.missing)
    if one.estimate is None or other.estimate is None:
        return Value(None, None, None, 0, missing)
    gap = one.estimate - other.estimate
    low = high = None
    if one.low is not None and other.high is not None:
        low = gap - math.hypot(one.estimate - one.low, other.high - other.estimate)
    if one.high is not None and other.low is not None:
        high = gap + math.hypot(one.high - one.estimate, other.estimate - other.low)
    return Value(gap, low, high, n, missing)


# -- votes -------------------------------------------------------------------------------------------------------------


def _votes(store: Store, name: str, versions: Sequence[int], where: str) -> dict[str, bool]:
    """Return the votes of users by trace (True: up), from evaluation events of spans and from recorded feedback.

    What is recorded counts before an event, and is down where anybody's is, as everywhere.
    """
    asked = {"name": name, "versions": [str(version) for version in versions]}
    of_these = (
        "trace_id in (select trace_id from spans where prompt_name = $name and "
        f"list_contains($versions, prompt_version) and {where})"
    )
    query = (
        f"select trace_id, events from spans where events like '%gen_ai.evaluation.result%' and {of_these} and {where}"
    )
    found: dict[str, bool] = {}
    for trace_id, events in store.sql(query, asked).fetchall():
        for event in json.loads(events):
            vote = vote_of(event)
            if vote is not None:
                found[trace_id] = vote
    query = (
        f"select trace_id, bool_and(value = 'up') from feedback where kind = 'thumb' and {of_these} group by trace_id"
    )
    return found | dict(store.sql(query, asked).fetchall())


def vote_of(event: Any) -> bool | None:
    """Return whether an event is a vote of a user, up (True) or down (False); None when it is none."""
    attributes = event.get("attributes") if isinstance(event, dict) else None
    if not isinstance(attributes, dict) or event.get("name") != "gen_ai.evaluation.result":
        return None
    if str(attributes.get("gen_ai.evaluation.name", "")).lower() not in _VOTE_NAMES:
        return None
    label = str(attributes.get("gen_ai.evaluation.score.label", "")).strip().lower()
    if label in _UP or label in _DOWN:
        return label in _UP
    value = attributes.get("gen_ai.evaluation.score.value")
    return value > 0 if isinstance(value, int | float) else None


# -- what else differs -------------------------------------------------------------------------------------------------


def _caveats(
    store: Store,
    parts: Sequence[pd.DataFrame],
    refs: Sequence[str],
    times: Sequence[tuple[Any, Any]],
    mixed: int,
    where: str,
) -> Iterable[str]:
    for ref, part in zip(refs, parts, strict=True):
        if part.empty:
            yield f"no trace used {ref}"
    known = [time for time in times if time[0] is not None]
    if len(known) > 1 and max(time[0] for time in known) > min(time[1] for time in known):
        yield "the versions ran at different times: a difference may come from whatever else changed meanwhile"
    if mixed:
        yield f"{mixed:,} traces used more than one of the versions and are left out"
    yield from _differs(
        "models",
        {
            ref: {model for models in part["models"] for model in models}
            for ref, part in zip(refs, parts, strict=True)
            if len(part)
        },
    )
    query = (
        "select distinct trace_id, index_fingerprint from spans where index_fingerprint is not null and "
        f"list_contains($ids, trace_id) and {where}"
    )
    ids = [trace_id for part in parts for trace_id in part["trace_id"]]
    indexes = store.sql(query, {"ids": ids}).df() if ids else None
    if indexes is not None and len(indexes):
        yield from _differs(
            "search indexes",
            {
                ref: set(indexes[indexes["trace_id"].isin(part["trace_id"])]["index_fingerprint"])
                for ref, part in zip(refs, parts, strict=True)
                if len(part)
            },
        )


def _differs(what: str, used: dict[str, set[str]]) -> Iterable[str]:
    if len({frozenset(names) for names in used.values()}) > 1:
        listed = "; ".join(f"{ref}: {', '.join(sorted(names)) or 'none'}" for ref, names in used.items())
        yield f"they did not use the same {what} ({listed})"


# -- the same inputs ---------------------------------------------------------------------------------------------------


def _aligned(store: Store, refs: Sequence[str]) -> tuple[Answers | None, str]:
    """Return what the versions answered to the same inputs, like with like; or None, and why there is nothing.

    Taken are the newest finished runs over one dataset, of one model and one setting. Where the versions themselves set
    other parameters, those are a part of what is compared: then the runs have to ask them alike.
    """
    runs = store.sql(
        "select prompt_ref, dataset, model, params, settings, run_id, started_at from runs "
        "where list_contains($refs, prompt_ref) and status = 'finished' order by started_at",
        {"refs": list(refs)},
    ).to_arrow_table()
    groups: dict[tuple[bool, Any], dict[str, dict[str, Any]]] = {}
    for run in runs.to_pylist():
        given = json.loads(run["settings"] or "{}").get("given_params") or {}
        for is_one_setting, asked in ((True, _canonical(run["params"])), (False, json.dumps(given, sort_keys=True))):
            found = groups.setdefault((is_one_setting, (run["dataset"], run["model"], asked)), {})
            found[run["prompt_ref"]] = run  # the newest one is last
    whole = [
        (is_one_setting, max(run["started_at"] for run in found.values()), [found[ref] for ref in refs])
        for (is_one_setting, _), found in groups.items()
        if len(found) == len(refs)
    ]
    if not whole:
        return None, _nothing_alike(runs.to_pylist(), refs)
    _, _, chosen = max(whole, key=lambda found: found[:2])
    return _answers(store, refs, chosen), ""


def _canonical(params: str | None) -> str:
    return json.dumps(json.loads(params or "{}") or {}, sort_keys=True)


def _nothing_alike(runs: Sequence[dict[str, Any]], refs: Sequence[str]) -> str:
    """Return why no answers can be compared, where every version was evaluated; empty where one was not."""
    if {run["prompt_ref"] for run in runs} != set(refs):
        return ""
    newest = {run["prompt_ref"]: run for run in runs}
    said = "; ".join(f"{ref}: {run_words(newest[ref])} over {newest[ref]['dataset']}" for ref in refs)
    return (
        f"their answers cannot be compared: no runs of all are of one model and one setting over one dataset ({said})"
    )


def run_words(run: dict[str, Any]) -> str:
    """Return on which model and with which parameters a run asked."""
    params = json.loads(run["params"] or "{}") or {}
    return ", ".join([str(run["model"] or "no model"), *(f"{name} {value}" for name, value in sorted(params.items()))])


def _answers(store: Store, refs: Sequence[str], runs: Sequence[dict[str, Any]]) -> Answers:
    """Return the first answers of runs to the inputs that all of them asked; one that failed gave none."""
    import pandas as pd

    frames = [
        store.sql(
            "select example_id, case when status = 'ok' then output end as output from results "
            "where run_id = $run_id and repeat = 0 and status <> 'not_run'",
            {"run_id": run["run_id"]},
        )
        .df()
        .set_index("example_id")["output"]
        .rename(ref)
        for ref, run in zip(refs, runs, strict=True)
    ]
    found = pd.concat(frames, axis=1, join="inner").sort_index().rename_axis("example_id").reset_index()
    name, _, version = str(runs[0]["dataset"]).partition("@")
    inputs = store.sql(
        "select example_id, input from examples where dataset = $name and version = try_cast($version as bigint)",
        {"name": name, "version": version},
    ).df()
    found.insert(1, "input", found["example_id"].map(dict(zip(inputs["example_id"], inputs["input"], strict=True))))
    return Answers(
        outputs=found,
        runs=tuple(str(run["run_id"]) for run in runs),
        asked=tuple(run_words(run) for run in runs),
        dataset=str(runs[0]["dataset"]),
    )
