"""Prompt drift: the same prompt on the same examples again, and whether what changed is the model, or only noise.

Three questions, each with its own evidence: did the model say that it is another (its name or fingerprint)? do answers
differ more between the two runs than between repeats of one (a permutation test)? did the scores get worse (the paired
comparison)?
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from lmops.base.units import share
from lmops.evals._people import difference_of_people
from lmops.evals._rows import baseline as newest_baseline
from lmops.evals.summaries import number
from lmops.text import escape, plain_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lmops.evals._comparison import Comparison
    from lmops.evals._differences import Difference
    from lmops.evals._people import Ground
    from lmops.evals._runs import Run
    from lmops.store import Store

DriftOutcome = Literal["baseline_recorded", "no_change", "model_changed", "drifted", "drifted_silently", "unknown"]
#: Names of the run that stays the baseline, and of those that are compared with it.
BASELINE_NAME: Final = "drift baseline {}"
NAME: Final = "drift {}"
_DRAWS: Final = 4_000
_WORDS: Final[dict[str, str]] = {
    "baseline_recorded": "there was nothing to compare with: this run is the baseline from now on",
    "no_change": "answers differ no more between the runs than between repeats of one",
    "model_changed": "the model says that it is another; its answers cannot be told from those before",
    "drifted": "the model says that it is another, and its answers are",
    "drifted_silently": "the answers are others, although the model says that it is the same",
    "unknown": "answers differ, and without repeats on both sides that cannot be told from noise",
}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Drift:
    """What became of a prompt on today's model.

    Args:
        outcome: "baseline_recorded", "no_change", "model_changed" (another model, no other answers), "drifted" (another
            model and other answers), "drifted_silently" (other answers from a model that says it is the same) or
            "unknown" (answers differ, and there are no repeats to tell noise by).
        run: Today's run.
        baseline: The stored one; None when there was none.
        comparison: Scores of today against the baseline; None without a baseline.
        before: What the model called itself in the baseline: (model, fingerprint), the most frequent first.
        after: The same today.
        differing: Probability that an answer of today and one of the baseline to the same example differ.
        noise: Probability that two repeats within a run differ; NaN without repeats.
        p_value: Of "answers differ no more between the runs than within them"; NaN when it cannot be asked.
        n: Examples with answers on both sides.
    """

    outcome: DriftOutcome
    run: Run
    baseline: Run | None = None
    comparison: Comparison | None = None
    before: tuple[tuple[str | None, str | None], ...] = ()
    after: tuple[tuple[str | None, str | None], ...] = ()
    differing: float = math.nan
    noise: float = math.nan
    p_value: float = math.nan
    n: int = 0

    @property
    def is_model_changed(self) -> bool:
        """Whether the model calls itself by another name or fingerprint than before."""
        return bool(self.before) and set(self.before) != set(self.after)

    @property
    def worse(self) -> tuple[str, ...]:
        """The scorers by which today is worse; of a judge, by what people would find where that can be computed."""
        return tuple(one.name for one, ground in self._told if one.outcome == "worse" and not ground.is_none)

    @property
    def _told(self) -> list[tuple[Difference, Ground]]:
        return [difference_of_people(one) for one in (self.comparison.scorers if self.comparison is not None else ())]

    @property
    def reasons(self) -> tuple[str, ...]:
        """What was found, one sentence each."""
        said = [_WORDS[self.outcome]]
        if self.baseline is not None:
            noise = "unknown" if math.isnan(self.noise) else share(self.noise)
            said.append(
                f"{share(self.differing)} of pairs of answers differ between the runs, {noise} within them "
                f"(p = {number(self.p_value)}, {self.n:,} examples)"
            )
        if self.is_model_changed:
            said.append(f"model before: {_identities(self.before)}; now: {_identities(self.after)}")
        said += [
            f"{one.name}: {one.outcome.replace('_', '-')}, {one.difference:+.4g} "
            f"({number(one.low)} to {number(one.high)}){f'; {ground.words}' if ground.words else ''}"
            for one, ground in self._told
        ]
        return tuple(said)

    def __repr__(self) -> str:
        return f"<Drift {self.outcome} of {self.run.prompt_ref}: {self.reasons[0]}>"

    @property
    def text(self) -> str:
        """What was found as text."""
        lines = [f"{self.outcome}: {self.run.prompt_ref} on {self.run.dataset}", *(f"  {one}" for one in self.reasons)]
        return "\n".join([*lines, *(("", self.comparison.text) if self.comparison is not None else ())])

    def _repr_html_(self) -> str:
        said = "".join(f"<li>{escape(one)}</li>" for one in self.reasons)
        more = self.comparison._repr_html_() if self.comparison is not None else self.run._repr_html_()
        return f"<div><b>{escape(self.outcome)}</b> {escape(self.run.prompt_ref or '')}<ul>{said}</ul>{more}</div>"


def _identities(found: tuple[tuple[str | None, str | None], ...]) -> str:
    return ", ".join(
        plain_line(f"{model or '?'} ({fingerprint or 'no fingerprint'})", 80) for model, fingerprint in found
    )


def find_baseline(store: Store, *, ref: str, prompt_hash: str, dataset_hash: str) -> str | None:
    """Return the newest complete baseline of a prompt on a dataset, or None."""
    with store.reading() as con:
        name = BASELINE_NAME.format(ref)
        return newest_baseline(con, name=name, prompt_hash=prompt_hash, dataset_hash=dataset_hash)


def measure(store: Store, run: Run, baseline: Run, comparison: Comparison, *, alpha: float, seed: int) -> Drift:
    """Return what changed between the baseline and today's run."""
    before, after = _identity(store, baseline.run_id), _identity(store, run.run_id)
    left, right = _answers(store, baseline.run_id, run.run_id)
    differing, noise, p_value = permuted(left, right, draws=_DRAWS, seed=seed)
    is_other_model = set(before) != set(after)
    outcome: DriftOutcome
    if not differing > 0:
        outcome = "model_changed" if is_other_model else "no_change"
    elif math.isnan(p_value):
        outcome = "unknown"
    elif p_value <= alpha:
        outcome = "drifted" if is_other_model else "drifted_silently"
    else:
        outcome = "model_changed" if is_other_model else "no_change"
    return Drift(
        outcome=outcome,
        run=run,
        baseline=baseline,
        comparison=comparison,
        before=before,
        after=after,
        differing=differing,
        noise=noise,
        p_value=p_value,
        n=len(left),
    )


def _identity(store: Store, run_id: str) -> tuple[tuple[str | None, str | None], ...]:
    query = (
        "select model, system_fingerprint from results where run_id = ? and status = 'ok' "
        "group by all order by count(*) desc, 1, 2"
    )
    return tuple((row[0], row[1]) for row in store.sql(query, [run_id]).fetchall())


def _answers(store: Store, a: str, b: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the answers of two runs as numbers, examples by repeats; -1 where there is none."""
    import numpy as np

    query = "select run_id, example_id, repeat, output from results where run_id in (?, ?) and status = 'ok'"
    rows = store.sql(query, [a, b]).fetchall()
    both = sorted({row[1] for row in rows if row[0] == a} & {row[1] for row in rows if row[0] == b})
    place = {example_id: position for position, example_id in enumerate(both)}
    widths = {run_id: 1 + max((row[2] for row in rows if row[0] == run_id), default=0) for run_id in (a, b)}
    found = {run_id: np.full((len(both), widths[run_id]), -1, dtype=np.int64) for run_id in (a, b)}
    numbers: dict[Any, int] = {}
    for run_id, example_id, repeat, output in rows:
        if example_id in place:
            found[run_id][place[example_id], repeat] = numbers.setdefault(output, len(numbers))
    return found[a], found[b]


def permuted(left: NDArray[np.int64], right: NDArray[np.int64], *, draws: int, seed: int) -> tuple[float, float, float]:
    """Return how often answers differ between two runs and within them, and a p-value of "it is the same".

    If both runs drew from one source, the repeats of an example could have been dealt to the runs in any way: they are
    dealt again at random, and p is the share of deals (this one included) in which answers differ between the runs by
    as much more than within them. Source: R. A. Fisher, The Design of Experiments (1935); B. Phipson, G. K. Smyth,
    SAGMB 9 (2010), the + 1.

    Args:
        left: Answers of one run as numbers, examples by repeats; negative for none.
        right: Those of the other on the same examples.
        draws: Random deals.
        seed: Of the deals.

    Returns:
        (differing, noise, p). No example: all NaN. One repeat a side: noise and p NaN.
    """
    import numpy as np

    if not len(left):
        return math.nan, math.nan, math.nan
    k = left.shape[1]
    pool = np.concatenate((left, right), axis=1)
    between, within = _rates(pool, k)
    if math.isnan(within):
        return between, within, math.nan
    rng = np.random.default_rng(seed)
    observed, at_least = between - within, 1
    for _ in range(draws):
        dealt = rng.permuted(pool, axis=1)
        one, two = _rates(dealt, k)
        at_least += one - two >= observed - 1e-12
    return between, within, at_least / (draws + 1)


def _rates(pool: NDArray[np.int64], k: int) -> tuple[float, float]:
    """Return the share of differing pairs between the first k columns and the others, and within the two groups."""
    import numpy as np

    differ = pool[:, :, None] != pool[:, None, :]
    known = (pool[:, :, None] >= 0) & (pool[:, None, :] >= 0)
    width = pool.shape[1]
    first = np.arange(width) < k
    across = np.logical_and.outer(first, ~first)
    inside = np.logical_or(np.logical_and.outer(first, first), np.logical_and.outer(~first, ~first))
    inside &= ~np.eye(width, dtype=bool)
    return _share(differ, known & across), _share(differ, known & inside)


def _share(differ: NDArray[np.bool_], counted: NDArray[np.bool_]) -> float:
    total = int(counted.sum())
    return float((differ & counted).sum() / total) if total else math.nan
