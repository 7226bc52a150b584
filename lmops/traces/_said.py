"""What users and scorers said of traces, as columns beside those of ``traces``: a search may name and show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lmops.store import FACT_VIEWS
from lmops.traces._predicate import SCORE, compile_predicate

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

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


def _scored(columns: Sequence[str], condition: str = "true", *, known: Collection[str] = ()) -> str:
    """Return the query of what scorers said of each trace, one column a scorer.

    Args:
        columns: Called ``score.NAME``.
        condition: Over ``trace_scores``.
        known: Those of which it is known that somebody scored; of others it is an error when nobody did.
    """
    words = {column: column.removeprefix(SCORE).replace("'", "''") for column in columns}
    listed = ", ".join(f"'{word}'" for word in words.values())
    rows = f"select trace_id, scorer, score from trace_scores where score is not null and {condition}"
    rows += f" and scorer in ({listed})"
    shown = []
    for column, word in words.items():
        made = f"max(score) filter (scorer = '{word}')"
        if column not in known:
            is_there = f"exists (select 1 from trace_scorers where scorer = '{word}')"
            unknown = f"error('no scorer called {word} has scored traces: ws.monitors.scores() lists those that have')"
            made = f"case when {is_there} then {made} else {unknown}::DOUBLE end"
            rows += f" union all select '', '{word}', null where not {is_there}"
        shown.append(f'{made} as "{column}"')
    return f"select trace_id, {', '.join(shown)} from ({rows}) group by trace_id"


def with_said(columns: Iterable[str], *, known: Collection[str] = ()) -> str:
    """Return ``traces t`` with some of the columns of what was said; of users' columns the others are missing.

    Args:
        columns: Their names.
        known: Those of scorers of which it is known that somebody scored.
    """
    columns = set(columns)
    named = [name for name in SAID_COLUMNS if name in columns]
    scores = sorted(name for name in columns if name.startswith(SCORE))
    shown = [f"{name}.{name}" if name in named else f"null::VARCHAR as {name}" for name in SAID_COLUMNS]
    joins = [f" left join ({_said(name)}) as {name} on {name}.trace_id = traces.trace_id" for name in named]
    if scores:
        shown += [f'scored."{name}"' for name in scores]
        joins.append(f" left join ({_scored(scores, known=known)}) as scored on scored.trace_id = traces.trace_id")
    return f"(select traces.*, {', '.join(shown)} from traces{''.join(joins)}) as t"


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


def _of_users(predicate: CompiledPredicate) -> bool:
    """Return whether a condition asks for what users said."""
    return not SAID_COLUMNS.keys().isdisjoint(predicate.trace_columns)


def names_said(predicate: CompiledPredicate) -> bool:
    """Return whether a condition asks for what users or scorers said."""
    return _of_users(predicate) or bool(scores_in(predicate))


def touches_spans(predicate: CompiledPredicate) -> bool:
    """Return whether a condition reads spans; what users said finds its trace through them."""
    return predicate.touches_spans or _of_users(predicate)


def source_of(predicate: CompiledPredicate) -> str:
    """Return ``traces t`` with the columns that a condition names."""
    return with_said(predicate.trace_columns) if names_said(predicate) else "traces t"


def has_feedback(store: Store) -> bool:
    """Return whether any user said anything."""
    with store.reading() as con:
        return con.execute("select 1 from feedback_history limit 1").fetchone() is not None


def scorers_of(store: Store) -> list[str]:
    """Return the names of the scorers that have scored traces."""
    with store.reading() as con:
        return [row[0] for row in con.execute("select distinct scorer from trace_scorers order by scorer")]


def scores_in(predicate: CompiledPredicate) -> list[str]:
    """Return the columns of scorers that a condition names."""
    return sorted(name for name in predicate.trace_columns if name.startswith(SCORE))


def beside(store: Store, frame: pd.DataFrame, scores: Sequence[str]) -> pd.DataFrame:
    """Return rows of traces with what users said of them, where anybody did, and these columns of scorers."""
    if frame.empty:
        return frame
    asked = "trace_id in (select unnest(?::VARCHAR[]))"
    said = {name: _said(name, asked) for name in SAID_COLUMNS} if has_feedback(store) else {}
    if scores:
        said["scores"] = _scored(scores, asked, known=scores)
    if not said:
        return frame  # dropping nothing copies the frame
    frame = frame.drop(columns=[name for name in (*said, *scores) if name in frame.columns])
    ids = frame["trace_id"].tolist()
    for query in said.values():
        frame = frame.merge(store.sql(query, [ids]).df(), on="trace_id", how="left")
    return frame
