"""What an answer took, how long it is, whether it refuses, and in which language it is."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Literal

from lmops.errors import MissingDependencyError, UsageError, did_you_mean
from lmops.scorers._claims import refuses
from lmops.scorers._normalise import as_text, words
from lmops.scorers._records import Score
from lmops.scorers._registry import scorer_factory

if TYPE_CHECKING:
    from collections.abc import Callable


def _limited(value: float, most: float | None, unit: str, least: float | None = None) -> float | Score:
    """Return a figure itself, or whether it keeps within its limits when there are any."""
    if most is None and least is None:
        return value
    is_within = (most is None or value <= most) and (least is None or value >= least)
    return Score.of(is_within, rationale=f"{value:g} {unit}", detail={"measured": value})


def _check_limits(name: str, **limits: float | None) -> None:
    """Refuse a limit below 0."""
    for option, limit in limits.items():
        if limit is not None and limit < 0:
            raise UsageError(f"{name}: {option}={limit}: a limit is 0 or more")


@scorer_factory(range=(0, None), higher_is_better=False)
def latency(max_ms: float | None = None) -> Callable[..., Any]:
    """How long the task took in milliseconds; with a limit, whether it kept within it.

    Args:
        max_ms: The limit.
    """
    _check_limits("latency", max_ms=max_ms)

    def score(latency_ms: Any) -> float | Score:
        return _limited(float(latency_ms), max_ms, "ms")

    return score


@scorer_factory(range=(0, None), higher_is_better=False)
def cost(max_usd: float | None = None) -> Callable[..., Any]:
    """What the task's model calls cost in US dollars; with a limit, whether they kept within it.

    Args:
        max_usd: The limit.
    """
    _check_limits("cost", max_usd=max_usd)

    def score(cost_usd: Any) -> float | Score:
        return _limited(float(cost_usd), max_usd, "USD")

    return score


@scorer_factory(range=(0, None), higher_is_better=False)
def length(
    *,
    max: float | None = None,  # the words a user would write
    min: float | None = None,
    unit: Literal["words", "characters", "tokens"] = "words",
) -> Callable[..., Any]:
    """How long the output is; with limits, whether it keeps within them.

    Args:
        max: The most.
        min: The least.
        unit: "words", "characters", or "tokens" (those that the model counted).
    """
    if unit not in ("words", "characters", "tokens"):
        raise UsageError(f"length: unit={unit!r}: use 'words', 'characters' or 'tokens'")
    _check_limits("length", min=min, max=max)
    if min is not None and max is not None and min > max:
        raise UsageError(f"length: min={min} is above max={max}: nothing can keep within them")

    def score(output: Any, output_tokens: Any = None) -> float | Score:
        if unit == "tokens":
            if output_tokens is None:
                return Score.unmeasured("there are not known output tokens")
            return _limited(float(output_tokens), max, unit, min)
        text = as_text(output)
        return _limited(float(len(words(text)) if unit == "words" else len(text)), max, unit, min)

    return score


@scorer_factory()
def refusal(*, wanted: bool | None = None) -> Callable[..., Any]:
    """Whether the output says that it found nothing or will not answer, and claims nothing besides.

    Told by fixed phrases ("could not find", "I can't help with that", ...) in the languages that users meet most
    (English, German, French, Spanish, Italian, Portuguese, Dutch, Polish, Russian, Turkish, Arabic, Chinese, Japanese,
    Korean); a judge sees more. Why not, and what to do instead, belongs to a refusal unless it has a number.

    Args:
        wanted: True: refusing is right, False: it is wrong; None scores whether it refused. An example with
            ``should_refuse`` in its metadata decides for itself.
    """

    def score(output: Any, metadata: Any = None) -> Score:
        text = as_text(output)
        refused = refuses(text)
        asked = metadata.get("should_refuse", wanted) if isinstance(metadata, dict) else wanted
        said = "it refuses" if refused else "it answers"
        return Score.of(
            refused if asked is None else refused is bool(asked), rationale=said, detail={"refused": refused}
        )

    return score


@scorer_factory()
def language(code: str | None = None, *, min_characters: int = 20) -> Callable[..., Any]:
    """Whether the output is in a language; needs py3langid (``pip install 'lmops[scorers]'``).

    Args:
        code: Its ISO 639-1 code, such as "en"; None: that of the metadata's ``language``, else that of the input.
        min_characters: A shorter output is unmeasured: a few words are of many languages.

    Raises:
        MissingDependencyError: py3langid is not installed.
    """
    identify, known = _identifier()
    if code is not None and code not in known:
        raise UsageError(did_you_mean("language", code, known))

    def score(output: Any, input: Any = None, metadata: Any = None) -> Score:
        text = as_text(output)
        if len(text.strip()) < min_characters:
            return Score.unmeasured(f"the output has fewer than {min_characters} characters")
        asked = code or (metadata.get("language") if isinstance(metadata, dict) else None)
        if asked is None:
            if input is None:
                return Score.unmeasured("nothing says which language is right")
            asked = identify(as_text(input))[0]
        found, share = identify(text)
        return Score.of(
            found == asked, rationale=f"{found} ({share:.0%})", detail={"language": found, "expected": asked}
        )

    return score


@functools.lru_cache(maxsize=1)
def _identifier() -> tuple[Callable[[str], tuple[str, float]], list[str]]:
    """Return what tells the language of a text, and the languages that it knows."""
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ImportError as error:
        raise MissingDependencyError.of("py3langid", "scorers") from error
    model = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)

    def identify(text: str) -> tuple[str, float]:
        name, share = model.classify(text)
        return str(name), float(share)

    return identify, sorted(map(str, model.nb_classes))
