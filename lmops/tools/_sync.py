"""How tools are filed: one YAML file a tool, and back without loss."""

from __future__ import annotations

import difflib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError
from lmops.records import ContentFile, read_content, write_content
from lmops.text import plain_line
from lmops.tools._versions import SAID, body_of, filed, row_of
from lmops.tools.contract import ToolVersion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lmops.records import Change, Versions

SUFFIX: Final = ".yaml"
_MAX_BYTES: Final = 2_000_000


def lines_of(version: ToolVersion) -> list[str]:
    """Return the content of a version as lines that can be compared."""
    import yaml

    text: str = yaml.safe_dump(filed(version), sort_keys=True, allow_unicode=True, width=120)
    return text.splitlines()


def diff_of(one: ToolVersion, two: ToolVersion, *, called: str) -> str:
    """Return what changed from one content to another, line by line; "" for nothing."""
    return "\n".join(difflib.unified_diff(lines_of(one), lines_of(two), one.ref, called, n=1, lineterm=""))


class ToolFiling:
    """Files ``NAME.yaml``.

    Args:
        versions: The versions of tools.
    """

    suffix = SUFFIX
    max_bytes = _MAX_BYTES
    table = "tool_files"

    def __init__(self, versions: Versions[ToolVersion]) -> None:
        self._versions = versions

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
        return ContentFile(thing="tool", name=head["tool"], hash=head["hash"], note=head["note"], body=body)

    def dump(self, version: ToolVersion) -> str:
        """Return a version as the text of its file."""
        return write_content("tool", version, filed(version))

    def kept(self, newest: ToolVersion, file: ContentFile) -> ToolVersion:
        """Return a version with the note of its file."""
        return replace(newest, note=file.note or newest.note)

    def save(self, change: Change, file: ContentFile, *, name: str, commit: str | None) -> tuple[ToolVersion, bool]:
        """Save what a file says as a version; return it and whether it is new. Its commit is in the report alone."""
        del commit
        saved, is_new = self._versions.save(change, name, file.digest, lambda: row_of(file.body))
        return self._versions.kind.read(change.store, change.con, saved), is_new

    def difference(self, newest: ToolVersion, file: ContentFile) -> str:
        """Return what differs from the newest version to the file, as text."""
        told = {name: getattr(newest, name) for name in ("name", "version", "hash", "author", "created_at")}
        return diff_of(newest, ToolVersion(**told, **file.body), called="the file")


def content(name: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a tool out of what somebody said.

    Raises:
        UsageError: It says something that a tool has not, does not say what it must, or a part cannot be used.
    """
    for part in ("description", "parameters"):
        if part not in said:
            raise UsageError(f"tool {name!r} has no {part}")
    return body_of(name, **said)
