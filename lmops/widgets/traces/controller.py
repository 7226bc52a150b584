"""What the trace browser knows and does, without any widget: state, a closed set of messages, and Python's view of it.

No SQL comes from the page but the search language of ``ws.traces.search``.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

from lmops.base.units import counted
from lmops.errors import QueryError, UsageError, did_you_mean
from lmops.traces.exports import FORMATS
from lmops.traces.groups import GROUPABLE
from lmops.traces.listing import check_predicate
from lmops.traces.views import TraceView
from lmops.widgets.kit.actions import refusal
from lmops.widgets.kit.list_controller import ListController
from lmops.widgets.kit.protocol import as_json, finite, integer, one_of, optional_string, string
from lmops.widgets.kit.static import is_for_visitors
from lmops.widgets.traces.layout import GROUP_LAYOUT, LAYOUT, OF_USERS, SCORE_WIDTH, SCORES_SHOWN
from lmops.widgets.traces.pane import ReadsTraces, is_trace_id, trace_id_of
from lmops.widgets.traces.predicates import conjuncts, group_predicate, joined, words_as_predicate
from lmops.widgets.traces.static import bundle
from lmops.widgets.traces.wire import chip, clean, clicked, encoded, in_ms, iso, moment_words, over_time_in_ms, toggled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    import pandas as pd

    from lmops.traces import Span, Trace
    from lmops.traces.groups import Groups
    from lmops.traces.listing import Listing, TraceSource
    from lmops.traces.views import TraceViews
    from lmops.widgets.kit.actions import Action, Done
    from lmops.widgets.kit.live import Live
    from lmops.widgets.kit.protocol import Message

MAX_WINDOW: Final = 500
_RANGES: Final = {"1h": "hour", "24h": "24 hours", "7d": "7 days", "30d": "30 days"}


class TraceBrowserController(ReadsTraces, ListController):
    """The state of one trace browser.

    Args:
        source: Where the traces are.
        where: A search, as in ``ws.traces.search``.
        last: Range back from now, such as "24h"; in an archive back from its newest trace.
        since: First start, aware or an ISO text in UTC.
        until: Start before this.
        is_live: Whether new traces come in on their own.
        view: What is shown at first instead: a filter, a range, columns, an order, a grouping.
        views: The saved views; None where nothing can be saved.
        export: Writes the rows of a query, as csv or parquet and with what a row is, and returns where to and how many.
        actions: Name ("dataset", "labeling") -> what to do with trace ids; what is missing is not shown.
        try_call: Opens a call of a model in the playground; nothing offers it when None.
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
        view: TraceView | None = None,
        views: TraceViews | None = None,
        export: Callable[[str, str, str], tuple[Path, int]] | None = None,
        actions: Mapping[str, Action] | None = None,
        try_call: Callable[[Span], Live] | None = None,
    ) -> None:
        super().__init__(actions)
        self._try_call = try_call
        self._source = source
        self._views, self._export = views, export
        shown = view or TraceView(where=where, last=last, since=iso(since), until=iso(until))
        self._where = clean(shown.where)
        self._range = (shown.last, shown.since, shown.until)
        self._bounds, self._is_archive = source.bounds(*self._range)
        self._widths: dict[str, int] = {}
        self.is_live = is_live
        self._traces = OrderedDict()
        self._summaries: dict[str, Message] = {}
        self._over_time: Message | None = None
        self._is_opened = False
        #: the saved view that is shown, with its name
        self._named: tuple[str, TraceView] | None = None
        self._stamp = source.stamp()
        self._listing: Listing = source.listing(self._where, self._bounds)
        self._has_feedback = self._listing.has_feedback
        self._groups: Groups | None = None
        #: what was opened of a grouping: its column, and the part of the filter that finds its traces
        self._opened: tuple[str, str] | None = None
        self._shown = [name for name, (_, _, is_shown) in self._columns.items() if is_shown]
        self._shown_of_groups = [name for name, (_, _, is_shown) in GROUP_LAYOUT.items() if is_shown]
        self._take(shown)

    def __repr__(self) -> str:
        """Say what is shown."""
        return f"<TraceBrowserController {self._listing.total:,} traces, {self.words}>"

    # -- Python's side ---------------------------------------------------------------------------------------------

    @property
    def total(self) -> int:
        """How many traces match, or groups of them."""
        return self._rows.total

    @property
    def _rows(self) -> Listing | Groups:
        """What is listed."""
        return self._groups or self._listing

    @property
    def where(self) -> str | None:
        """The filter as one SQL predicate; None shows all."""
        return self._where

    @where.setter
    def where(self, where: str | None) -> None:
        self._filter(clean(where))
        self.on_change(self.state("filter"))

    @property
    def sql(self) -> str:
        """The list as one query for ``ws.sql``."""
        return self._rows.sql

    @property
    def words(self) -> str:
        """The filter, the range and the grouping in words."""
        by = "" if self._groups is None else f"; by {LAYOUT[self._groups.by][0]}"
        return f"{self._where or 'no filter'}; {self._range_words()}{by}"

    @property
    def view(self) -> TraceView:
        """What is shown, as it can be saved."""
        rows, (last, since, until) = self._rows, self._range
        return TraceView(
            where=self._where,
            last=last,
            since=iso(since),
            until=iso(until),
            columns=tuple(self._shown),
            sort=f"{rows.sort_column} {'desc' if rows.is_descending else 'asc'}",
            group=None if self._groups is None else self._groups.by,
        )

    def df(self) -> pd.DataFrame:
        """Return all that is listed in its order: traces with every column of ``traces``, or groups."""
        return self._source.frame(self.sql)

    @property
    def selected(self) -> Trace | None:
        """The trace under the cursor; None when no row was chosen."""
        return None if self.cursor is None or self._groups is not None else self._trace(self.cursor)[0]

    @property
    def selected_ids(self) -> list[str]:
        """The marked traces in the order they were marked; the one under the cursor when none is marked.

        Of marked groups it is all their traces, the newest first.
        """
        return self._traces_of(super().selected_ids)

    def rows(self, limit: int) -> tuple[list[str], list[list[Any]]]:
        """Return (columns, first rows) of the list, for a static table."""
        shown = self._shown_now
        return [self._rows.key, *shown], self._rows.window(0, limit, shown)

    def heading(self, name: str) -> str:
        """Return what stands over a column."""
        if self._groups is not None and name == "value":
            return LAYOUT[self._groups.by][0]
        return self._columns.get(name, LAYOUT.get(name, (name,)))[0]

    def kind(self, name: str) -> str:
        """Return what a column holds."""
        return self._rows.columns[name].kind

    def export(self, form: str) -> tuple[Path, int]:
        """Write what is listed into a new file of the working directory; return where it is and how many rows it has.

        Args:
            form: "csv" or "parquet".

        Raises:
            UsageError: It is neither.
            StoreError: The file cannot be written.
        """
        if form not in FORMATS:
            raise UsageError(did_you_mean("kind of file", str(form), FORMATS))
        if self._export is None:
            raise UsageError("files are written by a workspace: ws.traces.browse()")
        return self._export(self.sql, form, self.noun)

    def bundle(self) -> dict[str, str]:
        """Return the static forms by their media types."""
        return bundle(self)

    # -- the page's side -------------------------------------------------------------------------------------------

    def state(self, reason: str) -> Message:
        """Return everything a view needs to show the same as the others."""
        last, since, until = self._range
        groups, opened = self._groups, self._opened
        message: Message = as_json(
            {
                "kind": "state",
                **self._selection(),
                "rev": self._rev,
                "reason": reason,
                "where": self._where,
                "chips": [chip(part) for part in conjuncts(self._where)],
                "sql": self.sql,
                "sort": {"column": self._rows.sort_column, "descending": self._rows.is_descending},
                "range": {"last": last, "since": iso(since), "until": iso(until), "words": self._range_words()},
                "total": self.total,
                "traces": self._listing.total,
                "group": None if groups is None else groups.by,
                "opened": None if opened is None else LAYOUT[opened[0]][0],
                "groupable": [[name, LAYOUT[name][0]] for name in GROUPABLE if name in self._columns_of_traces],
                "link": self.link,
                "is_opened": self._is_opened,
                "can_save": self._views is not None and not refusal(is_read_only=self._views.is_read_only),
                "can_write": self._export is not None,
                "errors": self._listing.errors,
                "query_ms": self._rows.query_ms,
                "columns": [
                    {
                        "name": name,
                        "label": self.heading(name),
                        "kind": self.kind(name),
                        "width": self._widths.get(name, width),
                    }
                    for name, (_, width, _) in self._columns.items()
                ],
                "shown": self._shown_now,
                "is_live": self.is_live,
                "actions": self._action_rows(),
            }
        )
        return message

    def _on_window(self, message: Message) -> Message:
        self._check_rev(message)
        start, count = integer(message, "start", 0, 2**53), integer(message, "count", 1, MAX_WINDOW)
        shown = self._shown_now
        rows = self._rows.window(start, count, shown)
        encode = [encoded(self.kind(name)) for name in shown]
        wire = [[row[0], *(code(value) for code, value in zip(encode, row[1:], strict=True))] for row in rows]
        return {"kind": "window", "rev": self._rev, "start": start, "rows": wire, "shown": shown}

    def _on_summary(self, message: Message) -> Message:
        self._check_rev(message)
        name = one_of(message, "column", self._listing.columns)
        if name not in self._summaries:
            found = self._listing.summary(name)
            self._summaries[name] = in_ms(found) if self._listing.columns[name].kind == "time" else found
        return {"kind": "summary", "rev": self._rev, "column": name, **self._summaries[name]}

    def _on_sort(self, message: Message) -> Message:
        column = one_of(message, "column", self._rows.columns)
        self._rows.sort(column, descending=bool(message.get("descending")))
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
            parts = toggled(parts, clicked(message))
        self._filter(joined(parts))
        return self.state("filter")

    def _on_group(self, message: Message) -> Message:
        """List what the traces have in common in one column, or traces again."""
        name = message.get("column")
        self._group(None if name is None else one_of(message, "column", GROUPABLE))
        self._opened = None
        return self.state("group")

    def _on_open_group(self, message: Message) -> Message:
        """List the traces of one group."""
        self._check_rev(message)
        if self._groups is None:
            raise UsageError("the list has no groups")
        by, value = self._groups.by, self._groups.value_of(trace_id_of(message))
        part = group_predicate(by, value)
        check_predicate(part)
        self._group(None)
        parts = conjuncts(self._where)
        self._filter(joined([*parts, *([] if part in parts else [part])]))
        self._opened = (by, part)
        return self.state("group")

    def _on_back(self, _message: Message) -> Message:
        """List the groups again, without the part of the filter that finds the one that was opened."""
        if self._opened is None:
            raise UsageError("no group was opened")
        by, part = self._opened
        self._filter(joined([one for one in conjuncts(self._where) if one != part]))
        self._group(by)
        self._opened = None
        return self.state("group")

    def _on_over_time(self, message: Message) -> Message:
        self._check_rev(message)
        if self._over_time is None:
            found = self._source.over_time(self._listing, self._where, self._bounds, is_archive=self._is_archive)
            self._over_time = as_json(over_time_in_ms(found))
        return {"kind": "over_time", "rev": self._rev, **self._over_time}

    def _on_views(self, _message: Message) -> Message:
        """List the saved views."""
        return {"kind": "views", "views": [] if self._views is None else self._views.names()}

    def _on_view(self, message: Message) -> Message:
        """Show a saved view."""
        name = string(message, "name", 200)
        self.show(self._saved().get(name))
        self.call(name)
        return self.state("view")

    def _on_save(self, message: Message) -> Message:
        """Save what is shown under a name."""
        name = string(message, "name", 200).strip()
        self._changed().keep(name, self.view)
        self.call(name)
        return {"kind": "done", "message": f"saved: ws.traces.browse(view={name!r})"}

    def _on_remove(self, message: Message) -> Message:
        """Remove a saved view; what is shown stays."""
        name = string(message, "name", 200)
        self._changed().remove(name)
        return {"kind": "done", "message": f"removed the view {name}"}

    def _on_export(self, message: Message) -> Message:
        """Write what is listed into a file of the working directory of the kernel."""
        path, rows = self.export(string(message, "format", 20))
        return {"kind": "done", "message": f"{counted(rows, self.noun)} written to {path}"}

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
        shown = message.get("shown", self._shown_now)
        if not isinstance(shown, list) or not shown or any(name not in self._columns for name in shown):
            raise UsageError("columns: give a list of at least one column of the list")
        widths = message.get("widths", {})
        if not isinstance(widths, dict) or any(name not in self._columns for name in widths):
            raise UsageError("columns: widths are by column")
        self._widths |= {name: int(min(max(finite(widths, name), 36), 2_000)) for name in widths}
        chosen = list(dict.fromkeys(shown))
        self._rev += chosen != self._shown_now
        if self._groups is None:
            self._shown = chosen
        else:
            self._shown_of_groups = chosen
        return self.state("columns")

    def _on_select(self, message: Message) -> Message:
        """Choose and mark; of the trace under the cursor the texts are sent whole."""
        found = super()._on_select(message)
        return {**found, "peek": None if self.cursor is None or self._groups else self._source.previews(self.cursor)}

    def _on_poll(self, _message: Message) -> Message:
        stamp = self._source.stamp()
        fresh = 0
        if stamp != self._stamp:
            fresh = self._listing.count_now() - self._listing.total  # also of groups it is traces that come
            if fresh <= 0 and not self.is_live:
                self._stamp = stamp
        return {"kind": "fresh", "new": fresh, "is_stale": stamp != self._stamp, "query_ms": self._listing.query_ms}

    def _on_live(self, message: Message) -> Message:
        self.is_live = bool(message.get("is_live"))
        return self.state("live")

    # -- inside ----------------------------------------------------------------------------------------------------

    @property
    def _columns(self) -> dict[str, tuple[str, int, bool]]:
        return self._columns_of_traces if self._groups is None else GROUP_LAYOUT

    @property
    def _columns_of_traces(self) -> dict[str, tuple[str, int, bool]]:
        """The columns that there are; what users and scorers said once any of them has."""
        found = {name: one for name, one in LAYOUT.items() if self._has_feedback or name not in OF_USERS}
        scores = [name for name in self._listing.columns if name not in LAYOUT]
        return found | {
            name: (name.removeprefix("score.").strip('"'), SCORE_WIDTH, place < SCORES_SHOWN)
            for place, name in enumerate(scores)
        }

    @property
    def _shown_now(self) -> list[str]:
        return self._shown if self._groups is None else self._shown_of_groups

    @property
    def noun(self) -> str:
        """What a row is: a trace, or a group of them."""
        return "trace" if self._groups is None else "group"

    def _place_of(self, trace_id: str) -> int | None:
        return self._rows.position(trace_id)

    @property
    def _found_by(self) -> object:
        return self._where, self._range, None if self._groups is None else self._groups.by

    def _all_ids(self) -> list[str]:
        return [row[0] for row in self._rows.window(0, self.total, [])]

    def _traces_of(self, ids: list[str]) -> list[str]:
        return ids if self._groups is None else self._groups.traces_of(ids)

    def _act(self, action: Action, ids: list[str], answers: tuple[str, ...]) -> str | Done:
        return super()._act(action, self._traces_of(ids), answers)

    def _saved(self) -> TraceViews:
        if self._views is None:
            raise UsageError("views are saved by a workspace: ws.traces.browse()")
        return self._views

    def _changed(self) -> TraceViews:
        """Return the saved views to change them: visitors of a page do not."""
        if is_for_visitors():
            raise UsageError(refusal(is_read_only=False))
        return self._saved()

    def open_at_first(self, trace_id: str) -> None:
        """Put the cursor on a trace that the first view opens."""
        self.cursor, self._is_opened = trace_id, True

    def call(self, name: str) -> None:
        """Remember under which name what is shown was saved."""
        self._named = (name, self.view)

    @property
    def link(self) -> str | None:
        """What ``lmops show`` and ``browse(view=...)`` find the same by: a saved view or a trace; None for neither."""
        if self._named is not None and self._named[1] == self.view:
            return self._named[0]
        return None if self.selected is None else self.selected.trace_id

    def show(self, view: TraceView) -> None:
        """Show what a view says; on an error everything stays as it was."""
        bounds, is_archive = self._source.bounds(view.last, view.since, view.until)
        where = clean(view.where)
        listing = self._source.listing(where, bounds)
        self._range, self._bounds, self._is_archive = (view.last, view.since, view.until), bounds, is_archive
        self._where, self._opened, self._groups = where, None, None
        self._show(listing)
        self._take(view)

    def _take(self, view: TraceView) -> None:
        """Group, sort and choose columns as a view says."""
        self._shown = [name for name in view.columns or () if name in self._columns_of_traces] or self._shown
        if view.group is not None:
            self._group(view.group)
        if view.sort is not None:
            column, _, direction = view.sort.partition(" ")
            if column in self._rows.columns:
                self._rows.sort(column, descending=direction == "desc")

    def _group(self, by: str | None) -> None:
        """Put groups in the place of traces, or traces in the place of groups: what is chosen is none of them."""
        groups = None if by is None else self._source.groups(self._where, self._bounds, by)
        if groups is not None or self._groups is not None:
            self.cursor, self._marked, self._all_of = None, {}, None
        self._groups = groups
        self._rev += 1

    def _is_id(self, value: object) -> bool:
        return is_trace_id(value)

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
        if self._groups is not None:
            column, descending = self._groups.sort_column, self._groups.is_descending
            self._groups = self._source.groups(self._where, self._bounds, self._groups.by)
            self._groups.sort(column, descending=descending)
        self._rev += 1
        self._summaries.clear()
        self._over_time = None

    def _range_words(self) -> str:
        last, since, until = self._range
        newest = self._source.newest_ns()
        if newest is None:
            return "no traces yet"
        if last is not None:
            words = f"last {_RANGES.get(last, last)}"
            if until is not None and self._bounds.until_ns is not None:
                return f"{words} before {moment_words(self._bounds.until_ns)}"
            return f"{words} before the newest trace, {moment_words(newest)}" if self._is_archive else words
        if since is None and until is None:
            return "all times"
        parts = [f"from {moment_words(self._bounds.since_ns)}"] if self._bounds.since_ns is not None else []
        parts += [f"until {moment_words(self._bounds.until_ns)}"] if self._bounds.until_ns is not None else []
        return " ".join(parts)
