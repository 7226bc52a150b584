"""How settings are filed, and what changed from one version to another, a line a part."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError
from lmops.records import ContentFile, content_text, read_content, write_content
from lmops.retrieval._said import SAID, body_of
from lmops.retrieval._versions import made_of, row_of
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from lmops.records import Change, Versions
    from lmops.retrieval.settings import Settings

SUFFIX: Final = ".yaml"
_MAX_BYTES: Final = 200_000
_LONG: Final = 160
#: Parts that are told part by part.
_NESTED: Final = ("chunker", "embedder", "params", "filters", "fusion", "reranker")


def changes_of(one: Settings, two: Settings) -> list[str]:
    """Return what changed from one content to another, such as ``chunker.size 800 -> 400``; a line a part.

    Args:
        one: Before.
        two: After.
    """
    before, after = dict(_leaves(one.content)), dict(_leaves(two.content))
    names = [*before, *(name for name in after if name not in before)]
    return [
        f"{plain_line(name, 80)} {_word(before.get(name))} -> {_word(after.get(name))}"
        for name in names
        if before.get(name) != after.get(name)
    ]


def leaves_of(found: Settings) -> list[tuple[str, str]]:
    """Return the parts of settings and what each says, in words; parts that say nothing are left out."""
    told = [(name, one) for name, one in _leaves(found.content) if one not in (None, "", {})]
    return [(plain_line(name, 80), one if isinstance(one, str) else _word(one)) for name, one in told]


def _leaves(content: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in content.items():
        if name in _NESTED and isinstance(value, dict):
            yield from ((f"{name}.{part}", one) for part, one in value.items())
        else:
            yield name, value


def _word(value: Any) -> str:
    return "none" if value is None else plain_line(json.dumps(value, ensure_ascii=False, sort_keys=True), _LONG)


class SettingsFiling:
    """Files ``NAME.yaml``.

    Args:
        versions: The versions of settings.
        probe: Returns what a chunker makes of the texts of the probe.
    """

    suffix = SUFFIX
    max_bytes = _MAX_BYTES
    table = "retrieval_files"

    def __init__(
        self, versions: Versions[Settings], *, probe: Callable[[Mapping[str, Any]], Mapping[str, str]]
    ) -> None:
        self._versions = versions
        self._probe = probe

    def load(self, text: str) -> ContentFile:
        """Return what the text of a file says.

        Raises:
            UsageError: They are no settings; the message has the line.
        """
        head, said, places = read_content(text, "settings", SAID, example="chunker: sentences")
        try:
            body = body_of(said, where=lambda part: f"line {places.get(part, 1)}: {part}: ")
        except UsageError as error:
            words = plain_line(str(error), 500)
            raise UsageError(words if words.startswith("line ") else f"line 1: {words}") from error
        return ContentFile(thing="settings", name=head["settings"], hash=head["hash"], note=head["note"], body=body)

    def dump(self, version: Settings) -> str:
        """Return a version as the text of its file."""
        return write_content("settings", version, version.content)

    def kept(self, newest: Settings, file: ContentFile) -> Settings:
        """Return a version with the note of its file."""
        return replace(newest, note=file.note or newest.note)

    def save(self, change: Change, file: ContentFile, *, name: str, commit: str | None) -> tuple[Settings, bool]:
        """Save what a file says as a version; return it and whether it is new. Its commit is in the report alone."""
        del commit
        saved, is_new = self._versions.save(
            change, name, file.digest, lambda: row_of(file.body, self._probe(file.body["chunker"]))
        )
        return self._versions.kind.read(change.store, change.con, saved), is_new

    def difference(self, newest: Settings, file: ContentFile) -> str:
        """Return what differs from the newest version to the file, as text."""
        told = {name: getattr(newest, name) for name in ("name", "version", "hash", "author", "created_at")}
        return "\n".join(changes_of(newest, made_of(file.body, **told)))


def digest_of(body: Mapping[str, Any]) -> str:
    """Return the content of settings as it is kept; its hash names the version."""
    return content_text("settings", body)
