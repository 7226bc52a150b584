"""Saved views of the trace browser: a filter, a range, columns, an order and a grouping under one name."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from lmops.errors import NotFoundError, UsageError, did_you_mean
from lmops.records import check_word, check_words, text_hash
from lmops.times import from_ns, to_ns
from lmops.traces._search import order_sql, seconds
from lmops.traces.groups import check_group
from lmops.traces.listing import check_predicate
from lmops.traces.rows import column_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import pandas as pd

    from lmops.records import Project
    from lmops.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceView:
    """What a view shows, and in which order.

    Args:
        where: A condition as for ``ws.traces.search``; None shows all.
        last: Range back from now, such as "7d".
        since: First start, ISO text.
        until: Start before this, ISO text.
        columns: What is shown, in this order; None for the usual ones.
        sort: A column and asc or desc, such as "cost_usd desc"; of a grouping one of its figures.
        group: The column that groups; None lists traces.
    """

    where: str | None = None
    last: str | None = None
    since: str | None = None
    until: str | None = None
    columns: tuple[str, ...] | None = None
    sort: str | None = None
    group: str | None = None

    def check(self) -> None:
        """Raise an error where a part of it cannot be shown.

        Raises:
            QueryError: The condition cannot be read, or names something unknown.
            UsageError: A range, a column, the order or the grouping is none.
        """
        check_words(self.where, "condition")
        check_predicate(self.where)
        if self.last is not None:
            seconds(self.last)
            if self.since is not None:
                raise UsageError(f"give last={self.last!r} or since={self.since!r}, not both")
        for moment in (self.since, self.until):
            if moment is not None:
                to_ns(moment)
        for name in self.columns or ():
            column_of(str(name))
        if self.columns is not None and not self.columns:
            raise UsageError("columns: give at least one column, or None for the usual ones")
        if self.group is not None:
            check_group(self.group)
        elif self.sort is not None:
            order_sql(self.sort)


_PARTS = tuple(field.name for field in fields(TraceView))


class TraceViews:
    """The saved views of a workspace: ``ws.traces.views``."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._store: Store = project.store

    def __repr__(self) -> str:
        """Say which there are."""
        return f"<TraceViews: {', '.join(self.list()['name']) or 'none yet'}>"

    def save(
        self,
        name: str,
        where: str | None = None,
        *,
        last: str | None = None,
        since: str | datetime | None = None,
        until: str | datetime | None = None,
        columns: Sequence[str] | None = None,
        sort: str | None = None,
        group: str | None = None,
        reason: str | None = None,
    ) -> TraceView:
        """Save a view under a name, in the place of the one that has it; ``ws.traces.browse(view=name)`` shows it.

        Args:
            name: How it is called, such as "slow-refunds".
            where: As for ``ws.traces.search``.
            last: As for ``ws.traces.search``.
            since: As for ``ws.traces.search``.
            until: As for ``ws.traces.search``.
            columns: What is shown, in this order; the usual ones by default.
            sort: A column and asc or desc, such as "cost_usd desc".
            group: The column that groups, such as "session_id"; None lists traces.
            reason: Why, for the audit chain.

        Raises:
            QueryError: The condition cannot be read, or names something unknown.
            UsageError: The name, a range, a column, the order or the grouping is none.
        """
        if isinstance(columns, str):
            raise UsageError(f"columns={columns!r}: give a list, such as ['status', 'input']")
        return self.keep(
            name,
            TraceView(
                where=where,
                last=last,
                since=_iso(since),
                until=_iso(until),
                columns=None if columns is None else tuple(columns),
                sort=sort,
                group=group,
            ),
            reason=reason,
        )

    def keep(self, name: str, view: TraceView, *, reason: str | None = None) -> TraceView:
        """Save a view as it is, as :meth:`save` does."""
        check_word(name, "a view")
        view.check()
        body = json.dumps({part: getattr(view, part) for part in _PARTS}, ensure_ascii=False)
        with self._project.change(reason=reason) as change:
            before = self._store.record(change.con, "trace_views", name)
            if before is not None and before["body"] == body:
                return view
            row = {"name": name, "body": body, "author": change.actor, "saved_ns": change.at_ns}
            change.replace("trace_views", row)
            # The words of a filter may name a person: the chain has their hash alone.
            was = None if before is None else {"hash": text_hash(before["body"])}
            change.say("trace_view.save", name, before=was, after={"hash": text_hash(body)})
        return view

    def get(self, name: str) -> TraceView:
        """Return a saved view.

        Raises:
            NotFoundError: There is none of this name; the nearest names are given.
        """
        with self._project.reading() as con:
            row = self._store.record(con, "trace_views", name)
        if row is None:
            raise NotFoundError(
                did_you_mean("saved view", str(name), self.list()["name"], hint="ws.traces.views.list()")
            )
        body: dict[str, Any] = json.loads(row["body"])
        columns = body["columns"]
        return TraceView(**{**body, "columns": None if columns is None else tuple(columns)})

    def list(self) -> pd.DataFrame:
        """Return the saved views, one row each, by name.

        Returns:
            name, filter, last, since, until, columns (a list), sort, grouped_by, author, saved_at.
        """
        from lmops.base.frames import Frame

        with self._project.reading() as con:
            rows, _ = self._store.records(con, "trace_views")
        found = [
            {**json.loads(row["body"]), "name": row["name"], "author": row["author"], "at": from_ns(row["saved_ns"])}
            for row in sorted(rows, key=lambda row: str(row["name"]))
        ]
        frame = Frame(found, columns=["name", *_PARTS, "author", "at"])
        return frame.rename(columns={"where": "filter", "group": "grouped_by", "at": "saved_at"})

    @property
    def is_read_only(self) -> bool:
        """Whether the store is open for reading alone, so that nothing can be saved or removed."""
        return self._store.is_read_only

    def names(self) -> Sequence[str]:
        """Return the names of all, in their order."""
        return [str(name) for name in self.list()["name"]]

    def remove(self, name: str, *, reason: str | None = None) -> None:
        """Remove a saved view.

        Args:
            name: Which.
            reason: Why, for the audit chain.

        Raises:
            NotFoundError: There is none of this name; the nearest names are given.
        """
        self.get(name)
        with self._project.change(reason=reason) as change:
            change.delete("trace_views", name)
            change.say("trace_view.remove", name)


def _iso(moment: str | datetime | None) -> str | None:
    return moment if isinstance(moment, str) or moment is None else moment.isoformat()
