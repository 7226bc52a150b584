"""What is written down of a run: what ran, and how far it is."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from lmops.evals._journal import is_held
from lmops.evals._records import Totals
from lmops.times import from_ns

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime

_JSON: Final = ("params", "scorers", "settings", "environment")


class Recorded:
    """What ran: the part of a run that does not change while it goes on.

    Args:
        row: Of the run.
    """

    def __init__(self, row: sqlite3.Row) -> None:
        self._record: dict[str, Any] = {
            name: json.loads(value) if name in _JSON and value else value for name, value in dict(row).items()
        }

    @property
    def run_id(self) -> str:
        """Its id."""
        return str(self._record["run_id"])

    @property
    def name(self) -> str:
        """Name of the experiment."""
        return str(self._record["name"])

    @property
    def task(self) -> str:
        """What ran: a function, a prompt, or recorded answers."""
        return str(self._record["task"])

    @property
    def dataset(self) -> str:
        """The dataset version, such as "golden@2"."""
        return str(self._record["dataset"])

    @property
    def dataset_hash(self) -> str:
        """The hash of the dataset version."""
        return str(self._record["dataset_hash"])

    @property
    def prompt_ref(self) -> str | None:
        """The prompt version, such as "support-answer@3"; None when no prompt was named."""
        found: str | None = self._record["prompt_ref"]
        return found

    @property
    def prompt_hash(self) -> str | None:
        """The hash of the prompt version; None when no prompt was named."""
        found: str | None = self._record["prompt_hash"]
        return found

    @property
    def model(self) -> str | None:
        """The model that was asked for."""
        found: str | None = self._record["model"]
        return found

    @property
    def params(self) -> dict[str, Any] | None:
        """The parameters of the model; None when there were none."""
        found: dict[str, Any] | None = self._record["params"]
        return found

    @property
    def scorers(self) -> dict[str, dict[str, Any]]:
        """Its scorers by name: version, range, higher_is_better."""
        return {one["name"]: one for one in self._record["scorers"]}

    @property
    def settings(self) -> dict[str, Any]:
        """Concurrency, timeout, retries, budget and what else was set."""
        found: dict[str, Any] = self._record["settings"]
        return found

    @property
    def examples(self) -> int:
        """How many examples it is over."""
        return int(self._record["examples"])

    @property
    def repeats(self) -> int:
        """How many times each example is asked."""
        return int(self._record["repeats"])

    @property
    def started_at(self) -> datetime:
        """When it began."""
        return from_ns(self._record["started_ns"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is.

    Args:
        status: One of running, finished, interrupted, over_budget, failed, crashed (nobody works on it any more).
        error: What stopped it before its end; None when nothing did.
        totals: Sums over its finished cases, over all sessions.
    """

    status: str
    error: str | None
    totals: Totals

    @classmethod
    def of(cls, row: sqlite3.Row) -> Self:
        """Return how far the run of a row is."""
        is_crashed = row["status"] == "running" and not is_held(row, now_ns=time.time_ns())
        planned = row["examples"] * row["repeats"]
        totals = Totals(
            cases=row["cases"],
            planned=planned,
            errors=row["errors"],
            not_run=planned - row["cases"],
            input_tokens=row["input_tokens"],
            output_tokens=row["output_tokens"],
            cost_usd=row["cost_usd"],
            scoring_cost_usd=row["scoring_cost_usd"],
            unpriced=row["unpriced"],
            duration_s=row["duration_s"],
            sessions=row["sessions"],
        )
        return cls(status="crashed" if is_crashed else str(row["status"]), error=row["error"], totals=totals)
