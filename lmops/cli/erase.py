"""``lmops erase``: remove a person, a session or traces with all that was made of them; says first what that is."""

from __future__ import annotations

import click

from lmops.base.terminal import echo
from lmops.cli.opening import end, workspace
from lmops.cli.printing import to_json
from lmops.cli.words import ACTOR, JSON, STORE, option


@click.command(epilog="Example: lmops erase --user-id u-4711 --reason 'asked to be forgotten' --yes")
@click.option("--user-id", metavar="ID", help="Every trace of this user.")
@click.option("--session-id", metavar="ID", help="Every trace of this session.")
@click.option("--trace-id", "trace_ids", multiple=True, metavar="ID", help="This trace; may be repeated.")
@click.option("--where", metavar="CONDITION", help="Traces by a condition, as for lmops search.")
@click.option(
    "--example",
    "examples",
    multiple=True,
    metavar="NAME/ID",
    help="This example of a data set (NAME@VERSION/ID: as it is in one version); may be repeated.",
)
@click.option(
    "--word", "words", multiple=True, metavar="WORD", help="What shows this word of the person; may be repeated."
)
@click.option("--yes", is_flag=True, help="Erase it; without this, only say what would go.")
@option("reason")
@ACTOR
@STORE
@JSON
def erase(
    user_id: str | None,
    session_id: str | None,
    trace_ids: tuple[str, ...],
    where: str | None,
    examples: tuple[str, ...],
    words: tuple[str, ...],
    yes: bool,
    reason: str | None,
    acting: str | None,
    store: str | None,
    as_json: bool,
) -> None:
    """Erase traces with all that was made of them: a dry run unless --yes and a --reason are given.

    Spans, long texts, cached answers, executed notebooks go; examples and evaluated cases keep their numbers and lose
    their texts. Backups are listed and not touched. Exit code 1 when something could not be erased.
    """
    with workspace(store, as_json=as_json, must_exist=True, actor=acting) as ws:
        report = ws.erase(
            user_id=user_id,
            session_id=session_id,
            trace_ids=list(trace_ids) or None,
            where=where,
            examples=examples or None,
            words=words or None,
            reason=reason,
            dry_run=not yes,
        )
    echo(to_json(report.to_dict()) if as_json else repr(report))
    end(1 if report.left else 0)
