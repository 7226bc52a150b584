"""A workspace: one store and everything that can be done with it, by noun and verb."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from lmops import erasing, overview
from lmops.nouns import Nouns
from lmops.records import Project
from lmops.traces import WAYS

if TYPE_CHECKING:
    import duckdb

    from lmops.store import Store


@overview.looks
class Workspace(Nouns):
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
