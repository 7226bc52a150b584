"""Signals into the store: the last word on a target under a name counts, and every word is kept."""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from lmops.feedback._schema_signals import STORED
from lmops.store.schema import checksum
from lmops.times import to_ns

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator

    from lmops.feedback._records import Change, Signal
    from lmops.records import Project

_SAID: Final = ("kind", "value", "scale_low", "scale_high", "comment")
_KNOWN: Final = (
    f"select seq, said_ns, recorded_ns, {', '.join(_SAID)} from feedback_history where signal_id = ? order by seq"
)
_INSERT: Final = (
    f"insert into feedback_history ({', '.join(STORED)}, checksum) values ({', '.join('?' * (len(STORED) + 1))})"
)
#: What was ever numbered: numbers of what was erased are not given again.
_LAST: Final = (
    "select max(coalesce((select seq from sqlite_sequence where name = 'feedback_history'), 0), "
    "coalesce((select max(seq) from feedback_history), 0))"
)


def write(
    con: sqlite3.Connection, signals: Iterable[Signal], *, at_ns: int, repeated: bool = False
) -> Iterator[tuple[Signal, Change]]:
    """Write signals inside the caller's transaction; yield each with what that did.

    What counts of a signal is what was said last. One whose time lies in the future counts from when it arrived, so
    that a clock that is fast silences nobody.

    Args:
        con: Inside a transaction.
        signals: In the order of their arrival.
        at_ns: The present.
        repeated: One without a time adds nothing where the same was ever said; otherwise where it was said last.
    """
    seq = int(con.execute(_LAST).fetchone()[0])
    for signal in signals:
        signal_id = identity(signal)
        known = con.execute(_KNOWN, (signal_id,)).fetchall()
        latest: sqlite3.Row | None = max(known, key=_order, default=None)
        said_ns = at_ns if signal.at_ns is None else signal.at_ns
        asked = known if repeated or signal.at_ns is not None or latest is None else [latest]
        if any(_says(row, signal) and signal.at_ns in (None, row["said_ns"]) for row in asked):
            yield signal, "same"
            continue
        seq += 1
        change: Change = "new"
        replaces = None
        if latest is not None:
            is_last = (min(said_ns, at_ns), seq) > _order(latest)
            replaces, change = (latest["seq"], "changed") if is_last else (seq, "late")
        row = {name: getattr(signal, name) for name in STORED if hasattr(signal, name)}
        row |= {"seq": seq, "signal_id": signal_id, "said_ns": said_ns, "recorded_ns": at_ns, "replaces": replaces}
        values = [row[name] for name in STORED]
        con.execute(_INSERT, (*values, checksum(values)))
        yield signal, change


def identity(signal: Signal) -> str:
    """Return the id that all signals of one user on one target under one name have.

    Where nobody is named each signal is one of its own: told apart by its key, else by all that was said and when.
    """
    where: list[Any] = [signal.target, signal.place]
    if signal.target == "span":
        where.append(signal.trace_id)
    who: list[Any]
    if signal.user_id is not None:
        who = ["user", signal.user_id]
    elif signal.key is not None:
        who = ["key", signal.key]
    elif signal.at_ns is not None:
        who = ["said", signal.at_ns, *(getattr(signal, name) for name in _SAID)]
    else:
        who = ["alone", uuid.uuid4().hex]
    text = json.dumps([*where, signal.name, who], ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _order(row: sqlite3.Row) -> tuple[int, int]:
    return min(row["said_ns"], row["recorded_ns"]), row["seq"]


def _says(row: sqlite3.Row, signal: Signal) -> bool:
    return all(row[name] == getattr(signal, name) for name in _SAID)


def last_seq(project: Project) -> int:
    """Return the number of the signal that arrived last; 0 for none."""
    with project.reading() as con:
        return int(con.execute(_LAST).fetchone()[0])


def record(project: Project, signal: Signal) -> Signal:
    """Write one signal and return it with what that did; kept through a killed process, as a span is."""
    at_ns = to_ns(project.now())
    with project.store.transaction(durable=False) as con:
        ((_, change),) = write(con, [signal], at_ns=at_ns)
    return replace(signal, at_ns=at_ns if signal.at_ns is None else signal.at_ns, change=change)
