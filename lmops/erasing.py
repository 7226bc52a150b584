"""Erasing somebody: what was asked, as traces, examples and words that the store can look for in every room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lmops.errors import UsageError
from lmops.store import PERSONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lmops.datasets import Datasets
    from lmops.records import Project
    from lmops.store import EraseReport
    from lmops.traces import Traces


def erase(
    project: Project,
    traces: Traces,
    datasets: Datasets,
    given: Mapping[str, str | Iterable[str] | None],
    examples: str | Iterable[str] | None,
    words: str | Iterable[str] | None,
    *,
    reason: str | None,
    dry_run: bool,
) -> EraseReport:
    """Carry out ``ws.erase``.

    Args:
        project: Where, and who asks.
        traces: Of it, to find those that are meant.
        datasets: Of it, to find the examples.
        given: Which traces, by ``user_id``, ``session_id``, ``trace_ids`` or ``where``; at most one is not None.
        examples: Of data sets, as ``NAME/ID`` or ``NAME@VERSION/ID``.
        words: That name the person.
        reason: Why.
        dry_run: Only say what would go.

    Raises:
        UsageError: More than one of ``given``, or nothing at all, or no reason.
        NotFoundError: There is no such example.
    """
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
    return project.store.eraser.erase(
        traces.ids_of(by, value) if asked else (),
        by=by,
        words=shown,
        who=who,
        named=datasets.contents_of(listed),
        reason=reason,
        dry_run=dry_run,
        actor=project.actor,
    )
