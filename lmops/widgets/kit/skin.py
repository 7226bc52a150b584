"""What every widget of lmops is: a thin skin over a controller that knows nothing of widgets.

To add a widget:

0. A folder for its noun, unless the noun has one: ``widgets/<noun>/``.
1. ``controller.py``: a plain class with ``_on_<kind>`` methods and ``handle`` (see ``protocol.py``), with
   ``bundle()`` that returns the static forms by media type (tables with ``static.table``), and an attribute
   ``on_change`` that it calls with every message that Python itself causes. All logic and its tests are here.
2. ``<name>.js``: a ``View`` (``kit/view.js``), for a list with something beside it a ``ListView``
   (``kit/list_view.js``, over a ``ListController``) with a ``RowTable`` (``kit/row_table.js``), and ``export default
   renders(TheView)``. It asks ``hello`` and draws the answer, so that two views agree and a view that was scrolled away
   comes back. Keys are ``commandOf``, ``commands`` and ``needed``:
   they act in their order, each when what it needs has come, and text waits with them. Text reaches the page through
   ``textContent`` and ``h`` (``kit/dom.js``) only. The root is ``h("div.lm-root", {tabindex: 0, "data-lm": name,
   "data-state": "loading"})``; tests wait for ``data-state="ready"``.
3. ``<name>.css``: only what ``kit/base.css`` does not have, only its ``--lm-*`` and JupyterLab's ``--jp-*`` variables.
   It acts inside the root only, whose ``data-lm`` is the noun and the name of the file (``trace-browser``); the root
   itself is ``.lm-root`` (``.lm-root.lm-wide .lm-cell``).
4. ``<name>.py``: a subclass of :class:`Skin` with ``_esm = script("<noun>/<name>.js")`` and
   ``_css = style("<noun>/<name>.css")``, and what Python can ask. The noun that shows it is bound in ``workspace.py``.
5. ``tests/browser/test_hostile.py``: its public views go into the lists ``CELLS`` and ``STATIC``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from lmops.errors import MissingDependencyError, UsageError
from lmops.widgets.kit.static import is_static

try:
    import anywidget
    import traitlets
except ImportError as error:
    raise MissingDependencyError.of("anywidget", "lab") from error

if TYPE_CHECKING:
    from collections.abc import Callable

    from lmops.widgets.kit.protocol import Message

_HEIGHTS: Final = (240, 4_000)


class Controller(Protocol):
    """What a skin needs of its controller."""

    on_change: Callable[[Message], None]

    def handle(self, message: object) -> list[Message]:
        """Return the answers to one message of the page."""

    def bundle(self) -> dict[str, str]:
        """Return the static forms by their media types: ``text/plain`` and ``text/html``."""


class Skin(anywidget.AnyWidget):
    """A widget over a controller; with ``LMOPS_STATIC=1`` it opens no connection and displays as its static form.

    Args:
        controller: What it shows.
        height: Height in pixels, from 240 to 4,000.
    """

    _height = traitlets.Int(560).tag(sync=True)

    def __init__(self, controller: Controller, *, height: int = 560) -> None:
        if not isinstance(height, int) or not _HEIGHTS[0] <= height <= _HEIGHTS[1]:
            raise UsageError(f"height={height!r}: give pixels from {_HEIGHTS[0]} to {_HEIGHTS[1]}")
        self._controller: Any = controller
        super().__init__(_height=height)
        controller.on_change = self.send
        self.on_msg(self._answer)

    def open(self) -> None:
        """Open the connection to the page, unless the notebook is written to be read later."""
        if not is_static():
            super().open()

    def _answer(self, _widget: object, message: object, _buffers: object) -> None:
        for found in self._controller.handle(message):
            self.send(found)

    def _repr_mimebundle_(self, **_options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the view and, for exported and untrusted notebooks, the static form as HTML and text."""
        static: dict[str, Any] = dict(self._controller.bundle())
        live = None if is_static() else super()._repr_mimebundle_()
        if live is None:
            return static, {}
        data, metadata = live
        return {**data, **static}, metadata
