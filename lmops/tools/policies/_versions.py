"""What a version of a policy is in the store, and how it is filed: one YAML file a policy, and back without loss."""

from __future__ import annotations

import difflib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import DamagedStoreError, UsageError
from lmops.records import (
    ContentFile,
    Kind,
    check_word,
    content_text,
    read_content,
    text_hash,
    told,
    write_content,
)
from lmops.text import plain_line
from lmops.tools.policies.rules import SAID, ToolPolicy, body_of, rule_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from lmops.records import Change, Row, Versions
    from lmops.store import Store

_THING: Final = "tool policy"


def made_of(body: Mapping[str, Any], **_told: Any) -> ToolPolicy:
    """Return a policy of its content and what is told of its version."""
    rest = {name: body[name] for name in SAID if name != "rules"}
    return ToolPolicy(rules=tuple(rule_of(one) for one in body["rules"]), **rest, **_told)


def row_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of a new version."""
    return {"body": content_text(_THING, body)}


def content_of(version: ToolPolicy) -> dict[str, Any]:
    """Return the content of a version as somebody says it, in Python and in files."""
    return {"rules": [one.said() for one in version.rules], **{name: getattr(version, name) for name in SAID[1:]}}


def lines_of(version: ToolPolicy) -> list[str]:
    """Return the content of a version as lines that can be compared: one a rule, in their order."""
    said = content_of(version)
    rules = [f"{one['name']}: {json.dumps(one, ensure_ascii=False)}" for one in said.pop("rules")]
    return [*rules, *(f"{name}: {json.dumps(one)}" for name, one in said.items())]


def diff_of(one: ToolPolicy, two: ToolPolicy, *, called: str) -> str:
    """Return what changed from one content to another, line by line; "" for nothing."""
    return "\n".join(difflib.unified_diff(lines_of(one), lines_of(two), one.ref, called, n=0, lineterm=""))


def _read(_store: Store, _con: sqlite3.Connection, row: Row) -> ToolPolicy:
    try:
        return made_of(json.loads(row["body"]), **told(row))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DamagedStoreError(f"{row['name']}@{row['version']}: it is no policy of tools") from error


def _problem(row: Row) -> str | None:
    return None if text_hash(row["body"]) == row["hash"] else "its content is not what was saved"


def _rules(row: Row) -> str:
    body = json.loads(row["body"])
    return "; ".join([*(one["name"] for one in body["rules"]), f"else {body['default']}"])


KIND: Final = Kind(
    name="tool_policy",
    noun="tools.policies",
    table="tool_policy_versions",
    read=_read,
    own={"rules": _rules},
    check_name=lambda name: check_word(name, "a policy"),
    problem=_problem,
)


class Filing:
    """Files ``NAME.yaml``.

    Args:
        versions: The versions of policies.
    """

    suffix = ".yaml"
    max_bytes = 500_000
    table = "tool_policy_files"

    def __init__(self, versions: Versions[ToolPolicy]) -> None:
        self._versions = versions

    def load(self, text: str) -> ContentFile:
        """Return what the text of a file says.

        Raises:
            UsageError: It is no policy; the message has the line.
        """
        head, said, places = read_content(text, "policy", SAID, example="rules: [{allow: 'search_*'}]")
        try:
            body = body_of(said)
        except UsageError as error:
            words = plain_line(str(error), 500)
            raise UsageError(f"line {_line(text, words, places)}: {words}") from error
        return ContentFile(thing=_THING, name=head["policy"], hash=head["hash"], note=head["note"], body=body)

    def dump(self, version: ToolPolicy) -> str:
        """Return a version as the text of its file."""
        return write_content("policy", version, content_of(version))

    def kept(self, newest: ToolPolicy, file: ContentFile) -> ToolPolicy:
        """Return a version with the note of its file."""
        return replace(newest, note=file.note or newest.note)

    def save(self, change: Change, file: ContentFile, *, name: str, commit: str | None) -> tuple[ToolPolicy, bool]:
        """Save what a file says as a version; return it and whether it is new. Its commit is in the report alone."""
        del commit
        saved, is_new = self._versions.save(change, name, file.digest, lambda: row_of(file.body))
        return self._versions.kind.read(change.store, change.con, saved), is_new

    def difference(self, newest: ToolPolicy, file: ContentFile) -> str:
        """Return what differs from the newest version to the file, as text."""
        said = {name: getattr(newest, name) for name in ("name", "version", "hash", "author", "created_at")}
        return diff_of(newest, made_of(file.body, **said), called="the file")


def _line(text: str, words: str, places: Mapping[str, int]) -> int:
    """Return the line of the rule that a message names, else of the part."""
    import yaml

    part, _, rest = words.partition("[")
    number = rest.partition("]")[0]
    if part == "rules" and number.isdecimal():
        for key, node in yaml.compose(text, Loader=yaml.SafeLoader).value:
            if key.value == "rules" and int(number) < len(node.value):
                return int(node.value[int(number)].start_mark.line) + 1
    return places.get(words.partition(":")[0].partition("=")[0], places.get("rules", 1))
