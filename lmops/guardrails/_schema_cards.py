"""The tables of cards and of what they judged wrongly, and the views over them."""

from __future__ import annotations

from typing import Final

from lmops.store.schema import TIME, Erased, Room, Table, View

_RATES: Final = ("precision", "recall", "fpr", "auroc")
_COUNTS: Final = ("n", "n_attacks", "n_unknown", "n_errors", "n_missed", "n_wrong")
_TIMES: Final = ("p50_ms", "p95_ms")
_SAID: Final = {
    "precision": "share of what it found that was there",
    "recall": "share of what was there that it found",
    "fpr": "share of ordinary texts in which it found something",
    "auroc": "chance that a text with something scores above an ordinary one; NULL of rules",
    "n": "texts that count",
    "n_attacks": "those in which there is something",
    "n_unknown": "texts of which nobody knows",
    "n_errors": "texts on which it failed",
    "n_missed": "texts in which it found nothing although there was something",
    "n_wrong": "ordinary texts in which it found something",
    "p50_ms": "milliseconds that a text takes, the median",
    "p95_ms": "nineteen of twenty texts take no longer",
}
MADE: Final = """
create table guardrail_cards (
    number integer primary key, subject text not null, kind text not null, config_hash text not null,
    stage text not null, dataset text not null, figures text not null, author text not null, created_ns integer not null
);
create index guardrail_cards_of on guardrail_cards (config_hash);
create table guardrail_card_mistakes (
    card integer not null, place integer not null, example_id text not null, is_attack integer not null,
    primary key (card, place)
) without rowid;
"""


def _shown() -> tuple[tuple[tuple[str, str, str], ...], str]:
    """Return the columns of the view and the SELECT that yields them."""
    limits = [(f"{one}{end}", place) for one in _RATES for place, end in enumerate(("", "_low", "_high"))]
    columns = (
        ("number", "BIGINT", "1, 2, 3, ..."),
        ("subject", "VARCHAR", "the rail, or the policy with its version"),
        ("kind", "VARCHAR", "the kind of rail; policy of a policy"),
        ("config_hash", "VARCHAR", "of the configuration that was measured"),
        ("stage", "VARCHAR", "at which the texts were read"),
        ("dataset", "VARCHAR", "which texts, name@version"),
        ("threshold", "DOUBLE", "what reaches it is found; NULL of rules"),
        *((one, "BIGINT", _SAID[one]) for one in _COUNTS),
        *((one, "DOUBLE", _SAID.get(one, "limit at 95 %")) for one, _ in limits),
        *((one, "DOUBLE", _SAID[one]) for one in _TIMES),
        ("author", "VARCHAR", "who made it"),
        ("created_at", TIME, "when"),
    )
    paths = ["$.threshold", *(f"$.{one}" for one in _COUNTS)]
    paths += [f"$.{one.removesuffix('_low').removesuffix('_high')}[{place}]" for one, place in limits]
    paths += [f"$.{one}" for one in _TIMES]
    told = ", ".join(f"json_extract(figures, '{path}')" for path in paths)
    return columns, (
        f"select number, subject, kind, config_hash, stage, dataset, {told}, author, created_ns "
        "from guardrail_cards order by number"
    )


ROOM: Final = Room(
    tables=(
        Table("guardrail_cards", ("number",)),
        Table(
            "guardrail_card_mistakes",
            ("card", "place"),
            erased=Erased("mistakes of guardrails' cards", texts=("example_id",)),
        ),
    ),
    views=(
        View("guardrail_cards", *_shown(), ("guardrail_cards",)),
        View(
            "guardrail_card_mistakes",
            (
                ("card", "BIGINT", "its number"),
                ("example_id", "VARCHAR", "of the data set of the card"),
                ("is_attack", "BOOLEAN", "there was something and it was missed; otherwise it was stopped wrongly"),
            ),
            "select card, example_id, is_attack from guardrail_card_mistakes order by card, place",
            ("guardrail_card_mistakes",),
        ),
    ),
    migrations={24: MADE},
)
