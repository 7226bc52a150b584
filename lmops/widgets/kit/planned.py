"""What copying rows into a dataset would add: shown in the form of the action before a name is asked for."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.errors import UsageError
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

#: So many rows are looked at before they are asked for.
LOOKED_AT: Final = 200
_SAMPLE: Final = 80
#: Where the fields of an example come from when it is made of a trace.
_OF_TRACES: Final = {
    "id": "trace_id",
    "input": "input",
    "output": "output",
    "documents": "documents of its retrievers",
    "cluster": "session_id",
    "trace": "trace_id",
}


class Field(NamedTuple):
    """One field of the examples that would be added.

    Args:
        name: Such as "input.question".
        place: Where it comes from; empty where the example has it already.
        n: How many of the examples have it.
        sample: The first one, cut.
    """

    name: str
    place: str
    n: int
    sample: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an action would do with rows.

    Args:
        title: In one line.
        fields: What would be copied.
        refused: Why nothing can be done with these rows; empty where something can.
    """

    title: str = ""
    fields: Sequence[Field] = ()
    refused: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it as a plain record."""
        return {"title": self.title, "fields": [list(one) for one in self.fields], "refused": self.refused}


def plan_of(
    examples: Sequence[Any], *, asked: int, left_out: str = "", places: Mapping[str, str] | None = None
) -> Plan:
    """Return what adding examples would copy.

    Args:
        examples: Those of the first rows.
        asked: How many rows there are in all.
        left_out: What makes no example, and why.
        places: Where the fields come from, by field; None: the examples are copied as they are.
    """
    values: dict[str, list[Any]] = {}
    for example in examples:
        for name, value in _fields(example):
            values.setdefault(name, []).append(value)
    of = {} if places is None else {**_OF_TRACES, **{_spelt(name): place for name, place in places.items()}}
    fields = [
        Field(plain_line(name, 60), plain_line(of.get(name, ""), 60), len(found), _sample(found[0]))
        for name, found in values.items()
    ]
    count = f"{asked:,} example{'' if asked == 1 else 's'}"
    first = f" (looked at the first {LOOKED_AT:,})" if asked > LOOKED_AT else ""
    return Plan(title=f"{count}{first}{f'; {left_out}' if left_out else ''}", fields=fields)


def mapping_of(text: str) -> dict[str, str] | None:
    """Return places by field, as they are written: ``question=input.question expected=output.answer``; None for none.

    Raises:
        UsageError: A part is no pair.
    """
    found = {}
    for part in filter(None, re.split(r"[\s,]+", text)):
        name, sign, place = part.partition("=")
        if not (name and sign and place):
            raise UsageError(f"{part!r}: give FIELD=PLACE, such as question=input.question expected=output.answer")
        found[name] = place
    return found or None


def _spelt(name: str) -> str:
    """Return the name of a field as a plan has it: what is no field of an example is one of its input."""
    known = {"input", "expected", "output", "cluster", "split", "tags", "documents", "metadata"}
    return name if name in known or name.startswith(("metadata.", "input.")) else f"input.{name}"


def _fields(example: Any) -> Iterator[tuple[str, Any]]:
    """Yield what an example has, by the names that a reader knows."""
    yield "id", example.example_id
    yield from _parts("input", example.input)
    for name, value in (
        ("expected", example.expected), ("tags", list(example.tags)), ("split", example.split),
        ("cluster", example.cluster), ("output", example.output), ("documents", example.documents),
        ("labels", example.labels), ("trace", example.trace_id),
    ):  # fmt: skip  # one field after the other
        if value not in (None, [], {}):
            yield name, value
    yield from _parts("metadata", example.metadata or None)


def _parts(name: str, value: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(value, dict):
        return [(f"{name}.{key}", one) for key, one in value.items() if one is not None]
    return [] if value is None else [(name, value)]


def _sample(value: Any) -> str:
    return plain_line(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str), _SAMPLE)
