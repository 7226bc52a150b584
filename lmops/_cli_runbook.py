"""``lmops runbook list|show|run``: exit code 0 when every cell ran, 1 when one failed, 2 when it was refused."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from lmops._cli_options import JSON, STORE, echo, end_like_an_interrupt, workspace
from lmops.errors import NotFoundError, RunbookRefusedError
from lmops.text import plain, plain_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lmops.runbooks import Runbook, RunbookRun, Runbooks


#: How a run ends that went well: by what the runbook decided, as the command of the same question ends.
_DECIDED: Final = {
    "fail": 1, "attention": 1, "refused": 1, "worse": 1, "drifted": 1, "drifted_silently": 1,
    "inconclusive": 3, "unknown": 3, "no data": 3,
}  # fmt: skip


@click.group(name="runbook")
def runbook() -> None:
    """Run notebooks as repeatable runbooks."""


@runbook.command(name="list")
@STORE
@JSON
def list_runbooks(store: str | None, as_json: bool) -> None:
    """List the runbooks that can be run by name."""
    with _looking(store, as_json=as_json) as runbooks:
        found = runbooks.list()
    if as_json:
        echo(json.dumps([_plain(one) for one in found], indent=2))
        return
    width = max((len(plain_line(one.name, 200)) for one in found), default=0)
    for one in found:
        title = f"{one.title}  (refused: {one.problem})" if one.problem else one.title
        echo(f"{plain_line(one.name, 200).ljust(width)}  {plain_line(title, 300)}")


@runbook.command(name="show")
@click.argument("name")
@STORE
@JSON
def show_runbook(name: str, store: str | None, as_json: bool) -> None:
    """Show the parameters of the runbook NAME (a name or a path)."""
    with _looking(store, as_json=as_json) as runbooks:
        one = runbooks.show(name)
    echo(json.dumps(_plain(one), indent=2) if as_json else repr(one))


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
@STORE
@JSON
def run_runbook(
    name: str, assignments: tuple[str, ...], timeout_s: float | None, cell_timeout_s: float | None,
    output_dir: str | None, html: bool, quiet: bool, store: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Run the runbook NAME (a name or a path) and record the run.

    Ends with 0 when it went well; with 1 when it failed, or decided against (fail, attention, refused, drifted); with 3
    when it could not tell (inconclusive, unknown, no data); with 2 when it was not run.
    """
    end_like_an_interrupt()
    with workspace(store, as_json=as_json) as ws:
        try:
            run = ws.runbooks.run(
                name, assignments=assignments, timeout_s=timeout_s, cell_timeout_s=cell_timeout_s,
                output_dir=output_dir, html=html, progress=not quiet,
            )  # fmt: skip
        except (RunbookRefusedError, NotFoundError) as error:
            _stop(2, str(error), status="refused", as_json=as_json)
        except KeyboardInterrupt:
            _stop(1, "interrupted; the run is recorded as killed", status="killed", as_json=as_json)
    echo(json.dumps(run.to_dict(), indent=2) if as_json else _summary(run))
    code = 1 if run.status != "ok" else _DECIDED.get(str((run.result or {}).get("decision")), 0)
    if code:
        raise SystemExit(code)


@contextlib.contextmanager
def _looking(store: str | None, *, as_json: bool) -> Iterator[Runbooks]:
    """Yield the runbooks; where there is no store, those of this folder and of the package, and none is made."""
    from lmops.store import has_store

    is_there = bool(store) or has_store(None)
    with workspace(store if is_there else ":memory:", as_json=as_json, must_exist=is_there) as ws:
        yield ws.runbooks


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
    return plain("\n".join(lines))


def _stop(code: int, message: str, *, status: str, as_json: bool) -> NoReturn:
    if as_json:
        echo(json.dumps({"status": status, "error": message}))
    else:
        echo(f"lmops: {message}", err=True)
    raise SystemExit(code)
