"""Places in a trace that become fields of an example: ``{"question": "input.question", "expected": "output.answer"}``.

A place is a name of ``SOURCES`` and keys of what it holds, joined by dots; without such a name it is a key of the
input. What it becomes is a field of an example, or any other name: a field of the input.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

SOURCES: Final = ("input", "output", "attributes", "tool_calls", "name", "session_id", "user_id")
#: Fields of an example that a place may fill whole; ``metadata.NAME`` fills one of its keys.
_WHOLE: Final = frozenset({"input", "expected", "output", "cluster", "split", "tags", "documents", "metadata"})
#: Fields of an example that come with its trace.
_GIVEN: Final = frozenset({"example_id", "trace_id", "labels"})


class Places:
    """Puts what a trace holds at some places into the row of its example."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        for field, place in fields.items():
            if not isinstance(place, str) or not place or not isinstance(field, str) or not field:
                raise UsageError(f"map={{{field!r}: {place!r}}}: give a place in the trace, such as 'input.question'")
            if field in _GIVEN:
                raise UsageError(
                    f"map gives {field!r}, which an example has of its trace; say 'input.{field}' for a field of its "
                    f"input, 'metadata.{field}' to keep it"
                )
        if "input" in fields and any(self._is_of_input(field) for field in fields):
            named = next(field for field in fields if self._is_of_input(field))
            raise UsageError(f"map gives the whole input and {named!r}, a field of it: give one or the other")
        self._fields = dict(fields)
        self._absent = set(fields)
        self._known: set[str] = set()
        self._were_used = False

    @staticmethod
    def _is_of_input(field: str) -> bool:
        return field not in _WHOLE and not field.startswith("metadata.")

    def put(self, row: dict[str, Any], source: Mapping[str, Any]) -> None:
        """Change the row of a trace; a place that this one does not have is None."""
        self._were_used = True
        if any(self._is_of_input(field) for field in self._fields):
            row["input"] = None
        for field, place in self._fields.items():
            value = self._at(place, source)
            if value is not None:
                self._absent.discard(field)
            if field == "metadata" and isinstance(value, dict):
                row["metadata"] = {**row["metadata"], **value}
            elif field in _WHOLE:
                row[field] = value
            elif field.startswith("metadata."):
                row["metadata"] = {**row["metadata"], field.removeprefix("metadata."): value}
            elif value is not None:
                row["input"] = {**(row["input"] or {}), field.removeprefix("input."): value}

    def _at(self, place: str, source: Mapping[str, Any]) -> Any:
        head, _, rest = place.partition(".")
        given = source["input"]
        if isinstance(given, dict):
            self._known.update(f"input.{key}" for key in given)
        if isinstance(source["output"], dict):
            self._known.update(f"output.{key}" for key in source["output"])
        self._known.update(f"attributes.{key}" for key in source["attributes"])
        if head in SOURCES and not (isinstance(given, dict) and place in given):
            return _walk(source[head], rest)
        return _walk(given, place)

    def refuse_absent(self) -> None:
        """Raise for a place that no trace had; examples that are taken as they are need none.

        Raises:
            UsageError: There is one.
        """
        for field in sorted(self._absent) if self._were_used else ():
            place = self._fields[field]
            known = self._known | set(SOURCES)
            raise UsageError(did_you_mean("place in these traces", place, known, hint=f"asked for as {field}"))


def _walk(value: Any, path: str) -> Any:
    """Return what a path of keys leads to; keys may hold dots themselves, and numbers count in lists."""
    if not path:
        return value
    if isinstance(value, list):
        head, _, rest = path.partition(".")
        place = int(head) if head.lstrip("-").isdecimal() else None
        return _walk(value[place], rest) if place is not None and -len(value) <= place < len(value) else None
    if not isinstance(value, dict):
        return None
    parts = path.split(".")
    for upto in range(len(parts), 0, -1):
        key = ".".join(parts[:upto])
        if key in value:
            return _walk(value[key], ".".join(parts[upto:]))
    return None
