"""The desk of calls that wait for somebody's yes, as a view."""

from __future__ import annotations

from lmops.widgets.kit.live import Live


class ToolDesk(Live):
    """The calls that wait: what would be called with what, why, and who said what stands in it; yes or no."""

    _place = "tools/desk"
