"""The system prompt in what a model says: runs of its words."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError
from lmops.guardrails.contract import Finding, Given, rail
from lmops.guardrails.normal import fold

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Words; of scripts that write without spaces each sign.
_WORD: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")


def check(prompt: str | None = None, *, words: int = 8) -> None:
    """Refuse runs that are too short to say anything."""
    if prompt is not None and not isinstance(prompt, str):
        raise UsageError(f"prompt_leak: prompt is a text, not {type(prompt).__name__}")
    if isinstance(words, bool) or not isinstance(words, int) or words < 4:
        raise UsageError(f"prompt_leak: words={words!r}: give 4 or more")


@rail(name="prompt_leak", stages=("output", "tool_call"), action="block", window=256, check=check)
def prompt_leak(given: Given, *, prompt: str | None = None, words: int = 8) -> Iterator[Finding]:
    """Runs of words that stand in the system prompt and not in the question.

    Args:
        given: What is read.
        prompt: The system prompt; that of the context's ``system_prompt`` by default. Without one nothing is found.
        words: How many words in a row are none of chance.
    """
    said: Any = prompt if prompt is not None else given.context.get("system_prompt")
    if not isinstance(said, str) or not said:
        return
    runs = _runs(said, words)
    asked = given.context.get("question")
    if isinstance(asked, str) and asked:
        runs = runs - _runs(asked, words)  # who repeats the question says nothing of the prompt
    tokens = _WORD.findall(given.folded.lower)
    firsts = {run[0] for run in runs}
    stretches: list[tuple[int, int]] = []
    for at, token in enumerate(tokens):
        if token in firsts and tuple(tokens[at : at + words]) in runs:
            start = stretches.pop()[0] if stretches and at <= stretches[-1][1] else at
            stretches.append((start, at + words - 1))
    if stretches:
        found = list(_WORD.finditer(given.folded.lower))
        for start, end in stretches:
            yield Finding(*given.folded.span(found[start].start(), found[end].end()), "system_prompt")


@functools.lru_cache(maxsize=32)
def _runs(prompt: str, words: int) -> frozenset[tuple[str, ...]]:
    tokens = _WORD.findall(fold(prompt))
    return frozenset(tuple(tokens[at : at + words]) for at in range(len(tokens) - words + 1))
