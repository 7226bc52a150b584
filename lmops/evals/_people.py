"""By which number a gate decides where a judge scored: what people would find, when that can be computed."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from lmops.evals._calibrated import FRESH
from lmops.evals._corrected import ENOUGH, NO_VERDICTS, NOTHING
from lmops.evals.summaries import number

if TYPE_CHECKING:
    from lmops.evals._differences import Difference
    from lmops.evals.summaries import ScorerSummary


class Ground(NamedTuple):
    """What a criterion rests on, in words; nothing where no judge scored.

    ``is_none`` says that it is no ground at all: a calibration holds, and by it the verdicts tell nothing.
    """

    words: str = ""
    is_corrected: bool = False
    is_none: bool = False


def rate_of_people(one: ScorerSummary, ends: tuple[float, float]) -> tuple[ScorerSummary, Ground]:
    """Return a summary with the corrected rate in the place of the judge's, and what it rests on.

    Labels on the very cases decide where they are many, since they assume nothing of the judge, else its calibration,
    else what labels there are; limits that are those of the scale only where there are no others. Where there is
    nothing of these the summary is as it was, and the words say why.
    """
    if not one.calibration:
        return one, Ground()
    by_labels = (one.ppi, one.ppi_low, one.ppi_high, f"by {one.ppi_note}")
    by_errors = (one.corrected, one.corrected_low, one.corrected_high, one.correction)
    ranked = (by_labels, by_errors) if one.ppi_labels >= ENOUGH else (by_errors, by_labels)
    known = [made for made in ranked if not math.isnan(made[1])]
    if not known:
        return one, _uncorrected(one)
    mean, low, high, how = next((made for made in known if made[1:3] != ends), known[0])
    missing = 1 - one.coverage
    told = replace(
        one,
        mean=mean,
        low=low,
        high=high,
        worst=one.coverage * mean + missing * ends[0] if missing else mean,
        best=one.coverage * mean + missing * ends[1] if missing else mean,
    )
    return told, Ground(f"corrected {how}; the judge says {number(one.mean)}", is_corrected=True)


def difference_of_people(one: Difference, ends: tuple[float, float] = (0.0, 1.0)) -> tuple[Difference, Ground]:
    """Return a difference with the corrected one in the place of the judge's, and what it rests on.

    Where there is none it is as it was, and the words say why. What has a score on one side only counts as far as the
    ends of the scale allow.
    """
    if not one.calibration:
        return one, Ground()
    if math.isnan(one.corrected_low):
        return one, _uncorrected(one)
    few = len(one.missing_a) + len(one.missing_b)
    share, most = one.n / (one.n + few), 1.0 if one.gained is not None else ends[1] - ends[0]
    beyond = 0.0 if not few else (1 - share) * most if math.isfinite(most) else math.nan
    told = replace(
        one,
        difference=one.corrected,
        low=one.corrected_low,
        high=one.corrected_high,
        low_all=share * one.corrected_low - beyond,
        high_all=share * one.corrected_high + beyond,
        p_value=one.corrected_p,
        p_adjusted=math.nan,
        outcome=one.corrected_outcome,
        reason="and a larger one is not excluded",
        n_needed=None,
        minimum_detectable_effect=math.nan,
    )
    return told, Ground(
        f"corrected {one.correction}; the judge says a - b is {number(one.difference)}", is_corrected=True
    )


def _uncorrected(one: ScorerSummary | Difference) -> Ground:
    is_none = one.calibration == FRESH and not one.correction.startswith((NO_VERDICTS, NOTHING))
    return Ground(f"by the judge's own word, not corrected: {one.correction}", is_none=is_none)
