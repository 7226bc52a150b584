"""Which parts of two sequences belong together: lines of two texts, words of two lines. Pure, and never quadratic.

The longest common subsequence is computed with one big integer a row (Hyyrö, "Bit-parallel LCS-length computation
revisited", 2004), so that 2,000 lines that all repeat cost milliseconds. Lines are first matched where they are unique
on both sides (Bram Cohen's patience diff), which keeps blocks together as a reader sees them.
"""

from __future__ import annotations

import itertools
import re
from bisect import bisect_left
from collections import Counter, deque
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

#: cells of a table of two sequences, at most: one bit each
_MAX_CELLS: Final = 200_000_000
_CHUNK: Final = 32
#: lines less alike than this are not shown as one changed line
MIN_LIKENESS: Final = 0.34
#: words less alike than this are not told apart inside a line
_MIN_WORDS: Final = 0.2
TEMPLATE: Final = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
#: scripts without spaces: each character is a word
_ALONE: Final = r"\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff"
_TOKEN: Final = re.compile(
    rf"{TEMPLATE.pattern}|[{_ALONE}]|(?:(?![{_ALONE}])\w)(?:(?![{_ALONE}])[\w\u0300-\u036f])*|\s+|.", re.DOTALL
)


class Part(NamedTuple):
    """A piece of a line: whether the other version has it, and whether it is template code."""

    text: str
    is_changed: bool
    is_template: bool


Parts = tuple[Part, ...]


def matches(left: Sequence[Hashable], right: Sequence[Hashable], *, is_patient: bool = True) -> list[tuple[int, int]]:
    """Return the places (left, right) of equal items that belong together, growing on both sides.

    Args:
        left: Lines or words.
        right: Lines or words.
        is_patient: Match what is unique on both sides first, as suits lines.
    """
    found: list[tuple[int, int]] = []
    waiting = [(0, len(left), 0, len(right))]
    while waiting:
        low, high, start, end = waiting.pop()
        while low < high and start < end and left[low] == right[start]:
            found.append((low, start))
            low, start = low + 1, start + 1
        while low < high and start < end and left[high - 1] == right[end - 1]:
            high, end = high - 1, end - 1
            found.append((high, end))
        if low == high or start == end:
            continue
        anchors = _anchors(left[low:high], right[start:end]) if is_patient else []
        if not anchors:
            found += [(low + i, start + j) for i, j in _lcs(left[low:high], right[start:end])]
            continue
        edges = [(low, start), *((low + i, start + j) for i, j in anchors), (high, end)]
        found += edges[1:-1]
        is_first = True
        for (i, j), (to_i, to_j) in itertools.pairwise(edges):
            waiting.append((i if is_first else i + 1, to_i, j if is_first else j + 1, to_j))
            is_first = False
    return sorted(found)


def _anchors(left: Sequence[Hashable], right: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Return the longest growing chain of items that are unique on both sides."""
    once_left, once_right = Counter(left), Counter(right)
    places = {item: j for j, item in enumerate(right) if once_right[item] == 1}
    pairs = [(i, places[item]) for i, item in enumerate(left) if once_left[item] == 1 and item in places]
    tails: list[int] = []
    tops: list[int] = []
    before: list[int] = []
    for place, (_, j) in enumerate(pairs):
        at = bisect_left(tails, j)
        before.append(tops[at - 1] if at else -1)
        tails[at : at + 1] = [j]
        tops[at : at + 1] = [place]
    chain: list[tuple[int, int]] = []
    place = tops[-1] if tops else -1
    while place >= 0:
        chain.append(pairs[place])
        place = before[place]
    return chain[::-1]


def _lcs(left: Sequence[Hashable], right: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Return a longest common subsequence; nothing when the table would be too large."""
    if len(left) * len(right) > _MAX_CELLS:
        return []
    masks: dict[Hashable, int] = {}
    for j, item in enumerate(right):
        masks[item] = masks.get(item, 0) | (1 << j)
    full = (1 << len(right)) - 1
    row, rows = full, []
    for item in left:
        same = row & masks.get(item, 0)
        row = ((row + same) | (row - same)) & full
        rows.append(row)
    found = []
    i, j = len(left), len(right)
    while i and j:
        if rows[i - 1] >> (j - 1) & 1:
            j -= 1
            continue
        i -= 1
        if not i or rows[i - 1] >> (j - 1) & 1:
            j -= 1
            found.append((i, j))
    return found[::-1]


def gaps(
    pairs: Sequence[tuple[int, int]], left: int, right: int
) -> Iterator[tuple[range, range, tuple[int, int] | None]]:
    """Walk through matches: what stands before each on both sides, and the match; the last has none.

    Args:
        pairs: From :func:`matches`.
        left: Length of the left sequence.
        right: Length of the right sequence.
    """
    i = j = 0
    for to_i, to_j in pairs:
        yield range(i, to_i), range(j, to_j), (to_i, to_j)
        i, j = to_i + 1, to_j + 1
    yield range(i, left), range(j, right), None


def paired(left: Sequence[str], right: Sequence[str]) -> list[tuple[int | None, int | None]]:
    """Return which removed line became which added line, in order; None where there is no other one.

    Args:
        left: Lines that are only in the old text, at one place.
        right: Lines that are only in the new text, at the same place.
    """
    chunks = max(1, -(-max(len(left), len(right)) // _CHUNK))
    found: list[tuple[int | None, int | None]] = []
    for chunk in range(chunks):
        i, to_i = (len(left) * place // chunks for place in (chunk, chunk + 1))
        j, to_j = (len(right) * place // chunks for place in (chunk, chunk + 1))
        for one, other in _paired(left[i:to_i], right[j:to_j]):
            found.append((None if one is None else i + one, None if other is None else j + other))
    return found


def _paired(left: Sequence[str], right: Sequence[str]) -> list[tuple[int | None, int | None]]:
    """Return the pairing with the largest sum of likeness."""
    words_left, words_right = [_words(line) for line in left], [_words(line) for line in right]
    best = [[0.0] * (len(right) + 1) for _ in range(len(left) + 1)]
    alike = [[_likeness(one, other) for other in words_right] for one in words_left]
    for i in range(len(left) - 1, -1, -1):
        for j in range(len(right) - 1, -1, -1):
            both = best[i + 1][j + 1] + alike[i][j] if alike[i][j] >= MIN_LIKENESS else -1.0
            best[i][j] = max(both, best[i + 1][j], best[i][j + 1])
    found: list[tuple[int | None, int | None]] = []
    i = j = 0
    while i < len(left) and j < len(right):
        if alike[i][j] >= MIN_LIKENESS and best[i][j] == best[i + 1][j + 1] + alike[i][j]:
            found.append((i, j))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            found.append((i, None))
            i += 1
        else:
            found.append((None, j))
            j += 1
    found += [(place, None) for place in range(i, len(left))]
    found += [(None, place) for place in range(j, len(right))]
    return found


def _words(line: str) -> frozenset[str]:
    return frozenset(token.lower() for token in tokens(line) if not token.isspace())


def _likeness(left: frozenset[str], right: frozenset[str]) -> float:
    """Return the share of words that two lines have in common (Dice), 0 when both are empty."""
    total = len(left) + len(right)
    return 2 * len(left & right) / total if total else 0.0


def tokens(line: str) -> list[str]:
    """Return words, spaces, signs and whole template tags; together they are the line."""
    return _TOKEN.findall(line)


def whole(line: str, *, is_changed: bool) -> Parts:
    """Return a line of which all is new or nothing is, with its template code told apart."""
    return _merged([Part(token, is_changed, bool(TEMPLATE.fullmatch(token))) for token in tokens(line)])


def words(left: str, right: str) -> tuple[Parts, Parts]:
    """Return the parts of two lines, changed words marked."""
    old, new = tokens(left), tokens(right)
    kept = _without_crumbs(matches(old, new, is_patient=False), old, new)
    size = sum(len(old[i].strip()) for i, _ in kept)
    if size < _MIN_WORDS * max(len(left.strip()), len(right.strip())):
        kept = []
    kept_old, kept_new = {i for i, _ in kept}, {j for _, j in kept}
    return (
        _merged([Part(one, i not in kept_old, bool(TEMPLATE.fullmatch(one))) for i, one in enumerate(old)]),
        _merged([Part(one, j not in kept_new, bool(TEMPLATE.fullmatch(one))) for j, one in enumerate(new)]),
    )


def _without_crumbs(pairs: list[tuple[int, int]], old: list[str], new: list[str]) -> list[tuple[int, int]]:
    """Drop runs that are only spaces and signs between two changes: words that changed read better in one piece."""
    runs: list[list[tuple[int, int]]] = []
    for i, j in pairs:
        if runs and runs[-1][-1] == (i - 1, j - 1):
            runs[-1].append((i, j))
        else:
            runs.append([(i, j)])
    kept = []
    for run in runs:
        (i, j), (to_i, to_j) = run[0], run[-1]
        is_inside = (i > 0 or j > 0) and (to_i < len(old) - 1 or to_j < len(new) - 1)
        is_crumb = not any(any(letter.isalnum() for letter in old[place]) for place, _ in run)
        if not (is_inside and is_crumb):
            kept += run
    return kept


def _merged(parts: list[Part]) -> Parts:
    """Return neighbours of one kind as one part; each template tag stays one of its own."""
    found: list[Part] = []
    for part in parts:
        if found and found[-1][1:] == part[1:] and not part.is_template:
            found[-1] = part._replace(text=found[-1].text + part.text)
        else:
            found.append(part)
    return tuple(found)


class Piece(NamedTuple):
    """A stretch of two texts in one line of reading: " " both have it, "-" only the left, "+" only the right."""

    sign: str
    text: str


def pieces(left: str, right: str, *, around: int | None = None) -> list[Piece]:
    """Return two texts as one, with what each has alone; joined, what is not "+" is the left text.

    Args:
        left: The old text.
        right: The new text.
        around: Characters to keep of a long stretch that both have, beside each change; the rest is "…". All by
            default.

    Example:
        >>> [tuple(one) for one in pieces("book a cabin", "book a pet cabin")]
        [(' ', 'book a '), ('+', 'pet '), (' ', 'cabin')]
    """
    olds, news = (deque((part.text, part.is_changed) for part in side) for side in words(left, right))
    found: list[Piece] = []
    while olds or news:
        if olds and olds[0][1]:
            found.append(Piece("-", olds.popleft()[0]))
        elif news and news[0][1]:
            found.append(Piece("+", news.popleft()[0]))
        else:
            # What both have is cut at other places, where only one of them has a change.
            (old, _), (new, _) = olds.popleft(), news.popleft()
            size = min(len(old), len(new))
            found.append(Piece(" ", old[:size]))
            for rest, side in ((old[size:], olds), (new[size:], news)):
                if rest:
                    side.appendleft((rest, False))
    return found if around is None else [_shortened(one, around) for one in found]


def _shortened(piece: Piece, around: int) -> Piece:
    if piece.sign != " " or len(piece.text) <= 3 * around:
        return piece
    return Piece(" ", f"{piece.text[:around]} … {piece.text[-around:]}")
