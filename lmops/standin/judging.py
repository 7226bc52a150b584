"""How the stand-in judges: by words in common, and by the examples that it was shown; it understands nothing.

It never asks whether a question was answered, nor whether a number is right, and fails whatever refuses: there is
something for a calibration to find.
"""

from __future__ import annotations

import itertools
import json
import re
from typing import TYPE_CHECKING, Final

from lmops.standin.text import sentences, terms

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lmops.base.chat import Message

_PART: Final = re.compile(r"<(\w+)-([0-9a-f]{12})>\n(.*?)\n</\1-\2>", re.DOTALL)
_SHOWN: Final = re.compile(r'"verdict": (.+?)\}')
_CITED: Final = re.compile(r"\[[\w#-]+\]")
_FROM_TOOL: Final = re.compile(r"TL-\d+|\d\d:\d\d")
_REFUSES: Final = ("i could not find", "i cannot", "i can't", "sorry", "i do not know", "i don't know")
#: So much of the words of two answers is in common when what was said of one holds for the other.
_ALIKE: Final = 0.4
#: So much of the words of a reference has to be in an answer, and so much of those of a sentence in the documents.
_ENOUGH: Final = 0.5


def judged(messages: Sequence[Message], *, courtesies: Sequence[str]) -> str:
    """Return the answer of a judge as JSON: rationale, then verdict.

    An answer that shares most words with one of the examples gets its verdict. Otherwise the first verdict that is
    allowed goes to an answer that has half of the words of the reference, or, where there is none, does not refuse and
    has no sentence with fewer than half of its words in the documents that are shown; the last one to others.

    Args:
        messages: What the judge is asked.
        courtesies: Sentences that claim nothing.
    """
    allowed = _allowed(messages[0].content)
    parts = _parts(messages[-1].content)
    answer = set(terms(parts.get("output", "")))
    closest = max(((_common(answer, set(terms(said))), verdict) for said, verdict in _examples(messages)), default=None)
    if closest is not None and closest[0] >= _ALIKE:
        return _said(f"It is like an example that is {closest[1]}.", closest[1])
    reference = set(terms(parts.get("expected", "")))
    if reference:
        share = len(reference & answer) / len(reference)
        words = f"It has {100 * share:.0f} % of the words of the reference."
        return _said(words, allowed[0] if share >= _ENOUGH else allowed[-1])
    is_refusal = not answer or any(phrase in parts.get("output", "").lower() for phrase in _REFUSES)
    if is_refusal:
        return _said("It refuses, or says nothing.", allowed[-1])
    if "documents" in parts and (invented := _unsupported(parts["output"], parts["documents"], courtesies)):
        return _said(f"No source says: {invented}", allowed[-1])
    return _said("It says something.", allowed[0])


def _unsupported(output: str, documents: str, courtesies: Sequence[str]) -> str | None:
    """Return a sentence that the documents do not say; what names a booking or a time comes from a tool."""
    known = set(terms(documents))
    for sentence in sentences(_CITED.sub("", output)):
        said = () if sentence in courtesies or _FROM_TOOL.search(sentence) else terms(sentence)
        if said and sum(term in known for term in said) < _ENOUGH * len(said):
            return sentence
    return None


def _allowed(system: str) -> list[str]:
    """Return the verdicts that the judge was told of; pass and fail where it was told of none."""
    found = _SHOWN.search(system)
    return [one.strip().strip('"') for one in found[1].split("|")] if found else ["pass", "fail"]


def _parts(text: str) -> dict[str, str]:
    return {name: said for name, _, said in _PART.findall(text)}


def _examples(messages: Sequence[Message]) -> Iterator[tuple[str, str]]:
    """Yield the answer and the verdict of each example that the judge was shown."""
    for asked, told in itertools.pairwise(messages[:-1]):
        if asked.role == "user" and told.role == "assistant":
            try:
                verdict = json.loads(told.content)["verdict"]
            except (ValueError, LookupError, TypeError):
                continue
            yield _parts(asked.content).get("output", ""), str(verdict)


def _common(one: set[str], other: set[str]) -> float:
    return len(one & other) / len(one | other) if one | other else 0.0


def _said(rationale: str, verdict: str) -> str:
    value = int(verdict) if verdict.lstrip("-").isdigit() else verdict
    return json.dumps({"rationale": rationale, "verdict": value}, ensure_ascii=False)
