"""Caps on size and cost: the simplest defence against a text that is sent to be dear."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError
from lmops.guardrails.contract import Finding, Given, rail

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Characters of a token, at most, where nobody counted: of scripts other than Latin one is a token by itself.
_LATIN_PER_TOKEN: Final = 4


def estimated_tokens(text: str) -> int:
    """Return about how many tokens a text has: a quarter of its ASCII characters, and every other one.

    Example:
        >>> estimated_tokens("How do I change my booking?")
        7
    """
    ascii_only = len(text) if text.isascii() else len(text.encode("ascii", "ignore"))
    return math.ceil(ascii_only / _LATIN_PER_TOKEN) + len(text) - ascii_only


def check(
    *, max_characters: int | None = None, max_tokens: int | None = None, max_cost_usd: float | None = None
) -> None:
    """Refuse a limit that is none, and no limit at all."""
    said = {"max_characters": max_characters, "max_tokens": max_tokens, "max_cost_usd": max_cost_usd}
    given = {name: one for name, one in said.items() if one is not None}
    if not given:
        raise UsageError("limits: give max_characters, max_tokens or max_cost_usd")
    for name, one in given.items():
        if isinstance(one, bool) or not isinstance(one, int | float) or not one >= 0:
            raise UsageError(f"limits: {name}={one!r}: a limit is a number of 0 or more")


@rail(action="block", grows=True, check=check)
def limits(
    given: Given,
    *,
    max_characters: int | None = None,
    max_tokens: int | None = None,
    max_cost_usd: float | None = None,
) -> Iterator[Finding]:
    """Texts that are too long, and requests that have cost too much.

    Args:
        given: What is read.
        max_characters: Most characters of the text.
        max_tokens: Most tokens: the context's ``tokens``, else an estimate from its characters.
        max_cost_usd: Most US dollars of the context's ``cost_usd``; nothing is found where that is not said.
    """
    size = len(given.text)
    if max_characters is not None and size > max_characters:
        yield Finding(max_characters, size, "characters", note=f"{size:,} of at most {max_characters:,}")
    if max_tokens is not None:
        said = _number(given.context.get("tokens"))
        # a text of so few characters cannot have more tokens: nothing is counted
        tokens = said if said is not None else size if size <= max_tokens else estimated_tokens(given.text)
        if tokens > max_tokens:
            yield Finding(0, size, "tokens", note=f"{tokens:,.0f} of at most {max_tokens:,}")
    cost = _number(given.context.get("cost_usd"))
    if max_cost_usd is not None and cost is not None and cost > max_cost_usd:
        yield Finding(0, 0, "cost", note=f"US$ {cost:.4g} of at most {max_cost_usd:.4g}")


def _number(said: Any) -> float | None:
    return None if isinstance(said, bool) or not isinstance(said, int | float) or math.isnan(said) else said
