"""The tables of scores of production, of monitors, of what they know of each series, of alerts; and their views."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lmops.store.schema import (
    TIME,
    Becomes,
    Column,
    DerivedView,
    Erased,
    Room,
    Table,
    View,
    compares,
    of_same_key,
    stored_name,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable


SCORE_HISTORY: Final[tuple[Column, ...]] = (
    ("seq", "BIGINT", "1, 2, 3, ... in the order in which they were kept"),
    ("trace_id", "VARCHAR", "the trace"),
    ("start_at", TIME, "start of the trace"),
    ("session_id", "VARCHAR", "the conversation of the trace"),
    ("scorer", "VARCHAR", "name of the scorer"),
    ("scorer_version", "VARCHAR", "of its source and options; of a judge of its prompt and model"),
    ("kind", "VARCHAR", "code, judge"),
    ("status", "VARCHAR", "value, unmeasured (nothing to measure), error (measuring failed)"),
    ("score", "DOUBLE", "the score; yes is 1 and no 0; NULL unless the status is value"),
    ("reason", "VARCHAR", "why there is no score"),
    ("rationale", "VARCHAR", "why the score is what it is"),
    ("detail", "VARCHAR", "JSON object of what the score was made of"),
    ("cost_usd", "DOUBLE", "of the models that the scorer asked; NULL: none, or not known"),
    ("span_count", "BIGINT", "spans that the trace had then; with more it is scored again"),
    ("is_sampled", "BOOLEAN", "it was drawn; otherwise all traces are scored"),
    (
        "number",
        "DOUBLE",
        "of a drawn trace, in 0..1, always the same: it is drawn when it is below its chance",
    ),
    ("scored_at", TIME, "when it was scored"),
    ("replaces", "BIGINT", "seq of what the scorer said of the trace before"),
)
#: The columns of the table, its checksum aside.
SCORE_STORED: Final = tuple(map(stored_name, SCORE_HISTORY))
CHANCES: Final[tuple[Column, ...]] = (
    ("seq", "BIGINT", "of the score in trace_score_history"),
    ("probability", "DOUBLE", "with which its trace was drawn, by all draws that are finished so far"),
)
SCORERS: Final[tuple[Column, ...]] = (
    ("scorer", "VARCHAR", "name of the scorer"),
    ("scorer_version", "VARCHAR", "its version"),
    ("kind", "VARCHAR", "code, judge"),
    ("model", "VARCHAR", "that a judge asks"),
    ("low", "DOUBLE", "the least score; NULL: open"),
    ("high", "DOUBLE", "the greatest score; NULL: open"),
    ("higher_is_better", "BOOLEAN", "more is better"),
    ("seed", "BIGINT", "of its draws; NULL: it scores all traces"),
    ("author", "VARCHAR", "who first let it score"),
    ("created_at", TIME, "when"),
)
#: What each scorer said last of each trace, with the chance that the trace had.
_SCORES: Final = (
    "select h.trace_id, h.start_at, h.session_id, h.scorer, h.scorer_version, h.kind, h.status, h.score, h.reason, "
    "h.rationale, h.detail, case when h.is_sampled then c.probability else 1.0 end as probability, h.cost_usd, "
    "h.span_count, h.is_sampled, h.number, h.scored_at, h.seq "
    "from (select history.* from trace_score_history as history anti join "
    "(select replaces from trace_score_history where replaces is not null) as replaced "
    "on replaced.replaces = history.seq) as h left join trace_score_chances as c on c.seq = h.seq"
)
MADE_SCORES: Final = """
create table trace_score_history (
    seq integer primary key autoincrement, trace_id text not null, start_ns integer not null, session_id text,
    scorer text not null, scorer_version text not null, kind text not null, status text not null, score real,
    reason text, rationale text, detail text, cost_usd real, span_count integer not null, is_sampled integer not null,
    number real, scored_ns integer not null, replaces integer, checksum integer not null
);
create index trace_score_history_trace on trace_score_history (trace_id, scorer, seq);
create table trace_score_chances (seq integer primary key, probability real not null, checksum integer not null);
create table trace_score_claims (
    trace_id text not null, scorer text not null, scorer_version text not null, owner text not null,
    pid integer not null, pid_started text, host text not null, heartbeat_ns integer not null,
    primary key (trace_id, scorer, scorer_version)
) without rowid;
create index trace_score_claims_owner on trace_score_claims (owner);
create table trace_scorers (
    scorer text not null, scorer_version text not null, kind text not null, model text, low real, high real,
    higher_is_better integer not null, seed integer, author text not null, created_ns integer not null,
    primary key (scorer, scorer_version)
) without rowid;
"""


def names_of_scores(_con: sqlite3.Connection, keys: Any) -> list[str]:
    """Return what scores are called in a report: by their numbers."""
    return [f"score {seq}" for (seq,) in sorted(keys)]


SCORE_TABLES: Final = (
    Table(
        "trace_score_history",
        ("seq",),
        held_by="a checksum in each row",
        check=compares("trace_score_history", SCORE_STORED, grows=True),
        erased=Erased(
            "scores of traces",
            traces=("trace_id",),
            texts=("session_id", "reason", "rationale", "detail"),
            names=names_of_scores,
        ),
    ),
    Table(
        "trace_score_chances",
        ("seq",),
        held_by="a checksum in each row",
        check=compares("trace_score_chances", ("seq", "probability"), grows=False),
        erased=Erased("chances of scores", kin=of_same_key("trace_score_history")),
    ),
    Table(
        "trace_score_claims",
        ("trace_id", "scorer", "scorer_version"),
        held_by="the process that scores, for as long as it does",
        erased=Erased("traces that are being scored", traces=("trace_id",)),
    ),
    Table("trace_scorers", ("scorer", "scorer_version")),
)


def _whole(name: str, columns: tuple[Column, ...], order: str = "") -> View:
    """Return the view of a table as it is."""
    return View(name, columns, f"select {', '.join(map(stored_name, columns))} from {name}{order}", (name,))


SCORE_VIEWS: Final = (
    _whole("trace_score_history", SCORE_HISTORY)._replace(grows_by="seq"),
    _whole("trace_score_chances", CHANCES),
    _whole("trace_scorers", SCORERS, " order by scorer, scorer_version"),
)
SCORE_DERIVED: Final = (
    DerivedView(
        "trace_scores",
        ("trace_score_history", "trace_score_chances"),
        _SCORES,
        says={"probability": "with which the trace was drawn; 1: all are scored; NULL: the draw is not finished"},
    ),
)
_SAID: Final[tuple[tuple[str, str, str, str], ...]] = (
    ("metric", "VARCHAR", "name of the metric, or JSON object of one's own", "$.metric"),
    ("series_by", "VARCHAR", "JSON list of the columns that tell its series apart", "$.by"),
    ("condition", "VARCHAR", "which rows of the metric's view count, SQL", "$.where"),
    ("method", "VARCHAR", "detector, threshold, anomaly, burn, silence", "$.method"),
    ("window", "VARCHAR", "the stretch of time that estimates are of", "$.window"),
    ("baseline", "VARCHAR", "what it is held against", "$.baseline"),
    ("direction", "VARCHAR", "above, below, both", "$.direction"),
    ("limit_value", "DOUBLE", "the limit, budget or number of times of its method", "$.limit"),
    ("severity", "VARCHAR", "page, urgent, ticket, note", "$.severity"),
    ("owner", "VARCHAR", "who looks after it", "$.owner"),
)
_VERSIONS: Final[tuple[Column, ...]] = (
    ("name", "VARCHAR", "monitor"),
    ("version", "BIGINT", "1, 2, 3, ..."),
    ("ref", "VARCHAR", "name@version"),
    *((name, sql, said) for name, sql, said, _ in _SAID),
    ("is_on", "BOOLEAN", "whether it is looked at"),
    ("hash", "VARCHAR", "of its content"),
    ("parent", "BIGINT", "the version it was made from"),
    ("note", "VARCHAR", "why"),
    ("author", "VARCHAR", "who"),
    ("created_at", TIME, "when"),
)
_VERSION_SQL: Final = (
    "select v.name, v.version, v.name || '@' || v.version, "
    + ", ".join(f"json_extract(v.body, '{path}')" for *_, path in _SAID)
    + ", json_extract(v.body, '$.on'), v.hash, v.parent, v.note, v.author, v.created_ns from monitor_versions v"
)
#: Where the alias production points, else the newest version.
_CURRENT: Final = (
    "coalesce((select a.version from aliases a where a.kind = 'monitor' and a.name = v.name and a.alias = "
    "'production'), (select max(n.version) from monitor_versions n where n.name = v.name))"
)
SERIES: Final[tuple[Column, ...]] = (
    ("monitor", "VARCHAR", "name"),
    ("version", "BIGINT", "of the monitor"),
    ("series", "VARCHAR", "JSON object: the values that tell it apart; {} for all"),
    ("status", "VARCHAR", "quiet, firing, learning, no data"),
    ("n", "BIGINT", "items of the estimate"),
    ("needed", "BIGINT", "so many more are needed to tell; NULL: it can tell"),
    ("estimate", "DOUBLE", "of the metric over the window, in its unit"),
    ("low", "DOUBLE", "lower limit, of a confidence sequence (95 %): it holds at every look"),
    ("high", "DOUBLE", "upper limit, likewise"),
    ("baseline", "DOUBLE", "what it is held against, in the unit of the metric"),
    ("words", "VARCHAR", "the same in a sentence"),
    ("looked_until_at", TIME, "everything before it was looked at"),
    ("checked_at", TIME, "when it was looked at last"),
    ("seq", "BIGINT", "how often it was written"),
)
STATE: Final = tuple(stored_name(column) for column in SERIES)
ALERTS: Final[tuple[Column, ...]] = (
    ("alert", "BIGINT", "1, 2, 3, ..."),
    ("monitor", "VARCHAR", "name"),
    ("version", "BIGINT", "of the monitor"),
    ("series", "VARCHAR", "JSON object: the values that tell it apart; {} for all"),
    ("metric", "VARCHAR", "name of the metric"),
    ("direction", "VARCHAR", "above or below; NULL of silence"),
    ("severity", "VARCHAR", "page, urgent, ticket, note"),
    ("status", "VARCHAR", "firing, acknowledged, silenced, resolved"),
    ("since_at", TIME, "the likeliest time of the change"),
    ("since_low_at", TIME, "the earliest likely time of it"),
    ("since_high_at", TIME, "the latest likely time of it"),
    ("found_at", TIME, "up to when one had to look to find it"),
    ("opened_at", TIME, "when a check said so"),
    ("n", "BIGINT", "items of the estimate"),
    ("estimate", "DOUBLE", "of the metric since then, in its unit"),
    ("low", "DOUBLE", "lower limit, of a confidence sequence (95 %): it holds at every look"),
    ("high", "DOUBLE", "upper limit, likewise"),
    ("baseline", "DOUBLE", "what it is held against"),
    ("words", "VARCHAR", "the same in a sentence"),
    ("times_opened", "BIGINT", "more than 1: it came back soon after it was resolved"),
    ("silenced_until_at", TIME, "of a silenced one"),
    ("resolved_at", TIME, "when it was resolved last"),
    ("actor", "VARCHAR", "who moved it last"),
    ("moved_at", TIME, "when"),
    ("reason", "VARCHAR", "why"),
)
_ALERTS_SQL: Final = (
    "select "
    + ", ".join(f"a.{stored_name(column)}" for column in ALERTS)
    + ", (select json_group_array(e.trace_id) from (select x.trace_id from alert_examples x where x.alert = a.alert "
    "order by x.place) e) from alerts a order by a.alert"
)
_HISTORY: Final[tuple[Column, ...]] = (
    ("event_id", "BIGINT", "in the audit chain"),
    ("alert", "BIGINT", "which"),
    ("action", "VARCHAR", "open, acknowledge, silence, unsilence, resolve, reopen, update"),
    ("status", "VARCHAR", "firing, acknowledged, silenced, resolved; NULL: it stayed what it was"),
    ("actor", "VARCHAR", "who"),
    ("at", TIME, "when"),
    ("reason", "VARCHAR", "why"),
)
MADE: Final = """
create table monitor_versions (
    name text not null, version integer not null, hash text not null, body text not null, parent integer, note text,
    author text not null, created_ns integer not null, primary key (name, version)
) without rowid;
create table monitor_states (
    monitor text not null, version integer not null, series text not null, status text not null, n integer,
    needed integer, estimate real, low real, high real, baseline real, words text not null,
    looked_until_ns integer not null, checked_ns integer not null, seq integer not null, body text not null,
    checksum integer not null, primary key (monitor, version, series)
) without rowid;
create table alerts (
    alert integer primary key, monitor text not null, version integer not null, series text not null,
    metric text not null, direction text, severity text not null, since_ns integer, since_low_ns integer,
    since_high_ns integer, found_ns integer not null, opened_ns integer not null, n integer, estimate real, low real,
    high real, baseline real, words text not null, times_opened integer not null, silenced_until_ns integer,
    resolved_ns integer, status text not null, owner text, until_ns integer, actor text not null,
    moved_ns integer not null, reason text
);
create index alerts_open on alerts (monitor, series, status);
create table monitor_files (
    folder text not null, name text not null, hash text not null, primary key (folder, name)
) without rowid;
create table alert_examples (
    alert integer not null, place integer not null, trace_id text not null, primary key (alert, place)
) without rowid;
"""


def names_of_series(_con: sqlite3.Connection, keys: Iterable[tuple[Any, ...]]) -> list[str]:
    """Return what series are called."""
    return [f"a series of the monitor {monitor}" for monitor in sorted({key[0] for key in keys})]


def names_of_alerts(_con: sqlite3.Connection, keys: Iterable[tuple[Any, ...]]) -> list[str]:
    """Return what alerts are called."""
    return [f"alert {number}" for (number,) in sorted(keys)]


TABLES: Final = (
    *SCORE_TABLES,
    Table("monitor_versions", ("name", "version")),
    Table(
        "monitor_files",
        ("folder", "name"),
        held_by="nothing: it is what the last sync saw; a wrong one makes the next ask",
    ),
    Table(
        "monitor_states",
        ("monitor", "version", "series"),
        held_by="a checksum in each row",
        check=compares("monitor_states", (*STATE, "body"), grows=False),
        erased=Erased("series of monitors", texts=("series",), names=names_of_series),
    ),
    Table(
        "alerts",
        ("alert",),
        erased=Erased(
            "alerts",
            texts=("series", "words"),
            left={"series": Becomes.WORD, "words": Becomes.ERASED},
            names=names_of_alerts,
        ),
    ),
    Table("alert_examples", ("alert", "place"), erased=Erased("examples of alerts", traces=("trace_id",))),
)
VIEWS: Final = (
    *SCORE_VIEWS,
    View(
        "monitors",
        _VERSIONS,
        f"{_VERSION_SQL} where v.version = {_CURRENT} order by v.name",
        ("monitor_versions", "aliases"),
    ),
    View("monitor_versions", _VERSIONS, f"{_VERSION_SQL} order by v.name, v.version", ("monitor_versions",)),
    View(
        "monitor_series",
        SERIES,
        f"select {', '.join(STATE)} from monitor_states order by monitor, version, series",
        ("monitor_states",),
    ),
    View(
        "alerts",
        (*ALERTS, ("examples", "VARCHAR", "JSON list of the ids of example traces, worst first")),
        _ALERTS_SQL,
        ("alerts", "alert_examples"),
    ),
    View(
        "alert_history",
        _HISTORY,
        "select event_id, cast(subject as integer), substr(action, 7), json_extract(after, '$.status'), actor, at_ns, "
        "reason from audit where action like 'alert.%' order by event_id",
        ("audit",),
    ),
)
ROOM: Final = Room(tables=TABLES, views=VIEWS, migrations={18: MADE_SCORES, 19: MADE}, derived=SCORE_DERIVED)
