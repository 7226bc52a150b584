"""What each rail of a policy is worth: the same attacks with it on and off, each set of rails a run of its own."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, Final, Protocol

from lmops.errors import UsageError, did_you_mean
from lmops.redteam._records import Defence, Matrix
from lmops.redteam.scoring import SUCCESS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lmops.evals import Run
    from lmops.redteam.targets import Checks

MODES: Final = ("without", "only")
NONE: Final = "none"
ALL: Final = "all"


class Policy(Protocol):
    """What a matrix needs of a policy: its rails by stage, and what checks without some of them."""

    @property
    def stages(self) -> Mapping[Any, Sequence[Any]]:
        """By stage its rails, each with a ``name``."""

    def checker(self, *, off: Iterable[str] = ()) -> Checks:
        """Return what checks without these rails."""


def sets_of(policy: Policy, modes: Sequence[str]) -> dict[str, frozenset[str] | None]:
    """Return the sets of rails of a matrix, in words -> which are off; None for no policy at all.

    Raises:
        UsageError: There is no such mode.
    """
    for mode in modes:
        if mode not in MODES:
            raise UsageError(did_you_mean("mode of a matrix", mode, MODES))
    names = list(dict.fromkeys(one.name for rails in policy.stages.values() for one in rails))
    found: dict[str, frozenset[str] | None] = {NONE: None, ALL: frozenset()}
    if "without" in modes:
        found |= {f"without {name}": frozenset([name]) for name in names}
    if "only" in modes and len(names) > 1:
        found |= {f"only {name}": frozenset(names) - {name} for name in names}
    return found


def matrix(
    runs: Any, target: Any, policy: Policy, *, called: str, modes: Sequence[str], options: Mapping[str, Any]
) -> Matrix:
    """Return what attacks do with each set of rails.

    Args:
        runs: The red team: what runs, reports and compares.
        target: What is attacked.
        policy: The policy.
        called: What it is called.
        modes: "without", "only", or both.
        options: Of each run.
    """
    made: dict[str, Run] = {}
    checks: dict[str, list[float]] = {}
    for words, off in sets_of(policy, modes).items():
        guard = None if off is None else _Timed(policy.checker(off=off), called if not off else f"{called} {words}")
        made[words] = runs.run(target, policy=guard, tracing=False, **options)
        checks[words] = [] if guard is None else guard.times_ms
    whole = made[ALL]
    return Matrix(
        target=whole.task.removeprefix("redteam:").partition(" behind ")[0],
        policy=called,
        rows=tuple(_defence(runs, words, run, whole, checks[words]) for words, run in made.items()),
    )


class _Timed:
    """A guard with a name of its own, so that its run is told from that of the whole policy, and with a watch."""

    def __init__(self, guard: Checks, ref: str) -> None:
        self._guard = guard
        self.ref = ref
        self.times_ms: list[float] = []

    def check(self, stage: Any, text: str, *, context: Mapping[str, Any] | None = None) -> Any:
        """Return the decision of the guard."""
        began = time.perf_counter()
        found = self._guard.check(stage, text, context=context)
        self.times_ms.append((time.perf_counter() - began) * 1000)
        return found


def _defence(runs: Any, words: str, run: Run, whole: Run, times_ms: Sequence[float]) -> Defence:
    one = runs.report(run, None).overall
    p50_ms, p95_ms = _quantiles(times_ms)
    change = None if run.run_id == whole.run_id else runs.compare(run, whole)[SUCCESS]
    return Defence(
        rails=words,
        run_id=run.run_id,
        success=one.success,
        low=one.low,
        high=one.high,
        benign=one.benign,
        benign_low=one.benign_low,
        benign_high=one.benign_high,
        spared=one.spared,
        p50_ms=p50_ms,
        p95_ms=p95_ms,
        change=math.nan if change is None else change.difference,
        change_low=math.nan if change is None else change.low,
        change_high=math.nan if change is None else change.high,
        outcome="" if change is None else change.outcome,
    )


def _quantiles(times_ms: Sequence[float]) -> tuple[float, float]:
    import numpy as np

    if not times_ms:
        return math.nan, math.nan
    p50_ms, p95_ms = np.quantile(times_ms, (0.5, 0.95))
    return float(p50_ms), float(p95_ms)
