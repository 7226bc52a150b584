"""What calls of models need of whoever guards them; who that is stands above, and is handed in by the workspace."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Protocol, cast

from lmops.base.chat import Usage
from lmops.errors import UsageError
from lmops.models._records import Completion

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from lmops.models._calls import Calls, Event
    from lmops.models._records import Call

    Messages = Sequence[Mapping[str, Any]]
    Emit = Callable[[Event], object]


class Guard(Protocol):
    """Lets through what a model may be asked, and what it answers."""

    async def complete(
        self,
        messages: Messages,
        ask: Callable[[Messages], Awaitable[Completion]],
        blocked: Callable[[], Completion],
    ) -> Completion:
        """Return the answer as the user may have it; ``blocked`` makes that of a model that was not asked."""

    async def stream(
        self,
        messages: Messages,
        ask: Callable[[Messages, Emit], Awaitable[None]],
        blocked: Callable[[], Completion],
        emit: Emit,
    ) -> None:
        """Emit the pieces of the answer as the user may have them, then its completion, or the error that ended it."""


class Guarding(Protocol):
    """What has a guard, as a policy has."""

    @property
    def guard(self) -> Guard:
        """What calls go through."""


class Guarded:
    """Calls that go through a guard.

    Args:
        calls: Makes the calls.
        guard: What they go through; None: nothing.
    """

    def __init__(self, calls: Calls, guard: Guard | None) -> None:
        self._calls = calls
        self._guard = guard

    async def complete(self, call: Call) -> Completion:
        """Return the answer of a model."""
        if self._guard is None:
            return await self._calls.complete(call)

        async def ask(messages: Messages) -> Completion:
            return await self._calls.complete(dataclasses.replace(call, messages=messages))

        return await self._guard.complete(call.messages, ask, lambda: _unasked(call, is_sent=False))

    async def stream(self, call: Call, emit: Emit) -> None:
        """Emit the pieces of an answer, then its completion, or the error that ended it."""
        if self._guard is None:
            await self._calls.stream(call, emit)
            return

        async def ask(messages: Messages, taken: Emit) -> None:
            await self._calls.stream(dataclasses.replace(call, messages=messages), taken)

        await self._guard.stream(call.messages, ask, lambda: _unasked(call, is_sent=True), emit)


def guard_of(given: str | Guarding | None, found: Callable[[str], Guard] | None) -> Guard | None:
    """Return what a call goes through.

    Args:
        given: A reference such as "support@production", a policy, or None.
        found: Looks up a reference.

    Raises:
        NotFoundError: There is no such policy.
        UsageError: It is neither.
    """
    if given is None:
        return None
    if isinstance(given, str) and found is not None:
        return found(given)
    guard = getattr(given, "guard", None)
    if guard is None:
        raise UsageError(f"guardrails={given!r:.80}: give the reference of a policy, such as 'support@production'")
    return cast("Guard", guard)


def _unasked(call: Call, *, is_sent: bool) -> Completion:
    """Return the completion of a model that was not asked, or not to its end."""
    return Completion(
        content=None,
        model=call.endpoint.model,
        requested_model=call.endpoint.model,
        provider=call.endpoint.provider,
        usage=Usage() if is_sent else Usage(input_tokens=0, output_tokens=0),
        cost_usd=None if is_sent else 0.0,
        latency_ms=0.0,
    )
