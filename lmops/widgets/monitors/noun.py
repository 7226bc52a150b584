"""``ws.monitors``: the monitors with their dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from lmops.monitors import Monitors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lmops.models import Models
    from lmops.monitors.boards import AlertRow, Tile
    from lmops.records import Project
    from lmops.widgets.kit.live import Live
    from lmops.widgets.monitors.dashboard import Dashboard


class Traces(Protocol):
    """What shows the traces behind a figure: ``ws.traces``."""

    def browse(self, where: str | None = None, *, last: str | None = None) -> Live:
        """Return the browser of some traces."""


class Host(Protocol):
    """The part of a workspace that the dashboard works with."""

    @property
    def project(self) -> Project:
        """The store with who acts on it."""

    @property
    def traces(self) -> Traces:
        """The traces."""

    @property
    def models(self) -> Models:
        """The models, whom judges ask."""


class BrowsableMonitors(Monitors):
    """The monitors with their view: bound here, so that no phase imports one."""

    def __init__(self, host: Host) -> None:
        super().__init__(host.project, models=lambda: host.models)
        self._host = host

    def dashboard(self, *, last: str = "7d", height: int = 620) -> Dashboard:
        """Return the dashboard: what fires, and of each series what it is now, how sure, and its line over the range.

        It shows what the last check found and looks itself at nothing: run ``check`` before, or on a schedule. Press ?
        for the keys. In a runbook, in an exported or untrusted notebook and without anywidget the same call shows
        tables.

        Args:
            last: The range at first: "24h", "3d", "7d", "14d" or "30d", back from now, or from the newest trace.
            height: Height in pixels.

        Raises:
            UsageError: It is none of these ranges.
        """
        from lmops.widgets.kit.actions import refusal
        from lmops.widgets.monitors.controller import DashboardController
        from lmops.widgets.monitors.dashboard import Dashboard

        refused = refusal(is_read_only=self._store.is_read_only)
        return Dashboard(DashboardController(_Board(self, self._host), last=last, refused=refused), height=height)


class _Board:
    """The monitors of a workspace as the dashboard asks for them."""

    def __init__(self, monitors: BrowsableMonitors, host: Host) -> None:
        self._monitors = monitors
        self._host = host

    def tiles(self, *, last: str, every: str) -> Sequence[Tile]:
        from lmops.monitors.boards import tiles

        return tiles(self._host.project, self._monitors.current(), last=last, every=every)

    def alerts(self) -> Sequence[AlertRow]:
        from lmops.monitors.boards import alert_rows

        return alert_rows(self._monitors.unresolved())

    def move(self, alert: int, what: str) -> str:
        if what == "acknowledge":
            return f"alert {self._monitors.ack(alert).alert} is acknowledged"
        return f"alert {self._monitors.silence(alert, for_='1d').alert} is silenced for a day"

    def browse(self, *, where: str | None, last: str | None) -> Live:
        return self._host.traces.browse(where, last=last)
