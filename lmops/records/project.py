"""The store with who acts on it, why and by which clock: what the nouns of a workspace are made with."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from lmops.errors import UsageError
from lmops.records.change import Change
from lmops.records.words import check_words
from lmops.times import utc_now

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from lmops.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """One store as somebody works on it.

    Args:
        store: Where everything is kept.
        actor: Who acts, for the audit chain.
        reason: Why, for every event that has no reason of its own.
        now: The clock, aware and in UTC.
        within: The change that all its changes are parts of; None: each is one of its own.
    """

    store: Store
    actor: str
    reason: str | None = None
    now: Callable[[], datetime] = utc_now
    within: Change | None = field(default=None, repr=False)

    def inside(self, change: Change) -> Project:
        """Return the same store as it is inside a change that is being made.

        What nouns that are made with it read and write is a part of that change: all of it happens, or nothing.

        Args:
            change: Of this project, and still open.
        """
        return replace(self, within=change, actor=change.actor, reason=change.reason)

    def acting_as(self, actor: str, *, reason: str | None = None) -> Project:
        """Return the same store as somebody else works on it.

        Args:
            actor: Who acts from then on.
            reason: Why, for every event that has no reason of its own.

        Raises:
            UsageError: It is no name.
        """
        if not isinstance(actor, str) or not actor.strip():
            raise UsageError(f"acting_as({actor!r}): give the name of who acts, such as 'mara'")
        name, words = actor.strip(), check_words(reason, "reason")
        return replace(self, store=self.store.acting_as(name, reason=words), actor=name, reason=words)

    def reading(self) -> AbstractContextManager[sqlite3.Connection]:
        """Run one read transaction over the tables of records."""
        return self.store.reading() if self.within is None else contextlib.nullcontext(self.within.con)

    @contextlib.contextmanager
    def change(
        self,
        *,
        actor: str | None = None,
        reason: str | None = None,
        evidence: Sequence[str] = (),
        durable: bool = True,
        wait: bool = True,
        dry_run: bool = False,
    ) -> Iterator[Change]:
        """Change records in one transaction, together with the event that says so.

        Args:
            actor: Who makes it; the project's actor by default.
            reason: Why; the project's by default.
            evidence: Ids of what it rests on.
            durable: Survive a power cut, not only a killed process.
            wait: Wait for whoever writes at the moment; otherwise raise BusyError.
            dry_run: Look only: nothing that is written stays.

        Raises:
            UsageError: The reason is no text or too long.
            RuntimeError: Rows were written that no event names; nothing was changed.
        """
        words = check_words(reason, "reason") or self.reason
        outer = self.within
        opened: AbstractContextManager[sqlite3.Connection]
        if outer is not None:
            opened = _part(outer.con, dry_run=dry_run)
        else:
            opened = self.store.reading() if dry_run else self.store.transaction(durable=durable, wait=wait)
        whole = () if outer is None else outer.evidence
        with opened as con:
            made = Change(
                self.store,
                con,
                actor=actor or self.actor,
                reason=words,
                evidence=tuple(dict.fromkeys((*whole, *evidence))),
                at=self.now() if outer is None else outer.at,
                is_dry_run=dry_run,
            )
            yield made
            if made.unsaid and not dry_run:
                raise RuntimeError(f"rows of {', '.join(made.unsaid)} were written and no event says so")


@contextlib.contextmanager
def _part(con: sqlite3.Connection, *, dry_run: bool) -> Iterator[sqlite3.Connection]:
    """Run a part of a transaction; of a dry run nothing that is written stays."""
    if not dry_run:
        yield con
        return
    con.execute("savepoint part")
    try:
        yield con
    finally:
        con.execute("rollback to part")
        con.execute("release part")
