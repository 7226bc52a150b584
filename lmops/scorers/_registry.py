"""Scorers by name: those built in, those of this process, and those of installed packages."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import NotFoundError, UsageError
from lmops.scorers._scorer import Scorer, ScorerFactory, build
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from importlib.metadata import EntryPoint

log = logging.getLogger(__name__)

#: Packages add scorers under this group of entry points: each is a Scorer, a factory, or a plain function.
GROUP: Final = "lmops.scorers"
_known: dict[str, Scorer | ScorerFactory[Any]] = {}
_plugins: dict[str, EntryPoint] | None = None
_broken: dict[str, str] = {}


def register(made: Scorer) -> Scorer:
    """Make a scorer known by its name; the newest of a name counts, so that a cell can be run again."""
    _known[made.name] = made
    return made


def register_factory(made: ScorerFactory[Any]) -> None:
    """Make a factory known by its name."""
    _known[made.name] = made


def get(name: str, options: Mapping[str, Any] | None = None) -> Scorer:
    """Return a scorer by its name.

    Args:
        name: One of :func:`available`.
        options: What its factory takes, by name; ``get("regex", {"pattern": "TL-[0-9]+"})``.

    Raises:
        NotFoundError: No scorer has this name; the nearest are named.
        UsageError: The options do not fit, or its plugin is broken.
    """
    found = _known.get(name)
    if found is None:
        found = _load(name)
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
    found = {name: _first_line(made) for name, made in _known.items()}
    for name, entry in _entries().items():
        found.setdefault(name, _broken.get(name, f"from the package {_package(entry)}"))
    return dict(sorted(found.items()))


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
        return get_from(wanted)
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


def _judge(kind: str, name: str, options: Mapping[str, Any]) -> Scorer:
    """Return a judge as a criteria file spells it out."""
    from lmops.scorers import _judge

    make: Callable[..., Scorer] = _judge.judge if kind == "judge" else _judge.pairwise
    try:
        return make(name, **options)
    except TypeError as error:
        raise UsageError(f"{kind} {name!r}: {plain_line(error, 200)}") from error


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


def get_from(factory: ScorerFactory[Any]) -> Scorer:
    """Return what a factory makes without options."""
    try:
        return factory()
    except TypeError as error:
        raise UsageError(
            f"scorer {factory.name!r} needs options: {plain_line(error, 200)}; it is {factory!r}"
        ) from error


def _load(name: str) -> Scorer | ScorerFactory[Any]:
    """Return what a package offers under a name, loaded now."""
    entry = _entries().get(name)
    if entry is None:
        raise NotFoundError.of("scorer", name, available(), hint="lmops.scorers.available() lists them")
    try:
        offered = entry.load()
        made = offered if isinstance(offered, Scorer | ScorerFactory) else build(offered, name=name)
    except Exception as error:
        said = f"broken: {type(error).__name__}: {plain_line(error, 300)}"
        _broken[name] = said
        message = f"scorer {name!r} of the package {_package(entry)} is {said}"
        raise UsageError(message) from error
    _known[name] = made
    return made


def _entries() -> dict[str, EntryPoint]:
    global _plugins  # noqa: PLW0603  # looked up once a process
    if _plugins is None:
        from importlib.metadata import entry_points

        _plugins = {entry.name: entry for entry in entry_points(group=GROUP)}
    return _plugins


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else entry.value


def _first_line(made: Scorer | ScorerFactory[Any]) -> str:
    text = made.doc if isinstance(made, Scorer) else (made.__doc__ or "")
    return plain_line(text.strip().partition("\n")[0], 200)
