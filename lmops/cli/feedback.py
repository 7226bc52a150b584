"""``lmops feedback ...``: what users say, recorded, read from files, listed, counted."""

from __future__ import annotations

from typing import Any

import click

from lmops.cli.build import Noun, Verb
from lmops.cli.words import Word, pairs
from lmops.errors import UsageError
from lmops.feedback import Feedback


def _scale(given: str) -> tuple[float, float]:
    """Return both ends of ``1,5``."""
    low, _, high = given.partition(",")
    try:
        return float(low), float(high)
    except ValueError:
        raise UsageError(f"--scale {given!r}: give the least and the greatest number, such as 1,5") from None


def _text(found: Any) -> str:
    return str(found.text)


_SCALE = Word(help="Least and greatest number, such as 1,5.", metavar="LOW,HIGH", read=_scale, is_many=False)
COMMANDS = [
    Verb(
        "feedback",
        Feedback.record,
        acts=True,
        makes_store=True,
        text=_text,
        help="Keep what a user said of a trace, or with an option of a span, a response or a conversation.",
        example="lmops feedback record 4f2a... --value down --comment 'too long' --user u-17",
        words={
            "trace_id": Word(metavar="[TRACE_ID]", is_argument=True),
            "value": Word(help="up or down, a number, a category, a text.", metavar="VALUE", is_needed=True),
            "scale": _SCALE,
            "comment": Word(help="What was said beside it.", metavar="TEXT"),
        },
    ),
    Verb(
        "feedback",
        Feedback.list,
        help="List signals, the newest first.",
        empty="there is no feedback",
        words={"limit": Word(help="The most rows.", metavar="N", type=click.IntRange(min=0))},
    ),
    Verb(
        "feedback",
        Feedback.ingest,
        "import",
        acts=True,
        makes_store=True,
        text=_text,
        help="Read signals from FILE (JSONL, JSON, CSV, TSV, Parquet); the same ones again add nothing. Exit code 1 "
        "when nothing in it could be read.",
        example="lmops feedback import votes.csv --map trace_id=Trace --map value=Stars --name rating --scale 1,5",
        words={
            "data": Word(metavar="FILE"),
            "map": Word(
                flags=("--map",),
                help="What a column holds: FIELD=COLUMN; may be repeated.",
                metavar="FIELD=COLUMN",
                is_many=True,
                read=pairs("a column"),
            ),
            "scale": _SCALE,
        },
        code=lambda report: int(
            bool(report.rejected_count) and not (report.new or report.changed or report.same or report.late)
        ),
    ),
    Verb(
        "feedback",
        Feedback.gather,
        acts=True,
        text=_text,
        help="Take in what evaluations said as events of the spans in the store (gen_ai.evaluation.result).",
    ),
    Verb(
        "feedback",
        Feedback.stats,
        text=_text,
        data=lambda found: found.data(),
        help="Print the rates of signals NAME per interval and group, with how much of the traffic said anything.",
        example="lmops feedback stats --by prompt_version --every day --last 14d",
        words={
            "name": Word(is_argument=True, metavar="[NAME]"),
            "where": Word(help="Only traces that a condition finds, as for search.", metavar="CONDITION"),
            "by": Word(flags=("--by",), help="Group by it; may be repeated.", metavar="COLUMN", is_many=True),
            "every": Word(
                help="Length of the intervals; 'all' for one row a group.",
                metavar="INTERVAL",
                read=lambda given: None if given == "all" else given,
            ),
        },
    ),
    Verb(
        "feedback",
        Feedback.waiting,
        help="List the signals whose trace is not in the store yet.",
        empty="no feedback waits for its trace",
    ),
    Noun("themes", "lmops.cli.themes:COMMANDS", "Error analysis: notes of raters, sorted into failure modes."),
]
