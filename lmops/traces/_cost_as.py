"""What calls that were made would have cost with another model, token for token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lmops.base.frames import Frame
from lmops.traces._search import found_sql

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lmops.models import Pricer
    from lmops.store import Bounds, Store

Row = dict[str, Any]

#: What a price depends on; the rest of the usage is read from the attributes again.
_COLUMNS: Final = (
    "trace_id, span_id, name, kind, status, start_ns, end_ns, attributes, events, links, resource, scope, provider, "
    "model, requested_model, input_tokens, output_tokens, cached_input_tokens, cache_write_input_tokens, "
    "reported_cost_usd, cost_usd"
)
_ROWS: Final = 8_192


def cost_as(
    store: Store, pricer: Pricer, models: Sequence[str], *, where: str | None, bounds: Bounds, evaluations: bool
) -> Frame:
    """Return what the calls of some traces cost, and would have cost with other models; see ``Traces.cost_as``."""
    import pandas as pd

    sums: dict[str | None, _Sum] = {name: _Sum() for name in (None, *models)}  # None: as it was paid
    calls = 0
    for row in _calls(store, where, bounds, evaluations=evaluations):
        calls += 1
        for name, found in sums.items():
            found.add(row["cost_usd"] if name is None else _with(row, name, pricer), row["cost_usd"])
    return Frame(pd.DataFrame([found.row(name, calls) for name, found in sums.items()]))


@dataclass(slots=True)
class _Sum:
    """The cost of calls with one model, and how far it is from what they cost, where both are known."""

    priced: int = 0
    usd: float = 0.0
    both: int = 0
    change: float = 0.0

    def add(self, cost: float | None, actual: float | None) -> None:
        if cost is None:
            return
        self.priced += 1
        self.usd += cost
        if actual is not None:
            self.both += 1
            self.change += cost - actual

    def row(self, model: str | None, calls: int) -> Row:
        return {
            "model": model,
            "calls": calls,
            "cost_usd": self.usd if self.priced else None,
            "unpriced_calls": calls - self.priced,
            "compared_calls": self.both,
            "change_usd": self.change if self.both else None,
        }


def _calls(store: Store, where: str | None, bounds: Bounds, *, evaluations: bool) -> Iterator[Row]:
    """Yield the calls of language models in the traces that are meant, with their usage read again."""
    from lmops.traces._normalise import renormalise

    asked = found_sql(where, bounds, evaluations=evaluations)
    reader = store.sql(
        f"select {_COLUMNS} from llm_calls where kind = 'llm' and trace_id in ({asked})"
    ).to_arrow_reader(_ROWS)
    for batch in reader:
        for row in batch.to_pylist():
            yield {**row, "usage_units": renormalise(row).get("usage_units")}


def _with(row: Row, model: str, pricer: Pricer) -> float | None:
    """Return the cost of a call with another model, whose provider its name says; None where it is not known."""
    return pricer.cost({**row, "provider": None, "model": model, "requested_model": model, "reported_cost_usd": None})
