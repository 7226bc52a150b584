"""What commands print: text that cannot act on a terminal."""

from __future__ import annotations

import click

from lmops.text import plain


def echo(text: object = "", *, err: bool = False) -> None:
    """Print text that may come from anywhere; it cannot act on the terminal. Every command prints through this."""
    click.echo(plain(text), err=err)
