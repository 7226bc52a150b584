"""Columns of any table as the fields of examples."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from lmops.datasets._content import dumps
from lmops.datasets._example import Example
from lmops.datasets._wrapped import unwrapped
from lmops.datasets.values import cell, is_missing
from lmops.errors import UsageError, did_you_mean
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Columns = str | list[str] | tuple[str, ...] | None

#: Which column is taken for a field when nobody says: the first of these that there is, case, blanks and "-" aside.
DEFAULTS: Final[dict[str, tuple[str, ...]]] = {
    "example_id": ("example_id", "id"),
    "input": ("input", "inputs", "question", "prompt", "query", "user_input"),
    "expected": (
        "expected", "expected_output", "expected_outputs", "expected_answer", "expected_response", "reference",
        "reference_answer", "reference_output", "reference_outputs", "ground_truth", "ground_truths", "gold",
        "gold_answer", "golden_answer", "ideal", "ideal_answer", "correct_answer", "target", "expectations", "answer",
        "outputs",
    ),
    "metadata": ("metadata",),
    "split": ("split",),
    "tags": ("tags",),
    "cluster": ("cluster",),
    "trace_id": ("trace_id", "source_trace_id"),
    "output": ("output", "actual_output", "response", "answer", "outputs"),
    "documents": ("documents",),
    "labels": ("labels",),
}  # fmt: skip  # one line for each field
#: What somebody's application answered, unless nothing else can be the reference.
_EITHER: Final = frozenset({"answer", "outputs"})
_REFERENCES: Final = frozenset(DEFAULTS["expected"]) - _EITHER
_REFERENCE: Final = re.compile(
    r"(^|_)(expected|reference|ground_?truth|gold(en)?|ideal|correct|desired)"
    r"(_(answers?|outputs?|responses?|labels?|values?|results?|completions?|summar(y|ies)|texts?))?$"
    r"|^target_(answers?|outputs?|responses?|labels?|values?|completions?|summar(y|ies)|texts?)$"
)
#: What is the reference when there is none by another name, and nothing that an application answered.
_ALONE: Final = re.compile(r"^(solutions?|completions?|answers|best_answers?|label|targets?)$")
#: What can be nothing else than the reference when there is none by another name.
_SURELY: Final = re.compile(r"^(expected|gold(en)?|ground_?truth)_\w+$")
_MAX_NAMED: Final = 5
_MAX_ID: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """Examples, and what was found on the way."""

    examples: list[Example]
    derived_ids: int


def to_examples(rows: Sequence[Mapping[str, Any]], chosen: Mapping[str, Columns]) -> Mapped:
    """Return the examples that rows hold.

    Args:
        rows: The rows.
        chosen: Columns by field, as the caller named them; None for the default. A list of columns becomes an object
            of them. Of ``metadata``: a list of columns; None for every column that is not taken.

    Raises:
        UsageError: A column is not there, a row has no input, an id comes twice, or a value cannot be stored.
    """
    names = list(dict.fromkeys(str(name) for row in rows for name in row))
    if chosen.get("input") is None and _place("input", None, names) is None:
        rows = unwrapped(rows, _REFERENCES)
        names = list(dict.fromkeys(str(name) for row in rows for name in row))
    places = {field: _place(field, chosen.get(field), names) for field in DEFAULTS}
    if chosen.get("output") is None:
        places["output"] = _place("output", None, [name for name in names if name != places["expected"]])
    if rows and places["input"] is None:
        raise UsageError(
            f"no column is the input: there are {', '.join(map(repr, names[:20])) or 'none'}; say which with input=..."
        )
    taken = {name for place in places.values() for name in ([place] if isinstance(place, str) else place or ())}
    rest = [] if chosen.get("metadata") is not None else [name for name in names if name not in taken]
    if chosen.get("expected") is None:
        _refuse_lost_references(rest, places["expected"], places["output"], rows)
    examples, without_id = [], []
    for number, row in enumerate(rows, start=1):
        example = _example(row, places, rest, number)
        if not example.example_id:
            without_id.append(number - 1)
        examples.append(example)
    _name_the_nameless(examples, without_id)
    refuse_repeated_ids(examples)
    return Mapped(examples=examples, derived_ids=len(without_id))


def refuse_repeated_ids(examples: Sequence[Example]) -> None:
    """Raise when an id comes twice."""
    if len({example.example_id for example in examples}) == len(examples):
        return
    counts = Counter(example.example_id for example in examples)
    twice = [f"{plain_line(name, 60)!r} ({times} times)" for name, times in counts.items() if times > 1]
    more = f" and {len(twice) - _MAX_NAMED:,} more" if len(twice) > _MAX_NAMED else ""
    raise UsageError(
        f"ids have to be unique, results are paired by them: {', '.join(twice[:_MAX_NAMED])}{more}; name another "
        "column with id=..., or leave the ids out to have them made from the inputs"
    )


def normal(name: str) -> str:
    """Return the name of a column in one spelling: "Expected Output", "expectedOutput" and "expected-output" are one.

    >>> normal(" expectedOutput ")
    'expected_output'
    """
    return re.sub(r"[\s_-]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip("\ufeff \t\r\n"))).lower()


def _place(field: str, asked: Columns, names: Sequence[str]) -> str | list[str] | None:
    """Return the column or columns of a field, or None."""
    if asked is None:
        return next(filter(None, (_found(name, names) for name in DEFAULTS[field])), None)
    wanted = [asked] if isinstance(asked, str) else list(asked)
    places = [_found(name, names) for name in wanted]
    for name, place in zip(wanted, places, strict=True):
        if place is None and names:
            raise UsageError(did_you_mean("column", name, names, hint=f"asked for as {field}"))
    if not isinstance(asked, str) and field not in {"input", "expected", "output", "metadata"}:
        raise UsageError(f"{field}={asked!r}: name one column")
    found = [place or name for name, place in zip(wanted, places, strict=True)]
    return found[0] if isinstance(asked, str) else found


def _found(name: str, names: Sequence[str]) -> str | None:
    """Return the column of a name: itself, else the one that is it in another spelling."""
    if name in names:
        return name
    alike = [one for one in names if normal(one) == normal(name)]
    if len(alike) > 1:
        raise UsageError(f"{' and '.join(map(repr, alike))} are columns of one name: rename one of them")
    return alike[0] if alike else None


def _refuse_lost_references(rest: Sequence[str], expected: Any, output: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Raise when a column that must be a reference would become metadata, where no scorer looks."""
    lost = [
        name
        for name in rest
        if (
            normal(name) in _REFERENCES
            or _REFERENCE.search(normal(name))
            or (expected is None and _SURELY.search(normal(name)))
            or (expected is None and output is None and _ALONE.search(normal(name)))
        )
        and any(not is_missing(row.get(name)) for row in rows)
    ]
    if not lost:
        return
    both = f"{expected!r} is taken for the reference answer and {lost[0]!r} looks like one as well"
    said = both if expected is not None else f"the column {lost[0]!r} looks like the reference answer"
    raise UsageError(
        f"{said}: say which with expected=..., as in expected={lost[0]!r}, or what to keep as metadata=[...]"
    )


def _example(row: Mapping[str, Any], places: Mapping[str, Any], rest: Sequence[str], number: int) -> Example:
    def take(field: str) -> Any:
        place = places[field]
        if place is None:
            return None
        if type(place) is str:
            if field == "example_id" and type(row.get(place)) is int:
                return str(row[place])
            return cell(row.get(place), number, place)
        found = {name: cell(row.get(name), number, name) for name in place}
        return found if any(value is not None for value in found.values()) else None

    given = take("input")
    if given is None:
        raise UsageError(f"row {number} has no input (column {places['input']!r}); leave it out or fill it in")
    metadata = _as_object(take("metadata"), "metadata", number) or {}
    for name in rest:
        value = cell(row.get(name), number, name)
        if value is not None:
            metadata.setdefault(name, value)
    return Example(
        example_id=_word(take("example_id"), "id", number) or "",
        input=given,
        expected=_expectation(places["expected"], take("expected")),
        metadata=metadata,
        split=_word(take("split"), "split", number),
        tags=_tags(take("tags"), number),
        cluster=_word(take("cluster"), "cluster", number),
        trace_id=_word(take("trace_id"), "trace_id", number),
        output=take("output"),
        documents=_documents(take("documents"), number),
        labels=_as_object(take("labels"), "labels", number),
    )


def _expectation(place: Any, value: Any) -> Any:
    """Return a reference; MLflow's object of expectations that holds nothing else is that one."""
    # The value first: it is looked at for every row, and the name of a column takes long to make normal.
    if isinstance(value, dict) and len(value) == 1 and isinstance(place, str) and normal(place) == "expectations":
        ((name, only),) = value.items()
        return only if normal(name) in _REFERENCES else value
    return value


def _word(value: Any, what: str, number: int) -> str | None:
    """Return an id or a name as text: 12 and 12.0 (a whole column with a gap, in pandas) are "12"."""
    if value is None or value == "":
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        word = str(value)
        if len(word) > _MAX_ID or "\0" in word:
            raise UsageError(
                f"row {number}: {what} is {plain_line(word, 60)!r}; give at most {_MAX_ID:,} characters, none of them "
                "NUL: texts belong into the input or the metadata"
            )
        return word
    raise UsageError(f"row {number}: {what} is {plain_line(value, 60)!r}; give a text or a number")


def _structure(value: Any) -> Any:
    """Return what a text that is JSON holds, of a field that is never a bare text."""
    import orjson

    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value


def _tags(value: Any, number: int) -> tuple[str, ...]:
    value = _structure(value)
    if value is None:
        return ()
    words = [part.strip() for part in value.split(",")] if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise UsageError(
            f"row {number}: tags are {plain_line(value, 60)!r}; give a list of texts, or one text with commas"
        )
    return tuple(sorted({word for word in words if word}))


def _documents(value: Any, number: int) -> list[dict[str, Any]] | None:
    value = _structure(value)
    if value is None:
        return None
    items = [value] if isinstance(value, str | dict) else value
    if not isinstance(items, list) or not all(isinstance(item, str | dict) for item in items):
        raise UsageError(f"row {number}: documents are {plain_line(value, 60)!r}; give a list of texts or of objects")
    return [
        item if isinstance(item, dict) else {"id": str(place), "content": item} for place, item in enumerate(items, 1)
    ]


def _as_object(value: Any, what: str, number: int) -> dict[str, Any] | None:
    value = _structure(value)
    if value is None or isinstance(value, dict):
        return value
    if isinstance(value, list) and all(isinstance(pair, list) and len(pair) == 2 for pair in value):
        # A map as frames have it: a list of pairs.
        found = {str(key): item for key, item in value}
        if len(found) == len(value):
            return found
    raise UsageError(f"row {number}: {what} is {plain_line(value, 60)!r}; give an object")


def _name_the_nameless(examples: list[Example], places: Sequence[int]) -> None:
    """Give ids made from the inputs, so that a changed answer is a change and not another example."""
    taken = {example.example_id for example in examples}
    for place in places:
        base = f"ex-{input_hash(examples[place])[:12]}"
        name, times = base, 1
        while name in taken:
            times += 1
            name = f"{base}-{times}"
        taken.add(name)
        examples[place] = replace(examples[place], example_id=name)


def input_hash(example: Example) -> str:
    """Return the hash of an example's input."""
    return hashlib.sha256(dumps(example.input, "the input")).hexdigest()
