"""What a version of a policy is in the store, and how it is filed: one YAML file a policy, and back without loss."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import DamagedStoreError, UsageError
from lmops.records import (
    ContentFile,
    ContentFiling,
    Kind,
    check_word,
    read_content,
    text_hash,
    told,
)
from lmops.text import plain_line
from lmops.tools.policies.rules import SAID, ToolPolicy, body_of, rule_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from lmops.records import Row
    from lmops.store import Store


def made_of(body: Mapping[str, Any], **_told: Any) -> ToolPolicy:
    """Return a policy of its content and what is told of its version."""
    rest = {name: body[name] for name in SAID if name != "rules"}
    return ToolPolicy(rules=tuple(rule_of(one) for one in body["rules"]), **rest, **_told)


def content_of(version: ToolPolicy) -> dict[str, Any]:
    """Return the content of a version as somebody says it, in Python and in files."""
    return {"rules": [one.said() for one in version.rules], **{name: getattr(version, name) for name in SAID[1:]}}


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


class ToolPolicyFiling(ContentFiling[ToolPolicy]):
    """Files ``NAME.yaml``."""

    table = "tool_policy_files"
    thing = "policy"

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
        return ContentFile(thing=self.thing, name=head["policy"], hash=head["hash"], note=head["note"], body=body)

    def content(self, version: ToolPolicy) -> Mapping[str, Any]:
        """Return the content of a version as its file says it."""
        return content_of(version)

    def made(self, body: Mapping[str, Any], told: Mapping[str, Any], newest: ToolPolicy) -> ToolPolicy:
        """Return a content as a version."""
        del newest
        return made_of(body, **told)

    def lines(self, version: ToolPolicy) -> list[str]:
        """Return the content of a version as lines that can be compared: one a rule, in their order."""
        said = content_of(version)
        rules = [f"{one['name']}: {json.dumps(one, ensure_ascii=False)}" for one in said.pop("rules")]
        return [*rules, *(f"{name}: {json.dumps(one)}" for name, one in said.items())]


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
