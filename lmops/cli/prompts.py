"""``lmops prompt ...``: versions, aliases, files; exit code 0 done, 1 conflict or problem, 2 usage or refused."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lmops.base.terminal import echo
from lmops.cli.aliases import alias_commands, sync_command
from lmops.cli.build import Verb
from lmops.cli.opening import workspace
from lmops.cli.printing import print_record, rows_of, to_json
from lmops.cli.words import ACTOR, JSON, STORE, pair
from lmops.errors import UsageError
from lmops.prompts import Prompts
from lmops.prompts.files import dump, load

if TYPE_CHECKING:
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
        "prompts", Prompts.versions, help="List every version of prompt NAME, newest first.", empty="no versions",
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
    *alias_commands("prompt", Prompts, example="support-answer", data=version_data),
    sync_command(
        "prompt", Prompts, Prompts.sync, example="support-answer", files="NAME.prompt.md", there="the registry"
    ),
    render,
]  # fmt: skip  # a verb's row is short or long as it needs
