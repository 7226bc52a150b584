"""What the trace browser knows and does, without any widget: state, a closed set of messages, and Python's view of it.

No SQL comes from the page but the search language of ``ws.traces.search``.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import NotFoundError, QueryError, UsageError
from lmops.times import from_ns
from lmops.traces.listing import COLUMNS, check_predicate
from lmops.widgets.kit.list_controller import ListController
from lmops.widgets.kit.protocol import as_json, finite, integer, one_of, optional_string, string
from lmops.widgets.traces import detail
from lmops.widgets.traces.predicates import bin_predicate, conjuncts, joined, value_predicate, words_as_predicate
from lmops.widgets.traces.static import bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date, datetime

    import pandas as pd

    from lmops.traces import Span, Trace
    from lmops.traces.listing import Listing, TraceSource
    from lmops.widgets.kit.actions import Action
    from lmops.widgets.kit.protocol import Message

MAX_WINDOW: Final = 500
MAX_TURNS: Final = 500
MAX_FOUND: Final = 2_000
_TRACES_KEPT: Final = 4
#: Columns that are there when any user said anything.
_OF_USERS: Final = frozenset({"thumb", "comments"})
_RANGES: Final = {"1h": "hour", "24h": "24 hours", "7d": "7 days", "30d": "30 days"}

#: name -> (heading, width in pixels, shown at first)
_LAYOUT: Final[dict[str, tuple[str, int, bool]]] = {
    "status": ("status", 88, True),
    "start_at": ("started", 92, True),
    "name": ("name", 138, True),
    "input": ("input", 300, True),
    "latency_ms": ("latency", 84, True),
    "input_tokens": ("tokens in", 80, True),
    "output_tokens": ("tokens out", 88, True),
    "cost_usd": ("cost", 92, True),
    "models": ("models", 150, True),
    "output": ("output", 280, False),
    "prompt_refs": ("prompts", 140, False),
    "span_count": ("spans", 64, False),
    "call_count": ("calls", 60, False),
    "error_count": ("errors", 64, False),
    "unpriced_calls": ("unpriced", 70, False),
    "error_type": ("error", 120, False),
    "error_message": ("error message", 240, False),
    "session_id": ("session", 130, False),
    "user_id": ("user", 110, False),
    "service": ("service", 110, False),
    "environment": ("environment", 100, False),
    "is_orphan": ("orphan", 64, False),
    "thumb": ("thumb", 70, True),
    "comments": ("comments", 240, False),
    "trace_id": ("trace id", 250, False),
}


class TraceBrowserController(ListController):
    """The state of one trace browser.

    Args:
        source: Where the traces are.
        where: A search, as in ``ws.traces.search``.
        last: Range back from now, such as "24h"; in an archive back from its newest trace.
        since: First start, aware or an ISO text in UTC.
        until: Start before this.
        is_live: Whether new traces come in on their own.
        actions: Name ("dataset", "labeling") -> what to do with trace ids; what is missing is shown as not there.
    """

    NOUN = "trace"
    MAX_MARKED = 100_000

    def __init__(
        self,
        source: TraceSource,
        *,
        where: str | None = None,
        last: str | None = None,
        since: str | datetime | None = None,
        until: str | datetime | None = None,
        is_live: bool = False,
        actions: Mapping[str, Action] | None = None,
    ) -> None:
        super().__init__(actions)
        self._source = source
        self._where = _clean(where)
        self._range = (last, since, until)
        self._bounds, self._is_archive = source.bounds(last, since, until)
        self._widths: dict[str, int] = {}
        self.is_live = is_live
        self._traces: OrderedDict[str, tuple[Trace, list[Span]]] = OrderedDict()
        self._summaries: dict[str, Message] = {}
        self._stamp = source.stamp()
        self._listing: Listing = source.listing(self._where, self._bounds)
        self._has_feedback = self._listing.has_feedback
        self._shown = [name for name in self._columns if _LAYOUT[name][2]]

    def __repr__(self) -> str:
        """Say what is shown."""
        return f"<TraceBrowserController {self._listing.total:,} traces, {self.words}>"

    # -- Python's side ---------------------------------------------------------------------------------------------

    @property
    def total(self) -> int:
        """How many traces match."""
        return self._listing.total

    @property
    def where(self) -> str | None:
        """The filter as one SQL predicate; None shows all."""
        return self._where

    @where.setter
    def where(self, where: str | None) -> None:
        self._filter(_clean(where))
        self.on_change(self.state("filter"))

    @property
    def sql(self) -> str:
        """The list as one query for ``ws.sql``."""
        return self._listing.sql

    @property
    def words(self) -> str:
        """The filter and the range in words."""
        return f"{self._where or 'no filter'}; {self._range_words()}"

    def df(self) -> pd.DataFrame:
        """Return all matching traces in the order shown, with every column of ``traces``."""
        return self._source.frame(self.sql)

    @property
    def selected(self) -> Trace | None:
        """The trace under the cursor; None when no row was chosen."""
        return None if self.cursor is None else self._trace(self.cursor)[0]

    def rows(self, limit: int) -> tuple[list[str], list[list[Any]]]:
        """Return (columns, first rows) of the list, for a static table."""
        return ["trace_id", *self._shown], self._listing.window(0, limit, self._shown)

    def heading(self, name: str) -> str:
        """Return what stands over a column."""
        return _LAYOUT[name][0]

    def bundle(self) -> dict[str, str]:
        """Return the static forms by their media types."""
        return bundle(self)

    # -- the page's side -------------------------------------------------------------------------------------------

    def state(self, reason: str) -> Message:
        """Return everything a view needs to show the same as the others."""
        last, since, until = self._range
        message: Message = as_json(
            {
                "kind": "state",
                **self._selection(),
                "rev": self._rev,
                "reason": reason,
                "where": self._where,
                "chips": conjuncts(self._where),
                "sql": self.sql,
                "sort": {"column": self._listing.sort_column, "descending": self._listing.is_descending},
                "range": {"last": last, "since": _iso(since), "until": _iso(until), "words": self._range_words()},
                "total": self._listing.total,
                "errors": self._listing.errors,
                "query_ms": self._listing.query_ms,
                "columns": [
                    {"name": name, "label": label, "kind": COLUMNS[name].kind, "width": self._widths.get(name, width)}
                    for name, (label, width, _) in self._columns.items()
                ],
                "shown": self._shown,
                "is_live": self.is_live,
                "actions": self._action_rows(),
            }
        )
        return message

    def _on_window(self, message: Message) -> Message:
        self._check_rev(message)
        start, count = integer(message, "start", 0, 2**53), integer(message, "count", 1, MAX_WINDOW)
        rows = self._listing.window(start, count, self._shown)
        encode = [_ENCODERS.get(COLUMNS[name].kind, _same) for name in self._shown]
        wire = [[row[0], *(code(value) for code, value in zip(encode, row[1:], strict=True))] for row in rows]
        return {"kind": "window", "rev": self._rev, "start": start, "rows": wire, "shown": self._shown}

    def _on_summary(self, message: Message) -> Message:
        self._check_rev(message)
        name = one_of(message, "column", COLUMNS)
        if name not in self._summaries:
            found = self._listing.summary(name)
            self._summaries[name] = _in_ms(found) if COLUMNS[name].kind == "time" else found
        return {"kind": "summary", "rev": self._rev, "column": name, **self._summaries[name]}

    def _on_sort(self, message: Message) -> Message:
        column = one_of(message, "column", COLUMNS)
        self._listing.sort(column, descending=bool(message.get("descending")))
        self._rev += 1
        return self.state("sort")

    def _on_filter(self, message: Message) -> Message:
        parts = conjuncts(self._where)
        if "clear" in message:
            parts = []
        elif "text" in message:
            parts = self._typed(parts, string(message, "text", 20_000), message.get("replace"))
        elif "remove" in message:
            del parts[integer(message, "remove", 0, len(parts) - 1)]
        else:
            parts = _toggled(parts, _clicked(message))
        self._filter(joined(parts))
        return self.state("filter")

    def _typed(self, parts: list[str], text: str, replace: object) -> list[str]:
        """Return the filter after someone typed a part of it: SQL, or plain words to look for."""
        text = text.strip()
        words = words_as_predicate(text)
        try:
            check_predicate(text)
        except QueryError:
            if words is None:
                raise
            text = f"({words})" if " or " in words else words
        if isinstance(replace, int) and 0 <= replace < len(parts):
            return [*parts[:replace], *([text] if text else []), *parts[replace + 1 :]]
        return [*parts, text] if text and text not in parts else parts

    def _on_range(self, message: Message) -> Message:
        last, since, until = (optional_string(message, name) for name in ("last", "since", "until"))
        bounds, is_archive = self._source.bounds(last, since, until)
        listing = self._source.listing(self._where, bounds)
        self._range, self._bounds, self._is_archive = (last, since, until), bounds, is_archive
        self._show(listing)
        return self.state("filter")

    def _on_columns(self, message: Message) -> Message:
        shown = message.get("shown", self._shown)
        if not isinstance(shown, list) or not shown or any(name not in self._columns for name in shown):
            raise UsageError("columns: give a list of at least one column of the list")
        widths = message.get("widths", {})
        if not isinstance(widths, dict) or any(name not in _LAYOUT for name in widths):
            raise UsageError("columns: widths are by column")
        self._widths |= {name: int(min(max(finite(widths, name), 36), 2_000)) for name in widths}
        changed = list(dict.fromkeys(shown)) != self._shown
        self._shown = list(dict.fromkeys(shown))
        self._rev += changed
        return self.state("columns")

    def _on_select(self, message: Message) -> Message:
        """Choose and mark; of the trace under the cursor the texts are sent whole."""
        found = super()._on_select(message)
        return {**found, "peek": None if self.cursor is None else self._source.previews(self.cursor)}

    def _on_poll(self, _message: Message) -> Message:
        stamp = self._source.stamp()
        fresh = 0
        if stamp != self._stamp:
            fresh = self._listing.count_now() - self._listing.total
            if fresh <= 0 and not self.is_live:
                self._stamp = stamp
        return {"kind": "fresh", "new": fresh, "is_stale": stamp != self._stamp, "query_ms": self._listing.query_ms}

    def _on_live(self, message: Message) -> Message:
        self.is_live = bool(message.get("is_live"))
        return self.state("live")

    def _on_trace(self, message: Message) -> Message:
        trace, tree = self._trace(_id(message))
        return {"kind": "trace", "head": detail.head(trace), "tree": detail.rows(tree, trace.start_ns, 0)}

    def _on_spans(self, message: Message) -> Message:
        trace, tree = self._trace(_id(message))
        start = integer(message, "start", 0, len(tree))
        return {"kind": "spans", "trace_id": trace.trace_id, "tree": detail.rows(tree, trace.start_ns, start)}

    def _on_span(self, message: Message) -> Message:
        trace, tree = self._trace(_id(message))
        index = integer(message, "index", 0, len(tree) - 1)
        return {"kind": "span", "trace_id": trace.trace_id, "span": detail.span(tree[index], index)}

    def _on_find(self, message: Message) -> Message:
        trace, tree = self._trace(_id(message))
        text = string(message, "text", 1_000)
        hits = {span.row["span_id"] for span in trace.find(text)} if text else set()
        found = [index for index, span in enumerate(tree) if span.row["span_id"] in hits]
        return {"kind": "found", "trace_id": trace.trace_id, "indexes": found[:MAX_FOUND], "total": len(found)}

    def _on_session(self, message: Message) -> Message:
        session_id = string(message, "session_id", 10_000)
        total, turns = self._source.session(session_id, MAX_TURNS)
        return {
            "kind": "session",
            "session_id": session_id,
            "total": total,
            "turns": [{**turn, "start_ms": turn["start_ns"] / 1e6} for turn in turns],
        }

    # -- inside ----------------------------------------------------------------------------------------------------

    @property
    def _columns(self) -> dict[str, tuple[str, int, bool]]:
        """The columns that there are; what users said once any of them has."""
        return {name: one for name, one in _LAYOUT.items() if self._has_feedback or name not in _OF_USERS}

    def _place_of(self, trace_id: str) -> int | None:
        return self._listing.position(trace_id)

    def _all_ids(self) -> list[str]:
        return [row[0] for row in self._listing.window(0, self.total, [])]

    def _is_id(self, value: object) -> bool:
        return _is_id(value)

    def _filter(self, where: str | None) -> None:
        """Show what a search finds; on an error everything stays as it was."""
        listing = self._source.listing(where, self._bounds)
        self._where = where
        self._show(listing)

    def _refresh(self) -> None:
        stamp = self._source.stamp()
        bounds, is_archive = self._source.bounds(*self._range)
        listing = self._source.listing(self._where, bounds)
        self._stamp, self._bounds, self._is_archive = stamp, bounds, is_archive
        self._traces.clear()
        self._show(listing)

    def _show(self, listing: Listing) -> None:
        """Put a new list in the place of the old one, in the same order."""
        column, descending = self._listing.sort_column, self._listing.is_descending
        if (column, descending) != (listing.sort_column, listing.is_descending):
            listing.sort(column, descending=descending)
        self._listing = listing
        self._has_feedback = self._has_feedback or listing.has_feedback
        self._rev += 1
        self._summaries.clear()

    def _trace(self, trace_id: str) -> tuple[Trace, list[Span]]:
        if trace_id not in self._traces:
            trace = self._source.trace(trace_id)
            self._traces[trace_id] = (trace, trace.tree)
            if len(self._traces) > _TRACES_KEPT:
                self._traces.popitem(last=False)
        self._traces.move_to_end(trace_id)
        return self._traces[trace_id]

    def _range_words(self) -> str:
        last, since, until = self._range
        newest = self._source.newest_ns()
        if newest is None:
            return "no traces yet"
        if last is not None:
            words = f"last {_RANGES.get(last, last)}"
            if until is not None and self._bounds.until_ns is not None:
                return f"{words} before {_moment(self._bounds.until_ns)}"
            return f"{words} before the newest trace, {_moment(newest)}" if self._is_archive else words
        if since is None and until is None:
            return "all times"
        parts = [f"from {_moment(self._bounds.since_ns)}"] if self._bounds.since_ns is not None else []
        parts += [f"until {_moment(self._bounds.until_ns)}"] if self._bounds.until_ns is not None else []
        return " ".join(parts)


def _clean(where: str | None) -> str | None:
    if where is not None and not isinstance(where, str):
        raise UsageError(f"where={where!r}: give a search as text, or None for all traces")
    return (where or "").strip() or None


def _clicked(message: Message) -> str:
    """Return the search for what was clicked in a summary."""
    column = one_of(message, "column", COLUMNS)
    if "low" in message:
        low, high = finite(message, "low"), finite(message, "high")
        # The page has times in milliseconds, as JavaScript has.
        scale = 1_000_000 if COLUMNS[column].kind == "time" else 1
        return bin_predicate(column, low * scale, high * scale)
    value = message.get("value")
    if value is not None and not isinstance(value, str | bool):
        raise UsageError("filter: the value is a text, true, false or null")
    return value_predicate(column, value)


def _toggled(parts: list[str], part: str) -> list[str]:
    return [one for one in parts if one != part] if part in parts else [*parts, part]


def _is_id(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 64 and value.isascii() and value.isalnum()


def _id(message: Message) -> str:
    value = message.get("trace_id")
    if not _is_id(value):
        raise NotFoundError("a trace id is at most 64 letters and digits")
    return str(value)


def _in_ms(summary: Message) -> Message:
    """Return the summary of a time as the page has times: in milliseconds."""
    bins = [{**one, "low": one["low"] / 1e6, "high": one["high"] / 1e6} for one in summary.get("bins", ())]
    return {**summary, "bins": bins, **{k: summary[k] / 1e6 for k in ("min", "max", "p50", "p95") if k in summary}}


def _same(value: Any) -> Any:
    return value


def _number(value: Any) -> Any:
    if value is None or isinstance(value, int):
        return value
    return float(f"{value:.5g}") if math.isfinite(value) else None


def _milliseconds(value: Any) -> Any:
    return None if value is None else value // 1_000_000


_ENCODERS: Final[dict[str, Callable[[Any], Any]]] = {"number": _number, "time": _milliseconds}


def _moment(ns: int) -> str:
    return f"{from_ns(ns):%d %b %Y %H:%M} UTC"


def _iso(value: str | date | None) -> str | None:
    return value if isinstance(value, str) or value is None else value.isoformat()
