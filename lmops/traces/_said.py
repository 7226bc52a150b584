"""What users said of traces, as columns beside those of ``traces``: a search may name them, and shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lmops.store import FACT_VIEWS
from lmops.traces._predicate import compile_predicate

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from lmops.store import Store
    from lmops.traces._predicate import CompiledPredicate

TRACE_COLUMNS: Final = {name: sql for name, sql, _ in FACT_VIEWS["traces"]}
SPAN_COLUMNS: Final = {name: sql for name, sql, _ in FACT_VIEWS["spans"]}
#: The thumb of a trace, down where anybody's is; and all that was said in words, one line each.
SAID_COLUMNS: Final = {"thumb": "VARCHAR", "comments": "VARCHAR"}
_WORDS: Final = "coalesce(comment, case when kind in ('text', 'correction') then value end)"
#: How each is made of the signals of one trace, and of which signals.
_MADE: Final = {
    "thumb": ("case when bool_or(value = 'down') then 'down' else 'up' end", "kind = 'thumb'"),
    "comments": (f"string_agg({_WORDS}, chr(10) order by said_at, seq)", f"{_WORDS} is not null"),
}


def _said(name: str, condition: str = "trace_id is not null") -> str:
    """Return the query of what was said of each trace under one column."""
    made, which = _MADE[name]
    return f"select trace_id, {made} as {name} from feedback where {condition} and {which} group by trace_id"


def with_said(columns: Iterable[str]) -> str:
    """Return ``traces t`` with some of the columns of what was said, the others missing."""
    named = [name for name in SAID_COLUMNS if name in columns]
    shown = ", ".join(f"{name}.{name}" if name in named else f"null::VARCHAR as {name}" for name in SAID_COLUMNS)
    joins = "".join(f" left join ({_said(name)}) as {name} on {name}.trace_id = traces.trace_id" for name in named)
    return f"(select traces.*, {shown} from traces{joins}) as t"


def compiled(where: str | None, span_bounds_sql: str = "") -> CompiledPredicate:
    """Return the condition of a search over traces, their spans and what was said of them.

    Args:
        where: The search.
        span_bounds_sql: As for ``compile_predicate``.

    Raises:
        QueryError: It cannot be read or names something unknown.
    """
    return compile_predicate(
        where, trace_columns=TRACE_COLUMNS | SAID_COLUMNS, span_columns=SPAN_COLUMNS, span_bounds_sql=span_bounds_sql
    )


def names_said(predicate: CompiledPredicate) -> bool:
    """Return whether a condition asks for what users said."""
    return not SAID_COLUMNS.keys().isdisjoint(predicate.trace_columns)


def touches_spans(predicate: CompiledPredicate) -> bool:
    """Return whether a condition reads spans; what was said finds its trace through them."""
    return predicate.touches_spans or names_said(predicate)


def source_of(predicate: CompiledPredicate) -> str:
    """Return ``traces t`` with the columns that a condition names."""
    return with_said(predicate.trace_columns) if names_said(predicate) else "traces t"


def has_feedback(store: Store) -> bool:
    """Return whether any user said anything."""
    with store.reading() as con:
        return con.execute("select 1 from feedback_history limit 1").fetchone() is not None


def beside(store: Store, frame: pd.DataFrame) -> pd.DataFrame:
    """Return rows of traces with what was said of them; as they are where nobody said anything."""
    if frame.empty or not has_feedback(store):
        return frame
    frame = frame.drop(columns=[name for name in SAID_COLUMNS if name in frame.columns])
    ids = frame["trace_id"].tolist()
    for name in SAID_COLUMNS:
        query = _said(name, "trace_id in (select unnest(?::VARCHAR[]))")
        frame = frame.merge(store.sql(query, [ids]).df(), on="trace_id", how="left")
    return frame
