"""``lmops runbook list|show|run``: exit code 0 when every cell ran, 1 when one failed, 2 when it was refused."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import click

from lmops.base.terminal import echo
from lmops.cli.build import Verb
from lmops.cli.opening import end, end_like_an_interrupt, stop, workspace
from lmops.cli.printing import print_record, to_json
from lmops.cli.words import AT_LEAST_1, JSON, POSITIVE, QUIET, STORE, Word
from lmops.errors import NotFoundError, RunbookRefusedError
from lmops.runbooks import RunbookRun, Runbooks, show_value
from lmops.store import has_store
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lmops.runbooks import Runbook


@click.command(name="list")
@STORE
@JSON
def list_runbooks(store: str | None, as_json: bool) -> None:
    """List the runbooks that can be run by name."""
    with _looking(store, as_json=as_json) as runbooks:
        found = runbooks.list()
    if as_json:
        echo(to_json([_plain(one) for one in found]))
        return
    width = max((len(plain_line(one.name, 200)) for one in found), default=0)
    for one in found:
        title = f"{one.title}  (refused: {one.problem})" if one.problem else one.title
        echo(f"{plain_line(one.name, 200).ljust(width)}  {plain_line(title, 300)}")


@click.command(name="show")
@click.argument("name")
@STORE
@JSON
def show_runbook(name: str, store: str | None, as_json: bool) -> None:
    """Show the parameters of the runbook NAME (a name or a path)."""
    with _looking(store, as_json=as_json) as runbooks:
        one = runbooks.show(name)
    print_record(one, as_json=as_json, data=_plain)


@click.command(name="run", epilog="Example: lmops runbook run traffic_report -p last=7d")
@click.argument("name")
@click.option(
    "-p", "--parameter", "assignments", multiple=True, metavar="NAME=VALUE", help="Set a parameter; may be repeated."
)
@click.option("--timeout", "timeout_s", type=POSITIVE, metavar="SECONDS", help="Most seconds for the run.")
@click.option("--cell-timeout", "cell_timeout_s", type=POSITIVE, metavar="SECONDS", help="Most seconds for one cell.")
@click.option("--output-dir", metavar="FOLDER", help="Where the run gets its folder; runs/ in the store by default.")
@click.option("--html/--no-html", default=True, help="Write an HTML page that reads offline.")
@QUIET
@STORE
@JSON
def run_runbook(
    name: str,
    assignments: tuple[str, ...],
    timeout_s: float | None,
    cell_timeout_s: float | None,
    output_dir: str | None,
    html: bool,
    quiet: bool,
    store: str | None,
    as_json: bool,
) -> None:
    """Run the runbook NAME (a name or a path) and record the run.

    Ends with 0 when it went well; with 1 when it failed, or decided against (fail, attention, refused, drifted,
    stale); with 3 when it could not tell (inconclusive, unknown, no data, uncalibrated, needs labels); with 2 when it
    was not run.
    """
    end_like_an_interrupt()
    with workspace(store, as_json=as_json) as ws:
        try:
            run = ws.runbooks.run(
                name,
                assignments=assignments,
                timeout_s=timeout_s,
                cell_timeout_s=cell_timeout_s,
                output_dir=output_dir,
                html=html,
                progress=not quiet,
            )
        except (RunbookRefusedError, NotFoundError) as error:
            stop(2, str(error), status="refused", as_json=as_json)
        except KeyboardInterrupt:
            stop(1, "interrupted; the run is recorded as killed", status="killed", as_json=as_json)
    print_record(run, as_json=as_json, text=_summary, data=RunbookRun.to_dict)
    end(run.exit_code)


@contextlib.contextmanager
def _looking(store: str | None, *, as_json: bool) -> Iterator[Runbooks]:
    """Yield the runbooks; where there is no store, those of this folder and of the package, and none is made."""
    is_there = bool(store) or has_store(None)
    with workspace(store if is_there else ":memory:", as_json=as_json, must_exist=is_there) as ws:
        yield ws.runbooks


def _plain(one: Runbook) -> dict[str, object]:
    parameters = [{"name": p.name, "type": str(p.type), "default": p.default, "meaning": p.doc} for p in one.parameters]
    return {
        "name": one.name,
        "title": one.title,
        "path": str(one.path),
        "problem": one.problem,
        "parameters": parameters,
    }


def _summary(run: RunbookRun) -> str:
    """Return the run as a person reads it, with the numbers of its result."""
    result: dict[str, Any] = run.result or {}
    lines = [repr(run)]
    lines += [f"  because {reason}" for reason in result.get("reasons", [])]
    lines += [f"  {key}: {show_value(key, value)}" for key, value in result.get("summary", {}).items()]
    return "\n".join(lines)


def _run_line(run: RunbookRun) -> str:
    decision = (run.result or {}).get("decision") or "-"
    problem = f"  PROBLEM: {plain_line(run.problem, 200)}" if run.problem else ""
    return f"{run.run_id}  {run.started_at:%Y-%m-%d %H:%M:%S}  {run.status:7}  {decision}  {run.name}{problem}"


COMMANDS = [
    list_runbooks,
    show_runbook,
    run_runbook,
    Verb(
        "runbooks",
        Runbooks.runs,
        help="List the newest recorded runs, with what is wrong with their notebooks.",
        words={"limit": Word(help="The most runs.", type=AT_LEAST_1)},
        text=lambda found: "\n".join(map(_run_line, found)) or "no runbook was run",
        data=lambda found: [one.to_dict() for one in found],
    ),
]
