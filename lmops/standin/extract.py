"""How the stand-in finds an answer: it ranks the sentences of the sources by the words they share with the question."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import Final

from lmops.standin.text import sentences, terms

_SOURCE: Final = re.compile(r"^\[([\w#-]+)\] (.*)$")
_ENGLISH: Final = re.compile(r"\(in English: (.*)\)\s*$", re.DOTALL)
#: (words of the question, what a sentence that answers it looks like)
_HINTS: Final = (
    (
        re.compile(
            r"how much|cost|price|fee|charge|pay|discount|reduction|euro|worth|supplement|deposit|refund", re.IGNORECASE
        ),
        re.compile(r"\beuro\b|%|\bfree\b"),
    ),
    (
        re.compile(
            r"\bwhen\b|how long|until|deadline|how (?:early|late|soon|often|far)|latest|\bhours?\b|months",
            re.IGNORECASE,
        ),
        re.compile(r"\b(?:hours?|minutes?|days?|weeks?|months?|years?)\b|\d\d:\d\d"),
    ),
    (
        re.compile(r"how many|how heavy|weight|number of|maximum|longest|biggest|\bage\b", re.IGNORECASE),
        re.compile(r"\d"),
    ),
    (
        re.compile(r"^(?:\w+[ ,]+){0,3}(?:can|may|is|are|does|do|could) ", re.IGNORECASE),
        re.compile(r"\b(?:not|no|only|never)\b"),
    ),
)
_HINT_WEIGHT: Final = (0.22, 0.22, 0.15, 0.05)
#: Weight of a word of the question that no source holds, relative to one that a single sentence holds.
_ABSENT: Final = 0.4


@dataclass(frozen=True, slots=True)
class Source:
    """One source of a prompt; ``title`` is empty when the chunk has none."""

    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence with its score, the share of the question that it covers (0..1) plus hints."""

    source_id: str
    sentence: str
    score: float
    coverage: float


def parse(user: str) -> tuple[list[Source], str]:
    """Return the sources and the question of a rendered prompt; of a translated question the English form."""
    head, _, question = user.partition("\nQuestion:\n")
    blocks: list[list[str]] = []
    for line in head.split("\n"):
        found = _SOURCE.match(line)
        if found:
            blocks.append([found.group(1), found.group(2)])
        elif blocks and line:
            blocks[-1].append(line)
    # A chunk with a title has two lines, one without has one.
    sources = [Source(source_id, " ".join(lines[:-1]), lines[-1]) for source_id, *lines in blocks]
    return sources, question.strip()


def rank(question: str, sources: list[Source]) -> list[Candidate]:
    """Return the sentences of the sources, best first; empty when the question has no words that carry meaning."""
    english = _ENGLISH.search(question)
    question = english.group(1) if english else question
    asked = set(terms(question))
    if not asked:
        return []
    rows = [(source, sentence) for source in sources for sentence in sentences(source.text)]
    spread = Counter(term for _, sentence in rows for term in set(terms(sentence)))
    spread.update(term for source in sources for term in set(terms(source.title)))
    weights = {term: 1.0 / (1 + spread[term]) if spread[term] else _ABSENT for term in sorted(asked)}
    total = math.fsum(weights.values())
    wanted = [
        (looks, bonus) for (asks, looks), bonus in zip(_HINTS, _HINT_WEIGHT, strict=True) if asks.search(question)
    ]
    best: dict[str, Candidate] = {}
    for position, (source, sentence) in enumerate(rows):
        own, above = set(terms(sentence)), set(terms(source.title))
        covered = math.fsum(weight * (1.0 if t in own else 0.7 if t in above else 0.0) for t, weight in weights.items())
        coverage = covered / total
        bonus = math.fsum(bonus for looks, bonus in wanted if looks.search(sentence)) if coverage else 0.0
        score = round(coverage + bonus - 0.004 * position, 6)
        if len(own) > 1 and (sentence not in best or best[sentence].score < score):
            best[sentence] = Candidate(source.id, sentence, score, round(coverage, 6))
    return sorted(best.values(), key=lambda candidate: (-candidate.score, candidate.sentence))
