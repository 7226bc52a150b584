"""``lmops audit ...``: verify, report and export the audit chain; exit code 1 at a broken link."""

from __future__ import annotations

from typing import Any

import click

from lmops.audit import Audit, verify_export
from lmops.base.terminal import echo
from lmops.base.units import counted, size
from lmops.cli.build import Verb
from lmops.cli.opening import end, errors_in_words, workspace
from lmops.cli.printing import bytes_at, print_record, rows_of, to_json
from lmops.cli.words import ACTOR, JSON, STORE, Word
from lmops.errors import UsageError


@click.command()
@click.option(
    "--anchor",
    metavar="LINE|FILE",
    help="A head kept elsewhere (lmops audit head), or a file of lmops audit anchor: the chain goes through all of it.",
)
@click.option("--git-note", metavar="FOLDER", help="Likewise, through the notes of this repository.")
@click.option("--export", "path", metavar="FILE", help="Check this exported chain instead of the store's.")
@STORE
@JSON
def verify(anchor: str | None, git_note: str | None, path: str | None, store: str | None, as_json: bool) -> None:
    """Check every link of the audit chain and every record that it names; exit code 1 when one does not hold."""
    with errors_in_words(as_json=as_json):
        if path is None:
            with workspace(store, as_json=as_json, must_exist=True) as ws:
                found = ws.audit.verify(anchor=anchor, git_note=git_note)
        else:
            found = verify_export(path, anchor=anchor)
    print_record(found, as_json=as_json)
    end(0 if found.ok else 1)


@click.command()
@click.option("--reason", metavar="TEXT", help="Why they are taken for right.")
@ACTOR
@STORE
@JSON
def cover(reason: str | None, acting: str | None, store: str | None, as_json: bool) -> None:
    """Name every record that no event names yet, as it is now: of stores from before events named records."""
    with workspace(store, as_json=as_json, must_exist=True, actor=acting) as ws:
        if not reason:
            raise UsageError("--reason is needed: why are these records taken for right?")
        count = ws.audit.cover(reason=reason)
    echo(to_json({"records": count}) if as_json else f"{count:,} records are covered from now on")


@click.command()
@click.option("--since", metavar="TIME", help="ISO time, UTC without a zone.")
@click.option("--until", metavar="TIME", help="ISO time, UTC without a zone; not included.")
@click.option("--by", "actor", metavar="NAME", help="Only events by this actor.")
@click.option("--subject", metavar="NAME", help="Only events on this subject and its versions and aliases.")
@click.option("--action", metavar="WORD", help="Only this action or kind, such as prompt.promote or prompt.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "markdown", "html"]),
    default="text",
    show_default=True,
    help="How to print it.",
)
@STORE
@JSON
def report(format_: str, store: str | None, as_json: bool, **_asked: Any) -> None:
    """Print who changed what, when, why and on which evidence; exit code 1 when the chain is broken."""
    with workspace(store, as_json=as_json, must_exist=True) as ws:
        found = ws.audit.report(**_asked)
    if as_json:
        echo(to_json({"ok": found.verification.ok, "scope": found.scope, "events": rows_of(found.df())}))
    else:
        echo(getattr(found, format_))
    end(0 if found.verification.ok else 1)


@click.command()
@click.argument("path")
@STORE
@JSON
def export(path: str, store: str | None, as_json: bool) -> None:
    """Write the whole chain as JSON lines to the new file PATH; lmops audit verify --export PATH checks it."""
    with workspace(store, as_json=as_json, must_exist=True) as ws:
        written = ws.audit.export(path)
        head = ws.audit.head()
    length = bytes_at(written)
    words = f"{written}: {counted(head.events, 'event')}, {size(length)}"
    echo(to_json({"path": written, "events": head.events, "bytes": length}) if as_json else words)


COMMANDS = [
    verify,
    Verb(
        "audit",
        Audit.anchor,
        help="Keep the head of a whole chain elsewhere, once; for a scheduler: 0 kept or known, 1 broken or not kept.",
        words={
            "file": Word(help="Add a line to this file, out of reach of who can write the store.", metavar="FILE"),
            "git_note": Word(help="Add a line to the note of the present commit of this repository.", metavar="FOLDER"),
            "webhook": Word(help="Send it to this address, as JSON by POST.", metavar="URL"),
        },
    ),
    cover,
    Verb(
        "audit",
        Audit.head,
        help="Print where the chain ends, as one line to keep elsewhere.",
        text=lambda head: str(head.line),
        data=lambda head: {"events": head.events, "hash": head.hash, "line": head.line},
    ),
    report,
    export,
]
