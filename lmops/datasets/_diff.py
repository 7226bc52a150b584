"""What changed between two versions, example by example."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from lmops.datasets._content import encode
from lmops.datasets._records import FIELDS
from lmops.text import plain_line

if TYPE_CHECKING:
    import pandas as pd

    from lmops.datasets._records import DatasetVersion, Example

_SHOWN: Final = 50
_WIDTH: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An example that is in both versions and is not the same."""

    example_id: str
    fields: tuple[str, ...]
    before: Example = field(repr=False)
    after: Example = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetDiff:
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

    @property
    def text(self) -> str:
        """The changes as text, at most 50 lines a kind, safe to print."""
        lines = [self.summary]
        for sign, examples in (("+", self.added), ("-", self.removed)):
            lines += [
                f"{sign} {plain_line(one.example_id, 60)}  {plain_line(one.input, _WIDTH)}" for one in examples[:_SHOWN]
            ]
            lines += [f"{sign} ... and {len(examples) - _SHOWN:,} more"] if len(examples) > _SHOWN else []
        for change in self.changed[:_SHOWN]:
            lines.append(f"~ {plain_line(change.example_id, 60)}")
            for name in change.fields:
                lines.append(f"    {name} - {plain_line(_shown(change.before, name), _WIDTH)}")
                lines.append(f"    {' ' * len(name)} + {plain_line(_shown(change.after, name), _WIDTH)}")
        if len(self.changed) > _SHOWN:
            lines.append(f"~ ... and {len(self.changed) - _SHOWN:,} more")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<DatasetDiff {self.summary}>"

    def _repr_html_(self) -> str:
        from lmops.datasets._html import diff_html

        return diff_html(self)

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
        import pandas as pd

        columns = ["change", "example_id", "field", "before", "after"]
        return pd.DataFrame(self.rows(), columns=columns, dtype=object)


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


def _shown(example: Example, name: str) -> Any:
    value = getattr(example, name)
    return "(nothing)" if value is None else value
