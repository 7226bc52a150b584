"""Words that a user puts into the mouth of the assistant, and answers that say them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lmops.guardrails.contract import Finding, Given, rail
from lmops.guardrails.normal import fold

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Verbs of saying in the languages that people dictate in, near to what stands in quotation marks.
_SAYS: Final = (
    r"\b(?:say|says|reply|replies|respond|responds|answer|write|output|print|state|confirm|tell|repeat|"
    r"sage?|antworten?|antworte|schreiben?|schreibe|dis|reponds|ecris|di|responde|escribe)\b"
)
_QUOTED: Final = re.compile(_SAYS + r"[^\"\n]{0,60}\"([^\"\n]{6,300})\"")


@rail(stages=("input", "output"), window=480)
def dictated(given: Given) -> Iterator[Finding]:
    """Sentences in quotation marks that a user tells the assistant to say, and an answer to the user that says one.

    For assistants that answer out of sources: whoever helps to write is told to say things all day.
    """
    if given.stage == "output":
        question = given.context.get("question")
        if isinstance(question, str):
            lower = given.folded.lower
            for wanted in sorted({_plain(found[1]) for found in _QUOTED.finditer(fold(question))}):
                at = lower.find(wanted) if wanted else -1
                if at >= 0:
                    yield Finding(*given.folded.span(at, at + len(wanted)), "dictated")
        return
    text = given.folded.lower
    if '"' in text:
        for found in _QUOTED.finditer(text):
            yield Finding(*given.folded.span(*found.span()), "dictated")


def _plain(quoted: str) -> str:
    """Return what is looked for in an answer: without the sign that ends the sentence."""
    return quoted.strip().rstrip(".!")
