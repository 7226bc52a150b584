"""Which scorer is meant: by a name, a function, or what a criteria file says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lmops.errors import UsageError
from lmops.scorers._judge import judge, pairwise
from lmops.scorers._registry import get
from lmops.scorers._scorer import Scorer, ScorerFactory, build
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


def resolve(wanted: str | Scorer | ScorerFactory[Any] | Callable[..., Any] | Mapping[str, Any]) -> Scorer:
    """Return the scorer that is meant: a name, a scorer, a factory without options, a function, or a mapping.

    A mapping is ``{"scorer": name, "name": ..., OPTION: ...}``, as a criteria file has it; "judge" and "pairwise" too.

    Raises:
        NotFoundError: The name is unknown.
        UsageError: It is something else, or the options do not fit.
    """
    if isinstance(wanted, Scorer):
        return wanted
    if isinstance(wanted, str):
        return get(wanted)
    if isinstance(wanted, ScorerFactory):
        return _made(wanted)
    if callable(wanted):
        return build(wanted)
    if hasattr(wanted, "keys"):
        options = dict(wanted)
        if not isinstance(options.get("scorer"), str):
            raise UsageError(f"a scorer as a mapping names it: {{'scorer': 'exact_match', ...}}; given: {options}")
        name, called = options.pop("scorer"), options.pop("name", None)
        if name in ("judge", "pairwise"):
            return _judge(name, called or name, options)
        found = get(name, options)
        return found.named(called) if called else found
    raise UsageError(f"a scorer is a name, a scorer or a function; this is {type(wanted).__name__}")


def resolve_all(wanted: Iterable[Any]) -> list[Scorer]:
    """Return the scorers that are meant.

    Raises:
        UsageError: Two have the same name: their scores could not be told apart.
    """
    if isinstance(wanted, str | Scorer | ScorerFactory):
        wanted = [wanted]
    found = [resolve(one) for one in wanted]
    names = [one.name for one in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"two scorers are called {twice[0]!r}: give one another name with .named({twice[0] + '_2'!r})")
    return found


def _judge(kind: str, name: str, options: Mapping[str, Any]) -> Scorer:
    """Return a judge as a criteria file spells it out."""
    make: Callable[..., Scorer] = judge if kind == "judge" else pairwise
    try:
        return make(name, **options)
    except TypeError as error:
        raise UsageError(f"{kind} {name!r}: {plain_line(error, 200)}") from error


def _made(factory: ScorerFactory[Any]) -> Scorer:
    """Return what a factory makes without options."""
    try:
        return factory()
    except TypeError as error:
        raise UsageError(
            f"scorer {factory.name!r} needs options: {plain_line(error, 200)}; it is {factory!r}"
        ) from error
