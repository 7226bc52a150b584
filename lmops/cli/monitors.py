"""``lmops monitor ...``: what production is worth, scored as it comes; what is watched of it, alerts, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lmops.cli.aliases import alias_commands, sync_command
from lmops.cli.build import Verb
from lmops.cli.printing import plain_data
from lmops.cli.words import AT_LEAST_1, COMMON, POSITIVE, Word
from lmops.errors import UsageError
from lmops.monitors import Monitors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lmops.monitors import CheckReport, Monitor

_CODES: Final = {"over_budget": 3, "failed": 1}
#: Of a change: something accounts for it, nothing to explain, or it cannot be said.
_EXPLAINED: Final = {"explained": 0, "no_change": 0, "unexplained": 3, "cannot_tell": 3}


def version_data(found: Monitor) -> dict[str, Any]:
    """Return a version as ``--json`` prints it."""
    return {"ref": found.ref, **plain_data(found)}


def check_data(found: CheckReport) -> dict[str, Any]:
    """Return a check as ``--json`` prints it."""
    return {"outcome": found.outcome, "exit_code": found.exit_code, **plain_data(found)}


def _more(given: Sequence[str]) -> dict[str, float] | None:
    """Return conditions with their least chances: ``CONDITION`` for sure, or ``CHANCE:CONDITION``."""
    found = {}
    for one in given:
        chance, colon, condition = one.partition(":")
        try:
            found[condition if colon else one] = float(chance) if colon else 1.0
        except ValueError:
            found[one] = 1.0
    if any(not condition.strip() for condition in found):
        raise UsageError("--more: give a condition, such as \"thumb = 'down'\" or \"0.5:status = 'error'\"")
    return found or None


_NO_ALERTS = "no alerts"
_ALERT = Word(metavar="ALERT", type=AT_LEAST_1)


COMMANDS = [
    Verb(
        "monitors",
        Monitors.check,
        acts=True,
        help="Look at what came since the last check, and open and resolve alerts; however often it runs.\n\nEnds with "
        "0 when all is quiet, 1 when an alert fires, 3 when it cannot be told.",
        example="lmops monitor check",
        words={
            "monitors": Word(is_argument=True, metavar="[NAME]...", is_many=True),
            "at": Word(help="As of when; now by default.", metavar="TIME"),
            "lateness": Word(help="What is younger is not looked at yet.", metavar="DURATION"),
        },
        text=lambda found: found.text,
        data=check_data,
        code=lambda found: found.exit_code,
    ),
    Verb(
        "monitors",
        Monitors.save_defaults,
        "init",
        acts=True,
        makes_store=True,
        help="Save the monitors that nearly every application wants, where there are none of their names; list all.",
        empty="no monitors",
    ),
    Verb(
        "monitors",
        Monitors.list,
        help="List the monitors with their newest version and their aliases.",
        empty="no monitors; lmops monitor init makes some",
    ),
    Verb(
        "monitors",
        Monitors.get,
        "get",
        help="Show one version, such as errors@2: what it watches, and how.",
        example="lmops monitor get errors@2",
        text=lambda found: found.text,
        data=version_data,
    ),
    Verb(
        "monitors",
        Monitors.show,
        help="Show how the series and alerts of monitor NAME were when a check looked last.\n\nEnds with 0 when all is "
        "quiet, 1 when an alert fires, 3 when it cannot be told.",
        example="lmops monitor show errors",
        text=lambda found: found.text,
        data=check_data,
        code=lambda found: found.exit_code,
    ),
    Verb("monitors", Monitors.versions, help="List every version of monitor NAME, newest first.", empty="no versions"),
    Verb(
        "monitors",
        Monitors.diff,
        help="Show what changed in monitor NAME from version A to version B.",
        text=lambda found: found or "nothing changed",
    ),
    Verb("monitors", Monitors.alerts, help="List alerts, the newest first.", empty=_NO_ALERTS),
    Verb(
        "monitors",
        Monitors.ack,
        acts=True,
        help="Acknowledge ALERT: somebody looks after it.",
        example="lmops monitor ack 3 --reason 'rolled back'",
        words={"alert": _ALERT},
        text=lambda found: found.text,
        data=plain_data,
    ),
    Verb(
        "monitors",
        Monitors.silence,
        acts=True,
        help="Silence ALERT for a time; where it is not resolved by then, it fires again.",
        example="lmops monitor silence 3 --for 4h",
        words={"alert": _ALERT, "for_": Word(flags=("--for",), metavar="DURATION")},
        text=lambda found: found.text,
        data=plain_data,
    ),
    Verb(
        "monitors",
        Monitors.resolve,
        acts=True,
        help="Resolve ALERT; it fires again when there is new evidence.",
        words={"alert": _ALERT},
        text=lambda found: found.text,
        data=plain_data,
    ),
    Verb(
        "monitors",
        Monitors.backtest,
        takes_long=True,
        help="Say when MONITOR would have fired, looked at again and again over what has passed; nothing is written.",
        example="lmops monitor backtest errors --since 2026-10-19",
        text=lambda found: found.text,
        data=plain_data,
    ),
    Verb(
        "monitors",
        Monitors.simulate,
        takes_long=True,
        help="Say how soon changes of RATE would be found at N_PER_DAY sessions a day.",
        example="lmops monitor simulate 0.02 500",
        words={
            "rate": Word(metavar="RATE", type=POSITIVE),
            "n_per_day": Word(metavar="N_PER_DAY", type=POSITIVE),
            "baseline": Word(help="Sessions of the baseline.", metavar="N"),
            "margin": Word(help="How far beyond its baseline a rate may be, as a share of it.", metavar="SHARE"),
            "every": Word(help="Sessions between two false alarms.", metavar="N"),
        },
        makes_store=True,
        text=lambda found: found.text,
        data=plain_data,
    ),
    Verb(
        "monitors",
        Monitors.score,
        acts=True,
        takes_long=True,
        help="Score the traces of production that SCORER has not scored yet: all by code, a sample by judges "
        "(judge:polite@production); without one those whose scores a monitor watches.\n\nEnds with 0 when all are "
        "scored, 3 when the budget is spent, 1 when something stopped it.",
        example="lmops monitor score refusal judge:polite@production --sample 0.05 --more \"thumb = 'down'\"",
        words={
            "scorers": COMMON["scorers"]._replace(flags=(), metavar="[SCORER]...", is_argument=True),
            "where": Word(help="Only traces that a condition finds, as for search.", metavar="CONDITION"),
            "sample": Word(help="Share of the traces that judges are shown, such as 0.05.", metavar="SHARE"),
            "by": Word(help="Spread the sample evenly over the values of a column.", metavar="COLUMN"),
            "more": Word(
                help="Traces that are judged for sure, or with a least chance; may be repeated.",
                metavar="[CHANCE:]CONDITION",
                read=_more,
                is_many=True,
            ),
            "seed": Word(help="Of the draw.", metavar="N"),
            "concurrency": COMMON["concurrency"]._replace(help="Traces that are judged at a time."),
            "timeout_s": COMMON["timeout_s"]._replace(help="Most seconds for one score of a judge."),
            "dry_run": Word(help="Only say how many there are, and what they would cost."),
        },
        text=lambda report: report.text,
        data=lambda report: report.data(),
        code=lambda report: _CODES.get(report.status, 0),
    ),
    Verb(
        "monitors",
        Monitors.scores,
        help="Print what scorers say of production, with intervals, by interval of time and group.",
        example="lmops monitor scores polite --every day --by prompt_version --last 14d",
        words={
            "scorer": Word(is_argument=True, metavar="[SCORER]"),
            "by": Word(flags=("--by",), help="Group by it; may be repeated.", metavar="COLUMN", is_many=True),
            "every": Word(help="Length of the intervals.", metavar="INTERVAL"),
        },
        text=lambda found: found.text,
        data=lambda found: found.data(),
    ),
    Verb(
        "monitors",
        Monitors.explain,
        help="Say what accounts for a change: WHAT is the number of an alert, or a metric with --since.\n\nEnds with 0 "
        "when something accounts for it or nothing changed, 3 when it cannot be told.",
        example="lmops monitor explain answer_length --since 2026-10-29T06:00",
        text=lambda found: found.text,
        words={
            "since": Word(metavar="TIME"),
            "until": Word(metavar="TIME"),
            "before": Word(metavar="LENGTH|TIME/TIME"),
            "where": Word(help="Only traces that a condition finds, as for search.", metavar="CONDITION"),
            "by": Word(flags=("--by",), metavar="ATTRIBUTE", is_many=True),
        },
        code=lambda found: _EXPLAINED[found.state],
    ),
    Verb(
        "monitors",
        Monitors.anchor,
        acts=True,
        takes_long=True,
        help="Keep what judge JUDGE says of the answers of DATASET: checks ask it again, and a monitor tells when it "
        "moves.\n\nThe same call again asks nobody.",
        example="lmops monitor anchor judge:polite@production golden@production --every 1d --budget-usd 0.5",
        words={
            "judge": Word(metavar="JUDGE"),
            "dataset": Word(metavar="DATASET"),
            "repeats": Word(help="How often it is asked at once.", metavar="N", type=AT_LEAST_1),
            "every": Word(help="How often checks ask it again at most.", metavar="DURATION"),
            "budget_usd": Word(help="What asking it once may cost.", metavar="USD"),
            "severity": Word(help="Of the monitor.", metavar="SEVERITY"),
            "owner": Word(help="Of the monitor.", metavar="OWNER"),
        },
        text=lambda found: found.text,
        data=plain_data,
    ),
    Verb(
        "monitors",
        Monitors.moved,
        help="Say what moved where ALERT is open: the judge, the application, its model, or the traffic.\n\nEnds "
        "with 0 when that can be told, 3 when it cannot.",
        example="lmops monitor moved 3",
        words={"alert": _ALERT},
        text=lambda found: found.text,
        data=plain_data,
        code=lambda found: 3 if found.which == "cannot tell" else 0,
    ),
    Verb(
        "monitors",
        Monitors.fatigue,
        words={"last": Word(help="Alerts that were opened in so long.", metavar="30d")},
        help="List how many alerts each monitor opened, and of how many somebody took notice.",
        empty="there were no alerts",
    ),
    *alias_commands("monitor", Monitors, example="errors", data=version_data),
    sync_command("monitor", Monitors, Monitors.sync, example="errors", files="NAME.yaml", there="the monitors"),
]
