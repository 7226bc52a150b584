"""The dashboard of monitors as a view."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lmops.widgets.kit.live import Live

if TYPE_CHECKING:
    from lmops.widgets.monitors.controller import DashboardController


class Dashboard(Live):
    """Every series of every monitor: what it is now, how sure, its line beside its baseline; and what fires."""

    _place = "monitors/dashboard"
    _controller: DashboardController

    def __repr__(self) -> str:
        """Say what is shown."""
        return f"<Dashboard of monitors, last {self.last}>"

    @property
    def last(self) -> str:
        """The range that is shown, such as "7d"."""
        return self._controller.last
