"""``lmops tool ...``: what tools returned, kept; how they did, what is wrong with them; logs of agents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lmops.base.shown import text_of
from lmops.cli.build import Verb
from lmops.cli.printing import plain_data
from lmops.cli.words import Word
from lmops.tools import Tools

if TYPE_CHECKING:
    import click

    from lmops.datasets import DatasetVersion
    from lmops.tools import AgentLog, ToolFindings

_WHERE = {"where": Word(("--where",), "Only traces that satisfy it, as for lmops search.", "CONDITION")}
_MANY = {
    **_WHERE,
    "by": Word(("--by",), "What is told apart, such as tool or day; may be repeated.", "COLUMN", is_many=True),
    "level": Word(help="Of the intervals, 0 to 1."),
}


def _findings_data(found: ToolFindings) -> dict[str, Any]:
    return {
        "calls": found.calls,
        "unchecked": found.unchecked,
        "outages": [plain_data(one._asdict()) for one in found.outages],
        "wrong": [plain_data({**one._asdict(), "doubt": one.doubt._asdict()}) for one in found.wrong],
        "circles": [plain_data(one._asdict()) for one in found.circles],
    }


def _log_data(found: AgentLog) -> dict[str, Any]:
    rates = [
        {"what": one.what, "share": one.interval.estimate, "low": one.interval.low, "high": one.interval.high}
        for one in found.rates()
    ]
    return {"format": found.format, "runs": len(found), "rates": rates, "rejected": plain_data(list(found.rejected))}


def _recorded_text(found: DatasetVersion) -> str:
    skipped = len(found.report.skipped) if found.report is not None else 0
    return f"{found.ref}: {len(found):,} calls recorded{f', {skipped:,} left out' if skipped else ''}"


def _recorded_data(found: DatasetVersion) -> dict[str, Any]:
    skipped = [] if found.report is None else [list(one) for one in found.report.skipped]
    return {"ref": found.ref, "hash": found.hash, "calls": len(found), "skipped": skipped}


COMMANDS: list[click.Command | Verb] = [
    Verb(
        "tools",
        Tools.report,
        help="Show how calls of tools did in production: errors with intervals, times, loops, cost.",
        example="lmops tool report --by day --by tool --last 7d",
        words=_MANY,
        empty="no calls of tools",
    ),
    Verb(
        "tools",
        Tools.findings,
        help="Name outages, wrong arguments and loops; exit code 1 when there are any.",
        example="lmops tool findings --last 24h",
        words=_WHERE,
        text=text_of,
        data=_findings_data,
        code=lambda found: 0 if found.is_clean else 1,
    ),
    Verb(
        "tools",
        Tools.record,
        help="Keep what tools returned in traces as data set NAME, to be replayed.",
        example="lmops tool record bookings --last 7d --tool booking_status",
        words={
            **_WHERE,
            "traces": Word(("--trace",), "A trace to take calls from; may be repeated.", "ID", is_many=True),
            "tools": Word(("--tool",), "The only tool to record; may be repeated.", "TOOL", is_many=True),
        },
        acts=True,
        text=_recorded_text,
        data=_recorded_data,
    ),
    Verb(
        "tools",
        Tools.read_log,
        help="Read the log of agents in PATH (tau-bench, Who&When) and say how its runs went.",
        example="lmops tool read-log tau_airline_gpt4o.jsonl",
        acts=True,
        makes_store=True,
        text=text_of,
        data=_log_data,
    ),
]
