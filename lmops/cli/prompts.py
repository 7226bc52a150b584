"""``lmops prompt ...``: versions, aliases, files; exit code 0 done, 1 conflict or problem, 2 usage or refused."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lmops.base.terminal import echo
from lmops.cli.build import Verb
from lmops.cli.opening import workspace
from lmops.cli.printing import print_record, rows_of, to_json
from lmops.cli.words import ACTOR, JSON, STORE, Word, pair, pairs
from lmops.errors import UsageError
from lmops.prompts import Prompts
from lmops.prompts.files import dump, load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lmops.prompts import PromptVersion
    from lmops.prompts.comparisons import PromptComparison
    from lmops.prompts.diffs import PromptDiff


def version_data(found: PromptVersion) -> dict[str, Any]:
    """Return a version as ``--json`` prints it."""
    return {"ref": found.ref, "variables": found.variables} | dataclasses.asdict(found)


def _diff_data(found: PromptDiff) -> dict[str, Any]:
    lines = found.df()
    changed = rows_of(lines[lines["kind"] != "same"])
    return {"stats": found.stats._asdict(), "settings": [one._asdict() for one in found.changes], "lines": changed}


def _comparison_data(found: PromptComparison) -> dict[str, Any]:
    return {"traces": found.traces, "measures": rows_of(found.df()), "caveats": found.caveats}


def _expected(given: str) -> int | str:
    return 0 if given == "0" else given


def _version_rows(found: Sequence[PromptVersion]) -> str:
    lines = (f"{one.ref}  {one.created_at:%Y-%m-%d %H:%M:%S}  {one.author}  {one.note or '-'}" for one in found)
    return "\n".join(lines)


@click.command()
@click.argument("ref")
@STORE
@JSON
def show(ref: str, store: str | None, as_json: bool) -> None:
    """Show one version, such as support-answer@production, as its file reads."""
    with workspace(store, as_json=as_json, must_exist=True) as ws:
        found = ws.prompts.get(ref)
    print_record(found, as_json=as_json, text=_file, data=version_data)


def _file(found: PromptVersion) -> str:
    made = dump(found.name, found.content, version=found.version, note=found.note, author=found.author, tags=found.tags)
    return made.rstrip("\n")


@click.command()
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
    name: str,
    file: str,
    model: str | None,
    params: tuple[str, ...],
    note: str | None,
    tags: tuple[str, ...],
    acting: str | None,
    store: str | None,
    as_json: bool,
) -> None:
    """Save FILE (a template, or a prompt file with front matter; - reads standard input) as a version of NAME."""
    with workspace(store, as_json=as_json, actor=acting) as ws:
        found = load(_text(file))
        content = found.content
        saved = ws.prompts.save(
            name,
            content.messages if content.template is None else content.template,
            model=model or content.model,
            params=content.params | _params(params),
            response_schema=content.response_schema,
            tools=content.tools,
            note=note or found.note,
            tags=[*found.tags, *tags],
        )
        print_record(saved, as_json=as_json, data=version_data)


@click.command(epilog="Example: lmops prompt render support-answer@production question='Dogs?'")
@click.argument("ref")
@click.argument("variables", nargs=-1)
@STORE
@JSON
def render(ref: str, variables: tuple[str, ...], store: str | None, as_json: bool) -> None:
    """Show the messages of version REF with VARIABLES (NAME=TEXT ...) put in."""
    with workspace(store, as_json=as_json, must_exist=True) as ws:
        messages = ws.prompts.get(ref).render(dict(pair(one, "a variable") for one in variables))
    if as_json:
        echo(to_json(messages))
    else:
        echo("\n\n".join(f"[{message['role']}]\n{message['content']}" for message in messages))


@click.command()
@click.argument("name")
@click.argument("alias", default="production")
@click.option("--off", is_flag=True, help="Take the protection away.")
@click.option("--reason", metavar="TEXT", help="Why, for the audit chain.")
@ACTOR
@STORE
@JSON
def protect(
    name: str, alias: str, off: bool, reason: str | None, acting: str | None, store: str | None, as_json: bool
) -> None:
    """Let ALIAS (production by default) of prompt NAME take only versions with evidence that passed."""
    with workspace(store, as_json=as_json, must_exist=True, actor=acting) as ws:
        is_changed = ws.prompts.protect(name, alias, on=not off, reason=reason)
    state = "open" if off else "protected"
    if as_json:
        echo(to_json({"name": name, "alias": alias, "protected": not off, "is_changed": is_changed}))
    else:
        echo(f"{name}@{alias} is {state}{'' if is_changed else ' already'}")


def _params(given: tuple[str, ...]) -> dict[str, Any]:
    found = {}
    for one in given:
        name, value = pair(one, "a parameter")
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


COMMANDS = [
    Verb(
        "prompts", Prompts.list, help="List the prompts with their newest version and their aliases.",
        empty="no prompts; lmops prompt save NAME FILE makes one",
    ),
    show,
    Verb(
        "prompts", Prompts.versions, help="List every version of prompt NAME, oldest first.", text=_version_rows,
        data=lambda found: [version_data(one) for one in found],
    ),
    Verb(
        "prompts", Prompts.diff, help="Show what changed in prompt NAME from version A to version B.",
        text=lambda found: found.text, data=_diff_data,
    ),
    Verb(
        "prompts", Prompts.compare,
        example="lmops prompt compare support-answer 2 3 --last 7d",
        help="Show how VERSIONS of prompt NAME behaved in the traces that used them.",
        text=lambda found: found.text, data=_comparison_data,
    ),
    save,
    Verb(
        "prompts", Prompts.promote,
        example="lmops prompt promote support-answer 3 --to production --evidence verdict-1f2e --dry-run",
        acts=True,
        help="Point an alias of prompt NAME to VERSION (a number, an alias or sha256:PREFIX).",
        words={
            "to": Word(help="The alias to move, such as production.", metavar="ALIAS"),
            "evidence": Word(help="A verdict that passed; may be repeated.", metavar="ID", is_many=True),
            "force": Word(help="To a protected alias without evidence; needs --reason."),
            "expected": Word(help="Where you saw the alias; 0: it did not exist.", metavar="VERSION", read=_expected),
        },
    ),
    Verb(
        "prompts", Prompts.rollback,
        example="lmops prompt rollback support-answer --reason 'unsupported claims' --dry-run",
        acts=True,
        help="Point an alias of prompt NAME back to the version that was there before.",
        words={
            "alias": Word(help="The alias to move back.", metavar="ALIAS"),
            "expected": Word(
                help="The version to leave; refused when another one is there.", metavar="VERSION", read=_expected
            ),
        },
    ),
    Verb(
        "prompts", Prompts.history, help="Show every move of the aliases of prompt NAME, oldest first.",
        words={"alias": Word(help="Only this alias.", metavar="ALIAS")}, empty="no alias was ever moved",
    ),
    Verb(
        "prompts", Prompts.at,
        example="lmops prompt at support-answer@production '2026-10-21 02:13'",
        data=version_data,
        help="Show which version REF (such as support-answer@production) meant at the time WHEN (UTC without a zone).",
    ),
    protect,
    Verb(
        "prompts", Prompts.sync,
        example="lmops prompt sync prompts/ --take support-answer=file",
        acts=True, makes_store=True,
        help="Bring the files NAME.prompt.md in FOLDER and the registry together; exit code 1 when a conflict is left.",
        words={
            "names": Word(("--only",), "Only this prompt; may be repeated.", "NAME"),
            "take": Word(
                help="Settle a conflict: SIDE is file or registry.", metavar="NAME=SIDE", is_many=True,
                read=pairs("--take"),
            ),
            "restore": Word(help="Write the files again that were removed."),
        },
        text=lambda found: found.text,
        data=lambda found: {"ok": found.ok, "entries": [entry._asdict() for entry in found.entries]},
        code=lambda found: 0 if found.ok else 1,
    ),
    render,
    Verb(
        "prompts", Prompts.verify, help="Hold versions and aliases against the audit chain; exit code 1 when one is "
        "not what was saved or moved.",
        text=lambda found: "\n".join(found) or "every version and alias is what was saved and moved",
        data=lambda found: {"ok": not found, "problems": found}, code=lambda found: 1 if found else 0,
    ),
]  # fmt: skip
