"""Canaries: words that stand in a prompt only to be seen when they come out, however they are written."""

from __future__ import annotations

import base64
import codecs
import functools
import re
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError
from lmops.guardrails.contract import Finding, Given, rail
from lmops.guardrails.normal import fold
from lmops.redact import variants

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: A shorter one would stand in many texts.
_SHORTEST: Final = 6
#: Characters that the longest way to write one may take: a stream holds back as many.
_WINDOW: Final = 256
_SIGNS: Final = re.compile(r"[\W_]+")


def check(values: Sequence[str] = ()) -> None:
    """Refuse a canary that many texts hold, or that is longer than what a stream holds back."""
    if isinstance(values, str) or not all(isinstance(one, str) for one in values):
        raise UsageError("canaries: values is a list of texts")
    for one in values:
        size = max((len(form) for form in _written((one,))[0]), default=0)
        if len(_SIGNS.sub("", one)) < _SHORTEST or size > _WINDOW:
            raise UsageError(f"canaries: one of {len(one)} characters: give {_SHORTEST} letters or digits to 80")


@rail(stages=("output", "tool_call"), action="block", window=_WINDOW, check=check)
def canaries(given: Given, *, values: Sequence[str] = ()) -> Iterator[Finding]:
    """Words that must not come out: as they are, apart, backwards, as JSON, in an address, in base64, hex or rot13.

    Args:
        given: What is read.
        values: The words; those of the context's ``canaries`` count as well.
    """
    said: Any = given.context.get("canaries") or ()
    known = tuple(dict.fromkeys([*values, *([said] if isinstance(said, str) else said)]))
    check(known)
    if not known:
        return
    written, apart = _written(known)
    lower = given.folded.lower
    for needle in written:
        at = lower.find(needle)
        while at >= 0:
            yield Finding(*given.folded.span(at, at + len(needle)), "canary")
            at = lower.find(needle, at + len(needle))
    plain = _SIGNS.sub("", lower)
    if any(needle in plain for needle in apart) and not any(needle in lower for needle in written):
        places = [place for place, one in enumerate(lower) if one.isalnum()]
        for needle in apart:
            if (at := plain.find(needle)) >= 0:
                yield Finding(*given.folded.span(places[at], places[at + len(needle) - 1] + 1), "canary")


@functools.lru_cache(maxsize=64)
def _written(values: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return how canaries are written, folded; and how when all signs are left out."""
    forms: list[str] = []
    for value in values:
        data = value.encode("utf-8", "surrogatepass")
        forms += [*variants(value), value[::-1], codecs.encode(value, "rot13"), data.hex(), data.hex(" ")]
        for offset in range(3):  # where it stands in a longer text that is coded as a whole
            coded = base64.b64encode(b"\0" * offset + data).decode().rstrip("=")
            inner = coded[
                (0, 2, 3)[offset] : len(coded) - (len(data) + offset) % 3 % 2 - (1 if (len(data) + offset) % 3 else 0)
            ]
            forms += [inner, inner.replace("+", "-").replace("/", "_")] if len(inner) >= 2 * _SHORTEST else []
    folded = tuple(dict.fromkeys(fold(one) for one in forms))
    return folded, tuple(dict.fromkeys(_SIGNS.sub("", fold(one)) for value in values for one in (value, value[::-1])))
