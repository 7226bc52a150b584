"""Things by their names: those built in, those of this process, and those of installed packages.

One registry serves every kind of thing (scorers, importers): the newest of a name counts, so that a cell of a notebook
can be run again; packages add to it by an entry point; one that is broken says so by its name and breaks no other.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Generic, TypeVar

from lmops.base.endings import Caught
from lmops.errors import NotFoundError, UsageError
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from importlib.metadata import EntryPoint

T = TypeVar("T")


class Registry(Generic[T]):
    """The known things of one kind.

    Args:
        what: The kind in words, such as "scorer".
        group: Entry points under which packages offer some.
        accept: Makes one of them of (name, what a package offers).
        hint: The call that lists them.
    """

    def __init__(self, what: str, *, group: str, accept: Callable[[str, object], T], hint: str) -> None:
        self._what = what
        self._group = group
        self._accept = accept
        self._hint = hint
        self._known: dict[str, T] = {}
        self._broken: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<Registry of {len(list(self))} {self._what}s>"

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._known, *self._offered}))

    def register(self, name: str, made: T) -> None:
        """Make a thing known by its name; the newest of a name counts."""
        self._known[name] = made

    def get(self, name: str) -> T:
        """Return a thing by its name.

        Raises:
            NotFoundError: Nothing has this name; the nearest are named.
            UsageError: The package that offers it is broken.
        """
        return self._known[name] if name in self._known else self._load(name)

    def describe(self, say: Callable[[T], str]) -> dict[str, str]:
        """Return name -> what it does; what a package offers says which, and a broken one what is wrong with it."""
        found = {name: say(made) for name, made in self._known.items()}
        for name, entry in self._offered.items():
            found.setdefault(name, self._broken.get(name, f"from the package {_package(entry)}"))
        return dict(sorted(found.items()))

    @cached_property
    def _offered(self) -> dict[str, EntryPoint]:
        """What installed packages offer, looked up once and loaded when it is asked for."""
        from importlib.metadata import entry_points

        return {entry.name: entry for entry in entry_points(group=self._group)}

    def _load(self, name: str) -> T:
        entry = self._offered.get(name)
        if entry is None:
            raise NotFoundError.of(self._what, name, self, hint=self._hint)
        # a package may do anything when it is loaded
        with Caught(Exception) as caught:
            made = self._accept(name, entry.load())
        if (error := caught.error) is not None:
            said = f"broken: {type(error).__name__}: {plain_line(error, 300)}"
            self._broken[name] = said
            raise UsageError(f"{self._what} {name!r} of the package {_package(entry)} is {said}") from error
        self.register(name, made)
        return made


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else entry.value
