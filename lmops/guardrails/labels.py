"""What was blocked, and what people say of it: whether it was right becomes the texts of the next card."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from lmops.datasets import Datasets
from lmops.errors import UsageError
from lmops.times import from_ns
from lmops.traces import NO_EVALUATION, time_range

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

    from lmops.datasets import DatasetVersion
    from lmops.records import Project

#: The field of a label schema that says whether a block was right, and its values.
FIELD: Final = "block"
RIGHT: Final = "right"
WRONG: Final = "wrong"
#: A text of somebody that was blocked on its way in: that of the check, where its span has it, else of the request.
_BLOCKED: Final = f"""
with blocked as (
  select trace_id, span_id, start_at, policy, version, rail, rule, score,
    coalesce(stage, regexp_extract(rail, '^(input|output)')) as stage
  from guardrail_checks
  where decision = 'block' and action = 'block' and {NO_EVALUATION} and ($policy is null or policy = $policy)
    and ($version is null or version = $version)
    and ($since is null or start_at >= $since) and ($until is null or start_at < $until)
)
select b.start_at, b.trace_id, b.policy, b.version, b.stage, b.rail, b.rule, b.score,
  coalesce(s.input, r.input) as text
from blocked b join spans s on s.trace_id = b.trace_id and s.span_id = b.span_id
  left join spans r on r.trace_id = b.trace_id and r.parent_span_id is null
order by b.start_at, b.trace_id, b.rail
"""
_LABELS: Final = """
select trace_id, is_adjudicated, json_extract_string(field_values, '$.block') as said
from labels where not coalesce(is_gold, false) and json_extract_string(field_values, '$.block') is not null
"""


def blocked(
    project: Project,
    policy: str | None,
    *,
    last: str | None,
    since: str | datetime | None,
    until: str | datetime | None,
) -> pd.DataFrame:
    """Return what was blocked; see :meth:`lmops.guardrails.Guardrails.blocked`."""
    from lmops.base.frames import Frame

    bounds = time_range(project.store, last=last, since=since, until=until)
    name, _, version = (policy or "").partition("@")
    given: dict[str, Any] = {
        "policy": name or None,
        "version": int(version) if version.isdecimal() else None,
        "since": None if bounds.since_ns is None else from_ns(bounds.since_ns),
        "until": None if bounds.until_ns is None else from_ns(bounds.until_ns),
    }
    found = project.store.sql(_BLOCKED, given).df()
    return Frame(found.merge(_said(project), on="trace_id", how="left"))


def labeled(project: Project, policy: str | None, dataset: str) -> DatasetVersion:
    """Save what people said of blocked questions as a dataset; see :meth:`lmops.guardrails.Guardrails.labeled`."""
    found = blocked(project, policy, last=None, since=None, until=None)
    known = found[found["label"].notna() & (found["stage"] != "output") & found["text"].notna()]
    if not len(known):
        raise UsageError(
            f"nobody has said of a blocked question whether that was right: make a schema with the field {FIELD!r} "
            f"({RIGHT}, {WRONG}), label the traces of ws.guardrails.blocked(), and ask again"
        )
    rows = {
        one.text: {
            "input": one.text,
            "expected": (one.rule or "attack") if one.label == RIGHT else "benign",
            "trace_id": one.trace_id,
            "tags": [f"policy:{one.policy}@{one.version}"] if isinstance(one.policy, str) else [],
        }
        for one in known.itertuples()
    }
    return Datasets(project).save(dataset, list(rows.values()), note="blocked questions, as people labelled them")


def _said(project: Project) -> pd.DataFrame:
    """Return by trace what most raters say, who decided a dispute counting alone; none where as many say either."""
    import pandas as pd

    votes: dict[str, Counter[str]] = {}
    decided: dict[str, str] = {}
    for trace_id, is_adjudicated, said in project.store.sql(_LABELS).fetchall():
        if said in (RIGHT, WRONG) and trace_id is not None:
            votes.setdefault(trace_id, Counter())[said] += 1
            decided |= {trace_id: said} if is_adjudicated else {}
    labels = {
        trace_id: decided.get(trace_id) or (None if counts[RIGHT] == counts[WRONG] else counts.most_common(1)[0][0])
        for trace_id, counts in votes.items()
    }
    return pd.DataFrame(
        {"trace_id": pd.Series(list(labels), dtype=object), "label": pd.Series(list(labels.values()), dtype=object)}
    )
