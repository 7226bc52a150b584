"""The scores of a run as arrays: examples by repeats, NaN where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lmops.store import Store

    Matrix = NDArray[np.float64]

#: What is measured of every case without a scorer.
MEASURES: Final = ("latency_ms", "cost_usd", "output_tokens")


class Measured(NamedTuple):
    """The cases of a run.

    Args:
        ids: The examples, sorted.
        clusters: Their clusters; None when no example has one.
        scores: By scorer, examples by repeats.
        measures: Likewise latency, cost and tokens of the cases that went well.
        errors: By scorer, how many of its scores are errors.
        unmeasured: By scorer, how many are unmeasured, or missing because their case did not go well.
        statuses: Cases by status.
        not_run: Examples that have a case that was not run.
    """

    ids: list[str]
    clusters: list[str | None] | None
    scores: dict[str, Matrix]
    measures: dict[str, Matrix]
    errors: dict[str, int]
    unmeasured: dict[str, int]
    statuses: dict[str, int]
    not_run: list[str]


def measured(store: Store, run_id: str) -> Measured:
    """Return the cases of a run as arrays."""
    import numpy as np

    query = f"select example_id, repeat, status, cluster, {', '.join(MEASURES)} from results where run_id = ?"
    cases = store.sql(query, [run_id]).fetchnumpy()
    names, rows = np.unique(cases["example_id"].astype(str), return_inverse=True)
    repeats = np.asarray(cases["repeat"], dtype=np.int64)
    shape = (len(names), int(repeats.max()) + 1 if len(repeats) else 0)
    status = np.asarray(cases["status"]).astype(str)
    measures = {}
    for measure in MEASURES:
        values = _floats(cases[measure])
        values[status != "ok"] = np.nan
        measures[measure] = _filled(shape, rows, repeats, values)
    clusters = _clusters(cases["cluster"], rows, len(names))
    found = store.sql(
        "select example_id, repeat, scorer, value, status from scores where run_id = ?", [run_id]
    ).fetchnumpy()
    scorer = np.asarray(found["scorer"]).astype(str)
    where = np.searchsorted(names, np.asarray(found["example_id"]).astype(str)) if len(scorer) else rows[:0]
    values, kinds = _floats(found["value"]), np.asarray(found["status"]).astype(str)
    again = np.asarray(found["repeat"], dtype=np.int64)
    scores, errors, unmeasured = {}, {}, {}
    for name in dict.fromkeys(scorer.tolist()):
        mine = scorer == name
        scores[name] = _filled(shape, where[mine], again[mine], values[mine])
        errors[name] = int((kinds[mine] == "error").sum())
        unmeasured[name] = int((kinds[mine] == "unmeasured").sum())
    kinds_of_cases, counts = np.unique(status, return_counts=True)
    return Measured(
        ids=names.tolist(), clusters=clusters, scores=scores, measures=measures, errors=errors, unmeasured=unmeasured,
        statuses=dict(zip(kinds_of_cases.tolist(), counts.tolist(), strict=True)),
        not_run=names[np.unique(rows[status == "not_run"])].tolist(),
    )  # fmt: skip


def _floats(column: Any) -> Matrix:
    """Return a column of DuckDB, in which missing values are masked, with NaN in their place."""
    import numpy as np

    if isinstance(column, np.ma.MaskedArray):
        return np.ma.filled(column.astype(np.float64), np.nan)
    return np.asarray(column, dtype=np.float64).copy()


def _filled(shape: tuple[int, int], rows: Any, columns: Any, values: Matrix) -> Matrix:
    import numpy as np

    matrix = np.full(shape, np.nan)
    matrix[rows, columns] = values
    return matrix


def _clusters(column: Any, rows: Any, count: int) -> list[str | None] | None:
    import numpy as np

    given = np.ma.filled(column.astype(object), None) if isinstance(column, np.ma.MaskedArray) else column
    found: list[str | None] = [None] * count
    for row, value in zip(rows.tolist(), given.tolist(), strict=True):
        if value is not None:
            found[row] = str(value)
    return found if any(value is not None for value in found) else None
