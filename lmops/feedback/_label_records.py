"""What a label schema is, a queue, an item that is handed out, and how far everybody is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from lmops.base.shown import Shown
from lmops.records import Version

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

FieldKind = Literal["pass_fail", "category", "scale", "choices", "tags", "text", "spans"]
Status = Literal["open", "closed", "archived"]
Values = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelField:
    """One question to a rater.

    Args:
        name: Of the field.
        kind: pass_fail (with a written critique), category (one of the options), choices (some of them), scale (a whole
            number from low to high), tags (free words), text (such as what the answer should have been), spans
            (stretches of the output).
        criteria: What the rater is told of it.
        options: Of a category and of choices; of spans the names that a stretch can have.
        low: Least number of a scale.
        high: Greatest number of a scale.
        keys: Value -> key that chooses it; every value once, every key once.
        is_required: A label without it is refused.
    """

    name: str
    kind: FieldKind
    criteria: str = ""
    options: tuple[str, ...] = ()
    low: int | None = None
    high: int | None = None
    keys: Mapping[str, str] = field(default_factory=dict)
    is_required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSchema(Version):
    """What raters are asked: a version that never changes; every label says under which it was made."""

    fields: tuple[LabelField, ...]
    criteria: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue(Shown):
    """What is to be labelled, by whom and under which schema.

    ``k`` raters are asked for a share ``overlap`` of the ``count`` items and one for the others; ``raters`` is empty
    where everybody may label. In the ``order`` "random" each rater has an order of their own. ``gold_share`` of what a
    rater is handed are items whose answers are known; they are counted. ``added`` items came with the call that
    returned it.
    """

    name: str
    status: Status
    schema: str
    schema_version: int
    strategy: str
    count: int
    k: int
    overlap: float
    raters: tuple[str, ...]
    is_blind: bool
    order: str = "given"
    gold_share: float | None = None
    added: int = 0

    @property
    def schema_ref(self) -> str:
        """The version of the schema that raters are shown."""
        return f"{self.schema}@{self.schema_version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn(Shown):
    """An item as it is handed to a rater: what it is on, until when nobody else has it, what this rater said of it.

    ``others`` are labels of other raters: none before the own one where the queue is blind.
    """

    queue: str
    position: int
    item: str
    trace_id: str | None
    span_id: str | None
    run_id: str | None
    example_id: str | None
    repeat: int | None
    until: datetime | None
    said: Values | None
    note: str | None
    others: tuple[tuple[str, Values], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept(Shown):
    """That an act of a rater is in the store: its place in the history, and the items that it was on.

    ``is_repeated`` says that it was there already: a page may send again what it heard no answer to. ``undid`` is what
    was said and is taken back by it.
    """

    seq: int
    action: str
    positions: tuple[int, ...]
    client: str
    sequence: int
    is_repeated: bool = False
    undid: Values | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjudication(Shown):
    """What somebody decided of an item where raters disagreed; ``event_id`` is its place in the audit chain."""

    queue: str
    position: int
    values: Values
    actor: str
    reason: str | None
    event_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RaterProgress:
    """How far one rater is: ``seconds`` are those that labels were said to have taken, each at most two minutes.

    ``old`` labels were made under a version of the schema that is asked again.
    """

    rater: str
    done: int
    skipped: int
    held: int
    seconds: float
    old: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueProgress(Shown):
    """How far a queue is: ``done`` of its ``items`` have a label by all that were asked.

    The traces of ``gone`` others were removed with old ones, or erased: nobody is handed them. Items whose answers are
    known are not counted.
    """

    queue: str
    items: int
    done: int
    raters: tuple[RaterProgress, ...]
    gone: int = 0

    @property
    def is_done(self) -> bool:
        """All that were asked have labelled every item that is left."""
        return self.done + self.gone == self.items
