"""``lmops feedback themes ...``: error analysis of the notes that raters wrote on the items of a queue."""

from __future__ import annotations

import functools
from typing import Any

import click

from lmops.cli.build import Verb
from lmops.cli.printing import plain_data
from lmops.cli.words import Word
from lmops.feedback import Themes

_verb = functools.partial(Verb, "feedback.themes", of="queue")
_act = functools.partial(_verb, acts=True, text=lambda mode: mode.text, data=lambda mode: mode.data())


def _mode(given: str) -> int | str:
    """Return the number or the name of a mode; no name is a number."""
    return int(given) if given.isdecimal() else given


def _modes(given: Any) -> list[int | str]:
    return [_mode(one) for one in given]


def _going(what: str, **more: Any) -> Word:
    """Return the option of those that leave where they are: at least one."""
    text = f"A {what} that goes; may be repeated."
    return Word(flags=(f"--{what}",), help=text, metavar=what.upper(), is_many=True, is_needed=True, **more)


_MODE = Word(metavar="MODE", read=_mode, is_argument=True, is_many=False)
_NOTES = Word(metavar="NOTES...", is_argument=True, is_many=True, is_needed=True)
_OPTIONAL = Word(flags=("--note",), help="A note that is in it; may be repeated.", metavar="NOTE", is_many=True)
_CRITERIA = Word(help="How it is told from others.", metavar="TEXT")
COMMANDS = [
    _verb(
        Themes.df,
        "notes",
        help="List the notes of QUEUE with the mode that each is in; --mode for those in one.",
        empty="raters wrote no notes",
        words={"mode": Word(help="Only notes in this mode.", metavar="MODE", read=lambda one: one and _mode(one))},
    ),
    _verb(Themes.modes, "list", help="List the failure modes of QUEUE.", empty="there are no failure modes"),
    _act(
        Themes.make,
        help="Make a failure mode NAME, with notes that are in it.",
        example="lmops feedback themes make triage 'invents fares' --note 3/verdict.critique/ann",
        words={"notes": _OPTIONAL, "criteria": _CRITERIA},
    ),
    _act(Themes.rename, help="Give MODE another name.", words={"mode": _MODE}),
    _act(Themes.describe, help="Say how MODE is told from others.", words={"mode": _MODE, "criteria": Word()}),
    _act(
        Themes.assign,
        help="Put NOTES into MODE, wherever they were.",
        example="lmops feedback themes assign triage 3/verdict.critique/ann 4/note/bob 'invents fares'",
        words={"notes": _NOTES, "mode": _MODE},
    ),
    _verb(
        Themes.take_off,
        acts=True,
        text=lambda count: f"{count:,} taken out of their modes",
        data=lambda count: {"notes": count},
        help="Take NOTES out of their modes.",
        words={"notes": _NOTES},
    ),
    _act(
        Themes.merge,
        help="Put all notes of other modes into INTO, and remove the empty ones.",
        example="lmops feedback themes merge triage --mode 3 --mode 4 1",
        words={
            "modes": _going("mode", read=_modes),
            "into": Word(metavar="INTO", read=_mode, is_argument=True, is_many=False),
        },
    ),
    _act(
        Themes.split,
        help="Take notes out of MODE into a new one, NAME.",
        words={
            "mode": _MODE,
            "notes": _going("note"),
        },
    ),
    _act(Themes.remove, help="Remove MODE; its notes are in none.", words={"mode": _MODE}),
    _verb(
        Themes.undo,
        acts=True,
        text=lambda found: "nothing" if found is None else f"taken back: {found}",
        data=lambda found: {"undone": found},
        help="Take back what --actor did last with the modes of QUEUE.",
    ),
    _verb(
        Themes.suggest,
        text=lambda found: found.text,
        data=lambda found: found.data(),
        help="Show groups of notes that say alike things; nothing is changed.",
        example="lmops feedback themes suggest triage --model openai:text-embedding-3-small",
        words={"model": Word(help="An embedding model, which is sent the notes; words without.", metavar="MODEL")},
    ),
    _verb(
        Themes.pivot,
        text=lambda found: found.text,
        data=lambda found: found.data(),
        help="Print how often each mode was found, by group, with intervals and n.",
        example="lmops feedback themes pivot triage --by version --by topic",
        words={"by": Word(flags=("--by",), help="Group by it; may be repeated.", metavar="COLUMN", is_many=True)},
    ),
    _verb(
        Themes.to_category,
        acts=True,
        text=lambda schema: schema.text,
        data=plain_data,
        help="Make MODE a category of the label schema SCHEMA, as a new version of it.",
        words={"mode": _MODE, "field": Word(help="The field that has the modes; made when there is none.")},
    ),
    _verb(
        Themes.to_scorer,
        text=lambda text: text.rstrip("\n"),
        data=lambda text: {"text": text},
        help="Print the text of a scorer of MODE to begin with.",
        example="lmops feedback themes to-scorer triage 'invents fares' --kind code",
        words={
            "mode": _MODE,
            "model": Word(help="That the judge asks.", metavar="MODEL"),
            "kind": Word(help="judge or code.", metavar="KIND", type=click.Choice(("judge", "code"))),
        },
    ),
]
