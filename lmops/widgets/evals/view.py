"""What the eval explorer shows of a board: outcomes, changes, order, confusion, slices. Arithmetic on arrays only."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.evals.boards import STATES
from lmops.evals.summaries import pass_mark

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from lmops.evals.boards import Board, ScorerFacts

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int8]

#: outcomes of a case as they are named
OUTCOMES: Final = {1: "pass", 0: "fail", -1: "none"}
CODES: Final = {name: code for code, name in OUTCOMES.items()}
MAX_VALUES: Final = 30
MAX_TEXT: Final = 200
#: changes smaller than this are rounding
_TINY: Final = 1e-9
_GOOD: Final = frozenset({"pass", "passed", "yes", "true", "up", "good", "correct", "1"})
_BAD: Final = frozenset({"fail", "failed", "no", "false", "down", "bad", "incorrect", "wrong", "0"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which cases are shown, and how.

    Args:
        scorer: The scorer that is looked at; "" when no run has one.
        a: The run that is judged.
        b: The run that it is compared with; None for one run alone.
        pass_at: From which value on a score passes (up to which one, where less is better); None: no outcomes.
        regressions: Only cases where a is worse than b.
        flips: Only cases that pass in one of both runs.
        cell: A cell of a confusion matrix: (which matrix, row, column).
        slice: (key, value) of the examples.
        text: Words that id and input have.
        said: Words that an output or a reason has.
        sort: "change", "case", or "run:" and the place of a run.
        descending: Whether the largest is first.
    """

    scorer: str
    a: int = 0
    b: int | None = None
    pass_at: float | None = None
    regressions: bool = False
    flips: bool = False
    cell: tuple[str, str, str] | None = None
    slice: tuple[str, str] | None = None
    text: str = ""
    said: str = ""
    sort: str = "change"
    descending: bool = False

    def as_dict(self, labels: Sequence[str]) -> dict[str, Any]:
        """Return it as a plain record, the runs by their labels."""
        return {
            "scorer": self.scorer,
            "a": labels[self.a],
            "b": None if self.b is None else labels[self.b],
            "pass_at": self.pass_at,
            "regressions": self.regressions,
            "flips": self.flips,
            "cell": None if self.cell is None else list(self.cell),
            "slice": None if self.slice is None else dict([self.slice]),
            "text": self.text,
            "said": self.said,
            "sort": self.sort,
            "descending": self.descending,
        }


def worst_first(chosen: Filter, scorer: ScorerFacts | None) -> Filter:
    """Return a filter with the largest loss first, or for one run alone the worst score."""
    if chosen.b is not None:
        return replace(chosen, sort="change", descending=False)
    return replace(chosen, sort=f"run:{chosen.a}", descending=not (scorer is None or scorer.higher_is_better))


def threshold(board: Board, scorer: ScorerFacts) -> float | None:
    """Return from where on a score passes by default: the middle of its scale, or of 0..1 when all are in it."""
    import numpy as np

    mark = pass_mark((scorer.low, scorer.high))
    if mark is not None:
        return mark
    values = board.scores[scorer.name]
    known = values[~np.isnan(values)]
    return 0.5 if known.size and known.min() >= 0 and known.max() <= 1 else None


class Columns(NamedTuple):
    """The cases under one scorer and pair of runs, in the order of the board.

    Args:
        a: Scores of the run that is judged.
        b: Of the other; all NaN for one run alone.
        change: a - b, turned so that negative is worse.
        passes_a: 1 pass, 0 fail, -1 none.
        passes_b: Likewise.
        flip: 1 gained, -1 lost, else 0.
        alone: 1 scored in the judged run only, -1 in the other only, else 0; what was not run is neither.
    """

    a: Floats
    b: Floats
    change: Floats
    passes_a: Ints
    passes_b: Ints
    flip: Ints
    alone: Ints

    def word(self, place: int) -> str:
        """Return what became of a case between the runs, in words; empty where its outcome is the same."""
        alone = {1: "newly answered", -1: "no longer scored"}.get(int(self.alone[place]))
        return alone or {1: "gained", -1: "lost"}.get(int(self.flip[place]), "")

    @property
    def is_worse(self) -> NDArray[np.bool_]:
        """Which cases are a loss: those that lost, and those with one score only, unless it is new and passes."""
        is_gain = (self.alone > 0) & (self.passes_a == 1)
        found: NDArray[np.bool_] = (self.change < 0) | ((self.alone != 0) & ~is_gain)
        return found


def columns(board: Board, chosen: Filter, scorer: ScorerFacts | None) -> Columns:
    """Return what is looked at of every case."""
    import numpy as np

    blank = np.full(len(board.ids), np.nan)
    a = blank if scorer is None else board.scores[scorer.name][:, chosen.a]
    b = blank if scorer is None or chosen.b is None else board.scores[scorer.name][:, chosen.b]
    turned = (a - b) * (1.0 if scorer is None or scorer.higher_is_better else -1.0)
    change = np.where(np.abs(turned) < _TINY, 0.0, turned)
    higher = scorer is None or scorer.higher_is_better
    passes_a, passes_b = (outcomes(values, chosen.pass_at, higher_is_better=higher) for values in (a, b))
    known = (passes_a >= 0) & (passes_b >= 0)
    flip = np.where(known, passes_a - passes_b, 0).astype(np.int8)
    return Columns(a, b, change, passes_a, passes_b, flip, _alone(board, chosen, scorer))


def _alone(board: Board, chosen: Filter, scorer: ScorerFacts | None) -> Ints:
    """Return which cases have a score in one run of the pair only, of those that both ran and were to score."""
    import numpy as np

    pair = [chosen.a, -1 if chosen.b is None else chosen.b]
    if scorer is None or -1 in pair or (scorer.runs is not None and not set(pair) <= set(scorer.runs)):
        return np.zeros(len(board.ids), dtype=np.int8)
    has_a, has_b = (~np.isnan(board.scores[scorer.name][:, pair])).T
    both_ran = (board.states[scorer.name][:, pair] != STATES.index("not run")).all(axis=1)
    return np.where(both_ran, has_a.astype(np.int8) - has_b.astype(np.int8), 0).astype(np.int8)


def outcomes(values: Floats, pass_at: float | None, *, higher_is_better: bool) -> Ints:
    """Return 1 for a score that passes, 0 for one that does not, -1 where there is none."""
    import numpy as np

    if pass_at is None:
        return np.full(values.shape, -1, dtype=np.int8)
    passed = values >= pass_at - _TINY if higher_is_better else values <= pass_at + _TINY
    return np.where(np.isnan(values), -1, passed).astype(np.int8)


def matching(
    board: Board,
    chosen: Filter,
    seen: Columns,
    *,
    groups: Mapping[str, Mapping[str, Ints]],
    labels: Mapping[str, Ints],
    haystack: Sequence[str],
    saying: frozenset[str] | None = None,
    without: str = "",
) -> NDArray[np.bool_]:
    """Return which cases match.

    Args:
        board: The cases.
        chosen: The filter.
        seen: What is looked at of them.
        groups: Their places by key and value.
        labels: What people said, by label.
        haystack: What the words of the filter are looked for in, by case.
        saying: The ids of those whose answers have the words; None where none are asked for.
        without: The part of the filter that is left out.
    """
    import numpy as np

    keep = np.ones(len(board.ids), dtype=bool)
    if chosen.regressions:
        keep &= seen.is_worse
    if chosen.flips:
        keep &= seen.flip != 0
    if chosen.cell is not None and without != "cell":
        which, row, column = chosen.cell
        keep &= (_rows_of(which, seen, labels) == CODES[row]) & (seen.passes_a == CODES[column])
    if chosen.slice is not None and without != "slice":
        key, value = chosen.slice
        inside = np.zeros(len(board.ids), dtype=bool)
        inside[groups.get(key, {}).get(value, np.zeros(0, dtype=np.int64))] = True
        keep &= inside
    for word in chosen.text.lower().split():
        keep &= np.fromiter((word in text for text in haystack), dtype=bool, count=len(haystack))
    if saying is not None:
        keep &= np.fromiter((one in saying for one in board.ids), dtype=bool, count=len(board.ids))
    return keep


def _rows_of(which: str, seen: Columns, labels: Mapping[str, Ints]) -> Ints:
    """Return the outcomes down the side of a matrix: those of the other run, of the run alone, or what people said."""
    own = {"runs": seen.passes_b, "run": seen.passes_a}
    return own[which] if which in own else labels[which.removeprefix("label:")]


def ordered(board: Board, chosen: Filter, seen: Columns, keep: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the places of the matching cases in the order in which they are shown; missing values are last.

    By change, a case with a score in one run only stands before the largest loss: nobody knows how bad it is.
    """
    import numpy as np

    places = np.flatnonzero(keep)
    one_sided = seen.alone != 0
    if chosen.sort == "case":
        return places[::-1] if chosen.descending else places
    if not chosen.scorer:
        return places
    if chosen.sort == "change" and chosen.b is not None:
        values = seen.change
    else:
        one_sided = np.zeros(len(board.ids), dtype=bool)
        at = int(chosen.sort.removeprefix("run:")) if chosen.sort.startswith("run:") else chosen.a
        values = board.scores[chosen.scorer][:, at]
    found = values[places]
    missing = np.isnan(found)
    key = np.where(missing, 0.0, -found if chosen.descending else found)
    rank = np.where(one_sided[places], 1 if chosen.descending else -1, np.where(missing, 2, 0))
    return places[np.lexsort((places, key, rank))]


def matrix(down: Ints, across: Ints, keep: NDArray[np.bool_]) -> list[list[int]]:
    """Return counts: pass, fail, none down the side, pass, fail, none across."""
    order = (1, 0, -1)
    return [[int((keep & (down == row) & (across == column)).sum()) for column in order] for row in order]


def agreement(said: Ints, judged: Ints) -> list[tuple[str, int, int, float, float]]:
    """Return how often a scorer says what people said, as (words, k, n, low, high), over all and over both kinds."""
    from lmops.calc.intervals import proportion_interval

    both = (said >= 0) & (judged >= 0)
    found = []
    for words, part in (("agree", both), ("passes found", both & (said == 1)), ("fails found", both & (said == 0))):
        hits = (judged == said)[part].astype(float)
        interval = proportion_interval(hits)
        found.append((words, int(hits.sum()), int(hits.size), interval.low, interval.high))
    return found


class Slice(NamedTuple):
    """One value of a key: its cases, both means, the difference a - b with its interval, and the flips."""

    key: str
    value: str
    n: int
    mean_a: float
    mean_b: float
    difference: float
    low: float
    high: float
    lost: int
    gained: int


def slices(
    seen: Columns,
    groups: Mapping[str, Mapping[str, Ints]],
    keep: NDArray[np.bool_],
    clusters: Sequence[Any] | None,
    *,
    is_pair: bool,
) -> list[Slice]:
    """Return one row per value of each key; the limits are NaN where too few cases say nothing."""
    import numpy as np

    from lmops.calc.intervals import score_interval
    from lmops.calc.paired import paired_difference

    names = None if clusters is None else np.array([str(one) for one in clusters], dtype=object)
    found = []
    for key, values in groups.items():
        for value, rows in values.items():
            at = rows[keep[rows]]
            codes = None if names is None or key == "cluster" else names[at].tolist()
            codes = None if codes is None or len(set(codes)) < 2 else codes
            lost, gained = int((seen.flip[at] < 0).sum()), int((seen.flip[at] > 0).sum())
            if is_pair:
                one = paired_difference(seen.a[at], seen.b[at], clusters=codes, long_tails=True)
                row = Slice(key, value, one.n, one.mean_a, one.mean_b, one.difference, one.low, one.high, lost, gained)
            else:
                mean = score_interval(seen.a[at], clusters=codes)
                row = Slice(key, value, mean.n, mean.estimate, math.nan, math.nan, mean.low, mean.high, 0, 0)
            found.append(row)
    return found


def groups_of(examples: Sequence[Any]) -> dict[str, dict[str, Ints]]:
    """Return the places of the examples by key and value: split, tags, cluster and plain keys of the metadata.

    Keys with one value only, or with more than thirty, are left out: they tell no group from another.

    Args:
        examples: One per row of the board; None where the dataset is gone.
    """
    import numpy as np

    found: dict[str, dict[str, list[int]]] = {}
    for row, example in enumerate(examples):
        for key, value in _facets(example) if example is not None else ():
            values = found.setdefault(key, {})
            if len(values) <= MAX_VALUES:
                values.setdefault(value, []).append(row)
    made: dict[str, dict[str, Any]] = {}
    seen: list[list[list[int]]] = []
    for key, values in found.items():
        is_told = len(values) > 1 or any(len(rows) < len(examples) for rows in values.values())
        parts = sorted(values.values())
        # A topic that is the cluster as well is one key.
        if is_told and len(values) <= min(MAX_VALUES, max(2, len(examples) // 2)) and parts not in seen:
            seen.append(parts)
            made[key] = {value: np.array(rows) for value, rows in sorted(values.items())}
    return made


def _facets(example: Any) -> Iterable[tuple[str, str]]:
    """Return (key, value) of what may group examples; a long text is none of it."""
    yield from (("tags", str(tag)) for tag in example.tags if len(str(tag)) <= MAX_TEXT)
    for key, value in (("split", example.split), *example.metadata.items(), ("cluster", example.cluster)):
        if isinstance(value, str | bool | int) and value != "" and max(len(str(key)), len(str(value))) <= MAX_TEXT:
            yield str(key), str(value)


def labels_of(examples: Sequence[Any]) -> dict[str, Ints]:
    """Return what people said by the name of the label, as outcomes; "expected" is one where it is yes or no."""
    import numpy as np

    found: dict[str, list[tuple[int, int | None]]] = {}
    for row, example in enumerate(examples):
        if example is None:
            continue
        said = dict(example.labels or {})
        if isinstance(example.expected, bool):
            said.setdefault("expected", example.expected)
        for name, value in said.items():
            if value is not None and len(str(name)) <= MAX_TEXT:
                found.setdefault(str(name), []).append((row, as_outcome(value)))
    made = {}
    for name, values in found.items():
        known = [(row, code) for row, code in values if code is not None]
        if len(known) * 2 < len(values):
            continue  # a comment, a date, a rating: nothing that passes or fails
        codes = np.full(len(examples), -1, dtype=np.int8)
        for row, code in known:
            codes[row] = code
        made[name] = codes
    return made


def as_outcome(value: Any) -> int | None:
    """Return 1 or 0 for what means pass or fail, None for everything else."""
    if isinstance(value, dict):
        return as_outcome(value.get("value"))
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float):
        return int(value) if value in (0, 1) else None
    word = value.strip().lower() if isinstance(value, str) else ""
    return 1 if word in _GOOD else 0 if word in _BAD else None
