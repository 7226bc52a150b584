"""What the prompt diff knows and does, without any widget: which two versions, their rows, and moves of aliases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError
from lmops.prompts.diffs import diff, value_text
from lmops.text import plain
from lmops.widgets.kit.protocol import answer, as_json, handlers_of, integer
from lmops.widgets.prompts import moves

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lmops.calc.alignment import Parts
    from lmops.prompts import Prompts, PromptVersion
    from lmops.prompts.diffs import MessageDiff, PromptDiff, Row
    from lmops.widgets.kit.protocol import Message

MAX_ROWS: Final = 400
_MAX_LINE: Final = 20_000
_MAX_VALUE: Final = 4_000
_KINDS: Final = {"same": 0, "changed": 1, "added": 2, "removed": 3}


class PromptDiffController:
    """Two versions of one prompt.

    Args:
        prompts: The registry.
        found: What to show first.
    """

    def __init__(self, prompts: Prompts, found: PromptDiff) -> None:
        self._prompts = prompts
        self.name = found.right.name
        self._versions = moves.all_versions(prompts, self.name)
        self._seq = 0
        self._rev = 0
        #: called with every state message that Python itself causes
        self.on_change: Callable[[Message], None] = lambda _message: None
        self._show(found)

    def __repr__(self) -> str:
        return f"<PromptDiffController {self.diff.title}: {self.diff.summary}>"

    @property
    def diff(self) -> PromptDiff:
        """The difference that is shown."""
        return self._diff

    def show(self, left: int | str, right: int | str) -> None:
        """Compare two other versions."""
        self._show(diff(self._get(left), self._get(right)))
        self.on_change(self.state("versions"))

    def bundle(self) -> dict[str, str]:
        """Return the static forms by their media types."""
        return {"text/plain": self._diff.text, "text/html": self._diff._repr_html_()}

    # -- the page's side -------------------------------------------------------------------------------------------

    def handle(self, message: object) -> list[Message]:
        """Return the answers to one message of the page; what goes wrong is an answer of kind ``error``."""
        return answer(self, _HANDLERS, message)

    def state(self, reason: str, *, said: str = "") -> Message:
        """Return everything a view needs to show the same as the others."""
        self._seq += 1
        found, aliases = self._diff, self._prompts.aliases(self.name)
        starts, start = [], 0
        for message in found.messages:
            starts.append(start)
            start += len(message.rows)
        state: Message = as_json(
            {
                "kind": "state",
                "seq": self._seq,
                "rev": self._rev,
                "reason": reason,
                "name": self.name,
                "refused": moves.refused(self._prompts),
                "versions": [moves.version_row(one, aliases) for one in reversed(self._versions)],
                "aliases": moves.alias_rows(self._prompts, self.name),
                "can_undo": moves.can_be_undone(self._prompts, self.name),
                "left": found.left.version,
                "right": found.right.version,
                "is_empty": found.is_empty,
                "summary": found.summary,
                "stats": found.stats._asdict(),
                "changes": [
                    [_KINDS[one.kind], plain(one.path, 300), _value(one.before), _value(one.after)]
                    for one in found.changes
                ],
                "widths": [_width(row.left_text for row in self._rows), _width(row.right_text for row in self._rows)],
                "variables": [[plain(name, 200), _KINDS[kind]] for name, kind in found.variables],
                "messages": [
                    [message.title, _KINDS[message.kind], at, len(message.rows)]
                    for message, at in zip(found.messages, starts, strict=True)
                ],
                "hunks": [
                    hunk for message, at in zip(found.messages, starts, strict=True) for hunk in _hunks(message, at)
                ],
                "said": said,
            }
        )
        return state

    def _on_hello(self, _message: Message) -> Message:
        return self.state("hello")

    def _on_rows(self, message: Message) -> Message:
        if message.get("rev") != self._rev:
            raise UsageError("this difference has changed since")
        start, count = integer(message, "start", 0, len(self._rows)), integer(message, "count", 1, MAX_ROWS)
        return {
            "kind": "rows",
            "rev": self._rev,
            "start": start,
            "rows": [_wire(row) for row in self._rows[start : start + count]],
        }

    def _on_versions(self, message: Message) -> Message:
        left, right = (integer(message, side, 1, moves.MAX_VERSION) for side in ("left", "right"))
        self._versions = moves.all_versions(self._prompts, self.name)
        self._show(diff(self._get(left), self._get(right)))
        return self.state("versions")

    def _on_refresh(self, _message: Message) -> Message:
        self._versions = moves.all_versions(self._prompts, self.name)
        return self.state("refresh")

    def _on_text(self, _message: Message) -> Message:
        return {"kind": "text", "text": self._diff.text}

    _on_move = moves.on_move

    # -- inside ----------------------------------------------------------------------------------------------------

    def _get(self, which: int | str) -> PromptVersion:
        if isinstance(which, bool) or not isinstance(which, int | str):
            raise UsageError(f"version {which!r}: give a number or an alias of {self.name}")
        return self._prompts.get(which if isinstance(which, str) and "@" in which else f"{self.name}@{which}")

    def _show(self, found: PromptDiff) -> None:
        self._diff = found
        self._rows = [row for message in self._diff.messages for row in message.rows]
        self._rev += 1


_HANDLERS: Final = handlers_of(PromptDiffController)


def _value(value: Any) -> str | None:
    return None if value is None else plain(value_text(value), _MAX_VALUE)


def _width(lines: Iterable[str | None]) -> int:
    return min(max((len(line) for line in lines if line is not None), default=0), _MAX_LINE)


def _hunks(message: MessageDiff, start: int) -> list[list[int]]:
    """Return [first row, rows] of every place where something changed."""
    found: list[list[int]] = []
    for place, row in enumerate(message.rows):
        if row.kind == "same":
            continue
        if found and found[-1][0] + found[-1][1] == start + place:
            found[-1][1] += 1
        else:
            found.append([start + place, 1])
    return found


def _wire(row: Row) -> list[Any]:
    """Return a row as the page has it: kind, numbers, parts; a line that did not change comes once."""
    left = None if row.kind == "same" else _parts(row.left)
    return [_KINDS[row.kind], row.left_number, row.right_number, left, _parts(row.right)]


def _parts(parts: Parts | None) -> list[list[Any]] | None:
    """Return [text, flags] of every part; flags: 1 changed, 2 template code."""
    if parts is None:
        return None
    found: list[list[Any]] = []
    room = _MAX_LINE
    for part in parts:
        found.append([plain(part.text, max(room, 1)), part.is_changed + 2 * part.is_template])
        room -= len(part.text)
        if room <= 0:
            break
    return found
