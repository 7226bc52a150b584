"""Questions over signals: what holds, what was ever said, what waits for its trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lmops.errors import LmopsError, UsageError

if TYPE_CHECKING:
    import pandas as pd

    from lmops.feedback._records import Signal
    from lmops.store import Store

#: A trace, a span or a response waits until its trace is there, a conversation until one of its traces is.
_WAITING: Final = """
from feedback as f where f.seq > ? and case
  when f.target = 'session' then not exists (select 1 from traces as t where t.session_id = f.session_id)
  else not exists (select 1 from traces as t where t.trace_id = f.trace_id)
end
"""


def current(
    store: Store, *, name: str | None, trace_id: str | None, user: str | None, history: bool, limit: int | None
) -> pd.DataFrame:
    """Return signals, the newest first; see :meth:`lmops.feedback.Feedback.list`."""
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 0):
        raise UsageError(f"limit={limit!r}: give a number of signals, or None for all")

    asked = {"name": name, "trace_id": trace_id, "user_id": user}
    given = {column: value for column, value in asked.items() if value is not None}
    where = " and ".join(f"{column} = ${column}" for column in given) or "true"
    cut = "" if limit is None else f"limit {limit}"
    view = "feedback_history" if history else "feedback"
    frame: pd.DataFrame = store.sql(
        f"select * from {view} where {where} order by said_at desc, seq desc {cut}", given
    ).df()
    return frame


def waiting(store: Store) -> pd.DataFrame:
    """Return the signals whose trace is not there, the newest first."""
    frame: pd.DataFrame = store.sql(f"select f.* {_WAITING} order by f.said_at desc, f.seq desc", [0]).df()
    return frame


def is_waiting(store: Store, signal: Signal) -> bool | None:
    """Return whether what a signal is on is not there (yet); None where the traces cannot be read at the moment."""
    column = f"{signal.target if signal.trace_id is None else 'trace'}_id"
    call = " and is_call" if column == "response_id" else ""
    try:
        return not store.sql(
            f"select 1 from spans where {column} = ?{call} limit 1", [getattr(signal, column)]
        ).fetchall()
    except LmopsError:  # it is kept all the same
        return None


def count_waiting(store: Store, *, since: int) -> int:
    """Return how many of the signals that arrived after one of a number wait for their trace."""
    return int(store.sql(f"select count(*) {_WAITING}", [since]).fetchall()[0][0])
