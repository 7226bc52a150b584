"""Which chunks of a ranking are relevant: judgements of documents and of spans in them, whatever the chunks are.

A span is judged by its characters, so that the judgement holds when documents are cut otherwise. A chunk is relevant
when it shares half of the shorter of the two: at least half of a span that is shorter than it, or, inside of a longer
span, at least half of itself. What is found is the judged span: it counts once, where the first such chunk stands.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lmops.base.units import counted
from lmops.calc.judgements import bpref, condensed, judged_at_k, trec_order
from lmops.calc.retrieval import average_precision, ndcg_at_k, precision_at_k, recall_at_k, reciprocal_rank
from lmops.errors import UsageError
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lmops.retrieval.contract import Chunk, Hit

#: Share of the shorter one, a chunk or a judged span, that both must have in common.
SHARED: Final = 0.5
#: Measures with a k, in the order of reports.
AT_K: Final = ("ndcg", "recall", "precision", "mrr", "map")
#: What a measure is called where people read it.
WORDS: Final = {
    "ndcg": "nDCG",
    "recall": "recall",
    "precision": "precision",
    "mrr": "MRR",
    "map": "MAP",
    "judged": "judged",
    "condensed": "nDCG of the judged",
    "bpref": "bpref",
    "coverage": "coverage of spans",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """How well a document, or a span of it, answers a query.

    Args:
        document: Id of the document.
        grade: 0 is not relevant; more is better.
        start: First character of the span; None for the whole document.
        end: First character behind it.
    """

    document: str
    grade: float = 1.0
    start: int | None = None
    end: int | None = None

    @property
    def key(self) -> str:
        """What it is on, such as ``pets`` or ``pets[120:310]``."""
        return self.document if self.start is None else f"{self.document}[{self.start}:{self.end}]"

    def as_dict(self) -> dict[str, Any]:
        """Return it as data sets keep it."""
        place = {} if self.start is None else {"start": self.start, "end": self.end}
        grade = int(self.grade) if float(self.grade).is_integer() else self.grade
        return {"document": self.document, **place, "grade": grade}

    def holds(self, chunk: Chunk) -> bool:
        """Return whether it says something of a chunk."""
        if self.document != chunk.document:
            return False
        if self.start is None or self.end is None:
            return True
        common = min(self.end, chunk.end) - max(self.start, chunk.start)
        return common > 0 and common >= SHARED * min(self.end - self.start, chunk.end - chunk.start)


def judgement_of(given: Any, where: str) -> Judgement:
    """Return one judgement, checked.

    Args:
        given: A document id, or a mapping with document, and perhaps start, end and grade.
        where: Of what it is, for messages.

    Raises:
        UsageError: It is none; the message says why.
    """
    if isinstance(given, Judgement):
        given = given.as_dict()
    if isinstance(given, str):
        given = {"document": given}
    if not isinstance(given, Mapping):
        raise UsageError(f"{where}: {plain_line(repr(given), 80)} is no judgement: {{'document': 'pets', 'grade': 2}}")
    document = given.get("document")
    if not isinstance(document, str | int) or isinstance(document, bool) or document == "":
        raise UsageError(f"{where}: a judgement needs the id of a document, not {plain_line(repr(document), 60)}")
    grade = given.get("grade", 1)
    if not isinstance(grade, int | float) or not math.isfinite(grade) or grade < 0:
        raise UsageError(
            f"{where}: grade={plain_line(repr(grade), 40)} of {plain_line(document, 60)!r}: grades are numbers from 0, "
            "which is not relevant"
        )
    start, end = given.get("start"), given.get("end")
    if start is None and end is None:
        return Judgement(document=str(document), grade=float(grade))
    if type(start) is not int or type(end) is not int or not 0 <= start < end:
        raise UsageError(
            f"{where}: the span [{plain_line(repr(start), 20)}:{plain_line(repr(end), 20)}] of "
            f"{plain_line(document, 60)!r} is none: start and end are characters, 0 <= start < end"
        )
    return Judgement(document=str(document), grade=float(grade), start=start, end=end)


def judgements_in(metadata: Mapping[str, Any], where: str = "a query") -> tuple[Judgement, ...]:
    """Return the judgements that the metadata of an example holds: ``judgements``, else ``relevant`` or ``source_ids``.

    Args:
        metadata: Of the example.
        where: Its name, for messages.

    Raises:
        UsageError: One is none.
    """
    listed = metadata.get("judgements")
    if listed is None:
        known = metadata.get("relevant") or metadata.get("source_ids") or ()
        if isinstance(known, str):
            known = [known]
        if not hasattr(known, "__iter__"):
            raise UsageError(f"{where}: relevant documents are {plain_line(repr(known), 60)}: give a list of ids")
        listed = [{"document": one, "grade": known[one] if isinstance(known, Mapping) else 1} for one in known]
    if isinstance(listed, str | bytes | Mapping) or not hasattr(listed, "__iter__"):
        raise UsageError(f"{where}: judgements={plain_line(repr(listed), 60)}: give a list of them")
    return tuple(judgement_of(one, where) for one in listed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A ranking as what it found, best first, and what of it was judged.

    Args:
        ranked: Keys: of a judgement, once, where its first chunk stands; else of a chunk that nobody judged.
        judged: Key -> grade of every judgement of the query.
        repeated: Chunks that are listed more than once.
        coverage: Share of the characters of relevant spans that the chunks hold; NaN where there is no span.
    """

    ranked: tuple[str, ...]
    judged: Mapping[str, float]
    repeated: int
    coverage: float


def ordered(hits: Sequence[Hit], ties: str) -> list[Hit]:
    """Return hits in the order in which they count: as they are ranked, or ("trec") as trec_eval would order them."""
    if ties == "rank":
        return list(hits)
    return [hits[place] for place in trec_order([(one.chunk.document, one.score) for one in hits])]


def found_by(
    hits: Sequence[Hit], judgements: Sequence[Judgement], *, k: int | None = None, ties: str = "rank"
) -> Found:
    """Return what a ranking found of what was judged.

    A chunk that several judgements are about takes a place for each of them. One that only repeats what stands above it
    takes none, as documents count once where they are judged as wholes.

    Args:
        hits: Best first.
        judgements: Of the query.
        k: Chunks that count; None: all.
        ties: "rank" or "trec".
    """
    taken = ordered(hits, ties)[:k]
    by_document: dict[str, list[Judgement]] = {}
    for one in judgements:
        by_document.setdefault(one.document, []).append(one)
    judged: dict[str, float] = {}
    for one in judgements:
        judged[one.key] = max(one.grade, judged.get(one.key, 0.0))
    is_whole = all(one.start is None for one in judgements)
    ranked: dict[str, None] = {}
    ids: set[tuple[str, int, int, int]] = set()
    repeated = 0
    for hit in taken:
        chunk = hit.chunk
        identity = (chunk.document, chunk.number, chunk.start, chunk.end)
        repeated += identity in ids
        ids.add(identity)
        about = [one for one in by_document.get(chunk.document, ()) if one.holds(chunk)]
        relevant = sorted({one.key for one in about if one.grade > 0}, key=lambda key: (-judged[key], key))
        if not about:
            ranked.setdefault(chunk.document if is_whole else f"{chunk.id} [{chunk.start}:{chunk.end}]")
        for key in relevant or [one.key for one in about[:1]]:
            ranked.setdefault(key)
    coverage = _coverage([one.chunk for one in taken], judgements)
    return Found(ranked=tuple(ranked), judged=judged, repeated=repeated, coverage=coverage)


def grade_of(chunk: Chunk, judgements: Iterable[Judgement]) -> float | None:
    """Return the best grade that somebody gave what a chunk holds; None where nobody judged it."""
    return max((one.grade for one in judgements if one.holds(chunk)), default=None)


def _coverage(chunks: Sequence[Chunk], judgements: Sequence[Judgement]) -> float:
    total = held = 0
    spans = [(one.document, one.start, one.end) for one in judgements if one.grade > 0]
    for document, start, end in spans:
        if start is None or end is None:
            continue
        total += end - start
        at = start
        parts = sorted((one.start, one.end) for one in chunks if one.document == document)
        for first, last in parts:
            held += max(0, min(last, end) - max(first, at))
            at = max(at, min(last, end))
    return held / total if total else math.nan


def measured(found: Found, k: int) -> dict[str, float]:
    """Return every measure of one ranking by name; NaN where there is nothing to measure.

    Args:
        found: What it found.
        k: Places that count.
    """
    listed, judged = found.ranked, found.judged
    wide = max(k, len(listed))  # several judgements in one of the k chunks
    return {
        "ndcg": ndcg_at_k(listed, judged, wide),
        "recall": recall_at_k(listed, judged, wide),
        "precision": precision_at_k(listed, judged, wide),
        "mrr": reciprocal_rank(listed, judged, wide),
        "map": average_precision(listed, judged, wide),
        "judged": judged_at_k(listed, judged, wide),
        "condensed": ndcg_at_k(condensed(listed, judged), judged, wide),
        "bpref": bpref(listed, judged),
        "coverage": found.coverage,
    }


def check_k(k: int) -> int:
    """Return k, a whole number of 1 or more.

    Raises:
        UsageError: It is none.
    """
    if not isinstance(k, int) or isinstance(k, bool) or k < 1:
        raise UsageError(f"k={k!r}: give the number of chunks that count, 1 or more")
    return k


def check_ties(ties: str) -> str:
    """Return how equal scores are ordered: "rank" (as the system ranks them) or "trec".

    Raises:
        UsageError: It is another word.
    """
    if ties not in ("rank", "trec"):
        raise UsageError(f"ties={ties!r}: 'rank' (as they are ranked) or 'trec' (by document id, descending)")
    return ties


def relevant_words(judgements: Sequence[Judgement]) -> str:
    """Return in words what is relevant to a query."""
    keys = [one.key for one in judgements if one.grade > 0]
    more = f" and {counted(len(keys) - 5, 'other')}" if len(keys) > 5 else ""
    return plain_line(", ".join(keys[:5]) + more, 300)
