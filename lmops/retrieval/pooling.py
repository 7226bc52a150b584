"""What two rankings found and nobody judged: into a queue of labels, without a word on who found it, and back."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError
from lmops.retrieval.comparing import query_of
from lmops.retrieval.relevance import Judgement, grade_of, judgement_of, judgements_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lmops.datasets import Example
    from lmops.retrieval.contract import Chunk, Hit
    from lmops.store import Store

#: What raters are asked, unless a schema of one's own is given.
SCHEMA: Final = "retrieval-relevance"
GRADE: Final = "grade"
CRITERIA: Final = (
    "Does the passage help to answer the question? 0 no; 1 same topic, no answer; 2 part of the answer; 3 the answer."
)
FIELDS: Final = ({"name": GRADE, "kind": "scale", "low": 0, "high": 3, "criteria": CRITERIA, "is_required": True},)
_LABELS: Final = (
    "select example_id, is_adjudicated, field_values from labels where queue = $queue and not is_gold "
    "and example_id is not null order by example_id, seq"
)


def pooled(
    examples: Sequence[Example], sides: Sequence[Mapping[str, Sequence[Hit]]], k: int
) -> tuple[list[dict[str, Any]], int]:
    """Return the pairs of query and chunk to judge as examples, and how many of the pool were judged before.

    Of chunks of different settings that share half of the shorter one only the first is asked for.

    Args:
        examples: The queries.
        sides: Rankings by query of each system.
        k: So many of each.
    """
    rows, known = [], 0
    for example in examples:
        judgements = judgements_in(example.metadata, example.example_id)
        asked: list[Judgement] = []
        listed = [hit.chunk for side in sides for hit in side.get(example.example_id, ())[:k]]
        for chunk in sorted(listed, key=lambda one: _drawn(example.example_id, one)):
            if grade_of(chunk, judgements) is not None:
                known += 1
            elif grade_of(chunk, asked) is None:
                asked.append(_as_judgement(chunk))
                rows.append(_row(example, chunk))
    return rows, known


def _drawn(query: str, chunk: Chunk) -> str:
    """Return what orders the chunks of a query: nothing that tells who found them, or where."""
    told = f"{query}\0{chunk.document}\0{chunk.start}\0{chunk.end}\0{chunk.number}"
    return hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()


def _as_judgement(chunk: Chunk) -> Judgement:
    if chunk.end <= chunk.start:  # nothing is known of where it stands
        return Judgement(document=chunk.document)
    return Judgement(document=chunk.document, start=chunk.start, end=chunk.end)


def _row(example: Example, chunk: Chunk) -> dict[str, Any]:
    about = _as_judgement(chunk).as_dict()
    return {
        "example_id": f"pool-{_drawn(example.example_id, chunk)[:20]}",
        "input": query_of(example),
        "output": chunk.text,
        "cluster": example.example_id,
        "metadata": {"query_id": example.example_id, **{key: about[key] for key in about if key != "grade"}},
    }


def grades_of(store: Store, queue: str, field: str) -> dict[str, float]:
    """Return the grade of each labelled pair: what was decided, else the lower median of the raters.

    Args:
        store: Where the labels are.
        queue: Their queue.
        field: Of the schema.

    Raises:
        UsageError: There is no label with a number of this field.
    """
    decided: dict[str, float] = {}
    said: dict[str, list[float]] = {}
    for example_id, is_adjudicated, values in store.sql(_LABELS, {"queue": queue}).fetchall():
        given = json.loads(values or "{}").get(field)
        grade = given.get("value") if isinstance(given, dict) else given
        if isinstance(grade, bool) or not isinstance(grade, int | float):
            continue
        if is_adjudicated:
            decided[example_id] = float(grade)
        else:
            said.setdefault(example_id, []).append(float(grade))
    found = {key: sorted(grades)[(len(grades) - 1) // 2] for key, grades in said.items()} | decided
    if not found:
        raise UsageError(f"queue {queue!r:.60} has no label with a number as {field!r:.60}: nothing is judged yet")
    return found


def with_grades(
    examples: Iterable[Example], pool: Mapping[str, Example], grades: Mapping[str, float]
) -> tuple[list[Example], int]:
    """Return queries with the new judgements beside those they had, and how many these are.

    Args:
        examples: The queries.
        pool: Pairs by id.
        grades: Pair -> grade.
    """
    new: dict[str, list[Judgement]] = {}
    for key, grade in grades.items():
        if key in pool:
            about = pool[key].metadata
            given = {name: about.get(name) for name in ("document", "start", "end")}
            judgement = judgement_of({**given, "grade": grade}, f"pair {key}")
            new.setdefault(str(about["query_id"]), []).append(judgement)
    changed, count = [], 0
    for one in examples:
        if one.example_id not in new:
            continue
        known = judgements_in(one.metadata, one.example_id)
        added = [each for each in new[one.example_id] if each not in known]
        keys = {each.key for each in added}
        kept = [each for each in known if each.key not in keys] + added
        count += len(added)
        if added:
            metadata = {**one.metadata, "judgements": [each.as_dict() for each in kept]}
            changed.append(replace(one, metadata=metadata))
    return changed, count
