"""``lmops audit ...``: verify, report and export the audit chain; exit code 1 at a broken link."""

from __future__ import annotations

import json

import click

from lmops._cli_options import JSON, STORE, errors_in_words, print_record, to_json, workspace


@click.group(name="audit")
def audit() -> None:
    """The audit chain: who changed what."""


@audit.command(name="verify")
@click.option("--anchor", metavar="LINE", help="A head kept elsewhere (lmops audit head): the chain goes through it.")
@click.option("--export", "path", metavar="FILE", help="Check this exported chain instead of the store's.")
@STORE
@JSON
def audit_verify(anchor: str | None, path: str | None, store: str | None, as_json: bool) -> None:
    """Check every link of the audit chain; exit code 1 at the first broken one."""
    from lmops.audit import verify_export

    with errors_in_words(as_json=as_json):
        if path is None:
            with workspace(store, as_json=as_json, must_exist=True) as ws:
                found = ws.audit.verify(anchor=anchor)
        else:
            found = verify_export(path, anchor=anchor)
    print_record(found, as_json=as_json)
    if not found.ok:
        raise SystemExit(1)


@audit.command(name="head")
@STORE
@JSON
def audit_head(store: str | None, as_json: bool) -> None:
    """Print where the chain ends, as one line to keep elsewhere."""
    with workspace(store, as_json=as_json, must_exist=True) as ws:
        head = ws.audit.head()
    click.echo(to_json({"events": head.events, "hash": head.hash, "line": head.line}) if as_json else head.line)


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
        click.echo(to_json({"ok": found.verification.ok, "scope": found.scope, "events": events}))
    else:
        click.echo(found.text if format_ == "text" else found.markdown if format_ == "markdown" else found.html)
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
    click.echo(to_json({"path": written, "events": head.events}) if as_json else f"{written}: {head.events} events")
