"""What people would say of two arms where a judge speaks: a difference corrected by its calibration, or why not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from lmops.base.units import amount
from lmops.calc.experiments import corrected_arms
from lmops.feedback import known_calibration
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lmops.calc.experiments import ArmDifference
    from lmops.feedback import JudgeCalibration
    from lmops.metrics import Metric
    from lmops.store import Store

_SPOKE: Final = """
with {drawn}
select s.scorer_version, any_value(j.model), bool_and(s.score in (0, 1))
from trace_scores as s join trace_scorers as j on j.scorer = s.scorer and j.scorer_version = s.scorer_version
where s.scorer = $scorer and s.status = 'value' and j.kind = 'judge' and s.trace_id in (select trace_id from drawn)
group by s.scorer_version"""


class Drawn(Protocol):
    """The decisions that are compared, as a query."""

    @property
    def drawn(self) -> str:
        """A table ``drawn`` with a trace_id, to be named by a query."""

    @property
    def params(self) -> Mapping[str, Any]:
        """What it is asked with."""


def corrected(
    store: Store, trial: Drawn, metric: Metric, at_level: Callable[[float], ArmDifference], *, level: float
) -> tuple[ArmDifference, list[str]]:
    """Return a difference of two arms as people would find it where that is known, and what it rests on.

    What no judge says stays as it is.

    Args:
        store: Where scores and calibrations are.
        trial: What is compared.
        metric: What of it.
        at_level: Returns the difference with limits of a level.
        level: Of the limits, in (0, 1).
    """
    basis = _basis(store, trial, metric)
    if basis is None:
        return at_level(level), []
    if not isinstance(basis, str):
        raw = at_level((1 + level) / 2)
        found = corrected_arms(raw, basis.errors, level=level)
        if not isinstance(found, str):
            said = amount(raw.difference, metric.unit, signed=True)
            return found, [f"as people would find it by calibration {basis.number} (the judge: {said})"]
        basis = found
    return at_level(level), [f"as the judge says it, and not as people would: {basis}"]


def _basis(store: Store, trial: Drawn, metric: Metric) -> JudgeCalibration | str | None:
    """Return the calibration of the judge that spoke, why none holds, or None where no judge spoke."""
    if metric.score is None:
        return None
    spoke = store.sql(_SPOKE.format(drawn=trial.drawn), {**trial.params, "scorer": metric.score}).fetchall()
    if len(spoke) != 1:
        return f"{len(spoke)} versions of it spoke" if spoke else None
    ((version, model, is_verdict),) = spoke
    if not is_verdict:
        return "only a pass or a fail can be corrected"
    record = known_calibration(store, metric.score, version, model)
    if record is None:
        return "it is uncalibrated"
    return record if record.is_fresh else f"its calibration is stale, {plain_line('; '.join(record.stale), 200)}"
