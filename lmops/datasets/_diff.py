"""What changed between two versions, example by example."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lmops.base.shown import Shown
from lmops.datasets._content import encode
from lmops.datasets._schema import FIELDS

if TYPE_CHECKING:
    import pandas as pd

    from lmops.datasets._example import Example
    from lmops.datasets._records import DatasetVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An example that is in both versions and is not the same."""

    example_id: str
    fields: tuple[str, ...]
    before: Example = field(repr=False)
    after: Example = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetDiff(Shown):
    """What changed from one version to another; in a notebook it shows as a table."""

    before: str
    after: str
    added: tuple[Example, ...]
    removed: tuple[Example, ...]
    changed: tuple[Change, ...]
    unchanged: int
    is_reordered: bool

    @property
    def is_empty(self) -> bool:
        """Whether both hold the same examples in the same order."""
        return not (self.added or self.removed or self.changed or self.is_reordered)

    @property
    def summary(self) -> str:
        """The counts in a line."""
        order = ", another order" if self.is_reordered else ""
        return (
            f"{self.before} -> {self.after}: {len(self.added):,} added, {len(self.removed):,} removed, "
            f"{len(self.changed):,} changed, {self.unchanged:,} unchanged{order}"
        )

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<DatasetDiff {self.summary}>"

    def rows(self) -> list[dict[str, Any]]:
        """Return one row per added or removed example and changed field: change, example_id, field, before, after."""
        rows = [_row("added", one.example_id, None, None, one.input) for one in self.added]
        rows += [_row("removed", one.example_id, None, one.input, None) for one in self.removed]
        rows += [
            _row("changed", change.example_id, name, getattr(change.before, name), getattr(change.after, name))
            for change in self.changed
            for name in change.fields
        ]
        return rows

    def df(self) -> pd.DataFrame:
        """Return :meth:`rows` as a frame; before and after of an added or removed example are its input."""
        from lmops.base.frames import Frame

        columns = ["change", "example_id", "field", "before", "after"]
        return Frame(self.rows(), columns=columns, dtype=object)


def diff(before: DatasetVersion, after: DatasetVersion) -> DatasetDiff:
    """Return what changed; examples are matched by id."""
    old = {example.example_id: example for example in before.examples}
    new = {example.example_id: example for example in after.examples}
    changed = []
    for name, example in new.items():
        # Compared as they are stored: 1, 1.0 and True are different, though Python calls them equal.
        fields = _changed(old[name], example) if name in old else ()
        if fields:
            changed.append(Change(example_id=name, fields=fields, before=old[name], after=example))
    common_before = [name for name in old if name in new]
    common_after = [name for name in new if name in old]
    return DatasetDiff(
        before=before.ref,
        after=after.ref,
        added=tuple(example for name, example in new.items() if name not in old),
        removed=tuple(example for name, example in old.items() if name not in new),
        changed=tuple(changed),
        unchanged=len(common_after) - len(changed),
        is_reordered=common_before != common_after,
    )


def _changed(before: Example, after: Example) -> tuple[str, ...]:
    one, other = encode(before), encode(after)
    if one.hash == other.hash:
        return ()
    return tuple(name for name, text, new in zip(FIELDS, one.texts, other.texts, strict=True) if text != new)


def _row(change: str, example_id: str, name: str | None, before: Any, after: Any) -> dict[str, Any]:
    return {"change": change, "example_id": example_id, "field": name, "before": before, "after": after}
