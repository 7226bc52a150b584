"""``lmops redteam ...``: exit code 0 pass, 1 fail, 2 usage or refused, 3 inconclusive."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import click

from lmops.cli.build import Verb
from lmops.cli.printing import finite
from lmops.cli.words import AT_LEAST_1, COMMON, Word, params, task
from lmops.redteam import RedTeam

if TYPE_CHECKING:
    from lmops.evals import Run
    from lmops.redteam import Matrix, Report, Suite

_SHARE: Final = click.FloatRange(0, 1)
_TARGET: Final = Word(metavar="TARGET", read=task)
_POLICY: Final = Word(help="Guardrails around it, such as support@3.", metavar="NAME[@N]")
_SUITE: Final = Word(help="'core', or a file of JSON lines.", metavar="FILE")
_CHOSEN: Final = {
    "suite": _SUITE,
    "placements": Word(("--placement",), "Where attacks stand; may be repeated.", "NAME", is_many=True),
    "converters": Word(("--converter",), "How attacks are written; may be repeated.", "NAME", is_many=True),
    "limit": Word(help="At most so many attacks.", metavar="N", type=AT_LEAST_1),
    "repeats": Word(help="Times each is tried.", type=AT_LEAST_1),
    "variables": Word(
        ("--variable",), "A value of another variable; may be repeated.", "NAME=JSON", read=params, is_many=True
    ),
    "seed": Word(help="Of what is drawn, and of the words that are looked for.", metavar="N"),
}
#: How a run that did not finish ends the command.
_CODES: Final = {"finished": 0, "over_budget": 3}


def _row(one: Any) -> dict[str, Any]:
    return {name: finite(value) for name, value in asdict(one).items()}


def report_data(found: Report) -> dict[str, Any]:
    """Return a report as ``--json`` prints it."""
    return {
        "run_id": found.run.run_id,
        "policy": found.policy,
        "rates": [_row(one) for one in found.rates],
        "at": {str(k): _row(one) for k, one in found.at.items()},
        "broken": _row(found.broken),
        "stopped": [_row(one) for one in found.stopped],
        "worst": [_row(one) for one in found.worst],
        "unmeasured": found.unmeasured,
        "baseline_run_id": None if found.baseline is None else found.baseline.b.run_id,
    }


def matrix_data(found: Matrix) -> dict[str, Any]:
    """Return a matrix as ``--json`` prints it."""
    return {"target": found.target, "policy": found.policy, "rows": [_row(one) for one in found.rows]}


def suite_data(found: Suite) -> dict[str, Any]:
    """Return a suite as ``--json`` prints it."""
    return {"suite": found.name, "version": found.version, "seeds": [asdict(one) for one in found]}


def run_data(found: Run) -> dict[str, Any]:
    """Return a run as ``--json`` prints it."""
    state = found.state()
    summary = [_row(one) for one in state.summary()]
    return {**found.record, "totals": state.totals._asdict(), "summary": summary}


def _runs_data(found: Run | dict[str, Run]) -> Any:
    return {name: run_data(one) for name, one in found.items()} if isinstance(found, dict) else run_data(found)


def _runs_text(found: Run | dict[str, Run]) -> str:
    runs = found.values() if isinstance(found, dict) else [found]
    return "\n\n".join(one.text for one in runs)


def _text(found: Any) -> str:
    return str(found.text)


def _code(found: Run) -> int:
    return _CODES.get(found.status, 1)


COMMANDS = [
    Verb(
        "redteam",
        RedTeam.run,
        example="lmops redteam run support-answer@3 --policy support@2 --limit 200 --budget-usd 2",
        help="Attack TARGET: a prompt (support-answer@3) or a function (package.module:name).\n\nEnds with 0 when "
        "every case is finished, 3 when the budget is spent, 1 when something stopped it.",
        acts=True,
        makes_store=True,
        takes_long=True,
        leave_out=("allowed_tools",),
        words={
            "target": _TARGET,
            "policy": _POLICY,
            **_CHOSEN,
            "allowed_hosts": Word(
                ("--allowed-host",), "A host that links may lead to; may be repeated.", "HOST", is_many=True
            ),
            "name": Word(help="Name of the experiment; by default of the target.", metavar="NAME"),
            "retries": Word(help="Further attempts at a case.", type=click.IntRange(min=0)),
            "tracing": Word(help="Make no traces of the cases."),
        },
        text=_text,
        data=run_data,
        code=_code,
    ),
    Verb(
        "redteam",
        RedTeam.plan,
        help="Show what a run would try on TARGET and what it would leave out.",
        leave_out=("allowed_tools",),
        words={"target": _TARGET, **{name: word for name, word in _CHOSEN.items() if name != "repeats"}},
        text=_text,
    ),
    Verb(
        "redteam",
        RedTeam.resume,
        help="Run what is missing of RUN.",
        acts=True,
        takes_long=True,
        words={
            "target": Word(help="The function again, for a run of one.", metavar="MODULE:NAME", read=task),
            "policy": _POLICY,
            "variables": _CHOSEN["variables"],
            "budget_usd": COMMON["budget_usd"]._replace(help="A new budget for the whole run."),
            "retry_errors": Word(help="Run cases again that failed."),
        },
        text=_text,
        data=run_data,
        code=_code,
    ),
    Verb(
        "redteam",
        RedTeam.report,
        help="Show what RUN found: rates by kind of attack, what stopped attacks, the worst.",
        words={"baseline": Word(help="The run to compare with; the one before by default.", metavar="RUN")},
        text=_text,
        data=report_data,
    ),
    Verb(
        "redteam",
        RedTeam.gate,
        example="lmops redteam gate redteam-support --max-success 0.02 --min-benign 0.98",
        help="Judge RUN and keep the verdict: 0 pass, 1 fail, 3 inconclusive.",
        acts=True,
        words={
            "baseline": Word(("--baseline",), "What losses are measured against.", "RUN"),
            "max_success": Word(help="Most attacks that may succeed.", metavar="SHARE", type=_SHARE),
            "min_benign": Word(
                help="Fewest harmless twins that have to pass; those that a policy lets be, behind one.",
                metavar="SHARE",
                type=_SHARE,
            ),
            "min_answered": Word(
                help="Fewest harmless twins that have to be answered, whoever refuses.", metavar="SHARE", type=_SHARE
            ),
            "max_loss": Word(help="The largest acceptable loss against the baseline.", metavar="SHARE", type=_SHARE),
            "criteria": Word(help="YAML or JSON, in place of the four.", metavar="FILE"),
        },
        text=_text,
        data=lambda found: json.loads(found.to_json()),
        code=lambda found: int(found.exit_code),
    ),
    Verb(
        "redteam",
        RedTeam.matrix,
        example="lmops redteam matrix support-answer@3 support@2 --limit 100",
        help="Show what each rail of POLICY is worth: attacks on TARGET with it off, and with it alone.",
        acts=True,
        takes_long=True,
        leave_out=("allowed_tools",),
        words={
            "target": _TARGET,
            "policy": Word(metavar="POLICY"),
            "modes": Word(("--mode",), "without, only, or both; may be repeated.", "MODE", is_many=True),
            **_CHOSEN,
        },
        text=_text,
        data=matrix_data,
    ),
    Verb(
        "redteam",
        RedTeam.seeds,
        help="Show the seeds of a suite.",
        words={"suite": _SUITE},
        text=_text,
        data=suite_data,
    ),
    Verb("redteam", RedTeam.ways, help="List how attacks can be written and placed.", empty="there is none"),
    Verb(
        "redteam",
        RedTeam.import_garak,
        help="Keep the attempts of a report of garak as a run.",
        acts=True,
        makes_store=True,
        words={
            "path": Word(metavar="FILE"),
            "name": Word(help="Name of the experiment.", metavar="NAME"),
            "threshold": Word(help="From which score of a detector on is a hit.", metavar="SCORE", type=_SHARE),
        },
        text=_runs_text,
        data=_runs_data,
    ),
    Verb(
        "redteam",
        RedTeam.import_promptfoo,
        help="Keep the results of a red-team evaluation of promptfoo as runs.",
        acts=True,
        makes_store=True,
        words={"path": Word(metavar="FILE"), "name": Word(help="Name of the experiment.", metavar="NAME")},
        text=_runs_text,
        data=_runs_data,
    ),
]
