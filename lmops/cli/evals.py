"""``lmops eval ...``: exit code 0 pass, 1 fail, 2 usage or refused, 3 inconclusive."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from lmops.base.terminal import echo
from lmops.cli.build import Verb
from lmops.cli.opening import end, end_like_an_interrupt, interruptible, workspace
from lmops.cli.printing import finite, print_frame, print_record
from lmops.cli.words import (
    ACTOR,
    AT_LEAST_1,
    COMMON,
    JSON,
    STORE,
    Word,
    option,
)
from lmops.cli.words import (
    scorers as read_scorers,
)
from lmops.cli.words import (
    task as read_task,
)
from lmops.errors import UsageError
from lmops.evals import Evals
from lmops.text import plain_line

if TYPE_CHECKING:
    from lmops.evals import Comparison, Drift, Run

#: How a run that did not finish ends the command.
_RUN_CODES: Final = {"finished": 0, "over_budget": 3}
_DRIFT_CODES: Final = {"baseline_recorded": 0, "no_change": 0, "model_changed": 0, "unknown": 3}


# -- what is printed ---------------------------------------------------------------------------------------------------


def _fields(one: Any) -> dict[str, Any]:
    return {name: finite(getattr(one, name)) for name in type(one).__dataclass_fields__}


def _run_data(run: Run) -> dict[str, Any]:
    state = run.state()
    totals, summary = state.totals._asdict(), [_fields(one) for one in state.summary()]
    return {**run.record, "totals": totals, "summary": summary}


def _comparison_data(found: Comparison) -> dict[str, Any]:
    return {
        "a": found.a.run_id,
        "b": found.b.run_id,
        "notes": list(found.notes),
        "differences": [_fields(one) for one in found.differences],
        "slices": [_fields(one) for one in found.slice_differences],
    }


def _drift_data(found: Drift) -> dict[str, Any]:
    return {
        "outcome": found.outcome,
        "reasons": list(found.reasons),
        "run_id": found.run.run_id,
        "baseline_run_id": found.baseline.run_id if found.baseline is not None else None,
        "is_model_changed": found.is_model_changed,
        "worse": list(found.worse),
        **{name: finite(getattr(found, name)) for name in ("differing", "noise", "p_value", "n")},
        "comparison": None if found.comparison is None else _comparison_data(found.comparison),
    }


def _text(found: Any) -> str:
    return str(found.text)


def _imported(found: Run | dict[str, Run]) -> list[Run]:
    return list(found.values()) if isinstance(found, dict) else [found]


# -- exit codes --------------------------------------------------------------------------------------------------------


def _run_code(run: Run) -> int:
    """Return how a run ends a command; one in which every case failed, or every scoring, says the first reason."""
    code = _RUN_CODES.get(run.status, 1)
    totals = run.totals
    reason = None
    if totals.cases and totals.errors == totals.cases:
        first = run.failures().iloc[0]
        reason = f"every case failed, the first, {first['example_id']}: {plain_line(first['error'], 300)}"
    elif run.scorers and totals.cases and not any(one.n for one in run.summary()):
        reason = _first_score_error(run)
    if reason is not None:
        echo(f"lmops: {reason}", err=True)
        return code or 1
    return code


def _first_score_error(run: Run) -> str | None:
    """Return why the first score failed when none has a value and some failed."""
    scores = run.scores()
    failed = scores[scores["status"] == "error"]
    if failed.empty:
        return None
    first = failed.iloc[0]
    where = f"{first['scorer']} of {first['example_id']}"
    return f"nothing was scored, the first, {where}: {plain_line(first['reason'], 300)}"


def _comparison_code(found: Comparison) -> int:
    outcomes = {one.corrected_outcome or one.outcome for one in found.scorers if not one.is_exploratory}
    return 1 if "worse" in outcomes else 3 if "inconclusive" in outcomes else 0


# -- commands ----------------------------------------------------------------------------------------------------------


@click.command(epilog="Example: lmops eval gate candidate --baseline baseline --criteria gate.yaml --junit gate.xml")
@click.argument("run")
@click.option("--baseline", metavar="RUN", help="What losses are measured against.")
@click.option("--criteria", required=True, metavar="FILE", help="YAML or JSON, kept under version control.")
@click.option("--stop-early", is_flag=True, help="RUN is a task: run it over a dataset until the criteria are decided.")
@option("dataset", help="With --stop-early: the dataset.")
@click.option("--repeats", type=AT_LEAST_1, help="With --stop-early: times each is asked; 1 by default.")
@option("scorers")
@option("model")
@option("concurrency", help="Cases at a time; 16 by default.")
@option("budget_usd")
@click.option("--seed", type=int, metavar="N", help="With --stop-early: of the order, and sent to the model.")
@click.option("--junit", metavar="FILE", help="Write JUnit XML there.")
@click.option("--markdown", metavar="FILE", help="Write Markdown there, such as for the summary of a CI job.")
@option("allow_unmatched", is_flag=True)
@option("allow_changed", is_flag=True)
@ACTOR
@STORE
@JSON
def gate(
    run: str,
    baseline: str | None,
    criteria: str,
    stop_early: bool,
    dataset: str | None,
    repeats: int | None,
    scorers: tuple[str, ...],
    model: str | None,
    concurrency: int | None,
    budget_usd: float | None,
    seed: int | None,
    junit: str | None,
    markdown: str | None,
    allow_unmatched: bool,
    allow_changed: bool,
    acting: str | None,
    store: str | None,
    as_json: bool,
) -> None:
    """Judge RUN by a criteria file and keep the verdict: 0 pass, 1 fail, 3 inconclusive.

    With --stop-early RUN is what `lmops eval run` takes, such as support-answer@3: its examples are asked in a random
    order that is fixed beforehand, until the criteria are decided by bounds that hold at every look.
    """
    if stop_early and not (dataset and scorers):
        raise click.UsageError("--stop-early runs RUN: give --dataset and --scorer")
    if not stop_early and (dataset or scorers or repeats or model or concurrency or budget_usd or seed is not None):
        raise click.UsageError("--dataset, --scorer, --repeats and the like are for a gate that runs: --stop-early")
    end_like_an_interrupt()
    with workspace(store, as_json=as_json, must_exist=True, actor=acting) as ws:
        judged: Any = run
        if stop_early:
            judged = interruptible(lambda: ws.evals.run(
                read_task(run), dataset, read_scorers(scorers), model=model, repeats=repeats or 1,
                concurrency=concurrency or 16, budget_usd=budget_usd, seed=seed, until=criteria,
                baseline=baseline, progress=not as_json,
            ), as_json=as_json)  # fmt: skip  # arguments that belong together share a line
        verdict = ws.evals.gate(
            judged, baseline, criteria, allow_unmatched=allow_unmatched, allow_changed=allow_changed
        )
        for path, text in ((junit, verdict.to_junit), (markdown, verdict.to_markdown)):
            if path is not None:
                _write(Path(path), text())
        echo(verdict.to_json() if as_json else verdict.text)
        end(verdict.exit_code)


@click.command()
@click.argument("run")
@click.option("--failures", is_flag=True, help="List the cases that failed as well.")
@STORE
@JSON
def show(run: str, failures: bool, store: str | None, as_json: bool) -> None:
    """Show what RUN ran, how far it is and what it found."""
    with workspace(store, as_json=as_json, must_exist=True) as ws:
        found = ws.evals.get(run)
        print_record(found, as_json=as_json, text=_text, data=_run_data)
        if failures and not as_json:
            print_frame(found.failures(), as_json=False, empty="no case failed")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error}") from error


_ONLY: Final = Word(("-s", "--scorer"), "Only this scorer; may be repeated.", "NAME", is_many=True)
_TASK: Final = Word(read=read_task)
_IMPORTED: Final = ("system", "id", "input", "expected", "output", "cluster", "repeat")

COMMANDS = [
    Verb(
        "evals", Evals.run,
        example="lmops eval run support-answer@3 -d golden -s source_support -s refusal --budget-usd 5",
        acts=True, makes_store=True, takes_long=True, leave_out=("until", "baseline"),
        help="Run TASK over a dataset: a prompt (support-answer@3), a function (package.module:name), or "
        '"recorded".\n\nEnds with 0 when every case is finished, 3 when the budget is spent, 1 when something stopped '
        "it or every case failed.",
        words={
            "task": _TASK,
            "name": Word(help="Name of the experiment; the task's by default.", metavar="NAME"),
            "prompt": Word(help="The prompt version that a function uses, for the record.", metavar="NAME@N"),
            "retries": Word(help="Further attempts at a case.", type=click.IntRange(min=0)),
            "tracing": Word(help="Make a trace of every case."),
            "seed": Word(help="Sent to the model, and recorded.", metavar="N"),
        },
        text=_text, data=_run_data, code=_run_code,
    ),
    Verb(
        "evals", Evals.resume, acts=True, takes_long=True,
        help="Run what is missing of RUN (its id, the start of it, or the name of its experiment).\n\nEnds as "
        "`lmops eval run` does: 0, 1 or 3.",
        words={
            "run_id": Word(metavar="RUN"),
            "task": Word(help="The function again, for a run of one.", metavar="MODULE:NAME", read=read_task),
            "retry_errors": Word(help="Run cases again that failed."),
            "budget_usd": COMMON["budget_usd"]._replace(help="A new budget for the whole run."),
        },
        text=_text, data=_run_data, code=_run_code,
    ),
    Verb(
        "evals", Evals.compare,
        example="lmops eval compare candidate baseline --margin source_support=0.02 --slice language",
        help="Compare RUN with BASELINE, paired by example.\n\nEnds with 1 when a scorer that decides is worse, 3 when "
        "one is inconclusive, 0 when all are better or non-inferior; of a judge the corrected outcome counts, where "
        "there is one.",
        words={
            "a": Word(metavar="RUN"), "b": Word(metavar="BASELINE"), "scorers": _ONLY,
            "decide": Word(
                help="A scorer whose outcome counts; may be repeated. The others are exploratory.", metavar="NAME"
            ),
            "slices": Word(help="Compare within groups as well; may be repeated.", metavar="KEY"),
            "correction": Word(help="How p-values of slices are adjusted."),
            "clustered": Word(("--no-clusters",), "Take every example as independent of the others."),
        },
        text=_text, data=_comparison_data, code=_comparison_code,
    ),
    gate,
    Verb(
        "evals", Evals.drift,
        example="lmops eval drift support-answer@production -d golden -s source_support",
        acts=True, takes_long=True,
        help="Ask PROMPT the same examples again and say whether the model changed: 0 no, 1 its answers did, 3 cannot "
        "tell.",
        words={
            "dataset": COMMON["dataset"]._replace(help="The fixed set."),
            "baseline": Word(help="The run to compare with; the stored baseline by default.", metavar="RUN"),
            "rebase": Word(help="Make today's run the baseline."),
            "repeats": Word(help="Times each is asked; from 2 on noise is known.", type=AT_LEAST_1),
        },
        text=_text, data=_drift_data, code=lambda found: _DRIFT_CODES.get(found.outcome, 1),
    ),
    Verb(
        "evals", Evals.list, help="List the newest runs.", empty="no runs",
        words={
            "name": Word(help="Only runs of this experiment.", metavar="NAME"),
            "limit": Word(help="The most runs.", type=AT_LEAST_1, default=20),
        },
    ),
    show,
    Verb("evals", Evals.summary, help="Show the scores of RUNS side by side.", empty="nothing was scored"),
    Verb(
        "evals", Evals.verdict, help="Show a verdict that was kept; ends as its gate did: 0 pass, 1 fail, 3 "
        "inconclusive.",
        words={"verdict_id": Word(metavar="VERDICT")}, text=_text, data=lambda found: json.loads(found.to_json()),
        code=lambda found: int(found.exit_code),
    ),
    Verb(
        "evals", Evals.import_results, "import",
        example="lmops eval import answers.jsonl --name models --system model",
        acts=True, makes_store=True,
        help="Keep the answers and scores in FILE (.jsonl, .json, .csv, .parquet) as runs, which compare and gate as "
        "any other.\n\nColumns are taken by their usual names; every other column of numbers or truths is a "
        "score.",
        words={
            "data": Word(metavar="FILE"),
            "name": Word(help="Name of the experiment.", metavar="NAME"),
            "dataset": COMMON["dataset"]._replace(help="What was asked; saved as NAME-examples by default."),
            "systems": Word(
                help="Systems whose answers are columns of one row, such as small,large.", metavar="NAME,NAME",
                is_many=False, read=lambda given: given.split(","),
            ),
            "scores": Word(help="A column of scores; may be repeated.", metavar="COLUMN"),
            "higher_is_better": Word(
                ("--lower-is-better",), "A score of which less is better; may be repeated.", "NAME", is_many=True,
                read=lambda given: dict.fromkeys(given, False),
            ),
            "prompt": Word(help="The prompt version that was used.", metavar="NAME@N"),
            "model": Word(help="The model that was asked.", metavar="MODEL"),
            **dict.fromkeys(_IMPORTED, Word(metavar="COLUMN")),
        },
        text=lambda found: "\n".join(map(repr, _imported(found))),
        data=lambda found: [_run_data(one) for one in _imported(found)],
    ),
]  # fmt: skip  # a verb's row is short or long as it needs
