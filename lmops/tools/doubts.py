"""Arguments that the conversation does not bear out: values that nobody said, values in each other's place.

Rules on texts, nothing learned. They speak of what can be held against the conversation: identifiers (a booking number,
an address), and pairs of places or people with a direction. Free text, dates and amounts may be worked out by a model,
so that their absence says nothing.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

DoubtKind = Literal["unsaid", "swapped", "unreadable", "schema"]

_IDENTIFIER: Final = re.compile(r"[\w@.:/+#-]{4,80}")
#: Days, times, amounts: they are worked out.
_WORKED_OUT: Final = re.compile(
    r"\d{1,4}[-/.]\d{1,2}([-/.]\d{1,4})?([T ].*)?|\d{1,2}:\d{2}(:\d{2})?.*|[-+]?[\d.,_]+%?|v?\d+(\.\d+)+|\d+[a-z]{1,2}"
)
_NAMES_ID: Final = re.compile(
    r"(^|_)(id|ids|ref|reference|number|no|code|sku|account|booking|order|ticket)$", re.IGNORECASE
)
_FROM: Final = frozenset(
    ("from", "origin", "source", "src", "departure", "depart", "start", "sender", "payer", "old", "previous")
)
_TO: Final = frozenset(
    ("to", "destination", "dest", "target", "arrival", "arrive", "end", "recipient", "receiver", "payee", "new")
)
_SAYS_FROM: Final = re.compile(r"(?:^|[^\w])(?:from|von|ab|aus|de|du|depuis|desde|da)\s+$", re.IGNORECASE)
_SAYS_TO: Final = re.compile(r"(?:^|[^\w])(?:to|nach|bis|zu|into|à|vers|hacia|hasta|para)\s+$", re.IGNORECASE)
#: In Japanese the word stands behind.
_FROM_BEHIND: Final = re.compile(r"\s*(?:から|発)")
_TO_BEHIND: Final = re.compile(r"\s*(?:まで|行き|へ|に)")
_SHAPE: Final = re.compile(r"[\w@.:/+#-]*\d[\w@.:/+#-]*")
_DEEPEST: Final = 8
_SHORTEST: Final = 4


class Doubt(NamedTuple):
    """One argument that the conversation does not bear out.

    ``argument`` is its path (``$.reference``), ``value`` what it is, ``said`` what the conversation has in its place.
    """

    kind: DoubtKind
    argument: str
    value: str
    said: str | None
    why: str


def read_arguments(given: object) -> dict[str, Any] | None:
    """Return arguments as an object; None where they are not one."""
    if isinstance(given, str):
        try:
            given = json.loads(given or "{}")
        except (ValueError, RecursionError):
            return None
    return given if isinstance(given, dict) else {} if given is None else None


def doubts(arguments: object, texts: Sequence[str], question: str | None = None) -> list[Doubt]:
    """Return what of a call's arguments the conversation does not bear out.

    Args:
        arguments: An object, or its JSON.
        texts: Everything that was said before the call: by users, tools, documents, and answers that users had read.
        question: What the user said last, by which a direction is told; None: unknown.

    Returns:
        Doubts, of each argument at most one; none where nothing can be held against the texts.
    """
    read = read_arguments(arguments)
    if read is None:
        return [Doubt("unreadable", "$", str(arguments)[:80], None, "the arguments are no JSON object")]
    found = list(_swapped(read, question)) if question else []
    named = {one.argument for one in found}
    if any(texts):
        said = _folded("\n".join(texts))
        found += [one for path, value in leaves(read) if path not in named and (one := _unsaid(path, value, said))]
    return found


def leaves(value: object, path: str = "$", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield each plain value of arguments with its path, such as ``$.passengers[0].name``."""
    if depth > _DEEPEST:
        return
    if isinstance(value, dict):
        for key, one in value.items():
            yield from leaves(one, f"{path}.{key}", depth + 1)
    elif isinstance(value, list):
        for at, one in enumerate(value):
            yield from leaves(one, f"{path}[{at}]", depth + 1)
    else:
        yield path, value


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _unsaid(path: str, value: object, said: str) -> Doubt | None:
    """Return a doubt on an identifier that stands nowhere in what was said."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if not isinstance(value, str) and not is_number:
        return None
    text = _folded(str(value))
    is_named = bool(_NAMES_ID.search(re.sub(r"\[\d+\]", "", path).rpartition(".")[2]))
    is_identifier = bool(_IDENTIFIER.fullmatch(text)) and (any(one.isdigit() for one in text) or "@" in text)
    if not is_identifier or (_WORKED_OUT.fullmatch(text) and not (is_named and text.isdigit())):
        return None
    if _stands(text, said):
        return None
    near = _nearest(text, said)
    why = f"nobody said {str(value)[:60]!r}" + (f"; said was {near!r}" if near else "")
    return Doubt("unsaid", path, str(value)[:80], near, why)


def _stands(text: str, said: str) -> bool:
    """Return whether an identifier stands there, as it is or without its marks (TL 1234 for TL-1234)."""
    if re.search(rf"(?<![^\W_]){re.escape(text)}(?![^\W_])", said):
        return True
    bare = re.sub(r"[\W_]+", "", text)
    spaced = r"[\W_]*".join(map(re.escape, bare))
    return len(bare) >= _SHORTEST and re.search(rf"(?<!\w){spaced}(?!\w)", said) is not None


def _nearest(text: str, said: str) -> str | None:
    """Return what was said last in the same shape: the same letters and marks around other digits."""
    shape = re.sub(r"\d", "9", text)
    return next(
        (one.upper() if text.isascii() else one for one in reversed(_SHAPE.findall(said)) if _shape(one) == shape), None
    )


def _shape(word: str) -> str:
    return re.sub(r"\d", "9", word.rstrip(".:,"))


def _swapped(arguments: Mapping[str, Any], question: str) -> Iterator[Doubt]:
    """Yield the arguments of a direction that the question gives the other way round."""
    told = _folded(question)
    ends = [
        (name, role, value)
        for name, value in arguments.items()
        if isinstance(value, str) and value.strip() and (role := _role(name))
    ]
    if {role for _, role, _ in ends} != {"from", "to"} or len(ends) != 2 or ends[0][2] == ends[1][2]:
        return
    says = {name: _said_role(_folded(value), told) for name, _, value in ends}
    other = {"from": "to", "to": "from"}
    is_against = [says[name] == other[role] for name, role, _ in ends]
    is_for = [says[name] == role for name, role, _ in ends]
    if any(is_against) and not any(is_for) and all(_folded(value) in told for _, _, value in ends):
        for at, (name, role, value) in enumerate(ends):
            instead = ends[1 - at][2]
            why = f"the question says {role} {instead[:40]!r}, not {value[:40]!r}"
            yield Doubt("swapped", f"$.{name}", value[:80], instead[:80], why)


def _role(name: str) -> str | None:
    words = set(re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", str(name)).lower()))
    is_from, is_to = bool(words & _FROM), bool(words & _TO)
    return None if is_from == is_to else "from" if is_from else "to"


def _said_role(value: str, told: str) -> str | None:
    """Return which end of a direction a text makes of a value; None where it says none, or both."""
    roles = set()
    for found in re.finditer(re.escape(value), told):
        before, behind = told[: found.start()], told[found.end() :]
        if _SAYS_FROM.search(before) or _FROM_BEHIND.match(behind):
            roles.add("from")
        elif _SAYS_TO.search(before) or _TO_BEHIND.match(behind):
            roles.add("to")
    return roles.pop() if len(roles) == 1 else None
