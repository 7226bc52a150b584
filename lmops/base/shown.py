"""Records that show themselves: what a record knows stays below, how it looks is registered from above.

A record inherits :class:`Shown`; a file above it registers a function with ``@text_of.register`` and one with
``@html_of.register``, by the type of their argument. So no record imports its looks, and every import points down.
The package of a room imports the file that registers, so that whoever has a record has its looks as well.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Protocol, Self

from lmops.errors import UsageError
from lmops.text import escape, plain

if TYPE_CHECKING:
    from collections.abc import Callable


@functools.singledispatch
def text_of(record: object) -> str:
    """Return a record as plain text for terminals and archives; as its repr where nothing else was registered."""
    return plain(repr(record))


@functools.singledispatch
def html_of(record: object) -> str:
    """Return a record as HTML that needs neither script nor style sheet; its text where nothing else was registered."""
    return f"<pre>{escape(text_of(record))}</pre>"


class Shown:
    """A record that a terminal and a notebook show as what was registered for its type."""

    __slots__ = ()

    @property
    def text(self) -> str:
        """The record as plain text, safe to print to a terminal."""
        return text_of(self)

    def _repr_html_(self) -> str:
        return html_of(self)


class View(Protocol):
    """A live view: what a notebook shows of it, by media type, the static forms among it."""

    def _repr_mimebundle_(self, **_options: Any) -> tuple[dict[str, Any], dict[str, Any]]: ...


class Viewed(Shown):
    """A record that has a live view as well; who can make one (a workspace) gives it to the record.

    A notebook shows the view, which falls back to the static forms where no kernel answers or no widget can be made. A
    record that nobody gave a view shows the static forms.
    """

    __slots__ = ("_made_view", "_make_view")
    _made_view: View
    _make_view: Callable[[], View]

    def viewed_by(self, make: Callable[[], View]) -> Self:
        """Give the record what makes its view, once, when it is first shown; return the record."""
        object.__setattr__(self, "_make_view", make)  # records are frozen; what is shown is no part of them
        return self

    @property
    def view(self) -> Any:
        """The live view: what is done in it is a Python value of it.

        Raises:
            UsageError: The record was not made through a workspace.
        """
        if not hasattr(self, "_make_view"):
            raise UsageError(f"{type(self).__name__}: a view needs a workspace; ask ws, as lmops.open() returns it")
        return self._shown_view()

    def _shown_view(self) -> View:
        if not hasattr(self, "_made_view"):
            object.__setattr__(self, "_made_view", self._make_view())
        return self._made_view

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        if hasattr(self, "_make_view"):
            return self._shown_view()._repr_mimebundle_(**options)
        return {"text/plain": self.text, "text/html": self._repr_html_()}, {}
