"""What every widget of lmops is: a thin skin over a controller that knows nothing of widgets."""

from __future__ import annotations

import functools
import types
from typing import TYPE_CHECKING, Any, cast

from lmops.errors import MissingDependencyError
from lmops.widgets.kit.assets import packed, style
from lmops.widgets.kit.static import is_static

try:
    import anywidget
    import traitlets
except ImportError as error:
    raise MissingDependencyError.of("anywidget", "lab") from error

if TYPE_CHECKING:
    from lmops.widgets.kit.protocol import Controller


class Skin(anywidget.AnyWidget):
    """A widget over a controller; with ``LMOPS_STATIC=1`` it opens no connection.

    Args:
        controller: What it shows.
        height: Height in pixels.
    """

    _height = traitlets.Int(560).tag(sync=True)

    def __init__(self, controller: Controller, *, height: int) -> None:
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


@functools.cache
def skin(place: str) -> type[Skin]:
    """Return the widget class of one view, which is its own: a page knows a style sheet by the name of the class.

    Args:
        place: Its script and style sheet, without their ends, such as ``"traces/browser"``.
    """
    members = {"__module__": __name__, "_esm": packed(f"{place}.js"), "_css": style(f"{place}.css")}
    return cast("type[Skin]", types.new_class(place, (Skin,), exec_body=lambda body: body.update(members)))
