"""Small tables of the store as Arrow tables: records, and the keys of rows that were replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lmops.store._segments import INT64_MAX
from lmops.store._snapshot import Dead
from lmops.store._tables import TIME_COLUMNS
from lmops.store.schema import TIME

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from lmops.store._overlay import Overlay
    from lmops.store.schema import View

Key = tuple[str, str]


def time_columns(tbl: str) -> list[tuple[str, str, str]]:
    """Return the columns of a table that hold its times as SQL has them, as (name, type, description)."""
    return [(name, TIME, "") for name, _ in TIME_COLUMNS[tbl]]


def dead_table(tbl: str, dead: Dead | None, over: Overlay) -> pa.Table | None:
    """Return the keys of replaced rows with the revision that replaced them; None when there are none."""
    import pyarrow as pa

    replaced: list[Key] = over.dead_spans if tbl == "spans" else [(trace, "") for trace in over.dead_traces]
    if tbl == "logs":
        replaced = []
    if dead is None and not replaced:
        return None
    stored = dead or Dead((), (), ())
    return pa.table(
        {
            "trace_id": [*stored.trace_ids, *(key[0] for key in replaced)],
            "span_id": [*stored.span_ids, *(key[1] for key in replaced)],
            "before_rev": pa.array([*stored.before_revs, *([INT64_MAX] * len(replaced))], pa.int64()),
        }
    )


def record_table(view: View, rows: Sequence[Sequence[Any]]) -> pa.Table:
    """Return rows of a view of records, with its columns and times in UTC."""
    import pyarrow as pa

    kinds: dict[str, Any] = {
        "BIGINT": pa.int64(),
        "DOUBLE": pa.float64(),
        "VARCHAR": pa.string(),
        "BOOLEAN": pa.bool_(),
    }
    columns: dict[str, Any] = {}
    for position, (column, sql, _) in enumerate(view.columns):
        found = [row[position] for row in rows]
        if sql == "BOOLEAN":
            found = [None if value is None else bool(value) for value in found]
        if sql == TIME:
            micros = pa.array([None if value is None else value // 1000 for value in found], pa.int64())
            columns[column] = micros.cast(pa.timestamp("us", tz="UTC"))
        else:
            columns[column] = pa.array(found, kinds[sql])
    return pa.table(columns)
