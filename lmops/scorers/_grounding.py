"""Whether an answer says what its sources say, and cites them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError
from lmops.scorers._claims import ENOUGH, Claim, Sources, claims
from lmops.scorers._normalise import as_text, words
from lmops.scorers._records import Score
from lmops.scorers._registry import scorer_factory
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: Where an input has its question, and where its sources.
_QUESTION: Final = ("question", "query", "message", "prompt", "input")
_CONTEXT: Final = ("sources", "context", "documents")
_CITED: Final = re.compile(r"\[([^\[\]\n]{1,80})\](?!\()")


@scorer_factory(range=(0, 1))
def source_support(*, enough: float = ENOUGH, kept_only: bool = True) -> Callable[..., Any]:
    """How far its sources support the answer's claims, by words, numbers and names; no model is asked.

    The sources are the documents, else the input's ``sources``, ``context`` or ``documents``, and the results of tools.
    A claim is supported when one place of them holds most of what it says, every number with what it counts, and every
    name. The value is the mean over the claims: 0.9 to 1 for a supported one, more the more of its words and pairs of
    words (within six of each other) the sources have; likewise 0 to 0.5 for one that is not, and at most 0.1 with a
    wrong number or name. It finds what was made up and numbers that were changed; it does not see a negation that was
    turned, and it cannot tell a free rewording from what was made up, only rank them.

    Args:
        enough: Share of a claim's words that one place has to hold, 0..1, rare words counting more.
        kept_only: Of documents that a reranker chose from, only those it kept.

    Returns:
        Unmeasured when nothing says what the sources were, or there is no claim (a refusal, a greeting); where nothing
        was retrieved (an empty list) no claim is supported. ``detail`` has ``supported``, the share of the claims that
        are; ``judged``, the share of the answer's words that stand in claims; the mean ``coverage`` of the claims; and
        the unsupported sentences with the reason.
    """
    if not 0 <= enough <= 1:
        raise UsageError(f"source_support: enough={enough}: give a share from 0 to 1")

    def score(output: Any, documents: Any = None, tool_calls: Any = None, input: Any = None) -> Score:
        question, context = asked(input)
        texts = [text for text in map(_content, _kept(documents, kept_only=kept_only)) if text.strip()]
        texts = texts or context
        data = [as_text(call.get("result")) for call in tool_calls or () if call.get("result") is not None]
        if documents is None and not texts and not data:
            return Score.unmeasured("there are no documents and no results of tools to hold the answer against")
        answer = as_text(output)
        sentences = claims(answer)
        if not sentences:
            return Score.unmeasured("the answer claims nothing", detail={"claims": 0, "judged": 0.0})
        sources = Sources(texts, data=data, also=[question])
        checked = [sources.check(sentence, enough=enough) for sentence in sentences]
        wrong = [claim for claim in checked if not claim.is_supported]
        said = "; ".join(f"{claim.text!r}: {claim.reason}" for claim in wrong[:5])
        judged = min(1.0, sum(len(words(sentence)) for sentence in sentences) / max(1, len(words(answer))))
        said = f"{said or 'every claim stands in a source'} (judged: {len(checked)} claims, {judged:.0%} of the words)"
        value = sum(claim.support for claim in checked) / len(checked)
        return Score.of(value, rationale=said, detail=_detail(checked, wrong, judged))

    return score


def _detail(checked: list[Claim], wrong: list[Claim], judged: float) -> dict[str, object]:
    """Return what a score says beside its value, of the claims that were checked and of those that nothing supports."""
    return {
        "claims": len(checked),
        "supported": round(1 - len(wrong) / len(checked), 4),
        "judged": round(judged, 4),
        "coverage": round(sum(claim.coverage for claim in checked) / len(checked), 4),
        "unsupported": [{"sentence": claim.text, "reason": claim.reason, "nearest": claim.evidence} for claim in wrong],
    }


@scorer_factory(range=(0, 1))
def citation(*, pattern: str | None = None, by_article: bool = True) -> Callable[..., Any]:
    """How well the answer cites: the share of its citations that name a source it had, and the right one where known.

    A citation is right when its id is among the documents and, when the metadata has ``source_ids``, among those too.
    An answer without any citation is 0; one that says it found nothing is not measured.

    Args:
        pattern: A regular expression whose first group is the id; square brackets by default.
        by_article: "pets#2" and "pets" name the same source.
    """
    try:
        cited_by = re.compile(pattern) if pattern else _CITED
    except re.error as error:
        raise UsageError(f"citation: {plain_line(pattern, 80)!r} is no regular expression: {error}") from error

    def name(value: Any) -> str:
        text = as_text(value).strip()
        return text.partition("#")[0] if by_article else text

    def score(output: Any, documents: Any = None, metadata: Any = None) -> Score:
        text = as_text(output)
        known = {name(document.get("id")) for document in documents or () if document.get("id") is not None}
        wanted = (
            {name(one) for one in (metadata or {}).get("source_ids") or ()} if isinstance(metadata, dict) else set()
        )
        if not known and not wanted:
            return Score.unmeasured("there are no documents with ids and no source_ids to hold citations against")
        cited = list(dict.fromkeys(name(part) for found in cited_by.findall(text) for part in str(found).split(",")))
        if not cited:
            if not claims(text):
                return Score.unmeasured("the answer claims nothing, so there is nothing to cite")
            return Score.of(0.0, rationale="the answer cites nothing", detail={"cited": []})
        unknown = [one for one in cited if known and one not in known]
        wrong = [one for one in cited if wanted and one not in wanted and one not in unknown]
        right = len(cited) - len(unknown) - len(wrong)
        detail = {
            "cited": cited,
            "not_a_source": unknown,
            "wrong_source": wrong,
            "missing": sorted(wanted - set(cited)),
        }
        return Score.of(right / len(cited), rationale=_words(unknown, wrong), detail=detail)

    return score


def asked(given: Any) -> tuple[str, list[str]]:
    """Return (what was asked, the sources that came along with it) of an input."""
    if not isinstance(given, dict):
        return as_text(given), []
    context = [as_text(given[key]) for key in _CONTEXT if given.get(key)]
    messages = given.get("messages")
    if isinstance(messages, list):
        said = [one.get("content") for one in messages if isinstance(one, dict) and one.get("role") == "user"]
        return as_text(said[-1]) if said else "", context
    rest = {key: value for key, value in given.items() if key not in _CONTEXT}
    return as_text(next((rest[key] for key in _QUESTION if rest.get(key)), rest)), context


def _words(unknown: list[str], wrong: list[str]) -> str:
    parts = [f"not among its sources: {', '.join(unknown)}"] if unknown else []
    parts += [f"not the source of the answer: {', '.join(wrong)}"] if wrong else []
    return "; ".join(parts) or "every citation is right"


def _kept(documents: Any, *, kept_only: bool) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = [document for document in documents or () if isinstance(document, dict)]
    if kept_only and any(document.get("is_kept") for document in found):
        return [document for document in found if document.get("is_kept", True)]
    return found


def _content(document: Mapping[str, Any]) -> str:
    for key in ("content", "text", "page_content"):
        value = document.get(key)
        if value is not None:
            return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return ""
