"""What changed between two versions of a prompt: lines and words of the text, model, parameters, schema and tools."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from lmops.base.shown import Viewed
from lmops.calc.alignment import Parts, gaps, matches, paired, whole, words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd

    from lmops.prompts._records import PromptVersion

Kind = Literal["same", "changed", "added", "removed"]
_SAME: Final = "same"
_MISSING: Final = object()


class Row(NamedTuple):
    """One line of both versions side by side; a line that only one of them has is None on the other side."""

    kind: Kind
    left_number: int | None
    right_number: int | None
    left: Parts | None
    right: Parts | None

    @property
    def left_text(self) -> str | None:
        """Return the old line."""
        return None if self.left is None else "".join(part.text for part in self.left)

    @property
    def right_text(self) -> str | None:
        """Return the new line."""
        return None if self.right is None else "".join(part.text for part in self.right)


class MessageDiff(NamedTuple):
    """One message of both versions; a role that only one of them has is None on the other side."""

    left_role: str | None
    right_role: str | None
    rows: tuple[Row, ...]

    @property
    def kind(self) -> Kind:
        """Return whether the message is the same, changed, added or removed."""
        if self.left_role is None:
            return "added"
        if self.right_role is None:
            return "removed"
        is_same = self.left_role == self.right_role and all(row.kind == _SAME for row in self.rows)
        return "same" if is_same else "changed"

    @property
    def title(self) -> str:
        """Return the role, or how it changed."""
        roles = [role for role in (self.left_role, self.right_role) if role is not None]
        return " → ".join(dict.fromkeys(roles))


class Change(NamedTuple):
    """One change beside the text: ``path`` says where, such as "params.temperature"; values are plain data."""

    path: str
    kind: Kind
    before: Any
    after: Any


class Stats(NamedTuple):
    """How much changed: lines of each kind, places in the text where something did, and changes beside the text."""

    added: int
    removed: int
    changed: int
    hunks: int
    settings: int


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PromptDiff(Viewed):
    """What changed from one version of a prompt to another."""

    left: PromptVersion
    right: PromptVersion
    messages: tuple[MessageDiff, ...]
    #: model, params, response_schema, tools
    changes: tuple[Change, ...]

    @property
    def stats(self) -> Stats:
        """Return how much changed."""
        kinds = [row.kind for row in self._rows()]
        starts = sum(
            row.kind != _SAME and (place == 0 or message.rows[place - 1].kind == _SAME)
            for message in self.messages
            for place, row in enumerate(message.rows)
        )
        return Stats(kinds.count("added"), kinds.count("removed"), kinds.count("changed"), starts, len(self.changes))

    @property
    def is_empty(self) -> bool:
        """Return whether nothing changed."""
        return not self.changes and all(message.kind == _SAME for message in self.messages)

    @property
    def variables(self) -> tuple[tuple[str, Kind], ...]:
        """Return each variable of both versions and whether it is the same, added or removed."""
        old, new = self.left.variables, self.right.variables
        kept: list[tuple[str, Kind]] = [(name, "same" if name in new else "removed") for name in old]
        return (*kept, *((name, "added") for name in new if name not in old))

    @property
    def title(self) -> str:
        """Return what is compared with what."""
        return f"{self.left.ref} → {self.right.ref}"

    @property
    def summary(self) -> str:
        """Return how much changed, in words."""
        stats = self.stats
        if self.is_empty:
            return "no difference"
        lines = [
            f"{count} line{'' if count == 1 else 's'} {what}"
            for count, what in ((stats.changed, "changed"), (stats.added, "added"), (stats.removed, "removed"))
            if count
        ]
        settings = [f"{stats.settings} setting{'' if stats.settings == 1 else 's'} changed"] if stats.settings else []
        return ", ".join([*lines, *settings]) or "roles changed"

    def df(self) -> pd.DataFrame:
        """Return one row a line: message, role, kind, left_line, right_line, left, right."""
        from lmops.base.frames import Frame

        rows = [
            (place, message.title, row.kind, row.left_number, row.right_number, row.left_text, row.right_text)
            for place, message in enumerate(self.messages, start=1)
            for row in message.rows
        ]
        names = ["message", "role", "kind", "left_line", "right_line", "left", "right"]
        return Frame(rows, columns=names).astype({"left_line": "Int64", "right_line": "Int64"})

    def __repr__(self) -> str:
        return f"<PromptDiff {self.title}: {self.summary}>"

    def _rows(self) -> Iterator[Row]:
        for message in self.messages:
            yield from message.rows


def diff(left: PromptVersion, right: PromptVersion) -> PromptDiff:
    """Return what changed from one version to another.

    Args:
        left: The old version.
        right: The new version; it may be of another prompt.
    """
    changes: list[Change] = []
    for name in ("model", "params", "response_schema", "tools"):
        _compare(name, getattr(left, name), getattr(right, name), changes)
    return PromptDiff(
        left=left, right=right, messages=tuple(_messages(left.messages, right.messages)), changes=tuple(changes)
    )


def _messages(left: Sequence[Mapping[str, str]], right: Sequence[Mapping[str, str]]) -> Iterator[MessageDiff]:
    """Walk through the messages of both: those with one content belong together, then those with one role."""
    same = matches([one["content"] for one in left], [one["content"] for one in right])
    for lefts, rights, match in gaps(same, len(left), len(right)):
        roles = matches([left[i]["role"] for i in lefts], [right[j]["role"] for j in rights], is_patient=False)
        for some, others, role in gaps(roles, len(lefts), len(rights)):
            for place in range(max(len(some), len(others))):
                i = lefts[some[place]] if place < len(some) else None
                j = rights[others[place]] if place < len(others) else None
                yield _message(None if i is None else left[i], None if j is None else right[j])
            if role is not None:
                yield _message(left[lefts[role[0]]], right[rights[role[1]]])
        if match is not None:
            yield _message(left[match[0]], right[match[1]])


def _message(left: Mapping[str, str] | None, right: Mapping[str, str] | None) -> MessageDiff:
    old = [] if left is None else left["content"].split("\n")
    new = [] if right is None else right["content"].split("\n")
    return MessageDiff(
        None if left is None else left["role"], None if right is None else right["role"], tuple(_lines(old, new))
    )


def _lines(old: Sequence[str], new: Sequence[str]) -> Iterator[Row]:
    for lefts, rights, match in gaps(matches(old, new), len(old), len(new)):
        for one, other in paired([old[i] for i in lefts], [new[j] for j in rights]):
            yield _row(
                None if one is None else (lefts[one] + 1, old[lefts[one]]),
                None if other is None else (rights[other] + 1, new[rights[other]]),
            )
        if match is not None:
            parts = whole(old[match[0]], is_changed=False)
            yield Row("same", match[0] + 1, match[1] + 1, parts, parts)


def _row(left: tuple[int, str] | None, right: tuple[int, str] | None) -> Row:
    if left is not None and right is not None:
        return Row("changed", left[0], right[0], *words(left[1], right[1]))
    if left is not None:
        return Row("removed", left[0], None, whole(left[1], is_changed=True), None)
    number, text = right or (0, "")
    return Row("added", None, number, None, whole(text, is_changed=True))


def value_text(value: Any) -> str:
    """Return plain data as JSON in one line."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


# -- model, parameters, schema, tools ----------------------------------------------------------------------------------


def _compare(path: str, before: Any, after: Any, found: list[Change]) -> None:
    """Collect the changes of plain data, as deep as they are."""
    if before is None and path.count(".") == 0:
        before = _MISSING
    if after is None and path.count(".") == 0:
        after = _MISSING
    old, new = _named(before), _named(after)
    if old is not None and new is not None:
        for key in dict.fromkeys([*old, *new]):
            _compare(f"{path}.{key}", old.get(key, _MISSING), new.get(key, _MISSING), found)
    elif before is _MISSING or after is _MISSING:
        if before is not after:
            kind: Kind = "added" if before is _MISSING else "removed"
            found.append(
                Change(path, kind, None if before is _MISSING else before, None if after is _MISSING else after)
            )
    elif type(before) is not type(after) or before != after:
        found.append(Change(path, "changed", before, after))


def _named(value: Any) -> dict[str, Any] | None:
    """Return the members of an object, or the tools of a list by their names; None for anything else."""
    if isinstance(value, dict):
        return value
    if isinstance(value, list) and value and all(_tool_name(item) for item in value):
        by_name = {str(_tool_name(item)): item for item in value}
        return by_name if len(by_name) == len(value) else None
    return None


def _tool_name(item: Any) -> str | None:
    """Return the name of a definition of a tool: its own, or that of its function."""
    if not isinstance(item, dict):
        return None
    inner = item.get("function")
    name = item.get("name") or (inner.get("name") if isinstance(inner, dict) else None)
    return name if isinstance(name, str) else None
