"""The comparison of two runs as an object: frames for a program, text and static HTML for a reader."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from lmops import charts
from lmops.base.sheet import BAD, aligned, html_table
from lmops.base.shown import Viewed
from lmops.base.units import share
from lmops.errors import NotFoundError, UsageError, did_you_mean
from lmops.evals._calibrated import notes_on
from lmops.evals._corrected_pairs import corrected_differences
from lmops.evals._differences import (
    Difference,
    adjusted,
    common_scorers,
    differences,
    gone,
    has_looked,
    newly_answered,
    sides,
    slice_rows,
)
from lmops.evals._matrix import MEASURES
from lmops.evals._runs import side_by_side, states
from lmops.evals.summaries import interval_words, number, scale
from lmops.text import escape, plain_line

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import pandas as pd
    import plotly.graph_objects as go

    from lmops.evals._recorded import Recorded
    from lmops.evals._runs import Run, RunState
    from lmops.store import Store

_OF_PEOPLE: Final = "corrected"
_HEAD: Final = (
    "scorer",
    "a (pairs)",
    "b (pairs)",
    "a - b",
    "interval",
    "p",
    "flips",
    "n",
    "coverage",
    "verdict",
    _OF_PEOPLE,
    "why",
)
#: So many examples are named where some have a score on one side only.
_NAMED: Final = 5


class Comparison(Viewed):
    """Run a against run b: ``.df()``, ``.slices()``, ``.cases()``, ``.text``; ``comparison["exact_match"].outcome``.

    Args:
        store: Where the cases are.
        a: The run that is judged.
        b: What it is compared with.
        found: One difference per scorer, then one per measure.
        sliced: The same for each slice.
        notes: What a reader has to know.
        alpha: Probability of a false alarm.
    """

    def __init__(
        self,
        store: Store,
        a: Run,
        b: Run,
        *,
        found: Sequence[Difference],
        sliced: Sequence[Difference],
        notes: Sequence[str],
        alpha: float,
    ) -> None:
        self._store = store
        self.a = a
        self.b = b
        self.differences = tuple(found)
        self.slice_differences = tuple(sliced)
        self.notes = tuple(notes)
        self.alpha = alpha

    def __getitem__(self, name: str) -> Difference:
        """Return the difference of one scorer or measure."""
        for one in self.differences:
            if one.name == name:
                return one
        raise NotFoundError.of("scorer of this comparison", name, [one.name for one in self.differences])

    @property
    def scorers(self) -> tuple[Difference, ...]:
        """The differences of the scorers, without the measures."""
        return tuple(one for one in self.differences if one.kind == "scorer")

    @property
    def alone(self) -> tuple[str, ...]:
        """What has a score on one side only, one sentence per scorer that has such examples: they are no pairs."""
        return tuple(_alone(self.scorers))

    def df(self) -> pd.DataFrame:
        """Return one row per scorer and measure, with the fields of :class:`Difference`."""
        return _frame(self.differences)

    def slices(self) -> pd.DataFrame:
        """Return one row per slice and scorer, with p-values adjusted for all of them."""
        return _frame(self.slice_differences)

    def cases(self, scorer: str | None = None) -> pd.DataFrame:
        """Return one row per example and scorer, the worst first.

        What has a score on one side only stands on top, first what a lacks: nobody knows how bad it is. Then comes the
        largest loss of a.

        Args:
            scorer: Only this one.

        Returns:
            Columns example_id, scorer, a, b (means over repeats; missing where there is no score), change (turned so
            that negative is a loss), flip (missing in a, missing in b, gained, lost or empty), output_a, output_b (of
            the first repeat), rationale_a, rationale_b, trace_id_a, trace_id_b.
        """
        if scorer is not None:
            self[scorer]
        found = self._store.sql(_CASES, {"a": self.a.run_id, "b": self.b.run_id, "scorer": scorer}).df()
        directions = {one.name: 1.0 if one.higher_is_better else -1.0 for one in self.scorers}
        found = found[found["scorer"].isin(list(directions))]
        found["change"] = (found["a"] - found["b"]) * found["scorer"].map(directions)
        found["_place"] = found["flip"].map({"missing in a": 0, "missing in b": 1}).fillna(2)
        made: pd.DataFrame = found.sort_values(["_place", "change", "example_id", "scorer"], ignore_index=True)
        return made.drop(columns="_place")

    # -- for a reader ----------------------------------------------------------------------------------------------

    @property
    def explorer(self) -> Any:
        """The :attr:`view`, the eval explorer of the two runs: ``.selected``, ``.selected_ids``, ``.df()``, ``.where``.

        Raises:
            UsageError: The comparison was not made through a workspace.
        """
        return self.view

    def plot(self, kind: Literal["difference", "scores", "cost"] = "difference") -> go.Figure:
        """Return a figure: the paired differences, the scores of both runs, or their quality against cost.

        Args:
            kind: "difference", "scores" or "cost"; each with intervals.

        Raises:
            UsageError: Another kind.
        """
        if kind == "difference":
            return charts.differences(self.df())
        both = {"scores": charts.scores, "cost": charts.quality_and_cost}
        if kind not in both:
            raise UsageError(did_you_mean("figure of a comparison", str(kind), ["difference", *both]))
        return both[kind](side_by_side(states(self._store, [self.b, self.a]), level=1 - self.alpha))

    def __repr__(self) -> str:
        words = ", ".join(
            f"{one.name} {one.outcome}{f' (corrected: {one.corrected_outcome})' if one.corrected_outcome else ''}"
            f"{' (exploratory)' * one.is_exploratory}"
            for one in self.scorers
        )
        return f"<Comparison {self.a.run_id} against {self.b.run_id}: {words}>"

    @property
    def text(self) -> str:
        """The comparison as text."""
        lines = [f"a: {_named(self.a)}", f"b: {_named(self.b)}", *(f"note: {note}" for note in self.notes)]
        lines.append("")
        lines += aligned(_table(self.differences))
        if self.slice_differences:
            shown = [one for one in self.slice_differences if one.kind == "scorer"]
            lines += ["", "slices (p adjusted)", *aligned(_table(shown))]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        head = f"<div><b>a</b> {escape(_named(self.a))}<br><b>b</b> {escape(_named(self.b))}</div>"
        alone = set(self.alone)
        notes = "".join(
            f'<div style="{BAD}">! {escape(note)}</div>' if note in alone else f"<div>{escape(note)}</div>"
            for note in self.notes
        )
        heads, *rows = _table(self.differences)
        body = html_table(heads, rows)
        heads, *sliced = _table([one for one in self.slice_differences if one.kind == "scorer"])
        more = f"<div>slices (p adjusted)</div>{html_table(heads, sliced)}" if sliced else ""
        return f"<div>{head}{notes}{body}{more}</div>"


_CASES: Final = """
with s as (
  select run_id, example_id, scorer, avg(value) as value, any_value(rationale) as rationale
  from scores where run_id in ($a, $b) and ($scorer is null or scorer = $scorer) group by all
), r as (
  select run_id, example_id, arg_min(output, repeat) as output, arg_min(trace_id, repeat) as trace_id
  from results where run_id in ($a, $b) group by all
)
select k.example_id, k.scorer, one.value as a, two.value as b,
  case when one.value is null then 'missing in a' when two.value is null then 'missing in b'
    when one.value >= 0.5 and two.value < 0.5 then 'gained' when one.value < 0.5 and two.value >= 0.5 then 'lost'
    else '' end as flip,
  ra.output as output_a, rb.output as output_b, one.rationale as rationale_a, two.rationale as rationale_b,
  ra.trace_id as trace_id_a, rb.trace_id as trace_id_b
from (select distinct example_id, scorer from s) k
join r ra on ra.run_id = $a and ra.example_id = k.example_id
join r rb on rb.run_id = $b and rb.example_id = k.example_id
left join s one on one.run_id = $a and one.example_id = k.example_id and one.scorer = k.scorer
left join s two on two.run_id = $b and two.example_id = k.example_id and two.scorer = k.scorer
where one.value is not null or two.value is not null
"""


def compare(
    store: Store,
    datasets: Any,
    one: RunState,
    two: RunState,
    *,
    same: Sequence[str],
    scorers: Sequence[str] | None,
    margin: Any,
    decide: Sequence[str] | None = None,
    slices: Sequence[str],
    alpha: float,
    correction: str,
    clustered: bool,
    allow_unmatched: bool,
    allow_changed: bool,
    seed: int,
) -> Comparison:
    """Return the comparison of two runs, of which nothing more is read.

    Raises:
        UsageError: They cannot be compared, or an argument is out of range.
        NotFoundError: A scorer or a slice that is not there.
    """
    _check_asked(alpha, correction)
    names = [scorers] if isinstance(scorers, str) else scorers
    a, b = one.run, two.run
    chosen = common_scorers(a, b, names, allow_changed=allow_changed)
    found, notes = sides(one, two, allow_unmatched=allow_unmatched, allow_changed=allow_changed)
    if found.clusters is not None and not clustered:
        found = found._replace(clusters=None)
        notes = [*notes, "examples count as independent, although they have clusters (clustered=False)"]
    _check_margins(margin, a)

    def margins(name: str) -> float | None:
        return _margin(margin, name, chosen)

    scales = {name: scale(about.get("range")) for name, about in chosen.items()}
    is_same = {name: a.scorers[name]["version"] == b.scorers[name]["version"] for name in chosen}

    def measured(rows: Any = None, name: str = "") -> list[Difference]:
        made = differences(found, chosen, margins=margins, alpha=alpha, rows=rows, name=name, seed=seed)
        known = (one.judged, two.judged)
        return corrected_differences(made, found, known, scales=scales, is_same=is_same, rows=rows)

    deciding = _deciding(decide, margin, chosen)
    over_all = adjusted(measured(), "holm", alpha, decide=deciding, of=f"{len(deciding)} scorers")
    notes = [*notes, *_looks(a, b), *same, *_notes_on_scorers(over_all, deciding, chosen)]
    asked = [slices] if isinstance(slices, str) else slices
    parts = slice_rows(datasets.get(a.dataset).examples, found.ids, asked) if asked else {}
    sliced = [made for name, rows in parts.items() for made in measured(rows, name) if made.kind == "scorer"]
    sliced = adjusted(sliced, correction, alpha, decide=chosen, of="the number of slices")
    return Comparison(store, a, b, found=over_all, sliced=sliced, notes=notes, alpha=alpha)


def _notes_on_scorers(made: Sequence[Difference], deciding: Sequence[str], chosen: Collection[str]) -> list[str]:
    """Return what a reader has to know of the scores: who has one side only, what judges are worth, who decides."""
    notes = [*_alone(made), *notes_on([(one.name, one.calibration) for one in made])]
    if len(deciding) < len(chosen):
        notes.append(f"{', '.join(deciding)} decide; the other scorers are exploratory: one look of many")
    return notes


def _check_asked(alpha: float, correction: str) -> None:
    if not 0 < alpha < 0.5:
        raise UsageError(f"alpha={alpha!r}: give a probability of a false alarm, such as 0.05")
    if correction not in ("holm", "bh", "none"):
        raise UsageError(f"correction={correction!r}: give 'holm', 'bh' or 'none'")


def _looks(*runs: Run) -> list[str]:
    """Return what the intervals of runs that could have stopped early do not count."""
    return [
        f"{run.run_id} was looked at while it ran: intervals and p-values here do not count that, its gate does"
        for run in runs
        if has_looked(run)
    ]


def _check_margins(margin: Any, run: Run) -> None:
    for name in margin if isinstance(margin, Mapping) else ():
        if name not in run.scorers and name not in MEASURES:
            raise NotFoundError.of(f"scorer of {run.run_id} to give a margin to", name, [*run.scorers, *MEASURES])


def _deciding(decide: Sequence[str] | None, margin: Any, chosen: Mapping[str, Any]) -> list[str]:
    """Return the scorers whose outcomes count: those that are named, else those with a margin of their own, else all.

    Raises:
        NotFoundError: One that is not compared.
    """
    named = [decide] if isinstance(decide, str) else decide
    if named is None:
        with_margin = [name for name in chosen if isinstance(margin, Mapping) and name in margin]
        return with_margin or list(chosen)
    for name in named:
        if name not in chosen:
            raise NotFoundError.of("scorer of this comparison", name, chosen)
    if not named:
        raise UsageError("decide=[]: name the scorers whose outcome counts, or leave it out for all")
    return list(named)


def _alone(found: Sequence[Difference]) -> list[str]:
    """Return a note on each scorer of which examples have a score on one side only."""
    return [note for one in found if one.kind == "scorer" and (note := _one_sided(one))]


def _one_sided(one: Difference) -> str:
    """Return what has a score on one side only, by name; empty where nothing has."""
    sides = (
        (newly_answered(len(one.missing_b), one.failing_alone), one.missing_b),
        (gone(len(one.missing_a)), one.missing_a),
    )
    said = [f"{words} ({', '.join(ids[:_NAMED])}{', ...' * (len(ids) > _NAMED)})" for words, ids in sides if ids]
    return f"{one.name}: {'; '.join(said)}: they are no pairs, and in none of the means" if said else ""


def sameness(store: Store, a: Recorded, b: Recorded) -> list[str]:
    """Return notes when two runs are of one version or gave the same outputs: a comparison then shows no change."""
    found = []
    alike = (a.prompt_hash, a.model, a.params) == (b.prompt_hash, b.model, b.params)
    if a.prompt_hash is not None and alike:
        found.append(f"both runs are of the same version, {a.prompt_ref} on {a.model}: what differs is chance")
    other, total = store.sql(_DIFFERING, {"a": a.run_id, "b": b.run_id}).fetchall()[0]
    if total and not other:
        found.append(f"all {total:,} outputs of the two runs are the same: nothing changed between them")
    return found


_DIFFERING: Final = """
select count(*) filter (one.output is distinct from two.output), count(*)
from results one join results two on one.example_id = two.example_id and one.repeat = two.repeat
where one.run_id = $a and two.run_id = $b and one.status = 'ok' and two.status = 'ok'
  and coalesce(one.output, two.output) is not null -- scores alone say nothing of the answers
"""


def _margin(margin: float | Mapping[str, float] | None, name: str, chosen: Mapping[str, Any]) -> float | None:
    """Return the acceptable loss of one scorer; a plain number is for every scorer, and for no measure."""
    if margin is None:
        return None
    if isinstance(margin, int | float):
        value: float | None = float(margin) if name in chosen else None
    else:
        value = margin.get(name)
    if value is not None and not (value >= 0 and math.isfinite(value)):
        raise UsageError(f"margin of {name}: {value!r}; give the largest acceptable loss, 0 or more")
    return value


def _frame(found: Sequence[Difference]) -> pd.DataFrame:
    from lmops.base.frames import Frame

    names = [field.name for field in dataclasses.fields(Difference)]
    return Frame([[getattr(one, name) for name in names] for one in found], columns=names)


def _named(run: Run) -> str:
    prompt = f" {run.prompt_ref}" if run.prompt_ref else ""
    model = f" on {run.model}" if run.model else ""
    return f"{run.run_id} {plain_line(run.name, 60)}{prompt}{model}, {run.dataset}"


def _table(found: Sequence[Difference]) -> list[tuple[str, ...]]:
    """Return the headings and the rows; what people would find has its column where a judge scored."""
    rows = [_HEAD, *map(_row, found)]
    if any(one.calibration for one in found):
        return rows
    place = _HEAD.index(_OF_PEOPLE)
    return [(*row[:place], *row[place + 1 :]) for row in rows]


def _row(one: Difference) -> tuple[str, ...]:
    name = f"{one.name} [{one.slice}]" if one.slice else one.name
    flips = "" if one.gained is None else f"+{one.gained} -{one.lost}"
    p_value = number(one.p_value)
    if not math.isnan(one.p_adjusted) and one.p_adjusted != one.p_value:
        p_value = f"{p_value} ({number(one.p_adjusted)})"
    why = f"exploratory: {one.reason}" if one.is_exploratory and one.kind == "scorer" else one.reason
    if one.outcome in ("inconclusive", "non_inferior") and not math.isnan(one.minimum_detectable_effect):
        why += f"; could have found {number(one.minimum_detectable_effect)}"
    if one.n_needed:
        why += f"; about {one.n_needed:,} examples would decide"
    if one.coverage < 1 and not math.isnan(one.worst):
        why += f"; {number(one.worst)} to {number(one.best)} with what is missing"
    if one.missing_a or one.missing_b:
        why += f"; over all its examples a has {number(one.overall_a)}, b {number(one.overall_b)}"
    if one.calibration:
        why += f"; {plain_line(_corrected_words(one), 300)}"
    return (
        plain_line(name, 80),
        number(one.mean_a),
        number(one.mean_b),
        f"{one.difference:+.4g}",
        f"{number(one.low)} to {number(one.high)}",
        p_value,
        flips,
        f"{one.n:,}",
        share(one.coverage),
        one.outcome.replace("_", "-"),
        interval_words(one.corrected, one.corrected_low, one.corrected_high) if one.calibration else "",
        why,
    )


def _corrected_words(one: Difference) -> str:
    """Return what people would find where a judge found this, or why that is not known."""
    if not one.corrected_outcome:
        return f"not corrected: {one.correction}"
    return f"corrected {one.correction}: {one.corrected_outcome.replace('_', '-')}"
