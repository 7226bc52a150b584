"""From evidence to a conclusion: which of settings, corpus, questions and model changed, by rules that are fixed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from lmops.base.units import amount, counted, share
from lmops.calc.staleness import fisher_p
from lmops.retrieval._drift_marks import ALPHA, LEAST, Stamped, changed_fingerprints, changed_models
from lmops.retrieval._drift_records import Cause
from lmops.text import plain_line
from lmops.times import from_ns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lmops.retrieval._drift_rankings import Steady
    from lmops.retrieval._drift_records import DriftOutcome, Figure, Mark

#: Fewer retrievals in a period say nothing.
ENOUGH: Final = 20
#: So many queries under the same settings say whether rankings hold.
PAIRS: Final = 10
#: Rankings that changed by less than that more than repeats do are steady; and of chunks whose texts are others.
_STEADY: Final = 0.05
#: What moves retrieval itself: where nothing accounts for it, it is said.
_EFFECTS: Final = ("recall", "empty", "documents", "top_score")
_WORDS: Final = 160


class Evidence(NamedTuple):
    """What the rules look at."""

    n: tuple[int, int]
    settings: Sequence[Mark]
    chunkers: Sequence[Mark]
    corpus: Sequence[Mark]
    models: Sequence[Mark]
    stamped: Stamped
    corpus_stamped: Stamped
    steady: Steady
    words: tuple[float, float, Sequence[tuple[str, float, float]]]
    figures: Sequence[Figure]


class Concluded(NamedTuple):
    """What follows."""

    outcome: DriftOutcome
    causes: tuple[Cause, ...]
    line: str


def concluded(told: Evidence) -> Concluded:
    """Return what changed; all rules are those of :meth:`lmops.retrieval.Retrieval.drift`."""
    cut = changed_fingerprints(told.chunkers, "settings")
    corpus = changed_fingerprints(told.corpus, "corpus")
    causes = [*changed_fingerprints(told.settings, "settings"), *cut, *corpus]
    # another cut, or other documents, account for other texts and other rankings
    silent, doubt = ([], None) if cut or corpus else _silently(told)
    causes += [*silent, *_questions(told), *changed_models(told.models)]
    if causes:
        said = [f"the {plain_line(one.words, 400)}" for one in causes]
        return Concluded("changed", tuple(causes), "; ".join([*said, *_effects(told)]))
    reason = _too_little(told) or doubt or _cannot_exclude(told) or _unexplained(told)
    if reason:
        return Concluded("unknown", (), f"cannot tell: {reason}")
    return Concluded("nothing", (), "; ".join([f"nothing changed: {_the_same(told)}", *_effects(told)]))


def _silently(told: Evidence) -> tuple[list[Cause], str | None]:
    """Return what changed although no fingerprint says so, and why that cannot be told where it cannot."""
    steady, is_known = told.steady, told.corpus_stamped.is_known
    if steady.texts:
        at = None if steady.first_us is None else from_ns(steady.first_us * 1000)
        since = "" if at is None else f", first seen {at:%Y-%m-%d %H:%M}"
        what = f"{steady.texts:,} of {counted(steady.chunks, 'chunk')} that both periods found have another text{since}"
        if is_known:  # the documents say that they are the same: they are cut or cleaned otherwise
            return [
                Cause(
                    kind="settings",
                    words=f"settings changed under the same fingerprint, they cut otherwise: {what}",
                    at=at,
                )
            ], None
        return [Cause(kind="corpus", words=f"documents changed: {what}", at=at)], None
    if steady.n < PAIRS or not steady.changed:
        return [], None
    gap = steady.changed / steady.n - (steady.noise / steady.repeats if steady.repeats else 0.0)
    said = f"{steady.changed:,} of {steady.n:,} queries are ranked otherwise under the same settings"
    if gap < _STEADY:
        return [], None
    if steady.repeats < PAIRS:
        return [], f"{said}, and too few repeats before tell how often that is chance ({steady.repeats:,})"
    noise = f"{steady.noise:,} of {counted(steady.repeats, 'repeat')} before"
    if fisher_p(steady.changed, steady.n, steady.noise, steady.repeats) > ALPHA:
        return [], None
    if is_known:
        return [], f"{said} and documents ({noise}): the index was built otherwise, or its embedding model changed"
    return [Cause(kind="corpus", words=f"documents changed: {said} ({noise})")], None


def _questions(told: Evidence) -> list[Cause]:
    v, p, words = told.words
    if math.isnan(v) or math.isnan(p) or v < LEAST or p > ALPHA:
        return []
    moved = ", ".join(
        f"{plain_line(word, 40)!r} {share(before)} -> {share(after)}" for word, before, after in words[:3]
    )
    return [Cause(kind="questions", words=f"questions changed (Cramer's V {v:.2f}): {moved} of queries")]


def _too_little(told: Evidence) -> str | None:
    few = min(told.n)
    return (
        f"{counted(told.n[0], 'retrieval')} before and {told.n[1]:,} after; {ENOUGH} of each are needed"
        if few < ENOUGH
        else None
    )


def _cannot_exclude(told: Evidence) -> str | None:
    """Return what may have changed unseen: what no span says, and too few queries of both periods tell."""
    holds = told.steady.n >= PAIRS
    if not told.stamped.is_known:
        if holds:
            return None
        return "no span says which settings found its documents: ws.retrieval.stamp(...) puts it there"
    if told.corpus_stamped.is_known or holds:
        return None
    return (
        f"no span says which documents were searched, and only {told.steady.n:,} queries of both "
        "periods could show it: ws.retrieval.stamp(..., corpus=...) puts it there"
    )


def _unexplained(told: Evidence) -> str | None:
    for one in told.figures:
        if one.name in _EFFECTS and one.p_value is not None and one.p_value <= ALPHA:
            return f"{_moved(one)}, and nothing that is known accounts for it"
    return None


def _effects(told: Evidence) -> list[str]:
    """Return what became of recall."""
    return [_moved(one) for one in told.figures if one.name == "recall" and one.change is not None]


def _moved(one: Figure) -> str:
    on = f"recall on {one.n:,} golden questions" if one.name == "recall" and one.n else one.title
    limits = (
        ""
        if one.low is None
        else f" [{amount(one.low, one.unit, signed=True)}, {amount(one.high, one.unit, signed=True)}]"
    )
    change = amount(one.change, one.unit, signed=True)
    return f"{on} {amount(one.before, one.unit)} -> {amount(one.after, one.unit)} (difference {change}{limits})"


def _the_same(told: Evidence) -> str:
    names = sorted({one.name for one in told.settings if one.n_after})
    said = [f"the same settings ({plain_line(', '.join(names), _WORDS)})"] if names else []
    if told.corpus_stamped.is_known:
        said.append("the same documents")
    if told.steady.n >= PAIRS:
        said.append(f"{told.steady.n - told.steady.changed:,} of {told.steady.n:,} queries are ranked as before")
    return ", ".join(said)
