"""The links of the audit chain, one by one: whether each holds, and whether the chain goes through its anchors."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lmops.store import EVENT_COLUMNS, GENESIS, event_hash
from lmops.store.schema import schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from lmops.store import Coverage


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Where a chain ends: how many events there are, and the hash of the last one."""

    events: int
    hash: str

    @property
    def line(self) -> str:
        """Return it as one line to keep elsewhere: ``"17:5f2c..."``."""
        return f"{self.events}:{self.hash}"

    def __repr__(self) -> str:
        return f"<Head {self.line}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What checking a whole chain, and the records against it, found.

    Args:
        ok: Whether every link holds and every record is what the chain says of it.
        events: How many there are, up to the first broken one.
        first_broken: The event that does not hold, or that a changed record was written by; None when no event names
            that record.
        problem: What is wrong, the first of it.
        records: How many records the chain holds; None where there were none to compare, as in an export.
        not_covered: How many it does not hold, by table: they are from before events named records, or of a run that
            goes on, or wait for their event.
        altered: Every record that is not what the chain says, in words.
        lost: What was lost and said so by the event of a repair, in words; what is left of it is not covered.
    """

    ok: bool
    events: int
    first_broken: int | None = None
    problem: str | None = None
    records: int | None = None
    not_covered: dict[str, int] = field(default_factory=dict)
    altered: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Return whether everything holds."""
        return self.ok

    @property
    def text(self) -> str:
        """Return it in a few words."""
        if not self.ok:
            where = "in a record" if self.first_broken is None else f"at event {self.first_broken}"
            more = f" (and {len(self.altered) - 1} more records)" if len(self.altered) > 1 else ""
            return f"BROKEN {where}: {self.problem}{more}"
        held = "" if self.records is None else f", {self.records:,} records as they were written"
        left = ", ".join(f"{count:,} of {table}" for table, count in sorted(self.not_covered.items()))
        lost = f"; lost, and said so: {', '.join(self.lost)}" if self.lost else ""
        return f"whole, {self.events:,} events{held}{f'; not covered: {left}' if left else ''}{lost}"

    def __repr__(self) -> str:
        """Say it in one line."""
        return f"<Verification {'ok: ' if self.ok else ''}{self.text}>"


def with_records(found: Verification, records: Coverage, lost: Mapping[str, int]) -> Verification:
    """Return what was found of a whole chain with what was found of the records.

    Args:
        found: Of the chain.
        records: Of the records.
        lost: The runs that lost cases, by key, and the event that says so.
    """
    altered = tuple(words for _, words in records.problems)
    # A row under another key is missing as well, and there is an event that says where it was.
    written = [one for one in records.problems if one[0] is not None or not one[1].endswith("named by no event")]
    first = next(iter(written or records.problems), (None, None))
    not_covered = records.not_covered
    if lost:
        packed = schema().packed.table
        not_covered = {**not_covered, packed: not_covered.get(packed, 0) + len(lost)}
    return replace(
        found,
        ok=not altered,
        first_broken=first[0],
        problem=first[1],
        records=records.covered - len(lost),
        not_covered=not_covered,
        altered=altered,
        lost=tuple(f"cases of {key} (event {event})" for key, event in lost.items()),
    )


def check(
    rows: Iterable[Any],
    head: Head | None,
    anchors: Iterable[Head],
    *,
    on_event: Callable[[Any], None] = lambda _: None,
) -> Verification:
    """Walk through a chain and compare its end with its head, and it with its anchors."""
    problem: str | None
    expected, previous = 1, GENESIS
    kept: dict[int, set[str]] = {}
    for anchor in anchors:
        kept.setdefault(anchor.events, set()).add(anchor.hash)
    if kept.pop(0, {GENESIS}) != {GENESIS}:
        problem = "an anchor names another beginning than that of every chain"
        return Verification(ok=False, events=0, first_broken=1, problem=problem)
    for row in rows:
        problem = _problem(row, expected, previous)
        if problem:
            return Verification(ok=False, events=expected - 1, first_broken=expected, problem=problem)
        previous = row["hash"]
        on_event(row)
        if kept.pop(expected, {previous}) != {previous}:
            problem = "it is not the one that the anchor names: the chain was written anew"
            return Verification(ok=False, events=expected - 1, first_broken=expected, problem=problem)
        expected += 1
    events = expected - 1
    if head is None:
        problem = "the head record, which says how many events there are, is missing"
    elif head.events > events:
        problem = f"the last {head.events - events} of {head.events} events are missing"
    elif (head.events, head.hash) != (events, previous):
        problem = "the head record does not name the last event"
    elif kept:
        problem = f"the anchor names event {max(kept)} and the chain ends at {events}: the last events are missing"
    else:
        return Verification(ok=True, events=events)
    return Verification(ok=False, events=events, first_broken=expected, problem=problem)


def _problem(row: Any, expected: int, previous: str) -> str | None:
    """Return what is wrong with one link."""
    if not isinstance(row, dict) or {*row, "records"} != set(
        EVENT_COLUMNS
    ):  # events of older exports say nothing of them
        return "it cannot be read, or has other fields"
    if row["event_id"] != expected:
        return f"event {expected} is missing"
    if row["previous_hash"] != previous:
        return "it does not continue the event before it"
    if row["hash"] != _hash_of(row):
        return "its content is not what was written"
    return None


def _hash_of(row: Mapping[str, Any]) -> str | None:
    try:
        return event_hash(row)
    except (TypeError, ValueError):  # a BLOB where text was
        return None
