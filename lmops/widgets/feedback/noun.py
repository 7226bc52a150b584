"""``ws.feedback``: the feedback with its views: the chart of its figures, the labeler, the button that records some."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Protocol

from lmops.errors import UsageError
from lmops.feedback import Feedback, Themes

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from lmops.evals import Evals
    from lmops.evals.boards import Case
    from lmops.feedback import FailurePivot, FeedbackStats, Queue
    from lmops.models import Models
    from lmops.records import Project
    from lmops.widgets.feedback.button import FeedbackButton
    from lmops.widgets.feedback.controller import LabelerController
    from lmops.widgets.feedback.labeler import Labeler
    from lmops.widgets.feedback.themes import ThemesBoard


class BrowsableThemes(Themes):
    """The failure modes of a queue with their board, and the chart of their figures."""

    def _with_view(self, found: FailurePivot) -> FailurePivot:
        def make() -> go.Figure:
            from lmops.charts import failure_modes

            return failure_modes(found.frame, title=found.title)

        return found.viewed_by(make)


class Host(Protocol):
    """The part of a workspace that the labeler works with."""

    @property
    def project(self) -> Project:
        """The store with who acts on it."""

    @property
    def datasets(self) -> Any:
        """The data sets, for cases of evaluations."""

    @property
    def evals(self) -> Evals:
        """The evaluations, for their cases."""

    @property
    def models(self) -> Models:
        """The models, to be asked."""


class BrowsableFeedback(Feedback):
    """The feedback with its views: bound here, so that no phase imports one."""

    def themes(self, queue: str, *, passed: bool = False, height: int = 620) -> Themes:
        """Return the notes that raters wrote on the items of a queue, to be sorted into failure modes on a board.

        Args:
            queue: Its name.
            passed: Take the notes on what their rater passed as well.
            height: Of the board, in pixels.

        Raises:
            NotFoundError: There is no such queue.
        """
        found = BrowsableThemes(self._project, self.queues.get(queue).name, passed=passed, models=self._models)

        def make() -> ThemesBoard:
            from lmops.widgets.feedback.themes import ThemesBoard
            from lmops.widgets.feedback.themes_controller import ThemesController

            return ThemesBoard(ThemesController(found), height=height, refused=self._refused())

        return found.viewed_by(make)

    def __init__(self, host: Host) -> None:
        super().__init__(host.project, models=lambda: host.models)
        self._host = host

    def label(self, queue: Queue | str, *, rater: str | None = None, ask: bool = False, height: int = 640) -> Labeler:
        """Return the labeler: cases one by one as the user saw them, a key for each choice; press ? for the keys.

        What is decided is kept in the browser until the store has it: a killed kernel, a closed tab or a full disk lose
        nothing. The opinions of judges and other raters are shown once the own one is said. In a runbook, in an
        exported or untrusted notebook and without anywidget the same call shows how far the queue is.

        Args:
            queue: The queue or its name.
            rater: Who labels; who acts by default.
            ask: Ask in the page who labels; the browser keeps the name. For notebooks that others open.
            height: Height in pixels.

        Raises:
            NotFoundError: There is no such queue.
            UsageError: It is no name of a rater, or this one is not asked; there is one and it is to be asked for.
        """
        from lmops.widgets.feedback.desk import Desk
        from lmops.widgets.feedback.labeler import Labeler

        store = self._project.store
        name = self.queues.get(queue if isinstance(queue, str) else queue.name).name
        if not ask:
            return Labeler(self._seat(name, rater or self._project.actor), height=height, refused=self._refused())
        if rater is not None:
            raise UsageError(f"rater={rater!r} with ask=True: give a name, or let the page ask for one")
        seat = functools.partial(self._seat, name)
        desk = Desk(self.queues, name, seat=seat, store_id=store.store_id, place=str(store.path))
        return Labeler(desk, height=height, refused=self._refused(is_named=True))

    def _refused(self, *, is_named: bool = False) -> str:
        from lmops.widgets.kit.actions import refusal

        return refusal(is_read_only=self._project.store.is_read_only, is_named=is_named)

    def _seat(self, queue: str, rater: str) -> LabelerController:
        """Return what answers the page of one rater at one queue."""
        from lmops.traces.listing import TraceSource
        from lmops.widgets.feedback.cases import Cases
        from lmops.widgets.feedback.controller import LabelerController

        store = self._project.store
        if self.queues.get(queue).status == "open" and not store.is_read_only:
            self.queues.ahead(queue, 0, rater=rater)  # refuses who is not asked
        traces = TraceSource(store)
        cases = Cases(traces, answers=functools.lru_cache(64)(self._case), signals=self._said_of)
        return LabelerController(self, queue, rater.strip(), cases=cases, traces=traces, store_id=store.store_id)

    def _case(self, run_id: str, example_id: str) -> Case:
        from lmops.evals.boards import CaseSource

        run = self._host.evals.get(run_id)
        return CaseSource(self._project.store, self._host.datasets, [run]).case(example_id)

    def _said_of(self, trace_id: str) -> list[dict[str, Any]]:
        frame = self.list(trace_id=trace_id, limit=20)[["name", "value", "comment", "source"]].astype(object)
        rows = frame.where(frame.notna(), None).to_dict("records")
        return [{str(name): value for name, value in row.items()} for row in rows]

    def button(
        self, trace_id: str, *, span_id: str | None = None, name: str = "thumb", user: str | None = None
    ) -> FeedbackButton:
        """Return a small view of one answer that records a thumb, a comment and a correction; press ? for the keys.

        What is said is kept at once, as by :meth:`record`; said again it takes the place of what was said. A trace that
        is not in the store yet is waited for. In a runbook, in an exported or untrusted notebook and without anywidget
        the same call shows what was said.

        Args:
            trace_id: Whose answer.
            span_id: A part of it.
            name: Under which the thumb is kept; a corrected answer is kept as "correction".
            user: Who says it; who acts by default.

        Raises:
            UsageError: The name or an id cannot be one.
        """
        from lmops.traces.listing import TraceSource
        from lmops.widgets.feedback.button import FeedbackButton
        from lmops.widgets.feedback.button_controller import FeedbackButtonController

        source, who = TraceSource(self._project.store), self._project.actor if user is None else user
        controller = FeedbackButtonController(self, source, trace_id, span_id=span_id, name=name, user=who)
        return FeedbackButton(controller, refused=self._refused(is_named=user is not None))

    def _with_view(self, found: FeedbackStats) -> FeedbackStats:
        def make() -> go.Figure:
            from lmops.charts import feedback

            return feedback(found.frame, title=found.title)

        return found.viewed_by(make)
