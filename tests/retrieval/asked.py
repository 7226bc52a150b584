"""A small corpus cut in two ways, searches over it whose weakness is known, and judgements of spans."""

from __future__ import annotations

import re

from lmops.retrieval import Chunk, Document, Hit, Ranking

TEXTS = {
    "pets": (
        "Dogs travel free on every ferry. They stay on a lead on deck. In lounges dogs are not allowed, guide dogs "
        "excepted. Cats travel in a box of at most 60 cm, which stays in the cabin or in the car."
    ),
    "fares": (
        "A return ticket costs less than two single ones. Children under four travel free. Tickets bought on board "
        "cost five euros more. A ticket holds for three months from the day it was bought."
    ),
    "refunds": (
        "A ticket is refunded in full until 24 hours before it leaves. Later half of it is refunded. When a ferry is "
        "cancelled the whole price comes back within 14 days, without a word from you."
    ),
    "bikes": (
        "Bikes travel for two euros each way. Tandems count as two. Put the bike into the stand by the ramp and lock "
        "it. Electric bikes may not be charged on board."
    ),
}
#: query id, text, source, document, words of the span, grade
ASKED = (
    ("q1", "May dogs come into the lounges?", "pets", "In lounges dogs are not allowed, guide dogs excepted.", 3),
    (
        "q2",
        "Is a ticket refunded in full when the ferry is cancelled?",
        "refunds",
        "When a ferry is cancelled the whole price comes back within 14 days",
        3,
    ),
    ("q3", "What do bikes cost?", "bikes", "Bikes travel for two euros each way.", 2),
    ("q4", "How long does a ticket hold?", "fares", "A ticket holds for three months", 2),
    ("q5", "Do children pay?", "fares", "Children under four travel free.", 2),
    ("q6", "How large may the box of a cat be?", "pets", "Cats travel in a box of at most 60 cm", 2),
    ("q7", "Can I charge my electric bike?", "bikes", "Electric bikes may not be charged on board.", 3),
    ("q8", "How much of a ticket comes back on the day itself?", "refunds", "Later half of it is refunded.", 1),
)


def judged():
    """Rows of judgements, each of a span."""
    rows = []
    for key, query, document, words, grade in ASKED:
        start = TEXTS[document].index(words)
        row = {"query_id": key, "query": query, "source": document, "document": document, "grade": grade}
        rows.append({**row, "start": start, "end": start + len(words)})
    return rows


def cut(size):
    """All texts in chunks of whole sentences, as many as fit."""
    chunks = []
    for document, text in TEXTS.items():
        start = number = 0
        ends = [found.end() for found in re.finditer(r"[.] ?", text)]
        for at, end in enumerate(ends):
            if at + 1 == len(ends) or ends[at + 1] - start > size:
                number += 1
                chunks.append(Chunk(document=document, number=number, start=start, end=end, text=text[start:end]))
                start = end
    return chunks


def words_of(text):
    """The words of a text without their endings."""
    return {word.lower()[:5] for word in re.findall(r"\w+", text) if len(word) > 2}


class Words:
    """Search by words in common; a reranker can put what it found in another order."""

    corpus_fingerprint = "c" * 32

    def __init__(self, name, size, *, weak=False, rerank=False):
        self.name = name
        self.index_fingerprint = f"{name}-{size}".ljust(32, "0")
        self.chunks = cut(size)
        self.asked = []
        self._weak = weak
        self._rerank = rerank

    def search(self, query, k=None):
        self.asked.append(query)
        asked = words_of(query)
        found = []
        for chunk in self.chunks:
            terms = {word: 1.0 + len(word) / 10 for word in sorted(asked & words_of(chunk.text))}
            score = sum(terms.values()) - len(chunk.text) / 1_000
            if self._weak:
                score = len(chunk.text) / 100 + sum(terms.values()) / 5
            found.append((score, chunk, terms))
        found.sort(key=lambda one: (-one[0], one[1].id))
        hits = self._hits(found[: k or 10])
        if not self._rerank:
            return Ranking(query=query, hits=hits, index_fingerprint=self.index_fingerprint, took_ms=1.5)
        better = sorted(found[: k or 10], key=lambda one: (-len(one[2]), one[1].id))
        return Ranking(
            query=query,
            hits=self._hits(better),
            before_rerank=hits,
            index_fingerprint=self.index_fingerprint,
            corpus_fingerprint=self.corpus_fingerprint,
        )

    def _hits(self, found):
        return tuple(
            Hit(chunk=chunk, rank=rank, score=score, parts={"words": score}, terms=terms)
            for rank, (score, chunk, terms) in enumerate(found, start=1)
        )

    def search_many(self, queries, k=None):
        return [self.search(query, k) for query in queries]

    def document(self, name):
        return Document(id=name, text=TEXTS[name])


def explored(ws, **options):
    """The explorer of two cuts over all queries."""
    asked = ws.retrieval.qrels("asked", judged())
    return ws.retrieval.explore(Words("large", 160, weak=True), Words("small", 80), asked, **{"k": 6, **options})
