"""What calls cost: listed prices, and those set in a store.

Prices come from the ``genai-prices`` package by (provider, model, day), with cached and written input told apart; a
price set here comes first. Unknown models have no cost: NULL, counted as unpriced, never 0.
"""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError
from lmops.store import append_event
from lmops.times import EPOCH, from_ns, to_ns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    import pandas as pd

    from lmops.models._records import Endpoint, Usage
    from lmops.store import Store

Row = dict[str, Any]

PRICED_KINDS: Final = frozenset({"llm", "embedding", "reranker"})
#: So long a call may use prices that were read before.
HELD_S: Final = 1.0
#: OpenTelemetry's names of providers that genai-prices calls otherwise.
_PROVIDER_IDS: Final = {
    "azure.ai.openai": "azure", "azure.ai.inference": "azure", "az.ai.openai": "azure", "azure_openai": "azure",
    "gcp.vertex_ai": "google", "gcp.gemini": "google", "gcp.gen_ai": "google", "vertex_ai": "google",
    "gemini": "google", "aws.bedrock": "aws", "bedrock": "aws", "mistral_ai": "mistral", "x_ai": "x-ai", "xai": "x-ai",
}  # fmt: skip
#: Frameworks that put their own name where the provider's belongs: the model alone decides.
_NOT_PROVIDERS: Final = frozenset(
    {"langchain", "langgraph", "litellm", "llamaindex", "llama_index", "dspy", "haystack"}
)


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
        for price in sorted(prices, key=lambda found: found.valid_from_ns, reverse=True):
            self._own.setdefault(price.model, []).append(price)

    def put_costs(self, rows: Iterable[Row]) -> None:
        """Set ``cost_usd`` of every model span; None when its price or its usage is not known."""
        for row in rows:
            if row["kind"] in PRICED_KINDS:
                row["cost_usd"] = self.cost(row)

    def cost(self, row: Row) -> float | None:
        """Return the computed cost of one call in USD; without a known price, what the client reported."""
        if row["input_tokens"] is None or (row["output_tokens"] is None and row["kind"] == "llm"):
            return self._reported(row)
        own = self._own_rates(row)
        if own is not None:
            return own.cost(row)
        day = (row["start_ns"] or 0) // 86_400_000_000_000
        found = _listed(row["provider"], row["model"], row["requested_model"], day)
        if found is None:
            return self._reported(row)
        return found.cost(row) if isinstance(found, Rates) else found(row)

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


@functools.lru_cache(maxsize=4096)
def _listed(
    provider: str | None, model: str | None, requested: str | None, day: int
) -> Rates | Callable[[Row], float | None] | None:
    """Return the listed rates on a day; a function where they depend on the size or the hour of the call."""
    at = EPOCH + timedelta(days=day)
    for name in dict.fromkeys(name for name in (model, requested) if name):
        for candidate in (name, _without_date(name)):
            found = _find(candidate, provider, at)
            if found is not None:
                return found
    return None


def _find(name: str, provider: str | None, at: datetime) -> Rates | Callable[[Row], float | None] | None:
    from genai_prices import Usage, calc_price

    asked = None
    if provider is not None and provider.lower() not in _NOT_PROVIDERS:
        asked = _PROVIDER_IDS.get(provider.lower(), provider.lower())
    try:
        found = calc_price(Usage(input_tokens=0, output_tokens=0), name, provider_id=asked, genai_request_timestamp=at)
    except LookupError:
        return None
    price = found.model_price
    parts = (price.input_mtok, price.output_mtok, price.cache_read_mtok, price.cache_write_mtok)
    conditions = found.model.prices if isinstance(found.model.prices, list) else []
    if any(hasattr(condition.constraint, "start_time") for condition in conditions):
        return functools.partial(_exact, name, asked)
    starts = sorted({tier.start for part in parts for tier in getattr(part, "tiers", ())}, reverse=True)
    if not starts:
        return _rates(parts, 0)
    # A larger request pays the rates of its tier for all its tokens.
    tiers = [(start, _rates(parts, start + 1)) for start in starts]
    lowest = _rates(parts, 0)

    def cost(row: Row) -> float:
        return next((rates for start, rates in tiers if row["input_tokens"] > start), lowest).cost(row)

    return cost


def _rates(parts: Sequence[Any], input_tokens: int) -> Rates:
    """Return the rates of a request of this size; ``parts``: prices of input, output, cached and written input."""
    known = [None if part is None else float(_of_tier(part, input_tokens)) for part in parts]
    paid_in = known[0] if known[0] is not None else 0.0
    return Rates(
        input=paid_in,
        output=known[1] if known[1] is not None else 0.0,
        cached_input=known[2] if known[2] is not None else paid_in,
        cache_write_input=known[3] if known[3] is not None else paid_in,
    )


def _of_tier(price: Any, input_tokens: int) -> Any:
    if not hasattr(price, "tiers"):
        return price
    return next((tier.price for tier in reversed(price.tiers) if input_tokens > tier.start), price.base)


def _exact(name: str, provider: str | None, row: Row) -> float | None:
    """Return the cost of one call whose rates depend on the hour."""
    from genai_prices import Usage, calc_price

    usage = Usage(
        input_tokens=row["input_tokens"], output_tokens=row["output_tokens"] or 0,
        cache_read_tokens=row["cached_input_tokens"] or 0, cache_write_tokens=row["cache_write_input_tokens"] or 0,
    )  # fmt: skip
    at = from_ns(row["start_ns"])
    try:
        found = calc_price(usage, name, provider_id=provider, genai_request_timestamp=at)
    except (LookupError, ValueError):
        # Counts that contradict each other (more cached than read) have no price.
        return None
    return float(found.total_price)


def _without_date(name: str) -> str:
    """Return a model name without a dated suffix such as ``-2026-05-01`` or ``-20260501``."""
    import re

    return re.sub(r"[-@](\d{4}-\d{2}-\d{2}|\d{8})$", "", name)


class Prices:
    """The prices that were set in a store."""

    def __init__(self, store: Store, *, actor: str, reprice: Callable[[str], int]) -> None:
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
            "cached_input_tokens": usage.cached_input_tokens, "cache_write_input_tokens": None,
            "start_ns": time.time_ns(), "reported_cost_usd": None,
        })  # fmt: skip

    def pricer(self) -> Pricer:
        """Return a pricer with the prices set up to now."""
        with self._store.reading() as con:
            rows = con.execute("select * from prices").fetchall()
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

        A price is a dated entry and never an overwrite: calls before ``valid_from`` keep their cost.

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
            con.execute(
                "insert into prices (model, provider, valid_from_ns, input_usd_per_mtok, output_usd_per_mtok, "
                "cached_input_usd_per_mtok, cache_write_input_usd_per_mtok, actor, set_ns) "
                "values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                values,
            )
            after = {"provider": provider, "valid_from_ns": since, "usd_per_mtok": list(numbers)}
            append_event(con, actor=who, action="price.set", subject=model, after=after, reason=reason)
        self._held = None
        return self._reprice(model)

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
