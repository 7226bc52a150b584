"""Scorers that compare the words and letters of an output with those of a reference."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

from lmops.errors import UsageError
from lmops.scorers._normalise import as_text, normalised, words
from lmops.scorers._records import Score
from lmops.scorers._registry import scorer_factory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@scorer_factory(range=(0, 1))
def token_f1(*, ignore_articles: bool = True) -> Callable[..., Any]:
    """The F1 of the words shared with the expected value: the best one when several are given.

    Words are casefolded, repeats counted, as SQuAD counts them (Rajpurkar et al., EMNLP 2016). Two texts without words
    are equal.

    Args:
        ignore_articles: a, an, the do not count.
    """

    def bag(text: str) -> tuple[str, ...]:
        found = words(text)
        return tuple(word for word in found if word not in {"a", "an", "the"}) if ignore_articles else found

    def score(output: Any, expected: Any) -> Score:
        given = bag(as_text(output))
        best = max((_f1(given, bag(text)) for text in _references(expected)), key=lambda found: found[0])
        return Score.of(best[0], detail={"precision": best[1], "recall": best[2]})

    return score


@scorer_factory(range=(0, 1))
def rouge_l(*, beta: float = 1.0) -> Callable[..., Any]:
    """The F-measure of the longest common subsequence of words with the expected value, the best of several.

    Source: C.-Y. Lin, "ROUGE", ACL workshop 2004; sentences are not split (ROUGE-L of the package rouge-score).

    Args:
        beta: Weight of recall against precision.
    """
    if not 0 < beta < math.inf:
        raise UsageError(f"rouge_l: beta={beta}: give a number above 0")

    def score(output: Any, expected: Any) -> Score:
        from rapidfuzz.distance import LCSseq

        given = words(as_text(output))
        best = (0.0, 0.0, 0.0)
        for text in _references(expected):
            wanted = words(text)
            if not given or not wanted:
                found = (float(given == wanted),) * 3
            else:
                common = LCSseq.similarity(given, wanted)
                precision, recall = common / len(given), common / len(wanted)
                weighted = recall + beta**2 * precision
                found = ((1 + beta**2) * precision * recall / weighted if weighted else 0.0, precision, recall)
            best = max(best, found)
        return Score.of(best[0], detail={"precision": best[1], "recall": best[2]})

    return score


@scorer_factory(range=(0, 1))
def edit_similarity(*, ignore_case: bool = True) -> Callable[..., Any]:
    """One minus the edits (insert, delete, replace a letter) to the expected value, relative to the longer text.

    Args:
        ignore_case: Upper and lower case are the same.
    """

    def score(output: Any, expected: Any) -> float:
        from rapidfuzz.distance import Levenshtein

        given = normalised(as_text(output), ignore_case=ignore_case)
        return max(
            float(Levenshtein.normalized_similarity(given, normalised(text, ignore_case=ignore_case)))
            for text in _references(expected)
        )

    return score


def _references(expected: Any) -> list[str]:
    if isinstance(expected, list | tuple) and expected:
        return [as_text(one) for one in expected]
    return [as_text(expected)]


def _f1(given: Sequence[str], wanted: Sequence[str]) -> tuple[float, float, float]:
    """Return (F1, precision, recall) of two bags of words."""
    if not given or not wanted:
        return (float(given == wanted),) * 3
    common = (Counter(given) & Counter(wanted)).total()
    precision, recall = common / len(given), common / len(wanted)
    return (2 * precision * recall / (precision + recall) if common else 0.0), precision, recall
