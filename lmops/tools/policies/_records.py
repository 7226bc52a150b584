"""What is switched off, and what waits for somebody's yes, as records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from lmops.base.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

#: waiting, approved (and not made yet), denied, made (an approved call, once), expired.
AskStatus = Literal["waiting", "approved", "denied", "made", "expired"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSwitch(Shown):
    """Whether a tool is switched off.

    Args:
        tool: Its name.
        is_off: It is off.
        actor: Who switched it last.
        at: When, UTC.
        reason: Why.
    """

    tool: str
    is_off: bool
    actor: str
    at: datetime
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask(Shown):
    """A call that waits, or waited, for somebody's yes.

    Args:
        ask: Its number.
        tool: Which tool.
        version: Of the tool.
        arguments: With what it is called if somebody says yes; with nothing else.
        digest: Hash of tool, version and arguments: what the yes is bound to.
        status: waiting, approved, denied, made, expired.
        policy: Which policy asked, such as "support@3".
        rule: The rule that asked.
        why: Why, in its words.
        role: Who calls.
        run_id: The run that it is part of.
        trace_id: That led to it; None: it is not traced.
        origins: By who said them the stretches of its arguments.
        asked_at: When, UTC.
        expires_at: When nobody can say yes any more, UTC.
        actor: Who made the last step.
        moved_at: When, UTC.
        reason: Why.
    """

    ask: int
    tool: str
    version: int
    arguments: Mapping[str, Any]
    digest: str
    status: AskStatus
    policy: str
    rule: str | None
    why: str
    role: str | None
    run_id: str
    trace_id: str | None
    origins: Mapping[str, tuple[str, ...]]
    asked_at: datetime
    expires_at: datetime
    actor: str
    moved_at: datetime
    reason: str | None = None
