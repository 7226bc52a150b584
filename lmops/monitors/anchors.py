"""Has the judge moved? Answers that stay the same are shown to it again and again, and held against what it said first.

The verdicts of the first time are kept. Asked at once again, a judge says how often it flips by itself: that is the
baseline of a monitor whose items are verdicts, "differs from the one that is kept". What it is shown is always the
same, so that more differences are the judge's, or its model's.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.base.loops import waited
from lmops.base.shown import Shown
from lmops.datasets import Datasets
from lmops.errors import LmopsError, NotFoundError, UsageError
from lmops.judges import Judges, JudgeVersion, meant
from lmops.scorers import ScoreInput, Scorer, asking
from lmops.scorers.asking import InRun, Meter
from lmops.scorers.workers import Runner, State
from lmops.store import Process, is_alive, this_process
from lmops.text import plain_line
from lmops.traces import seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from lmops.datasets import Example
    from lmops.models import Models
    from lmops.monitors._records import Monitor
    from lmops.records import Project

#: The view whose rows a monitor of anchors watches.
VIEW: Final = "anchor_verdicts"
#: Verdicts that a baseline needs, beside those that are kept; and the fewest answers.
_LEAST: Final = 50
FEWEST: Final = 10
_ASKED_BY: Final = "anchors"
_CONCURRENCY: Final = 8
_US: Final = 1_000
_KEY: Final = ("judge", "version")
_CLAIM: Final = "insert or replace into anchor_claims values (?, ?, ?, ?, ?, ?)"
_NEWEST: Final = "select max(sweep), max(start_ns) from anchor_verdicts where judge = ? and version = ?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor(Shown):
    """The answers that a version of a judge is shown again and again.

    Args:
        judge: Name of the judge.
        version: Of it.
        judge_version: That of its scorer.
        dataset: Whose answers, name@version.
        items: How many it gave a verdict on.
        repeats: How often it was asked at once.
        every_s: It is asked again when so many seconds have passed.
        budget_usd: What that may cost each time; None: no limit.
        differs: Share of verdicts at once that differed from the first.
        cost_usd: What choosing them cost; None: not known, or nothing.
        monitor: The monitor that watches them.
        author: Who chose them.
    """

    judge: str
    version: int
    judge_version: str
    dataset: str
    items: int
    repeats: int
    every_s: float
    budget_usd: float | None
    differs: float | None
    cost_usd: float | None
    monitor: str
    author: str

    @property
    def ref(self) -> str:
        """The version of the judge."""
        return f"{self.judge}@{self.version}"


class Verdict(NamedTuple):
    """What a judge said of one answer."""

    sweep: int
    example_id: str
    score: float
    cost_usd: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How a judge is asked; ``ws.monitors.anchor`` says what each is."""

    repeats: int
    every: str
    budget_usd: float | None

    def __post_init__(self) -> None:
        """Refuse what is out of range.

        Raises:
            UsageError: Something is.
        """
        if self.repeats < 2:
            raise UsageError(
                f"repeats={self.repeats!r}: ask a judge twice at least, so that it is known how often it flips"
            )
        if self.budget_usd is not None and not self.budget_usd > 0:
            raise UsageError(f"budget_usd={self.budget_usd!r}: give a number above 0, or None for no limit")
        seconds(self.every)


class Told(NamedTuple):
    """What came of asking a judge: its verdicts, and why there are not more."""

    verdicts: list[Verdict]
    error: str | None


# -- choosing ----------------------------------------------------------------------------------------------------------


def judge_of(project: Project, wanted: Any) -> JudgeVersion:
    """Return the version of a judge that is meant; one that is not in the store is saved: it will be asked again.

    Raises:
        NotFoundError: There is no such judge.
        UsageError: It is no judge of a prompt.
    """
    if isinstance(wanted, JudgeVersion):
        return wanted
    judges = Judges(project)
    if isinstance(wanted, str):
        return judges.get(wanted.removeprefix("judge:"))
    found = meant(project, wanted)
    if not isinstance(found, Scorer):
        raise UsageError(f"judge={wanted!r:.80}: give 'judge:polite@production', or a judge of lmops.scorers.judge")
    return judges.save(found)


def choose(
    project: Project,
    models: Models | None,
    judge: JudgeVersion,
    dataset: tuple[str, Sequence[Example]],
    asked: Asking,
) -> None:
    """Keep what a judge says of answers, unless it is kept already; see :meth:`lmops.monitors.Monitors.anchor`."""
    ref, examples = dataset
    answers = [one for one in examples if one.output is not None]
    if len(answers) < FEWEST:
        raise UsageError(
            f"{plain_line(ref, 80)} has {len(answers)} examples with an answer (output), and {FEWEST} are needed: "
            "ws.datasets.add_traces puts answers of production into a dataset"
        )
    times = max(asked.repeats, -(-_LEAST // len(answers)) + 1)
    budget_usd = None if asked.budget_usd is None else asked.budget_usd * times
    told = _ask(models, judge.scorer, answers, range(times), budget_usd)
    kept = {one.example_id: one.score for one in told.verdicts if one.sweep == 0}
    if told.error is not None or len(kept) < FEWEST:
        why = told.error or f"it gave a verdict on {len(kept)} of {len(answers)} answers"
        raise UsageError(f"{judge.ref} cannot be anchored, and nothing is kept: {plain_line(why, 300)}")
    with project.change() as change:
        if change.store.record(change.con, "judge_anchors", judge.name, judge.version) is not None:
            return  # somebody else was faster, and theirs count
        change.insert(
            "judge_anchors",
            {
                **dict(zip(_KEY, (judge.name, judge.version), strict=True)),
                "judge_version": judge.judge_version,
                "dataset": ref,
                "items": len(kept),
                "repeats": times,
                "every_s": seconds(asked.every),
                "budget_usd": asked.budget_usd,
                "author": change.actor,
                "created_ns": change.at_ns,
            },
        )
        for row in _rows(judge, told.verdicts, kept, change.at_ns):
            change.insert("anchor_verdicts", row)
        change.say("judge.anchor", judge.ref, after={"dataset": ref, "items": len(kept), "repeats": times})


def anchor_of(project: Project, judge: JudgeVersion, monitor: str) -> Anchor | None:
    """Return the anchors of a version of a judge, None where it has none."""
    with project.reading() as con:
        row = project.store.record(con, "judge_anchors", judge.name, judge.version)
    if row is None:
        return None
    query = (
        "select avg(differs) filter (sweep < $repeats), sum(cost_usd) filter (sweep < $repeats) from anchor_verdicts "
        "where judge = $judge and version = $version"
    )
    asked = {"judge": judge.name, "version": judge.version, "repeats": row["repeats"]}
    differs, cost = project.store.sql(query, asked).fetchall()[0]
    told = {name: value for name, value in dict(row).items() if name != "created_ns"}
    return Anchor(**told, differs=differs, cost_usd=cost, monitor=monitor)


def _rows(
    judge: JudgeVersion, verdicts: Iterable[Verdict], kept: Mapping[str, float], at_ns: int
) -> Iterator[dict[str, Any]]:
    """Yield verdicts as they are kept; of an answer without a first one there is none to be held against."""
    low, high = judge.range or (0.0, 1.0)  # of pass or fail there is none
    for one in verdicts:
        if one.example_id not in kept:
            continue
        first = kept[one.example_id]
        yield {
            "judge": judge.name,
            "version": judge.version,
            **one._asdict(),
            "kept": first,
            "differs": min(abs(one.score - first) / (high - low), 1.0) if one.sweep else None,
            "start_ns": at_ns // _US * _US,
        }


# -- asking again ------------------------------------------------------------------------------------------------------


def rejudge(project: Project, models: Models | None, monitors: Iterable[Monitor], *, now_ns: int) -> list[str]:
    """Ask the judges again whose anchors some monitors watch, where it is time; return what is to be said of it.

    Of several processes one asks. What a judge cannot be asked is said, and hinders nothing else.

    Args:
        project: Where they are.
        models: What judges ask.
        monitors: Those that look.
        now_ns: The time as of which they look.
    """
    notes = []
    for monitor in monitors:
        if monitor.watched.view != VIEW:
            continue
        ref = str(monitor.metric).removeprefix("anchor.")
        try:
            notes += _asked_again(project, models, ref, now_ns)
        except LmopsError as error:
            notes.append(f"the judge {plain_line(ref, 80)} cannot be asked again: {plain_line(str(error), 300)}")
    return notes


def _asked_again(project: Project, models: Models | None, ref: str, now_ns: int) -> list[str]:
    judge = Judges(project).get(ref)
    with project.reading() as con:
        anchor = project.store.record(con, "judge_anchors", judge.name, judge.version)
        newest, last_ns = con.execute(_NEWEST, (judge.name, judge.version)).fetchone()
    if anchor is None:
        raise NotFoundError(f"{judge.ref} has no anchors: ws.monitors.anchor('judge:{judge.ref}', 'golden')")
    if now_ns - last_ns < anchor["every_s"] * 1e9 or not _claimed(project, judge):
        return []
    try:
        kept = _kept(project, judge)
        examples = [one for one in _examples(project, anchor["dataset"]) if one.example_id in kept]
        asked = _ask(models, judge.scorer, examples, [newest + 1], anchor["budget_usd"])
        if asked.verdicts:
            with project.change() as change:
                if change.con.execute(_NEWEST, (judge.name, judge.version)).fetchone()[0] != newest:
                    return []  # another process has asked meanwhile
                rows = list(_rows(judge, asked.verdicts, kept, now_ns - _US))
                for row in rows:
                    change.insert("anchor_verdicts", row)
                moved = sum(row["differs"] > 0 for row in rows)
                change.say("judge.rejudge", judge.ref, after={"sweep": newest + 1, "n": len(rows), "differ": moved})
    finally:
        _release(project, judge)
    if asked.error is None:
        return []
    return [f"the judge {judge.ref} was asked for {len(asked.verdicts)} of {len(kept)} anchors: {asked.error}"]


def _examples(project: Project, ref: str) -> Sequence[Example]:
    return Datasets(project).get(ref).examples


def _kept(project: Project, judge: JudgeVersion) -> dict[str, float]:
    query = "select example_id, kept from anchor_verdicts where judge = $judge and version = $version and sweep = 0"
    return dict(project.store.sql(query, {"judge": judge.name, "version": judge.version}).fetchall())


def _claimed(project: Project, judge: JudgeVersion) -> bool:
    """Return whether this process may ask: nobody who is alive does."""
    now_ns = time.time_ns()
    with project.store.transaction(durable=False) as con:
        query = "select pid, pid_started, host, heartbeat_ns from anchor_claims where judge = ? and version = ?"
        row = con.execute(query, (judge.name, judge.version)).fetchone()
        if row is not None and is_alive(Process(row[0], row[1], row[2]), heartbeat_ns=row[3], now_ns=now_ns):
            return False
        con.execute(_CLAIM, (judge.name, judge.version, *this_process(), now_ns))
    return True


def _release(project: Project, judge: JudgeVersion) -> None:
    with project.store.transaction(durable=False) as con:
        con.execute("delete from anchor_claims where judge = ? and version = ?", (judge.name, judge.version))


class _Kept:
    """Takes what is finished."""

    def __init__(self) -> None:
        self.rows: list[Mapping[str, Any]] = []

    def write(self, rows: Sequence[Mapping[str, Any]], *, wait: bool = True) -> None:
        """Keep rows."""
        del wait  # nobody else writes here
        self.rows += rows


class _Maker:
    """Turns an answer into what a judge says of it."""

    def __init__(self, judge: Scorer, models: Models | None) -> None:
        self._judge, self._run = judge, InRun(_ASKED_BY)
        self._asking = asking.Asking([judge], models=models)

    def close(self) -> None:
        """Let the threads of slow judges end."""
        self._asking.close()

    async def row(self, example: Example, sweep: int) -> tuple[dict[str, Any], str | None]:
        """Return what it says, and the kind of outage that left it without a word."""
        self._run.enter()
        meter = Meter()
        given = ScoreInput(
            output=example.output,
            expected=example.expected,
            example=example.as_dict(),
            documents=example.documents,
            repeat=sweep,
            **self._asking.calls(meter),
        )
        found = await self._asking.score(self._judge, given)
        verdict = None if found.number is None else Verdict(sweep, example.example_id, found.number, meter.cost_usd)
        failed = found.status == "error"
        row = {
            "status": "error" if failed else "ok",
            "error": found.reason if failed else None,
            "cost_usd": None,
            "scoring_cost_usd": meter.cost_usd,
            "verdict": verdict,
        }
        return row, meter.outage.kind if failed and meter.outage is not None else None


def _ask(
    models: Models | None, judge: Scorer, examples: Sequence[Example], sweeps: Sequence[int], budget_usd: float | None
) -> Told:
    """Ask a judge for its verdicts on answers, in an order that hangs on nothing that they say."""
    work = []
    for sweep in sweeps:
        mixed = sorted(examples, key=lambda one: one.example_id)
        random.Random(sweep).shuffle(mixed)  # no secret: the same order for everybody
        work += [(example, sweep) for example in mixed]
    kept, state = _Kept(), State(total=len(work), done=0, cost_usd=None)
    runner = Runner(
        kept,
        _Maker(judge, models),
        iter(work),
        state,
        concurrency=_CONCURRENCY,
        budget_usd=budget_usd,
        owns_loop=True,
        goes_on="the next check asks again",
    )
    waited(runner.run, name="lmops-anchors")
    verdicts = [row["verdict"] for row in kept.rows if row["verdict"] is not None]
    _, error = runner.end(len(work) - state.done)
    if error is None and not verdicts:
        error = next((row["error"] for row in kept.rows if row["error"]), "it gave no verdict")
    return Told(sorted(verdicts, key=lambda one: one.sweep), error)
