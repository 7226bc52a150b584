"""The tables of signals, calibrations, label schemas, queues and labels, and the views over them."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, Final

from lmops.store import key_text, row_hash, rows_of
from lmops.store.schema import TIME, Becomes, Column, DerivedView, Erased, Room, Table, View, stored_name

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from lmops.store.schema import Checking

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


def checksum(values: Iterable[Any]) -> int:
    """Return the checksum of a row: of its values in the order of ``STORED``."""
    return zlib.crc32(repr(tuple(values)).encode("utf-8", "surrogatepass"))


def check_signals(check: Checking) -> None:
    """Compare the signals that were not checked before with their checksums."""
    last = check.since("feedback_history")
    query = f"select {', '.join(STORED)}, checksum from feedback_history where seq > ? order by seq"
    for *values, digest in map(tuple, check.con.execute(query, (last,))):
        last = values[0]
        if checksum(values) != digest:
            check.damaged(None, f"feedback_history [{last}] is not what was written")
    check.checked("feedback_history", last)


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
CALIBRATIONS: Final[tuple[Column, ...]] = (
    ("number", "BIGINT", "1, 2, 3, ..."),
    ("judge", "VARCHAR", "name of the judge"),
    ("judge_version", "VARCHAR", "of its prompt, options and model together"),
    ("model", "VARCHAR", "that it asks"),
    ("schema", "VARCHAR", "the label schema with its version"),
    ("n_pass", "BIGINT", "items that people pass"),
    ("n_fail", "BIGINT", "items that people fail"),
    ("sensitivity", "DOUBLE", "share of human passes that the judge passes"),
    ("specificity", "DOUBLE", "share of human fails that it fails"),
    ("figures", "VARCHAR", "JSON object of all figures with their limits"),
    ("stale", "VARCHAR", "what newer labels said against it; NULL: nothing"),
    ("author", "VARCHAR", "who made it"),
    ("created_at", TIME, "when"),
)
_CALIBRATED: Final = (
    "select number, judge, judge_version, model, schema, json_extract(figures, '$.n_pass'), "
    "json_extract(figures, '$.n_fail'), json_extract(figures, '$.sensitivity[0]'), "
    "json_extract(figures, '$.specificity[0]'), figures, stale, author, created_ns from calibrations order by number"
)
MADE_CALIBRATIONS: Final = """
create table calibrations (
    number integer primary key, judge text not null, judge_version text not null, model text, schema text,
    figures text not null, stale text, author text not null, created_ns integer not null
);
create index calibrations_judge on calibrations (judge, number);
"""
SCHEMAS: Final[tuple[Column, ...]] = (
    ("name", "VARCHAR", "of the schema"),
    ("version", "BIGINT", "1, 2, 3, ..."),
    ("ref", "VARCHAR", "name@version"),
    ("fields", "VARCHAR", "JSON list of its fields: name, kind, criteria, ..."),
    ("criteria", "VARCHAR", "what raters are told of the whole"),
    ("hash", "VARCHAR", "of its content"),
    ("parent", "BIGINT", "the version it was made from"),
    ("note", "VARCHAR", "why"),
    ("author", "VARCHAR", "who saved it"),
    ("created_at", TIME, "when"),
)
QUEUES: Final[tuple[Column, ...]] = (
    ("queue", "VARCHAR", "name, unique"),
    ("status", "VARCHAR", "open, closed, archived"),
    ("schema", "VARCHAR", "name of the label schema"),
    ("schema_version", "BIGINT", "the version that raters are shown now"),
    ("strategy", "VARCHAR", "how its items were chosen"),
    ("count", "BIGINT", "items"),
    ("k", "BIGINT", "raters of an item, where several are asked"),
    ("overlap", "DOUBLE", "share of the items that k raters are asked for; the others have one"),
    ("raters", "VARCHAR", "JSON list of who may label; NULL: everybody"),
    ("is_blind", "BOOLEAN", "raters see no label of others before their own"),
    ("author", "VARCHAR", "who made it"),
    ("created_at", TIME, "when"),
    ("actor", "VARCHAR", "who opened, closed or archived it last"),
    ("moved_at", TIME, "when"),
    ("reason", "VARCHAR", "why"),
)
_ITEM: Final[tuple[Column, ...]] = (
    ("queue", "VARCHAR", "the queue"),
    ("position", "BIGINT", "1, 2, 3, ... within the queue"),
    ("item", "VARCHAR", "unique within the queue"),
    ("trace_id", "VARCHAR", "the trace"),
    ("span_id", "VARCHAR", "the span, where it is about one"),
    ("run_id", "VARCHAR", "the run, where it is a case of an evaluation"),
    ("example_id", "VARCHAR", "the example of that case"),
    ("repeat", "BIGINT", "which repeat of that example"),
    ("stratum", "VARCHAR", "the group that it was drawn from"),
    ("probability", "DOUBLE", "of being chosen; NULL: chosen for a reason, so never in a rate"),
)
ITEMS: Final[tuple[Column, ...]] = (
    *_ITEM,
    ("needs", "BIGINT", "raters that are asked"),
    ("done", "BIGINT", "raters who have labelled it"),
    ("is_done", "BOOLEAN", "all that were asked have"),
)
EVENTS: Final[tuple[Column, ...]] = (
    ("seq", "BIGINT", "1, 2, 3, ... in the order in which they were kept"),
    ("client", "VARCHAR", "the page or process that sent it; (client, sequence, part) is unique"),
    ("sequence", "BIGINT", "1, 2, 3, ... of that client"),
    ("part", "BIGINT", "0, 1, 2, ... of one act on several items"),
    ("queue", "VARCHAR", "the queue"),
    ("position", "BIGINT", "of the item in the queue"),
    ("rater", "VARCHAR", "who"),
    ("action", "VARCHAR", "label, skip, note, undo"),
    ("schema_version", "BIGINT", "the version of the queue's schema that the label was made under"),
    ("field_values", "VARCHAR", "JSON object: field -> value"),
    ("note", "VARCHAR", "what the rater noted"),
    ("seconds", "DOUBLE", "that the rater spent on it"),
    ("undoes", "BIGINT", "seq of what it takes back"),
    ("said_at", TIME, "when it was done"),
    ("recorded_at", TIME, "when it was kept"),
)
LABELS: Final[tuple[Column, ...]] = (
    *_ITEM,
    ("rater", "VARCHAR", "who; of an adjudication who decided"),
    ("is_adjudicated", "BOOLEAN", "it is the decision where raters disagreed"),
    ("schema", "VARCHAR", "name of the label schema"),
    ("schema_version", "BIGINT", "the version that it was made under"),
    ("field_values", "VARCHAR", "JSON object: field -> value"),
    ("note", "VARCHAR", "what the rater noted; of an adjudication why"),
    ("seconds", "DOUBLE", "that the rater spent on it"),
    ("said_at", TIME, "when it was done"),
    ("seq", "BIGINT", "of the label in label_history; NULL of an adjudication"),
)
#: The columns of items and of events, their checksum aside.
ITEM_STORED: Final = (*map(stored_name, _ITEM), "needs")
EVENT_STORED: Final = tuple(map(stored_name, EVENTS))
_OF_ITEM: Final = ", ".join(f"i.{name}" for name in map(stored_name, _ITEM))
#: Acts of a rater that were not taken back.
STANDING: Final = "not exists (select 1 from label_history u where u.undoes = {0}.seq)"
_LABELS: Final = (
    f"select {_OF_ITEM}, h.rater, 0, q.schema, h.schema_version, h.field_values, (select n.note from label_history n "
    "where n.queue = h.queue and n.position = h.position and n.rater = h.rater and n.action = 'note' and "
    f"{STANDING.format('n')} order by n.seq desc limit 1), h.seconds, h.said_ns, h.seq "
    "from queue_turns t join label_history h on h.seq = t.seq join queues q on q.queue = t.queue "
    "join queue_items i on i.queue = t.queue and i.position = t.position where t.status = 'done' "
    f"union all select {_OF_ITEM}, a.actor, 1, q.schema, a.schema_version, a.field_values, a.reason, null, "
    "a.created_ns, null from adjudications a join queues q on q.queue = a.queue "
    "join queue_items i on i.queue = a.queue and i.position = a.position"
)
_DONE: Final = (
    f"select {_OF_ITEM}, i.needs, count(t.rater), count(t.rater) >= i.needs from queue_items i left join queue_turns t "
    "on t.queue = i.queue and t.position = i.position and t.status = 'done' group by i.queue, i.position"
)
MADE_QUEUES: Final = """
create table label_schemas (
    name text not null, version integer not null, hash text not null, body text not null, parent integer, note text,
    author text not null, created_ns integer not null, primary key (name, version)
) without rowid;
create table queues (
    queue text primary key, schema text not null, schema_version integer not null, strategy text not null,
    count integer not null, k integer not null, overlap real not null, raters text, is_blind integer not null,
    author text not null, created_ns integer not null, status text not null, owner text, until_ns integer,
    actor text not null, moved_ns integer not null, reason text
) without rowid;
create table queue_items (
    queue text not null, position integer not null, item text not null, trace_id text, span_id text, run_id text,
    example_id text, repeat integer, stratum text, probability real, needs integer not null,
    checksum integer not null, primary key (queue, position)
) without rowid;
create unique index queue_items_item on queue_items (queue, item);
create table queue_open (queue text not null, position integer not null, primary key (queue, position)) without rowid;
create table queue_turns (
    queue text not null, position integer not null, rater text not null, status text not null, until_ns integer,
    seq integer, primary key (queue, position, rater)
) without rowid;
create index queue_turns_held on queue_turns (queue, until_ns) where status = 'held';
create index queue_turns_rater on queue_turns (queue, rater, status);
create table queue_raters (
    queue text not null, rater text not null, cursor integer not null, primary key (queue, rater)
) without rowid;
create table label_history (
    seq integer primary key autoincrement, client text not null, sequence integer not null, part integer not null,
    queue text not null, position integer not null, rater text not null, action text not null, schema_version integer,
    field_values text, note text, seconds real, undoes integer, said_ns integer not null, recorded_ns integer not null,
    checksum integer not null
);
create unique index label_history_client on label_history (client, sequence, part);
create unique index label_history_undoes on label_history (undoes) where undoes is not null;
create index label_history_rater on label_history (queue, rater, seq);
create index label_history_item on label_history (queue, position, rater, seq);
create table adjudications (
    queue text not null, position integer not null, schema_version integer not null, field_values text not null,
    actor text not null, reason text, created_ns integer not null, primary key (queue, position)
) without rowid;
"""


def labels_of(_con: object, keys: Any) -> list[tuple[Any, ...]]:
    """Return the adjudications of erased items: they have the same key."""
    return [tuple(key) for key in keys.get("queue_items", ())]


def events_of(con: sqlite3.Connection, keys: Any) -> list[tuple[Any, ...]]:
    """Return what was said of erased items."""
    query = "select seq from label_history where queue = ? and position = ?"
    return [(row[0],) for key in keys.get("queue_items", ()) for row in con.execute(query, tuple(key))]


def check_labels(check: Checking) -> None:
    """Compare items and labels with their checksums, or with what the event says that erased them."""
    for table, stored, key in (
        ("queue_items", ITEM_STORED, ("queue", "position")),
        ("label_history", EVENT_STORED, ("seq",)),
    ):
        for row in rows_of(check.con, f"select * from {table}"):
            place = [row[name] for name in key]
            event, said = check.said(table, key_text(place))
            is_whole = checksum(row[name] for name in stored) == row["checksum"]
            if not (is_whole if said is None else row_hash(table, row) == said):
                check.damaged(event, f"{table} [{', '.join(map(str, place))}] is not what was written")
    query = "select q.queue from queues q where q.count <> (select count(*) from queue_items i where i.queue = q.queue)"
    for (queue,) in check.con.execute(query).fetchall():
        check.damaged(None, f"queue {queue} has other items than were put in")


_HELD: Final = "a checksum in each row"
_DERIVED: Final = "the labels that it is derived from"
_LEFT: Final = {"field_values": None, "note": None}
ROOM: Final = Room(
    tables=(
        Table("feedback_history", ("seq",), held_by=_HELD, check=check_signals, erased=_ERASED),
        Table("calibrations", ("number",)),
        Table("label_schemas", ("name", "version")),
        Table("queues", ("queue",)),
        Table(
            "queue_items",
            ("queue", "position"),
            held_by=_HELD,
            check=check_labels,
            erased=Erased(
                "items of queues",
                traces=("trace_id",),
                left={"trace_id": Becomes.WORD, "item": Becomes.WORD, "span_id": None, "stratum": None},
            ),
        ),
        Table("queue_open", ("queue", "position"), held_by=_DERIVED),
        Table("queue_turns", ("queue", "position", "rater"), held_by=_DERIVED),
        Table("queue_raters", ("queue", "rater"), held_by=_DERIVED),
        Table(
            "label_history",
            ("seq",),
            held_by=_HELD,
            check=check_labels,
            erased=Erased("labels", texts=("field_values", "note"), kin=events_of, left=_LEFT),
        ),
        Table(
            "adjudications",
            ("queue", "position"),
            erased=Erased(
                "adjudications",
                texts=("field_values", "reason"),
                kin=labels_of,
                left={"field_values": "{}", "reason": None},
            ),
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
        View("calibrations", CALIBRATIONS, _CALIBRATED, ("calibrations",)),
        View(
            "label_schemas",
            SCHEMAS,
            "select name, version, name || '@' || version, json_extract(body, '$.fields'), "
            "json_extract(body, '$.criteria'), hash, parent, note, author, created_ns from label_schemas "
            "order by name, version",
            ("label_schemas",),
        ),
        View("queues", QUEUES, f"select {', '.join(map(stored_name, QUEUES))} from queues order by queue", ("queues",)),
        View("queue_items", ITEMS, _DONE, ("queue_items",)),
        View(
            "label_history",
            EVENTS,
            f"select {', '.join(EVENT_STORED)} from label_history order by seq",
            ("label_history",),
        ),
        View("labels", LABELS, _LABELS, ("label_history", "queue_items", "queues", "adjudications")),
    ),
    migrations={11: MADE, 12: MADE_CALIBRATIONS, 13: MADE_QUEUES},
    derived=(DerivedView("feedback", ("feedback_history", "spans"), CURRENT),),
)
