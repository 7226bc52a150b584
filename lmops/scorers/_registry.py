"""Scorers by name: those built in, those of this process, and those of installed packages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, ParamSpec, overload

from lmops.base.registry import Registry
from lmops.errors import UsageError
from lmops.scorers._scorer import Scorer, ScorerFactory, build, checked_name
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

P = ParamSpec("P")


def _accepted(name: str, offered: Any) -> Scorer | ScorerFactory[Any]:
    """Return what a package offers, a scorer, a factory or a plain function, as one of the first two."""
    return offered if isinstance(offered, Scorer | ScorerFactory) else build(offered, name=name)


#: Packages add scorers under this group of entry points.
_KNOWN: Final = Registry[Scorer | ScorerFactory[Any]](
    "scorer", group="lmops.scorers", accept=_accepted, hint="lmops.scorers.available() lists them"
)


def get(name: str, options: Mapping[str, Any] | None = None) -> Scorer:
    """Return a scorer by its name.

    Args:
        name: One of :func:`available`.
        options: What its factory takes, by name; ``get("regex", {"pattern": "TL-[0-9]+"})``.

    Raises:
        NotFoundError: No scorer has this name; the nearest are named.
        UsageError: The options do not fit, or its plugin is broken.
    """
    found = _KNOWN.get(name)
    if isinstance(found, Scorer):
        if options:
            raise UsageError(f"scorer {name!r} takes no options; given: {', '.join(map(str, options))}")
        return found
    try:
        return found(**dict(options or {}))
    except TypeError as error:
        raise UsageError(f"scorer {name!r}: {plain_line(error, 200)}; it is {found!r}") from error


def available() -> dict[str, str]:
    """Return every known scorer: name -> what it does in a sentence; a broken plugin says what is wrong with it."""
    return _KNOWN.describe(_first_line)


def _first_line(made: Scorer | ScorerFactory[Any]) -> str:
    text = made.doc if isinstance(made, Scorer) else (made.__doc__ or "")
    return plain_line(text.strip().partition("\n")[0], 200)


@overload
def scorer(function: Callable[..., Any], /) -> Scorer: ...
@overload
def scorer(
    *,
    name: str | None = None,
    range: tuple[float | None, float | None] | None = None,
    higher_is_better: bool = True,
    needs: Iterable[str] | None = None,
) -> Callable[[Callable[..., Any]], Scorer]: ...
def scorer(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    range: tuple[float | None, float | None] | None = None,
    higher_is_better: bool = True,
    needs: Iterable[str] | None = None,
) -> Scorer | Callable[[Callable[..., Any]], Scorer]:
    """Make a function a scorer and register it under its name; a later one of the same name takes its place.

    The function takes what it names, out of: output, expected, input, metadata, documents, tool_calls, latency_ms,
    cost_usd, input_tokens, output_tokens, trace_id, example, complete, embed, repeat. It may be async. It returns a
    number, True or False, a :class:`Score`, a dict of a Score's fields, or None for "unmeasured".

    Args:
        function: The function, when the decorator is used without arguments.
        name: Its name; the function's by default.
        range: (least, greatest) value; None for an open end. A value outside is an error.
        higher_is_better: Whether more is better.
        needs: What has to be there, otherwise the score is unmeasured; by default what the function names without a
            default.

    Raises:
        UsageError: It names something else.

    Example:
        >>> from lmops.scorers import ScoreInput, scorer
        >>> @scorer
        ... def is_short(output):
        ...     return len(output) < 20
        >>> is_short.score(ScoreInput(output="Yes."))
        <Score is_short=True>
    """

    def decorate(given: Callable[..., Any]) -> Scorer:
        made = build(given, name=name, range=range, higher_is_better=higher_is_better, needs=needs)
        _KNOWN.register(made.name, made)
        return made

    return decorate if function is None else decorate(function)


def scorer_factory(
    *,
    name: str | None = None,
    range: tuple[float | None, float | None] | None = None,
    higher_is_better: bool = True,
    needs: Iterable[str] | None = None,
    kind: str = "code",
) -> Callable[[Callable[P, Callable[..., Any]]], ScorerFactory[P]]:
    """Make a function that returns a scoring function a factory of scorers with options, and register it.

    Args:
        name: Its name; the function's by default.
        range: As for :func:`scorer`.
        higher_is_better: As for :func:`scorer`.
        needs: As for :func:`scorer`.
        kind: "code" or "judge".

    Example:
        >>> from lmops.scorers import ScoreInput, scorer_factory
        >>> @scorer_factory()
        ... def shorter_than(limit: int):
        ...     def score(output):
        ...         return len(output) < limit
        ...     return score
        >>> shorter_than(3).score(ScoreInput(output="Yes."))
        <Score shorter_than=False>
    """

    def decorate(make: Callable[P, Callable[..., Any]]) -> ScorerFactory[P]:
        wanted = None if needs is None else tuple(needs)
        called = checked_name(name or str(make.__name__))
        made = ScorerFactory(make, name=called, range=range, higher_is_better=higher_is_better, needs=wanted, kind=kind)
        _KNOWN.register(called, made)
        return made

    return decorate
