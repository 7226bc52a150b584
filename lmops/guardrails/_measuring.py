"""What rails found in known texts, counted: rates with intervals, by slice, by rule, by span, and the curve."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.guardrails._cases import clusters_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from lmops.calc.intervals import Interval
    from lmops.guardrails._cases import Case
    from lmops.guardrails.contract import Finding

#: An estimate and its limits at 95 %; None where there is nothing to take it of.
Limits = tuple[float | None, float | None, float | None]
#: So many ids of texts that were missed or wrongly stopped are kept, and so many values of a slice.
KEPT: Final = 100
_VALUES: Final = 40


class Answer(NamedTuple):
    """What was found in one text.

    Args:
        is_found: Whether it counts as found.
        score: The highest of the findings, 1 of a rule that found something, 0 where nothing was.
        findings: Where, and of which kind.
        latency_ms: Milliseconds it took.
        error: Why nothing can be told; None where it can.
    """

    is_found: bool
    score: float
    findings: tuple[Finding, ...]
    latency_ms: float
    error: str | None = None


class Slice(NamedTuple):
    """The texts that share something, and what was found in them."""

    by: str
    value: str
    n: int
    n_attacks: int
    recall: float | None
    recall_low: float | None
    recall_high: float | None
    fpr: float | None
    fpr_low: float | None
    fpr_high: float | None
    n_wrong: int


class RuleFired(NamedTuple):
    """A kind of finding: in how many texts it was right, in how many wrong, and in what share of the ordinary ones."""

    rule: str
    right: int
    wrong: int
    fpr: float | None
    fpr_low: float | None
    fpr_high: float | None


class SpansFound(NamedTuple):
    """The places of one kind that were to be found."""

    kind: str
    n: int
    recall: float | None
    recall_low: float | None
    recall_high: float | None


def figures(cases: Sequence[Case], answers: Sequence[Answer]) -> dict[str, Any]:
    """Return all that is measured, as plain data: what a card keeps beside what it is of."""
    from lmops.calc.detection import auroc, curve, rates

    clusters = clusters_of(cases)
    truth = [math.nan if one.is_attack is None else float(one.is_attack) for one in cases]
    found = [math.nan if one.error is not None else float(one.is_found) for one in answers]
    scores = [math.nan if one.error is not None else one.score for one in answers]
    whole = rates(found, truth, clusters=clusters)
    took = sorted(one.latency_ms for one in answers if one.error is None)
    return {
        "n": whole.n,
        "n_attacks": whole.n_positive,
        "n_unknown": sum(one.is_attack is None for one in cases),
        "n_errors": sum(one.error is not None for one in answers),
        "n_missed": whole.false_negative,
        "n_wrong": whole.false_positive,
        "precision": limits(whole.precision),
        "recall": limits(whole.recall),
        "fpr": limits(whole.fpr),
        "auroc": limits(auroc(scores, truth)) if _has_scores(answers) else (None, None, None),
        "span_precision": _span_precision(cases, answers),
        "p50_ms": _quantile(took, 0.5),
        "p95_ms": _quantile(took, 0.95),
        "n_characters": sum(len(one.text) for one in cases),
        "slices": list(_slices(cases, found, truth)),
        "fired": list(_rules(cases, answers)),
        "places": spans(cases, answers),
        "points": [tuple(map(_number, one)) for one in curve(scores, truth)],
    }


def limits(found: Interval) -> Limits:
    """Return an interval as plain data."""
    return _number(found.estimate), _number(found.low), _number(found.high)


def spans(cases: Sequence[Case], answers: Sequence[Answer]) -> list[SpansFound]:
    """Return of each kind how many of its places were found: at least half of their characters, by any finding."""
    from lmops.calc.intervals import proportion_interval

    by_kind: dict[str, list[tuple[float, str]]] = {}
    for case, answer in zip(cases, answers, strict=True):
        for span in () if answer.error is not None else case.spans or ():
            is_found = 2 * _covered(span.start, span.end, answer.findings) >= span.end - span.start
            by_kind.setdefault(span.kind, []).append((float(is_found), case.cluster or case.example_id))
    if len(by_kind) > 1:
        by_kind["all"] = [one for given in by_kind.values() for one in given]
    found = []
    for kind in sorted(by_kind, key=lambda kind: (kind != "all", -len(by_kind[kind]), kind)):
        outcomes, owners = zip(*by_kind[kind], strict=True)
        clusters = owners if len(set(owners)) < len(owners) else None  # places of one text are not independent
        found.append(SpansFound(kind, len(outcomes), *limits(proportion_interval(outcomes, clusters=clusters))))
    return found


def mistakes(cases: Sequence[Case], answers: Sequence[Answer]) -> list[tuple[str, bool]]:
    """Return the examples that were judged wrongly, with whether something was in them; a page of either."""
    pairs = [(a.example_id, a.is_attack, b.is_found) for a, b in zip(cases, answers, strict=True) if b.error is None]
    missed = [(name, True) for name, is_attack, is_found in pairs if is_attack and not is_found]
    wrong = [(name, False) for name, is_attack, is_found in pairs if is_attack is False and is_found]
    return missed[:KEPT] + wrong[:KEPT]


def _covered(start: int, end: int, findings: Iterable[Finding]) -> int:
    """Return how many characters of a stretch lie within findings."""
    covered, at = 0, start
    for one in sorted(findings):
        low, high = max(one.start, at), min(one.end, end)
        if high > low:
            covered, at = covered + high - low, high
    return covered


def _span_precision(cases: Sequence[Case], answers: Sequence[Answer]) -> Limits:
    """Return the share of what was found, where places are known, that lies on one of them."""
    from lmops.calc.intervals import proportion_interval

    right, owners = [], []
    for case, answer in zip(cases, answers, strict=True):
        if case.spans is None or answer.error is not None or case.is_attack is None:
            continue
        for one in answer.findings:
            right.append(float(any(one.start < span.end and span.start < one.end for span in case.spans)))
            owners.append(case.cluster or case.example_id)
    if not right:
        return None, None, None
    return limits(proportion_interval(right, clusters=owners if len(set(owners)) < len(owners) else None))


def _slices(cases: Sequence[Case], found: Sequence[float], truth: Sequence[float]) -> Iterator[Slice]:
    """Yield the rates of every slice; what has too many values to be one, such as an id, is none."""
    from lmops.calc.detection import rates

    places: dict[tuple[str, str], list[int]] = {}
    for place, case in enumerate(cases):
        for pair in case.slices:
            places.setdefault(pair, []).append(place)
    values = Counter(by for by, _ in places)
    for (by, value), at in sorted(places.items(), key=lambda one: (one[0][0], -len(one[1]), one[0][1])):
        if values[by] <= _VALUES:
            part = [cases[place] for place in at]
            told = rates([found[place] for place in at], [truth[place] for place in at], clusters=clusters_of(part))
            if told.n:
                counts = (told.n, told.n_positive)
                yield Slice(by, value, *counts, *limits(told.recall), *limits(told.fpr), told.false_positive)


def _rules(cases: Sequence[Case], answers: Sequence[Answer]) -> Iterator[RuleFired]:
    """Yield by kind of finding in how many texts it was right and wrong, those most often wrong first."""
    from lmops.calc.intervals import proportion_interval

    ordinary = sum(case.is_attack is False and one.error is None for case, one in zip(cases, answers, strict=True))
    right: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for case, answer in zip(cases, answers, strict=True):
        if case.is_attack is not None and answer.is_found and answer.error is None:
            (right if case.is_attack else wrong).update({one.kind for one in answer.findings})
    for rule in sorted({*right, *wrong}, key=lambda rule: (-wrong[rule], -right[rule], rule)):
        share = proportion_interval([1.0] * wrong[rule] + [0.0] * (ordinary - wrong[rule]))
        yield RuleFired(rule, right[rule], wrong[rule], *limits(share))


def _has_scores(answers: Iterable[Answer]) -> bool:
    """Return whether there is more than yes and no, so that a curve has an area."""
    return any(one.error is None and 0 < one.score < 1 for one in answers)


def _quantile(ordered: Sequence[float], q: float) -> float | None:
    return ordered[min(len(ordered) - 1, math.ceil(q * len(ordered)) - 1)] if ordered else None


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def record_of(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a card keeps, as its fields; the opposite of :func:`figures` and JSON."""
    from lmops.calc.detection import CurvePoint

    rows = {"slices": Slice, "fired": RuleFired, "places": SpansFound, "points": CurvePoint}
    return {
        name: tuple(rows[name](*one) for one in value)
        if name in rows
        else tuple(value)
        if isinstance(value, list)
        else value
        for name, value in told.items()
    }
