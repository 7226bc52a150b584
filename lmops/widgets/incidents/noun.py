"""``ws.incidents``: the incidents with their view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lmops.incidents import Incidents

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from lmops.incidents import Act
    from lmops.incidents.boards import IncidentBoard
    from lmops.widgets.incidents.view import IncidentView


class BrowsableIncidents(Incidents):
    """The incidents with their view: bound here, so that no phase imports one."""

    def show(self, incident: int, *, height: int = 640) -> IncidentView:
        """Return the view of an incident: the metric with the moments on it, the timeline, what can be done.

        A dry run is shown before anything is done. Press ? for the keys. In a runbook, in an exported or untrusted
        notebook and without anywidget the same call shows tables.

        Args:
            incident: Its number.
            height: Height in pixels.

        Raises:
            NotFoundError: There is no such incident.
        """
        from lmops.widgets.incidents.controller import IncidentController
        from lmops.widgets.incidents.view import IncidentView
        from lmops.widgets.kit.actions import refusal

        self.get(incident)
        refused = refusal(is_read_only=self._store.is_read_only)
        return IncidentView(
            IncidentController(_Board(self, incident, now=self._project.now), refused=refused), height=height
        )


class _Board:
    """An incident of a workspace as its view asks for it."""

    def __init__(self, incidents: BrowsableIncidents, number: int, *, now: Callable[[], datetime]) -> None:
        self._incidents = incidents
        self._now = now
        self._number = number

    def board(self) -> IncidentBoard:
        from lmops.incidents.boards import board

        noun = self._incidents
        return board(noun, noun.monitors, self._number, now=self._now())

    def act(self, action: str, params: Mapping[str, Any], *, dry_run: bool, seen: str | None, reason: str) -> Act:
        return self._incidents.act(self._number, action, params, dry_run=dry_run, seen=seen, reason=reason)

    def verify(self) -> str:
        return f"{(found := self._incidents.verify(self._number)).state}: {found.words}"

    def note(self, text: str) -> str:
        self._incidents.note(self._number, text)
        return "noted"

    def own(self) -> str:
        return f"{self._incidents.own(self._number).owner} looks after it"
