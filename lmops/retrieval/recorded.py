"""Rankings that were made elsewhere, and functions that make them, as what can be measured and compared."""

from __future__ import annotations

import hashlib
import inspect
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import NotFoundError, UsageError
from lmops.retrieval.contract import Chunk, Hit, Ranking
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_NUMBERED: Final = re.compile(r"(.+)#(\d{1,9})")


def hits_of(given: Iterable[Any], where: str) -> tuple[Hit, ...]:
    """Return hits, best first, of what a search returned.

    Args:
        given: Hits, document ids, or mappings with id (or document), and perhaps text, start, end, number and score.
        where: Of what, for messages.

    Raises:
        UsageError: One has no id, or its score is no number.
    """
    if isinstance(given, Ranking):
        return given.hits
    if isinstance(given, str | bytes | Mapping) or not hasattr(given, "__iter__"):
        raise UsageError(f"{where}: a ranking is a list of ids or of mappings with id, text and score")
    listed = list(given)
    return tuple(_hit(one, place, len(listed), where) for place, one in enumerate(listed))


def _hit(one: Any, place: int, count: int, where: str) -> Hit:
    if isinstance(one, Hit):
        return one
    if isinstance(one, tuple) and len(one) == 2:
        one = {"id": one[0], "score": one[1]}
    said = one if isinstance(one, Mapping) else {"id": one}
    key = said.get("id", said.get("document"))
    if not isinstance(key, str | int) or key == "":
        raise UsageError(f"{where}: place {place + 1} has no id: {plain_line(repr(one), 80)}")
    score = said.get("score", count - place)
    if not isinstance(score, int | float) or not math.isfinite(score):
        raise UsageError(f"{where}: the score of {plain_line(key, 60)!r} is {score!r:.40}: scores are finite numbers")
    numbered = _NUMBERED.fullmatch(str(key))
    document = str(said.get("document") or (numbered[1] if numbered else key))
    number = int(said.get("number") or (numbered[2] if numbered else 1))
    text = str(said.get("text") or said.get("content") or "")
    start = int(said.get("start") or 0)
    end = int(said.get("end") or start + len(text))
    chunk = Chunk(document=document, number=number, start=start, end=end, text=text)
    parts, terms = said.get("parts") or {}, said.get("terms") or {}
    return Hit(chunk=chunk, rank=place + 1, score=float(score), parts=parts, terms=terms)


class Recorded:
    """Rankings by query, as something that can be searched: what it lacks is said, and counts as nothing found.

    Args:
        name: In reports.
        rankings: Query id or text -> a list as :func:`hits_of` takes it, or the path of a run file of TREC.

    Raises:
        UsageError: There is none, or one cannot be read.
        NotFoundError: There is no such file.
    """

    corpus_fingerprint: str | None = None

    def __init__(self, name: str, rankings: Any) -> None:
        self.name = name
        given = rankings if isinstance(rankings, Mapping) else _trec_run(Path(rankings))
        self._rankings = {str(query): hits_of(listed, f"query {query!r:.60}") for query, listed in given.items()}
        if not self._rankings:
            raise UsageError(f"{name} has no ranking: give {{query: ['pets', 'fares#2']}}")
        told = repr([(query, [(one.chunk.id, one.score) for one in hits]) for query, hits in self._rankings.items()])
        self.index_fingerprint = hashlib.blake2b(told.encode("utf-8", "replace"), digest_size=16).hexdigest()

    def __repr__(self) -> str:
        return f"<Recorded {self.name}: {len(self._rankings):,} rankings>"

    @property
    def queries(self) -> tuple[str, ...]:
        """The ids or texts of its queries."""
        return tuple(self._rankings)

    def of(self, example_id: str, query: str, k: int | None = None) -> Ranking | None:
        """Return the ranking of a query by its id, else by its text; None where it has none."""
        hits = self._rankings.get(example_id, self._rankings.get(query))
        if hits is None:
            return None
        return Ranking(query=query, hits=hits[:k], index_fingerprint=self.index_fingerprint)

    def search(self, query: str, k: int | None = None) -> Ranking:
        """Return the ranking of a query; an empty one where it has none."""
        return self.of(query, query, k) or Ranking(query=query, hits=(), index_fingerprint=self.index_fingerprint)

    def search_many(self, queries: Sequence[str], k: int | None = None) -> list[Ranking]:
        """Return the ranking of each query."""
        return [self.search(one, k) for one in queries]


class Called:
    """A function that searches, such as a call of a vector store, as something that can be measured.

    Args:
        function: Takes a query, and ``k`` where it has such a parameter; returns a Ranking or what ``hits_of`` takes.
        name: In reports; that of the function by default.
    """

    corpus_fingerprint: str | None = None

    def __init__(self, function: Callable[..., Any], name: str | None = None) -> None:
        self.name = name or str(getattr(function, "__name__", type(function).__name__)).strip("<>")
        self.index_fingerprint = f"function:{self.name}"
        self._function = function
        try:
            self._takes_k = "k" in inspect.signature(function).parameters
        except (TypeError, ValueError):  # of a compiled function
            self._takes_k = False

    def search(self, query: str, k: int | None = None) -> Ranking:
        """Return what the function found."""
        found = self._function(query, k=k) if self._takes_k else self._function(query)
        if isinstance(found, Ranking):
            return found
        hits = hits_of(found, f"{self.name}({query!r:.60})")
        return Ranking(query=query, hits=hits[:k], index_fingerprint=self.index_fingerprint)

    def search_many(self, queries: Sequence[str], k: int | None = None) -> list[Ranking]:
        """Return what the function found for each query."""
        return [self.search(one, k) for one in queries]


def _trec_run(path: Path) -> dict[str, list[tuple[str, float]]]:
    """Return a run file of TREC (query, Q0, document, rank, score, tag) by query, by falling score."""
    if not path.is_file():
        raise NotFoundError(f"there is no file {plain_line(path, 200)}")
    found: dict[str, list[tuple[str, float]]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        parts = line.split()
        if not parts:
            continue
        try:
            query, _, document, _, score, *_ = parts
            value = float(score)
        except ValueError:
            raise UsageError(
                f"line {number} of {plain_line(path.name, 80)} is {plain_line(line, 80)!r}: a run file of TREC has "
                "query, Q0, document, rank, score and tag"
            ) from None
        if not math.isfinite(value):
            raise UsageError(f"line {number} of {plain_line(path.name, 80)}: the score is {value}")
        found.setdefault(query, []).append((document, value))
    return {query: sorted(listed, key=lambda one: -one[1]) for query, listed in found.items()}
