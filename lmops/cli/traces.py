"""``lmops trace ...``: figures over traces, and stored calls read or priced again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lmops.cli.build import Verb
from lmops.cli.printing import rows_of
from lmops.cli.words import COMMON, Word
from lmops.traces import Traces

if TYPE_CHECKING:
    from lmops.traces import TraceDiff

_BY = (
    "A group; may be repeated: service, environment, name, user_id, session_id, status (over traces); model, "
    "requested_model, provider, prompt_name, prompt_version, kind (over calls)."
)


def _diff_data(found: TraceDiff) -> dict[str, Any]:
    measures = ("latency_ms", "input_tokens", "output_tokens", "cost_usd")
    return {
        "left": found.left.trace_id,
        "right": found.right.trace_id,
        "summary": found.summary,
        **{name: dict(zip(("left", "right", "change"), found.measure(name), strict=True)) for name in measures},
        "answer": [list(piece) for piece in found.answer],
        "spans": rows_of(found.df()),
    }


COMMANDS = [
    Verb(
        "traces",
        Traces.stats,
        example="lmops trace stats --by model --every all --last 7d",
        empty="no traces",
        help="Show traces, calls, errors, latency, tokens and cost by time and group.",
        words={
            "where": Word(help="Only traces that satisfy it, as for lmops search.", metavar="CONDITION"),
            "by": Word(("--by",), _BY, "NAME"),
            "every": Word(
                help="Length of the intervals, such as 1h; all for one row a group.",
                metavar="1d",
                read=lambda given: None if given == "all" else given,
            ),
            "evaluations": COMMON["evaluations"],
        },
    ),
    Verb(
        "traces",
        Traces.cost_as,
        example="lmops trace cost-as gpt-5-nano gpt-4o-mini --last 7d",
        help="Show what calls cost and would have cost with MODELS, token for token.",
        words={
            "models": Word(metavar="MODELS...", is_argument=True),
            "where": Word(("--where",), "Only traces that satisfy it, as for lmops search.", "CONDITION"),
            "evaluations": COMMON["evaluations"],
        },
    ),
    Verb(
        "traces",
        Traces.diff,
        example="lmops trace diff 4f2a 91c0",
        help="Show what differs from trace A to trace B, each by its id or the start of it; spans are matched.",
        text=lambda found: found.text,
        data=_diff_data,
    ),
    Verb(
        "traces",
        Traces.reprice,
        acts=True,
        help="Put the prices as they are now on the stored calls of MODEL, a name as calls carry it.",
        words={"model": Word(metavar="MODEL", is_argument=True)},
        text=lambda changed: f"{changed:,} calls cost something else now",
        data=lambda changed: {"calls": changed},
    ),
    Verb(
        "traces",
        Traces.renormalise,
        acts=True,
        takes_long=True,
        help="Read every stored span again as this version of lmops reads it.",
        text=lambda changed: f"{changed:,} spans changed",
        data=lambda changed: {"spans": changed},
    ),
]
