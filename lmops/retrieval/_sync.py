"""How settings are filed, and what changed from one version to another, a line a part."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError
from lmops.records import ContentFile, ContentFiling, read_content
from lmops.retrieval._said import SAID, body_of
from lmops.retrieval._versions import made_of, row_of
from lmops.retrieval.settings import Settings
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from lmops.records import Change, Row, Versions

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


class SettingsFiling(ContentFiling[Settings]):
    """Files ``NAME.yaml``.

    Args:
        versions: The versions of settings.
        probe: Returns what a chunker makes of the texts of the probe.
    """

    table = "retrieval_files"
    thing = "settings"

    def __init__(
        self, versions: Versions[Settings], *, probe: Callable[[Mapping[str, Any]], Mapping[str, str]]
    ) -> None:
        super().__init__(versions)
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

    def content(self, version: Settings) -> Mapping[str, Any]:
        """Return the content of a version as its file says it."""
        return version.content

    def made(self, body: Mapping[str, Any], told: Mapping[str, Any], newest: Settings) -> Settings:
        """Return a content as a version."""
        del newest
        return made_of(body, **told)

    def row(self, change: Change, name: str, body: Mapping[str, Any]) -> Row:
        """Return the columns of a new version."""
        del change, name
        return row_of(body, self._probe(body["chunker"]))

    def changes(self, one: Settings, two: Settings, *, called: str) -> str:
        """Return what changed, such as ``chunker.size 800 -> 400``; a line a part."""
        del called
        return "\n".join(changes_of(one, two))
