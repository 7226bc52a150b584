"""``lmops tool ...``: tools in versions, what may be called, recordings, quality."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from lmops.base.shown import text_of
from lmops.cli.aliases import alias_commands, sync_command
from lmops.cli.build import Verb
from lmops.cli.opening import end, workspace
from lmops.cli.printing import plain_data, print_record, to_json
from lmops.cli.tool_policies import COMMANDS as POLICIES
from lmops.cli.tool_quality import COMMANDS as QUALITY
from lmops.cli.words import ACTOR, JSON, STORE, Word, task
from lmops.errors import UsageError
from lmops.tools import Tools

if TYPE_CHECKING:
    from lmops.tools import ToolVersion


def version_data(found: ToolVersion) -> dict[str, Any]:
    """Return a version as ``--json`` prints it."""
    return {"ref": found.ref, **plain_data(found)}


@click.command(
    help="Call a function as the tool that it is, with arguments in JSON; exit code 1 when it returns nothing that "
    "fits. Its code is run.",
    epilog='Example: lmops tool call --from shop.tools:refund \'{"order": "A1"}\'',
)
@click.option("--from", "place", required=True, metavar="MODULE:FUNCTION", help="Where the function is.")
@click.argument("arguments", default="{}", metavar="[JSON|-]")
@ACTOR
@STORE
@JSON
def call(place: str, arguments: str, acting: str | None, store: str | None, as_json: bool) -> None:
    """Call a function as a tool."""
    text = sys.stdin.read() if arguments == "-" else arguments
    with workspace(store, as_json=as_json, must_exist=False, actor=acting) as ws:
        function = task(place)
        if not callable(function):
            raise UsageError(f"--from {place}: give MODULE:FUNCTION, such as shop.tools:refund")
        name = str(getattr(function, "__name__", "tool"))
        # What was said of it when it was decorated is in its newest version, and stays so.
        known = ws.tools.get(name) if name in set(ws.tools.list()["name"]) else None
        if known is None:
            ws.tools.tool(function)
        else:
            ws.tools.tool(
                description=known.description,
                is_idempotent=known.is_idempotent,
                is_read_only=known.is_read_only,
                timeout_s=known.timeout_s,
            )(function)
        found = ws.tools.call(name, text)
        print_record(found, as_json=as_json, text=text_of, data=plain_data)
    end(0 if found.ok else 1)


#: How what is read is said in a shell.
_READ = {
    "source": Word(is_argument=True, metavar="FILE"),
    "only": Word(("--only",), "Only this tool of it; may be repeated.", "NAME", is_many=True),
}
COMMANDS: list[click.Command | Verb] = [
    Verb(
        "tools",
        Tools.list,
        help="List the tools with their newest version.",
        empty="no tools; @ws.tools.tool makes one of a function, lmops tool read FILE reads an MCP list",
    ),
    Verb(
        "tools",
        Tools.get,
        "show",
        help="Show one version, such as refund@2: what it does and its arguments.",
        example="lmops tool show refund",
        text=text_of,
        data=version_data,
    ),
    Verb("tools", Tools.versions, help="List every version of tool NAME, newest first.", empty="no versions"),
    Verb(
        "tools",
        Tools.diff,
        help="Show what changed in tool NAME from version A to version B, line by line.",
        text=lambda found: found or "nothing changed",
    ),
    Verb(
        "tools",
        Tools.offered,
        help="Print tools as a provider is told of them, as JSON.",
        example="lmops tool offered refund look_up --dialect anthropic",
        words={
            "names": Word(is_argument=True, metavar="NAME...", is_many=True, is_needed=True),
            "dialect": Word(
                ("--dialect",), "openai, openai_strict, responses, responses_strict, anthropic or mcp.", "NAME"
            ),
        },
        text=to_json,
        data=lambda found: found,
    ),
    Verb(
        "tools",
        Tools.read,
        help="Save the tools of FILE: an MCP server's tools/list, or an OpenAPI document. Nothing is fetched.",
        example="lmops tool read openapi.yaml --only getOrder --dry-run",
        words=_READ,
        leave_out=("call",),
        acts=True,
        makes_store=True,
        empty="it has no tools",
    ),
    call,
    *alias_commands("tool", Tools, example="refund", data=version_data),
    sync_command("tool", Tools, Tools.sync, example="refund", files="NAME.yaml", there="the tools"),
    *POLICIES,
    *QUALITY,
]
