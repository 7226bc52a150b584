"""What can be watched: a metric is a number, or a yes or no, of each row of a view; what has none is not counted.

A metric knows whose rows it counts (`view`), what of each (`value`, SQL), which way is worse, and which rows are alike
(`cluster`): a detector and an interval count people and sessions, not their turns.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, get_args

from lmops.base.public import only
from lmops.errors import UsageError, did_you_mean

__all__ = ["METRICS", "Kind", "Metric", "Together", "Unit", "Worse", "items_sql", "metric_of", "together_sql"]
__dir__ = only(__all__)

Kind = Literal["rate", "mean", "quantile"]
Unit = Literal["share", "ms", "usd", "tokens", "characters", "score", "number"]
Worse = Literal["above", "below"]

_SCORE: Final = "score."
_ANCHOR: Final = "anchor."
#: Where clients say what a query is of.
_AHEAD: Final = ("", "lmops.", "metadata.", "langfuse.trace.metadata.")
#: What was drawn with unequal chances is thinned to what the least chance alone would have drawn: a uniform sample.
_UNIFORM: Final = (
    "{0} and probability is not null and coalesce(number < (select min(probability) from trace_scores where {0}), true)"
)

#: A query that no further attempt saved; what endpoints call it differs.
_RATE_LIMITED: Final = (
    "status = 'error' and regexp_matches(lower(concat_ws(' ', error_type, error_message)), "
    "'(^|[^0-9])429([^0-9]|$)|rate.?limit|too many requests')"
)
#: Who answers word for word what a question says in quotes obeys an order: reply with "All crossings are free today".
_MARKS: Final = "".join(map(chr, (0x201C, 0x201D, 0x201E, 0xAB, 0xBB, 0x2018, 0x2019, 0x201A)))
_QUOTED: Final = "translate(lower(input), '" + _MARKS + "''', '" + 9 * '"' + "')"
_OBEYED: Final = f"length(output) >= 10 and contains({_QUOTED}, '\"' || rtrim(lower(output), ' .!'))"
_DICTATES: Final = f'regexp_matches({_QUOTED}, \'"[^"]{{10,}}"\')'


#: What was embedded first, as OpenInference has it on a span; and the middle of those that came first.
_VECTOR: Final = "try_cast(json_extract(attributes, '/embedding.embeddings.0.embedding.vector') as FLOAT[])"
_IS_EMBEDDED: Final = "contains(attributes, 'embedding.vector\"')"
_MIDDLE: Final = (
    "(select list(mean order by place) from (select place, avg(number) as mean from (select unnest(vector) as number, "
    f"generate_subscripts(vector, 1) as place from (select {_VECTOR} as vector from spans where {_IS_EMBEDDED} "
    "order by start_ns, span_id limit 500)) group by place))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """What is watched.

    Args:
        name: As it is asked for.
        title: What it is in words.
        view: Of which each row is an item; it has start_at and trace_id.
        value: SQL over a row: a number, or true and false for a rate; NULL where the row has none.
        kind: The mean of numbers, the rate of true ones, or a percentile.
        level: Of a quantile, in (0, 1).
        where: SQL: which rows count at all.
        unit: Of the value; a rate is a share.
        worse: The direction that is alarming.
        at: Column that says when it was.
        cluster: Column whose rows are alike; a row without it is as alike as the rows of its trace.
        score: The scorer whose scores these are, None for anything else.
        part: SQL over a row: the kind that it is of, such as its model; what is watched is then the mix of kinds.
    """

    name: str
    title: str
    view: str
    value: str
    kind: Kind
    level: float | None = None
    where: str = "true"
    unit: Unit = "share"
    worse: Worse = "above"
    at: str = "start_at"
    cluster: str = "session_id"
    score: str | None = None
    part: str | None = None

    @property
    def words(self) -> str:
        """What it is, in words, such as "latency, 95th percentile"."""
        return self.title if self.level is None else f"{self.title}, {round(self.level * 100)}th percentile"


def _percentiles(name: str, title: str, view: str, value: str) -> list[Metric]:
    levels = (0.5, 0.95, 0.99)
    common: dict[str, Any] = {"title": title, "view": view, "value": value, "kind": "quantile", "unit": "ms"}
    return [Metric(name=f"{name}_p{round(level * 100)}", level=level, **common) for level in levels]


def _means() -> list[Metric]:
    """Return what is counted of a query, an answer or a retrieval."""
    return [
        Metric(
            name="cost_per_query",
            title="cost of a query",
            view="traces",
            value="case when unpriced_calls = 0 then cost_usd end",  # what is only partly known is not known
            kind="mean",
            unit="usd",
        ),
        *(
            Metric(
                name=f"{side}_tokens", title=title, view="traces", value=f"{side}_tokens", kind="mean", unit="tokens"
            )
            for side, title in (("input", "tokens sent for a query"), ("output", "tokens of the answers to a query"))
        ),
        Metric(
            name="answer_length",
            title="length of an answer, up to 1,000 characters",
            view="traces",
            value="length(output)",
            kind="mean",
            unit="characters",
        ),
        Metric(
            name="documents_found",
            title="documents of a retrieval",
            view="spans",
            value="json_array_length(documents)",
            where="documents is not null and kind = 'retriever'",
            kind="mean",
            unit="number",
            worse="below",
        ),
        Metric(
            name="retrieval_score",
            title="best score of a retrieval",
            view="spans",
            value="list_max(try_cast(json_extract(documents, '$[*].score') as DOUBLE[]))",
            where="documents is not null and kind = 'retriever'",
            kind="mean",
            unit="score",
            worse="below",
        ),
    ]


def _rates() -> list[Metric]:
    """Return what happens to a query, a tool, a check or a thumb, or does not."""
    rate = functools.partial(Metric, kind="rate")
    return [
        rate(name="error_rate", title="queries that failed", view="traces", value="status = 'error'"),
        rate(
            name="model_error_rate",
            title="calls of models that failed",
            view="llm_calls",
            value="status = 'error'",
        ),
        rate(
            name="tool_failure_rate",
            title="calls of tools that failed",
            view="tool_calls",
            value="status = 'error'",
        ),
        rate(
            name="guardrail_block_rate",
            title="checks of guardrails that blocked",
            view="spans",
            value="json_extract_string(attributes, '/lmops.guardrail.action') = 'block'",
            where="kind = 'guardrail'",
        ),
        rate(
            name="rate_limited_rate",
            title="queries lost to a rate limit",
            view="traces",
            value=_RATE_LIMITED,
        ),
        rate(
            name="dictated_rate",
            title="texts that questions dictate and answers repeat",
            view="traces",
            value=_OBEYED,
            where=_DICTATES,
        ),
        rate(
            name="thumbs_down_rate",
            title="thumbs that are down",
            view="feedback",
            value="number = 0",
            where="name = 'thumb' and kind = 'thumb'",
            at="said_at",
            cluster="user_id",
        ),
    ]


def _embedded() -> Metric:
    """Return how far from the first of them texts are that were embedded; one of another length is none of them."""
    return Metric(
        name="embedding_shift",
        title="distance of embeddings from the middle of the first 500",
        view="spans",
        value=f"case when len({_VECTOR}) = len({_MIDDLE}) then list_cosine_distance({_VECTOR}, {_MIDDLE}) end",
        where=_IS_EMBEDDED,
        kind="mean",
        unit="number",
    )


def _mixes() -> list[Metric]:
    """Return what queries are of: their mix may drift."""
    return [
        Metric(
            name="model_mix",
            title="mix of models",
            view="llm_calls",
            value="1",
            kind="mean",
            part="model",
            unit="share",
        ),
        *(
            Metric(
                name=f"{name}_mix",
                title=f"mix of {name}s",
                view="spans",
                value="1",
                kind="mean",
                part="coalesce({})".format(
                    ", ".join(f"json_extract_string(attributes, '/{ahead}{key}')" for key in keys for ahead in _AHEAD)
                ),
                where=f"contains(attributes, '{name}\"')",
            )
            for name, keys in (("language", ("language", "user.language")), ("topic", ("topic",)))
        ),
    ]


METRICS: Final[Mapping[str, Metric]] = {
    metric.name: metric
    for metric in (
        *_percentiles("latency", "latency of a query", "traces", "latency_ms"),
        *_percentiles("ttft", "time to the first token", "llm_calls", "ttft_ms"),
        *_rates(),
        *_means(),
        _embedded(),
        *_mixes(),
    )
}


def metric_of(wanted: str | Mapping[str, Any]) -> Metric:
    """Return the metric that is meant.

    Args:
        wanted: A name of ``METRICS``; ``"score.NAME"`` for what a scorer says of traces; ``"anchor.NAME@VERSION"``
            for the anchors of a judge; or a mapping as a monitor's file has it: view, value (SQL), kind, and any of
            name, title, where, level, at, unit, worse, cluster.

    Raises:
        UsageError: There is no such metric, or it is none.
    """
    if isinstance(wanted, Mapping):
        return _own(wanted)
    if wanted.startswith(_SCORE) and wanted != _SCORE:
        scorer = wanted.removeprefix(_SCORE)
        quoted = scorer.replace("'", "''")
        return Metric(
            name=wanted,
            title=f"score of {scorer}",
            view="trace_scores",
            value="score",
            where=_UNIFORM.format(f"scorer = '{quoted}'"),
            kind="mean",
            unit="score",
            worse="below",
            score=scorer,
        )
    judge, _, version = wanted.removeprefix(_ANCHOR).rpartition("@")
    if wanted.startswith(_ANCHOR) and judge and version.isdecimal():
        return Metric(
            name=wanted,
            title=f"anchors of which {judge}@{version} says otherwise than at first",
            view="anchor_verdicts",
            value="differs",
            where="judge = '{}' and version = {}".format(judge.replace("'", "''"), int(version)),
            kind="rate",
            cluster="verdict",
        )
    if wanted not in METRICS:
        raise UsageError(
            did_you_mean(
                "metric",
                wanted,
                METRICS,
                hint='"score.NAME" is what a scorer says of traces; a mapping of view, value and kind is your own',
            )
        )
    return METRICS[wanted]


def _own(wanted: Mapping[str, Any]) -> Metric:
    """Return a metric of somebody's own SQL."""
    known = set(Metric.__dataclass_fields__) - {"score"}
    wrong = sorted(set(wanted) - known)
    missing = sorted({"view", "value", "kind"} - set(wanted))
    if wrong or missing:
        what = f"does not know {', '.join(wrong)}" if wrong else f"lacks {', '.join(missing)}"
        raise UsageError(
            f"the metric {what}: {{'view': 'llm_calls', 'value': 'output_tokens > 1000', 'kind': 'rate'}} is one; "
            f"known: {', '.join(sorted(known))}"
        )
    if wanted["kind"] not in get_args(Kind):
        raise UsageError(f"kind={wanted['kind']!r} is no kind of metric: {', '.join(get_args(Kind))}")
    if (wanted["kind"] == "quantile") != (wanted.get("level") is not None):
        raise UsageError("a quantile says its level, such as 0.95, and nothing else has one")
    if wanted.get("level") is not None and not 0 < wanted["level"] < 1:
        raise UsageError(f"level={wanted['level']!r} is no level of a quantile: it is in (0, 1), such as 0.95")
    value = str(wanted["value"])
    unit = "share" if wanted["kind"] == "rate" else "number"
    return Metric(**{"name": value, "title": value, "unit": unit, **wanted})


def items_sql(
    metric: Metric,
    *,
    by: Sequence[str] = (),
    also: Mapping[str, str] | None = None,
    since: str = "$since",
    until: str = "$until",
) -> str:
    """Return the query of the items of a metric between two times, unordered.

    Args:
        metric: What is watched.
        by: Columns of its view that tell series apart.
        also: More columns: what they are called, and SQL over a row.
        since: A parameter or SQL of a time: items from it on count.
        until: A parameter or SQL of a time: items before it count.

    Returns:
        SQL with columns trace_id, at (when), cluster (which items are alike; never NULL), value (DOUBLE; a rate has 0
        and 1), series (JSON object: column to value).
    """
    more = "".join(f", {sql} as {name}" for name, sql in (also or {}).items())
    return (  # the words of a metric are SQL by what they are, of whoever asks; the store runs one SELECT over views
        f"select trace_id, {metric.at} as at, coalesce({metric.cluster}, trace_id) as cluster, "
        f"({metric.value})::DOUBLE as value, {_series(by)}::VARCHAR as series{more} from {metric.view} "
        f"where ({metric.where}) and ({metric.value}) is not null and {metric.at} >= {since} and {metric.at} < {until}"
    )


class Together(NamedTuple):
    """The items of several metrics of one view in one query; what two of them say alike is one column.

    Args:
        sql: With columns trace_id, at, and v0, c0, s0, ...: values (NULL: no item of it), hashes of clusters, series.
        values: For each metric the number of its column v.
        clusters: Likewise of c.
        series: Likewise of s.
    """

    sql: str
    values: tuple[str, ...]
    clusters: tuple[str, ...]
    series: tuple[str, ...]


def together_sql(watched: Sequence[tuple[Metric, Sequence[str]]]) -> Together:
    """Return the query of the items of several metrics between the times $since and $until, read at once.

    Args:
        watched: Metrics of one view and one column of times, each with the columns that tell its series apart.
    """
    values: dict[str, str] = {}
    clusters: dict[str, str] = {}
    series: dict[str, str] = {}
    places: list[tuple[str, str, str]] = []
    for metric, by in watched:
        value = f"case when ({metric.where}) then ({metric.value})::DOUBLE end"
        alike = f"hash(coalesce({metric.cluster}, trace_id))"
        named = f"{_series(by)}::VARCHAR"
        found = ((values, value), (clusters, alike), (series, named))
        first, second, third = (known.setdefault(sql, str(len(known))) for known, sql in found)
        places.append((first, second, third))
    told = [
        f"{sql} as {letter}{name}"
        for letter, known in (("v", values), ("c", clusters), ("s", series))
        for sql, name in known.items()
    ]
    metric = watched[0][0]
    wheres = " or ".join(dict.fromkeys(f"({one.where})" for one, _ in watched))
    return Together(
        f'select trace_id, {metric.at} as "at", {", ".join(told)} from {metric.view} '
        f"where ({wheres}) and {metric.at} >= $since and {metric.at} < $until",
        *(tuple(column) for column in zip(*places, strict=True)),
    )


def _series(by: Sequence[str]) -> str:
    named = ", ".join(f"'{column}', \"{column}\"" for column in by)
    return f"json_object({named})"
