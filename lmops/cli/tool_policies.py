"""``lmops tool-policy ...``, and of ``lmops tool ...`` what waits for a yes and what is switched off."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from lmops.cli.aliases import alias_commands, sync_command
from lmops.cli.build import Verb
from lmops.cli.opening import workspace
from lmops.cli.printing import plain_data, print_record
from lmops.cli.words import ACTOR, AT_LEAST_1, JSON, REASON, STORE, Word
from lmops.errors import UsageError, system_in_words
from lmops.tools import ToolPolicies, Tools

if TYPE_CHECKING:
    from lmops.tools import Decision, ToolPolicy

_NOUN: Final = "tools.policies"
#: What a file says of its version, and not of its content.
_HEAD: Final = ("policy", "version", "hash", "note")
_ASK: Final = Word(metavar="ASK", type=AT_LEAST_1)


def version_data(found: ToolPolicy) -> dict[str, Any]:
    """Return a version as ``--json`` prints it."""
    return {"ref": found.ref, **plain_data(found), "rules": [one.said() for one in found.rules]}


def _decision_text(found: Decision) -> str:
    return f"{found.action}: {found.reason}"


def _object(given: str) -> dict[str, Any]:
    """Return the arguments of a call out of JSON."""
    try:
        found = json.loads(given)
    except json.JSONDecodeError as error:
        raise UsageError(f"--arguments: that is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise UsageError("--arguments: give an object: '{\"amount\": 500}'")
    return found


@click.command(help="Save policy NAME out of a YAML or JSON FILE; the same content again is the same version.")
@click.argument("name")
@click.argument("file")
@click.option("--dry-run", is_flag=True, help="Check everything and change nothing.")
@REASON
@ACTOR
@STORE
@JSON
def save(
    name: str, file: str, dry_run: bool, reason: str | None, acting: str | None, store: str | None, as_json: bool
) -> None:
    """Save a policy out of a file."""
    import yaml

    with workspace(store, as_json=as_json, must_exist=False, actor=acting) as ws:
        with system_in_words(Path(file)):
            text = Path(file).read_text(encoding="utf-8")
        try:
            said = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise UsageError(f"{file} is no YAML: {error}") from error
        if not isinstance(said, dict):
            raise UsageError(f"{file}: a policy is a mapping: 'rules: [{{allow: \"search_*\"}}]'")
        content = {str(part): one for part, one in said.items() if part not in _HEAD}
        found = ws.tools.policies.save_content(name, content, reason=reason, dry_run=dry_run)
        print_record(found, as_json=as_json, text=lambda one: one.text, data=version_data)


#: ``lmops tool-policy ...``
POLICIES: Final[list[click.Command | Verb]] = [
    save,
    Verb(
        _NOUN,
        ToolPolicies.list,
        help="List the policies of tools with their newest version, their aliases and their rules.",
        empty="no policies; lmops tool-policy save NAME FILE makes one",
    ),
    Verb(
        _NOUN,
        ToolPolicies.get,
        "show",
        help="Show one version, such as support@2: its rules, and what happens where none holds.",
        example="lmops tool-policy show support@production",
        text=lambda found: found.text,
        data=version_data,
    ),
    Verb(_NOUN, ToolPolicies.versions, help="List every version of policy NAME, newest first.", empty="no versions"),
    Verb(
        _NOUN,
        ToolPolicies.diff,
        help="Show what changed in policy NAME from version A to version B, a line a rule.",
        text=lambda found: found or "nothing changed",
    ),
    Verb(
        _NOUN,
        ToolPolicies.check,
        help="Say what policy REF decides on a call of TOOL, without making it; exit code 1 unless it is allowed.",
        example="lmops tool-policy check support@production refund --arguments '{\"amount\": 500}' --role agent",
        words={
            "arguments": Word(("--arguments",), "Arguments of the call, a JSON object.", "JSON", read=_object),
            "role": Word(("--role",), "Who calls.", "ROLE"),
        },
        leave_out=("messages", "calls", "schema"),
        text=_decision_text,
        data=plain_data,
        code=lambda found: 0 if found.action in ("allow", "rewrite") else 1,
    ),
    *alias_commands("tool-policy", ToolPolicies, example="support", data=version_data),
    sync_command(
        "tool-policy", ToolPolicies, ToolPolicies.sync, example="support", files="NAME.yaml", there="the policies"
    ),
]

#: Of ``lmops tool ...``
COMMANDS: Final[list[click.Command | Verb]] = [
    Verb(
        "tools",
        Tools.asks,
        help="List the calls that wait for somebody's yes, newest first.",
        words={
            "status": Word(
                ("--status",),
                "waiting, approved, denied, made, expired; all for every one of them.",
                "STATUS",
                read=lambda given: None if given == "all" else given,
            ),
        },
        empty="no call waits for a yes",
    ),
    Verb(
        "tools",
        Tools.ask,
        help="Show the call that waits as number ASK, with its arguments as they will be run.",
        words={"ask": _ASK},
        text=lambda found: found.text,
        data=plain_data,
    ),
    Verb(
        "tools",
        Tools.approve,
        acts=True,
        help="Say yes to the call that waits as number ASK, once and with exactly its arguments.",
        example="lmops tool approve 12 --reason 'I called the customer'",
        words={"ask": _ASK, "seen": Word(("--seen",), "Digest of the call that was shown.", "DIGEST")},
        text=lambda found: found.text,
        data=plain_data,
    ),
    Verb(
        "tools",
        Tools.deny,
        acts=True,
        help="Say no to the call that waits as number ASK, also after a yes that was not used yet.",
        words={"ask": _ASK, "seen": Word(("--seen",), "Digest of the call that was shown.", "DIGEST")},
        text=lambda found: found.text,
        data=plain_data,
    ),
    Verb(
        "tools",
        Tools.disable,
        acts=True,
        help="Switch off tool NAME, in every process at once.",
        example="lmops tool disable refund --reason 'it pays twice'",
        text=lambda found: found.text,
        data=plain_data,
    ),
    Verb(
        "tools",
        Tools.enable,
        acts=True,
        help="Switch on tool NAME again.",
        text=lambda found: found.text,
        data=plain_data,
    ),
    Verb(
        "tools",
        Tools.disabled,
        help="List the tools that are switched off.",
        text=lambda found: "\n".join(one.text for one in found) or "every tool is on",
        data=plain_data,
    ),
]
