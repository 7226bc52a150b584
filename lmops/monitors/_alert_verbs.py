"""The verbs of alerts: what people do with what monitors found."""

from __future__ import annotations

import builtins
import json
from datetime import timedelta
from typing import TYPE_CHECKING

from lmops.base.kinds import refuses_wrong_kinds
from lmops.errors import NotFoundError, UsageError
from lmops.monitors import alerts as alerting
from lmops.monitors._records import Alert, Monitor
from lmops.records import Versioned
from lmops.times import to_ns
from lmops.traces import seconds, time_range

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd


@refuses_wrong_kinds
class WithAlerts(Versioned[Monitor]):
    """Monitors with the verbs of their alerts."""

    def ack(self, alert: int, *, reason: str | None = None) -> Alert:
        """Acknowledge an alert: somebody looks after it, and a check that finds nothing else is quiet.

        Args:
            alert: Its number.
            reason: What is done about it, for the audit chain.

        Raises:
            NotFoundError: There is no such alert.
            UsageError: It is resolved.
        """
        return self._moved(alert, to="acknowledged", reason=reason)

    def alerts(self, *, status: str | None = None, last: str | None = None) -> pd.DataFrame:
        """Return alerts, the newest first.

        Args:
            status: "firing", "acknowledged", "silenced", "resolved", or "open" for all but these.
            last: Those that were open in so long, such as "7d"; of all time by default.

        Returns:
            The columns of the view ``alerts``: alert, monitor, series, status, severity, since_at, words, ...
        """
        bounds = time_range(self._store, last=last, since=None, until=None)
        return alerting.listed(self._store, status=status, since_ns=bounds.since_ns)

    def resolve(self, alert: int, *, reason: str | None = None) -> Alert:
        """Resolve an alert; it fires again when there is new evidence.

        Where what it found is to stay, save a new version of the monitor whose baseline begins after it.

        Args:
            alert: Its number.
            reason: Why, for the audit chain.

        Raises:
            NotFoundError: There is no such alert.
        """
        return self._moved(alert, to="resolved", reason=reason)

    def silence(
        self,
        alert: int,
        *,
        until: str | datetime | None = None,
        for_: str | None = None,
        reason: str | None = None,
    ) -> Alert:
        """Silence an alert for a time; where it has not been resolved by then, it fires again.

        Args:
            alert: Its number.
            until: Until when; UTC when it has no zone.
            for_: Or for how long from now, such as "4h".
            reason: Why, for the audit chain.

        Raises:
            NotFoundError: There is no such alert.
            UsageError: It is resolved, or it is not said for how long.
        """
        if (until is None) == (for_ is None):
            raise UsageError("silence: say until when or for how long, such as for_='4h'")
        now = self._project.now()
        until_ns = to_ns(until) if until is not None else to_ns(now + timedelta(seconds=seconds(for_ or "")))
        if until_ns <= to_ns(now):
            raise UsageError(f"silence: until={until!r} has passed")
        return self._moved(alert, to="silenced", reason=reason, until_ns=until_ns)

    def unresolved(self) -> builtins.list[Alert]:
        """Return the alerts that are not resolved, as records."""
        with self._project.reading() as con:
            return builtins.list(alerting.read(self._store, con))

    def _moved(self, alert: int, *, to: str, reason: str | None, until_ns: int | None = None) -> Alert:
        with self._project.change(reason=reason) as change:
            alerting.move(change, alert, to=to, until_ns=until_ns)
            (found,) = alerting.read(self._store, change.con, number=alert)
            if to == "resolved":
                try:
                    monitor = self._versions.load(change.con, found.monitor, found.version)
                except NotFoundError:
                    return found
                alerting.forget(change.con, monitor, json.dumps(found.series), at_ns=change.at_ns)
        return found
