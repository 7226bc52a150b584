"""What customers write: golden questions with a booking or route filled in, said in their own way."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Final

from lmops.standin import content
from lmops.standin.chance import happens
from lmops.standin.model import describe_result
from lmops.standin.tools import DAYS, booking_status, timetable

if TYPE_CHECKING:
    from lmops.standin.content import Question

_ROUTES: Final = (
    ("Port Ellery", "Skarholm"),
    ("Skarholm", "Port Ellery"),
    ("Port Ellery", "Innis Vane"),
    ("Innis Vane", "Port Ellery"),
    ("Hollin Bay", "Innis Vane"),
    ("Port Ellery", "Greyhythe"),
    ("Greyhythe", "Port Ellery"),
    ("Skarholm", "Greyhythe"),
)
_GREETINGS: Final = ("Hello, ", "Hi! ", "Good morning, ", "Quick question: ", "Dear team, ")
_THANKS: Final = (" Thanks!", " Thank you", " Many thanks, Ida", " thx")
#: letters of the shortest word that gets a typo
_TYPO_LENGTH: Final = 6
_FOLLOW_UPS: Final = ("And ", "One more: ", "Another thing: ", "ok. ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A golden question made concrete."""

    question: Question
    text: str
    answer: str
    facts: tuple[str, ...]
    tool: str | None = None
    arguments: dict[str, str] | None = None


def fill(question: Question, random: Random) -> Asked:
    """Return the question with its placeholders filled, and the answer and facts that follow."""
    if question.kind != "tool":
        return Asked(question=question, text=question.question, answer=question.answer, facts=question.facts)
    tool = question.source_ids[0]
    if tool == "booking_status":
        reference = f"TL-{random.randrange(1000, 10_000)}"
        arguments, result = {"reference": reference}, booking_status(reference)
        values = {"booking": reference}
        facts: tuple[str, ...] = (f"{reference} is {result['status']}", str(result["ship"]), str(result["departure"]))
    else:
        origin, destination = random.choice(_ROUTES)
        day = random.choice(DAYS)
        arguments = values = {"origin": origin, "destination": destination, "day": day}
        result = timetable(origin, destination, day)
        times = result["departures"]
        is_served = isinstance(times, list) and bool(times)
        start = f"from {origin} to {destination} on {day}"
        facts = (start, ", ".join(times)) if is_served and isinstance(times, list) else (start, "no direct sailings")
    return Asked(
        question=question,
        text=question.question.format(**values),
        answer=describe_result(result),
        facts=facts,
        tool=tool,
        arguments=arguments,
    )


def say(asked: Asked, *, turn: int, random: Random) -> str:
    """Return the question as a hurried, polite or careless customer types it."""
    text = asked.text
    if asked.question.language != "en":
        return text
    is_plain = asked.question.kind != "tool"  # tools are found by names spelled right
    if happens(random, 0.12) and is_plain:
        text = text.lower().rstrip("?.")
    elif happens(random, 0.1) and is_plain:
        text = _typo(text, random)
    if turn > 1 and happens(random, 0.35):
        return random.choice(_FOLLOW_UPS) + text
    if happens(random, 0.16):
        text = random.choice(_GREETINGS) + text
    if happens(random, 0.1):
        text += random.choice(_THANKS)
    return text


def golden_rows() -> list[dict[str, object]]:
    """Return the rows of ``questions.jsonl``; a tool question has one fixed booking or route in it."""
    rows: list[dict[str, object]] = []
    for question in content.questions():
        asked = fill(question, Random(f"golden {question.id}"))
        is_tool = question.kind == "tool"
        rows.append(
            {
                "id": question.id,
                "language": question.language,
                "kind": question.kind,
                "topic": question.topic,
                "split": question.split,
                "question": asked.text,
                "answer": asked.answer,
                "facts": list(asked.facts),
                "source_ids": [] if is_tool else list(question.source_ids),
                "tool": {"name": asked.tool, "arguments": asked.arguments} if is_tool else None,
            }
        )
    return rows


def _typo(text: str, random: Random) -> str:
    parts = text.split(" ")
    long = [at for at, part in enumerate(parts) if len(part) >= _TYPO_LENGTH and part.isalpha()]
    if not long:
        return text
    at = random.choice(long)
    place = random.randrange(1, len(parts[at]) - 2)
    word = parts[at]
    parts[at] = word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    return " ".join(parts)
