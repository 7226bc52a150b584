"""What a judge is shown again to be made better: labelled answers with what they answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from lmops.datasets import Datasets
from lmops.errors import LmopsError, UsageError
from lmops.feedback import calibration
from lmops.feedback._improve import Item
from lmops.feedback.agreement import read_labels
from lmops.scorers import ScoreInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lmops.datasets import Example
    from lmops.records import Project
    from lmops.store import Store

Case = tuple[str, str, int]
_ANSWERS: Final = (
    "select run_id, example_id, repeat, output, output_is_json, documents from results "
    "where run_id in (select unnest($runs)) and status = 'ok'"
)


def items_of_rows(labels: Any) -> list[Item]:
    """Return the items of rows that hold the answers themselves.

    Raises:
        UsageError: A column is missing, or a value is no verdict.
    """
    rows = read_labels(labels, ("item", "label", "output"), doing="improve")
    last = {str(row["item"]): row for row in rows}
    found = []
    for name, (label, verdict) in calibration.settled(rows).items():
        row = last[name]
        given = ScoreInput(
            output=row["output"],
            expected=row.get("expected"),
            documents=row.get("documents"),
            example={"input": row.get("input"), "example_id": name},
        )
        group = name if row.get("cluster") is None else f"cluster {row['cluster']}"
        trace_id = None if row.get("trace_id") is None else str(row["trace_id"])
        found.append(Item(name, group, label, verdict, given, str(row.get("critique") or ""), trace_id))
    return found


def items_of_runs(project: Project, rows: Sequence[dict[str, Any]]) -> list[Item]:
    """Return the items whose answers are cases of runs, with what the examples say of them.

    Raises:
        UsageError: None of the answers is there any more.
    """
    last = {str(row["item"]): row for row in rows if row["case"] is not None}
    answers = _answers(project.store, {row["case"][0] for row in last.values()})
    examples = _examples(project, {row["case"][0] for row in last.values()})
    found = []
    for name, (label, verdict) in calibration.settled([row for row in rows if row["case"] is not None]).items():
        row = last[name]
        run_id, example_id, _ = case = row["case"]
        example = examples.get(run_id, {}).get(example_id)
        if case not in answers or example is None:
            continue
        output, documents = answers[case]
        given = ScoreInput(
            output=output,
            expected=example.expected,
            documents=documents,
            example=example.as_dict(),
        )
        group = f"example {example_id}" if row.get("cluster") is None else f"cluster {row['cluster']}"
        found.append(Item(name, group, label, verdict, given, str(row.get("critique") or ""), example.trace_id))
    if not found:
        raise UsageError(
            "improve: the answers that people labelled are in no run (any more): run the judge on them, "
            "ws.evals.run('recorded', dataset, [judge]), or give rows with item, label and output"
        )
    return found


def _answers(store: Store, runs: set[str]) -> dict[Case, tuple[Any, Any]]:
    """Return output and documents by case."""
    found = {}
    for run_id, example_id, repeat, output, is_json, documents in store.sql(_ANSWERS, {"runs": [*runs]}).fetchall():
        said = json.loads(output) if is_json and output is not None else output
        found[run_id, example_id, repeat] = said, None if documents is None else json.loads(documents)
    return found


def _examples(project: Project, runs: set[str]) -> dict[str, dict[str, Example]]:
    """Return the examples of each run by their ids; none where the data set is gone."""
    query = "select run_id, dataset from runs where run_id in (select unnest($runs))"
    datasets, found = Datasets(project), {}
    for run_id, ref in project.store.sql(query, {"runs": [*runs]}).fetchall():
        try:
            found[run_id] = {one.example_id: one for one in datasets.get(ref).examples}
        except LmopsError:
            found[run_id] = {}
    return found
