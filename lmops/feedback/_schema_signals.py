"""The table of signals, and the views over it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lmops.store.schema import TIME, Column, DerivedView, Erased, Room, Table, View, compares, stored_name

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

HISTORY: Final[tuple[Column, ...]] = (
    ("seq", "BIGINT", "1, 2, 3, ... in the order of arrival"),
    ("signal_id", "VARCHAR", "one for all that a user said of one target under one name; else of each its own"),
    ("target", "VARCHAR", "what it is on: trace, span, response, session"),
    ("trace_id", "VARCHAR", "the trace, where it was named"),
    ("span_id", "VARCHAR", "the span, where it was named"),
    ("response_id", "VARCHAR", "the id of the model's response, where it was named"),
    ("session_id", "VARCHAR", "the conversation, where it was named"),
    ("name", "VARCHAR", "what was asked, such as thumb"),
    ("kind", "VARCHAR", "thumb, number, category, text, correction"),
    ("value", "VARCHAR", "what was said: up or down, the number, the category, the text, the right answer"),
    ("number", "DOUBLE", "of a thumb 1 or 0, of a number itself; NULL of others"),
    ("scale_low", "DOUBLE", "least number of its scale"),
    ("scale_high", "DOUBLE", "greatest number of its scale"),
    ("comment", "VARCHAR", "what was said beside it"),
    ("user_id", "VARCHAR", "who said it; NULL: not known"),
    ("source", "VARCHAR", "where it came from, such as app, otel, langfuse"),
    ("said_at", TIME, "when it was said"),
    ("recorded_at", TIME, "when it arrived"),
    ("replaces", "BIGINT", "seq of what it takes the place of; its own when something newer was there already"),
)
#: The columns of the table, its checksum aside.
STORED: Final = tuple(stored_name(column) for column in HISTORY)
#: What was named of a target; a response and a span find their trace when it is there, whichever came first.
_PLACED: Final = (
    "select 'response' as target, response_id as place, arg_min(trace_id, start_ns) as trace_id, "
    "arg_min(span_id, start_ns) as span_id from spans where is_call and response_id in "
    "(select response_id from feedback_history where target = 'response') group by response_id "
    "union all select 'span', span_id, min(trace_id), span_id from spans where span_id in "
    "(select span_id from feedback_history where target = 'span' and trace_id is null) group by span_id"
)
CURRENT: Final = (
    "select said.signal_id, said.target, coalesce(said.trace_id, placed.trace_id) as trace_id, "
    "coalesce(said.span_id, placed.span_id) as span_id, said.response_id, said.session_id, said.name, said.kind, "
    "said.value, said.number, said.scale_low, said.scale_high, said.comment, said.user_id, said.source, said.said_at, "
    "said.recorded_at, said.seq from (select history.* from feedback_history as history anti join (select replaces "
    "from feedback_history where replaces is not null) as replaced on replaced.replaces = history.seq) as said "
    f"left join ({_PLACED}) as placed on said.trace_id is null and placed.target = said.target "
    "and placed.place = coalesce(said.response_id, said.span_id)"
)
MADE: Final = """
create table feedback_history (
    seq integer primary key autoincrement,
    signal_id text not null,
    target text not null,
    trace_id text,
    span_id text,
    response_id text,
    session_id text,
    name text not null,
    kind text not null,
    value text not null,
    number real,
    scale_low real,
    scale_high real,
    comment text,
    user_id text,
    source text,
    said_ns integer not null,
    recorded_ns integer not null,
    replaces integer,
    checksum integer not null
);
create index feedback_history_signal on feedback_history (signal_id);
"""


def names_of_signals(_con: sqlite3.Connection, keys: Iterable[tuple[Any, ...]]) -> list[str]:
    """Return what signals are called in a report: by their numbers."""
    return [f"signal {seq}" for (seq,) in sorted(keys)]


#: What a person said goes with the person, what was said of a trace with the trace.
_ERASED: Final = Erased(
    "signals",
    traces=("trace_id",),
    texts=("user_id", "session_id", "response_id", "comment", "value"),
    names=names_of_signals,
)
ROOM: Final = Room(
    tables=(
        Table(
            "feedback_history",
            ("seq",),
            held_by="a checksum in each row",
            check=compares("feedback_history", STORED, grows=True),
            erased=_ERASED,
        ),
    ),
    views=(
        View(
            "feedback_history",
            HISTORY,
            f"select {', '.join(STORED)} from feedback_history",
            ("feedback_history",),
            grows_by="seq",
        ),
    ),
    migrations={11: MADE},
    derived=(DerivedView("feedback", ("feedback_history", "spans"), CURRENT),),
)
