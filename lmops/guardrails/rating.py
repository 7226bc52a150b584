"""How often rails flag, redact and block, by policy, version, stage and rail, with intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError, did_you_mean
from lmops.times import from_ns
from lmops.traces import NO_EVALUATION, time_range

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import pandas as pd

    from lmops.store import Store

#: What rates can be told apart by -> the column of the view.
BY: Final = {
    "policy": "policy",
    "version": "version",
    "stage": "stage",
    "rail": "rail",
    "kind": "kind",
    "rule": "rule",
    "day": "date_trunc('day', start_at)",
    "hour": "date_trunc('hour', start_at)",
}
_COUNTED: Final = {"block": "blocked", "redact": "redacted", "flag": "flagged"}
#: Of a check the gravest of its rails counts: without the rail among what is asked for, a check is one.
_RATES: Final = """
with checks as (
  select {columns}, trace_id, span_id,
    max(case action when 'block' then 3 when 'redact' then 2 when 'flag' then 1 else 0 end) as gravest,
    bool_or(error is not null) as has_error
  from guardrail_checks where ($since is null or start_at >= $since) and ($until is null or start_at < $until)
    and ($evaluations or {traffic})
  group by all
)
select {names}, count(*) as checks, count(*) filter (gravest = 3) as blocked,
  count(*) filter (gravest = 2) as redacted, count(*) filter (gravest = 1) as flagged,
  count(*) filter (has_error) as errors
from checks group by all order by {names}
"""


def rates(
    store: Store,
    *,
    by: Sequence[str],
    last: str | None,
    since: str | datetime | None,
    until: str | datetime | None,
    level: float,
    evaluations: bool,
) -> pd.DataFrame:
    """Return the rates; see ``Guardrails.rates``."""
    from lmops.base.frames import Frame
    from lmops.calc.intervals import wilson

    names = [by] if isinstance(by, str) else list(dict.fromkeys(by))
    for name in names:
        if name not in BY:
            raise UsageError(did_you_mean("column to tell rates apart by", str(name), BY))
    if not 0 < level < 1:
        raise UsageError(f"level={level:g}: give a number between 0 and 1, such as 0.95")
    bounds = time_range(store, last=last, since=since, until=until)
    times: dict[str, Any] = {
        "since": None if bounds.since_ns is None else from_ns(bounds.since_ns),
        "until": None if bounds.until_ns is None else from_ns(bounds.until_ns),
    }
    columns = ", ".join(f"{BY[name]} as {name}" for name in names) or "'all' as everything"
    query = _RATES.format(columns=columns, names=", ".join(names) or "everything", traffic=NO_EVALUATION)
    found = store.sql(query, {**times, "evaluations": evaluations}).df()
    for action, counted in _COUNTED.items():
        low, high = wilson(found[counted], found["checks"], level)
        found[f"{action}_rate"] = found[counted] / found["checks"]
        found[f"{action}_low"], found[f"{action}_high"] = low, high
    told = [f"{action}_{part}" for action in _COUNTED for part in ("rate", "low", "high")]
    return Frame(found[[*names, "checks", *_COUNTED.values(), "errors", *told]])
