"""``ws.traces``: the traces with their browser."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Protocol

from lmops.errors import NotFoundError, UsageError
from lmops.traces import Traces

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from lmops import records
    from lmops.datasets import Datasets
    from lmops.feedback import Feedback
    from lmops.guardrails import Guardrails
    from lmops.models import Models
    from lmops.traces import Span
    from lmops.traces.views import TraceView, TraceViews
    from lmops.widgets.kit.live import Live
    from lmops.widgets.traces.browser import TraceBrowser


class Playgrounds(Protocol):
    """What trying a call again needs: ``ws.prompts``."""

    def playground(self, *, span: Span) -> Live:
        """Return the playground of a call."""


class Searches(Protocol):
    """What looking into a search needs: ``ws.retrieval``."""

    def explore_span(self, span: Span) -> Live:
        """Return the explorer of what it found."""


class Project(Protocol):
    """The part of a workspace that the browser works with."""

    @property
    def store(self) -> Any:
        """Where everything is kept."""

    @property
    def project(self) -> records.Project:
        """The store as somebody works on it, for what is saved."""

    @property
    def datasets(self) -> Datasets:
        """The datasets, for traces that are marked."""

    @property
    def feedback(self) -> Feedback:
        """The queues, for traces that people are to label."""

    @property
    def prompts(self) -> Playgrounds:
        """The prompts, whose playground tries a call again."""

    @property
    def retrieval(self) -> Searches:
        """The retrieval, whose explorer looks into a search."""

    @property
    def guardrails(self) -> Guardrails:
        """The policies, for what is redacted on the way in."""

    @property
    def models(self) -> Models:
        """The models, whose prices new spans get."""


class BrowsableTraces(Traces):
    """The traces with their view: bound here, so that no phase imports one."""

    def __init__(self, project: Project) -> None:
        super().__init__(
            project.store,
            pricer=lambda: project.models.pricer(),  # noqa: PLW0108  # models need traces
            redaction=self._redaction_of,
        )
        self._project = project

    def _redaction_of(self, ref: str) -> Callable[[str], str]:
        """Return a policy of guardrails as what masks texts."""
        return self._project.guardrails.redaction(ref)

    @functools.cached_property
    def views(self) -> TraceViews:
        """The saved views of the browser: save, get, list, remove; ``browse(view=name)`` shows one."""
        from lmops.traces.views import TraceViews

        return TraceViews(self._project.project)

    def browse(
        self,
        where: str | None = None,
        *,
        last: str | None = None,
        since: str | datetime | None = None,
        until: str | datetime | None = None,
        view: str | None = None,
        live: bool = False,
        height: int = 560,
    ) -> TraceBrowser:
        """Return the trace browser: filter, sort and read traces by mouse and keyboard, press ? for the keys.

        What is done in it is a Python value: ``.where``, ``.sql``, ``.df()``, ``.selected``, ``.selected_ids``,
        ``.view``; ``.export("csv")`` writes a file. Above the list stands the range over time, beside the range before
        it: drag over it to choose a part. Traces are grouped by the key b, marked ones go into a dataset by the key a,
        into a queue of what people label by the key l. In a runbook, in an exported or untrusted notebook and without
        anywidget the same call shows a table.

        Args:
            where: As for :meth:`search`. Traces of evaluations are left out, where there are any, by a chip of its
                own that a click removes, unless this asks for an environment.
            last: As for :meth:`search`.
            since: As for :meth:`search`.
            until: As for :meth:`search`.
            view: What is shown instead: a saved view by its name (``ws.traces.views``), or a trace by its id or the
                start of it, which is opened.
            live: Take in new traces as they arrive.
            height: Height in pixels.

        Raises:
            QueryError: The condition does not parse or names an unknown column.
            UsageError: A view was given beside a condition or a range.
            NotFoundError: There is neither a saved view nor a trace of this name.
        """
        from lmops.traces.exports import write_rows
        from lmops.traces.listing import TraceSource
        from lmops.widgets.kit.actions import add_to_dataset, send_to_labeling, unless_read_only
        from lmops.widgets.kit.static import is_for_visitors
        from lmops.widgets.traces.browser import TraceBrowser
        from lmops.widgets.traces.controller import TraceBrowserController

        source = TraceSource(self._store)
        if view is not None and any(one is not None for one in (where, last, since, until)):
            raise UsageError(f"view={view!r} says what is shown: give no condition and no range beside it")
        saved, opened = self._viewed(view)
        controller = TraceBrowserController(
            source,
            where=source.without_evaluations(where),
            last=last,
            since=since,
            until=until,
            is_live=live,
            view=saved,
            views=self.views,
            export=None if is_for_visitors() else functools.partial(write_rows, self._project.project),
            actions=unless_read_only(
                {
                    "dataset": add_to_dataset(self._project.datasets),
                    "labeling": send_to_labeling(lambda: self._project.feedback),
                },
                is_read_only=self._store.is_read_only,
            ),
            try_call=None if is_for_visitors() else self._tried,
        )
        if view is not None and saved is not None:
            controller.call(view)
        if opened is not None:
            controller.open_at_first(opened)
        return TraceBrowser(controller, height=height)

    def _tried(self, span: Span) -> Live:
        """Open a call of a model in the playground, a search in the ranking explorer."""
        if span.row["kind"] == "llm":
            return self._project.prompts.playground(span=span)
        return self._project.retrieval.explore_span(span)

    def _viewed(self, view: str | None) -> tuple[TraceView | None, str | None]:
        """Return the saved view of this name, or the id of the trace whose id begins so."""
        if view is None:
            return None, None
        if view in self.views.names():
            return self.views.get(view), None
        try:
            return None, self.get(view).trace_id
        except NotFoundError as error:
            names = ", ".join(self.views.names()) or "none yet"
            raise NotFoundError(f"{error}; saved views: {names}") from None
