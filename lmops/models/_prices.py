"""What calls cost: listed prices, and those set in a store.

Prices come from the ``genai-prices`` package by (provider, model, day), with every rate that it knows; a price set here
comes first. Unknown models and parts without a rate have no cost: NULL, counted as unpriced, never 0.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError
from lmops.models._listed import listed
from lmops.store import append_event
from lmops.times import to_ns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    import pandas as pd

    from lmops.models._records import Endpoint, Usage
    from lmops.store import PendingChange, Store

Row = dict[str, Any]

PRICED_KINDS: Final = frozenset({"llm", "embedding", "reranker"})
#: So long a call may use prices that were read before.
HELD_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """US dollars per million tokens."""

    input: float
    output: float
    cached_input: float
    cache_write_input: float

    def cost(self, row: Row) -> float:
        """Return the cost of a call; its input includes cached and written tokens."""
        cached, written = row["cached_input_tokens"] or 0, row["cache_write_input_tokens"] or 0
        plain: int = max(row["input_tokens"] - cached - written, 0)
        paid_in: float = plain * self.input + cached * self.cached_input + written * self.cache_write_input
        paid_out: float = (row["output_tokens"] or 0) * self.output
        return (paid_in + paid_out) / 1e6


def _media(units: Row) -> bool:
    """Return whether a call used what a price set here does not tell apart: sound, images, searches, another tier."""
    return any(unit not in ("cache_write_1h_tokens", "cache_write_5m_tokens") for unit in units)


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """A price that somebody set, in US dollars per million tokens, from a time on."""

    model: str
    provider: str | None
    valid_from_ns: int
    rates: Rates


class Pricer:
    """Puts ``cost_usd`` on span rows, with the prices set in a store as they are now."""

    def __init__(self, prices: Iterable[Price] = ()) -> None:
        self._own: dict[str, list[Price]] = {}
        # Of prices for the same time the one that was set last holds: the others were put right by it.
        newest_first = reversed(list(prices))
        for price in sorted(newest_first, key=lambda found: found.valid_from_ns, reverse=True):
            self._own.setdefault(price.model, []).append(price)

    def put_costs(self, rows: Iterable[Row]) -> None:
        """Set ``cost_usd`` of every model span; None when its price or its usage is not known.

        Takes ``usage_units`` off the rows: they are no column, only a price depends on them.
        """
        for row in rows:
            if row["kind"] in PRICED_KINDS:
                row["cost_usd"] = self.cost(row)
                row.pop("usage_units", None)

    def cost(self, row: Row) -> float | None:
        """Return the computed cost of one call in USD; without a known price, what the client reported."""
        units: Row = row.get("usage_units") or {}
        has_tokens = row["input_tokens"] is not None and (row["output_tokens"] is not None or row["kind"] != "llm")
        if not has_tokens and not any(isinstance(count, int) for count in units.values()):
            return self._reported(row)
        own = self._own_rates(row)
        if own is not None:
            return own.cost(row) if has_tokens and not _media(units) else self._reported(row)
        day = (row["start_ns"] or 0) // 86_400_000_000_000
        found = listed(row["provider"], row["model"], row["requested_model"], day)
        computed = None if found is None else found.cost(row, units)
        return self._reported(row) if computed is None else computed

    @staticmethod
    def _reported(row: Row) -> float | None:
        # Clients write 0 for calls that they could not price themselves.
        return row["reported_cost_usd"] or None

    def _own_rates(self, row: Row) -> Rates | None:
        if not self._own:
            return None
        for name in (row["model"], row["requested_model"]):
            for price in self._own.get(name, ()):
                if price.valid_from_ns <= (row["start_ns"] or 0) and price.provider in (None, row["provider"]):
                    return price.rates
        return None


class Prices:
    """The prices that were set in a store."""

    def __init__(self, store: Store, *, actor: str, reprice: Callable[[PendingChange], int]) -> None:
        self._store = store
        self._actor = actor
        self._reprice = reprice
        self._held: tuple[float, Pricer] | None = None

    def of_call(self, kind: str, endpoint: Endpoint, model: str | None, usage: Usage) -> float | None:
        """Return what a call that just ended costs, in USD, as its span will say; prices are at most a second old."""
        now = time.monotonic()
        held = self._held
        if held is None or now - held[0] > HELD_S:
            held = self._held = (now, self.pricer())
        return held[1].cost({
            "kind": kind, "provider": endpoint.provider, "model": model, "requested_model": endpoint.model,
            "input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens,
            "cached_input_tokens": usage.cached_input_tokens,
            "cache_write_input_tokens": usage.cache_write_input_tokens, "reasoning_tokens": usage.reasoning_tokens,
            "usage_units": usage.units, "start_ns": time.time_ns(), "reported_cost_usd": usage.reported_cost_usd,
        })  # fmt: skip

    def pricer(self) -> Pricer:
        """Return a pricer with the prices set up to now."""
        with self._store.reading() as con:
            rows = con.execute("select * from prices order by price_id").fetchall()
        return Pricer(
            Price(
                model=row["model"], provider=row["provider"], valid_from_ns=row["valid_from_ns"],
                rates=Rates(
                    input=row["input_usd_per_mtok"],
                    output=row["output_usd_per_mtok"],
                    cached_input=_or(row["cached_input_usd_per_mtok"], row["input_usd_per_mtok"]),
                    cache_write_input=_or(row["cache_write_input_usd_per_mtok"], row["input_usd_per_mtok"]),
                ),
            )
            for row in rows
        )  # fmt: skip

    def set(
        self,
        model: str,
        *,
        input_usd_per_mtok: float,
        output_usd_per_mtok: float,
        cached_input_usd_per_mtok: float | None = None,
        cache_write_input_usd_per_mtok: float | None = None,
        provider: str | None = None,
        valid_from: str | datetime | None = None,
        reason: str | None = None,
        actor: str | None = None,
    ) -> int:
        """Set what a model costs from a time on, and put it on the calls already stored; return how many changed.

        A price is a dated entry and never an overwrite: calls before ``valid_from`` keep their cost. When the work on
        the stored calls is cut short, the price is set all the same and the next ``lmops.open`` finishes that work.

        Args:
            model: Name of the model as calls carry it.
            input_usd_per_mtok: US dollars per million input tokens.
            output_usd_per_mtok: US dollars per million output tokens.
            cached_input_usd_per_mtok: For input read from a cache; as input by default.
            cache_write_input_usd_per_mtok: For input written to a cache; as input by default.
            provider: Only for calls to this provider; any by default.
            valid_from: ISO time or datetime, UTC when it has no zone; for all time by default, which only the first
                price of a model may be.
            reason: Why, for the audit chain.
            actor: Who sets it; the workspace's actor by default.

        Raises:
            UsageError: A price that is negative or no number, or no ``valid_from`` where a price is set already.
        """
        numbers = (input_usd_per_mtok, output_usd_per_mtok, cached_input_usd_per_mtok, cache_write_input_usd_per_mtok)
        _check_price(model, numbers)
        since = 0 if valid_from is None else to_ns(valid_from)
        who = actor or self._actor
        values = (model, provider, since, *numbers, who, time.time_ns())
        with self._store.transaction() as con:
            known = con.execute(
                "select max(valid_from_ns) from prices where model = ? and provider is ?", (model, provider)
            ).fetchone()[0]
            if known is not None and valid_from is None:
                message = (
                    f"{model!r} has a price already; a new one needs valid_from, so that older calls keep their cost: "
                    f"set_price({model!r}, ..., valid_from='2026-01-31')"
                )
                raise UsageError(message)
            price_id = con.execute(
                "insert into prices (model, provider, valid_from_ns, input_usd_per_mtok, output_usd_per_mtok, "
                "cached_input_usd_per_mtok, cache_write_input_usd_per_mtok, actor, set_ns) "
                "values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                values,
            ).lastrowid
            after = {"provider": provider, "valid_from_ns": since, "usd_per_mtok": list(numbers)}
            append_event(
                con, actor=who, action="price.set", subject=model, after=after, reason=reason,
                rows=[("prices", price_id)],
            )  # fmt: skip
            change = self._store.changes.begin(
                con, kind="reprice", subject=model, arguments={"model": model}, actor=who
            )
        self._held = None
        return self._store.changes.carry_out(change, self._reprice)

    def df(self) -> pd.DataFrame:
        """Return the prices set here: the columns of the view ``prices``."""
        frame: pd.DataFrame = self._store.sql("select * from prices").df()
        return frame


def _check_price(model: str, numbers: Sequence[float | None]) -> None:
    if not isinstance(model, str) or not model.strip():
        raise UsageError(f"set_price({model!r}): give the name of a model as the calls carry it")
    for number in numbers:
        if number is not None and not (isinstance(number, int | float) and 0 <= number < 1e9):
            raise UsageError(f"set_price({model!r}): {number!r} is not a price; give US dollars per million tokens")


def _or(value: float | None, other: float) -> float:
    return other if value is None else value
