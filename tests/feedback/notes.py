"""A queue of items on which raters wrote notes, for the tests of error analysis."""

from __future__ import annotations

from tests.store.helpers import span

#: (item, verdict, what the rater wrote)
WRITTEN = (
    (1, "fail", "invents a fare of 40 euro"),
    (2, "fail", "the fare is invented"),
    (3, "fail", "an invented fare, no source has it"),
    (4, "fail", "rude tone towards the customer"),
    (5, "fail", "the tone is rude"),
    (6, "fail", "curt and rude tone"),
    (7, "pass", "short and right"),
    (8, "pass", ""),
)


def trace(number):
    """Return the id of the trace of an item."""
    return span(f"t{number}", "root")["trace_id"]


def noted(ws, *, strategy="given", written=WRITTEN, items=None):
    """Fill a workspace: traces in sessions of two by two prompt versions, a queue of them, labels with critiques."""
    spans = []
    for number in range(1, len(written) + 1):
        topic = "fares" if number < 4 else "tone"
        root = span(
            f"t{number}",
            "root",
            session_id=f"s{(number + 1) // 2}",
            input=f"question {number}",
            output=f"answer {number}",
            attributes=f'{{"topic": "{topic}"}}',
        )
        call = span(
            f"t{number}",
            "call",
            kind="llm",
            model="m-1" if number % 2 else "m-2",
            parent_span_id="root",
            prompt_name="answer",
            prompt_version=str(1 + number % 2),
        )
        spans += [root, call]
    ws.store.append_many({"spans": spans})
    ws.feedback.schemas.save("support")
    given = items or [trace(number) for number in range(1, len(written) + 1)]
    ws.feedback.queue("q", given if strategy == "given" else strategy, schema="support")
    for number, verdict, words in written:
        said = {"verdict": {"value": verdict, **({"critique": words} if words else {})}}
        ws.feedback.queues.label("q", trace(number), said, rater="ann")
    return ws.feedback.themes("q")
