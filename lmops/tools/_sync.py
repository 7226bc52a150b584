"""How tools are filed: one YAML file a tool, and back without loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lmops.errors import UsageError
from lmops.records import ContentFile, ContentFiling, read_content
from lmops.text import plain_line
from lmops.tools._versions import ORDERED, SAID, body_of, filed
from lmops.tools.contract import ToolVersion

if TYPE_CHECKING:
    from collections.abc import Mapping


class ToolFiling(ContentFiling[ToolVersion]):
    """Files ``NAME.yaml``."""

    max_bytes = 2_000_000
    table = "tool_files"
    thing = "tool"
    ordered = ORDERED
    around = 1

    def load(self, text: str) -> ContentFile:
        """Return what the text of a file says.

        Raises:
            UsageError: It is no tool; the message has the line.
        """
        head, said, places = read_content(text, "tool", SAID, example="description: Refund an order.")
        name = head["tool"] or "tool"
        try:
            body = content(name, said)
        except UsageError as error:
            words = str(error)
            line = next((places[part] for part in SAID if part in places and part in words), 1)
            raise UsageError(f"line {line}: {plain_line(words, 500)}") from error
        return ContentFile(
            thing="tool", name=head["tool"], hash=head["hash"], note=head["note"], body=body, ordered=ORDERED
        )

    def content(self, version: ToolVersion) -> Mapping[str, Any]:
        """Return the content of a version as its file says it."""
        return filed(version)

    def made(self, body: Mapping[str, Any], told: Mapping[str, Any], newest: ToolVersion) -> ToolVersion:
        """Return a content as a version."""
        del newest
        return ToolVersion(**told, **body)

    def lines(self, version: ToolVersion) -> list[str]:
        """Return the content of a version as lines that can be compared."""
        import yaml

        text: str = yaml.safe_dump(filed(version), sort_keys=False, allow_unicode=True, width=120)
        return text.splitlines()


def content(name: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a tool out of what somebody said.

    Raises:
        UsageError: It says something that a tool has not, does not say what it must, or a part cannot be used.
    """
    for part in ("description", "parameters"):
        if part not in said:
            raise UsageError(f"tool {name!r} has no {part}")
    return body_of(name, **said)
