"""``lmops prompt ...``: versions, aliases, files; exit code 0 done, 1 conflict or problem, 2 usage or refused."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lmops._cli_options import ACTOR, DRY_RUN, JSON, REASON, STORE, echo, print_frame, print_record, to_json, workspace
from lmops.errors import UsageError

if TYPE_CHECKING:
    from lmops.prompts import Prompts, PromptVersion
    from lmops.workspace import Workspace


@click.group(name="prompt")
def prompt() -> None:
    """Save, compare, release and roll back prompts."""


@prompt.command(name="list")
@STORE
@JSON
def list_prompts(store: str | None, as_json: bool) -> None:
    """List the prompts with their newest version and their aliases."""
    with workspace(store, as_json=as_json, must_exist=True) as ws:
        print_frame(ws.prompts.list(), as_json=as_json, empty="no prompts; lmops prompt save NAME FILE makes one")


@prompt.command()
@click.argument("ref")
@STORE
@JSON
def show(ref: str, store: str | None, as_json: bool) -> None:
    """Show one version, such as support-answer@production, as its file reads."""
    from lmops.prompts._files import dump
    from lmops.text import plain

    with workspace(store, as_json=as_json, must_exist=True) as ws:
        found = ws.prompts.get(ref)
    if as_json:
        echo(to_json(_plain(found)))
        return
    text = dump(found.name, found.content, version=found.version, note=found.note, author=found.author, tags=found.tags)
    echo(plain(text).rstrip("\n"))


@prompt.command(name="diff")
@click.argument("name")
@click.argument("a")
@click.argument("b")
@STORE
@JSON
def diff_versions(name: str, a: str, b: str, store: str | None, as_json: bool) -> None:
    """Show what changed in prompt NAME from version A to version B."""
    with workspace(store, as_json=as_json, must_exist=True) as ws:
        found = _records(ws).diff(name, a, b)
    if as_json:
        lines = found.df()
        settings = [change._asdict() for change in found.changes]
        changed = json.loads(lines[lines["kind"] != "same"].to_json(orient="records"))
        echo(to_json({"stats": found.stats._asdict(), "settings": settings, "lines": changed}))
    else:
        echo(found.text)


@prompt.command()
@click.argument("name")
@click.argument("versions", nargs=-1, required=True)
@click.option("--last", metavar="7d", help="Back from now, or from the newest trace of an archive.")
@click.option("--environment", metavar="NAME", help="Only traces of this environment.")
@STORE
@JSON
def compare(
    name: str, versions: tuple[str, ...], last: str | None, environment: str | None, store: str | None, as_json: bool
) -> None:
    """Show how VERSIONS of prompt NAME behaved in the traces that used them."""
    with workspace(store, as_json=as_json, must_exist=True) as ws:
        found = _records(ws).compare(name, versions, last=last, environment=environment)
    if as_json:
        measures = json.loads(found.df().to_json(orient="records"))
        echo(to_json({"traces": found.traces, "measures": measures, "caveats": found.caveats}))
    else:
        echo(found.text)


@prompt.command()
@click.argument("name")
@click.argument("file")
@click.option("--model", metavar="NAME", help="The model it is written for.")
@click.option("--param", "params", multiple=True, metavar="NAME=JSON", help="A parameter of the call; may be repeated.")
@click.option("--note", metavar="TEXT", help="Why this version.")
@click.option("--tag", "tags", multiple=True, metavar="WORD", help="A word to find it by; may be repeated.")
@ACTOR
@STORE
@JSON
def save(
    name: str, file: str, model: str | None, params: tuple[str, ...], note: str | None, tags: tuple[str, ...],
    actor: str | None, store: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Save FILE (a template, or a prompt file with front matter; - reads standard input) as a version of NAME."""
    from lmops.prompts._files import load

    with workspace(store, as_json=as_json, actor=actor) as ws:
        found = load(_text(file))
        content = found.content
        saved = ws.prompts.save(
            name, content.messages if content.template is None else content.template, model=model or content.model,
            params=content.params | _params(params), response_schema=content.response_schema, tools=content.tools,
            note=note or found.note, tags=[*found.tags, *tags],
        )  # fmt: skip
    echo(to_json(_plain(saved)) if as_json else repr(saved))


@prompt.command()
@click.argument("name")
@click.argument("version")
@click.option("--to", required=True, metavar="ALIAS", help="The alias to move, such as production.")
@click.option("--evidence", multiple=True, metavar="ID", help="A verdict that passed; may be repeated.")
@REASON
@click.option("--force", is_flag=True, help="To a protected alias without evidence; needs --reason.")
@click.option("--expected", metavar="VERSION", help="Where you saw the alias; 0: it did not exist.")
@DRY_RUN
@ACTOR
@STORE
@JSON
def promote(
    name: str, version: str, to: str, evidence: tuple[str, ...], reason: str | None, force: bool, expected: str | None,
    dry_run: bool, actor: str | None, store: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Point an alias of prompt NAME to VERSION (a number, an alias or sha256:PREFIX)."""
    with workspace(store, as_json=as_json, must_exist=True, actor=actor) as ws:
        moved = ws.prompts.promote(
            name, version, to=to, evidence=list(evidence) or None, reason=reason, force=force,
            expected=_expected(expected), dry_run=dry_run,
        )  # fmt: skip
        print_record(moved, as_json=as_json)


@prompt.command()
@click.argument("name")
@click.option("--alias", default="production", show_default=True, metavar="ALIAS", help="The alias to move back.")
@click.option("--reason", required=True, metavar="TEXT", help="Why, for the audit chain.")
@click.option("--expected", metavar="VERSION", help="The version to leave; refused when another one is there.")
@DRY_RUN
@ACTOR
@STORE
@JSON
def rollback(
    name: str, alias: str, reason: str, expected: str | None, dry_run: bool, actor: str | None, store: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Point an alias of prompt NAME back to the version that was there before."""
    with workspace(store, as_json=as_json, must_exist=True, actor=actor) as ws:
        moved = ws.prompts.rollback(name, alias=alias, reason=reason, expected=_expected(expected), dry_run=dry_run)
        print_record(moved, as_json=as_json)


@prompt.command()
@click.argument("name")
@click.option("--alias", metavar="ALIAS", help="Only this alias.")
@STORE
@JSON
def history(name: str, alias: str | None, store: str | None, as_json: bool) -> None:
    """Show every move of the aliases of prompt NAME, oldest first."""
    with workspace(store, as_json=as_json, must_exist=True) as ws:
        print_frame(ws.prompts.history(name, alias=alias), as_json=as_json, empty="no alias was ever moved")


@prompt.command()
@click.argument("ref")
@click.argument("when")
@STORE
@JSON
def at(ref: str, when: str, store: str | None, as_json: bool) -> None:
    """Show which version REF (such as support-answer@production) meant at the time WHEN (UTC without a zone)."""
    with workspace(store, as_json=as_json, must_exist=True) as ws:
        found = ws.prompts.at(ref, when)
    echo(to_json(_plain(found)) if as_json else repr(found))


@prompt.command()
@click.argument("name")
@click.argument("alias", default="production")
@click.option("--off", is_flag=True, help="Take the protection away.")
@REASON
@ACTOR
@STORE
@JSON
def protect(
    name: str, alias: str, off: bool, reason: str | None, actor: str | None, store: str | None, as_json: bool
) -> None:
    """Let ALIAS (production by default) of prompt NAME take only versions with evidence that passed."""
    with workspace(store, as_json=as_json, must_exist=True, actor=actor) as ws:
        is_changed = ws.prompts.protect(name, alias, on=not off, reason=reason)
    state = "open" if off else "protected"
    if as_json:
        echo(to_json({"name": name, "alias": alias, "protected": not off, "is_changed": is_changed}))
    else:
        echo(f"{name}@{alias} is {state}{'' if is_changed else ' already'}")


@prompt.command()
@click.argument("folder")
@click.option("--only", "names", multiple=True, metavar="NAME", help="Only this prompt; may be repeated.")
@click.option("--take", multiple=True, metavar="NAME=SIDE", help="Settle a conflict: SIDE is file or registry.")
@click.option("--restore", is_flag=True, help="Write the files again that were removed.")
@DRY_RUN
@ACTOR
@STORE
@JSON
def sync(
    folder: str, names: tuple[str, ...], take: tuple[str, ...], restore: bool, dry_run: bool, actor: str | None,
    store: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Bring the files NAME.prompt.md in FOLDER and the registry together; exit code 1 when a conflict is left."""
    with workspace(store, as_json=as_json, actor=actor) as ws:
        sides: dict[str, Any] = dict(_pair(one, "--take") for one in take)
        report = ws.prompts.sync(folder, names=names or None, take=sides, restore=restore, dry_run=dry_run)
    if as_json:
        echo(to_json({"ok": report.ok, "entries": [entry._asdict() for entry in report.entries]}))
    else:
        echo(report.text)
    if not report.ok:
        raise SystemExit(1)


@prompt.command()
@click.argument("ref")
@click.argument("variables", nargs=-1)
@STORE
@JSON
def render(ref: str, variables: tuple[str, ...], store: str | None, as_json: bool) -> None:
    """Show the messages of version REF with VARIABLES (NAME=TEXT ...) put in."""
    from lmops.text import plain

    with workspace(store, as_json=as_json, must_exist=True) as ws:
        messages = ws.prompts.get(ref).render(dict(_pair(one, "a variable") for one in variables))
    if as_json:
        echo(to_json(messages))
    else:
        echo("\n\n".join(f"[{message['role']}]\n{plain(message['content'])}" for message in messages))


@prompt.command()
@STORE
@JSON
def verify(store: str | None, as_json: bool) -> None:
    """Hold versions and aliases against the audit chain; exit code 1 when one is not what was saved or moved."""
    with workspace(store, as_json=as_json, must_exist=True) as ws:
        problems = ws.prompts.verify()
    if as_json:
        echo(to_json({"ok": not problems, "problems": problems}))
    else:
        echo("\n".join(problems) or "every version and alias is what was saved and moved")
    if problems:
        raise SystemExit(1)


def _records(ws: Workspace) -> Prompts:
    """Return the prompts without their widgets: a command prints."""
    from lmops.prompts import Prompts

    return Prompts(ws.store, actor=ws.actor)


def _plain(found: PromptVersion) -> dict[str, Any]:
    more = {"ref": found.ref, "variables": found.variables}
    return more | dataclasses.asdict(found)


def _expected(given: str | None) -> int | str | None:
    return 0 if given == "0" else given


def _pair(given: str, what: str) -> tuple[str, str]:
    name, equals, value = given.partition("=")
    if not equals or not name:
        raise UsageError(f"{given!r} is not {what}: write NAME=VALUE")
    return name, value


def _params(given: tuple[str, ...]) -> dict[str, Any]:
    found = {}
    for one in given:
        name, value = _pair(one, "a parameter")
        try:
            found[name] = json.loads(value)
        except ValueError:
            raise UsageError(f"--param {one!r}: {value!r} is no JSON; text goes in double quotes") from None
    return found


def _text(file: str) -> str:
    if file == "-":
        return sys.stdin.read()
    try:
        return Path(file).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}") from None
