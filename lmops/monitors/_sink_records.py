"""What a sink is, and what became of what was to be told."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from lmops.base.posting import host
from lmops.base.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Mapping
SinkKind = Literal["webhook", "slack", "alertmanager", "pagerduty", "email"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sink(Shown):
    """Somebody who is told of alerts.

    Args:
        name: Of the sink.
        kind: How it is told: "webhook", "slack", "alertmanager", "pagerduty" or "email".
        url: Where to; None where a variable has the address.
        url_env: Name of the variable of the environment that has the address.
        secret_env: Name of the variable that has the secret: the key of signatures, a routing key, a password.
        min_severity: The least that is told: "note", "ticket", "urgent" or "page".
        monitors: The monitors that are told of; None: all.
        has_text: Whether questions and answers of example traces are told.
        mail: Of e-mail: sender, to, user.
    """

    name: str
    kind: SinkKind
    url: str | None
    url_env: str | None
    secret_env: str | None
    min_severity: str
    monitors: tuple[str, ...] | None
    has_text: bool
    mail: Mapping[str, Any]

    @property
    def address(self) -> str:
        """Where to, without what may be secret in it."""
        return f"${self.url_env}" if self.url is None else host(self.url)


def sink_of(row: Mapping[str, Any]) -> Sink:
    """Return the sink that a row says."""
    return Sink(
        **{name: row[name] for name in ("name", "kind", "url", "url_env", "secret_env", "min_severity")},
        monitors=None if row["monitors"] is None else tuple(json.loads(row["monitors"])),
        has_text=bool(row["has_text"]),
        mail=json.loads(row["mail"]) if row["mail"] else {},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliveries(Shown):
    """What became of what was to be told.

    Args:
        sent: So many notices were taken by their sinks now.
        superseded: So many were not sent, because something newer is to be told of the same alert.
        waiting: So many wait: for a sink that failed, or because a sink is told so much a minute only.
        failed: Sinks that did not take what they were told, and why.
    """

    sent: int
    superseded: int
    waiting: int
    failed: Mapping[str, str]

    @property
    def exit_code(self) -> int:
        """1 when a sink failed, else 0."""
        return 1 if self.failed else 0
