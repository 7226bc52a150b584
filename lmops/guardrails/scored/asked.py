"""Models that moderate, as rails: what they say is somebody's text, and is read strictly or not at all."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError, did_you_mean
from lmops.guardrails.asking import asked_of
from lmops.guardrails.contract import Finding, Given, rail
from lmops.models import Moderation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

#: An answer is a word or a small object; what is longer is none.
_MOST: Final = 20_000
_GUARD: Final = re.compile(r"\s*(?:(safe)|unsafe(?:\s*\n\s*([A-Z]\d{1,3}(?:\s*,\s*[A-Z]\d{1,3})*))?)\s*")
_API: Final = "api"


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

    ``form`` is "api" (asked under ``/moderations``, such as openai:omni-moderation-latest), or how a chat model
    answers: "llama_guard" (safe, or unsafe and the categories in a second line), "moderation" (a JSON object with
    flagged and category_scores). ``categories`` are those that count; all by default.
    """
    if form not in (_API, *_FORMS):
        raise UsageError(did_you_mean("form", form, (_API, *_FORMS)))
    models = asked_of("a model").models()
    if form == _API:
        scores = models.moderate(model, given.text, params=params).results[0].scores
    else:
        said = models.complete(model, _messages(given), params={"temperature": 0.0, **(params or {})})
        if not isinstance(said.content, str) or len(said.content) > _MOST:
            raise UsageError("its model gave no answer that is one")
        scores = _FORMS[form](said.content)
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


def _guard(content: str) -> Mapping[str, float]:
    """Return the categories of an answer in the form of Llama Guard; {} for a safe text."""
    said = _GUARD.fullmatch(content)
    if said is None:
        raise UsageError("its model answered neither safe nor unsafe")
    if said[1]:
        return {}
    return {one.strip(): 1.0 for one in (said[2] or "unsafe").split(",")}


def _moderation(content: str) -> Mapping[str, float]:
    """Return the scores by category of an answer in the form of a moderation API."""
    try:
        said = json.loads(content)
    except (ValueError, RecursionError):
        said = None
    if isinstance(said, dict) and isinstance(said.get("results"), list) and len(said["results"]) == 1:
        said = said["results"][0]
    try:
        return Moderation.read(said).scores
    except ValueError as error:
        raise UsageError(f"its model answered {error}") from error


_FORMS: Final[dict[str, Callable[[str], Mapping[str, float]]]] = {"llama_guard": _guard, "moderation": _moderation}
