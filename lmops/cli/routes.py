"""``lmops route ...``: which prompt and model answers whom, in versions, and switches that are seen at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmops.cli import trials
from lmops.cli.aliases import alias_commands, sync_command
from lmops.cli.build import Verb
from lmops.cli.printing import plain_data
from lmops.cli.words import Word, content_file, pair, pairs
from lmops.errors import UsageError
from lmops.routing import Routing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lmops.routing import Choice, RouteVersion


def version_data(found: RouteVersion) -> dict[str, Any]:
    """Return a version as ``--json`` prints it."""
    return {"ref": found.ref, **plain_data(found)}


_file = content_file("route", example="arms: ...")


def _route(given: Sequence[str]) -> dict[str, Any]:
    """Return a route out of one YAML or JSON file, or of ``PROMPT=SHARE`` again and again."""
    if len(given) == 1 and "=" not in given[0]:
        if not Path(given[0]).is_file():
            raise UsageError(f"{given[0]!r} is no file, and no PROMPT=SHARE such as support-answer@6=0.9")
        return _file(given[0])
    found = {}
    for one in given:
        prompt, share = pair(one, "an arm")
        try:
            found[prompt] = float(share)
        except ValueError:
            raise UsageError(f"{one!r}: give PROMPT=SHARE, such as support-answer@6=0.9") from None
    return found


def _choice(found: Choice) -> dict[str, Any]:
    """Return a choice as ``--json`` prints it."""
    return {**found._asdict(), "settings": plain_data(found.settings)}


def _choice_text(found: Choice) -> str:
    shown = {"prompt": found.settings.prompt, "model": found.settings.model}
    what = ", ".join(f"{name} {one}" for name, one in shown.items() if one)
    moved = "" if found.arm == found.assigned else f" in the place of {found.assigned}"
    return f"{found.arm}{moved} ({found.reason}, {found.route}@{found.version}): {what}"


_ARM = Word(is_argument=True, metavar="[ARM]")

COMMANDS = [
    Verb(
        "routing",
        Routing.set,
        acts=True,
        makes_store=True,
        help="Save route NAME out of a file, or of prompts with their shares, and let it decide from now on.",
        example="lmops route set support support-answer@6=0.9 support-answer@7=0.1 --reason 'a careful start'",
        words={
            "route": Word(is_argument=True, metavar="FILE|PROMPT=SHARE...", is_many=True, read=_route),
            "to": Word(help="The alias that points to it.", metavar="ALIAS"),
            "expected": Word(help="Where you saw the alias; 0: it did not exist.", metavar="VERSION"),
        },
        text=lambda found: found.text,
        data=version_data,
    ),
    Verb(
        "routing",
        Routing.list,
        help="List the routes with their newest version and their aliases.",
        empty="no routes; lmops route set NAME PROMPT=1 makes one",
    ),
    Verb(
        "routing",
        Routing.status,
        "show",
        help="Show how route NAME stands: its live version, switches, and what its arms have spent.",
        text=lambda found: f"{found.text}\n\n{found.version.text}",
        data=plain_data,
    ),
    Verb(
        "routing",
        Routing.get,
        "get",
        help="Show one version, such as support@2: arms, rules, limits.",
        example="lmops route get support@production",
        text=lambda found: found.text,
        data=version_data,
    ),
    Verb("routing", Routing.versions, help="List every version of route NAME, newest first.", empty="no versions"),
    Verb(
        "routing",
        Routing.choose,
        help="Say which arm of route NAME has a key.",
        example="lmops route choose support u1 --context segment=vip",
        words={
            "key": Word(is_argument=True, metavar="[KEY]"),
            "context": Word(
                ("--context",),
                "What rules look at; may be repeated.",
                "KEY=VALUE",
                is_many=True,
                read=pairs("--context"),
            ),
        },
        text=_choice_text,
        data=_choice,
    ),
    Verb(
        "routing",
        Routing.kill,
        acts=True,
        help="Switch off an arm of route NAME, or all of it, in every process at once.",
        example="lmops route kill support next --reason 'it makes things up'",
        words={"arm": _ARM},
        text=lambda found: found.text,
        data=plain_data,
    ),
    Verb(
        "routing",
        Routing.revive,
        acts=True,
        help="Switch on what was switched off.",
        words={"arm": _ARM},
        text=lambda found: found.text,
        data=plain_data,
    ),
    Verb(
        "routing",
        Routing.diff,
        help="Show what changed in route NAME from version A to version B.",
        text=lambda found: found or "nothing changed",
    ),
    *alias_commands("route", Routing, example="support", data=version_data),
    sync_command("route", Routing, Routing.sync, example="support", files="NAME.yaml", there="the routes"),
    *trials.COMMANDS,
]
