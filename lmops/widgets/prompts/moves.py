"""Moving an alias from a widget: a plan that is shown first, then the move; the registry decides what is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from lmops.errors import LmopsError, UsageError
from lmops.widgets.kit.actions import refusal
from lmops.widgets.kit.protocol import integer, one_of, optional_string, string
from lmops.widgets.kit.static import is_for_visitors

if TYPE_CHECKING:
    from lmops.prompts import Prompts, PromptVersion
    from lmops.records import Move
    from lmops.widgets.kit.protocol import Message

MAX_VERSION: Final = 2**53
_MAX_WORDS: Final = 10_000


class _Mover(Protocol):
    name: str
    _prompts: Prompts

    def state(self, reason: str, *, said: str = ...) -> Message: ...


def version_row(version: PromptVersion, aliases: dict[str, int]) -> Message:
    """Return what a heading says of a version."""
    return {
        "version": version.version,
        "ref": version.ref,
        "note": version.note,
        "author": version.author,
        "created_ms": version.created_at.timestamp() * 1e3,
        "model": version.model,
        "tags": list(version.tags),
        "hash": version.hash,
        "aliases": sorted(alias for alias, at in aliases.items() if at == version.version),
    }


def all_versions(prompts: Prompts, name: str) -> list[PromptVersion]:
    """Return every version of a prompt, oldest first."""
    return [prompts.get(f"{name}@{version}") for version in reversed(prompts.versions(name)["version"].tolist())]


def alias_rows(prompts: Prompts, name: str) -> list[Message]:
    """Return where the aliases of a prompt point."""
    return [{"alias": alias, "version": version} for alias, version in sorted(prompts.aliases(name).items())]


def on_move(self: _Mover, message: Message) -> Message:
    """Promote or roll back, or say what that would do (``dry_run``)."""
    action = one_of(message, "action", ("promote", "rollback"))
    if is_for_visitors():
        raise UsageError(refused(self._prompts))
    alias = string(message, "alias", 128)
    reason = optional_string(message, "reason", _MAX_WORDS)
    seen = message.get("expected")
    expected = 0 if seen is None and "expected" in message else seen
    if expected is not None and (not isinstance(expected, int) or isinstance(expected, bool)):
        raise UsageError("expected is a version, or null when the alias did not exist")
    is_dry = message.get("dry_run") is not False
    if action == "rollback":
        found = self._prompts.rollback(
            self.name, alias=alias, reason=reason or ("-" if is_dry else ""), expected=expected or None, dry_run=is_dry
        )
    else:
        found = self._prompts.promote(
            self.name,
            integer(message, "version", 1, MAX_VERSION),
            to=alias,
            reason=reason,
            evidence=optional_string(message, "evidence", 200),
            force=message.get("force") is True,
            expected=expected,
            dry_run=is_dry,
        )
    start = "nothing" if found.from_version is None else found.from_version
    path = f"{self.name}@{alias}: {start} → {found.to_version}"
    if is_dry:
        nothing = found.from_version == found.to_version
        return {"kind": "plan", "words": path, "is_nothing": nothing, "is_forced": found.is_forced}
    return {
        **self.state("moved", said=f"{path}, recorded as audit event {found.event_id}"),
        "undo": None if found.from_version is None else _undone(found, path),
    }


def _undone(found: Move, path: str) -> Message:
    """Return what the page asks to take a move back: the alias goes where it was, whatever evidence it had then."""
    return {
        "action": "promote",
        "alias": found.alias,
        "version": found.from_version,
        "expected": found.to_version,
        "force": True,
        "reason": f"taken back: {path}",
        "dry_run": False,
    }


def refused(prompts: Prompts) -> str:
    """Return why nothing can be changed here; "" where it can."""
    return refusal(is_read_only=prompts.is_read_only)


def can_be_undone(prompts: Prompts, name: str) -> list[str]:
    """Return the aliases that have an earlier version to go back to."""
    found = []
    for alias in prompts.aliases(name):
        try:
            prompts.rollback(name, alias=alias, reason="-", dry_run=True)
        except LmopsError:
            continue
        found.append(alias)
    return found
