"""The view of an incident."""

from __future__ import annotations

from lmops.widgets.kit.live import Live


class IncidentView(Live):
    """An incident: what is known of it, its metric with the moments on it, what was done and what would be."""

    _place = "incidents/view"
