"""Things whose content is one mapping: how it is kept as text, and what a YAML file of it says, line by line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from lmops.errors import UsageError, did_you_mean
from lmops.records.refs import text_hash
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lmops.records.kinds import Version


def content_text(thing: str, body: Mapping[str, Any], *, ordered: Sequence[str] = ()) -> str:
    """Return the content of a thing as it is kept.

    Args:
        thing: What it is called, such as "route".
        body: The content.
        ordered: Keys below which the order of a mapping means something and is kept; all others are sorted.

    Raises:
        UsageError: It holds what JSON cannot say.
    """
    try:
        if ordered:
            text = json.dumps(_sorted(body, ordered), ensure_ascii=False, allow_nan=False)
        else:
            text = json.dumps(body, sort_keys=True, ensure_ascii=False, allow_nan=False)
        text.encode()  # half a character is none
    except (TypeError, ValueError) as error:
        raise UsageError(f"the {thing} cannot be saved: {error}") from error
    return text


def _sorted(value: Any, ordered: Sequence[str], *, keeps: bool = False) -> Any:
    """Return a value with the keys of its mappings sorted, but for those directly below a key of ``ordered``."""
    if isinstance(value, list | tuple):
        return [_sorted(one, ordered) for one in value]
    if not isinstance(value, Mapping):
        return value
    names = value if keeps else sorted(value)
    return {name: _sorted(value[name], ordered, keeps=not keeps and name in ordered) for name in names}


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentFile:
    """What a file says; ``ordered`` are the keys below which order means something."""

    thing: str
    name: str | None
    hash: str | None
    note: str | None
    body: Mapping[str, Any]
    ordered: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """The hash of the content that it has."""
        return text_hash(content_text(self.thing, self.body, ordered=self.ordered))


class Said(NamedTuple):
    """What the text of a file says.

    Args:
        head: What it says of its version: the name, under what the thing is called, version, hash and note; None where
            it does not.
        body: All else.
        places: The line of each key.
    """

    head: Mapping[str, str | None]
    body: Mapping[str, Any]
    places: Mapping[str, int]


def read_content(text: str, thing: str, known: Sequence[str], *, example: str) -> Said:
    """Return what the YAML text of a file says.

    Args:
        text: Of the file.
        thing: What one is called, such as "route".
        known: The keys of its content.
        example: A line of such a file.

    Raises:
        UsageError: It is no YAML, no mapping, or has a key that is not known; the message has the line.
    """
    import yaml

    try:
        said, node = yaml.safe_load(text), yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = 1 if mark is None else mark.line + 1
        raise UsageError(f"line {line}: it is no YAML: {plain_line(str(error), 300)}") from error
    if not isinstance(said, dict):
        raise UsageError(f"line 1: a {thing} is a mapping: {example!r}")
    places = {str(key.value): key.start_mark.line + 1 for key, _ in node.value}
    head = (thing, "version", "hash", "note")
    for name in said:
        if name not in (*head, *known):
            raise UsageError(f"line {places[str(name)]}: {did_you_mean('key', str(name), (*head, *known))}")
    told = {name: None if said.get(name) is None else str(said[name]) for name in head}
    return Said(told, {name: value for name, value in said.items() if name not in head}, places)


def write_content(thing: str, version: Version, content: Mapping[str, Any]) -> str:
    """Return a version as the YAML text of its file."""
    import yaml

    head = {thing: version.name, "version": version.version, "hash": version.hash}
    head |= {"note": version.note} if version.note else {}
    text: str = yaml.safe_dump({**head, **content}, sort_keys=False, allow_unicode=True, width=120)
    return text
