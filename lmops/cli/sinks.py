"""``lmops sink ...``: who is told of alerts, and how."""

from __future__ import annotations

from typing import Final, get_args

import click

from lmops.cli.build import Verb
from lmops.cli.printing import plain_data
from lmops.cli.words import Word
from lmops.monitors import Monitors, SinkKind, Sinks

_NOUN: Final = "monitors.sinks"
_VARIABLE: Final = "NAME"
COMMANDS = [
    Verb(
        _NOUN,
        Sinks.save,
        acts=True,
        makes_store=True,
        text=lambda sink: sink.text,
        data=plain_data,
        help="Tell NAME of alerts from now on. Secrets stay in the environment: their variables are named here.",
        example="lmops sink save ops --kind webhook --url https://hooks.house.example/lmops --secret-env OPS_SECRET",
        words={
            "kind": Word(type=click.Choice(get_args(SinkKind)), help="How it is told."),
            "url": Word(metavar="URL"),
            "url_env": Word(metavar=_VARIABLE, help="Variable that has the address, where that is a secret."),
            "secret_env": Word(metavar=_VARIABLE, help="Variable that has the secret."),
            "min_severity": Word(
                type=click.Choice(["note", "ticket", "urgent", "page"]), help="The least that is told."
            ),
            "monitors": Word(
                flags=("--monitor",), metavar="MONITOR", is_many=True, help="Tell of this monitor; may be repeated."
            ),
            "sender": Word(metavar="ADDRESS"),
            "to": Word(flags=("--to",), metavar="ADDRESS", is_many=True, help="Of e-mail: to whom; may be repeated."),
            "user": Word(metavar="NAME"),
        },
    ),
    Verb(_NOUN, Sinks.list, help="List all sinks, and whether they fail.", empty="nobody is told of alerts"),
    Verb(_NOUN, Sinks.get, text=lambda sink: sink.text, data=plain_data, help="Show one sink.", name="show"),
    Verb(
        _NOUN,
        Sinks.test,
        acts=True,
        text=lambda found: found.text,
        code=lambda found: found.exit_code,
        help="Tell NAME of an alert that is made up. Exit code 1 when it was not taken.",
    ),
    Verb(
        _NOUN,
        Sinks.remove,
        acts=True,
        text=lambda sink: f"{sink.name} is told nothing any more",
        data=plain_data,
        help="Tell NAME nothing any more, also not what waits for it.",
    ),
    Verb(
        "monitors",
        Monitors.deliver,
        acts=True,
        text=lambda found: found.text,
        code=lambda found: found.exit_code,
        help="Tell the sinks what waits for them; a check does so by itself. Exit code 1 when one failed.",
    ),
]
