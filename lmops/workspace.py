"""A workspace: one store and everything that can be done with it, by noun and verb."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Self

from lmops.audit import Audit
from lmops.datasets import Datasets
from lmops.errors import UsageError
from lmops.models import Models
from lmops.records import Project
from lmops.runbooks import Runbooks
from lmops.widgets.evals.noun import BrowsableEvals
from lmops.widgets.prompts.noun import BrowsablePrompts
from lmops.widgets.traces.noun import BrowsableTraces

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    import duckdb

    from lmops.store import EraseReport, Store


class Workspace:
    """One store, by its nouns: traces, prompts, models, datasets, evals, runbooks, audit, store; and ``sql``."""

    def __init__(self, store: Store, *, actor: str | None = None) -> None:
        self.store = store
        store.actor = actor or store.actor
        self.project = Project(store=store, actor=store.actor)
        if store.pending:
            store.resume(
                {
                    "reprice": self.traces.carry_out_reprice,
                    "renormalise": self.traces.carry_out_renormalise,
                }
            )
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

        ``input`` and ``output`` of traces are previews of 1,000 characters; an answer to a question that looked for a
        text in them says so (``note``).

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
        )

    @functools.cached_property
    def traces(self) -> BrowsableTraces:
        """The traces: ingest, search, get, stats, browse."""
        return BrowsableTraces(self)

    @functools.cached_property
    def models(self) -> Models:
        """The models and their prices."""
        return Models(self.project, reprice=self.traces.carry_out_reprice)

    @functools.cached_property
    def prompts(self) -> BrowsablePrompts:
        """The prompts: save, get, promote, rollback, history, diff, compare, playground, sync."""
        return BrowsablePrompts(self)

    @functools.cached_property
    def datasets(self) -> Datasets:
        """The datasets: save, add_traces, get, diff."""
        return Datasets(self.project)

    @functools.cached_property
    def evals(self) -> BrowsableEvals:
        """The evaluations: run, resume, compare, explore, gate, drift."""
        return BrowsableEvals(self)

    @functools.cached_property
    def runbooks(self) -> Runbooks:
        """The runbooks: list, show, run."""
        return Runbooks(self.project)

    @functools.cached_property
    def audit(self) -> Audit:
        """The audit chain: who changed what."""
        return Audit(self.project)
