"""``ws.tools``: the tools with their desk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lmops.tools import Tools

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lmops.tools import Ask
    from lmops.widgets.tools.desk import ToolDesk

_SHOWN: Final = 200


class BrowsableTools(Tools):
    """The tools with their view: bound here, so that no phase imports one."""

    def desk(self, *, height: int = 560) -> ToolDesk:
        """Return the desk of the calls that wait for somebody's yes: what would be called with what, and why.

        Parts of the arguments that a retrieved document or the result of a tool said are marked. y and n decide, with
        a reason; press ? for the keys. In a runbook, in an exported or untrusted notebook and without anywidget the
        same call shows a table.

        Args:
            height: Height in pixels.
        """
        from lmops.widgets.kit.actions import refusal
        from lmops.widgets.tools.controller import DeskController
        from lmops.widgets.tools.desk import ToolDesk

        refused = refusal(is_read_only=self._store.is_read_only)
        return ToolDesk(DeskController(_Board(self), refused=refused), height=height)


class _Board:
    """The asks of a workspace as the desk asks for them."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    def asks(self) -> Sequence[Ask]:
        return self._tools.newest_asks(_SHOWN)

    def ask(self, ask: int) -> Ask:
        return self._tools.ask(ask)

    def settle(self, ask: int, *, to: str, seen: str, reason: str | None) -> Ask:
        verb = self._tools.approve if to == "approved" else self._tools.deny
        return verb(ask, reason=reason, seen=seen)
