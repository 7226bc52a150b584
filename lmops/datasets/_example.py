"""One thing to evaluate on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from lmops.datasets._schema import FIELDS
from lmops.text import plain_line, readable

#: So many ids are searched for the nearest to one that is not there.
NAMED: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One thing to evaluate on.

    Args:
        example_id: Unique within its dataset; results are paired by it.
        input: What the task is given: a text, or values by name.
        expected: The reference answer, whatever the scorers compare with; None when there is none.
        metadata: Everything else that was known, by name.
        split: Such as "dev" or "test".
        tags: Words to select by.
        cluster: What it belongs to (a session, a document, an author): examples of one cluster are not independent.
        trace_id: The trace it was made from.
        output: What production answered.
        documents: What was retrieved for it: dicts with id, content, score.
        labels: What people said about it, by name.
    """

    example_id: str
    input: Any
    expected: Any = None
    metadata: dict[str, Any] = field(default_factory=dict)
    split: str | None = None
    tags: tuple[str, ...] = ()
    cluster: str | None = None
    trace_id: str | None = None
    output: Any = None
    documents: list[dict[str, Any]] | None = None
    labels: dict[str, Any] | None = None

    def __repr__(self) -> str:
        shown = " ".join(value for value in (self.split, *self.tags) if value)
        place = f" {plain_line(shown, 40)}" if shown else ""
        return f"<Example {plain_line(self.example_id, 60)}{place}: {plain_line(readable(self.input), 60)!r}>"

    def as_dict(self) -> dict[str, Any]:
        """Return its fields by name, as a scorer or a template sees them."""
        return {name: getattr(self, name) for name in FIELDS}
