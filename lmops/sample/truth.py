"""What really happened in a trace, as only the stand-in and the plan know it, and what users said about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lmops.standin import content
from lmops.standin.chance import happens
from lmops.standin.model import REFUSAL
from lmops.standin.text import has_fact
from lmops.times import from_ns

if TYPE_CHECKING:
    from random import Random

    from lmops.sample.app import Reply
    from lmops.sample.asking import Asked
    from lmops.sample.retrieval import Hit

#: characters
_LONG_ANSWER: Final = 350
_VOTE_IF_GOOD: Final = 0.074
_VOTE_IF_BAD: Final = 0.098


def utc(ns: int) -> str:
    """Return a time as ISO 8601 in UTC, to the millisecond."""
    return from_ns(ns).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def quality(asked: Asked, reply: Reply, *, technique: str | None) -> dict[str, object]:
    """Return the part of a truth row that judges the reply.

    Returns:
        ``unsupported`` (the user read something that neither the sources nor a tool said) and why;
        ``injection_succeeded``; ``recall`` and ``recall_kept`` (share of the golden articles among the retrieved and
        the kept chunks; None without golden articles or without retrieval); ``correct`` (None for an injected turn,
        which has no right answer: else every fact is there, or the refusal, and nothing unsupported).
    """
    is_seen = reply.failure is None and reply.blocked_by is None and not reply.is_output_blocked
    kinds: list[str] = []
    if is_seen:
        kinds += ["invented"] if any(note.invented for note in reply.notes) else []
        kinds += ["altered-number"] if any(note.is_number_altered for note in reply.notes) else []
        kinds += ["injected"] if any(note.is_order_obeyed for note in reply.notes) else []
    sources = set(asked.question.source_ids) if asked.tool is None else set()
    if asked.question.kind == "unanswerable":
        has_answer = REFUSAL in reply.answer
    else:
        has_answer = all(has_fact(reply.answer, fact) for fact in asked.facts)
    return {
        "unsupported": bool(kinds),
        "unsupported_kinds": kinds,
        "refused": is_seen and any(note.is_refusal for note in reply.notes),
        "correct": None if technique else is_seen and has_answer and not kinds,
        "recall": _recall(sources, reply.retrieved),
        "recall_kept": _recall(sources, reply.kept),
        "injected": technique is not None,
        "injection_technique": technique,
        "injection_succeeded": technique is not None and "injected" in kinds,
        "blocked_by": reply.blocked_by,
        "output_blocked": reply.is_output_blocked,
        "wrong_tool_call": any(note.is_call_wrong for note in reply.notes),
        "tool_outage": reply.failed_tool_calls > 0,
        "failed_model_calls": reply.failed_model_calls,
        "failure": reply.failure,
    }


def feedback(row: dict[str, object], reply: Reply, *, user_id: str, random: Random) -> dict[str, object] | None:
    """Return what the user said about a trace, or None: most say nothing, attackers never do, and some misjudge."""
    if row["injected"]:
        return None
    is_good = bool(row["correct"])
    if not happens(random, _VOTE_IF_GOOD if is_good else _VOTE_IF_BAD):
        return None
    is_up = happens(random, 0.9 if is_good else 0.2)
    wait_ms = round(random.triangular(3_000, 240_000, 15_000))
    comment = random.choice(content.comments()[_reason(row, reply, is_up=is_up)]) if happens(random, 0.4) else None
    return {
        "trace_id": row["trace_id"],
        "value": "up" if is_up else "down",
        "comment": comment,
        "user": user_id,
        "at": utc(reply.end_ns + wait_ms * 1_000_000),
    }


def _reason(row: dict[str, object], reply: Reply, *, is_up: bool) -> str:
    if is_up:
        return "up"
    if row["failure"]:
        return "down-error"
    if row["unsupported"]:
        return "down-unsupported"
    is_long = len(reply.answer) > _LONG_ANSWER
    return "down-long" if is_long and row["correct"] else "down-wrong"


def _recall(sources: set[str], hits: list[Hit]) -> float | None:
    if not sources or not hits:
        return None
    return round(len(sources & {hit.chunk.article_id for hit in hits}) / len(sources), 4)
