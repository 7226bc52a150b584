"""What a verb shows: a Python value over a controller, as a live widget where there can be one.

To add a view:

0. A folder for its noun, unless the noun has one: ``widgets/<noun>/``.
1. ``controller.py``: a plain class with ``_on_<kind>`` methods and ``handle`` (see ``protocol.py``), with
   ``bundle()`` that returns the static forms by media type (tables with ``framed`` of ``base/sheet.py``), and an
   attribute ``on_change`` that it calls with every message that Python itself causes. All logic and its tests are here.
2. ``<name>.js``: a ``View`` (``kit/view.js``), for a list with something beside it a ``ListView``
   (``kit/list_view.js``, over a ``ListController``) with a ``RowTable`` (``kit/row_table.js``), and ``export default
   renders(TheView)``. It asks ``hello`` and draws the answer, so that two views agree and a view that was scrolled away
   comes back. Keys are ``commandOf``, ``commands`` and ``needed``:
   they act in their order, each when what it needs has come, and text waits with them. Text reaches the page through
   ``textContent`` and ``h`` (``kit/dom.js``) only. The root is ``h("div.lm-root", {tabindex: 0, "data-lm": name,
   "data-state": "loading"})``; tests wait for ``data-state="ready"``.
3. ``<name>.css``: only what ``kit/base.css`` does not have, only the colours of ``kit/skin.css``.
   It acts inside the root only, whose ``data-lm`` is the noun and the name of the file (``trace-browser``); the root
   itself is ``.lm-root`` (``.lm-root.lm-wide .lm-cell``).
4. ``<name>.py``: a subclass of :class:`Live` with ``_place = "<noun>/<name>"``, and what Python can ask. The verb that
   returns it, or the record that shows itself by it, is bound in the ``noun.py`` of the folder.
5. ``tests/browser/test_hostile.py``: its public views go into the lists ``CELLS`` and ``STATIC``.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Final

from lmops.base.shown import Shown
from lmops.errors import MissingDependencyError, UsageError
from lmops.text import escape
from lmops.widgets.kit.static import is_static

if TYPE_CHECKING:
    from lmops.widgets.kit.protocol import Controller
    from lmops.widgets.kit.skin import Skin

_HEIGHTS: Final = (240, 4_000)


class Live(Shown):
    """A view over a controller: a widget in a notebook, its static form where none can be.

    Static it is with ``LMOPS_STATIC=1`` (a notebook that is written to be read later), without anywidget, and where all
    that it is for is refused; then it opens no connection, and what Python can ask of it is the same.

    Args:
        controller: What it shows.
        height: Height in pixels, from 240 to 4,000.
        refused: Why nothing can be done in it here, such as in a store that is open read-only; empty where it can.
    """

    #: its script and style sheet, without their ends
    _place: ClassVar[str]

    def __init__(self, controller: Controller, *, height: int = 560, refused: str = "") -> None:
        if not isinstance(height, int) or not _HEIGHTS[0] <= height <= _HEIGHTS[1]:
            raise UsageError(f"height={height!r}: give pixels from {_HEIGHTS[0]} to {_HEIGHTS[1]}")
        self._controller: Any = controller
        self._height = height
        self._refused = refused

    @cached_property
    def widget(self) -> Skin:
        """The widget itself, to put it into other widgets; made when it is first asked for.

        Raises:
            MissingDependencyError: anywidget is not installed.
            UsageError: Nothing can be done in it here, such as in a store that is open read-only.
        """
        if self._refused:
            name = type(self).__name__
            raise UsageError(f"{self._refused}: {name} has no widget here; what shows itself, and .text, can be read")
        from lmops.widgets.kit.skin import skin

        return skin(self._place)(self._controller, height=self._height)

    @property
    def text(self) -> str:
        """What is shown as plain text, safe to print to a terminal."""
        return self._static()["text/plain"]

    def _repr_html_(self) -> str:
        return self._static()["text/html"]

    def _static(self) -> dict[str, str]:
        """Return the static forms by media type; why they are all there is stands first."""
        made = {kind: str(form) for kind, form in self._controller.bundle().items()}
        if self._refused:
            made["text/plain"] = f"{self._refused}\n{made['text/plain']}"
            made["text/html"] = f"<div><p>{escape(self._refused)}</p>{made['text/html']}</div>"
        return made

    def _repr_mimebundle_(self, **_options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the widget and, for exported and untrusted notebooks, the static form as HTML and text."""
        static: dict[str, Any] = {**self._static()}
        if self._refused or is_static():
            return static, {}
        try:
            found = self.widget._repr_mimebundle_()
        except MissingDependencyError:
            return static, {}
        if found is None:
            return static, {}
        data, metadata = found
        return {**data, **static}, metadata
