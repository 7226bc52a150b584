"""How prompts are filed, for the sync of a folder with the registry."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lmops.prompts._versions import insert
from lmops.prompts.diffs import diff
from lmops.prompts.files import MAX_BYTES, SUFFIX, PromptFile, dump, load

if TYPE_CHECKING:
    from lmops.prompts._records import PromptVersion
    from lmops.records import Change, Versions


class PromptFiling:
    """Files ``NAME.prompt.md``.

    Args:
        versions: The versions of prompts.
    """

    suffix = SUFFIX
    max_bytes = MAX_BYTES
    table = "prompt_files"

    def __init__(self, versions: Versions[PromptVersion]) -> None:
        self._versions = versions

    def load(self, text: str) -> PromptFile:
        """Return what the text of a file says."""
        return load(text)

    def dump(self, version: PromptVersion) -> str:
        """Return a version as the text of its file."""
        return dump(
            version.name,
            version.content,
            version=version.version,
            note=version.note,
            author=version.author,
            tags=version.tags,
        )

    def kept(self, newest: PromptVersion, file: PromptFile) -> PromptVersion:
        """Return a version with the note and the tags of its file."""
        return replace(newest, note=file.note or newest.note, tags=file.tags or newest.tags)

    def save(self, change: Change, file: PromptFile, *, name: str, commit: str | None) -> tuple[PromptVersion, bool]:
        """Save what a file says as a version; return it and whether it is new."""
        tags = tuple(sorted(set(file.tags)))
        saved = insert(self._versions, change, name, file.content, tags=tags, parent=None, commit=commit)
        return saved, bool(saved.is_new)

    def difference(self, newest: PromptVersion, file: PromptFile) -> str:
        """Return what differs from the newest version to the file, as text."""
        content = file.content
        told = replace(
            newest,
            version=newest.version + 1,
            hash=content.hash,
            messages=content.messages,
            template=content.template,
            model=content.model,
            params=content.params,
            response_schema=content.response_schema,
            tools=content.tools,
        )
        _, *lines = diff(newest, told).text.split("\n")
        return "\n".join([f"from {newest.ref} to the file:", *lines])
