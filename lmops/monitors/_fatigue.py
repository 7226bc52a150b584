"""How many alerts there were, and of how many somebody took notice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lmops.calc.intervals import wilson
from lmops.times import from_ns

if TYPE_CHECKING:
    import pandas as pd

    from lmops.store import Store

#: A check resolves an alert as of the data that it looked at, somebody who does it resolves it now.
_BY_HAND: Final = "a.status = 'resolved' and a.resolved_at = a.moved_at"
_QUERY: Final = f"""
with acts as (
    select alert, min("at") as acted_at from alert_history where action in ('acknowledge', 'silence') group by alert
), told as (
    select alert, count(*) as notices from alert_deliveries where status = 'sent' group by alert
), each as (
    select a.*, coalesce(acts.acted_at, case when {_BY_HAND} then a.resolved_at end) as acted_at,
        coalesce(told.notices, 0) as notices
    from alerts a left join acts on acts.alert = a.alert left join told on told.alert = a.alert
    where a.opened_at >= $since
)
select monitor, count(*) as alerts, sum(times_opened)::BIGINT as opened, sum(notices)::BIGINT as notices,
    count(acted_at) as acted_on, null::DOUBLE as share_acted_on, null::DOUBLE as share_low,
    null::DOUBLE as share_high,
    count(*) filter (status = 'resolved' and acted_at is null) as ended_by_itself,
    count(*) filter (status != 'resolved' and acted_at is null) as untouched,
    median(epoch(acted_at - opened_at) / 60) as minutes_to_act
from each group by monitor order by alerts desc, monitor
"""


def fatigue(store: Store, *, since_ns: int | None) -> pd.DataFrame:
    """Return one row a monitor; see :meth:`lmops.monitors.Monitors.fatigue`."""
    from lmops.base.frames import Frame

    frame = store.sql(_QUERY, {"since": from_ns(since_ns or 0)}).df()
    if len(frame):
        frame["share_acted_on"] = frame["acted_on"] / frame["alerts"]
        frame["share_low"], frame["share_high"] = wilson(frame["acted_on"].to_numpy(), frame["alerts"].to_numpy())
    return Frame(frame)
