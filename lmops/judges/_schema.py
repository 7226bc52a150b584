"""The tables of judges: versions, the examples that they are shown, what made one better; and the views over them."""

from __future__ import annotations

import json
from typing import Final

from lmops.store.schema import TIME, Becomes, Erased, Room, Table, View

#: What a message of an example becomes when somebody is erased from it; a version that has one judges no more.
GONE: Final = json.dumps(Becomes.ERASED.value)
_VERSIONS: Final = (
    ("name", "VARCHAR", "judge"),
    ("version", "BIGINT", "1, 2, 3, ..."),
    ("ref", "VARCHAR", "name@version"),
    ("judge_version", "VARCHAR", "as in calibrations and in the scorers of runs"),
    ("model", "VARCHAR", "that it asks"),
    ("criteria", "VARCHAR", "what it judges by"),
    ("scale", "VARCHAR", "JSON object: verdict to what it is worth"),
    ("rubric", "VARCHAR", "JSON object: verdict to what it means"),
    ("few_shot", "VARCHAR", "JSON list of the messages of its examples"),
    ("params", "VARCHAR", "JSON object of the parameters of its model"),
    ("hash", "VARCHAR", "of its content"),
    ("parent", "BIGINT", "the version it was made from"),
    ("note", "VARCHAR", "why"),
    ("author", "VARCHAR", "who"),
    ("created_at", TIME, "when"),
)
_IMPROVEMENTS: Final = (
    ("number", "BIGINT", "1, 2, 3, ...; evidence calls it improvement-1"),
    ("judge", "VARCHAR", "name"),
    ("from_version", "BIGINT", "the version that was measured against"),
    ("version", "BIGINT", "the better one"),
    ("n_learning", "BIGINT", "labelled items that it could learn from"),
    ("n_held_out", "BIGINT", "others, on which both were measured"),
    ("p_value", "DOUBLE", "of no difference, by the paired test"),
    ("figures", "VARCHAR", "JSON object of both versions' figures and of their difference, with limits"),
    ("author", "VARCHAR", "who"),
    ("created_at", TIME, "when"),
)
MADE: Final = """
create table judge_versions (
    name text not null, version integer not null, hash text not null, body text not null, judge_version text not null,
    parent integer, note text, author text not null, created_ns integer not null, primary key (name, version)
) without rowid;
create table judge_examples (
    name text not null, version integer not null, place integer not null, message text not null, trace_id text,
    primary key (name, version, place)
) without rowid;
create table judge_improvements (
    number integer primary key, judge text not null, from_version integer not null, version integer not null,
    n_learning integer not null, n_held_out integer not null, p_value real, figures text not null,
    author text not null, created_ns integer not null
);
"""
ROOM: Final = Room(
    tables=(
        Table("judge_versions", ("name", "version")),
        Table(
            "judge_examples",
            ("name", "version", "place"),
            erased=Erased(
                "messages of judges' examples",
                traces=("trace_id",),
                texts=("message",),
                left={"message": GONE, "trace_id": None},
            ),
        ),
        Table("judge_improvements", ("number",)),
    ),
    views=(
        View(
            "judges",
            (
                ("name", "VARCHAR", "unique"),
                ("versions", "BIGINT", "how many; the newest one"),
                ("aliases", "VARCHAR", "JSON object: alias to version"),
                ("created_at", TIME, "first version"),
                ("changed_at", TIME, "newest version"),
            ),
            "select v.name, max(v.version), (select json_group_object(a.alias, a.version) from aliases a "
            "where a.kind = 'judge' and a.name = v.name), min(v.created_ns), max(v.created_ns) from judge_versions v "
            "group by v.name order by v.name",
            ("judge_versions", "aliases"),
        ),
        View(
            "judge_versions",
            _VERSIONS,
            "select v.name, v.version, v.name || '@' || v.version, v.judge_version, "
            "json_extract(v.body, '$.options.model'), json_extract(v.body, '$.options.criteria'), "
            "json_extract(v.body, '$.options.scale'), json_extract(v.body, '$.options.rubric'), "
            "(select json_group_array(json(e.message)) from (select x.message from judge_examples x "
            "where x.name = v.name and x.version = v.version order by x.place) e), "
            "json_extract(v.body, '$.options.params'), "
            "v.hash, v.parent, v.note, v.author, v.created_ns from judge_versions v order by v.name, v.version",
            ("judge_versions", "judge_examples"),
        ),
        View(
            "judge_improvements",
            _IMPROVEMENTS,
            "select number, judge, from_version, version, n_learning, n_held_out, p_value, figures, author, created_ns "
            "from judge_improvements order by number",
            ("judge_improvements",),
        ),
    ),
    migrations={16: MADE},
)
