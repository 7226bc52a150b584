"""A workspace: one store and everything that can be done with it, by noun and verb."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Literal, Self

from lmops.audit import Audit
from lmops.datasets import Datasets
from lmops.errors import MissingDependencyError, UsageError
from lmops.evals import Evals
from lmops.models import Models
from lmops.prompts import Prompts
from lmops.runbooks import Runbooks
from lmops.store import Store
from lmops.traces import Traces, join_logs

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime
    from types import TracebackType

    import duckdb

    from lmops.evals import Comparison, Run
    from lmops.models import Pricer
    from lmops.prompts import PromptVersion
    from lmops.prompts._compare import PromptComparison
    from lmops.prompts._diff import PromptDiff
    from lmops.store import EraseReport
    from lmops.widgets.evals.comparison import ShownComparison
    from lmops.widgets.evals.controller import EvalExplorerController
    from lmops.widgets.evals.explorer import EvalExplorer
    from lmops.widgets.prompts.compare import PromptCompareWidget
    from lmops.widgets.prompts.diff import PromptDiffWidget
    from lmops.widgets.prompts.playground import PromptPlayground
    from lmops.widgets.traces.browser import TraceBrowser


def open(  # noqa: A001  # lmops.open reads as what it does
    path: str | os.PathLike[str] | None = None,
    *,
    read_only: bool = False,
    actor: str | None = None,
    timeout_s: float | None = None,
    memory_limit: str | None = None,
) -> Workspace:
    """Open the store of this project and return its workspace.

    Args:
        path: The store's folder, or a project's folder that has a ``.lmops``; ``":memory:"`` for one that vanishes.
            None: ``LMOPS_STORE``, else the nearest ``.lmops`` upward (as git finds ``.git``), else a new one here.
        read_only: Refuse every write; nothing is created.
        actor: Who acts, for the audit chain; ``LMOPS_ACTOR`` or the system's user by default.
        timeout_s: Longest time of a question in seconds; ``LMOPS_TIMEOUT_S`` or none by default.
        memory_limit: Memory that questions of this process may take, such as "2GB"; ``LMOPS_MEMORY_LIMIT`` or a
            quarter of the machine's (or its container's) by default. What does not fit goes to the disk.

    Raises:
        StoreError: There is no store to open read-only, or it cannot be read.
        UsageError: The path is a file or an address, or a limit is none.

    Example:
        >>> import lmops
        >>> ws = lmops.open(":memory:")
        >>> ws.sql("select count(*) from traces").fetchall()
        [(0,)]
    """
    store = Store.open(path, read_only=read_only, join_logs=join_logs, timeout_s=timeout_s, memory_limit=memory_limit)
    return Workspace(store, actor=actor)


class Workspace:
    """One store, by its nouns: traces, prompts, models, datasets, evals, runbooks, audit, store; and ``sql``."""

    def __init__(self, store: Store, *, actor: str | None = None) -> None:
        self.store = store
        self.actor = store.actor = actor or store.actor
        if store.pending:
            store.resume({
                "reprice": self.traces.carry_out_reprice, "renormalise": self.traces.carry_out_renormalise,
            })  # fmt: skip
        if not store.is_read_only:
            self.runbooks.settle()

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

    def sql(
        self, query: str, params: Any = None, *, timeout_s: float | None = None
    ) -> duckdb.DuckDBPyRelation:  # what DuckDB takes
        """Run one read-only SELECT over the public views and return its result (``.df()``, ``.arrow()``, ...).

        Args:
            query: One SELECT over traces, spans, llm_calls, tool_calls, retrieved_documents, prompts, prompt_versions,
                prompt_history, datasets, examples, runs, results, scores, verdicts, prices, model_endpoints,
                runbook_runs, audit; ``describe VIEW`` lists columns.
            params: A list for ``?`` or a dict for ``$name``.
            timeout_s: Longest time in seconds; that of ``lmops.open`` by default. Ctrl+C and the notebook's stop
                button end it at any time.

        Raises:
            QueryError: Not one SELECT, an unknown name, or something outside the store; or it took longer or more
                memory than it may.
        """
        return self.store.sql(query, params, timeout_s=timeout_s)

    def erase(
        self,
        *,
        user_id: str | None = None,
        session_id: str | None = None,
        trace_ids: str | Iterable[str] | None = None,
        where: str | None = None,
        reason: str | None = None,
        dry_run: bool = True,
    ) -> EraseReport:
        """Remove a person, a session or traces with everything that was made of them; say first what that is.

        Gone are their spans, traces and log events, long texts, cached answers, and the executed notebooks and reports
        that show any of them, whole. Examples made of them and cases of evaluations over these keep their place, id,
        numbers and times, and lose every text. What was set aside as damaged and names them goes too. The database and
        the files are written anew: no free page and no log holds what was erased. Cut short, it is finished when the
        store is opened next. The audit chain keeps that, when, by whom and why, and not what.

        Backups and exports are not touched: the report lists those that the audit chain knows and that are still there.

        Args:
            user_id: Every trace with a span of this user.
            session_id: Every trace with a span of this session.
            trace_ids: These traces.
            where: Traces by a condition, as for ``ws.traces.search``.
            reason: Why, for the audit chain; needed unless it is a dry run.
            dry_run: Only say what would go, the default.

        Returns:
            Counts of what goes or went, backups that still hold it, and what could not be erased.

        Raises:
            UsageError: Not exactly one of the four was given, or no reason.
            QueryError: The condition does not parse or names an unknown column.
        """
        given = {"user_id": user_id, "session_id": session_id, "trace_ids": trace_ids, "where": where}
        asked = [(name, value) for name, value in given.items() if value is not None]
        if len(asked) != 1:
            raise UsageError("erase: give exactly one of user_id=, session_id=, trace_ids= and where=")
        ((by, value),) = asked
        words = [value] if by in ("user_id", "session_id") and isinstance(value, str) else []
        return self.store.eraser.erase(
            self.traces.ids_of(by, value), by=by, words=words, reason=reason, dry_run=dry_run, actor=self.actor
        )  # fmt: skip

    @functools.cached_property
    def traces(self) -> BrowsableTraces:
        """The traces: ingest, search, get, stats, browse."""
        return BrowsableTraces(self.store, pricer=self._pricer, datasets=lambda: self.datasets)

    @functools.cached_property
    def models(self) -> Models:
        """The models and their prices."""
        return Models(self.store, actor=self.actor, reprice=self.traces.carry_out_reprice)

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
            where: As for :meth:`search`. Traces of evaluations are left out, where there are any, by a chip of its
                own that a click removes, unless this asks for an environment.
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
        from lmops.widgets.kit.actions import add_to_dataset
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
            from lmops.widgets.prompts.diff import PromptDiffWidget
        except MissingDependencyError:
            return found
        from lmops.widgets.prompts.diff_controller import PromptDiffController

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
        evaluations: bool = False,
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
            evaluations: Count the traces of evaluations as well, which are left out otherwise.
            height: Height in pixels.

        Raises:
            NotFoundError: There is no such prompt, version or alias.
        """
        found = super().compare(
            name, versions, last=last, since=since, until=until, environment=environment, evaluations=evaluations
        )
        try:
            from lmops.widgets.prompts.compare import PromptCompareWidget
        except MissingDependencyError:
            return found
        from lmops.widgets.prompts.compare_controller import PromptCompareController

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
        from lmops.widgets.prompts.playground import PromptPlayground
        from lmops.widgets.prompts.playground_controller import PlaygroundController

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

        What is done in it is a Python value: ``.selected``, ``.selected_ids``, ``.df()``, ``.where``. The
        examples of marked cases go into a dataset by the key a. In a runbook and in an exported or untrusted notebook
        the same call shows a table, the worst regressions first.

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
        from lmops.widgets.evals.explorer import EvalExplorer

        runs = [self._as_run(one) for one in (run, *others)]
        return EvalExplorer(self._explorer(runs, scorer=scorer, pass_at=pass_at), height=height)

    def compare(
        self,
        a: Run | str,
        b: Run | str,
        *,
        scorers: Sequence[str] | None = None,
        margin: float | Mapping[str, float] | None = None,
        decide: Sequence[str] | None = None,
        slices: Sequence[str] = (),
        alpha: float = 0.05,
        correction: Literal["bh", "holm", "none"] = "bh",
        clustered: bool = True,
        allow_unmatched: bool = False,
        allow_changed: bool = False,
        seed: int = 0,
    ) -> ShownComparison:
        """Return run a against run b, as :meth:`lmops.evals.Evals.compare`; in a notebook it shows the explorer."""
        from lmops.widgets.evals.comparison import ShownComparison

        found = super().compare(
            a, b, scorers=scorers, margin=margin, decide=decide, slices=slices, alpha=alpha, correction=correction,
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
        from lmops.widgets.evals.controller import EvalExplorerController
        from lmops.widgets.kit.actions import add_examples

        datasets = self._workspace.datasets
        names = {name for one in runs for name in one.scorers}
        return EvalExplorerController(
            CaseSource(self._store, self._workspace.datasets, runs), scorer=scorer, comparison=comparison,
            pass_at=dict.fromkeys(names, pass_at) if isinstance(pass_at, int | float) else pass_at,
            trace=self._workspace.traces.get,
            actions={"dataset": add_examples(datasets, lambda one: datasets.get(runs[0].dataset)[one])},
        )  # fmt: skip


def _names_of(models: Models) -> list[str]:
    names: list[str] = models.list()["name"].tolist()
    return names
