"""What calls cost: listed prices, and those set in a store.

Prices come from the ``genai-prices`` package by (provider, model, day), with every rate that it knows; a price set here
comes first. Unknown models and parts without a rate have no cost: NULL, counted as unpriced, never 0.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from lmops.calc.rollup import MODEL_KINDS
from lmops.errors import UsageError
from lmops.models._listed import listed
from lmops.store import PRICES_KNOWN
from lmops.times import to_ns

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    import pandas as pd

    from lmops.base.chat import Usage
    from lmops.models._records import Endpoint
    from lmops.records import Change, Project
    from lmops.store import PendingChange, Store

Row = dict[str, Any]

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
    """Puts ``cost_usd`` on span rows, with the prices set in a store as they are now.

    Args:
        prices: The prices set in the store, the newest last.
        newest: The number of the newest of them, which the rows keep until they are stored.
    """

    def __init__(self, prices: Iterable[Price] = (), *, newest: int = 0) -> None:
        self._newest = newest
        self._own: dict[str, list[Price]] = {}
        # Of prices for the same time the one that was set last holds: the others were put right by it.
        newest_first = reversed(list(prices))
        for price in sorted(newest_first, key=lambda found: found.valid_from_ns, reverse=True):
            self._own.setdefault(price.model, []).append(price)

    @classmethod
    def of(cls, store: Store, con: sqlite3.Connection) -> Self:
        """Return a pricer with the prices that a store has in a transaction.

        In the place of one that was changed since, which a warning names, stands what the audit chain says was set.
        """
        rows, altered = store.records(con, "prices")
        prices = {
            row["price_id"]: _price(
                row["model"],
                row["provider"],
                row["valid_from_ns"],
                [row[f"{kind}_usd_per_mtok"] for kind in ("input", "output", "cached_input", "cache_write_input")],
            )
            for row in rows
        }
        query = "select subject, after from audit where event_id = ? and action = 'price.set'"
        for key, event_id in altered:
            event = con.execute(query, (event_id,)).fetchone()
            if event is not None:
                said = json.loads(event["after"])
                rates = said["usd_per_mtok"]
                prices[key[0]] = _price(event["subject"], said["provider"], said["valid_from_ns"], rates)
        numbers = sorted(prices)
        return cls((prices[number] for number in numbers), newest=numbers[-1] if numbers else 0)

    def put_costs(self, rows: Iterable[Row]) -> None:
        """Set ``cost_usd`` of every model span; None when its price or its usage is not known.

        Takes ``usage_units`` off the rows: they are no column, only a price depends on them.
        """
        for row in rows:
            if row["kind"] in MODEL_KINDS:
                row["cost_usd"] = self.cost(row)
                row.pop("usage_units", None)
            if self._newest:
                row[PRICES_KNOWN] = self._newest

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

    def __init__(self, project: Project, *, reprice: Callable[[PendingChange], int]) -> None:
        self._project = project
        self._reprice = reprice
        self._held: tuple[float, Pricer] | None = None

    def of_call(self, kind: str, endpoint: Endpoint, model: str | None, usage: Usage) -> float | None:
        """Return what a call that just ended costs, in USD, as its span will say; prices are at most a second old."""
        now = time.monotonic()
        held = self._held
        if held is None or now - held[0] > HELD_S:
            held = self._held = (now, self.pricer())
        return held[1].cost(
            {
                "kind": kind,
                "provider": endpoint.provider,
                "model": model,
                "requested_model": endpoint.model,
                "input_tokens": usage.input_tokens,
                "output_tokens": usage.output_tokens,
                "cached_input_tokens": usage.cached_input_tokens,
                "cache_write_input_tokens": usage.cache_write_input_tokens,
                "reasoning_tokens": usage.reasoning_tokens,
                "usage_units": usage.units,
                "start_ns": time.time_ns(),
                "reported_cost_usd": usage.reported_cost_usd,
            }
        )

    def count(self) -> int:
        """Return how many are set."""
        with self._project.reading() as con:
            return int(con.execute("select count(*) from prices").fetchone()[0])

    def pricer(self) -> Pricer:
        """Return a pricer with the prices set up to now.

        In the place of one that was changed since, which a warning names, stands what the audit chain says was set.
        """
        with self._project.reading() as con:
            return Pricer.of(self._project.store, con)

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
        """Set a price and put it on the calls already stored; see :meth:`lmops.models.Models.set_price`."""
        rates = {
            "input_usd_per_mtok": input_usd_per_mtok,
            "output_usd_per_mtok": output_usd_per_mtok,
            "cached_input_usd_per_mtok": cached_input_usd_per_mtok,
            "cache_write_input_usd_per_mtok": cache_write_input_usd_per_mtok,
        }
        _check_price(model, list(rates.values()))
        since = None if valid_from is None else to_ns(valid_from)
        # A file that is being written has the costs of before: it is finished first, and repriced with the others.
        with self._project.store.while_nobody_publishes(), self._project.change(actor=actor, reason=reason) as change:
            _enter(change, model, provider, since, rates)
            work = self._project.store.changes.begin(
                change.con, kind="reprice", subject=model, arguments={"model": model}, actor=change.actor
            )
        self._held = None
        return self._project.store.changes.carry_out(work, self._reprice)

    def df(self) -> pd.DataFrame:
        """Return the prices set here: the columns of the view ``prices``."""
        frame: pd.DataFrame = self._project.store.sql("select * from prices").df()
        return frame


def _check_price(model: str, numbers: Sequence[float | None]) -> None:
    if not isinstance(model, str) or not model.strip():
        raise UsageError(f"set_price({model!r}): give the name of a model as the calls carry it")
    for number in numbers:
        if number is not None and not (isinstance(number, int | float) and 0 <= number < 1e9):
            raise UsageError(f"set_price({model!r}): {number!r} is not a price; give US dollars per million tokens")


def _enter(
    change: Change, model: str, provider: str | None, since: int | None, rates: Mapping[str, float | None]
) -> None:
    """Write down a price and say so; only the first one of a model may be for all time."""
    known = change.con.execute(
        "select max(valid_from_ns) from prices where model = ? and provider is ?", (model, provider)
    ).fetchone()[0]
    if known is not None and since is None:
        raise UsageError(
            f"{model!r} has a price already; a new one needs valid_from, so that older calls keep their cost: "
            f"set_price({model!r}, ..., valid_from='2026-01-31')"
        )
    price = {"model": model, "provider": provider, "valid_from_ns": since or 0, **rates}
    change.insert("prices", {**price, "actor": change.actor, "set_ns": change.at_ns})
    after = {"provider": provider, "valid_from_ns": since or 0, "usd_per_mtok": list(rates.values())}
    change.say("price.set", model, after=after)


def _price(model: str, provider: str | None, valid_from_ns: int, numbers: Sequence[Any]) -> Price:
    """Return a price from its numbers: input, output, cached input, input written to a cache (None: as input)."""
    plain, output, cached, written = numbers
    rates = Rates(
        input=plain,
        output=output,
        cached_input=plain if cached is None else cached,
        cache_write_input=plain if written is None else written,
    )
    return Price(model=model, provider=provider, valid_from_ns=valid_from_ns, rates=rates)
