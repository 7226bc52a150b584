"""What a failure mode is, a suggested one, and how often each was found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from lmops.base.shown import Shown, Viewed

if TYPE_CHECKING:
    import pandas as pd

    from lmops.feedback._label_records import LabelSchema


class Sorted(Protocol):
    """The notes that a mode is of."""

    def to_category(self, mode: int | str, schema: str, *, field: str, reason: str | None) -> LabelSchema:
        """Return the schema with the mode as a category."""

    def to_scorer(self, mode: int | str, *, kind: str, model: str) -> str:
        """Return the text of a scorer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureMode(Shown):
    """One way in which answers fail, as it is when it is asked for: ``notes`` are in it, on ``items`` of the queue."""

    queue: str
    number: int
    name: str
    criteria: str
    notes: int
    items: int
    themes: Sorted = field(repr=False, compare=False)

    def to_category(self, schema: str, *, field: str = "failure_mode", reason: str | None = None) -> LabelSchema:
        """Return a new version of a label schema in which raters can choose this mode.

        Args:
            schema: Name of the schema, or "name@3" for that version.
            field: The field that has the modes: a category, or choices; made when there is none.
            reason: Why, for the audit chain.

        Raises:
            NotFoundError: There is no such schema.
            UsageError: The field is of another kind.
        """
        return self.themes.to_category(self.number, schema, field=field, reason=reason)

    def to_scorer(self, kind: str = "judge", *, model: str = "openai:gpt-5-mini") -> str:
        """Return the text of a scorer to begin with: Python that runs as it is, and is better after an edit.

        Args:
            kind: "judge": a judge with the criteria and with examples; "code": one that looks for telling words.
            model: That the judge asks.

        Raises:
            UsageError: There is no such kind.
        """
        return self.themes.to_scorer(self.number, kind=kind, model=model)

    def data(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {name: getattr(self, name) for name in ("queue", "number", "name", "criteria", "notes", "items")}


@dataclass(frozen=True, slots=True, kw_only=True)
class SuggestedMode(Shown):
    """Notes in no mode yet that say alike things: nothing is done with it until somebody makes a mode of it.

    ``name`` is made of the words that tell them from the others; ``words`` are those of the first notes.
    """

    name: str
    notes: tuple[str, ...]
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestions(Shown):
    """Suggested modes, the greatest first.

    ``by`` says how the notes were compared, ``silhouette`` from -1 to 1 how well the groups are apart; ``left`` notes
    are like no other, ``omitted`` more than can be compared at once.
    """

    queue: str
    modes: tuple[SuggestedMode, ...]
    by: str
    silhouette: float | None
    left: int
    omitted: int

    def data(self) -> dict[str, Any]:
        """Return them as plain data."""
        told = {name: getattr(self, name) for name in ("queue", "by", "silhouette", "left", "omitted")}
        return {**told, "modes": [{"name": one.name, "notes": list(one.notes)} for one in self.modes]}


@dataclass(frozen=True, slots=True, kw_only=True)
class FailurePivot(Viewed):
    """How often each failure mode was found, by group: ``df()``, the chart as ``view``.

    Args:
        frame: One row a group and mode; :meth:`lmops.feedback.Themes.pivot` has its columns.
        queue: The queue.
        by: The groups.
        items: Items that somebody looked at.
        notes: What a reader has to know besides.
    """

    frame: pd.DataFrame = field(repr=False)
    queue: str
    by: tuple[str, ...]
    items: int
    notes: tuple[str, ...] = ()

    def df(self) -> pd.DataFrame:
        """Return the rows as a frame of its own."""
        return self.frame.copy()

    @property
    def title(self) -> str:
        """What it is."""
        by = f" by {', '.join(self.by)}" if self.by else ""
        return f"failure modes of {self.queue}{by} ({self.items:,} items looked at)"

    def data(self) -> dict[str, Any]:
        """Return the figures and the rows as plain data."""
        rows = self.frame.astype(object).where(self.frame.notna(), None).to_dict("records")
        return {"queue": self.queue, "items": self.items, "notes": list(self.notes), "rows": rows}
