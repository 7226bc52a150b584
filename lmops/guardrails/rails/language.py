"""The language of a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lmops import scorers
from lmops.errors import UsageError
from lmops.guardrails.contract import Finding, Given, rail

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: So many characters tell the language of a text.
_ENOUGH: Final = 2000


def check(allow: Sequence[str], *, min_characters: int = 20) -> None:
    """Refuse a language that nobody knows, and say what is to be installed where it is not."""
    if isinstance(allow, str) or not allow:
        raise UsageError(f"language: allow={allow!r}: give a list of codes, such as ['en', 'de']")
    for code in allow:
        _scorer(code, min_characters)


@rail(action="flag", check=check)
def language(given: Given, *, allow: Sequence[str], min_characters: int = 20) -> Iterator[Finding]:
    """Texts in another language than those allowed; needs py3langid (``pip install 'lmops[scorers]'``).

    Args:
        given: What is read.
        allow: ISO 639-1 codes, such as "en".
        min_characters: A shorter text is not asked: a few words are of many languages.
    """
    if len(given.text.strip()) < min_characters:
        return
    score = _scorer(allow[0], min_characters).score(scorers.ScoreInput(output=given.text[:_ENOUGH]))
    detail: Any = score.detail or {}
    found = detail.get("language")
    if found is not None and found not in allow:
        yield Finding(0, len(given.text), "language", note=f"{found}, and not {' or '.join(allow)}")


def _scorer(code: str, min_characters: int) -> scorers.Scorer:
    return scorers.get("language", {"code": code, "min_characters": min_characters})
