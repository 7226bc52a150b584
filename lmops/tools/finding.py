"""What is wrong with calls of tools in production: outages, arguments that nobody said, runs that go in circles."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.base.shown import Shown
from lmops.calc.trajectories import Called, canonical, loops
from lmops.times import from_ns
from lmops.tools.doubts import Doubt, doubts, read_arguments
from lmops.traces import found_sql, time_range

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    import pandas as pd

    from lmops.store import Store

    #: What of a tool's arguments does not fit its registered version; None: no version is registered.
    Checked = Callable[[str, "str | Mapping[str, Any]"], "Sequence[str] | None"]

#: With every call what was said before it: the model call that asked for it has the whole conversation.
_CALLS: Final = """
select c.trace_id, c.span_id, c.tool_name, c.arguments, c.result, c.status, c.error_type, s.start_ns, s.end_ns,
  arg_max(m.input, m.start_ns) as asked, any_value(t.input) as question
from tool_calls c join spans s on s.trace_id = c.trace_id and s.span_id = c.span_id
  left join ({asked}) t on t.trace_id = c.trace_id
  left join (select trace_id, start_ns, input from llm_calls where input is not null) m
    on m.trace_id = c.trace_id and m.start_ns <= s.start_ns
where {range} and c.trace_id in ({traces})
group by all order by s.start_ns, c.span_id
"""
#: Of a trace whose first span is a tool, or did not arrive, nobody knows what was asked.
_ASKED: Final = (
    "select t.trace_id, t.input from traces t join spans r on r.trace_id = t.trace_id and r.span_id = t.root_span_id "
    "where not t.is_orphan and r.kind <> 'tool'"
)
_APART_NS: Final = 3_600_000_000_000
_SHOWN: Final = 10


class Outage(NamedTuple):
    """A stretch of time in which calls of tools failed more than chance accounts for.

    ``tools`` failed together; the first and the last failure, calls and failures between them, the most frequent
    ``error_type``; ``trace_ids`` are those whose calls failed.
    """

    tools: tuple[str, ...]
    first_at: datetime
    last_at: datetime
    calls: int
    failed: int
    error_type: str | None
    trace_ids: tuple[str, ...]


class WrongCall(NamedTuple):
    """A call with an argument that the conversation, or the tool's own schema, does not bear out."""

    trace_id: str
    span_id: str
    tool: str
    at: datetime
    doubt: Doubt


class Circle(NamedTuple):
    """A run that did not get on: what it repeated."""

    trace_id: str
    tools: tuple[str, ...]
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFindings(Shown):
    """What is wrong with calls of tools in a range of time.

    Args:
        calls: Calls that were looked at.
        unchecked: Those before which nothing was said that a trace holds: nothing can be held against them.
        outages: Stretches in which tools failed, in the order of time.
        wrong: Calls with an argument that is not borne out, in the order of time.
        circles: Traces that repeat themselves.
    """

    calls: int
    unchecked: int
    outages: tuple[Outage, ...] = ()
    wrong: tuple[WrongCall, ...] = ()
    circles: tuple[Circle, ...] = field(default=())

    @property
    def is_clean(self) -> bool:
        """Nothing was found."""
        return not (self.outages or self.wrong or self.circles)

    def frame(self) -> pd.DataFrame:
        """Return a row a finding: finding, tool, first_at, last_at, calls, what, trace_id (the first one)."""
        from lmops.base.frames import Frame

        rows: list[tuple[Any, ...]] = [
            ("outage", ", ".join(one.tools), one.first_at, one.last_at, one.calls, outage_words(one), one.trace_ids[0])
            for one in self.outages
        ]
        rows += [
            (f"wrong argument: {one.doubt.kind}", one.tool, one.at, one.at, 1, wrong_words(one), one.trace_id)
            for one in self.wrong
        ]
        rows += [("loop", ", ".join(one.tools), None, None, None, one.what, one.trace_id) for one in self.circles]
        return Frame(rows, columns=["finding", "tool", "first_at", "last_at", "calls", "what", "trace_id"])


def outage_words(one: Outage) -> str:
    """Return an outage in words."""
    kind = f", most with {one.error_type}" if one.error_type else ""
    return f"{one.failed} of {one.calls} calls failed{kind}"


def wrong_words(one: WrongCall) -> str:
    """Return what is wrong with a call in words."""
    return f"{one.doubt.argument} = {one.doubt.value!r}: {one.doubt.why}"


def findings(
    store: Store,
    *,
    where: str | None,
    last: str | None,
    since: str | datetime | None,
    until: str | datetime | None,
    checked: Checked | None = None,
) -> ToolFindings:
    """Return what is wrong with the calls of a range; see ``Tools.findings``."""
    bounds = time_range(store, last=last, since=since, until=until)
    parts = [f"s.start_ns >= {int(bounds.since_ns)}"] if bounds.since_ns is not None else []
    parts += [f"s.start_ns < {int(bounds.until_ns)}"] if bounds.until_ns is not None else []
    traces = found_sql(where, bounds, evaluations=False)
    query = _CALLS.format(range=" and ".join(parts) or "true", traces=traces, asked=_ASKED)
    relation = store.sql(query)
    names = relation.columns
    rows = [dict(zip(names, row, strict=True)) for row in relation.fetchall()]
    told = [wrong_of(row, checked) for row in rows]
    return ToolFindings(
        calls=len(rows),
        unchecked=sum(not _texts(row) for row in rows),
        outages=tuple(outages_of(rows)),
        wrong=tuple(one for found in told for one in found),
        circles=tuple(circles_of(rows)),
    )


def wrong_of(row: Mapping[str, Any], checked: Checked | None = None) -> list[WrongCall]:
    """Return what of one call is not borne out: by its schema, where there is one, and by what was said."""
    texts = _texts(row)
    question = row["question"] or next((text for role, text in reversed(texts) if role == "user"), None)
    found: list[Doubt] = []
    problems = checked(row["tool_name"], row["arguments"] or "{}") if checked is not None else None
    if problems:
        found.append(Doubt("schema", "$", str(row["arguments"])[:80], None, "; ".join(problems)[:300]))
    elif row["arguments"] and read_arguments(row["arguments"]) is not None:
        found += doubts(row["arguments"], [text for _, text in texts], question)
    at = from_ns(row["start_ns"])
    return [WrongCall(row["trace_id"], row["span_id"], str(row["tool_name"]), at, one) for one in found]


def _texts(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what was said before a call as (role, text), without the calls that the model itself asked for."""
    found: list[tuple[str, str]] = [("user", row["question"])] if row["question"] else []
    asked = row["asked"]
    if not asked:
        return found
    try:
        messages = json.loads(asked)
    except (ValueError, RecursionError):
        return [*found, ("user", asked)]
    for one in messages if isinstance(messages, list) else [messages]:
        if isinstance(one, dict) and isinstance(one.get("content"), str):
            found.append((str(one.get("role")), one["content"]))
        elif isinstance(one, str):
            found.append(("user", one))
    return found


def outages_of(rows: Sequence[Mapping[str, Any]]) -> Iterable[Outage]:
    """Yield the outages of calls in the order of time; tools that failed at the same time are one."""
    from lmops.calc.windows import failing_windows

    by_tool: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        by_tool[str(row["tool_name"])].append(row)
    spells = []
    for tool, calls in by_tool.items():
        failed = [float(row["status"] == "error") for row in calls]
        spells += [(tool, calls[one.first : one.last + 1]) for one in failing_windows(failed)]
    spells.sort(key=lambda spell: spell[1][0]["start_ns"])
    groups: list[list[tuple[str, list[Mapping[str, Any]]]]] = []
    for spell in spells:
        end = max((calls[-1]["start_ns"] for _, calls in groups[-1]), default=0) if groups else 0
        if groups and spell[1][0]["start_ns"] <= end + _APART_NS:
            groups[-1].append(spell)
        else:
            groups.append([spell])
    return [_outage(group) for group in groups]


def _outage(group: Sequence[tuple[str, Sequence[Mapping[str, Any]]]]) -> Outage:
    calls = [row for _, rows in group for row in rows]
    failed = sorted((row for row in calls if row["status"] == "error"), key=lambda row: row["start_ns"])
    kinds = [row["error_type"] for row in failed if row["error_type"]]
    return Outage(
        tools=tuple(sorted({tool for tool, _ in group})),
        first_at=from_ns(failed[0]["start_ns"]),
        last_at=from_ns(failed[-1]["start_ns"]),
        calls=len(calls),
        failed=len(failed),
        error_type=max(set(kinds), key=kinds.count) if kinds else None,
        trace_ids=tuple(dict.fromkeys(row["trace_id"] for row in failed)),
    )


def circles_of(rows: Sequence[Mapping[str, Any]]) -> Iterable[Circle]:
    """Yield the traces whose calls repeat themselves; a call that failed and was tried again says nothing of that."""
    runs: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        if row["status"] != "error":
            runs[row["trace_id"]].append(row)
    for trace_id, calls in runs.items():
        path = [Called(str(row["tool_name"]), canonical(row["arguments"]), row["result"]) for row in calls]
        for loop in loops(path)[:1]:
            yield Circle(
                trace_id, tuple(dict.fromkeys(call.tool for call in path[loop.first : loop.last + 1])), loop.text
            )
