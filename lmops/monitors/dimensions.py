"""By what a change can be told apart: the dimensions of an item, as SQL over the views."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

_NAME: Final = re.compile("[a-z_]+")
#: What somebody released or changed; what the traffic is; how something shows; when it was.
Group = Literal["version", "traffic", "outcome", "time"]

#: Where clients put what they say of a trace in words of their own.
_PLACES: Final = ("{}", "lmops.{}", "metadata.{}", "langfuse.trace.metadata.{}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """A question with one answer for each item: which prompt, which model, which tool.

    Args:
        name: One word.
        title: What it is in words.
        group: What kind of thing it is.
        own: The column of an item's own row that says it best, where the row has one.
        is_own: What the own row does not say is not asked of its trace.
        trace: SQL over a trace ``t``.
        spans: SQL of an aggregate over the spans ``s`` of a trace.
        keys: Attributes of spans of which one says it; the first that is there counts.
    """

    name: str
    title: str
    group: Group
    own: str = ""
    is_own: bool = False
    trace: str = ""
    spans: str = ""
    keys: tuple[str, ...] = ()


def _several(column: str) -> str:
    return f"array_to_string(list_sort(list_distinct(list({column}) filter ({column} is not null))), ' + ')"


def _ends(value: str) -> str:
    """Return the one value that spans of a trace have, the first and the last of several."""
    return f"case when min({value}) = max({value}) then min({value}) else min({value}) || ' + ' || max({value}) end"


def _keys(*names: str) -> tuple[str, ...]:
    return tuple(place.format(name) for name in names for place in _PLACES)


_FINGERPRINTS: Final = ("openai.response.system_fingerprint", "gen_ai.openai.response.system_fingerprint")

DIMENSIONS: Final[tuple[Dimension, ...]] = (
    Dimension(
        name="prompt",
        title="prompt version",
        group="version",
        own="prompt_name || '@' || prompt_version",
        trace="nullif(array_to_string(list_sort(t.prompt_refs), ' + '), '')",
    ),
    Dimension(
        name="model",
        title="response model",
        group="version",
        own="model",
        trace="nullif(array_to_string(list_sort(t.models), ' + '), '')",
    ),
    Dimension(
        name="requested_model",
        title="requested model",
        group="version",
        own="requested_model",
        spans=_several("s.requested_model"),
    ),
    Dimension(name="fingerprint", title="system fingerprint", group="version", keys=_FINGERPRINTS),
    Dimension(
        name="index",
        title="index fingerprint",
        group="version",
        own="index_fingerprint",
        spans=_ends("s.index_fingerprint"),
    ),
    Dimension(
        name="chunking",
        title="chunking",
        group="version",
        keys=_keys("chunking", "index.chunking", "chunk_size", "index.chunk_size", "index.chunk_words"),
    ),
    Dimension(name="top_k", title="documents asked for", group="version", keys=("gen_ai.retrieval.top_k",)),
    Dimension(name="temperature", title="temperature", group="version", keys=("gen_ai.request.temperature",)),
    Dimension(
        name="version",
        title="application version",
        group="version",
        spans="max(case when s.parent_span_id is null then json_extract_string(s.resource, '/service.version') end)",
    ),
    Dimension(name="provider", title="provider", group="version", own="provider", spans=_ends("s.provider")),
    Dimension(name="tool", title="tool", group="traffic", own="tool_name", spans=_several("s.tool_name")),
    Dimension(name="route", title="route", group="traffic", keys=("lmops.route.name", "http.route", *_keys("route"))),
    Dimension(name="arm", title="arm of the route", group="version", keys=("lmops.route.arm",)),
    Dimension(name="environment", title="environment", group="traffic", trace="t.environment"),
    Dimension(name="service", title="service", group="traffic", trace="t.service"),
    Dimension(name="operation", title="operation", group="traffic", trace="t.name"),
    Dimension(
        name="segment", title="user segment", group="traffic", keys=_keys("segment", "user.segment", "user_segment")
    ),
    Dimension(name="topic", title="topic", group="traffic", keys=_keys("topic")),
    Dimension(name="language", title="language", group="traffic", keys=_keys("language", "user.language")),
    Dimension(
        name="error_type", title="type of error", group="outcome", own="error_type", is_own=True, trace="t.error_type"
    ),
    Dimension(
        name="finish_reason",
        title="end of the answer",
        group="outcome",
        own="finish_reason",
        spans="arg_max(s.finish_reason, s.start_ns)",
    ),
)
#: What the time of an item says of it.
HOUR: Final = Dimension(name="hour", title="hour of the day (UTC)", group="time")
WEEKDAY: Final = Dimension(name="weekday", title="weekday", group="time")


def attribute_of(name: str) -> Dimension:
    """Return the dimension of an attribute that somebody's own spans carry."""
    return Dimension(name=name, title=name, group="traffic", keys=_keys(name))


class Asked(NamedTuple):
    """A query with its parameters."""

    sql: str
    params: dict[str, object]


def own_of(dimensions: Sequence[Dimension], columns: Collection[str]) -> dict[int, str]:
    """Return what the own row of an item says by dimension, as SQL, by the places of the dimensions.

    Args:
        dimensions: What is asked.
        columns: Of the row.
    """
    return {
        place: one.own for place, one in enumerate(dimensions) if one.own and set(_NAME.findall(one.own)) <= {*columns}
    }


def items_by_dimension(
    items: str, found: str, dimensions: Sequence[Dimension], own: Mapping[int, str], *, near: str
) -> Asked:
    """Return the query of items with what each says by dimension.

    Args:
        items: The query of the items, with trace_id, at, cluster, value, and o0, o3, ... for what own rows say.
        found: The query of the ids of the traces that count.
        dimensions: What is asked.
        own: What own rows say, by the places of the dimensions.
        near: The condition that a trace or a span can belong to an item at all.

    Returns:
        SQL with columns at_us (microseconds), cluster, value, and d0, d1, ... (text), and its parameters.
    """
    of_items = f"trace_id in (select trace_id from items) and {near}"
    worded = _worded(dimensions, of_items)
    told, shown = ["s.trace_id"], []
    for place, one in enumerate(dimensions):
        said = [f"i.o{place}"] if place in own else []
        if one.spans:
            told.append(f"{one.spans} as s{place}")
        if not (said and one.is_own):
            said += [f"told.s{place}"] * bool(one.spans) + [f"worded.s{place}"] * bool(one.keys)
            said += [one.trace] * bool(one.trace)
        shown.append(f"coalesce({', '.join(said)}, NULL)::VARCHAR as d{place}")
    sql = (
        f"with items as materialized ({items}), around as (select * from traces where {of_items}), "
        f"told as (select {', '.join(told)} from spans as s where {of_items} group by s.trace_id), "
        f"worded as ({worded.sql}) "
        f"select epoch_us(i.at) as at_us, i.cluster, i.value, {', '.join(shown)} from items as i "
        "left join around as t on t.trace_id = i.trace_id left join told on told.trace_id = i.trace_id "
        f"left join worded on worded.trace_id = i.trace_id where i.trace_id in ({found})"
    )
    return Asked(sql, worded.params)


def _worded(dimensions: Sequence[Dimension], of_items: str) -> Asked:
    """Return the query of what attributes of spans say of each trace; a span is parsed only where it names one."""
    keys = [(place, key) for place, one in enumerate(dimensions) for key in one.keys]
    names = list(dict.fromkeys(key.rpartition(".")[2] for _, key in keys))
    params: dict[str, object] = {f"key_{number}": _pointer(key) for number, (_, key) in enumerate(keys)}
    params |= {f"name_{number}": f'{name}"' for number, name in enumerate(names)}
    is_named = " or ".join(f"contains(attributes, $name_{number})" for number in range(len(names)))
    pointers = ", ".join(f"$key_{number}" for number in range(len(keys)))
    values, ends = [], []
    for place in sorted({place for place, _ in keys}):
        first = ", ".join(f"said[{number}]" for number, (at, _) in enumerate(keys, start=1) if at == place)
        values.append(f"coalesce({first}, NULL) as a{place}")
        ends.append(f"{_ends(f'a{place}')} as s{place}")
    said = f"select trace_id, json_extract_string(attributes, [{pointers}]) as said from spans where ({is_named})"
    return Asked(
        f"select trace_id, {', '.join(ends)} from (select trace_id, {', '.join(values)} from "
        f"({said} and {of_items})) group by trace_id",
        params,
    )


def _pointer(key: str) -> str:
    return "/" + key.replace("~", "~0").replace("/", "~1")
