"""From the cases of a run to what a report says: rates by kind, clustered by seed; what stopped attacks; the worst."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError
from lmops.evals.summaries import row_means
from lmops.redteam._records import Rate, Report, Stopped, Transcript
from lmops.redteam.answers import unpacked
from lmops.redteam.attacks import ATTACK, BENIGN, GROUPS
from lmops.redteam.scoring import SPARED, SUCCESS, TWINS
from lmops.redteam.seeds import SEVERITIES
from lmops.redteam.targets import BEHIND

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lmops.calc.intervals import Interval
    from lmops.datasets import Example
    from lmops.evals import Comparison, Run

_WORST: Final = 5
_MAX_TEXT: Final = 4_000
Values = dict[str, float]


def measured_report(
    run: Run, examples: Sequence[Example], *, baseline: Comparison | None = None, level: float = 0.95
) -> Report:
    """Return what a run found.

    Args:
        run: The run.
        examples: Those of its dataset.
        baseline: It against another run.
        level: Confidence level in (0, 1).

    Raises:
        UsageError: It is no run of a red team, or nothing was scored.
    """
    by_id = {one.example_id: one for one in examples}
    found = run.measured()
    if SUCCESS not in found.scores:
        raise UsageError(f"run {run.run_id} is no run of a red team: it has no score {SUCCESS!r}")
    success, benign, spared = (_by_example(found.ids, found.scores.get(name)) for name in (SUCCESS, TWINS, SPARED))
    attacks = [by_id[one] for one in found.ids if one in by_id and by_id[one].metadata.get("kind", ATTACK) == ATTACK]
    if not any(one.example_id in success for one in attacks):
        raise UsageError(f"run {run.run_id} has no attack with a score: {run!r}")
    twins = [by_id[one] for one in found.ids if one in by_id and by_id[one].metadata.get("kind") == BENIGN]
    rates = []
    for by, value in [("all", "all"), *_kinds(attacks)]:
        of, beside = ([one for one in kind if _is(one, by, value)] for kind in (attacks, twins))
        rates.append(rate_of(by, value, of, beside, success, benign, level, spared=spared))
    scores = run.scores()
    return Report(
        run=run,
        policy=policy_of(run),
        rates=tuple(rates),
        at=_at_k(found, by_id, level),
        broken=_broken(attacks, success, level),
        stopped=tuple(_stopped(scores, by_id)),
        worst=tuple(_worst(run, scores, by_id)),
        unmeasured=sum(one.example_id not in success for one in attacks),
        baseline=baseline,
        level=level,
    )


def policy_of(run: Run) -> str | None:
    """Return what the policy around the target of a run is called; None where there was none."""
    return run.task.partition(BEHIND)[2] or None


def _by_example(ids: Sequence[str], matrix: Any) -> Values:
    if matrix is None:
        return {}
    means = row_means(matrix).tolist()
    return {one: value for one, value in zip(ids, means, strict=True) if not math.isnan(value)}


def _is(example: Example, by: str, value: str) -> bool:
    return by == "all" or (value in example.tags if by == "tag" else str(example.metadata.get(by)) == value)


def _kinds(attacks: Iterable[Example]) -> list[tuple[str, str]]:
    """Return each kind of attack that there is, in the order of the report."""
    there: dict[str, set[str]] = {by: set() for by in ("tag", *GROUPS)}
    for one in attacks:
        there["tag"].update(one.tags)
        for by in GROUPS:
            if one.metadata.get(by) is not None:
                there[by].add(str(one.metadata[by]))
    order = {severity: at for at, severity in enumerate(reversed(SEVERITIES))}
    return [
        (by, value)
        for by, values in there.items()
        for value in sorted(values, key=lambda one: (order.get(one, 0), one))
    ]


def rate_of(
    by: str,
    value: str,
    attacks: Sequence[Example],
    twins: Sequence[Example],
    success: Values,
    benign: Values,
    level: float,
    *,
    spared: Values | None = None,
) -> Rate:
    """Return the rates of one kind of attack, with Wilson intervals at the effective number of attacks, by seed.

    In 1,000 simulated runs each (40 seeds, 2 or 3 attacks a seed that share .3 of their variance) they hold the true
    rate in 95.4 to 96.9 % for rates of .2 to .6, and in 97 to 98 % for rates of .02 and .05, where the few successes
    do not show how alike attacks of a seed are.

    Args:
        by: What tells the kinds apart.
        value: The kind.
        attacks: Those of this kind.
        twins: Their twins.
        success: Example id -> share of the tries that succeeded.
        benign: Example id -> share of the tries that passed.
        level: Confidence level in (0, 1).
        spared: Example id -> share of the tries that a policy let be answered; None without one.
    """
    found, passed = _interval(attacks, success, level), _interval(twins, benign, level)
    kept = _interval(twins, spared or {}, level)
    known = {_seed(one) for one in attacks if one.example_id in success}
    return Rate(
        by=by,
        value=value,
        attacks=found.n,
        seeds=len(known),
        success=found.estimate,
        low=found.low,
        high=found.high,
        twins=passed.n,
        benign=passed.estimate,
        benign_low=passed.low,
        benign_high=passed.high,
        spared=kept.estimate,
        spared_low=kept.low,
        spared_high=kept.high,
    )


def _interval(examples: Sequence[Example], values: Values, level: float) -> Interval:
    from lmops.calc.intervals import proportion_interval

    known = [one for one in examples if one.example_id in values]
    return proportion_interval(
        [values[one.example_id] for one in known], clusters=[_seed(one) for one in known], level=level
    )


def _seed(example: Example) -> str:
    return example.cluster or example.example_id


def _at_k(found: Any, by_id: Mapping[str, Example], level: float) -> dict[int, Interval]:
    """Return the share of attacks of which one of k tries succeeds, for one try and for all that were made."""
    from lmops.calc.repeats import pass_k_interval

    matrix = found.scores[SUCCESS]
    clusters = [_seed(by_id[one]) if one in by_id else one for one in found.ids]
    return {k: pass_k_interval(matrix, k, clusters=clusters, level=level) for k in sorted({1, matrix.shape[1]})}


def _broken(attacks: Sequence[Example], success: Values, level: float) -> Interval:
    from lmops.calc.intervals import proportion_interval

    worst: dict[str, float] = {}
    for one in attacks:
        if one.example_id in success:
            worst[_seed(one)] = max(worst.get(_seed(one), 0.0), float(success[one.example_id] > 0))
    return proportion_interval(list(worst.values()), level=level)


def _stopped(scores: Any, by_id: Mapping[str, Example]) -> list[Stopped]:
    """Return what rails stopped, counted once a case, rail and stage."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for example_id, detail in zip(scores["example_id"], scores["detail"], strict=True):
        example = by_id.get(example_id)
        stops = _detail(detail).get("stops") or []
        if example is not None:
            kind = str(example.metadata.get("kind"))
            counts.update({(str(one.get("rail")), str(one.get("stage")), kind) for one in stops})
    keys = sorted({(rail, stage) for rail, stage, _ in counts})
    made = [
        Stopped(rail=rail, stage=stage, attacks=counts[rail, stage, ATTACK], twins=counts[rail, stage, BENIGN])
        for rail, stage in keys
    ]
    return sorted(made, key=lambda one: (-one.attacks, one.rail, one.stage))


def _detail(given: Any) -> dict[str, Any]:
    if isinstance(given, str):
        given = json.loads(given)
    return given if isinstance(given, dict) else {}


def _worst(run: Run, scores: Any, by_id: Mapping[str, Example]) -> list[Transcript]:
    """Return the gravest attacks that succeeded, each of a seed of its own, the simplest way of each first."""
    broke = scores[(scores["scorer"] == SUCCESS) & (scores["value"] == 1)]
    if broke.empty:
        return []
    ranked = sorted(
        {(row.example_id, row.repeat): row.rationale for row in broke.itertuples()}.items(),
        key=lambda one: _gravity(by_id.get(one[0][0]), one[0]),
    )
    chosen: dict[str, tuple[tuple[str, int], str | None]] = {}
    for key, why in ranked:
        if (example := by_id.get(key[0])) is not None:
            chosen.setdefault(_seed(example), (key, why))
    picked = list(chosen.values())[:_WORST]
    cases = run.df().set_index(["example_id", "repeat"])
    return [_transcript(by_id[key[0]], cases.loc[key], why) for key, why in picked]


def _gravity(example: Example | None, key: tuple[str, int]) -> tuple[int, bool, str, int]:
    about = {} if example is None else example.metadata
    severity = about.get("severity")
    rank = SEVERITIES.index(severity) if severity in SEVERITIES else 0
    return (-rank, about.get("converter") != "plain", *key)


def _transcript(example: Example, case: Any, why: str | None) -> Transcript:
    about = example.metadata
    answer = unpacked(_output(case))
    sent = about.get("checks", {}).get("sent") or [_text_of(example.input)]
    return Transcript(
        example_id=example.example_id,
        seed=_seed(example),
        severity=str(about.get("severity") or "-"),
        converter=str(about.get("converter") or "-"),
        placement=str(about.get("placement") or "-"),
        goal=str(about.get("goal") or ""),
        sent="\n".join([*sent[1:], sent[0]])[:_MAX_TEXT],
        answer=answer.text[:_MAX_TEXT],
        why=why or "",
        trace_id=case["trace_id"] if isinstance(case["trace_id"], str) else None,
    )


def _output(case: Any) -> Any:
    output = case["output"]
    if not isinstance(output, str) or not output.startswith('{"answer"'):
        return output
    try:
        return json.loads(output)
    except ValueError:
        return output


def _text_of(given: Any) -> str:
    return given if isinstance(given, str) else str(given.get("question", given) if isinstance(given, dict) else given)
