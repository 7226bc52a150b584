"""``ws.traces``: the traces with their browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from lmops.traces import Traces

if TYPE_CHECKING:
    from datetime import datetime

    from lmops.datasets import Datasets
    from lmops.feedback import Feedback
    from lmops.models import Models
    from lmops.widgets.traces.browser import TraceBrowser


class Project(Protocol):
    """The part of a workspace that the browser works with."""

    @property
    def store(self) -> Any:
        """Where everything is kept."""

    @property
    def datasets(self) -> Datasets:
        """The datasets, for traces that are marked."""

    @property
    def feedback(self) -> Feedback:
        """The queues, for traces that people are to label."""

    @property
    def models(self) -> Models:
        """The models, whose prices new spans get."""


class BrowsableTraces(Traces):
    """The traces with their view: bound here, so that no phase imports one."""

    def __init__(self, project: Project) -> None:
        super().__init__(project.store, pricer=lambda: project.models.pricer())  # noqa: PLW0108  # models need traces
        self._project = project

    def browse(
        self,
        where: str | None = None,
        *,
        last: str | None = None,
        since: str | datetime | None = None,
        until: str | datetime | None = None,
        live: bool = False,
        height: int = 560,
    ) -> TraceBrowser:
        """Return the trace browser: filter, sort and read traces by mouse and keyboard, press ? for the keys.

        What is done in it is a Python value: ``.where``, ``.sql``, ``.df()``, ``.selected``, ``.selected_ids``. Marked
        traces go into a dataset by the key a, into a queue of what people label by the key l. In a runbook, in an
        exported or untrusted notebook and without anywidget the same call shows a table.

        Args:
            where: As for :meth:`search`. Traces of evaluations are left out, where there are any, by a chip of its
                own that a click removes, unless this asks for an environment.
            last: As for :meth:`search`.
            since: As for :meth:`search`.
            until: As for :meth:`search`.
            live: Take in new traces as they arrive.
            height: Height in pixels.

        Raises:
            QueryError: The condition does not parse or names an unknown column.
        """
        from lmops.traces.listing import TraceSource
        from lmops.widgets.kit.actions import add_to_dataset, send_to_labeling
        from lmops.widgets.traces.browser import TraceBrowser
        from lmops.widgets.traces.controller import TraceBrowserController

        source = TraceSource(self._store)
        controller = TraceBrowserController(
            source,
            where=source.without_evaluations(where),
            last=last,
            since=since,
            until=until,
            is_live=live,
            actions={
                "dataset": add_to_dataset(self._project.datasets),
                "labeling": send_to_labeling(lambda: self._project.feedback),
            },
        )
        return TraceBrowser(controller, height=height)
