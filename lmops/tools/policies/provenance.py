"""Where the text came from that stands in the arguments of a call: from whom the conversation has it.

A stretch of an argument that a retrieved document or the result of a tool says, and neither the user nor the system
prompt, came from there. What a model says in its own words is not found: ``after`` of a rule is for that.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from lmops.tools.policies.conditions import folded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Who said a text. "model": nobody before the model.
Source = Literal["user", "system", "retrieved", "tool_result", "model"]
SOURCES: Final[tuple[Source, ...]] = get_args(Source)
#: Whoever of them says a text answers for it.
_TRUSTED: Final[frozenset[Source]] = frozenset({"user", "system"})
_ROLES: Final[Mapping[str, Source]] = {
    "user": "user",
    "system": "system",
    "developer": "system",
    "tool": "tool_result",
    "function": "tool_result",
}
#: What ``lmops.guardrails.marked`` puts around material.
_MATERIAL: Final = re.compile(r"<<material ([0-9a-f]{8,64}) from [^<>\n]{0,200}>>\n?(.*?)(?:<<end \1>>|\Z)", re.DOTALL)
_WORD: Final = re.compile(r"\w+(?:[@.:/+-]+\w+)*")
#: A word of so many characters that has a digit or one of these names something: an address, a number, a link.
_NAMING: Final = re.compile(r"(?=.*[\d@/:])|.*\w\.\w")
_LEAST: Final = 4
#: So many words in a row are nobody's by chance.
_ROW: Final = 4
_MOST_LEAVES: Final = 500
_MOST_TEXT: Final = 20_000


def sources_of(messages: Sequence[Mapping[str, Any]], more: Mapping[str, Any]) -> dict[Source, list[str]]:
    """Return the texts of a conversation by who said them, as words with one space between.

    Args:
        messages: As OpenAI has them.
        more: What the application says beside; ``documents`` are retrieved.
    """
    found: dict[Source, list[str]] = {}
    for message in messages:
        source = _ROLES.get(str(message.get("role")))
        if source is None:
            continue
        for text in _texts(message.get("content")):
            for who, part in _parted(text, source):
                found.setdefault(who, []).append(words_of(part))
    for document in more.get("documents") or ():
        found.setdefault("retrieved", []).extend(words_of(leaf) for leaf in _leaves(document))
    return found


def origins(arguments: Any, sources: Mapping[Source, Sequence[str]]) -> dict[Source, list[str]]:
    """Return who said what stands in the arguments of a call: by source the stretches that came from it.

    Args:
        arguments: Of the call.
        sources: By source its texts, as :func:`sources_of` returns them.
    """
    found: dict[Source, list[str]] = {}
    leaves = list(itertools.islice(_leaves(arguments), _MOST_LEAVES + 1))
    if len(leaves) > _MOST_LEAVES or sum(map(len, leaves)) > _MOST_TEXT:
        return {who: ["there is too much of it to look at"] for who in sources if who not in _TRUSTED} or {"model": []}
    for leaf in leaves:
        for stretch in _stretches(leaf):
            held = f" {stretch} "
            said = {who for who, texts in sources.items() if any(held in text for text in texts)}
            for who in said & _TRUSTED or said:
                found.setdefault(who, []).append(stretch)
    return found or {"model": []}


@functools.lru_cache(maxsize=128)
def words_of(text: str) -> str:
    """Return the words of a text, folded, with one space around each."""
    return f" {' '.join(_WORD.findall(folded(text)))} "


def _stretches(leaf: str) -> Iterator[str]:
    """Return what of an argument is looked for: all of it, words that name something, and words in a row."""
    words = words_of(leaf).split()
    whole = " ".join(words)
    if len(words) <= _ROW:
        if len(whole) >= _LEAST:
            yield whole
    else:
        yield from (" ".join(words[at : at + _ROW]) for at in range(len(words) - _ROW + 1))
    yield from (one for one in words if len(words) > 1 and len(one) >= _LEAST and _NAMING.match(one))


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for part in content:
            if isinstance(part, Mapping) and isinstance(part.get("text"), str):
                yield part["text"]


def _parted(text: str, source: Source) -> Iterator[tuple[Source, str]]:
    """Return a text with what is marked as material apart."""
    last = 0
    for found in _MATERIAL.finditer(text) if "<<material " in text else ():
        yield source, text[last : found.start()]
        yield "retrieved", found[2]
        last = found.end()
    yield source, text[last:]


def _leaves(value: Any) -> Iterator[str]:
    """Return texts and numbers at any depth, without recursion: what is nested is hostile."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, Mapping):
            left.extend([*one.keys(), *one.values()])
        elif isinstance(one, list | tuple):
            left.extend(one)
        elif isinstance(one, str) or (isinstance(one, int | float) and not isinstance(one, bool)):
            yield str(one)
