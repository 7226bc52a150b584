"""Rows whose fields stand within one of them, as the files of other tools have them, made flat. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

Row = Mapping[str, Any]
#: The asserts of promptfoo whose value is a reference.
_REFERENCES: Final = frozenset({"equals", "similar", "factuality", "model-graded-factuality"})


def unwrapped(rows: Sequence[Row], references: Collection[str]) -> Sequence[Row]:
    """Return rows of promptfoo (``vars``) and OpenAI evals (``item``) with their fields as columns; others as they are.

    Args:
        rows: The rows.
        references: The names of variables that are a reference.

    Raises:
        UsageError: The asserts of a row say what no single reference says.
    """
    for name, flat in (("item", _of_item), ("vars", _of_vars)):
        if rows and all(isinstance(row.get(name), Mapping) for row in rows):
            return [flat(row, number, references) for number, row in enumerate(rows, start=1)]
    return rows


def _of_item(row: Row, _number: int, _references: Collection[str]) -> Row:
    return {**{name: value for name, value in row.items() if name != "item"}, **row["item"]}


def _of_vars(row: Row, number: int, references: Collection[str]) -> Row:
    """Return a test of promptfoo: its variables are the input, one alone by its value."""
    reference = {name: value for name, value in row["vars"].items() if name in references}
    given = {name: value for name, value in row["vars"].items() if name not in reference}
    found = {name: value for name, value in row.items() if name not in ("vars", "assert")}
    asserted = [one for one in row.get("assert") or () if isinstance(one, Mapping)]
    wanted = [one.get("value") for one in asserted if one.get("type") in _REFERENCES]
    if asserted and not reference and (len(wanted) != 1 or len(asserted) != 1):
        raise UsageError(
            f"row {number}: its 'assert' is not one reference ({', '.join(str(one.get('type')) for one in asserted)}): "
            "put the reference into a variable named 'expected', or take 'assert' out and write a scorer for it"
        )
    if wanted and not reference:
        reference = {"expected": wanted[0]}
    elif asserted:
        found["assert"] = asserted
    return {**found, **reference, "input": next(iter(given.values())) if len(given) == 1 else given}
