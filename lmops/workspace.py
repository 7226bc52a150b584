"""A workspace: one store and everything that can be done with it, by noun and verb."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Self

from lmops import erasing, overview
from lmops.audit import Audit
from lmops.base.shown import Shown
from lmops.datasets import Datasets
from lmops.models import Models
from lmops.records import Project
from lmops.runbooks import Runbooks
from lmops.traces import WAYS, carry_out_reprice
from lmops.widgets.prompts.noun import BrowsablePrompts
from lmops.widgets.traces.noun import BrowsableTraces

if TYPE_CHECKING:
    import duckdb

    from lmops.guardrails import Guard, Guardrails
    from lmops.judges import Judges
    from lmops.redteam import RedTeam
    from lmops.routing import Routing
    from lmops.store import Store
    from lmops.widgets.evals.noun import BrowsableEvals
    from lmops.widgets.feedback.noun import BrowsableFeedback
    from lmops.widgets.incidents.noun import BrowsableIncidents
    from lmops.widgets.monitors.noun import BrowsableMonitors


@overview.looks
class Workspace(Shown):
    """One store and its nouns: traces, prompts, models, datasets, judges, feedback, evals, runbooks, audit; ``sql``."""

    def __init__(self, store: Store, *, actor: str | None = None) -> None:
        self.store = store
        store.actor = actor or store.actor
        self.project = Project(store=store, actor=store.actor)
        store.resume(WAYS)
        if not store.is_read_only:
            self.runbooks.settle()

    @property
    def actor(self) -> str:
        """Who acts, for the audit chain."""
        return self.project.actor

    def acting_as(self, actor: str, *, reason: str | None = None) -> Self:
        """Return this workspace with somebody else acting, for the audit chain; closing one closes both.

        Args:
            actor: Who makes every change that is made through it, of whatever noun.
            reason: Why, for every event that has no reason of its own.

        Raises:
            UsageError: It is no name, or the reason is no text or too long.

        Example:
            >>> import lmops
            >>> with lmops.open(":memory:") as ws:
            ...     saved = ws.acting_as("mara", reason="ticket 42").datasets.save("golden", [{"input": "hello"}])
            ...     ws.sql("select actor, reason from audit").fetchall()
            [('mara', 'ticket 42')]
        """
        other = type(self).__new__(type(self))
        other.project = self.project.acting_as(actor, reason=reason)
        other.store = other.project.store
        return other

    def __repr__(self) -> str:
        """Say where it is and what is in it."""
        return overview.line(self)

    def __enter__(self) -> Self:
        """Return the workspace itself."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Write the spans that this process still holds and release the store."""
        if "traces" in self.__dict__:
            self.traces.stop_instrumentation()
        self.store.close()

    def sql(self, query: str, params: Any = None, *, timeout_s: float | None = None) -> duckdb.DuckDBPyRelation:
        """Run one read-only SELECT over the public views and return its result (``.df()``, ``.arrow()``, ...).

        ``input`` and ``output`` of traces are previews of 1,000 characters; an answer to a question that looked for a
        text in them says so (``note``).

        Args:
            query: One SELECT over the views that the README lists; ``describe VIEW`` says what their columns are.
            params: A list for ``?`` or a dict for ``$name``.
            timeout_s: Longest time in seconds; that of ``lmops.open`` by default. Ctrl+C ends it at any time.

        Raises:
            QueryError: Not one SELECT, an unknown name, something outside the store, or more time or memory than set.
        """
        return self.store.sql(query, params, timeout_s=timeout_s)

    erase = erasing.erase

    @functools.cached_property
    def traces(self) -> BrowsableTraces:
        """The traces: ingest, search, get, stats, browse."""
        return BrowsableTraces(self)

    @functools.cached_property
    def models(self) -> Models:
        """The models and their prices."""
        reprice = functools.partial(carry_out_reprice, self.store)
        return Models(self.project, reprice=reprice, guard=self._guard)

    def _guard(self, ref: str) -> Guard:
        """Return what calls of models go through that ask for a policy; guardrails come when one does."""
        return self.guardrails.guard(ref)

    @functools.cached_property
    def prompts(self) -> BrowsablePrompts:
        """The prompts: save, get, promote, rollback, history, diff, compare, playground, sync."""
        return BrowsablePrompts(self)

    @functools.cached_property
    def datasets(self) -> Datasets:
        """The datasets: save, add_traces, get, diff."""
        return Datasets(self.project)

    @functools.cached_property
    def judges(self) -> Judges:
        """The judges in versions: save, get, list, versions, diff, promote, rollback."""
        from lmops.judges import Judges  # scorers come with it

        return Judges(self.project)

    @functools.cached_property
    def feedback(self) -> BrowsableFeedback:
        """What users say and people label: record, list, stats; schemas, queues; agreement, calibrate, ..."""
        from lmops.widgets.feedback.noun import BrowsableFeedback  # numpy comes with it

        return BrowsableFeedback(self)

    @functools.cached_property
    def monitors(self) -> BrowsableMonitors:
        """The monitors of production: score, scores; save, check, alerts, dashboard, backtest."""
        from lmops.widgets.monitors.noun import BrowsableMonitors  # numpy comes with it

        return BrowsableMonitors(self)

    @functools.cached_property
    def incidents(self) -> BrowsableIncidents:
        """The incidents: open, act, verify, resolve, show, timeline, postmortem."""
        from lmops.widgets.incidents.noun import BrowsableIncidents  # numpy comes with it

        return BrowsableIncidents(self.project)

    @functools.cached_property
    def routing(self) -> Routing:
        """The routes: set, choose, call, kill, revive, status, promote, rollback, diff, sync."""
        from lmops.routing import Routing  # what speaks with models comes with it

        return Routing(self.project, models=lambda: self.models, guard=self._guard)

    @functools.cached_property
    def guardrails(self) -> Guardrails:
        """The policies: save, get, check, guard, promote, rollback, switch_off, rates; card, calibrate, cards; sync."""
        from lmops.guardrails import Guardrails  # rails come with it

        return Guardrails(self.project, models=lambda: self.models)

    @functools.cached_property
    def evals(self) -> BrowsableEvals:
        """The evaluations: run, resume, compare, explore, gate, drift."""
        from lmops.widgets.evals.noun import BrowsableEvals  # half of what opening would load are scorers

        return BrowsableEvals(self)

    @functools.cached_property
    def redteam(self) -> RedTeam:
        """The red team: seeds, ways, run, resume, report, compare, gate, matrix, examples."""
        from lmops.redteam import RedTeam  # scorers and numpy come with it

        return RedTeam(self)

    @functools.cached_property
    def runbooks(self) -> Runbooks:
        """The runbooks: list, show, run."""
        return Runbooks(self.project)

    @functools.cached_property
    def audit(self) -> Audit:
        """The audit chain: who changed what."""
        return Audit(self.project)
