"""A workspace: one store and everything that can be done with it, by noun and verb."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Literal, Self

from lmops.audit import Audit
from lmops.datasets import Datasets
from lmops.errors import MissingDependencyError
from lmops.evals import Evals
from lmops.models import Models
from lmops.prompts import Prompts
from lmops.runbooks import Runbooks
from lmops.store import Store
from lmops.traces import Traces, join_logs

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from types import TracebackType

    import duckdb

    from lmops.evals import Comparison, Run
    from lmops.models import Pricer
    from lmops.prompts import PromptVersion
    from lmops.prompts._compare import PromptComparison
    from lmops.prompts._diff import PromptDiff
    from lmops.widgets._eval_comparison import ShownComparison
    from lmops.widgets.eval_explorer import EvalExplorer
    from lmops.widgets.eval_explorer_controller import EvalExplorerController
    from lmops.widgets.prompt_compare import PromptCompareWidget
    from lmops.widgets.prompt_diff import PromptDiffWidget
    from lmops.widgets.prompt_playground import PromptPlayground
    from lmops.widgets.trace_browser import TraceBrowser


def open(  # noqa: A001  # lmops.open reads as what it does
    path: str | os.PathLike[str] | None = None, *, read_only: bool = False, actor: str | None = None
) -> Workspace:
    """Open the store of this project and return its workspace.

    Args:
        path: The store's folder, or a project's folder that has a ``.lmops``; ``":memory:"`` for one that vanishes.
            None: ``LMOPS_STORE``, else the nearest ``.lmops`` upward (as git finds ``.git``), else a new one here.
        read_only: Refuse every write; nothing is created.
        actor: Who acts, for the audit chain; ``LMOPS_ACTOR`` or the system's user by default.

    Raises:
        StoreError: There is no store to open read-only, or it cannot be read.

    Example:
        >>> import lmops
        >>> ws = lmops.open(":memory:")
        >>> ws.sql("select count(*) from traces").fetchall()
        [(0,)]
    """
    return Workspace(Store.open(path, read_only=read_only, join_logs=join_logs), actor=actor)


class Workspace:
    """One store, by its nouns: traces, prompts, models, datasets, evals, runbooks, audit, store; and ``sql``."""

    def __init__(self, store: Store, *, actor: str | None = None) -> None:
        self.store = store
        self.actor = store.actor = actor or store.actor

    def __repr__(self) -> str:
        """Say where it is and what is in it."""
        traces = self.store.sql("select count(*) from traces").fetchall()[0][0]
        return f"<Workspace {self.store.path}{' read-only' if self.store.is_read_only else ''}: {traces:,} traces>"

    def __enter__(self) -> Self:
        """Return the workspace itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Write the spans that this process still holds and release the store."""
        if "traces" in self.__dict__:
            self.traces.stop_instrumentation()
        self.store.close()

    def sql(self, query: str, params: Any = None) -> duckdb.DuckDBPyRelation:  # what DuckDB takes
        """Run one read-only SELECT over the public views and return its result (``.df()``, ``.arrow()``, ...).

        Args:
            query: One SELECT over traces, spans, llm_calls, tool_calls, retrieved_documents, prompts, prompt_versions,
                prompt_history, datasets, examples, runs, results, scores, verdicts, prices, model_endpoints,
                runbook_runs, audit; ``describe VIEW`` lists columns.
            params: A list for ``?`` or a dict for ``$name``.

        Raises:
            QueryError: Not one SELECT, an unknown name, or something outside the store.
        """
        return self.store.sql(query, params)

    @functools.cached_property
    def traces(self) -> BrowsableTraces:
        """The traces: ingest, search, get, stats, browse."""
        return BrowsableTraces(self.store, pricer=self._pricer, datasets=lambda: self.datasets)

    @functools.cached_property
    def models(self) -> Models:
        """The models and their prices."""
        return Models(self.store, actor=self.actor, reprice=self.traces.reprice)

    @functools.cached_property
    def prompts(self) -> BrowsablePrompts:
        """The prompts: save, get, promote, rollback, history, diff, compare, playground, sync."""
        return BrowsablePrompts(self)

    @functools.cached_property
    def datasets(self) -> Datasets:
        """The datasets: save, add_traces, get, diff."""
        return Datasets(self.store, actor=self.actor)

    @functools.cached_property
    def evals(self) -> BrowsableEvals:
        """The evaluations: run, resume, compare, explore, gate, drift."""
        return BrowsableEvals(self)

    @functools.cached_property
    def runbooks(self) -> Runbooks:
        """The runbooks: list, show, run."""
        return Runbooks(self)

    @functools.cached_property
    def audit(self) -> Audit:
        """The audit chain: who changed what."""
        return Audit(self.store, actor=self.actor)

    def _pricer(self) -> Pricer:
        return self.models.pricer()


class BrowsableTraces(Traces):
    """The traces with their widget: bound here, so that no phase imports one."""

    def __init__(self, store: Store, *, pricer: Callable[[], Pricer], datasets: Callable[[], Datasets]) -> None:
        super().__init__(store, pricer=pricer)
        self._datasets = datasets

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
        traces go into a dataset by the key a. In a runbook and in an exported or untrusted notebook the same call shows
        a table.

        Args:
            where: As for :meth:`search`.
            last: As for :meth:`search`.
            since: As for :meth:`search`.
            until: As for :meth:`search`.
            live: Take in new traces as they arrive.
            height: Height in pixels.

        Raises:
            QueryError: The condition does not parse or names an unknown column.
            MissingDependencyError: anywidget is not installed.
        """
        from lmops.traces._listing import TraceSource
        from lmops.widgets._actions import add_to_dataset
        from lmops.widgets.trace_browser import TraceBrowser
        from lmops.widgets.trace_browser_controller import TraceBrowserController

        controller = TraceBrowserController(
            TraceSource(self._store),
            where=where,
            last=last,
            since=since,
            until=until,
            is_live=live,
            actions={"dataset": add_to_dataset(self._datasets())},
        )
        return TraceBrowser(controller, height=height)


class BrowsablePrompts(Prompts):
    """The prompts with their widgets: bound here, so that no phase imports one.

    Without anywidget (a server, a pipeline) ``diff`` and ``compare`` return their plain records, which have the same
    ``.text`` and ``.df()``.
    """

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace.store, actor=workspace.actor)
        self._workspace = workspace

    def diff(
        self, name: str, a: int | str | PromptVersion, b: int | str | PromptVersion, *, height: int = 560
    ) -> PromptDiffWidget | PromptDiff:
        """Return what changed between two versions: words, settings, variables; press ? for the keys.

        It is a Python value too: ``.text``, ``.df()``, ``.changes``, ``.stats``, ``.value``. In a runbook and in an
        exported or untrusted notebook the same call shows a table.

        Args:
            name: Name of the prompt.
            a: The old version: number, alias or record.
            b: The new version.
            height: Height in pixels.

        Raises:
            NotFoundError: There is no such prompt, version or alias.
        """
        found = super().diff(name, a, b)
        try:
            from lmops.widgets.prompt_diff import PromptDiffWidget
        except MissingDependencyError:
            return found
        from lmops.widgets.prompt_diff_controller import PromptDiffController

        return PromptDiffWidget(PromptDiffController(self, found), height=height)

    def compare(
        self,
        name: str,
        versions: Sequence[int | str | PromptVersion],
        *,
        last: str | None = None,
        since: str | datetime | None = None,
        until: str | datetime | None = None,
        environment: str | None = None,
        height: int = 620,
    ) -> PromptCompareWidget | PromptComparison:
        """Return how versions behaved: measures with n and intervals, and their answers to the same inputs.

        It is a Python value too: ``.text``, ``.df()``, ``.outputs``, ``.caveats``, ``.value``. In a runbook and in an
        exported or untrusted notebook the same call shows a table.

        Args:
            name: Name of the prompt.
            versions: At least one: numbers, aliases or records; the first is what the others are compared with.
            last: Back from now, or from the newest trace of an archive: "24h", "7d".
            since: ISO time or datetime, UTC without a zone; not together with ``last``.
            until: Likewise.
            environment: Only traces of this environment, such as "production".
            height: Height in pixels.

        Raises:
            NotFoundError: There is no such prompt, version or alias.
        """
        found = super().compare(name, versions, last=last, since=since, until=until, environment=environment)
        try:
            from lmops.widgets.prompt_compare import PromptCompareWidget
        except MissingDependencyError:
            return found
        from lmops.widgets.prompt_compare_controller import PromptCompareController

        return PromptCompareWidget(PromptCompareController(self, found), height=height)

    def playground(
        self,
        name: str,
        *,
        versions: Sequence[int | str] | None = None,
        inputs: Sequence[Mapping[str, Any]] | str | None = None,
        height: int = 620,
    ) -> PromptPlayground:
        """Return the playground: inputs tried on versions and models side by side, a draft to edit and to save.

        What is done in it is a Python value: ``.value``, ``.df()``, ``.saved``; ``.run()`` runs it from Python.

        Args:
            name: Name of the prompt.
            versions: Numbers or aliases; by default the one in production and the newest one (or the one before).
            inputs: Variables by name, one mapping a row; or the name of a dataset, of which the first five are taken;
                by default the latest that traces of this prompt remember.
            height: Height in pixels.

        Raises:
            NotFoundError: There is no such prompt, version, alias or dataset.
            MissingDependencyError: anywidget is not installed.
        """
        from lmops.widgets.prompt_playground import PromptPlayground
        from lmops.widgets.prompt_playground_controller import PlaygroundController

        models = self._workspace.models
        controller = PlaygroundController(
            self, name, complete=models.acomplete, versions=versions,
            inputs=self._inputs(name, inputs) if inputs is None or isinstance(inputs, str) else inputs,
            models=functools.partial(_names_of, models),
        )  # fmt: skip
        return PromptPlayground(controller, height=height)

    def _inputs(self, name: str, dataset: str | None) -> list[dict[str, Any]]:
        """Return the first inputs of a dataset (a text is the prompt's last variable), or the latest real ones."""
        from lmops.prompts._playground import recent_inputs

        variables = self.get(name).variables
        if dataset is None:
            return recent_inputs(self._store, name, variables)
        return [
            dict(one.input) if isinstance(one.input, dict) else dict.fromkeys(variables[-1:], one.input)
            for one in self._workspace.datasets.get(dataset).examples[:5]
        ]


class BrowsableEvals(Evals):
    """The evaluations with their widget: bound here, so that no phase imports one."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._workspace = workspace

    def explore(
        self,
        run: Run | str,
        *others: Run | str,
        scorer: str | None = None,
        pass_at: float | Mapping[str, float] | None = None,
        height: int = 640,
    ) -> EvalExplorer:
        """Return the eval explorer: runs by cases, what became worse, outputs side by side; press ? for the keys.

        What is done in it is a Python value: ``.selected``, ``.selected_ids``, ``.df()``, ``.where``. The traces of
        marked cases go into a dataset by the key a. In a runbook and in an exported or untrusted notebook the same
        call shows a table, the worst regressions first.

        Args:
            run: The run that is judged, its id, or the name of its experiment.
            others: Up to four runs that it is compared with, the baseline first.
            scorer: The scorer to look at first; by default the one by which most cases became worse.
            pass_at: From which score on a case passes, one for all scorers or by name; by default the middle of the
                scale.
            height: Height in pixels.

        Raises:
            NotFoundError: There is no such run or scorer.
            UsageError: A run is given twice, or there are more than five.
            MissingDependencyError: anywidget is not installed.
        """
        from lmops.widgets.eval_explorer import EvalExplorer

        runs = [self._as_run(one) for one in (run, *others)]
        return EvalExplorer(self._explorer(runs, scorer=scorer, pass_at=pass_at), height=height)

    def compare(
        self,
        a: Run | str,
        b: Run | str,
        *,
        scorers: Sequence[str] | None = None,
        margin: float | Mapping[str, float] | None = None,
        slices: Sequence[str] = (),
        alpha: float = 0.05,
        correction: Literal["bh", "holm", "none"] = "bh",
        clustered: bool = True,
        allow_unmatched: bool = False,
        allow_changed: bool = False,
        seed: int = 0,
    ) -> ShownComparison:
        """Return run a against run b, as :meth:`lmops.evals.Evals.compare`; in a notebook it shows the explorer."""
        from lmops.widgets._eval_comparison import ShownComparison

        found = super().compare(
            a, b, scorers=scorers, margin=margin, slices=slices, alpha=alpha, correction=correction,
            clustered=clustered, allow_unmatched=allow_unmatched, allow_changed=allow_changed, seed=seed,
        )  # fmt: skip
        return ShownComparison(found, lambda: self._explorer([found.a, found.b], comparison=found))

    def _explorer(
        self,
        runs: Sequence[Run],
        *,
        scorer: str | None = None,
        pass_at: float | Mapping[str, float] | None = None,
        comparison: Comparison | None = None,
    ) -> EvalExplorerController:
        from lmops.evals._explore import CaseSource
        from lmops.widgets._actions import add_to_dataset
        from lmops.widgets.eval_explorer_controller import EvalExplorerController

        names = {name for one in runs for name in one.scorers}
        return EvalExplorerController(
            CaseSource(self._store, self._workspace.datasets, runs), scorer=scorer, comparison=comparison,
            pass_at=dict.fromkeys(names, pass_at) if isinstance(pass_at, int | float) else pass_at,
            trace=self._workspace.traces.get, actions={"dataset": add_to_dataset(self._workspace.datasets)},
        )  # fmt: skip


def _names_of(models: Models) -> list[str]:
    names: list[str] = models.list()["name"].tolist()
    return names
