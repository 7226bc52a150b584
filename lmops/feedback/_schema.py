"""The tables of calibrations, label schemas, queues, labels and failure modes, and the views over them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from lmops.store import row_hash
from lmops.store.schema import (
    TIME,
    Becomes,
    Column,
    Erased,
    Outlives,
    Room,
    Table,
    View,
    checksum,
    of_same_key,
    stored_name,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection

    from lmops.store.schema import Checking

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
    ("item_order", "VARCHAR", "random: each rater has an order of their own; given or NULL: that of positions"),
    ("seed", "BIGINT", "of the orders, and of where items with known answers come"),
    ("gold_share", "DOUBLE", "the share of what a rater is handed whose answers are known; NULL: none"),
    ("since_version", "BIGINT", "labels of earlier versions of the schema were asked again; NULL: none was"),
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
    ("needs", "BIGINT", "raters that are asked; 0 where the answer is known"),
    ("done", "BIGINT", "raters who have labelled it"),
    ("is_gone", "BOOLEAN", "its trace was removed with old ones, or erased: nobody is handed it any more"),
    ("is_done", "BOOLEAN", "all that were asked have"),
    ("is_gold", "BOOLEAN", "its answer is known: raters are measured by it"),
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
    ("is_gold", "BOOLEAN", "the answer was known before: it is in no rate"),
)
GOLD: Final[tuple[Column, ...]] = (
    ("queue", "VARCHAR", "the queue"),
    ("position", "BIGINT", "of the item in the queue"),
    ("schema_version", "BIGINT", "the version of the queue's schema that the answer suits"),
    ("field_values", "VARCHAR", "JSON object: field -> the known answer"),
    ("author", "VARCHAR", "who said so"),
    ("created_at", TIME, "when"),
)
FAILURES: Final[tuple[Column, ...]] = (
    ("seq", "BIGINT", "1, 2, 3, ... in the order in which they were kept"),
    ("act", "BIGINT", "1, 2, 3, ...: rows of one act, taken back together"),
    ("queue", "VARCHAR", "the queue whose notes are sorted"),
    ("action", "VARCHAR", "make, rename, describe, assign, take_off, merge, split, remove, undo"),
    ("mode", "BIGINT", "1, 2, 3, ... within the queue; of a note the mode that it is in from then on, or NULL"),
    ("note", "VARCHAR", "the note; NULL where the row is on the mode itself"),
    ("name", "VARCHAR", "of the mode from then on; NULL: it is gone"),
    ("criteria", "VARCHAR", "of the mode from then on"),
    ("other_mode", "BIGINT", "the mode that a note was in, or that a mode went into"),
    ("undoes", "BIGINT", "the act that it takes back"),
    ("actor", "VARCHAR", "who"),
    ("recorded_at", TIME, "when"),
)
NOTES: Final[tuple[Column, ...]] = (
    *_ITEM[:8],
    ("probability", "DOUBLE", "of the item being chosen; NULL: chosen for a reason, so never in a rate"),
    ("note", "VARCHAR", "position/field.critique/rater, or position/note/rater; unique within the queue"),
    ("rater", "VARCHAR", "who wrote it"),
    ("field", "VARCHAR", "the field that it is the critique of; NULL of a note on the item"),
    ("verdict", "VARCHAR", "what the rater said of the item, the worst of all fields: pass, fail, cannot tell"),
    ("words", "VARCHAR", "what was written"),
    ("said_at", TIME, "when"),
    ("mode", "BIGINT", "the failure mode that it is in, where it is sorted"),
    ("name", "VARCHAR", "of that mode"),
)
MODES: Final[tuple[Column, ...]] = (
    ("queue", "VARCHAR", "the queue whose notes are sorted"),
    ("mode", "BIGINT", "1, 2, 3, ... within the queue, never given twice"),
    ("name", "VARCHAR", "what goes wrong"),
    ("criteria", "VARCHAR", "how it is told from others"),
    ("notes", "BIGINT", "notes that are in it"),
    ("items", "BIGINT", "items with such a note"),
    ("actor", "VARCHAR", "who made, renamed or described it last"),
    ("changed_at", TIME, "when"),
)
#: The columns of items and of events, their checksum aside.
ITEM_STORED: Final = (*map(stored_name, _ITEM), "needs")
EVENT_STORED: Final = tuple(map(stored_name, EVENTS))
_OF_ITEM: Final = ", ".join(f"i.{name}" for name in map(stored_name, _ITEM))
#: Acts of a rater that were not taken back.
STANDING: Final = "not exists (select 1 from label_history u where u.undoes = {0}.seq)"
#: Of each item and rater the label or the skip that holds.
HOLDS: Final = (
    "select h.queue, h.position, h.rater, max(h.seq) as seq from label_history h where h.action in ('label', 'skip') "
    f"and {STANDING.format('h')} group by h.queue, h.position, h.rater"
)
#: Queues in which turns and what raters did differ.
MISDERIVED: Final = (
    f"select distinct queue from (select * from (select queue, position, rater, seq from ({HOLDS}) except "
    "select queue, position, rater, seq from queue_turns) union all select * from (select queue, position, rater, seq "
    f"from queue_turns where seq is not null except select queue, position, rater, seq from ({HOLDS})))"
)
_LABELS: Final = (
    f"select {_OF_ITEM}, h.rater, 0, q.schema, h.schema_version, h.field_values, (select n.note from label_history n "
    "where n.queue = h.queue and n.position = h.position and n.rater = h.rater and n.action = 'note' and "
    f"{STANDING.format('n')} order by n.seq desc limit 1), h.seconds, h.said_ns, h.seq, i.needs = 0 "
    "from queue_turns t join label_history h on h.seq = t.seq join queues q on q.queue = t.queue "
    "join queue_items i on i.queue = t.queue and i.position = t.position where h.action = 'label' "
    f"union all select {_OF_ITEM}, a.actor, 1, q.schema, a.schema_version, a.field_values, a.reason, null, "
    "a.created_ns, null, i.needs = 0 from adjudications a join queues q on q.queue = a.queue "
    "join queue_items i on i.queue = a.queue and i.position = a.position"
)
#: Of an item: its trace was removed with old ones, or erased. The words of ``Becomes.WORD`` begin so.
GONE: Final = (
    "coalesce(i.trace_id, '') glob 'erased-*' or exists (select 1 from queue_gone g where g.queue = i.queue and "
    "g.position = i.position)"
)
#: Of each item what it is, and how far it is; a condition on the queue and the position finds it by its key.
ITEMS_SQL: Final = (
    "select *, done >= needs as is_done, needs = 0 as is_gold from "
    f"(select {_OF_ITEM}, i.needs, (select count(*) from queue_turns t where t.queue = i.queue "
    f"and t.position = i.position and t.status = 'done') as done, {GONE} as is_gone from queue_items i)"
)
#: Items that are not done by all that are asked, and whose trace was there for all that is known.
_WAITING: Final = (
    f"select i.queue, i.position, i.trace_id from queue_items i where i.trace_id is not null and not ({GONE}) and "
    "(select count(*) from queue_turns t where t.queue = i.queue and t.position = i.position and t.status = 'done') "
    "< i.needs"
)
_FAILURE_STANDS: Final = "not exists (select 1 from failure_history u where u.undoes = f.act)"
#: What was last said of each mode and of each note, and not taken back.
MODE_NOW: Final = (
    "select f.queue, f.mode, f.name, f.criteria, f.actor, f.recorded_ns from failure_history f where f.seq in (select "
    f"max(f.seq) from failure_history f where f.note is null and f.mode is not null and {_FAILURE_STANDS} "
    "group by f.queue, f.mode) and f.name is not null"
)
_NOTE_NOW: Final = (
    "select f.queue, f.note, f.mode from failure_history f where f.seq in (select max(f.seq) from failure_history f "
    f"where f.note is not null and {_FAILURE_STANDS} group by f.queue, f.note)"
)
_WORST: Final = (
    "(select case when max(json_extract(v.value, '$.value') = 'fail') then 'fail' when "
    "max(json_extract(v.value, '$.value') = 'cannot tell') then 'cannot tell' when count(*) then 'pass' end "
    "from json_each({0}) v where v.type = 'object' and json_extract(v.value, '$.value') is not null)"
)
#: What raters wrote on items: their last note, and the critiques of their labels.
_WRITTEN: Final = (
    "select h.queue, h.position, h.rater, null as field, h.note as words, h.said_ns, "
    f"{_WORST.format('l.field_values')} as verdict from label_history h left join queue_turns t on t.queue = h.queue "
    "and t.position = h.position and t.rater = h.rater and t.status = 'done' left join label_history l "
    "on l.seq = t.seq where h.action = 'note' and "
    f"h.note <> '' and {STANDING.format('h')} and not exists (select 1 from label_history n where n.queue = h.queue "
    "and n.position = h.position and n.rater = h.rater and n.action = 'note' and n.seq > h.seq and "
    f"{STANDING.format('n')}) union all select h.queue, h.position, h.rater, c.key, "
    f"json_extract(c.value, '$.critique'), h.said_ns, {_WORST.format('h.field_values')} from queue_turns t "
    "join label_history h on h.seq = t.seq, json_each(h.field_values) c where t.status = 'done' and "
    "c.type = 'object' and json_extract(c.value, '$.critique') <> ''"
)
NOTES_NOW: Final = (
    "select i.queue, i.position, i.item, i.trace_id, i.span_id, i.run_id, i.example_id, i.repeat, i.probability, "
    "w.note, w.rater, w.field, w.verdict, w.words, w.said_ns, m.mode, m.name from (select w.*, w.position || '/' || "
    "coalesce(w.field || '.critique', 'note') || '/' || w.rater as note "
    f"from ({_WRITTEN}) w) w join queue_items i on i.queue = w.queue and i.position = w.position "
    f"left join ({_NOTE_NOW}) n on n.queue = w.queue and n.note = w.note "
    f"left join ({MODE_NOW}) m on m.queue = n.queue and m.mode = n.mode"
)
_MODES: Final = (
    "select m.queue, m.mode, m.name, m.criteria, coalesce(c.notes, 0), coalesce(c.items, 0), m.actor, m.recorded_ns "
    f"from ({MODE_NOW}) m left join (select queue, mode, count(*) as notes, count(distinct position) as items "
    f"from ({NOTES_NOW}) where mode is not null group by queue, mode) c on c.queue = m.queue and c.mode = m.mode "
    "order by m.queue, m.mode"
)
MADE_FAILURES: Final = """
create table failure_history (
    seq integer primary key autoincrement, act integer not null, queue text not null, action text not null,
    mode integer, note text, name text, criteria text, other_mode integer, undoes integer, actor text not null,
    recorded_ns integer not null
);
create unique index failure_history_undoes on failure_history (undoes) where undoes is not null;
create index failure_history_act on failure_history (act);
create index failure_history_mode on failure_history (queue, mode, seq);
create index failure_history_note on failure_history (queue, note, seq) where note is not null;
"""
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
#: What is full is listed, and no more what is open: a new queue has nothing in it.
MADE_ORDERS: Final = """
alter table queues add column item_order text;
alter table queues add column seed integer;
alter table queues add column gold_share real;
alter table queues add column since_version integer;
create table queue_full (queue text not null, position integer not null, primary key (queue, position)) without rowid;
create table queue_back (id integer primary key autoincrement, queue text not null, position integer not null);
create unique index queue_back_item on queue_back (queue, position);
create index queue_back_queue on queue_back (queue);
create table queue_gone (queue text not null, position integer not null, primary key (queue, position)) without rowid;
create index queue_items_erased on queue_items (queue) where trace_id glob 'erased-*';
alter table queue_turns add column seconds real;
update queue_turns set seconds = (select min(h.seconds, 120) from label_history h where h.seq = queue_turns.seq);
drop index queue_turns_rater;
create index queue_turns_rater on queue_turns (queue, rater, status, seconds);
insert into queue_full (queue, position) select i.queue, i.position from queue_items i
    where not exists (select 1 from queue_open o where o.queue = i.queue and o.position = i.position);
drop table queue_open;
drop table queue_raters;
create table queue_raters (
    queue text not null, rater text not null, first integer not null, size integer not null, step integer not null,
    back integer not null, handed integer not null, primary key (queue, rater)
) without rowid;
create table queue_gold (
    queue text not null, position integer not null, schema_version integer not null, field_values text not null,
    author text not null, created_ns integer not null, primary key (queue, position)
) without rowid;
"""
MADE_DRAWS: Final = """
create table queue_draws (
    queue text not null, number integer not null, asked text not null, last integer not null, frame blob not null,
    primary key (queue, number)) without rowid;"""


def outlive(con: sqlite3.Connection, gone: Collection[str]) -> None:
    """Hand nobody an item any more whose trace is gone before all labelled it; labels stay as they are."""
    for queue, position, trace_id in con.execute(_WAITING).fetchall():
        if trace_id in gone:
            con.execute("insert or ignore into queue_gone (queue, position) values (?, ?)", (queue, position))
            con.execute("insert or ignore into queue_full (queue, position) values (?, ?)", (queue, position))
            con.execute("delete from queue_back where queue = ? and position = ?", (queue, position))


def events_of(con: sqlite3.Connection, keys: Any) -> list[tuple[Any, ...]]:
    """Return what was said of erased items."""
    query = "select seq from label_history where queue = ? and position = ?"
    return [(row[0],) for key in keys.get("queue_items", ()) for row in con.execute(query, tuple(key))]


def _compare(check: Checking, table: str, stored: tuple[str, ...], *, key: int) -> None:
    """Compare the rows of a table with their checksums, or with what the event says that erased them.

    A row that was compared before and is the same is not compared again; ``audit verify`` compares all.

    Args:
        check: The comparison.
        table: The table.
        stored: Its columns, the checksum aside.
        key: So many of them, the first ones, are its key.
    """
    named = {tuple(json.loads(at)): event for at, event in check.named(table).items()}
    seen, names = check.seen(table), (*stored, "checksum")
    for row in check.rows(f"select {', '.join(names)} from {table}"):
        content = hash(row)
        if content in seen and row[:key] not in named:
            continue
        event, said = named.get(row[:key], (None, None))
        if said is None:
            is_whole = checksum(row[:-1]) == row[-1]
        else:
            is_whole = row_hash(table, dict(zip(names, row, strict=True))) == said
        if is_whole:
            seen.add(content)
        else:
            check.damaged(event, f"{table} [{', '.join(map(str, row[:key]))}] is not what was written")


def check_items(check: Checking) -> None:
    """Compare items with their checksums, and how many there are with what the queue says."""
    _compare(check, "queue_items", ITEM_STORED, key=2)
    query = "select q.queue from queues q where q.count <> (select count(*) from queue_items i where i.queue = q.queue)"
    for (queue,) in check.con.execute(query).fetchall():
        check.damaged(None, f"queue {queue} has other items than were put in")


def check_labels(check: Checking) -> None:
    """Compare what raters did with the checksums, and what holds of each item with what they did."""
    _compare(check, "label_history", EVENT_STORED, key=1)
    for (queue,) in check.con.execute(MISDERIVED).fetchall():
        check.damaged(None, f"queue {queue} shows other labels than raters gave: ws.feedback.queues.rebuild()")


def _whole(name: str, columns: tuple[Column, ...], order: str, *, of: str | None = None) -> View:
    """Return the view of a table as it is."""
    table = of or name
    return View(name, columns, f"select {', '.join(map(stored_name, columns))} from {table} order by {order}", (table,))


_HELD: Final = "a checksum in each row"
_DERIVED: Final = "the labels that it is derived from"
_LEFT: Final = {"field_values": None, "note": None}
_KIN: Final = of_same_key("queue_items")
ROOM: Final = Room(
    tables=(
        Table("calibrations", ("number",)),
        Table("label_schemas", ("name", "version")),
        *(Table("queues", ("queue",)), Table("queue_draws", ("queue", "number"))),
        Table(
            "queue_items",
            ("queue", "position"),
            held_by=_HELD,
            check=check_items,
            outlives=Outlives(f"select distinct trace_id from ({_WAITING})", outlive),
            erased=Erased(
                "items of queues",
                traces=("trace_id",),
                left={"trace_id": Becomes.WORD, "item": Becomes.WORD, "span_id": None, "stratum": None},
            ),
        ),
        *(Table(name, ("queue", "position"), held_by=_DERIVED) for name in ("queue_full", "queue_back", "queue_gone")),
        Table("queue_turns", ("queue", "position", "rater"), held_by=_DERIVED, check=check_labels),
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
                kin=_KIN,
                left={"field_values": "{}", "reason": None},
            ),
        ),
        # The text of a mode is often a rater's; notes are named by their place, and stay where they are.
        Table(
            "failure_history",
            ("seq",),
            erased=Erased(
                "failure modes", texts=("name", "criteria"), left={"name": Becomes.ERASED, "criteria": Becomes.ERASED}
            ),
        ),
        Table(
            "queue_gold",
            ("queue", "position"),
            erased=Erased("known answers", texts=("field_values",), kin=_KIN, left={"field_values": "{}"}),
        ),
    ),
    views=(
        _whole("failure_history", FAILURES, "seq"),
        View("failure_modes", MODES, _MODES, ("failure_history", "label_history")),
        View(
            "failure_notes",
            NOTES,
            f"{NOTES_NOW} order by i.queue, i.position, w.rater, w.field",
            ("failure_history", "label_history", "queue_items"),
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
        _whole("queues", QUEUES, "queue"),
        View("queue_items", ITEMS, ITEMS_SQL, ("queue_items", "queue_turns")),
        _whole("label_history", EVENTS, "seq"),
        View("labels", LABELS, _LABELS, ("label_history", "queue_items", "queues", "adjudications")),
        _whole("gold_answers", GOLD, "queue, position", of="queue_gold"),
    ),
    migrations={12: MADE_CALIBRATIONS, 13: MADE_QUEUES, 14: MADE_FAILURES, 15: MADE_ORDERS, 16: MADE_DRAWS},
)
