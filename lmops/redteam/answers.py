"""What a target answered, as an evaluation keeps it: a text, or a record where there is more to tell."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lmops.text import as_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of an attack.

    Args:
        answer: The last answer.
        turns: All messages, dicts of role and content; empty where there was one turn.
        stops: What a policy did on the way: dicts of stage, rail, rule and action.
    """

    answer: str
    turns: tuple[Mapping[str, str], ...] = ()
    stops: tuple[Mapping[str, str], ...] = ()

    @property
    def text(self) -> str:
        """All that the target said."""
        said = [one["content"] for one in self.turns if one["role"] == "assistant"]
        return "\n\n".join(said) or self.answer

    @property
    def is_stopped(self) -> bool:
        """Whether a policy stopped the question or the answer."""
        return any(one["action"] == "block" and one["stage"] in ("input", "output") for one in self.stops)


def packed(answer: str, turns: Sequence[Mapping[str, str]], stops: Sequence[Mapping[str, str]]) -> Any:
    """Return an answer as an output: its text where there is nothing else to tell."""
    told = {"turns": list(turns) if len(turns) > 2 else [], "stops": list(stops)}
    more = {name: value for name, value in told.items() if value}
    return {"answer": answer, **more} if more else answer


def unpacked(output: Any) -> Answer:
    """Return what an output says; of a target that answers with an object of its own, that object as a text."""
    if not isinstance(output, dict) or set(output) - {"answer", "turns", "stops"} or "answer" not in output:
        is_data = isinstance(output, dict | list)
        return Answer(answer=json.dumps(output, ensure_ascii=False, default=str) if is_data else as_text(output))
    return Answer(
        answer=str(output["answer"]), turns=tuple(output.get("turns", ())), stops=tuple(output.get("stops", ()))
    )
