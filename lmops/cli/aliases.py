"""The commands of nouns whose things have versions: of their aliases, what holds both, and files of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lmops.base.terminal import echo
from lmops.cli.build import Verb
from lmops.cli.opening import workspace
from lmops.cli.printing import to_json
from lmops.cli.words import ACTOR, JSON, STORE, Word, pairs

if TYPE_CHECKING:
    from collections.abc import Callable

    from lmops.records import Versioned


def _expected(given: str) -> int | str:
    return 0 if given == "0" else given


def alias_commands(
    thing: str,
    noun: type[Versioned[Any]],
    *,
    example: str,
    data: Callable[[Any], Any],
    group: str | None = None,
) -> list[click.Command | Verb]:
    """Return the commands of the aliases of one noun, and the one that verifies its versions.

    Args:
        thing: What one of its things is called, such as "prompt"; its commands are "lmops prompt ...".
        noun: Its class.
        example: A name that somebody would type.
        data: What ``--json`` prints of a version.
        group: The group of its commands; that of the thing by default.
    """
    place, group = noun.KIND.noun, group or thing
    return [
        *_moves(thing, noun, example, group),
        Verb(
            place,
            noun.history,
            help=f"Show every move of the aliases of {thing} NAME, oldest first.",
            words={"alias": Word(help="Only this alias.", metavar="ALIAS")},
            empty="no alias was ever moved",
        ),
        Verb(
            place,
            noun.at,
            example=f"lmops {group} at {example}@production '2026-10-21 02:13'",
            data=data,
            help=f"Show which version REF (such as {example}@production) meant at the time WHEN (UTC without a zone).",
        ),
        _protect(thing, place),
        Verb(
            place,
            noun.verify,
            help="Hold versions and aliases against the audit chain; exit code 1 when one is not what was saved or "
            "moved.",
            text=lambda found: "\n".join(found) or "every version and alias is what was saved and moved",
            data=lambda found: {"ok": not found, "problems": found},
            code=lambda found: 1 if found else 0,
        ),
    ]


def _moves(thing: str, noun: type[Versioned[Any]], example: str, group: str) -> list[click.Command | Verb]:
    place = noun.KIND.noun
    return [
        Verb(
            place,
            noun.promote,
            example=f"lmops {group} promote {example} 3 --to production --evidence verdict-1f2e --dry-run",
            acts=True,
            help=f"Point an alias of {thing} NAME to VERSION (a number, an alias or sha256:PREFIX).",
            words={
                "to": Word(help="The alias to move, such as production.", metavar="ALIAS"),
                "evidence": Word(help="A verdict that passed; may be repeated.", metavar="ID", is_many=True),
                "force": Word(help="To a protected alias without evidence; needs --reason."),
                "expected": Word(
                    help="Where you saw the alias; 0: it did not exist.", metavar="VERSION", read=_expected
                ),
            },
        ),
        Verb(
            place,
            noun.rollback,
            example=f"lmops {group} rollback {example} --reason 'unsupported claims' --dry-run",
            acts=True,
            help=f"Point an alias of {thing} NAME back to the version that was there before.",
            words={
                "alias": Word(help="The alias to move back.", metavar="ALIAS"),
                "expected": Word(
                    help="The version to leave; refused when another one is there.", metavar="VERSION", read=_expected
                ),
            },
        ),
    ]


def _protect(thing: str, place: str) -> click.Command:
    @click.command(
        help=f"Let ALIAS (production by default) of {thing} NAME take only versions with evidence that passed."
    )
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
        with workspace(store, as_json=as_json, must_exist=True, actor=acting) as ws:
            is_changed = getattr(ws, place).protect(name, alias, on=not off, reason=reason)
        state = "open" if off else "protected"
        if as_json:
            echo(to_json({"name": name, "alias": alias, "protected": not off, "is_changed": is_changed}))
        else:
            echo(f"{name}@{alias} is {state}{'' if is_changed else ' already'}")

    return protect


def sync_command(
    thing: str,
    noun: type[Versioned[Any]],
    verb: Callable[..., Any],
    *,
    example: str,
    files: str,
    there: str,
    group: str | None = None,
) -> Verb:
    """Return the command that brings files and versions of one noun together.

    Args:
        thing: What one of its things is called, such as "route"; the command is "lmops route sync".
        noun: Its class.
        verb: Its method, such as ``Routing.sync``.
        example: A name that somebody would type.
        files: How the files are called, such as "NAME.yaml".
        there: What they are brought together with, in words.
        group: The group of the command; that of the thing by default.
    """
    return Verb(
        noun.KIND.noun,
        verb,
        acts=True,
        makes_store=True,
        help=f"Bring the files {files} in FOLDER and {there} together; exit code 1 when a conflict is left.",
        example=f"lmops {group or thing} sync {group or f'{thing}s'}/ --take {example}=file",
        words={
            "names": Word(("--only",), f"Only this {thing}; may be repeated.", "NAME"),
            "take": Word(
                help="Settle a conflict: SIDE is file or registry.",
                metavar="NAME=SIDE",
                is_many=True,
                read=pairs("--take"),
            ),
            "restore": Word(help="Write the files again that were removed."),
        },
        text=lambda found: found.text,
        data=lambda found: {"ok": found.ok, "entries": [entry._asdict() for entry in found.entries]},
        code=lambda found: 0 if found.ok else 1,
    )
