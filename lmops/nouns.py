"""The nouns of a workspace, each made when it is first asked for: a room is bound here, and nowhere else."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from lmops.audit import Audit
from lmops.base.shown import Shown
from lmops.datasets import Datasets
from lmops.models import Models
from lmops.runbooks import Runbooks
from lmops.traces import carry_out_reprice
from lmops.widgets.prompts.noun import BrowsablePrompts
from lmops.widgets.traces.noun import BrowsableTraces

if TYPE_CHECKING:
    from lmops.guardrails import Guard, Guardrails
    from lmops.judges import Judges
    from lmops.records import Project
    from lmops.redteam import RedTeam
    from lmops.routing import Routing
    from lmops.store import Store
    from lmops.widgets.evals.noun import BrowsableEvals
    from lmops.widgets.feedback.noun import BrowsableFeedback
    from lmops.widgets.incidents.noun import BrowsableIncidents
    from lmops.widgets.monitors.noun import BrowsableMonitors
    from lmops.widgets.retrieval.noun import BrowsableRetrieval
    from lmops.widgets.tools.noun import BrowsableTools


class Nouns(Shown):
    """What can be done with a store, by noun; those that load much come when they are asked for."""

    store: Store
    project: Project

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
    def retrieval(self) -> BrowsableRetrieval:
        """The retrieval: settings in versions, build, search, measure, compare, gate, drift, explore."""
        from lmops.widgets.retrieval.noun import BrowsableRetrieval  # numpy comes with it

        return BrowsableRetrieval(self)

    @functools.cached_property
    def tools(self) -> BrowsableTools:
        """The tools: tool, call, run; policies, switches, what waits for a yes; record, replay, report."""
        from lmops.widgets.tools.noun import BrowsableTools  # schemas come with it

        return BrowsableTools(self.project, models=lambda: self.models, prompt=self.prompts.get)

    @functools.cached_property
    def runbooks(self) -> Runbooks:
        """The runbooks: list, show, run."""
        return Runbooks(self.project)

    @functools.cached_property
    def audit(self) -> Audit:
        """The audit chain: who changed what."""
        return Audit(self.project)
