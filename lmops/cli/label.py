"""``lmops label QUEUE``: the labeler as a page, for people without a notebook."""

from __future__ import annotations

import sys

import click

from lmops.base.terminal import echo
from lmops.cli.opening import workspace
from lmops.cli.printing import to_json
from lmops.cli.words import JSON, STORE
from lmops.errors import ConflictError, ReadOnlyError


@click.command()
@click.argument("queue")
@click.option("--host", default="127.0.0.1", show_default=True, help="Any but a loopback address needs a token.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    help="8866 by default, or a free one when it is taken; 0 takes a free one. Browsers keep names and what is not "
    "saved yet by the address: keep the port.",
)
@click.option(
    "--token",
    help="Asked of every visitor; LMOPS_LABEL_TOKEN by default. Given here, whoever lists the processes of this "
    "machine can read it: prefer the variable or --token-file.",
)
@click.option("--token-file", metavar="PATH", help="File whose first line is the token.")
@click.option(
    "--visitors",
    type=click.IntRange(1, 1_000),
    default=24,
    show_default=True,
    help="The most at once; each takes about 200 MB of memory.",
)
@click.option(
    "--idle",
    type=click.IntRange(1, 86_400),
    default=300,
    show_default=True,
    metavar="SECONDS",
    help="When a page that is gone makes room for another visitor.",
)
@STORE
@JSON
def label(
    queue: str,
    host: str,
    port: int | None,
    token: str | None,
    token_file: str | None,
    visitors: int,
    idle: int,
    store: str | None,
    as_json: bool,
) -> None:
    """Let people label QUEUE in their browsers until SIGTERM or Ctrl+C; each says a name once.

    Needs the extra: pip install 'lmops[label]'.
    """
    from lmops.widgets.feedback.page import serve

    def ready(url: str) -> None:
        if as_json:
            echo(to_json({"status": "listening", "url": url, "queue": found.name}, indent=None))
        else:
            echo(f"{found.name} is labelled at {url} (Ctrl+C ends it)")
        sys.stdout.flush()

    with workspace(store, as_json=as_json, must_exist=True) as ws:
        found = ws.feedback.queues.get(queue)
        if ws.store.is_read_only:
            raise ReadOnlyError(f"{ws.store.path} cannot be written: labels would have no place")
        if found.status != "open":
            raise ConflictError(
                f"queue {found.name} is {found.status}: lmops queue reopen {found.name} goes on with it"
            )
        serve(
            str(ws.store.path),
            found.name,
            host=host,
            port=port,
            token=token,
            token_file=token_file,
            visitors=visitors,
            idle_s=idle,
            on_ready=ready,
        )
