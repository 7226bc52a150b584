"""An answer of a model as text and as HTML: what it said, what it took."""

from __future__ import annotations

from typing import Any

from lmops.base.cards import card_html, card_text
from lmops.base.shown import html_of, text_of
from lmops.base.units import duration, money, tokens
from lmops.models._records import Completion


def _parts(found: Completion) -> dict[str, Any]:
    usage = found.usage
    calls = "\n".join(f"{call.name}({call.arguments})" for call in found.tool_calls)
    return {
        "kind": "answer",
        "title": found.model,
        "facts": [
            ("asked", "" if found.requested_model == found.model else found.requested_model),
            ("ended", "" if found.finish_reason == "stop" else found.finish_reason),
            ("time", duration(found.latency_ms)),
            ("tokens", tokens(usage.input_tokens, usage.output_tokens)),
            (
                "cost",
                "from the cache"
                if found.is_cached
                else "no price"
                if found.cost_usd is None
                else money(found.cost_usd),
            ),
            ("retries", found.retries or ""),
            ("trace", found.trace_id),
        ],
        "texts": [("", found.content), ("calls", calls), ("refused", found.refusal)],
    }


@text_of.register(Completion)
def _(found: Completion) -> str:
    return card_text(**_parts(found))


@html_of.register(Completion)
def _(found: Completion) -> str:
    return card_html(**_parts(found))
