"""Models that moderate, as rails: what they say is somebody's text, and is read strictly or not at all."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError, did_you_mean
from lmops.guardrails.asking import asked_of
from lmops.guardrails.contract import Finding, Given, rail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

#: An answer is a word or a small object; what is longer is none.
_MOST: Final = 20_000
_GUARD: Final = re.compile(r"\s*(?:(safe)|unsafe(?:\s*\n\s*([A-Z]\d{1,3}(?:\s*,\s*[A-Z]\d{1,3})*))?)\s*")
_CATEGORY: Final = re.compile(r"[A-Za-z][A-Za-z0-9_/ -]{0,59}")


@rail(is_score=True)
def moderation(
    given: Given,
    *,
    model: str,
    form: str = "llama_guard",
    categories: Sequence[str] | None = None,
    threshold: float = 0.5,
    params: Mapping[str, Any] | None = None,
) -> Iterable[Finding]:
    """What a model of ``ws.models`` that moderates says of a text; an answer in another form is an error, not a pass.

    It is asked as a chat model: what answers only under ``/moderations`` is a rail of one's own. ``form`` is
    "llama_guard" (safe, or unsafe and the categories in a second line) or "moderation" (a JSON object with flagged and
    category_scores, as moderation APIs answer). ``categories`` are those that count; all by default.
    """
    if form not in _FORMS:
        raise UsageError(did_you_mean("form", form, _FORMS))
    said = asked_of("a model").models().complete(model, _messages(given), params={"temperature": 0.0, **(params or {})})
    content = said.content
    if not isinstance(content, str) or len(content) > _MOST:
        raise UsageError("its model gave no answer that is one")
    scores = _FORMS[form](content)
    wanted = None if categories is None else frozenset(categories)
    found = {name: score for name, score in scores.items() if wanted is None or name in wanted}
    return [Finding(0, len(given.text), name, score) for name, score in found.items() if score >= threshold]


def _messages(given: Given) -> list[dict[str, str]]:
    """Return the conversation that is judged: the last turn is the one that counts."""
    question = given.context.get("question")
    if given.stage == "output":
        asked = question if isinstance(question, str) and question else "(not known)"
        return [{"role": "user", "content": asked}, {"role": "assistant", "content": given.text}]
    return [{"role": "user", "content": given.text}]


def _guard(content: str) -> dict[str, float]:
    """Return the categories of an answer in the form of Llama Guard; {} for a safe text."""
    said = _GUARD.fullmatch(content)
    if said is None:
        raise UsageError("its model answered neither safe nor unsafe")
    if said[1]:
        return {}
    return {one.strip(): 1.0 for one in (said[2] or "unsafe").split(",")}


def _moderation(content: str) -> dict[str, float]:
    """Return the scores by category of an answer in the form of a moderation API."""
    try:
        said = json.loads(content)
    except (ValueError, RecursionError):
        said = None
    if isinstance(said, dict) and isinstance(said.get("results"), list) and len(said["results"]) == 1:
        said = said["results"][0]
    if not isinstance(said, dict) or not isinstance(said.get("flagged"), bool):
        raise UsageError("its model answered no object with flagged and category_scores")
    scores = said.get("category_scores", {})
    if not isinstance(scores, dict) or not all(map(_is_score, scores.items())):
        raise UsageError("its model gave scores that are none: category_scores has numbers of 0 to 1 by name")
    found = {name: float(score) for name, score in scores.items()}
    return found or ({"flagged": 1.0} if said["flagged"] else {})


def _is_score(pair: tuple[object, object]) -> bool:
    name, score = pair
    is_number = isinstance(score, int | float) and not isinstance(score, bool) and math.isfinite(score)
    return isinstance(name, str) and _CATEGORY.fullmatch(name) is not None and is_number and 0 <= float(score) <= 1  # type: ignore[arg-type]  # a number by now


_FORMS: Final[dict[str, Callable[[str], dict[str, float]]]] = {"llama_guard": _guard, "moderation": _moderation}
