"""Erasing somebody: what was asked, as traces, examples and words that the store can look for in every room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from lmops.errors import UsageError
from lmops.store import PERSONS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lmops.datasets import Datasets
    from lmops.records import Project
    from lmops.store import EraseReport
    from lmops.traces import Traces


class Workspace(Protocol):
    """What has traces and data sets of one project."""

    project: Project

    @property
    def traces(self) -> Traces:
        """The traces."""

    @property
    def datasets(self) -> Datasets:
        """The data sets."""


def erase(
    ws: Workspace,
    *,
    user_id: str | None = None,
    session_id: str | None = None,
    trace_ids: str | Iterable[str] | None = None,
    where: str | None = None,
    examples: str | Iterable[str] | None = None,
    words: str | Iterable[str] | None = None,
    reason: str | None = None,
    dry_run: bool = True,
) -> EraseReport:
    """Remove a person, a session or traces with everything that was made of them; say first what that is.

    Gone are their spans, traces and log events, long texts, cached answers, and the executed notebooks and reports
    that show any of them, whole. Examples made of them and cases of evaluations over these keep their place, id,
    numbers and times, and lose every text. What was set aside as damaged and names them goes too. No free page and
    no log of the files holds what was erased. Cut short, it is finished when the store is opened next. The audit
    chain keeps that, when, by whom and why, and not what. Files that cannot be read are listed; what they hold of
    these traces, user or session goes once they can be; for a condition and words ask again then.

    Records that were not made of these traces go as well when they show an id or one of the words: examples typed
    by hand, cached answers, notebooks, signals. What only shares a stretch of text stays, and is listed.

    Args:
        ws: Where, and who asks.
        user_id: Every trace with a span of this user.
        session_id: Every trace with a span of this session.
        trace_ids: These traces.
        where: Traces by a condition, as for ``ws.traces.search``.
        examples: These examples of data sets, with the cases of evaluations over them: ``"cases/ID"`` in every
            version of the data set, ``"cases@3/ID"`` what version 3 holds, in whatever version.
        words: What names the person: records that show one go; traces do by ``where="contains(input, 'WORD')"``.
        reason: Why, for the audit chain; needed unless it is a dry run.
        dry_run: Only say what would go, the default.

    Returns:
        Counts of what goes or went, backups that still hold it, and what could not be erased.

    Raises:
        UsageError: More than one of the first four was given, or nothing at all, or no reason.
        NotFoundError: There is no such example.
        QueryError: The condition does not parse or names an unknown column.
    """
    given = {"user_id": user_id, "session_id": session_id, "trace_ids": trace_ids, "where": where}
    listed, said = ([one] if isinstance(one, str) else list(one or ()) for one in (examples, words))
    asked = [(name, value) for name, value in given.items() if value is not None]
    if len(asked) > 1 or not (asked or listed or said):
        raise UsageError(
            "erase: give one of user_id=, session_id=, trace_ids= and where=; examples= and words= add to it, or "
            "stand alone"
        )
    by, value = asked[0] if asked else ("examples" if listed else "words", None)
    who = {by: value} if by in PERSONS and isinstance(value, str) else {}
    shown = [*said, *who.values()]
    return ws.project.store.eraser.erase(
        ws.traces.ids_of(by, value) if asked else (),
        by=by,
        words=shown,
        who=who,
        named=ws.datasets.contents_of(listed),
        reason=reason,
        dry_run=dry_run,
        actor=ws.project.actor,
    )
