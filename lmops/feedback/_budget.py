"""Where the error of what a judge scored comes from, and which cases to label next: with chances that are known."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.base.shown import Shown
from lmops.errors import NotFoundError, UsageError
from lmops.feedback import calibration
from lmops.feedback._people import labels_of_cases
from lmops.feedback.sampling import Chosen
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from lmops.calc.budget import ErrorBudget, Step
    from lmops.calc.corrected import Errors
    from lmops.store import Store

    Floats = NDArray[np.float64]

#: So many labels on the very cases tell how a judge errs where no calibration holds.
_ENOUGH: Final = 20
_SCORES: Final = (
    "select s.run_id, s.example_id, s.repeat, s.scorer, s.value, r.cluster from scores s join results r on "
    "r.run_id = s.run_id and r.example_id = s.example_id and r.repeat = s.repeat where s.value is not null and "
    "s.run_id in (select unnest($runs)) and s.scorer in (select unnest($judges)) order by all"
)
_NO_BIAS: Final = "judge bias is not known: {}"
#: Runs over the same examples; one of them may have asked the judge otherwise.
_OTHERS: Final = (
    "select run_id, scorers from runs where dataset_hash in (select dataset_hash from runs where run_id in "
    "(select unnest($runs))) and run_id not in (select unnest($runs)) order by started_at desc, run_id limit 200"
)
#: How to learn what is not known, by source.
_WAYS: Final = {
    "judge noise": "every case was judged once; run it with repeats=2",
    "wording": "there is one; judge the same answers in other words as well: ws.evals.run(task, data, [judge, other]), "
    "then ws.feedback.budget(run, judge=[both names])",
    "temperature": "there is one; judge the same answers at another as well: a judge of another name with "
    "params={'temperature': 1} in the same run, then ws.feedback.budget(run, judge=[both names])",
}


class _Unit(NamedTuple):
    """What is labelled together: a case, or the same case of both runs."""

    cases: tuple[tuple[str, str, int], ...]  # run, example, repeat
    residual: float  # how wrong the judge is expected to be


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class JudgeBudget(Shown):
    """The error of a rate or of a difference by where it comes from, and what would take most off it.

    ``ws.feedback.queue(name, budget, schema=..., n=50)`` asks people for the labels that tell most.

    Args:
        judge: Whose scores they are.
        runs: The run; or the one that is judged and its baseline.
        is_difference: Whether it is of a difference.
        found: The figures.
        steps: What to spend the next calls or labels on, best first.
        notes: What a reader has to know.
        unknown: Of each source that these scores do not tell of, what to run to know it.
    """

    judge: str
    runs: tuple[str, ...]
    is_difference: bool
    found: ErrorBudget = field(repr=False)
    steps: tuple[Step, ...] = field(repr=False)
    notes: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    _units: tuple[_Unit, ...] = field(repr=False, default=())

    def __repr__(self) -> str:
        return self.text

    def df(self) -> pd.DataFrame:
        """Return one row a source: its squared error, and its share of what is known; missing where it is not."""
        from lmops.base.frames import Frame

        shares = self.found.shares
        return Frame(
            [(name, part, shares[name]) for name, part in self.found.parts.items()],
            columns=["source", "squared_error", "share"],
        )

    def frame(self, n: int) -> dict[str, float]:
        """Return the probability of each case to be drawn by :meth:`draw`, by what a queue calls it."""
        return {case.item: chance for one, chance in self._chances(n) for case in _together(one, chance)}

    def draw(self, n: int, *, seed: int | Sequence[int] = 0) -> list[Chosen]:
        """Return cases to label, drawn with known probabilities: those most likely where the judge is most often wrong.

        Args:
            n: How many, on average; of a difference half of them of either run.
            seed: Of the draw.
        """
        import numpy as np

        from lmops.calc.active import draw_items

        units = self._chances(n)
        drawn = draw_items([chance for _, chance in units], seed=seed)
        order = np.random.default_rng(seed).permutation(len(units))
        return [case for at in order if drawn[at] for case in _together(*units[at])]

    def _chances(self, n: int) -> list[tuple[_Unit, float]]:
        from lmops.calc.active import sampling_probabilities

        each = len(self._units[0].cases)
        found = sampling_probabilities([one.residual for one in self._units], max(n / each, 1e-9))
        return list(zip(self._units, map(float, found), strict=True))


def _together(unit: _Unit, chance: float) -> list[Chosen]:
    """Return what is labelled together."""
    return [
        Chosen(run_id=run_id, example_id=example, repeat=repeat, probability=chance)
        for run_id, example, repeat in unit.cases
    ]


def budget(store: Store, what: Any, *, judges: Sequence[str], spend: int, level: float, clustered: bool) -> JudgeBudget:
    """Return the error budget of a run, of several or of a comparison; see :meth:`lmops.feedback.Feedback.budget`."""
    from lmops.calc.budget import error_budget
    from lmops.calc.corrected import no_correction

    runs, is_difference = _runs_of(what)
    told = _told(store, runs)
    names = _judges(told, judges)
    if is_difference and len(names) > 1:
        raise UsageError(f"budget of a comparison: name one judge of {', '.join(names)}, as judge={names[0]!r}")
    table = _Table.read(store, runs, names)
    columns = table.paired(names[0]) if is_difference else table.columns()
    errors, notes = _errors(store, told, names, table)
    ids = sorted({example for example, _ in columns.scores})
    if not ids:
        raise UsageError(f"budget: {', '.join(names)} scored nothing of {', '.join(runs)}")
    matrix = columns.matrix(ids)
    groups = [table.clusters.get(one) or one for one in ids] if clustered and any(table.clusters.values()) else None
    is_verdict = _is_verdict(matrix, is_difference=is_difference)
    if not is_verdict:
        errors, notes = None, [_NO_BIAS.format("its scores are no verdicts")]
    found = error_budget(
        matrix,
        settings=_settings(told, columns.names),
        errors=errors,
        clusters=groups,
        spend=spend,
        level=level,
        is_difference=is_difference,
    )
    is_told = errors is not None and no_correction(errors) is None
    units = table.units(errors if is_told else None, is_difference=is_difference)
    return JudgeBudget(
        judge=", ".join(names),
        runs=runs,
        is_difference=is_difference,
        found=found,
        steps=tuple(sorted([*found.steps, *_cases(found, units, spend, is_verdict=is_verdict)], key=_se)),
        notes=tuple(notes),
        unknown=tuple(_unknown(store, found, told, names, is_difference=is_difference)),
        _units=tuple(units),
    )


def _se(step: Step) -> float:
    return step.se


def _runs_of(what: Any) -> tuple[tuple[str, ...], bool]:
    """Return the runs that are meant, and whether it is about the difference of two."""
    pair = [getattr(one, "run_id", None) for one in (getattr(what, "a", None), getattr(what, "b", None))]
    if all(isinstance(one, str) for one in pair):
        return tuple(map(str, pair)), True
    given = list(what) if isinstance(what, list | tuple) else [what]
    ids = [getattr(one, "run_id", one) for one in given]
    if not ids or not all(isinstance(one, str) for one in ids):
        raise UsageError(f"budget: give a run, several of them, or a comparison; this is {plain_line(repr(what), 60)}")
    return tuple(dict.fromkeys(ids)), False


def _told(store: Store, runs: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the scorers of each run by name, as it recorded them."""
    query = "select run_id, scorers from runs where run_id in (select unnest($runs))"
    found = dict(store.sql(query, {"runs": [*runs]}).fetchall())
    for one in runs:
        if one not in found:
            raise NotFoundError(f"there is no run {plain_line(one, 60)!r}; ws.evals.list() shows them")
    return {run_id: {one["name"]: one for one in json.loads(scorers)} for run_id, scorers in found.items()}


def _judges(told: Mapping[str, Mapping[str, Any]], asked: Sequence[str]) -> list[str]:
    """Return the judges that are meant: those that are named, else the only one of these runs.

    Raises:
        UsageError: There is none, or several.
    """
    common = [name for name in next(iter(told.values())) if all(name in scorers for scorers in told.values())]
    for name in asked:
        if name not in common:
            raise NotFoundError.of(f"scorer of {' and '.join(told)}", name, common)
    if asked:
        return list(asked)
    first = next(iter(told.values()))
    found = [name for name in common if first[name].get("kind") == "judge"]
    if len(found) != 1:
        words = f"there are several judges: {', '.join(found)}" if found else "no judge scored here"
        raise UsageError(f"budget: {words}; name what to look at, as judge='polite'")
    return found


class _Columns(NamedTuple):
    """Scores by example and column; a column is a repeat of one judge in one run."""

    names: list[tuple[str, str, int]]  # run, judge, repeat
    scores: dict[tuple[str, int], float]  # by example and place of the column

    def matrix(self, ids: Sequence[str]) -> Floats:
        import numpy as np

        found = np.full((len(ids), len(self.names)), np.nan)
        places = {one: row for row, one in enumerate(ids)}
        for (example, column), value in self.scores.items():
            found[places[example], column] = value
        return found


class _Table(NamedTuple):
    """The scores of judges in runs."""

    scores: dict[tuple[str, str, int, str], float]  # run, example, repeat, judge
    clusters: dict[str, str | None]
    runs: tuple[str, ...]

    @classmethod
    def read(cls, store: Store, runs: tuple[str, ...], judges: Sequence[str]) -> _Table:
        rows = store.sql(_SCORES, {"runs": [*runs], "judges": [*judges]}).fetchall()
        return cls(
            {(run_id, example, repeat, judge): value for run_id, example, repeat, judge, value, _ in rows},
            {row[1]: row[5] for row in rows},
            runs,
        )

    def columns(self) -> _Columns:
        names = sorted({(run_id, judge, repeat) for run_id, _, repeat, judge in self.scores})
        places = {name: place for place, name in enumerate(names)}
        values = {
            (example, places[run_id, judge, repeat]): value
            for (run_id, example, repeat, judge), value in self.scores.items()
        }
        return _Columns(names, values)

    def paired(self, judge: str) -> _Columns:
        """Return the differences a - b, a column a repeat that both have."""
        a, b = self.runs
        of_a, of_b = ({key[2] for key in self.scores if key[0] == run_id} for run_id in (a, b))
        repeats = sorted(of_a & of_b)
        values = {
            (example, repeats.index(repeat)): value - self.scores[b, example, repeat, judge]
            for (run_id, example, repeat, _), value in self.scores.items()
            if run_id == a and repeat in repeats and (b, example, repeat, judge) in self.scores
        }
        return _Columns([(a, judge, repeat) for repeat in repeats], values)

    def units(self, errors: Errors | None, *, is_difference: bool) -> list[_Unit]:
        """Return what can be labelled, with how wrong the judge is expected to be about it."""
        given: dict[tuple[str, str, int], list[float]] = defaultdict(list)
        low, high = min(self.scores.values()), max(self.scores.values())
        for (run_id, example, repeat, _), value in self.scores.items():
            given[run_id, example, repeat].append((value - low) / (high - low) if high > low else value)
        rates = {run_id: self._rate(run_id, errors) for run_id in self.runs}
        squares = {case: _doubt(values, rates[case[0]], errors) for case, values in given.items()}
        if not is_difference:
            return [_Unit((case,), math.sqrt(square)) for case, square in squares.items()]
        a, b = self.runs
        return [
            _Unit(((a, example, repeat), (b, example, repeat)), math.sqrt(square + squares[b, example, repeat]))
            for (run_id, example, repeat), square in squares.items()
            if run_id == a and (b, example, repeat) in squares
        ]

    def _rate(self, run_id: str, errors: Errors | None) -> float:
        """Return the share of passes that people would give, as far as it can be told."""
        values = [value for key, value in self.scores.items() if key[0] == run_id]
        raw = sum(values) / len(values) if values else 0.5
        if errors is None:
            return raw
        return min(1.0, max(0.0, (raw + errors.specificity - 1) / (errors.sensitivity + errors.specificity - 1)))


def _doubt(values: Sequence[float], rate: float, errors: Errors | None) -> float:
    """Return the variance of what people would say of a case, given the verdicts on it."""
    share = sum(values) / len(values)
    if errors is None:
        chance = (share * len(values) + 0.5) / (len(values) + 1)
        return chance * (1 - chance)
    missed, taken = 1 - errors.sensitivity, 1 - errors.specificity
    passed = errors.sensitivity * rate + taken * (1 - rate)
    failed = missed * rate + errors.specificity * (1 - rate)
    of_passes = errors.sensitivity * rate / passed if passed > 0 else rate
    of_fails = missed * rate / failed if failed > 0 else rate
    chance = share * of_passes + (1 - share) * of_fails
    return chance * (1 - chance)


def _errors(
    store: Store, told: Mapping[str, Mapping[str, Any]], names: Sequence[str], table: _Table
) -> tuple[Errors | None, list[str]]:
    """Return how the judge errs, and by what that is known, or why it is not."""
    versions = {(scorers[name]["version"], name) for scorers in told.values() for name in names}
    if len(versions) > 1:
        return None, [_NO_BIAS.format("there are several versions of the judge")]
    about = next(iter(told.values()))[names[0]]
    model = (about.get("options") or {}).get("model")
    record = calibration.latest(store, calibration.Judge(names[0], about["version"], model))
    if record is not None and record.is_fresh:
        return record.errors, [f"judge bias by calibration {record.number}"]
    found = _errors_by_labels(store, names[0], table)
    if found is not None:
        return found, [f"judge bias by {found.n_pass + found.n_fail:,.0f} labels on these cases"]
    why = "the judge is uncalibrated" if record is None else f"its calibration is stale: {'; '.join(record.stale)}"
    return None, [_NO_BIAS.format(why)]


def _errors_by_labels(store: Store, judge: str, table: _Table) -> Errors | None:
    from lmops.calc.corrected import Errors

    by_run = labels_of_cases(store, table.runs)
    right: dict[float, list[bool]] = {1.0: [], 0.0: []}
    for run_id, labels in by_run.items():
        cases = [(key[1], key[2]) for key in table.scores if key[0] == run_id and key[3] == judge]
        said = labels.of(judge, cases)
        if said.chances is not None:
            continue  # drawn by what the judge said: its errors look larger there than they are
        for (example, repeat), label in said.numbers.items():
            if label in right:
                right[label].append(table.scores[run_id, example, repeat, judge] == label)
    if sum(map(len, right.values())) < _ENOUGH or not all(right.values()):
        return None
    passes, fails = right[1.0], right[0.0]
    return Errors(sum(passes) / len(passes), len(passes), sum(fails) / len(fails), len(fails))


def _is_verdict(matrix: Floats, *, is_difference: bool) -> bool:
    import numpy as np

    known = matrix[~np.isnan(matrix)]
    return bool(np.isin(known, (-1.0, 0.0, 1.0) if is_difference else (0.0, 1.0)).all())


def _setting(about: Mapping[str, Any]) -> dict[str, str]:
    """Return how a judge was asked: its words, its temperature, its model."""
    options = about.get("options") or {}
    worded = {name: options.get(name) for name in ("criteria", "rubric", "few_shot")}
    return {
        "wording": json.dumps(worded, sort_keys=True),
        "temperature": str((options.get("params") or {}).get("temperature")),
        "judge model": str(options.get("model")),
    }


def _settings(
    told: Mapping[str, Mapping[str, Any]], columns: Iterable[tuple[str, str, int]]
) -> dict[str, list[object]]:
    """Return what differed between the columns; what always moved together is one, since nothing tells it apart."""
    asked = [_setting(told[run_id][judge]) for run_id, judge, _ in columns]
    moved: dict[tuple[int, ...], list[str]] = defaultdict(list)
    single: dict[str, list[object]] = {}
    for name in _setting({}):
        levels = [one[name] for one in asked]
        if len(set(levels)) > 1:
            moved[tuple(map(levels.index, levels))].append(name)
        elif name in _WAYS:
            single[name] = [*levels]
    return single | {" and ".join(together): [*places] for places, together in moved.items()}


def _unknown(
    store: Store,
    found: ErrorBudget,
    told: Mapping[str, Mapping[str, Any]],
    names: Sequence[str],
    *,
    is_difference: bool,
) -> Iterable[str]:
    """Yield what to run to know what is not known."""
    others: dict[str, str] = {}
    if len(names) == 1 and not is_difference:
        mine = _setting(next(iter(told.values()))[names[0]])
        for run_id, scorers in store.sql(_OTHERS, {"runs": [*told]}).fetchall():
            for about in json.loads(scorers):
                if about["name"] == names[0]:
                    moved = [name for name, level in _setting(about).items() if level != mine[name]]
                    others |= {name: run_id for name in moved if name not in others}
    for name, part in found.parts.items():
        if name not in _WAYS or not math.isnan(part):
            continue
        way = _WAYS[name]
        if is_difference and name != "judge noise":
            way = "of a difference it is not measured; the budget of either run tells it"
        elif name in others:
            runs = ", ".join(repr(one) for one in (*told, others[name]))
            way = f"there is one here, and another in {others[name]} on the same examples: ws.feedback.budget([{runs}])"
        yield f"{name} is not known: {way}"


def _cases(found: ErrorBudget, units: Sequence[_Unit], spend: int, *, is_verdict: bool) -> list[Step]:
    """Return what labels on these very cases would do, drawn by how unsure the judge is."""
    from lmops.calc.active import sampling_probabilities
    from lmops.calc.budget import Step

    if not units or not is_verdict or math.isnan(found.estimate):
        return []
    each = len(units[0].cases)
    chances = sampling_probabilities([one.residual for one in units], max(spend / each, 1e-9))
    left = sum(one.residual**2 * (1 / chance - 1) for one, chance in zip(units, chances.tolist(), strict=True))
    of_items = found.parts["items"] if each == 2 else found.estimate * (1 - found.estimate) / max(found.n, 1)
    se = math.sqrt(of_items + left / len(units) ** 2)
    half = f", {spend // 2} of either run" if each == 2 else ""
    return [Step("cases", spend, se, f"label {spend} of these cases{half}, drawn by how unsure the judge is")]
