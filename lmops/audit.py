"""The audit chain: who changed what, when, why and on which evidence; append-only and hash-chained.

Each event carries the SHA-256 of the event before it, so an edit anywhere breaks the chain from there on, and
:meth:`Audit.verify` finds the first broken link.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lmops.store import GENESIS, append_event, event_hash

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from lmops.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What checking the whole chain found."""

    ok: bool
    events: int
    first_broken: int | None = None
    problem: str | None = None

    def __repr__(self) -> str:
        """Say it in one line."""
        if self.ok:
            return f"<Verification ok: {self.events} events>"
        return f"<Verification BROKEN at event {self.first_broken}: {self.problem}>"


class Audit:
    """The chain as a workspace sees it: ``ws.audit``."""

    def __init__(self, store: Store, *, actor: str) -> None:
        self._store = store
        self._actor = actor

    def __repr__(self) -> str:
        """Say how long the chain is."""
        with self._store.reading() as con:
            events = con.execute("select count(*) from audit").fetchone()[0]
        return f"<Audit: {events} events>"

    def append(
        self,
        *,
        action: str,
        subject: str,
        reason: str | None = None,
        before: object = None,
        after: object = None,
        evidence: Sequence[str] = (),
    ) -> int:
        """Append one event by this workspace's actor and return its id."""
        with self._store.transaction() as con:
            return append_event(
                con, actor=self._actor, action=action, subject=subject, reason=reason, before=before, after=after,
                evidence=evidence,
            )  # fmt: skip

    def verify(self) -> Verification:
        """Derive every hash again and return the first link that does not hold."""
        expected, previous = 1, GENESIS
        with self._store.reading() as con:
            for row in con.execute("select * from audit order by event_id"):
                problem = None
                if row["event_id"] != expected:
                    problem = f"event {expected} is missing"
                elif row["previous_hash"] != previous:
                    problem = "it does not continue the event before it"
                elif row["hash"] != event_hash(dict(row)):
                    problem = "its content is not what was written"
                if problem:
                    return Verification(ok=False, events=expected - 1, first_broken=expected, problem=problem)
                previous = row["hash"]
                expected += 1
        return Verification(ok=True, events=expected - 1)

    def events(self) -> pd.DataFrame:
        """Return every event, oldest first: the columns of the view ``audit``."""
        frame: pd.DataFrame = self._store.sql("select * from audit order by event_id").df()
        return frame
