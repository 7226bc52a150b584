"""The text of a scorer for a failure mode: a judge with examples, or code that looks for telling words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lmops.errors import UsageError, did_you_mean
from lmops.text import plain_line

if TYPE_CHECKING:
    from lmops.feedback._failure_records import FailureMode
    from lmops.store import Store

KINDS: Final = ("judge", "code")
_EXAMPLES: Final = 3
_LONGEST: Final = 1_500
_FAILING: Final = (
    "select t.input, t.output, n.words from failure_notes n join traces t using (trace_id) where n.queue = $queue and "
    "n.mode = $mode and t.input is not null and t.output is not null order by n.position, n.note limit 50"
)
_OTHERS: Final = (
    "select t.input, t.output from queue_items i join traces t using (trace_id) where i.queue = $queue and i.done > 0 "
    "and i.position not in (select position from failure_notes where queue = $queue and mode = $mode) and "
    "t.input is not null and t.output is not null order by i.position limit 50"
)
_JUDGE: Final = '''\
"""Whether an answer is free of one failure: a judge to begin with. Calibrate it on labels before it gates anything."""

from lmops.scorers import judge

CRITERIA = {criteria!r}

#: What raters noted on answers that fail, and answers of the same queue without this failure.
EXAMPLES = [
{examples}]

{name} = judge({name!r}, CRITERIA, model={model!r}, few_shot=EXAMPLES)
'''
_CODE: Final = '''\
"""Whether an answer is free of one failure: code to begin with. It only looks for words; write what really tells it."""

from lmops.scorers import Score, scorer

#: Words that answers with this failure have more often than others of the same queue.
SIGNS = {signs!r}


@scorer(name={name!r}, range=(0, 1))
def {name}(output):
    found = [sign for sign in SIGNS if sign in str(output).casefold()]
    return Score.of(0.0 if found else 1.0, rationale=", ".join(found) or None)
'''


def scorer_text(store: Store, mode: FailureMode, *, kind: str, model: str) -> str:
    """Return Python that makes a scorer: 1 for an answer without the failure, 0 for one with it.

    Raises:
        UsageError: There is no such kind.
    """
    if kind not in KINDS:
        raise UsageError(did_you_mean("kind of scorer", kind, KINDS))
    given = {"queue": mode.queue, "mode": mode.number}
    failing = store.sql(_FAILING, given).fetchall()
    others = store.sql(_OTHERS, given).fetchall()
    name = _identifier(mode)
    if kind == "code":
        from lmops.calc.clusters import telling

        signs = telling([row[1] for row in failing], [row[1] for row in others], most=8)
        return _CODE.format(name=name, signs=list(signs))
    shots = [
        *({"input": row[0], "output": row[1], "verdict": "fail", "rationale": row[2]} for row in failing[:_EXAMPLES]),
        *(
            {"input": row[0], "output": row[1], "verdict": "pass", "rationale": "It does not show this failure."}
            for row in others[:_EXAMPLES]
        ),
    ]
    examples = "".join(f"    { ({key: _cut(value) for key, value in one.items()})!r},\n" for one in shots)
    return _JUDGE.format(name=name, criteria=_criteria(mode), examples=examples, model=model)


def _criteria(mode: FailureMode) -> str:
    told = f" {mode.criteria}" if mode.criteria else ""
    return f"The answer fails if it shows this failure, and passes otherwise: {plain_line(mode.name, 100)}.{told}"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _identifier(mode: FailureMode) -> str:
    """Return a name that Python and scorers take."""
    word = re.sub(r"[^a-z0-9]+", "_", mode.name.casefold()).strip("_")[:40].strip("_")
    return f"no_{word}" if word else f"no_failure_{mode.number}"
