"""``lmops runbook list|show|run``: exit code 0 when every cell ran, 1 when one failed, 2 when it was refused."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any, NoReturn

import click

from lmops.errors import LmopsError, NotFoundError, RunbookRefusedError

if TYPE_CHECKING:
    from types import FrameType

    from lmops.runbooks import Runbook, RunbookRun, Runbooks

_STORE = click.option("--store", metavar="PATH", help="The store's folder; found upward from here by default.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(name="runbook")
def runbook() -> None:
    """Run notebooks as repeatable runbooks."""


@runbook.command(name="list")
@_STORE
@_JSON
def list_runbooks(store: str | None, as_json: bool) -> None:
    """List the runbooks that can be run by name."""
    found = _runbooks(store, as_json=as_json).list()
    if as_json:
        click.echo(json.dumps([_plain(one) for one in found], indent=2))
        return
    width = max((len(one.name) for one in found), default=0)
    for one in found:
        click.echo(f"{one.name.ljust(width)}  {one.title}" + (f"  (refused: {one.problem})" if one.problem else ""))


@runbook.command(name="show")
@click.argument("name")
@_STORE
@_JSON
def show_runbook(name: str, store: str | None, as_json: bool) -> None:
    """Show the parameters of the runbook NAME (a name or a path)."""
    try:
        one = _runbooks(store, as_json=as_json).show(name)
    except NotFoundError as error:
        _stop(2, str(error), as_json=as_json)
    click.echo(json.dumps(_plain(one), indent=2) if as_json else repr(one))


@runbook.command(name="run")
@click.argument("name")
@click.option(
    "-p", "--parameter", "assignments", multiple=True, metavar="NAME=VALUE", help="Set a parameter; may be repeated."
)
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Most seconds for the run.",
)
@click.option(
    "--cell-timeout",
    "cell_timeout_s",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Most seconds for one cell.",
)
@click.option("--output-dir", metavar="FOLDER", help="Where the run gets its folder; runs/ in the store by default.")
@click.option("--html/--no-html", default=True, help="Write an HTML page that reads offline.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
@_STORE
@_JSON
def run_runbook(
    name: str, assignments: tuple[str, ...], timeout_s: float | None, cell_timeout_s: float | None,
    output_dir: str | None, html: bool, quiet: bool, store: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Run the runbook NAME (a name or a path) and record the run."""
    # a scheduler stops a job with SIGTERM: let it end like Ctrl+C, with the kernel dead and the run recorded
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        run = _runbooks(store, as_json=as_json).run(
            name, assignments=assignments, timeout_s=timeout_s, cell_timeout_s=cell_timeout_s, output_dir=output_dir,
            html=html, progress=not quiet,
        )  # fmt: skip
    except (RunbookRefusedError, NotFoundError) as error:
        _stop(2, str(error), as_json=as_json)
    except LmopsError as error:
        _stop(1, str(error), as_json=as_json, status="error")
    except KeyboardInterrupt:
        _stop(1, "interrupted; the run is recorded as killed", as_json=as_json)
    click.echo(json.dumps(run.to_dict(), indent=2) if as_json else _summary(run))
    if run.status != "ok":
        raise SystemExit(1)


def _runbooks(store: str | None, *, as_json: bool) -> Runbooks:
    import lmops

    try:
        workspace: Any = lmops.open(store)
    except LmopsError as error:
        _stop(1, str(error), as_json=as_json, status="error")
    runbooks: Runbooks = workspace.runbooks
    return runbooks


def _plain(one: Runbook) -> dict[str, object]:
    parameters = [{"name": p.name, "type": str(p.type), "default": p.default, "meaning": p.doc} for p in one.parameters]
    return {
        "name": one.name, "title": one.title, "path": str(one.path), "problem": one.problem, "parameters": parameters,
    }  # fmt: skip


def _summary(run: RunbookRun) -> str:
    """Return the run as a person reads it, with the numbers of its result."""
    from lmops.runbooks import show_value

    result: dict[str, Any] = run.result or {}
    lines = [repr(run)]
    lines += [f"  because {reason}" for reason in result.get("reasons", [])]
    lines += [f"  {key}: {show_value(key, value)}" for key, value in result.get("summary", {}).items()]
    return "\n".join(lines)


def _stop(code: int, message: str, *, as_json: bool, status: str | None = None) -> NoReturn:
    if as_json:
        click.echo(json.dumps({"status": status or ("refused" if code == 2 else "killed"), "error": message}))
    else:
        click.echo(f"lmops: {message}", err=True)
    raise SystemExit(code)


def _interrupt(signum: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - the signature is signal's
    raise KeyboardInterrupt
