"""What was planted in the two weeks, when and what it moves, and how alerts stand up to it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.sample.traffic import CHUNKING_NS, END_NS, MODEL_UPDATE_NS, OUTAGE, PROMPT_3_NS, RATE_LIMITS
from lmops.times import from_ns

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

#: An alert says when something began to so much.
NEAR: Final = timedelta(days=1)
_LATENCY: Final = ("latency_p50", "latency_p95", "latency_p99")
_LONGER: Final = ("answer_length", "output_tokens", "cost_per_query", *_LATENCY)
_WORSE: Final = ("score.source_support", "score.refusal", "thumbs_down_rate")
#: By the plan of the traffic: from when until when each incident was there, and the metrics that it moves. Prompt 3 is
#: what lets injected orders through.
_PLAN: Final[dict[str, tuple[int, int, tuple[str, ...]]]] = {
    "tool-outage": (OUTAGE.start_ns, OUTAGE.end_ns, ("tool_failure_rate", "error_rate", *_WORSE, *_LATENCY)),
    "prompt-v3": (PROMPT_3_NS, END_NS, (*_WORSE, *_LONGER, "dictated_rate")),
    "injection": (PROMPT_3_NS, END_NS, ("dictated_rate", "guardrail_block_rate", *_WORSE)),
    "chunking": (CHUNKING_NS, END_NS, ("documents_found", "retrieval_score", "input_tokens", *_WORSE)),
    "model-update": (MODEL_UPDATE_NS, END_NS, (*_LONGER, *_WORSE)),
    "model-errors": (
        RATE_LIMITS.start_ns,
        RATE_LIMITS.end_ns,
        ("rate_limited_rate", "model_error_rate", "error_rate", *_LATENCY),
    ),
}


class Planted(NamedTuple):
    """One incident: what it is called, when it was there, how many traces it harmed, and the metrics that it moves."""

    name: str
    since: datetime
    until: datetime
    traces: int
    metrics: tuple[str, ...]


class Firing(NamedTuple):
    """An alert that began to fire, or came back: when that was seen, and since when it says that something is wrong.

    Where it can say so, something began between ``low`` and ``high``.
    """

    alert: int
    monitor: str
    metric: str
    at: datetime
    since: datetime
    low: datetime | None
    high: datetime | None


class Judged(NamedTuple):
    """How alerts stand up to the truth.

    Each alert with what it is of, nothing where none of that was planted; and the first alert of all that was planted,
    None where it was missed.
    """

    alerts: tuple[tuple[Firing, tuple[Planted, ...]], ...]
    found: tuple[tuple[Planted, Firing | None], ...]

    @property
    def precision(self) -> float | None:
        """The share of alerts that are of something that was planted; None without any."""
        return _share([bool(of) for _, of in self.alerts])

    @property
    def recall(self) -> float | None:
        """The share of what was planted that an alert was of; None without any."""
        return _share([one is not None for _, one in self.found])

    @property
    def delays_h(self) -> dict[str, float | None]:
        """Hours from the beginning of each incident to its first alert; None where it was missed."""
        return {
            planted.name: None if firing is None else (firing.at - planted.since) / timedelta(hours=1)
            for planted, firing in self.found
        }


def planted(truth: Path) -> list[Planted]:
    """Return the incidents of the plan that a file of truth tells of, by their beginning.

    Args:
        truth: A JSON line a trace, as ``truth.jsonl`` of the sample.
    """
    rows = [json.loads(line) for line in truth.read_text(encoding="utf-8").splitlines()]
    found = []
    for name, (since_ns, until_ns, metrics) in _PLAN.items():
        since, until = from_ns(since_ns), from_ns(until_ns)
        met = sum(_is_met(name, row) and since <= datetime.fromisoformat(row["start_at"]) < until for row in rows)
        found += [Planted(name, since, until, met, metrics)] if met else []
    return sorted(found, key=lambda one: one.since)


def judged(firings: Iterable[Firing], known: Sequence[Planted]) -> Judged:
    """Return how alerts stand up to what was planted.

    An alert is of incidents that move its metric and were there between the beginning that it gives and the time at
    which it was seen: of those that began within the limits that it gives, or a day from them; where none did, of all.

    Args:
        firings: In the order in which they were seen.
        known: What was planted.
    """
    alerts = tuple((firing, _of(firing, known)) for firing in firings)
    first = {one.name: firing for firing, of in reversed(alerts) for one in of}
    return Judged(alerts, tuple((one, first.get(one.name)) for one in known))


def _of(firing: Firing, known: Sequence[Planted]) -> tuple[Planted, ...]:
    low, high = firing.low or firing.since, firing.high or firing.since
    there = tuple(
        one for one in known if firing.metric in one.metrics and one.since <= firing.at and low - NEAR <= one.until
    )
    return tuple(one for one in there if low - NEAR <= one.since <= high + NEAR) or there


def _is_met(name: str, row: dict[str, Any]) -> bool:
    """Return whether a trace came to an incident; an order that was not obeyed is none."""
    return name in row["incidents"] and (name != "injection" or bool(row["injection_succeeded"]))


def _share(of: Sequence[bool]) -> float | None:
    return sum(of) / len(of) if of else None
