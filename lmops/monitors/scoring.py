"""Scores traces of production as they come: each once by each version of a scorer, judges over a sample."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.base.loops import waited
from lmops.errors import UsageError
from lmops.monitors._score_draw import Drawn, Sampling, drawn, number_of, reached
from lmops.monitors._score_inputs import Seen, examples_of, given, seen
from lmops.monitors._score_records import Scored, ScoringReport
from lmops.monitors._score_write import TRIES, Claims, Said, enrol
from lmops.progress import Progress
from lmops.scorers import Score
from lmops.scorers.asking import Asking, InRun, Meter, asks, known_sum
from lmops.scorers.workers import Runner, State
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from lmops.datasets import Example
    from lmops.models import Models
    from lmops.records import Project
    from lmops.scorers import Scorer
    from lmops.store import Bounds, Store

_UNPRICED: Final = (
    "what judges cost is not known, so no budget can be kept: ws.models.set_price says it, or give sample= and no "
    "budget_usd"
)
#: Traces whose texts are read at once.
_AT_ONCE: Final = 1000
#: What asks no model waits for nothing but the disk.
_HANDS: Final = 64
#: What judges trace says so, and is no traffic that would be judged.
_ASKED_BY: Final = "monitors"
#: By trace: the spans that it had when it was scored for good, and the number of what was said last.
_KNOWN: Final = (
    "select trace_id, max(spans) filter (is_known), max(last) from (select trace_id, span_count as spans, "
    f"bool_or(status <> 'error') or count(*) >= {TRIES} as is_known, max(seq) as last from trace_score_history "
    "where scorer = $scorer and scorer_version = $version group by trace_id, span_count) group by trace_id"
)
_CHANCES: Final = (
    "select h.seq, c.probability from trace_score_history h join trace_score_chances c on c.seq = h.seq "
    "where h.scorer = $scorer and h.scorer_version = $version"
)
#: What a score costs: of this version, else of all of this name.
_COST: Final = (
    "select coalesce(avg(cost_usd) filter (scorer_version = $version), avg(cost_usd)) from trace_score_history "
    "where scorer = $scorer"
)

Due = tuple[Seen, "list[Scorer]"]
Work = tuple[Seen, "Example | None", "list[Scorer]"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How traces are to be scored; ``ws.monitors.score`` says what each is."""

    where: str | None
    bounds: Bounds
    sampling: Sampling
    budget_usd: float | None
    concurrency: int
    timeout_s: float | None

    def __post_init__(self) -> None:
        """Refuse what is out of range.

        Raises:
            UsageError: Something is.
        """
        for name in ("budget_usd", "timeout_s"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, int | float) and value > 0):
                raise UsageError(f"{name}={value!r}: give a number above 0, or None for no limit")
        if not isinstance(self.concurrency, int) or isinstance(self.concurrency, bool) or self.concurrency < 1:
            raise UsageError(f"concurrency={self.concurrency!r}: give a whole number, 1 or more")


def check_scorers(scorers: Sequence[Scorer], asked: Asked) -> None:
    """Refuse scorers that production has nothing for, and judges that might cost whatever they like.

    Raises:
        UsageError: There is one.
    """
    for scorer in scorers:
        name = plain_line(scorer.name, 60)
        if "expected" in scorer.needs:
            raise UsageError(
                f"scorer {name} needs an expected answer, and production has none: take one that does without, such "
                "as a judge, source_support or refusal, or put traces into a dataset and run ws.evals.run"
            )
        if asks(scorer) and asked.sampling.share is None and asked.budget_usd is None:
            raise UsageError(
                f"scorer {name} asks a model for every trace: say how much of the traffic, sample=0.05, or what it may "
                "cost, budget_usd=2"
            )


class _Part(NamedTuple):
    """What one scorer has to do."""

    scorer: Scorer
    wanted: list[Seen]
    due: list[Seen]


def score(
    project: Project, models: Models | None, scorers: Sequence[Scorer], asked: Asked, *, progress: bool, dry_run: bool
) -> ScoringReport:
    """Score what is new; see :meth:`lmops.monitors.Monitors.score`."""
    check_scorers(scorers, asked)
    store = project.store
    traces = seen(store, asked.where, asked.bounds)
    has_judges = any(map(asks, scorers))
    order = drawn(store, traces, asked.sampling, asked.bounds) if has_judges else []
    parts = [_part(store, one, [d.trace for d in order] if asks(one) else traces) for one in scorers]
    if dry_run:
        found = [_planned(store, part) for part in parts]
        report = _report(asked, found, len(traces), len(order) if has_judges else None, "planned", None)
        return replace(report, notes=(*report.notes, *_unknown_costs(parts, found)))
    enrol(project, scorers, seed=asked.sampling.seed)
    scoring = _Scoring(project, models, asked, parts, order)
    status, error = scoring.run(progress=progress)
    return _report(asked, scoring.found(), len(traces), len(order) if has_judges else None, status, error)


def _part(store: Store, scorer: Scorer, wanted: list[Seen]) -> _Part:
    """Return what a scorer has to do: what it has not scored, or not as it is now."""
    known = {row[0]: row[1] for row in store.sql(_KNOWN, _of(scorer)).fetchall() if row[1] is not None}
    return _Part(scorer, wanted, [one for one in wanted if known.get(one.trace_id, -1) < one.span_count])


def _of(scorer: Scorer) -> dict[str, str]:
    return {"scorer": scorer.name, "version": scorer.version}


def _planned(store: Store, part: _Part) -> Scored:
    """Return what a scorer would do, and what that would cost by what its scores have cost so far."""
    ((mean,),) = store.sql(_COST, _of(part.scorer)).fetchall()
    expected = None if mean is None or not asks(part.scorer) else mean * len(part.due)
    return replace(_scored(part), left=len(part.due), expected_usd=expected)


def _scored(part: _Part) -> Scored:
    return Scored(
        scorer=part.scorer.name,
        version=part.scorer.version,
        kind=part.scorer.kind,
        wanted=len(part.wanted),
        known=len(part.wanted) - len(part.due),
    )


def _unknown_costs(parts: Sequence[_Part], found: Sequence[Scored]) -> Iterator[str]:
    for part, one in zip(parts, found, strict=True):
        if asks(part.scorer) and one.left and one.expected_usd is None:
            yield f"what {plain_line(one.scorer, 60)} costs is not known yet: a call with a small budget_usd shows it"


def _report(
    asked: Asked, found: Iterable[Scored], traces: int, sampled: int | None, status: Any, error: str | None
) -> ScoringReport:
    found = tuple(found)
    notes = []
    if sampled is None and (asked.sampling.share is not None or asked.sampling.more):
        notes.append("no scorer asks a model, so all traces are scored and none is drawn")
    if not traces:
        notes.append("no trace of production is in this range")
    return ScoringReport(
        scorers=found,
        traces=traces,
        drawn=sampled,
        status=status,
        error=error,
        cost_usd=known_sum(one.cost_usd for one in found),
        notes=tuple(notes),
    )


class _Maker:
    """Turns a trace into what its scorers say of it."""

    def __init__(
        self, scorers: Sequence[Scorer], models: Models | None, timeout_s: float | None, seed: int | None
    ) -> None:
        self._seed = seed
        self._asking = Asking(scorers, models=models, timeout_s=timeout_s)
        self._run = InRun(_ASKED_BY)

    def close(self) -> None:
        """Let the threads of slow scorers end."""
        self._asking.close()

    def _number(self, trace: Seen) -> float | None:
        return None if self._seed is None else number_of(trace.trace_id, self._seed)

    async def row(self, trace: Seen, example: Example | None, scorers: Sequence[Scorer]) -> tuple[Any, str | None]:
        """Return the row of a trace, and the kind of outage that left it without a score, if one did."""
        self._run.enter()
        said, outage, error = [], None, None
        for scorer in scorers:
            meter = Meter()
            if example is None:
                found = Score.unmeasured("no span of the trace has an input", name=scorer.name)
            else:
                found = await self._asking.score(scorer, given(trace, example, self._asking.calls(meter)))
            if meter.outage is not None and found.status == "error":  # no fault of the trace: it is still to be scored
                outage, error = meter.outage.kind, found.reason
                continue
            said.append(Said(scorer, found, meter.cost_usd, self._number(trace)))
            error = found.reason if found.status == "error" else error
        row = {
            "status": "ok" if error is None else "error",
            "error": error,
            "cost_usd": None,
            "scoring_cost_usd": known_sum(one.cost_usd for one in said),
            "trace": trace,
            "said": said,
        }
        return row, outage


class _Scoring:
    """One call: what asks no model over all traces, then judges over what was drawn."""

    def __init__(
        self, project: Project, models: Models | None, asked: Asked, parts: Sequence[_Part], order: Sequence[Drawn]
    ) -> None:
        self._project = project
        self._store = project.store
        self._models = models
        self._asked = asked
        self._parts = parts
        self._order = order
        self._claims = Claims(project, [part.scorer for part in parts])
        self._unpriced = 0

    def found(self) -> Iterator[Scored]:
        """Yield what each scorer did."""
        for part in self._parts:
            counts = self._claims.kept[part.scorer.name]
            yield replace(
                _scored(part),
                values=counts["value"],
                unmeasured=counts["unmeasured"],
                failed=counts["error"],
                left=len(part.due) - counts.total(),  # also what others score or have scored meanwhile
                cost_usd=self._claims.paid[part.scorer.name],
            )

    def run(self, *, progress: bool) -> tuple[str, str | None]:
        """Score, and return how it ended and why; an interrupt keeps what is finished."""
        plain = self._due(asking=False)
        dear = self._due(asking=True)
        state = State(total=len(plain) + len(dear), done=0, cost_usd=None)
        bar = Progress(
            "score", state.total, unit="traces", resumed_by="the same call", show=None if progress else _nothing
        )
        try:
            with bar:
                found = waited(
                    lambda: self._work(plain, dear, state),
                    name="lmops-score",
                    tick=lambda: bar.update(state.done, note=state.note()),
                )
                if state.total:
                    bar.update(state.done, note=state.note())
                bar.close(state.note())
        finally:
            self._claims.release()
            self._settle()
        return found

    def _due(self, *, asking: bool) -> list[Due]:
        """Return the traces that are due, in the order in which they are scored, with what is to score them."""
        parts = [part for part in self._parts if asks(part.scorer) == asking]
        by_trace: dict[Seen, list[Scorer]] = {}
        for part in parts:
            for trace in part.due:
                by_trace.setdefault(trace, []).append(part.scorer)
        places = {one.trace: place for place, one in enumerate(self._order)}
        return sorted(by_trace.items(), key=lambda due: places.get(due[0], 0))

    async def _work(self, plain: list[Due], dear: list[Due], state: State) -> tuple[str, str | None]:
        if plain:
            await self._runner(self._read(plain), state, asking=False).run()
        if not dear:
            return "finished", None
        before = state.done
        runner = self._runner(self._claimed(self._read(dear)), state, asking=True)
        await runner.run()
        status, error = runner.end(len(dear) - (state.done - before))
        return "failed" if error == _UNPRICED else status, None if error is None else error.replace("case", "trace")

    def _runner(self, work: Iterator[Work], state: State, *, asking: bool) -> Runner:
        scorers = [part.scorer for part in self._parts if asks(part.scorer) == asking]
        return Runner(
            self._claims,
            _Maker(scorers, self._models, self._asked.timeout_s, self._asked.sampling.seed if asking else None),
            work,
            state,
            concurrency=self._asked.concurrency if asking else _HANDS,
            budget_usd=self._asked.budget_usd if asking else None,
            owns_loop=True,
            watch=self._watch if asking and self._asked.budget_usd is not None else None,
            goes_on="score again",
        )

    def _read(self, due: Sequence[Due]) -> Iterator[Work]:
        """Yield traces with what was asked and answered in them; what is gone meanwhile is left out."""
        for at in range(0, len(due), _AT_ONCE):
            part = due[at : at + _AT_ONCE]
            examples = examples_of(self._store, [trace for trace, _ in part])
            for trace, scorers in part:
                if trace.trace_id in examples:
                    yield trace, examples[trace.trace_id], scorers

    def _claimed(self, work: Iterator[Work]) -> Iterator[Work]:
        """Yield what nobody else scores, claimed a little ahead."""
        while part := list(islice(work, 2 * self._asked.concurrency)):
            mine = dict(self._claims.take([(trace, scorers) for trace, _, scorers in part]))
            yield from ((trace, example, mine[trace]) for trace, example, _ in part if trace in mine)

    def _watch(self, row: dict[str, Any]) -> str | None:
        """Return why a trace that was judged ends the call: a budget is no limit where nothing has a price."""
        self._unpriced += any(one.score.is_value and one.cost_usd is None for one in row["said"])
        is_lost = self._unpriced >= self._asked.concurrency and not any(self._claims.paid.values())
        return _UNPRICED if is_lost else None

    def _settle(self) -> None:
        """Write down the chances with which the judged traces were drawn, as far as this draw and others came."""
        for part in self._parts:
            if not asks(part.scorer):
                continue
            numbers = {row[0]: row[2] for row in self._store.sql(_KNOWN, _of(part.scorer)).fetchall()}
            before = dict(self._store.sql(_CHANCES, _of(part.scorer)).fetchall())
            chances = {numbers[one]: chance for one, chance in reached(self._order, numbers).items()}
            self._claims.settle({seq: one for seq, one in chances.items() if before.get(seq, 0.0) < one})


def _nothing(_text: str, _fraction: float | None, **_: bool) -> None:
    return
