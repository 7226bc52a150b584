"""``ws.feedback``: the feedback with the chart of its figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lmops.feedback import Feedback

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from lmops.feedback import FeedbackStats


class BrowsableFeedback(Feedback):
    """The feedback with its views: bound here, so that no phase imports one."""

    def _with_view(self, found: FeedbackStats) -> FeedbackStats:
        def make() -> go.Figure:
            from lmops.charts import feedback

            return feedback(found.frame, title=found.title)

        return found.viewed_by(make)
