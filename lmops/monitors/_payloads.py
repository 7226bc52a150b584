"""What is told of an alert, in the words of whoever is told: pure functions from facts to bodies.

Facts are plain data, as they were when the alert began, was acknowledged, silenced or resolved. No text of a trace is
among them; where a sink may have texts they are given apart.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol

from lmops.metrics import METRICS
from lmops.redact import mask_keys
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

#: What can be told of an alert.
TRANSITIONS: Final = ("firing", "acknowledged", "silenced", "resolved")
#: By how urgent they are, the least first; and how the others call it.
SEVERITIES: Final = ("note", "ticket", "urgent", "page")
_SEVERITIES: Final = {"page": "critical", "urgent": "error", "ticket": "warning", "note": "info"}
#: A time that says: still firing.
_NEVER: Final = "0001-01-01T00:00:00Z"
#: An Alertmanager takes an alert for resolved when it is not told of it again; it is told once, and when it resolves.
HOLDS: Final = timedelta(days=30)
_LABEL: Final = re.compile(r"[^A-Za-z0-9_]")
_SUMMARY: Final = 1_000
_TEXT: Final = 300
_ACTIONS: Final = {"firing": "trigger", "acknowledged": "acknowledge", "resolved": "resolve"}

Facts = dict[str, Any]


class AlertLike(Protocol):
    """An alert, as far as it is told to others."""

    @property
    def alert(self) -> int:
        """Its number."""

    @property
    def monitor(self) -> str:
        """The name of its monitor."""

    @property
    def version(self) -> int:
        """The version of the monitor."""

    @property
    def series(self) -> Mapping[str, Any]:
        """The values that tell its series apart; empty for all."""

    @property
    def metric(self) -> str:
        """What is watched."""

    @property
    def direction(self) -> str | None:
        """Above or below."""

    @property
    def severity(self) -> str:
        """One of ``SEVERITIES``."""

    @property
    def since_at(self) -> datetime | None:
        """The likeliest time of the change."""

    @property
    def opened_at(self) -> datetime:
        """When a check said so."""

    @property
    def resolved_at(self) -> datetime | None:
        """When it was resolved."""

    @property
    def n(self) -> int | None:
        """Items of the estimate."""

    @property
    def estimate(self) -> float | None:
        """Of the metric, in its unit."""

    @property
    def low(self) -> float | None:
        """Its lower limit, of a confidence sequence (95 %): it holds at every look."""

    @property
    def high(self) -> float | None:
        """Its upper limit, likewise."""

    @property
    def baseline(self) -> float | None:
        """What it is held against."""

    @property
    def words(self) -> str:
        """The same in a sentence."""

    @property
    def times_opened(self) -> int:
        """More than 1: it came back."""

    @property
    def reason(self) -> str | None:
        """Why somebody moved it."""

    @property
    def actor(self) -> str:
        """Who moved it last."""

    @property
    def examples(self) -> tuple[str, ...]:
        """Ids of traces, worst first."""


def facts_of(alert: AlertLike, transition: str, *, at: datetime) -> Facts:
    """Return what is told of an alert: plain data that JSON can hold.

    Args:
        alert: As it is now.
        transition: What it just became, one of ``TRANSITIONS``.
        at: When.
    """
    numbers = ("n", "estimate", "low", "high", "baseline")
    return {
        "alert": alert.alert,
        "monitor": alert.monitor,
        "version": alert.version,
        "series": {str(name): str(value) for name, value in alert.series.items()},
        "metric": alert.metric,
        "direction": alert.direction,
        "severity": alert.severity,
        "words": alert.words,
        "transition": transition,
        "at": time_text(at),
        "since_at": time_text(alert.since_at or alert.opened_at),
        "opened_at": time_text(alert.opened_at),
        "resolved_at": time_text(alert.resolved_at or at) if transition == "resolved" else None,
        **{name: _finite(getattr(alert, name)) for name in numbers},
        "times_opened": alert.times_opened,
        "actor": alert.actor,
        "reason": alert.reason,
        "trace_ids": list(alert.examples),
        "fingerprint": fingerprint(alert.monitor, alert.series),
    }


def fingerprint(monitor: str, series: Mapping[str, Any]) -> str:
    """Return what is the same for all alerts of one series of a monitor, whichever version found them."""
    said = json.dumps([monitor, sorted((str(name), str(value)) for name, value in series.items())])
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """Return HMAC-SHA256 over ``timestamp.body`` in hex digits."""
    return hmac.new(secret.encode(), b"%d." % timestamp + body, hashlib.sha256).hexdigest()


def webhook(told: Sequence[Facts], sink: str, texts: Mapping[str, Mapping[str, str]]) -> Facts:
    """Return the JSON of a webhook: an Alertmanager's (version 4), each alert with our facts in "lmops".

    Args:
        told: Facts, each with its "key" by which a repetition is known.
        sink: The name of the receiver.
        texts: What may be shown of traces: id to question and answer.
    """
    alerts = [
        {
            "status": _status(one),
            "labels": _labels(one),
            "annotations": _annotations(one),
            "startsAt": one["since_at"],
            "endsAt": one["resolved_at"] or _NEVER,
            "generatorURL": "",
            "fingerprint": one["fingerprint"],
            "lmops": {**one, **({"examples": _shown(one, texts)} if texts else {})},
        }
        for one in told
    ]
    common = dict(set.intersection(*(set(one["labels"].items()) for one in alerts))) if alerts else {}
    return {
        "version": "4",
        "groupKey": f"lmops/{sink}",
        "truncatedAlerts": 0,
        "status": "firing" if any(one["status"] == "firing" for one in alerts) else "resolved",
        "receiver": sink,
        "groupLabels": {},
        "commonLabels": dict(sorted(common.items())),
        "commonAnnotations": {},
        "externalURL": "",
        "alerts": alerts,
    }


def alertmanager(told: Sequence[Facts], ends_at: str) -> list[Facts]:
    """Return the body of ``POST /api/v2/alerts``.

    Args:
        told: Facts.
        ends_at: Until when one that fires is taken to fire when nothing more is said.
    """
    return [
        {
            "labels": _labels(one),
            "annotations": _annotations(one),
            "startsAt": one["since_at"],
            "endsAt": one["resolved_at"] or ends_at,
        }
        for one in told
    ]


def pagerduty(one: Facts, routing_key: str) -> Facts:
    """Return an event of PagerDuty's Events API, version 2."""
    return {
        "routing_key": routing_key,
        "event_action": _ACTIONS[one["transition"]],
        "dedup_key": one["fingerprint"],
        "payload": {
            "summary": summary(one),
            "source": "lmops",
            "severity": _SEVERITIES[one["severity"]],
            "timestamp": one["at"],
            "component": one["monitor"],
            "class": one["metric"],
            "custom_details": one,
        },
    }


def slack(told: Sequence[Facts], texts: Mapping[str, Mapping[str, str]]) -> Facts:
    """Return a message as Slack, and what speaks as it does, takes it."""
    return {"text": "\n\n".join("\n".join(_slack_lines(one, texts)) for one in told)}


def mail(told: Sequence[Facts], texts: Mapping[str, Mapping[str, str]]) -> tuple[str, str]:
    """Return the subject and the text of a message."""
    more = f" (and {len(told) - 1} more)" if len(told) > 1 else ""
    body = "\n\n".join("\n".join([plain_line(summary(one), _SUMMARY), *_lines(one, texts)]) for one in told)
    return plain_line(summary(told[0]), 120) + more, body + "\n"


def _labels(one: Facts) -> dict[str, str]:
    """Return the labels by which alerts are told apart elsewhere: the same for all of one series."""
    series = {_LABEL.sub("_", f"series_{name}"): value for name, value in one["series"].items()}
    severity = _SEVERITIES[one["severity"]]
    return {"alertname": one["monitor"], "severity": severity, "metric": one["metric"], **series}


def _annotations(one: Facts) -> dict[str, str]:
    """Return what is said beside the labels; what is not known is left out."""
    numbers = ("n", "estimate", "low", "high", "baseline")
    said = {
        "summary": summary(one),
        "description": "\n".join(_lines(one, {})),
        **{name: None if one[name] is None else f"{one[name]:.6g}" for name in numbers},
        "trace_ids": ",".join(one["trace_ids"]),
    }
    return {name: value for name, value in said.items() if value}


def summary(one: Facts) -> str:
    """Return one line that says it: how urgent, what it became, of what, in which series, how it is."""
    series = ", ".join(f"{name}={value}" for name, value in one["series"].items())
    of = f"{one['monitor']} ({series})" if series else one["monitor"]
    return plain_line(f"[{one['severity']}] {one['transition']}: {of}: {one['words']}", _SUMMARY)


def _lines(one: Facts, texts: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return what stands below the summary."""
    ended = f", resolved {_minute(one['resolved_at'])}" if one["resolved_at"] else ""
    again = f", opened {one['times_opened']} times" if one["times_opened"] > 1 else ""
    told = [f"since {_minute(one['since_at'])} UTC{ended}{again}"]
    if one["transition"] in ("acknowledged", "silenced"):
        why = f": {one['reason']}" if one["reason"] else ""
        told.append(f"{one['transition']} by {one['actor']}{why}")
    if one["metric"] in METRICS:
        told.append(f"what accounts for it: lmops monitor explain {one['metric']} --since {one['since_at'][:16]}")
    told += [f"trace {trace_id}" for trace_id in one["trace_ids"] if trace_id not in texts]
    for found in _shown(one, texts):
        told.append(f"trace {found['trace_id']}: {found['question']} -> {found['answer']}")
    return [plain_line(line, _SUMMARY) for line in told]


def _minute(time: str) -> str:
    return time[:16].replace("T", " ")


def _slack_lines(one: Facts, texts: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return lines in which no text can name a person, a channel or an address: "<" begins one."""
    said = [summary(one), *_lines(one, texts)]
    lines = [line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") for line in said]
    return [f"*{lines[0].replace('*', '')}*", *lines[1:]]


def _shown(one: Facts, texts: Mapping[str, Mapping[str, str]]) -> list[dict[str, str]]:
    """Return the examples whose texts may be shown, keys of known shapes masked."""
    return [
        {"trace_id": trace_id, **{name: mask_keys(plain_line(text, _TEXT)) for name, text in texts[trace_id].items()}}
        for trace_id in one["trace_ids"]
        if trace_id in texts
    ]


def _status(one: Facts) -> str:
    return "resolved" if one["transition"] == "resolved" else "firing"


def time_text(moment: datetime) -> str:
    """Return a time, in UTC, as all of them read it."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _finite(value: float | None) -> float | None:
    return value if value is None or math.isfinite(value) else None
