"""The verbs that tell a judge that moved from an application that did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lmops.base.kinds import refuses_wrong_kinds
from lmops.datasets import Datasets
from lmops.errors import UsageError
from lmops.monitors import anchors
from lmops.monitors._alert_verbs import WithAlerts
from lmops.monitors._moved import Moved, what_moved

if TYPE_CHECKING:
    from collections.abc import Callable

    from lmops.models import Models
    from lmops.monitors._explained import Explanation
    from lmops.monitors._records import Monitor
    from lmops.monitors.anchors import Anchor
    from lmops.records import Project


@refuses_wrong_kinds
class WithAnchors(WithAlerts):
    """Monitors with the verbs of what judges are shown again and again."""

    if TYPE_CHECKING:
        explain: Callable[..., Explanation]
        save: Callable[..., Monitor]

    def __init__(self, project: Project, *, models: Callable[[], Models] | None = None) -> None:
        super().__init__(project)
        self._models = models

    def anchor(
        self,
        judge: Any,
        dataset: str,
        *,
        repeats: int = 3,
        every: str = "1d",
        budget_usd: float | None = None,
        severity: str = "urgent",
        owner: str | None = None,
    ) -> Anchor:
        """Keep what a judge says of answers that stay the same; checks ask it again, and a monitor tells when it moves.

        It is asked several times at once: the first verdicts are kept, the others say how often it flips by itself. A
        check asks it once more when it is time, and the monitor ``anchor-NAME`` fires where it says otherwise more
        often: then the judge has moved, or its model, and no application has. The same call again asks nobody.

        Args:
            judge: "judge:polite@production", a version, or a judge of ``lmops.scorers.judge``, which is saved.
            dataset: Reference of a dataset whose examples have answers (output), 10 at least: "golden@production".
            repeats: How often it is asked at once; more where there are few answers.
            every: How often checks ask it again at most, such as "1d".
            budget_usd: What asking it once may cost; None for no limit.
            severity: Of the monitor.
            owner: Of the monitor.

        Raises:
            NotFoundError: There is no such judge or dataset.
            UsageError: There are too few answers or verdicts, or the judge has other anchors already.
        """
        found = anchors.judge_of(self._project, judge)
        data = Datasets(self._project).get(dataset)
        name = f"anchor-{found.name}"
        known = anchors.anchor_of(self._project, found, name)
        if known is None:
            models = self._models and self._models()
            asked = anchors.Asking(repeats=repeats, every=every, budget_usd=budget_usd)
            anchors.choose(self._project, models, found, (data.ref, data.examples), asked)
            known = anchors.anchor_of(self._project, found, name)
        if known is None or known.dataset != data.ref:
            of = "none" if known is None else known.dataset
            raise UsageError(f"{found.ref} has its anchors in {of}, and keeps them: another version may have others")
        told = {"severity": severity, "owner": owner, "reason": f"{known.items} answers of {known.dataset}"}
        self.save(name, metric=f"anchor.{found.ref}", baseline="first 15m", window="7d", **told)
        return known

    def moved(self, alert: int) -> Moved:
        """Return what moved where an alert is open: the judge that measures, the application, its model or the traffic.

        A judge moved where another version of it spoke, or where it says otherwise of its anchors (:meth:`anchor`).
        Where it says the same of them, by more than accounts for the change, the change is the application's; or that
        of a model, where another system fingerprint under the same name accounts for most of it; or that of the
        traffic, where another mix does. "cannot tell" says what would help.

        Args:
            alert: Its number.

        Returns:
            A record with which, words, shift (of the judge on its anchors, with limits) and explanation.

        Raises:
            NotFoundError: There is no such alert, or its monitor is not there any more.
            UsageError: There is nothing to compare with.
        """
        explanation = self.explain(alert)
        _, monitor, _ = self._told(alert)
        return what_moved(self._project, alert, monitor, explanation)
