"""``lmops retrieval drift``: what changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lmops.cli.build import Verb
from lmops.cli.printing import plain_data
from lmops.cli.words import AT_LEAST_1, Word
from lmops.retrieval import Retrieval

if TYPE_CHECKING:
    import click

    from lmops.retrieval import RetrievalDrift

#: Nothing changed, something did, or it cannot be told.
_CODES: Final = {"nothing": 0, "changed": 1, "unknown": 3}


def _data(found: RetrievalDrift) -> dict[str, Any]:
    return dict(plain_data(found))


COMMANDS: list[click.Command | Verb] = [
    Verb(
        "retrieval",
        Retrieval.drift,
        help="Say what changed in retrieval between two periods of traffic: settings, corpus, questions or model.\n\n"
        "Ends with 0 when nothing did, 1 when something did, 3 when it cannot be told.",
        example="lmops retrieval drift --since 2026-10-27 --before 7d",
        text=lambda found: str(found.text),
        data=_data,
        words={
            "last": Word(metavar="LENGTH"),
            "since": Word(metavar="TIME"),
            "until": Word(metavar="TIME"),
            "before": Word(metavar="LENGTH|TIME/TIME"),
            "where": Word(
                help="Only what traces retrieved that a condition finds, as for search.", metavar="CONDITION"
            ),
            "golden": Word(help="Data set of golden questions; golden by default.", metavar="DATASET"),
            "canaries": Word(help="Data set of queries that are asked again.", metavar="DATASET"),
            "index": Word(help="The index that they are asked of.", metavar="INDEX"),
            "k": Word(help="Places of rankings that count.", type=AT_LEAST_1),
            "answers": Word(help="Traces a period whose answers are held against their documents; 0: none."),
        },
        code=lambda found: _CODES[found.outcome],
    ),
]
