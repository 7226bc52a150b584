"""Scorers and judges as rails: how far a text falls short of what they want."""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError
from lmops.guardrails.asking import asked_of
from lmops.guardrails.contract import Finding, Given, rail
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lmops.scorers import Scorer

#: A version of a judge that stays what it is: an alias could be moved past the card.
_PINNED: Final = re.compile(r"(?:judge:)?([^@\s]+@(?:\d+|sha256:[0-9a-f]+))")

#: Scorers without a model read so many characters in about a second.
_MOST: Final = 50_000


def _check_scorer(scorer: str, options: Mapping[str, Any] | None = None, **_rest: object) -> None:
    """Refuse a scorer that is not there, and one whose values are no share of anything."""
    _bounds(_resolved(scorer, options))


def _check_judge(judge: str, **_rest: object) -> None:
    """Refuse what is no version of a judge; what judges need is imported here, and not in the time of a check."""
    importlib.import_module("lmops.judges")
    _pin(judge)


@rail(stages=("output",), is_score=True)
def grounding(given: Given, *, threshold: float = 0.7, enough: float | None = None) -> Iterable[Finding]:
    """How far the sources of an answer do not support what it claims, by words, numbers and names; no model is asked.

    The context has them: ``documents`` (texts, or dicts with content), and the ``question``. An answer that claims
    nothing, such as a greeting, passes.
    """
    from lmops.scorers import source_support

    if given.context.get("documents") is None:
        raise UsageError("it needs the documents that were retrieved: context={'documents': [...]}")
    made = source_support() if enough is None else source_support(enough=enough)
    return _found(made, given, "unsupported", threshold)


@rail(is_score=True, check=_check_scorer)
def scorer(
    given: Given, *, scorer: str, options: Mapping[str, Any] | None = None, threshold: float = 0.5
) -> Iterable[Finding]:
    """How far a text falls short by a scorer, 0 for its best value and 1 for its worst: ``scorer="refusal"``."""
    made = _resolved(scorer, options)
    return _found(made, given, made.name, threshold)


@rail(is_score=True, check=_check_judge)
def judge(given: Given, *, judge: str, threshold: float = 0.5) -> Iterable[Finding]:
    """How far a text falls short by a version of a judge of this workspace, which asks its model: "polite@3"."""
    from lmops.judges import meant

    asked = asked_of("a judge")
    found: Scorer = meant(asked.project, f"judge:{_pin(judge)}")
    return _found(found, given, found.name, threshold, complete=asked.models().acomplete)


def _resolved(scorer: str, options: Mapping[str, Any] | None) -> Scorer:
    from lmops.scorers import resolve

    return resolve({"scorer": scorer, **options} if options else scorer)


def _pin(judge: str) -> str:
    """Return the version of a judge that a policy names."""
    pinned = _PINNED.fullmatch(judge) if isinstance(judge, str) else None
    if pinned is None:
        said = plain_line(judge, 80)
        raise UsageError(f"judge={said!r}: name one version, such as 'polite@3': a card is of what does not change")
    return pinned[1]


def _found(made: Scorer, given: Given, kind: str, threshold: float, complete: Any = None) -> list[Finding]:
    """Return a finding for a text that falls short; what could not be measured although it should have been, raises."""
    from lmops.scorers import ScoreInput

    if complete is None and len(given.text) > _MOST:
        raise UsageError(f"it reads texts of up to {_MOST:,} characters, and this one has {len(given.text):,}")
    context = given.context
    said = made.score(
        ScoreInput(
            output=given.text,
            expected=context.get("expected"),
            example={"input": context.get("question")},
            documents=_documents(context.get("documents")),
            complete=complete,
        )
    )
    if said.status == "error":
        raise UsageError(plain_line(said.reason, 160))
    risk = None if said.number is None else _risk(made, said.number)
    return [] if risk is None or risk < threshold else [Finding(0, len(given.text), kind, risk)]


def _documents(given: Any) -> list[dict[str, Any]] | None:
    if given is None:
        return None
    return [{"content": one} if isinstance(one, str) else dict(one) for one in given]


def _risk(made: Scorer, value: float) -> float:
    """Return where a value lies between the best one, 0, and the worst, 1."""
    low, high = _bounds(made)
    share = min(max((value - low) / (high - low), 0.0), 1.0)
    return 1 - share if made.higher_is_better else share


def _bounds(made: Scorer) -> tuple[float, float]:
    """Return the least and the greatest value of a scorer."""
    low, high = made.range or (0.0, 1.0)
    if low is None or high is None or high <= low:
        raise UsageError(f"the scorer {made.name} has no least and greatest value, so it is no share of anything")
    return low, high
