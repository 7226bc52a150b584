"""What rails may ask of the workspace whose policy asks them: its models, and its judges by their versions."""

from __future__ import annotations

import contextlib
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, NamedTuple

from lmops.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lmops.models import Models
    from lmops.records import Project


class Asked(NamedTuple):
    """The workspace that asks its rails."""

    project: Project
    models: Callable[[], Models]


_NOW: Final[ContextVar[Asked | None]] = ContextVar("lmops_guardrails_asked", default=None)


@contextlib.contextmanager
def asking(asked: Asked | None) -> Iterator[None]:
    """Let the rails that are asked inside ask this workspace; threads that they are asked in know it as well.

    Args:
        asked: The workspace; None leaves it as it is.
    """
    token = None if asked is None else _NOW.set(asked)
    try:
        yield
    finally:
        if token is not None:
            _NOW.reset(token)


def asked_of(what: str) -> Asked:
    """Return the workspace that asks.

    Args:
        what: What the rail needs of it, for the message.

    Raises:
        UsageError: No workspace asks: the policy was made without one.
    """
    found = _NOW.get()
    if found is None:
        raise UsageError(f"it needs {what} of a workspace: take the policy from one, ws.guardrails.get('support')")
    return found
