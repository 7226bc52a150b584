"""``lmops audit ...``: verify, report and export the audit chain; exit code 1 at a broken link."""

from __future__ import annotations

import json

import click

from lmops._cli_options import ACTOR, JSON, REASON, STORE, echo, errors_in_words, print_record, to_json, workspace
from lmops.errors import UsageError


@click.group(name="audit")
def audit() -> None:
    """The audit chain: who changed what."""


@audit.command(name="verify")
@click.option(
    "--anchor",
    metavar="LINE|FILE",
    help="A head kept elsewhere (lmops audit head), or a file of lmops audit anchor: the chain goes through all of it.",
)
@click.option("--git-note", metavar="FOLDER", help="Likewise, through the notes of this repository.")
@click.option("--export", "path", metavar="FILE", help="Check this exported chain instead of the store's.")
@STORE
@JSON
def audit_verify(
    anchor: str | None, git_note: str | None, path: str | None, store: str | None, as_json: bool
) -> None:  # fmt: skip
    """Check every link of the audit chain and every record that it names; exit code 1 when one does not hold."""
    from lmops.audit import verify_export

    with errors_in_words(as_json=as_json):
        if path is None:
            with workspace(store, as_json=as_json, must_exist=True) as ws:
                found = ws.audit.verify(anchor=anchor, git_note=git_note)
        else:
            found = verify_export(path, anchor=anchor)
    print_record(found, as_json=as_json)
    if not found.ok:
        raise SystemExit(1)


@audit.command(name="anchor")
@click.option("--file", metavar="FILE", help="Add a line to this file, out of reach of who can write the store.")
@click.option("--git-note", metavar="FOLDER", help="Add a line to the note of the present commit of this repository.")
@click.option("--webhook", metavar="URL", help="Send it to this address, as JSON by POST.")
@STORE
@JSON
def audit_anchor(
    file: str | None, git_note: str | None, webhook: str | None, store: str | None, as_json: bool
) -> None:  # fmt: skip
    """Keep the head of a whole chain elsewhere, once; for a scheduler: 0 kept or known, 1 broken or not kept."""
    with workspace(store, as_json=as_json, must_exist=True) as ws:
        print_record(ws.audit.anchor(file=file, git_note=git_note, webhook=webhook), as_json=as_json)


@audit.command(name="cover")
@REASON
@ACTOR
@STORE
@JSON
def audit_cover(reason: str | None, actor: str | None, store: str | None, as_json: bool) -> None:
    """Name every record that no event names yet, as it is now: of stores from before events named records."""
    with workspace(store, as_json=as_json, must_exist=True, actor=actor) as ws:
        if not reason:
            raise UsageError("--reason is needed: why are these records taken for right?")
        count = ws.audit.cover(reason=reason)
    echo(to_json({"records": count}) if as_json else f"{count:,} records are covered from now on")


@audit.command(name="head")
@STORE
@JSON
def audit_head(store: str | None, as_json: bool) -> None:
    """Print where the chain ends, as one line to keep elsewhere."""
    with workspace(store, as_json=as_json, must_exist=True) as ws:
        head = ws.audit.head()
    echo(to_json({"events": head.events, "hash": head.hash, "line": head.line}) if as_json else head.line)


@audit.command(name="report")
@click.option("--since", metavar="TIME", help="ISO time, UTC without a zone.")
@click.option("--until", metavar="TIME", help="ISO time, UTC without a zone; not included.")
@click.option("--by", "actor", metavar="NAME", help="Only events by this actor.")
@click.option("--subject", metavar="NAME", help="Only events on this subject and its versions and aliases.")
@click.option("--action", metavar="WORD", help="Only this action or kind, such as prompt.promote or prompt.")
@click.option(
    "--format", "format_", type=click.Choice(["text", "markdown", "html"]), default="text", show_default=True,
    help="How to print it.",
)  # fmt: skip
@STORE
@JSON
def audit_report(
    since: str | None, until: str | None, actor: str | None, subject: str | None, action: str | None, format_: str,
    store: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Print who changed what, when, why and on which evidence; exit code 1 when the chain is broken."""
    with workspace(store, as_json=as_json, must_exist=True) as ws:
        found = ws.audit.report(since=since, until=until, actor=actor, subject=subject, action=action)
    if as_json:
        events = json.loads(found.df().to_json(orient="records", date_format="iso"))
        echo(to_json({"ok": found.verification.ok, "scope": found.scope, "events": events}))
    else:
        echo(found.text if format_ == "text" else found.markdown if format_ == "markdown" else found.html)
    if not found.verification.ok:
        raise SystemExit(1)


@audit.command(name="export")
@click.argument("path")
@STORE
@JSON
def audit_export(path: str, store: str | None, as_json: bool) -> None:
    """Write the whole chain as JSON lines to the new file PATH; lmops audit verify --export PATH checks it."""
    with workspace(store, as_json=as_json, must_exist=True) as ws:
        written = ws.audit.export(path)
        head = ws.audit.head()
    echo(to_json({"path": written, "events": head.events}) if as_json else f"{written}: {head.events} events")
