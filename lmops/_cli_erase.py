"""``lmops erase``: remove a person, a session or traces with all that was made of them; says first what that is."""

from __future__ import annotations

import json

import click

from lmops._cli_options import ACTOR, JSON, REASON, STORE, echo, workspace


@click.command()
@click.option("--user-id", metavar="ID", help="Every trace of this user.")
@click.option("--session-id", metavar="ID", help="Every trace of this session.")
@click.option("--trace-id", "trace_ids", multiple=True, metavar="ID", help="This trace; may be repeated.")
@click.option("--where", metavar="CONDITION", help="Traces by a condition, as for lmops search.")
@click.option("--yes", is_flag=True, help="Erase it; without this, only say what would go.")
@REASON
@ACTOR
@STORE
@JSON
def erase(
    user_id: str | None, session_id: str | None, trace_ids: tuple[str, ...], where: str | None, yes: bool,
    reason: str | None, actor: str | None, store: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Erase traces with all that was made of them: a dry run unless --yes and a --reason are given.

    Spans, long texts, cached answers, executed notebooks go; examples and evaluated cases keep their numbers and lose
    their texts. Backups are listed and not touched. Exit code 1 when something could not be erased.
    """
    with workspace(store, as_json=as_json, must_exist=True, actor=actor) as ws:
        report = ws.erase(
            user_id=user_id, session_id=session_id, trace_ids=list(trace_ids) or None, where=where, reason=reason,
            dry_run=not yes,
        )  # fmt: skip
    echo(json.dumps(report.to_dict(), indent=2) if as_json else repr(report))
    if report.left:
        raise SystemExit(1)
