"""How far raters agree, from rows of labels."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from lmops.calc.arrays import is_missing
from lmops.calc.raters import agreement_by_field
from lmops.datasets.reading import rows_of
from lmops.errors import UsageError, did_you_mean
from lmops.feedback._measured import RaterAgreement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lmops.store import Store

_FIELDS: Final = (
    "select fields from label_schemas where (name, version) in "
    "(select distinct schema, schema_version from labels where queue = $queue)"
)


def labels_of(store: Store, queue: str) -> list[dict[str, Any]]:
    """Return the labels of a queue, one row per item, field and rater; decisions and known answers are left out.

    Texts, tags, choices and stretches are no categories that raters could agree on: they are left out too.
    """
    written = {
        field["name"]
        for (fields,) in store.sql(_FIELDS, {"queue": queue}).fetchall()
        for field in json.loads(fields)
        if field["kind"] == "text"
    }
    query = (
        "select item, rater, field_values from labels where queue = $queue and not is_adjudicated and not is_gold "
        "order by seq"
    )
    return [
        {"item": item, "rater": rater, "field": field, "value": plain}
        for item, rater, values in store.sql(query, {"queue": queue}).fetchall()
        for field, value in json.loads(values or "{}").items()
        if field not in written
        and not isinstance(plain := value.get("value") if isinstance(value, dict) else value, list | dict)
    ]


def rater_agreement(
    labels: Any, *, categories: Mapping[str, Sequence[Any]] | None, level: float, seed: int
) -> RaterAgreement:
    """Return the agreement of raters; see :meth:`lmops.feedback.Feedback.agreement`."""
    rows = read_labels(labels, ("item", "rater", "value"), doing="agreement")
    given = [(row["item"], str(row.get("field") or "value"), str(row["rater"]), row["value"]) for row in rows]
    for item, _, rater, value in given:
        if isinstance(value, dict | list | set):
            raise UsageError(
                f"agreement: the value of item {item!r:.60} by {rater!r:.60} is a {type(value).__name__}; give one row "
                "per field with a text, a number or a truth value"
            )
    if unknown := sorted({*(categories or {})} - {field for _, field, _, _ in given}):
        raise UsageError(did_you_mean("field", str(unknown[0]), {field for _, field, _, _ in given}))
    try:
        found = agreement_by_field(given, categories=categories, level=level, seed=seed)  # type: ignore[arg-type]  # its kinds are found out
    except ValueError as error:
        raise UsageError(f"agreement: {error}") from None
    return RaterAgreement(fields=tuple(found), level=level)


def read_labels(labels: Any, wanted: Iterable[str], *, doing: str) -> list[dict[str, Any]]:
    """Return rows with the columns that are needed; a missing value is None.

    Raises:
        UsageError: A column is not there, or the items of a row have no name.
    """
    rows = [{str(key): None if is_missing(value) else value for key, value in row.items()} for row in rows_of(labels)]
    if not rows:
        raise UsageError(f"{doing}: there are no labels")
    for name in wanted:
        if not any(name in row for row in rows):
            columns = {key for row in rows[:100] for key in row}
            raise UsageError(f"{doing}: {did_you_mean('column', name, columns)}")
    for place, row in enumerate(rows, start=1):
        if row.get("item") is None:
            raise UsageError(f"{doing}: row {place} names no item")
    return rows
