"""Scores of production traces on their way into the store: who scores what, what was said, with which chance.

Several processes may score at once. What asks a model is claimed first, trace by trace, so that nobody pays for it
twice; a claim ends with what was said, with the call, or with the process. What asks none may be reckoned twice, and is
kept once.
"""

from __future__ import annotations

import json
import secrets
import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.errors import UsageError
from lmops.monitors._schema import SCORE_STORED
from lmops.scorers.asking import asks, known_sum
from lmops.store import Process, is_alive, this_process
from lmops.store.schema import checksum
from lmops.text import plain_line

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from lmops.monitors._score_inputs import Seen
    from lmops.records import Project
    from lmops.scorers import Score, Scorer

#: What fails so often on a trace is left: it would be paid for in every call.
TRIES: Final = 3
_MOST: Final = 10_000  # characters of a reason
_INSERT: Final = (
    f"insert into trace_score_history ({', '.join(SCORE_STORED)}, checksum) "
    f"values ({', '.join('?' * (len(SCORE_STORED) + 1))})"
)
#: What was ever numbered: numbers of what was erased are not given again.
_LAST: Final = (
    "select max(coalesce((select seq from sqlite_sequence where name = 'trace_score_history'), 0), "
    "coalesce((select max(seq) from trace_score_history), 0))"
)
_SAID: Final = (
    "select seq, scorer_version, status, span_count from trace_score_history where trace_id = ? and scorer = ? "
    "order by seq desc"
)
_OWNER: Final = (
    "select pid, pid_started, host, heartbeat_ns from trace_score_claims where trace_id = ? and scorer = ? "
    "and scorer_version = ?"
)
_CLAIM: Final = "insert or replace into trace_score_claims values (?, ?, ?, ?, ?, ?, ?, ?)"
_CHANCE: Final = (
    "insert into trace_score_chances (seq, probability, checksum) values (?, ?, ?) on conflict (seq) do update set "
    "probability = excluded.probability, checksum = excluded.checksum where excluded.probability > probability"
)


class Said(NamedTuple):
    """What one scorer said of one trace, what that cost, and the number by which the trace was drawn, if it was."""

    scorer: Scorer
    score: Score
    cost_usd: float | None = None
    number: float | None = None


def enrol(project: Project, scorers: Sequence[Scorer], *, seed: int) -> None:
    """Write down which scorers score, each version once; the audit chain has who first let it.

    Raises:
        UsageError: One was drawn for with another seed: together the chances would not be known.
    """
    with project.change() as change:
        for scorer in scorers:
            query = "select seed from trace_scorers where scorer = ? and scorer_version = ?"
            known = change.con.execute(query, (scorer.name, scorer.version)).fetchone()
            drawn_by = seed if asks(scorer) else None
            if known is None:
                row = {**_about(scorer), "seed": drawn_by, "author": change.actor, "created_ns": change.at_ns}
                change.insert("trace_scorers", row)
                change.say("monitor.score", scorer.name, after={"version": scorer.version, "seed": drawn_by})
            elif known[0] != drawn_by:
                raise UsageError(
                    f"seed={seed}: traces are drawn for {plain_line(scorer.name, 60)} with seed={known[0]}; with "
                    "another one nobody would know their chances: keep the seed, or give the scorer another name"
                )


def _about(scorer: Scorer) -> dict[str, Any]:
    """Return what is written down of a scorer."""
    low, high = scorer.range or (None, None)
    model = scorer.options.get("model")
    return {
        "scorer": scorer.name,
        "scorer_version": scorer.version,
        "kind": scorer.kind,
        "model": None if model is None else str(model),
        "low": low,
        "high": high,
        "higher_is_better": int(scorer.higher_is_better),
    }


class Claims:
    """The traces that one call scores, and the scores that it keeps.

    Args:
        project: Whose store it is.
        scorers: Those that score.
    """

    def __init__(self, project: Project, scorers: Sequence[Scorer]) -> None:
        self._store = project.store
        self._versions = {one.name: one.version for one in scorers}  # a hash of its source, made once
        self._owner = secrets.token_hex(8)
        self._process = this_process()
        #: by scorer what was kept, by status
        self.kept: defaultdict[str, Counter[str]] = defaultdict(Counter)
        #: by scorer what was paid; None while nothing has a known cost
        self.paid: defaultdict[str, float | None] = defaultdict(lambda: None)

    def take(self, traces: Sequence[tuple[Seen, Sequence[Scorer]]]) -> list[tuple[Seen, list[Scorer]]]:
        """Return what nobody else scores or has scored meanwhile; from then on it is claimed."""
        now_ns = time.time_ns()
        found = []
        with self._store.transaction(durable=False) as con:
            for trace, scorers in traces:
                mine = [one for one in scorers if self._is_free(con, trace, one, now_ns)]
                for scorer in mine:
                    key = (trace.trace_id, scorer.name, self._versions[scorer.name])
                    con.execute(_CLAIM, (*key, self._owner, *self._process, now_ns))
                if mine:
                    found.append((trace, mine))
        return found

    def _is_free(self, con: sqlite3.Connection, trace: Seen, scorer: Scorer, now_ns: int) -> bool:
        said = con.execute(_SAID, (trace.trace_id, scorer.name)).fetchall()
        version = self._versions[scorer.name]
        if _is_known(said, version, trace.span_count):
            return False
        row = con.execute(_OWNER, (trace.trace_id, scorer.name, version)).fetchone()
        return row is None or not is_alive(Process(row[0], row[1], row[2]), heartbeat_ns=row[3], now_ns=now_ns)

    def write(self, rows: Sequence[Mapping[str, Any]], *, wait: bool = True) -> None:
        """Keep what scorers said of traces, and say that somebody still works.

        Args:
            rows: Each with ``trace`` (:class:`Seen`) and ``said`` (a list of :class:`Said`).
            wait: Wait for whoever writes at the moment.

        Raises:
            BusyError: Somebody does, and it was not to wait.
        """
        now_ns = time.time_ns()
        made: list[tuple[Said, bool]] = []
        with self._store.transaction(durable=False, wait=wait) as con:
            seq = int(con.execute(_LAST).fetchone()[0])
            for row in rows:
                for said in row["said"]:
                    is_news = _keep(con, seq + 1, row["trace"], said, self._versions[said.scorer.name], now_ns)
                    seq += is_news
                    made.append((said, is_news))
            con.execute("update trace_score_claims set heartbeat_ns = ? where owner = ?", (now_ns, self._owner))

        for said, is_news in made:
            name = said.scorer.name
            self.kept[name][said.score.status] += is_news
            self.paid[name] = known_sum((self.paid[name], said.cost_usd))

    def release(self) -> None:
        """Let go of what is still claimed."""
        with self._store.transaction(durable=False) as con:
            con.execute("delete from trace_score_claims where owner = ?", (self._owner,))

    def settle(self, chances: Mapping[int, float]) -> None:
        """Write down the chances of scores, by their numbers; a greater one that is known stays."""
        with self._store.transaction(durable=False) as con:
            con.executemany(_CHANCE, [(seq, chance, checksum((seq, chance))) for seq, chance in chances.items()])


def _keep(con: sqlite3.Connection, seq: int, trace: Seen, said: Said, version: str, now_ns: int) -> bool:
    """Write what a scorer said, and return whether it was news."""
    scorer, score = said.scorer, said.score
    known = con.execute(_SAID, (trace.trace_id, scorer.name)).fetchall()
    is_news = not _is_known(known, version, trace.span_count)
    if is_news:
        row = {
            "seq": seq,
            "trace_id": trace.trace_id,
            "start_ns": trace.start_ns,
            "session_id": trace.session_id,
            "scorer": scorer.name,
            "scorer_version": version,
            "kind": scorer.kind,
            "status": score.status,
            "score": score.number,
            "reason": _text(score.reason),
            "rationale": _text(score.rationale),
            "detail": None if score.detail is None else json.dumps(score.detail, default=str),
            "cost_usd": said.cost_usd,
            "span_count": trace.span_count,
            "is_sampled": int(asks(scorer)),
            "number": said.number,
            "scored_ns": now_ns,
            "replaces": known[0]["seq"] if known else None,
        }
        values = [row[name] for name in SCORE_STORED]
        con.execute(_INSERT, (*values, checksum(values)))
    key = (trace.trace_id, scorer.name, version)
    con.execute("delete from trace_score_claims where trace_id = ? and scorer = ? and scorer_version = ?", key)
    return is_news


def _is_known(said: Sequence[sqlite3.Row], version: str, span_count: int) -> bool:
    """Return whether a version has said of a trace, as it is now, what it has to say, or failed often enough."""
    same = [row["status"] for row in said if row["scorer_version"] == version and row["span_count"] >= span_count]
    return any(status != "error" for status in same) or len(same) >= TRIES


def _text(text: str | None) -> str | None:
    """Return words as they can be kept."""
    return None if text is None else text[:_MOST].encode("utf-8", "replace").decode()
