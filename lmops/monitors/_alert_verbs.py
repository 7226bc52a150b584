"""The verbs of alerts: what people do with what monitors found."""

from __future__ import annotations

import builtins
from datetime import timedelta
from typing import TYPE_CHECKING

from lmops.base.kinds import refuses_wrong_kinds
from lmops.errors import NotFoundError, UsageError
from lmops.monitors import alerts as alerting
from lmops.monitors import drifting, recovering
from lmops.monitors._records import Alert, Monitor, Recovery
from lmops.monitors.boards import Line, line_of
from lmops.monitors.explaining import About, of_alert
from lmops.records import Filed
from lmops.times import from_ns, to_ns
from lmops.traces import seconds, time_range

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime

    import pandas as pd


@refuses_wrong_kinds
class WithAlerts(Filed[Monitor]):
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

    def recovered(
        self,
        alert: int,
        *,
        since: str | datetime,
        until: str | datetime | None = None,
        within: float | None = None,
    ) -> Recovery:
        """Return whether what an alert found is over, by the sessions that began after a time; nothing is written.

        It is a test that may be looked at after every session: whoever does so errs in one of twenty cases at most,
        either way. Recovered means that the share of sessions that are unwelcome is below the edge of the monitor,
        which it went beyond; it is not that the alert no longer fires. Where none may be unwelcome (a threshold of 0) a
        quarter of what there was until then may be left: that none is cannot be shown.

        Args:
            alert: Its number.
            since: When something was done about it.
            until: Sessions before it count; now by default.
            within: Count it as recovered already when at most this share of what went beyond the edge may be left, such
                as 0.5: that takes fewer sessions.

        Raises:
            NotFoundError: There is no such alert, or its monitor is not there any more.
            UsageError: The time is none, or within is no share.
        """
        if within is not None and not 0 <= within < 1:
            raise UsageError(f"recovered: within={within!r} is a share of what the alert found, at least 0 and below 1")
        since_ns, until_ns = to_ns(since), to_ns(self._project.now() if until is None else until)
        found, monitor, series = self._told(alert)
        return recovering.recovered(
            self._project, found, monitor, series=series, since_ns=since_ns, until_ns=until_ns, within=within
        )

    def traces_sql(self, alert: int, *, until: str | datetime | None = None) -> str:
        """Return the query of the traces that an alert is about, for ``ws.sql``: column trace_id.

        Of a rate these are the items that failed since the change, of a number those beyond the baseline.

        Args:
            alert: Its number.
            until: Items before it count; now by default.

        Raises:
            NotFoundError: There is no such alert, or its monitor is not there any more.
        """
        found, about = self._about(alert)
        moment = self._project.now() if until is None else from_ns(to_ns(until))
        return recovering.traces_sql(found, about, until=moment)

    def alert(self, alert: int) -> Alert:
        """Return one alert.

        Args:
            alert: Its number.

        Raises:
            NotFoundError: There is no such alert.
        """
        with self._project.reading() as con:
            return self._one(con, alert)

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

    def line(self, alert: int, *, since: str | datetime, until: str | datetime) -> Line:
        """Return the metric of an alert over time: title, unit, baseline and points (milliseconds, n, estimate).

        Args:
            alert: Its number.
            since: Start of the first point.
            until: End of the last one.

        Raises:
            NotFoundError: There is no such alert, or its monitor is not there any more.
        """
        found, monitor, series = self._told(alert)
        return line_of(self._project, found, monitor, series, since_ns=to_ns(since), until_ns=to_ns(until))

    def _one(self, con: sqlite3.Connection, alert: int) -> Alert:
        found = alerting.read(self._store, con, number=alert)
        if not found:
            raise NotFoundError(f"there is no alert {alert}: ws.monitors.alerts() lists them")
        return found[0]

    def _told(self, alert: int) -> tuple[Alert, Monitor, str]:
        """Return an alert, the version of the monitor that found it, and its series as its row has it."""
        with self._project.reading() as con:
            found = self._one(con, alert)
            monitor = self._versions.load(con, found.monitor, found.version)
            return found, monitor, alerting.series_of(con, alert)

    def _about(self, alert: int) -> tuple[Alert, About]:
        """Return an alert, and what it is about."""
        found, monitor, series = self._told(alert)
        return found, of_alert(found, monitor, drifting.found_by(self._project, found, monitor, series))

    def _moved(self, alert: int, *, to: str, reason: str | None, until_ns: int | None = None) -> Alert:
        with self._project.change(reason=reason) as change:
            alerting.move(change, alert, to=to, until_ns=until_ns)
            found = self._one(change.con, alert)
            if to == "resolved":
                try:
                    monitor = self._versions.load(change.con, found.monitor, found.version)
                except NotFoundError:
                    return found
                series = alerting.series_of(change.con, alert)
                alerting.forget(change.con, monitor, series, at_ns=change.at_ns)
        return found
