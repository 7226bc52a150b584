"""Costs are those of the prices at the moment when a row is kept, however long before it was priced.

Whoever prices rows says on each of them which prices it knew. A price is set while nobody publishes files, and the rows
of the inbox are looked at in the transaction that keeps them: so what comes after a new price has it, and what came
before is put right by whoever sets it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import sqlite3

Row = dict[str, Any]
#: On a row that has not been kept yet, beside its columns: the number of the newest price that its cost knows of.
PRICES_KNOWN: Final = "prices_known"
#: (store, connection, span rows) -> the rows with the costs of the prices as they are
Reprice = Callable[[Any, "sqlite3.Connection", Sequence[Row]], Sequence[Row]]


def unchanged(_: object, __: sqlite3.Connection, rows: Sequence[Row]) -> Sequence[Row]:
    """Return the rows as they are: nobody has told the store how to price them."""
    return rows


def priced(store: object, con: sqlite3.Connection, spans: Sequence[Row], reprice: Reprice) -> Sequence[Row]:
    """Return span rows with the present prices, those that know them as they are."""
    newest = con.execute("select max(price_id) from prices").fetchone()[0] or 0
    stale = [number for number, row in enumerate(spans) if row.get(PRICES_KNOWN, 0) < newest] if newest else []
    if not stale:
        return spans
    made = list(spans)
    for number, row in zip(stale, reprice(store, con, [spans[number] for number in stale]), strict=True):
        made[number] = row
    return made
