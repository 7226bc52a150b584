"""What is measured on labels: how far raters agree, and what a judge's verdicts are worth."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lmops.base.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import pandas as pd

    from lmops.calc.corrected import Allocation, CorrectedRate, Errors
    from lmops.calc.raters import FieldAgreement

Limits = tuple[float | None, float | None, float | None]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RaterAgreement(Shown):
    """How far raters agree, field by field; :meth:`df`, :meth:`pairs` and :meth:`categories` are frames."""

    fields: Sequence[FieldAgreement] = field(repr=False)
    level: float = 0.95

    def __repr__(self) -> str:
        return self.text

    def df(self) -> pd.DataFrame:
        """Return one row per field and coefficient: value, low, high, raw agreement, items, raters."""
        from lmops.base.frames import Frame

        columns = ["field", "coefficient", "value", "low", "high", "raw", "n", "n_raters"]
        rows = [
            (one.field, name, found.value, found.low, found.high, found.raw, found.n, found.n_raters)
            for one in self.fields
            for name, found in one.coefficients.items()
        ]
        return Frame(rows, columns=columns)

    def pairs(self) -> pd.DataFrame:
        """Return one row per field and pair of raters: raw agreement, Cohen's kappa, Gwet's AC1 with limits, items."""
        from lmops.base.frames import Frame

        columns = [
            "field",
            "rater_a",
            "rater_b",
            "raw",
            "kappa",
            "kappa_low",
            "kappa_high",
            "ac1",
            "ac1_low",
            "ac1_high",
            "n",
        ]
        rows = [
            (
                one.field,
                pair.rater_a,
                pair.rater_b,
                pair.kappa.raw,
                pair.kappa.value,
                pair.kappa.low,
                pair.kappa.high,
                pair.ac1.value,
                pair.ac1.low,
                pair.ac1.high,
                pair.kappa.n,
            )
            for one in self.fields
            for pair in one.pairs
        ]
        return Frame(rows, columns=columns)

    def categories(self) -> pd.DataFrame:
        """Return one row per field and category: specific agreement, share of the ratings, and what it is taken for."""
        from lmops.base.frames import Frame

        columns = ["field", "category", "agreement", "rate", "n", "taken_for"]
        rows = [
            (one.field, found.category, found.agreement, found.rate, found.n, dict(found.taken_for))
            for one in self.fields
            for found in one.categories
        ]
        return Frame(rows, columns=columns)

    def disagreements(self, field: str | None = None) -> list[Any]:
        """Return the items in dispute in a field, or in any, those most at odds first."""
        found = [item for one in self.fields if field in (None, one.field) for item in one.disagreements]
        return list(dict.fromkeys(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeCalibration(Shown):
    """What the verdicts of one version of a judge are worth, measured on items that people labeled.

    Rates are (estimate, low, high) at 95 %, None where they are not known.

    Args:
        number: Of the record.
        judge: Name of the judge.
        judge_version: Of its prompt, options and model together.
        model: That it asks.
        schema: The label schema with its version, where labels say it.
        n_pass: Items that people pass.
        n_fail: Items that people fail.
        n_disputed: Items that as many people pass as fail; they are left out.
        n_missing: Items without a label or a verdict.
        sensitivity: Share of human passes that the judge passes.
        specificity: Share of human fails that it fails.
        kappa: Cohen's, of judge and people.
        ac1: Gwet's.
        base_rate: Share of passes by people.
        judge_rate: Share of passes by the judge.
        position_consistency: Share of verdicts that survive a swap of the two answers.
        flip_rate: Share of pairs of repeats of one item that disagree.
        length_slope: Judge minus people, per unit of length.
        advice: What to label next.
        worth_pass: So many independent items the human passes are worth, fewer than there are where they came in
            clusters or were drawn unequally; None: as many as there are.
        worth_fail: The same of the human fails.
        used: What it was measured on, in sentences, where labels and verdicts were picked up.
        author: Who made it.
        created_at: When.
        stale: Why it does not hold any more; empty while it does.
    """

    number: int
    judge: str
    judge_version: str
    model: str | None
    schema: str | None
    n_pass: int
    n_fail: int
    n_disputed: int
    n_missing: int
    sensitivity: Limits
    specificity: Limits
    kappa: Limits
    ac1: Limits
    base_rate: float | None
    judge_rate: float | None
    position_consistency: Limits
    flip_rate: float | None
    length_slope: Limits
    advice: str
    author: str
    created_at: datetime
    worth_pass: float | None = None
    worth_fail: float | None = None
    used: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()

    @property
    def is_fresh(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.stale

    @property
    def errors(self) -> Errors:
        """What corrections take: sensitivity and specificity, NaN where not known, and what the labels are worth."""
        from lmops.calc.corrected import Errors

        sensitivity, specificity = (
            math.nan if rate[0] is None else rate[0] for rate in (self.sensitivity, self.specificity)
        )
        n_pass = self.n_pass if self.worth_pass is None else self.worth_pass
        n_fail = self.n_fail if self.worth_fail is None else self.worth_fail
        return Errors(sensitivity, n_pass, specificity, n_fail)

    def labels_needed(self, width: float, *, level: float = 0.95) -> Allocation | None:
        """Return how many more labels of each class make a corrected rate's interval at most so wide; None if none do.

        Args:
            width: Of the interval of the pass rate, from its low to its high end, as far as labels decide it.
            level: Confidence level in (0, 1).

        Returns:
            ``add_pass`` and ``add_fail``: both 0 where it is narrow enough.
        """
        from lmops.calc.needed import labels_needed

        rate = math.nan if self.judge_rate is None else self.judge_rate
        return labels_needed(width, self.errors, judge_rate=rate, level=level)

    def corrected(self, passes: float, n: float, *, level: float = 0.95) -> CorrectedRate:
        """Return the pass rate that people would give where the judge passes so many of n; its ``reason`` if none.

        Args:
            passes: Verdicts "pass" among the n.
            n: Verdicts of the judge, or as many independent ones as they are worth.
            level: Confidence level in (0, 1).
        """
        from lmops.calc.corrected import corrected_pass_rate

        sensitivity, n_pass, specificity, n_fail = self.errors
        return corrected_pass_rate(
            passes, n, sensitivity=sensitivity, n_pass=n_pass, specificity=specificity, n_fail=n_fail, level=level
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RaterAccuracy:
    """How often a rater gave answers that are known.

    Args:
        rater: Who.
        n: Known answers that the rater was asked for.
        right: Of them, those that the rater gave.
        rate: Their share with its 95 % interval.
        early: The share in the earlier half; None where there is none.
        late: The share in the later half.
        p: That halves of one rater who does not change differ so much, adjusted for the number of raters; None: not
            known.
        is_drifting: Whether that is below .05.
    """

    rater: str
    n: int
    right: int
    rate: tuple[float, float, float]
    early: float | None
    late: float | None
    p: float | None
    is_drifting: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldAccuracy(Shown):
    """How often raters gave answers that are known: :meth:`df` by rater, :meth:`over_time` answer by answer."""

    queue: str
    raters: tuple[RaterAccuracy, ...]
    answers: tuple[tuple[str, datetime, int, bool], ...] = field(repr=False)

    def df(self) -> pd.DataFrame:
        """Return one row per rater: n, right, rate, low, high, early, late, p, is_drifting."""
        from lmops.base.frames import Frame

        columns = ["rater", "n", "right", "rate", "low", "high", "early", "late", "p", "is_drifting"]
        rows = [
            (one.rater, one.n, one.right, *one.rate, one.early, one.late, one.p, one.is_drifting) for one in self.raters
        ]
        return Frame(rows, columns=columns)

    def over_time(self) -> pd.DataFrame:
        """Return one row per answer: rater, said_at, position, is_right, and the rate of the rater so far."""
        from lmops.base.frames import Frame

        frame = Frame(self.answers, columns=["rater", "said_at", "position", "is_right"])
        so_far = frame.groupby("rater")["is_right"].transform(lambda right: right.astype(float).expanding().mean())
        return frame.assign(rate=so_far.astype(float))

    @property
    def drifting(self) -> tuple[str, ...]:
        """The raters who drift."""
        return tuple(one.rater for one in self.raters if one.is_drifting)
