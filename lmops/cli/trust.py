"""``lmops trust``: whose folders are taken without asking."""

from __future__ import annotations

import click

from lmops import owners
from lmops.base.terminal import echo
from lmops.cli.opening import errors_in_words
from lmops.cli.printing import to_json
from lmops.cli.words import JSON


@click.command()
@click.argument("path", required=False)
@JSON
def trust(path: str | None, as_json: bool) -> None:
    """Trust the store, runbooks and prompts at PATH and below although another user made them; list without PATH."""
    with errors_in_words(as_json=as_json):
        added = None if path is None else str(owners.trust(path))
        known = [str(one) for one in owners.trusted()]
    if as_json:
        echo(to_json({"added": added, "trusted": known}))
    elif added is None:
        echo("\n".join(known) or "no folder of another user is trusted")
    else:
        echo(f"trusted: {added}")
