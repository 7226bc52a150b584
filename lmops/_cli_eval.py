"""``lmops eval ...``: exit code 0 pass, 1 fail, 2 usage or refused, 3 inconclusive."""

from __future__ import annotations

import contextlib
import importlib
import json
import math
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lmops._cli_options import ACTOR, JSON, STORE, echo, end_like_an_interrupt, print_frame, to_json, workspace
from lmops.errors import UsageError
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lmops.evals import Comparison, Difference, Drift, Run

_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
#: How a run that did not finish ends the command.
_RUN_CODES = {"finished": 0, "over_budget": 3}
_DRIFT_CODES = {"baseline_recorded": 0, "no_change": 0, "model_changed": 0, "unknown": 3}

_SCORERS = click.option(
    "-s", "--scorer", "scorers", multiple=True, metavar="NAME",
    help="A scorer by its name, or as JSON with its options: '{\"scorer\": \"regex\", \"pattern\": \"TL-[0-9]+\"}'.",
)  # fmt: skip
_MODEL = click.option("--model", metavar="MODEL", help="The model to ask; that of the prompt by default.")
_REPEATS = click.option(
    "--repeats", type=click.IntRange(min=1), default=1, show_default=True, help="Times each is asked."
)
_CONCURRENCY = click.option(
    "--concurrency", type=click.IntRange(min=1), metavar="N", help="Cases at a time; 16 by default."
)
_LIMIT = click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N examples.")
_BUDGET = click.option(
    "--budget-usd", type=click.FloatRange(min=0, min_open=True), metavar="USD", help="Stop when so much is spent."
)
_MARGIN = click.option(
    "--margin", "margins", multiple=True, metavar="[SCORER=]LOSS",
    help="The largest acceptable loss; for all scorers, or for one.",
)  # fmt: skip
_ALPHA = click.option(
    "--alpha", type=click.FloatRange(0, 0.5, min_open=True, max_open=True), default=0.05, show_default=True,
    help="Probability of a false alarm.",
)  # fmt: skip
_UNMATCHED = click.option("--allow-unmatched", is_flag=True, help="Compare the examples that both runs finished.")
_CHANGED = click.option(
    "--allow-changed", is_flag=True, help="Compare although dataset or scorers are not the same version."
)


@click.group(name="eval")
def evaluate() -> None:
    """Run evaluations, compare runs, and gate on them."""


@evaluate.command(name="run")
@click.argument("task")
@click.option("-d", "--dataset", required=True, metavar="NAME[@N]", help="The dataset.")
@_SCORERS
@click.option("--name", metavar="NAME", help="Name of the experiment; the task's by default.")
@_MODEL
@click.option("-p", "--param", "params", multiple=True, metavar="NAME=JSON", help="A parameter of the model.")
@_REPEATS
@_CONCURRENCY
@_LIMIT
@_BUDGET
@click.option("--timeout", "timeout_s", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS",
              help="Most seconds for one attempt; 300 by default.")  # fmt: skip
@click.option("--retries", type=click.IntRange(min=0), default=1, show_default=True, help="Further attempts at a case.")
@click.option("--cache", is_flag=True, help="Let models answer from their cache.")
@click.option("--tracing", is_flag=True, help="Make a trace of every case.")
@click.option("--seed", type=int, metavar="N", help="Sent to the model, and recorded.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
@ACTOR
@STORE
@JSON
def run_eval(
    task: str, dataset: str, scorers: tuple[str, ...], name: str | None, model: str | None, params: tuple[str, ...],
    repeats: int, concurrency: int | None, limit: int | None, budget_usd: float | None, timeout_s: float | None,
    retries: int, cache: bool, tracing: bool, seed: int | None, quiet: bool, actor: str | None, store: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Run TASK over a dataset: a prompt (support-answer@3), a function (package.module:name), or "recorded".

    Ends with 0 when every case is finished, 3 when the budget is spent, 1 when something stopped it or every case
    failed.
    """
    end_like_an_interrupt()
    with workspace(store, as_json=as_json, actor=actor) as ws:
        run = _interruptible(as_json, lambda: ws.evals.run(
            _task(task), dataset, _scorers(scorers), name=name, model=model, params=_params(params) or None,
            repeats=repeats, concurrency=concurrency or 16, limit=limit, budget_usd=budget_usd,
            timeout_s=timeout_s or 300.0, retries=retries, cache=cache, tracing=tracing, seed=seed,
            progress=not (quiet or as_json),
        ))  # fmt: skip
        _show_run(run, as_json=as_json)
        _exit(_run_code(run))


@evaluate.command(name="resume")
@click.argument("run_id", metavar="RUN")
@click.option("--task", metavar="MODULE:NAME", help="The function again, for a run of one.")
@_SCORERS
@_CONCURRENCY
@_BUDGET
@click.option("--retry-errors", is_flag=True, help="Run cases again that failed.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
@ACTOR
@STORE
@JSON
def resume_eval(
    run_id: str, task: str | None, scorers: tuple[str, ...], concurrency: int | None, budget_usd: float | None,
    retry_errors: bool, quiet: bool, actor: str | None, store: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Run what is missing of RUN (its id, the start of it, or the name of its experiment)."""
    end_like_an_interrupt()
    with workspace(store, as_json=as_json, must_exist=True, actor=actor) as ws:
        run = _interruptible(as_json, lambda: ws.evals.resume(
            run_id, task=None if task is None else _task(task), scorers=_scorers(scorers) or None,
            concurrency=concurrency, budget_usd=budget_usd, retry_errors=retry_errors,
            progress=not (quiet or as_json),
        ))  # fmt: skip
        _show_run(run, as_json=as_json)
        _exit(_run_code(run))


@evaluate.command(name="compare")
@click.argument("run_id", metavar="RUN")
@click.argument("baseline")
@click.option("-s", "--scorer", "scorers", multiple=True, metavar="NAME", help="Only this scorer; may be repeated.")
@_MARGIN
@click.option("--decide", "decide", multiple=True, metavar="NAME",
              help="A scorer whose outcome counts; may be repeated. The others are exploratory.")  # fmt: skip
@click.option("--slice", "slices", multiple=True, metavar="KEY", help="Compare within groups as well; may be repeated.")
@_ALPHA
@_UNMATCHED
@_CHANGED
@STORE
@JSON
def compare_evals(
    run_id: str, baseline: str, scorers: tuple[str, ...], margins: tuple[str, ...], decide: tuple[str, ...],
    slices: tuple[str, ...], alpha: float, allow_unmatched: bool, allow_changed: bool, store: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Compare RUN with BASELINE, paired by example.

    Ends with 1 when a scorer that decides is worse, 3 when one is inconclusive, 0 when all are better or non-inferior.
    """
    with workspace(store, as_json=as_json, must_exist=True) as ws:
        comparison = ws.evals.compare(
            run_id, baseline, scorers=list(scorers) or None, margin=_margins(margins), decide=list(decide) or None,
            slices=slices, alpha=alpha, allow_unmatched=allow_unmatched, allow_changed=allow_changed,
        )  # fmt: skip
        echo(to_json(_comparison(comparison)) if as_json else comparison.text)
        found = {one.outcome for one in comparison.scorers if not one.is_exploratory}
        _exit(1 if "worse" in found else 3 if "inconclusive" in found else 0)


@evaluate.command(name="gate")
@click.argument("run_id", metavar="RUN")
@click.option("--baseline", metavar="RUN", help="What losses are measured against.")
@click.option("--criteria", required=True, metavar="FILE", help="YAML or JSON, kept under version control.")
@click.option("--stop-early", is_flag=True, help="RUN is a task: run it over a dataset until the criteria are decided.")
@click.option("-d", "--dataset", metavar="NAME[@N]", help="With --stop-early: the dataset.")
@_SCORERS
@_MODEL
@_CONCURRENCY
@_BUDGET
@click.option("--seed", type=int, metavar="N", help="With --stop-early: of the order, and sent to the model.")
@click.option("--junit", metavar="FILE", help="Write JUnit XML there.")
@click.option("--markdown", metavar="FILE", help="Write Markdown there, such as for the summary of a CI job.")
@_UNMATCHED
@_CHANGED
@ACTOR
@STORE
@JSON
def gate_eval(
    run_id: str, baseline: str | None, criteria: str, stop_early: bool, dataset: str | None, scorers: tuple[str, ...],
    model: str | None, concurrency: int | None, budget_usd: float | None, seed: int | None, junit: str | None,
    markdown: str | None, allow_unmatched: bool, allow_changed: bool, actor: str | None, store: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Judge RUN by a criteria file and keep the verdict: 0 pass, 1 fail, 3 inconclusive.

    With --stop-early RUN is what `lmops eval run` takes, such as support-answer@3: its examples are asked in a random
    order that is fixed beforehand, until the criteria are decided by bounds that hold at every look.
    """
    if stop_early and not (dataset and scorers):
        raise click.UsageError("--stop-early runs RUN: give --dataset and --scorer")
    if not stop_early and (dataset or scorers or model or concurrency or budget_usd or seed is not None):
        raise click.UsageError("--dataset, --scorer, --model and the like are for a gate that runs: --stop-early")
    end_like_an_interrupt()
    with workspace(store, as_json=as_json, must_exist=True, actor=actor) as ws:
        judged: Any = run_id
        if stop_early:
            judged = _interruptible(as_json, lambda: ws.evals.run(
                _task(run_id), dataset, _scorers(scorers), model=model, concurrency=concurrency or 16,
                budget_usd=budget_usd, seed=seed, until=criteria, baseline=baseline, progress=not as_json,
            ))  # fmt: skip
        verdict = ws.evals.gate(
            judged, baseline, criteria, allow_unmatched=allow_unmatched, allow_changed=allow_changed
        )
        for path, text in ((junit, verdict.to_junit), (markdown, verdict.to_markdown)):
            if path is not None:
                _write(Path(path), text())
        echo(verdict.to_json() if as_json else verdict.text)
        _exit(verdict.exit_code)


@evaluate.command(name="drift")
@click.argument("prompt")
@click.option("-d", "--dataset", required=True, metavar="NAME[@N]", help="The fixed set.")
@_SCORERS
@click.option("--baseline", metavar="RUN", help="The run to compare with; the stored baseline by default.")
@click.option("--rebase", is_flag=True, help="Make today's run the baseline.")
@_MODEL
@click.option("--repeats", type=click.IntRange(min=1), default=3, show_default=True, help="From 2 on noise is known.")
@_MARGIN
@_ALPHA
@_LIMIT
@_BUDGET
@click.option("--quiet", is_flag=True, help="Show no progress.")
@ACTOR
@STORE
@JSON
def drift_eval(
    prompt: str, dataset: str, scorers: tuple[str, ...], baseline: str | None, rebase: bool, model: str | None,
    repeats: int, margins: tuple[str, ...], alpha: float, limit: int | None, budget_usd: float | None, quiet: bool,
    actor: str | None, store: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Ask PROMPT the same examples again and say whether the model changed: 0 no, 1 its answers did, 3 cannot tell."""
    end_like_an_interrupt()
    with workspace(store, as_json=as_json, must_exist=True, actor=actor) as ws:
        drift = _interruptible(as_json, lambda: ws.evals.drift(
            prompt, dataset, _scorers(scorers), baseline=baseline, rebase=rebase, model=model, repeats=repeats,
            margin=_margins(margins), alpha=alpha, limit=limit, budget_usd=budget_usd,
            progress=not (quiet or as_json),
        ))  # fmt: skip
        echo(to_json(_drift(drift)) if as_json else drift.text)
        _exit(_DRIFT_CODES.get(drift.outcome, 1))


@evaluate.command(name="list")
@click.option("--name", metavar="NAME", help="Only runs of this experiment.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="The most runs.")
@STORE
@JSON
def list_evals(name: str | None, limit: int, store: str | None, as_json: bool) -> None:
    """List the newest runs."""
    with workspace(store, as_json=as_json, must_exist=True) as ws:
        print_frame(ws.evals.list(name=name, limit=limit), as_json=as_json, empty="no runs")


@evaluate.command(name="show")
@click.argument("run_id", metavar="RUN")
@click.option("--failures", is_flag=True, help="List the cases that failed as well.")
@STORE
@JSON
def show_eval(run_id: str, failures: bool, store: str | None, as_json: bool) -> None:
    """Show what RUN ran, how far it is and what it found."""
    with workspace(store, as_json=as_json, must_exist=True) as ws:
        run = ws.evals.get(run_id)
        _show_run(run, as_json=as_json)
        if failures and not as_json:
            print_frame(run.failures(), as_json=False, empty="no case failed")


# -- arguments ---------------------------------------------------------------------------------------------------------


def _task(text: str) -> Any:
    """Return a function for ``module:name``, else the text itself."""
    if "@" in text or not _FUNCTION.fullmatch(text):
        return text
    module, _, names = text.partition(":")
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module)
        for name in names.split("."):
            found = getattr(found, name)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"the task {text} cannot be loaded: {error}; the working directory is on the path") from error
    return found


def _scorers(given: Sequence[str]) -> list[Any]:
    found: list[Any] = []
    for text in given:
        if not text.lstrip().startswith("{"):
            found.append(text)
            continue
        try:
            found.append(json.loads(text))
        except json.JSONDecodeError as error:
            raise UsageError(f"--scorer {text}: no JSON: {error}") from error
    return found


def _params(given: Sequence[str]) -> dict[str, Any]:
    found = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise UsageError(f"--param {text}: give NAME=VALUE, such as temperature=0")
        try:
            found[name] = json.loads(value)
        except json.JSONDecodeError:
            found[name] = value
    return found


def _margins(given: Sequence[str]) -> float | dict[str, float] | None:
    """Return one margin for all scorers, or one for each that is named."""
    named: dict[str, float] = {}
    for text in given:
        name, sign, value = text.rpartition("=")
        try:
            number = float(value)
        except ValueError as error:
            raise UsageError(f"--margin {text}: give a number, or SCORER=NUMBER") from error
        if not sign:
            if len(given) > 1:
                raise UsageError("--margin: give one number for all scorers, or SCORER=NUMBER for each")
            return number
        named[name] = number
    return named or None


# -- output ------------------------------------------------------------------------------------------------------------


def _show_run(run: Run, *, as_json: bool) -> None:
    if not as_json:
        echo(run.text)
        return
    summary = [{name: _finite(getattr(one, name)) for name in type(one).__dataclass_fields__} for one in run.summary()]
    echo(to_json({**run.record, "totals": run.totals._asdict(), "summary": summary}))


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


def _comparison(found: Comparison) -> dict[str, Any]:
    return {
        "a": found.a.run_id, "b": found.b.run_id, "notes": list(found.notes),
        "differences": [_difference(one) for one in found.differences],
        "slices": [_difference(one) for one in found.slice_differences],
    }  # fmt: skip


def _difference(one: Difference) -> dict[str, Any]:
    return {name: _finite(getattr(one, name)) for name in type(one).__dataclass_fields__}


def _drift(found: Drift) -> dict[str, Any]:
    return {
        "outcome": found.outcome, "reasons": list(found.reasons), "run_id": found.run.run_id,
        "baseline_run_id": found.baseline.run_id if found.baseline is not None else None,
        "is_model_changed": found.is_model_changed, "worse": list(found.worse),
        **{name: _finite(getattr(found, name)) for name in ("differing", "noise", "p_value", "n")},
        "comparison": None if found.comparison is None else _comparison(found.comparison),
    }  # fmt: skip


def _finite(value: Any) -> Any:
    """Return a value for JSON, which has no NaN."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error}") from error


def _exit(code: int) -> None:
    if code:
        raise SystemExit(code)


def _interruptible(as_json: bool, work: Callable[[], Any]) -> Any:
    try:
        # What a task prints must not get into the JSON.
        with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
            return work()
    except KeyboardInterrupt:
        message = "interrupted; finished cases are kept, lmops eval resume RUN goes on (lmops eval list)"
        if as_json:
            echo(json.dumps({"status": "interrupted", "error": message}))
        else:
            echo(f"lmops: {message}", err=True)
        raise SystemExit(1) from None
