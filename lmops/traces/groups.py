"""Traces by what they have in common: one row a session, a user, a model, a day, with counts, failures and costs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from lmops.errors import NotFoundError, UsageError, did_you_mean
from lmops.traces.rows import COLUMNS, Found, ListColumn, Rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lmops.store import Bounds, Store

#: How a trace says to which group it belongs, as text; a list to several.
GROUPABLE: Final[dict[str, str]] = {
    name: {
        "start_at": "strftime(make_timestamp(t.start_ns // 1000), '%Y-%m-%d')",
        "models": "unnest(case when len(t.models) = 0 then [null] else t.models end)",
        "prompt_refs": "unnest(case when len(t.prompt_refs) = 0 then [null] else t.prompt_refs end)",
    }.get(name, f"t.{name}::VARCHAR")
    for name in COLUMNS
    if name not in ("trace_id", "latency_ms", "cost_usd")
}
#: name -> what it is over the traces of one group
_FIGURES: Final = {
    "traces": "count(*)",
    "errors": "count(*) filter (status = 'error')",
    "error_rate": "count(*) filter (status = 'error') / count(*)",
    "p50_ms": "quantile_cont(latency_ms, 0.5)",
    "p95_ms": "quantile_cont(latency_ms, 0.95)",
    "cost_usd": "sum(cost_usd)",
    "unpriced_calls": "sum(unpriced_calls)::BIGINT",
    "input_tokens": "sum(input_tokens)::BIGINT",
    "output_tokens": "sum(output_tokens)::BIGINT",
    "first_at": "min(start_ns)",
    "last_at": "max(start_ns)",
}
FIGURES: Final[dict[str, ListColumn]] = {
    "value": ListColumn("value", "text", "value", "value"),
    **{
        name: ListColumn(name, "time" if name.endswith("_at") else "number", sql, name)
        for name, sql in _FIGURES.items()
    },
}
_KEY: Final = "case when value is null then 'gnone' else 'g' || left(md5(value), 20) end"


def check_group(by: str) -> str:
    """Return a column that groups.

    Raises:
        UsageError: It is none.
    """
    if by not in GROUPABLE:
        raise UsageError(did_you_mean("column to group by", str(by), GROUPABLE))
    return by


class Groups(Rows):
    """The groups of the traces of a range that match a search, the largest first."""

    columns = FIGURES
    key = "group_id"

    def __init__(self, store: Store, where: str | None, bounds: Bounds, by: str) -> None:
        started = time.perf_counter()
        self._store = store
        self._found = found = Found(store, where, bounds)
        #: the column that groups
        self.by = check_group(by)
        figures = ", ".join(f"{sql} as {name}" for name, sql in _FIGURES.items())
        query = f"select {_KEY} as group_id, value, {figures} from ({self._members}) group by value"
        super().__init__(store.sql(query, bounds=found.bounds))
        self.total = int(self._ask("select count(*) from listing")[0][0])
        self.sort("traces", descending=True)
        #: milliseconds that the query and the first sort took
        self.query_ms = (time.perf_counter() - started) * 1e3

    @property
    def _members(self) -> str:
        """One row a trace and group that it is in."""
        return f"select t.*, {GROUPABLE[self.by]} as value from {self._found.source} where {self._found.condition}"

    @property
    def _tie(self) -> str:
        return "traces desc, value nulls last"

    @property
    def sql(self) -> str:
        """The same rows as a query for ``ws.sql``."""
        figures = ",\n  ".join(
            f"{f'make_timestamptz({sql} // 1000)' if name.endswith('_at') else sql} as {name}"
            for name, sql in _FIGURES.items()
        )
        direction = "desc" if self.is_descending else "asc"
        order = f"{self.sort_column} {direction} nulls last, traces desc, value nulls last"
        return f"select value as {self.by},\n  {figures}\nfrom ({self._members})\ngroup by value\norder by {order}"

    def value_of(self, group_id: str) -> str | None:
        """Return what the traces of a group have in common; None where it is missing.

        Raises:
            NotFoundError: There is no such group.
        """
        place = self.position(group_id)
        if place is None:
            raise NotFoundError("this group is not in the list any more")
        number = int(self._order[place])
        value: str | None = self._ask(f"select value from listing where rowid = {number}")[0][0]
        return value

    def traces_of(self, group_ids: Sequence[str]) -> list[str]:
        """Return the ids of the traces of some groups, each once, the newest first."""
        query = (
            f"select trace_id from (select trace_id, start_ns, {_KEY} as group_id from ({self._members})) "
            "where group_id in (select unnest(?::VARCHAR[])) group by trace_id order by max(start_ns) desc, trace_id"
        )
        found = self._store.sql(query, [list(group_ids)], bounds=self._found.bounds)
        return [row[0] for row in found.fetchall()]
