"""What the prompt comparison knows and does, without any widget: measures, aligned outputs, and moves of aliases."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final

from lmops.calc.alignment import words
from lmops.text import plain
from lmops.widgets.kit.protocol import answer, as_json, handlers_of, integer
from lmops.widgets.prompts import moves

if TYPE_CHECKING:
    from collections.abc import Callable

    from lmops.prompts import Prompts
    from lmops.prompts.comparisons import Answers, PromptComparison, Value
    from lmops.widgets.kit.protocol import Message

MAX_OUTPUTS: Final = 50
_SHOWN: Final = 8_000
_MARKED: Final = 4_000


class PromptCompareController:
    """How versions of a prompt behaved.

    Args:
        prompts: The registry.
        comparison: What ``Prompts.compare`` found.
    """

    def __init__(self, prompts: Prompts, comparison: PromptComparison) -> None:
        self._prompts = prompts
        self.comparison = comparison
        self.name = comparison.name
        self._seq = 0
        self._rows = _aligned(comparison)
        #: called with every state message that Python itself causes
        self.on_change: Callable[[Message], None] = lambda _message: None

    def __repr__(self) -> str:
        return f"<PromptCompareController {self.comparison!r}>"

    def bundle(self) -> dict[str, str]:
        """Return the static forms by their media types."""
        return {"text/plain": self.comparison.text, "text/html": self.comparison._repr_html_()}

    # -- the page's side -------------------------------------------------------------------------------------------

    def handle(self, message: object) -> list[Message]:
        """Return the answers to one message of the page; what goes wrong is an answer of kind ``error``."""
        return answer(self, _HANDLERS, message)

    def state(self, reason: str, *, said: str = "") -> Message:
        """Return everything a view needs to show the same as the others."""
        self._seq += 1
        found, aliases = self.comparison, self._prompts.aliases(self.name)
        versions = [self._prompts.get(ref) for ref in found.refs]
        state: Message = as_json(
            {
                "kind": "state",
                "seq": self._seq,
                "reason": reason,
                "name": self.name,
                "refused": moves.refused(self._prompts),
                "scope": plain(found.scope, 300),
                "versions": [
                    {
                        **moves.version_row(version, aliases),
                        "traces": traces,
                        "sessions": sessions,
                        "first_ms": None if first is None else first.timestamp() * 1e3,
                        "last_ms": None if last is None else last.timestamp() * 1e3,
                    }
                    for version, traces, sessions, first, last in zip(
                        versions, found.traces, found.sessions, found.first_at, found.last_at, strict=True
                    )
                ],
                "aliases": moves.alias_rows(self._prompts, self.name),
                "can_undo": moves.can_be_undone(self._prompts, self.name),
                "measures": [
                    [
                        one.name,
                        one.label,
                        one.unit,
                        [_numbers(value) for value in one.values],
                        [None if value is None else _numbers(value) for value in one.differences],
                    ]
                    for one in found.measures
                ],
                "caveats": [plain(one, 1_000) for one in found.caveats],
                "has_outputs": found.answers is not None,
                "dataset": "" if found.answers is None else found.answers.dataset,
                "asked": [] if found.answers is None else _asked(found.answers),
                "outputs": len(self._rows),
                "different": [
                    place for place, row in enumerate(self._rows) if None not in row[2] and len(set(row[2])) > 1
                ],
                "silent": sum(None in row[2] for row in self._rows),
                "said": said,
            }
        )
        return state

    def _on_hello(self, _message: Message) -> Message:
        return self.state("hello")

    def _on_refresh(self, _message: Message) -> Message:
        return self.state("refresh")

    def _on_text(self, _message: Message) -> Message:
        return {"kind": "text", "text": self.comparison.text}

    def _on_outputs(self, message: Message) -> Message:
        start, count = integer(message, "start", 0, len(self._rows)), integer(message, "count", 1, MAX_OUTPUTS)
        rows = [
            [plain(example, 200), [plain(part, _SHOWN) for part in given], _marked(outputs)]
            for example, given, outputs in self._rows[start : start + count]
        ]
        return {"kind": "outputs", "start": start, "rows": rows}

    _on_move = moves.on_move


_HANDLERS: Final = handlers_of(PromptCompareController)


def _numbers(value: Value) -> list[float | int | None]:
    return [value.estimate, value.low, value.high, value.n, value.missing]


def _asked(answers: Answers) -> list[list[Any]]:
    """Return of each version its run, on which model with which parameters, and how many inputs it did not answer."""
    columns = zip(answers.runs, answers.asked, answers.silent, strict=True)
    return [[run, plain(asked, 200), silent] for run, asked, silent in columns]


def _aligned(comparison: PromptComparison) -> list[tuple[str, list[str], tuple[str | None, ...]]]:
    """Return (example, parts of the input, outputs by version) of every input that was evaluated on all."""
    frame = comparison.outputs
    if frame is None:
        return []
    columns = [frame[ref].tolist() for ref in comparison.refs]
    return [
        (str(example), _parts(given), tuple("\n\n".join(_parts(column[place])) or None for column in columns))
        for place, (example, given) in enumerate(zip(frame["example_id"], frame["input"], strict=True))
    ]


def _parts(value: Any) -> list[str]:
    """Return an input or an output as texts, one a member, none where there is nothing; a sole one without its name."""
    if value is None or (isinstance(value, float) and math.isnan(value)):  # NaN: there is none
        return []
    if not isinstance(value, str):
        return [json.dumps(value, ensure_ascii=False, default=str)]
    if value.startswith("{"):
        try:
            found = json.loads(value)
        except ValueError:
            return [value]
        if isinstance(found, dict) and found and all(isinstance(one, str) for one in found.values()):
            if len(found) == 1:
                return [str(next(iter(found.values())))]
            # The question before the pages that were found for it.
            return [f"{name}: {text}" for name, text in sorted(found.items(), key=lambda one: len(one[1]))]
    return [value]


def _marked(outputs: tuple[str | None, ...]) -> list[list[list[Any]] | None]:
    """Return the parts of each output as [text, flags], 1: not in the output of the first version."""
    first = outputs[0]
    found: list[list[list[Any]] | None] = []
    for place, output in enumerate(outputs):
        if output is None:
            found.append(None)
        elif place == 0 or first is None or output == first or len(output) + len(first) > 2 * _MARKED:
            found.append([[plain(output, _SHOWN), 0]])
        else:
            found.append([[plain(part.text), int(part.is_changed)] for part in words(first, output)[1]])
    return found
