"""The tables of the answers that judges are shown again and again, and the views over them."""

from __future__ import annotations

from typing import Final

from lmops.store.schema import TIME, Column, Room, Table, View, stored_name

_ANCHORS: Final[tuple[Column, ...]] = (
    ("judge", "VARCHAR", "name of the judge"),
    ("version", "BIGINT", "of the judge"),
    ("judge_version", "VARCHAR", "that of its scorer, as scores and calibrations have it"),
    ("dataset", "VARCHAR", "whose answers it is shown, name@version"),
    ("items", "BIGINT", "answers that it gave a verdict on"),
    (
        "repeats",
        "BIGINT",
        "how often it was asked at once: the first is kept, the others say how often it flips",
    ),
    ("every_s", "DOUBLE", "it is asked again by a check when so many seconds have passed"),
    ("budget_usd", "DOUBLE", "what asking it again may cost; NULL: no limit"),
    ("author", "VARCHAR", "who chose them"),
    ("created_at", TIME, "when"),
)
_VERDICTS: Final[tuple[Column, ...]] = (
    ("seq", "BIGINT", "1, 2, 3, ..."),
    ("judge", "VARCHAR", "name of the judge"),
    ("version", "BIGINT", "of the judge"),
    ("sweep", "BIGINT", "0: the verdict that is kept; then every time that it was asked again"),
    ("example_id", "VARCHAR", "of the answer in its dataset"),
    ("score", "DOUBLE", "what it said"),
    ("kept", "DOUBLE", "what it said first"),
    ("differs", "DOUBLE", "0 the same, 1 the opposite, of scores the share of the scale between; NULL of the first"),
    ("cost_usd", "DOUBLE", "of the models that it asked; NULL: none, or not known"),
    ("start_at", TIME, "when"),
)
MADE: Final = """
create table judge_anchors (
    judge text not null, version integer not null, judge_version text not null, dataset text not null,
    items integer not null, repeats integer not null, every_s real not null, budget_usd real, author text not null,
    created_ns integer not null, primary key (judge, version)
) without rowid;
create table anchor_verdicts (
    seq integer primary key autoincrement, judge text not null, version integer not null, sweep integer not null,
    example_id text not null, score real not null, kept real not null, differs real, cost_usd real,
    start_ns integer not null
);
create index anchor_verdicts_judge on anchor_verdicts (judge, version, sweep);
create table anchor_claims (
    judge text not null, version integer not null, pid integer not null, pid_started text, host text not null,
    heartbeat_ns integer not null, primary key (judge, version)
) without rowid;
"""
ROOM: Final = Room(
    tables=(
        Table("judge_anchors", ("judge", "version")),
        Table("anchor_verdicts", ("seq",)),
        Table("anchor_claims", ("judge", "version"), held_by="the process that asks the judge, for as long as it does"),
    ),
    views=(
        View(
            "judge_anchors",
            _ANCHORS,
            f"select {', '.join(map(stored_name, _ANCHORS))} from judge_anchors order by judge, version",
            ("judge_anchors",),
        ),
        View(
            "anchor_verdicts",
            (
                *_VERDICTS,
                ("verdict", "VARCHAR", "unique: each is by itself"),
                ("trace_id", "VARCHAR", "NULL: it is of no trace"),
            ),
            f"select {', '.join(map(stored_name, _VERDICTS))}, judge || '@' || version || ' ' || seq, null "
            "from anchor_verdicts order by seq",
            ("anchor_verdicts",),
        ),
    ),
    migrations={23: MADE},
)
