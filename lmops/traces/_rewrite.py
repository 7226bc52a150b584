"""Changes of all stored spans: prices and aliases as they are now, on what was stored with those of before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lmops.calc.rollup import MODEL_KINDS
from lmops.models import Pricer

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping, Sequence

    from lmops.store import PendingChange, Store

Row = dict[str, Any]


def reprice_rows(store: Store, con: sqlite3.Connection, rows: Sequence[Row]) -> list[Row]:
    """Return span rows with the costs of the prices that a store has in a transaction."""
    pricer = Pricer.of(store, con)
    return [_repriced(row, pricer) for row in rows]


def carry_out_reprice(store: Store, change: PendingChange) -> int:
    """Put the present prices on the stored calls of a model, as a noted change says; return how many changed."""
    model = change.arguments["model"]

    def fresh(row: Row, _: list[Row], pricer: Pricer) -> Row:
        return _repriced(row, pricer)

    return _rewrite(store, fresh, change, where={"model": model, "requested_model": model})


def carry_out_renormalise(
    store: Store, change: PendingChange, *, on_segment: Callable[[int, int], None] = lambda _done, _all: None
) -> int:
    """Read the stored spans again with the present aliases and prices, as a noted change says."""
    from lmops.traces._normalise import renormalise

    def fresh(row: Row, logs: list[Row], pricer: Pricer) -> Row:
        made = renormalise(row, logs)
        pricer.put_costs([made])
        return made

    return _rewrite(store, fresh, change, on_segment=on_segment)


#: The work of each kind of change, for whoever finishes one.
WAYS: Final = {"reprice": carry_out_reprice, "renormalise": carry_out_renormalise}


def _repriced(row: Row, pricer: Pricer) -> Row:
    """Return a span row that was priced before with the cost that it has now; any other row as it is."""
    from lmops.traces._normalise import renormalise

    if row["kind"] not in MODEL_KINDS:
        return row
    # What a price depends on besides the columns is in the attributes.
    return {**row, "cost_usd": pricer.cost({**row, "usage_units": renormalise(row).get("usage_units")})}


def _rewrite(
    store: Store,
    fresh: Callable[[Row, list[Row], Pricer], Row],
    change: PendingChange,
    *,
    where: Mapping[str, str] | None = None,
    on_segment: Callable[[int, int], None] = lambda _done, _all: None,
) -> int:
    """Pass the stored spans through ``fresh``, with the prices as they are while nobody else publishes rows."""
    prices = [Pricer()]

    def read_prices() -> None:
        with store.reading() as con:
            prices[0] = Pricer.of(store, con)

    return store.rewrite_spans(
        lambda row, logs: fresh(row, logs, prices[0]),
        where=where,
        before_segment=read_prices,
        on_segment=on_segment,
        pending=change,
    )
