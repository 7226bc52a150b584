"""The kinds of rails that policies can name, in words."""

from __future__ import annotations

import inspect
from typing import Any

from lmops.base.endings import Caught
from lmops.errors import LmopsError
from lmops.guardrails.contract import KINDS, RailKind, available


def kinds() -> list[dict[str, Any]]:
    """Return one row a kind: rail, stages, action, options and what it does; a broken one says what is wrong."""
    return [{"rail": name, **_told(name), "does": does} for name, does in available().items()]


def _told(name: str) -> dict[str, Any]:
    with Caught(LmopsError) as caught:
        kind = KINDS.get(name)
    if caught.error is not None:
        return {"stages": None, "action": None, "options": None}
    return {"stages": ", ".join(kind.stages), "action": kind.action, "options": _options(kind)}


def _options(kind: RailKind) -> str:
    needed = inspect.Parameter.empty
    return ", ".join(name if one is needed else f"{name}={one!r}" for name, one in kind.options.items())
