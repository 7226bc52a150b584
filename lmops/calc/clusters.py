"""Groups of short texts by the words that they share, without a model: what is near, how many groups, what tells them.

Everything here is deterministic: the same texts in the same order give the same groups.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lmops.calc.arrays import Floats, matrix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lmops.calc.arrays import Ints

#: Distances of all pairs are held at once: 3,000 texts are 36 MB.
MOST: Final = 3_000
_WORD: Final = re.compile(r"[^\W\d_][\w'\u2019]*", re.UNICODE)
_SHORTEST: Final = 3
_PIECE: Final = 4
_ENOUGH: Final = 0.9
#: Words that tell nothing in English and German.
STOP: Final = frozenset(
    re.findall(
        r"\S+",
        """the and are was were has have had does did not but for with from this that these those there here they them
    their its his her him she you your our who whom which what when where why how will would can could should may
    might must shall been being than then too very just also only about into onto out over under again more most
    some any all each every both few other such own same off because while until after before between through
    during above below instead though although however ein eine einer eines einem einen der die das den dem des und
    oder aber ist sind war waren hat haben hatte wird werden wurde nicht kein keine mit von für auf aus bei nach vor
    über unter auch nur noch schon sehr wie was wer wo wann warum dass wenn weil sich sie ihr ihm ihn wir uns man es
    isn't doesn't didn't don't wasn't aren't can't won't it's""",
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """Which group each text is in, and how well they are apart.

    ``labels`` are 0, 1, 2, ... by the size of the group, the greatest first; ``silhouette`` is the mean width of all
    texts, from -1 to 1, NaN where there are fewer than three texts.
    """

    labels: tuple[int, ...]
    silhouette: float

    @property
    def count(self) -> int:
        """How many groups there are."""
        return len(set(self.labels))


def words_of(text: str) -> list[str]:
    """Return the words of a text that can tell something, in small letters, in their order.

    >>> words_of("It INVENTS a fare of 40 euro")
    ['invents', 'fare', 'euro']
    """
    found = (word.casefold().strip("'\u2019") for word in _WORD.findall(text))
    return [word for word in found if len(word) >= _SHORTEST and word not in STOP]


def text_cosines(texts: Sequence[str]) -> Floats:
    """Return how near texts are to each other, from 0 to 1; a text whose words tell nothing is near to none.

    Words and their pieces of four letters (so that "invents" is near "invented") are counted, each kind with half of
    the weight: (1 + log of the count) * (1 + log((1 + n) / (1 + texts with it))), as G. Salton, C. Buckley,
    "Term-weighting approaches in automatic text retrieval", Information Processing & Management 24 (1988) 513-523.

    Args:
        texts: At most :data:`MOST`.

    Returns:
        A square of cosines, with 1 on its diagonal.

    Raises:
        ValueError: There are more.
    """
    if len(texts) > MOST:
        raise ValueError(f"{len(texts):,} texts; the most is {MOST:,}")
    words = [words_of(text) for text in texts]
    found = np.zeros((len(texts), len(texts)))
    for terms in (words, [_pieces(one) for one in words]):
        weights = _weights(terms)
        found += np.asarray((weights @ weights.T).todense(), dtype=np.float64) / 2
    return _square(found)


def cosines(vectors: Any) -> Floats:
    """Return how near vectors are to each other, from -1 to 1, 1 with themselves; one of zeros is near to none.

    Args:
        vectors: One row each, at most :data:`MOST`, such as the embeddings of texts.

    Raises:
        ValueError: Not a matrix of finite numbers, or there are more.
    """
    data = matrix(vectors, "vectors")
    if data.shape[0] > MOST:
        raise ValueError(f"{data.shape[0]:,} vectors; the most is {MOST:,}")
    if not bool(np.isfinite(data).all()):
        raise ValueError("vectors must be finite numbers")
    lengths = np.linalg.norm(data, axis=1)
    units = data / np.where(lengths > 0, lengths, 1)[:, None]
    return _square(units @ units.T)


def _square(found: Floats) -> Floats:
    """Return cosines without what rounding did to them."""
    found = np.clip((found + found.T) / 2, -1, 1)
    np.fill_diagonal(found, 1)
    return np.asarray(found, dtype=np.float64)


def _pieces(words: Sequence[str]) -> list[str]:
    """Return the pieces of four letters of some words, with where words begin."""
    return [f" {word}"[at : at + _PIECE] for word in words for at in range(max(len(word) + 2 - _PIECE, 1))]


def _weights(texts: Sequence[Sequence[str]]) -> Any:
    """Return a sparse row of length 1 for each list of terms."""
    from scipy.sparse import csr_array

    counts = [Counter(terms) for terms in texts]
    having = Counter(term for one in counts for term in one)
    place = {term: at for at, term in enumerate(having)}
    rows = [row for row, one in enumerate(counts) for _ in one]
    columns = [place[term] for one in counts for term in one]
    weights = [
        (1 + np.log(times)) * (1 + np.log((1 + len(texts)) / (1 + having[term])))
        for one in counts
        for term, times in one.items()
    ]
    found = csr_array((weights, (rows, columns)), shape=(len(texts), max(len(place), 1)), dtype=np.float64)
    lengths = np.sqrt(np.asarray(found.multiply(found).sum(axis=1)).ravel())
    return found.multiply((1 / np.where(lengths > 0, lengths, 1))[:, None]).tocsr()


def silhouettes(distances: Floats, labels: Sequence[int] | Ints) -> Floats:
    """Return how much nearer each member is to its own group than to the nearest other one, from -1 to 1.

    (b - a) / max(a, b) with a the mean distance to the others of the group, b the least mean distance to another group;
    0 in a group of one. Source: P. J. Rousseeuw, "Silhouettes: a graphical aid to the interpretation and validation of
    cluster analysis", J. Computational and Applied Mathematics 20 (1987) 53-65.

    Args:
        distances: A square of distances.
        labels: The group of each.

    Raises:
        ValueError: There is one group only.
    """
    codes = np.unique(np.asarray(labels), return_inverse=True)[1]
    sizes = np.bincount(codes).astype(np.float64)
    if sizes.size < 2:
        raise ValueError("silhouettes need two groups or more")
    is_in = np.eye(sizes.size)[codes]
    sums = distances @ is_in
    own = sizes[codes]
    inside = sums[np.arange(codes.size), codes] / np.maximum(own - 1, 1)
    outside = np.where(is_in > 0, np.inf, sums / sizes).min(axis=1)
    widest = np.maximum(inside, outside)
    found = np.where(widest > 0, (outside - inside) / np.where(widest > 0, widest, 1), 0.0)
    return np.asarray(np.where(own > 1, found, 0.0), dtype=np.float64)


def group(near: Floats, *, count: int | None = None, most: int = 15) -> Groups:
    """Return groups by the mean distance between their members: average linkage, with 1 - cosine as the distance.

    Without ``count`` it is the least number from 2 on whose mean silhouette reaches nine tenths of the greatest one: of
    short texts the greatest alone parts what people would not.

    Args:
        near: A square of cosines, of :func:`text_cosines` or :func:`cosines`.
        count: How many groups.
        most: The most groups that are tried.

    Raises:
        ValueError: More groups than members.
    """
    from scipy.cluster.hierarchy import average, cut_tree
    from scipy.spatial.distance import squareform

    n = near.shape[0]
    if count is not None and not 1 <= count <= n:
        raise ValueError(f"{count} groups of {n}: give 1 to {n}")
    if n < 3 and count is None:
        return Groups(labels=tuple(range(n)), silhouette=np.nan)
    if n < 2:
        return Groups(labels=(0,) * n, silhouette=np.nan)
    distances = 1 - near
    tree = average(squareform(distances, checks=False))
    tried = range(2, min(most, n - 1) + 1) if count is None else (count,)
    cuts = cut_tree(tree, n_clusters=list(tried)).T
    widths = [float(silhouettes(distances, cut).mean()) if cut.any() else np.nan for cut in cuts]
    best = next((at for at, width in enumerate(widths) if width >= _ENOUGH * max(widths)), 0)
    return Groups(labels=_by_size(cuts[best]), silhouette=widths[best])


def _by_size(labels: Any) -> tuple[int, ...]:
    """Return labels 0, 1, 2, ... with the greatest group first, of two alike the one that begins first."""
    given = [int(one) for one in labels]
    sizes = Counter(given)
    order = sorted(sizes, key=lambda one: (-sizes[one], given.index(one)))
    return tuple(order.index(one) for one in given)


def telling(inside: Sequence[str], outside: Sequence[str], *, most: int = 3) -> tuple[str, ...]:
    """Return the words that tell some texts from others, the most telling first.

    A word is as telling as the share of the texts inside that have it is above that of those outside. Of words that
    begin alike (fare, fares) the first counts; one that a single text of several has tells nothing.

    Args:
        inside: The texts.
        outside: The others.
        most: The most words.

    >>> telling(["invents a fare", "the fare is invented"], ["rude tone", "tone is curt"], most=1)
    ('fare',)
    """
    ours, theirs = ([set(words_of(text)) for text in texts] for texts in (inside, outside))
    counts, others = (Counter(word for one in texts for word in one) for texts in (ours, theirs))
    least = 2 if len(ours) > 2 else 1
    said = list(dict.fromkeys(word for text in inside for word in words_of(text)))
    above = {
        word: times / len(ours) - others[word] / max(len(theirs), 1) for word, times in counts.items() if times >= least
    }
    found: list[str] = []
    for word in sorted(above, key=lambda one: (-above[one], said.index(one))):
        if len(found) < most and above[word] > 0 and not any(_alike(word, one) for one in found):
            found.append(word)
    return tuple(found)


def _alike(one: str, other: str) -> bool:
    """Return whether two words begin alike, as forms of one word do."""
    stem = min(len(one), len(other), 5)
    return stem >= _SHORTEST and one[:stem] == other[:stem]
