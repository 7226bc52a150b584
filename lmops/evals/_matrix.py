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

    columns = ("example_id", "repeat", "status", "cluster", *MEASURES)
    cases = store.sql(f"select {', '.join(columns)} from results where run_id = ?", [run_id]).to_arrow_table()
    names, rows = np.unique(_words(cases["example_id"]), return_inverse=True)
    repeats = cases["repeat"].to_numpy()
    shape = (len(names), int(repeats.max()) + 1 if len(repeats) else 0)
    status = _words(cases["status"])
    measures = {}
    for measure in MEASURES:
        values = np.where(status == "ok", _floats(cases[measure]), np.nan)
        measures[measure] = _filled(shape, rows, repeats, values)
    query = "select example_id, repeat, scorer, value, status from scores where run_id = ?"
    found = store.sql(query, [run_id]).to_arrow_table()
    scorer, kinds, values = _words(found["scorer"]), _words(found["status"]), _floats(found["value"])
    where, again = np.searchsorted(names, _words(found["example_id"])), found["repeat"].to_numpy()
    scores, errors, unmeasured = {}, {}, {}
    for name in dict.fromkeys(scorer.tolist()):
        mine = scorer == name
        scores[name] = _filled(shape, where[mine], again[mine], values[mine])
        errors[name] = int((kinds[mine] == "error").sum())
        unmeasured[name] = int((kinds[mine] == "unmeasured").sum())
    kinds_of_cases, counts = np.unique(status, return_counts=True)
    return Measured(
        ids=names.tolist(), clusters=_clusters(cases["cluster"], rows, len(names)), scores=scores, measures=measures,
        errors=errors, unmeasured=unmeasured,
        statuses=dict(zip(kinds_of_cases.tolist(), counts.tolist(), strict=True)),
        not_run=names[np.unique(rows[status == "not_run"])].tolist(),
    )  # fmt: skip


def _words(column: Any) -> NDArray[np.str_]:
    import numpy as np

    return np.asarray(column.to_numpy(), dtype=np.str_)


def _floats(column: Any) -> Matrix:
    """Return a column with NaN in the place of NULL."""
    import numpy as np
    import pyarrow as pa

    return np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)


def _filled(shape: tuple[int, int], rows: Any, columns: Any, values: Matrix) -> Matrix:
    import numpy as np

    matrix = np.full(shape, np.nan)
    matrix[rows, columns] = values
    return matrix


def _clusters(column: Any, rows: Any, count: int) -> list[str | None] | None:
    """Return the cluster of each example; None when there are none."""
    if column.null_count == len(column):
        return None
    found: list[str | None] = [None] * count
    for row, value in zip(rows.tolist(), column.to_pylist(), strict=True):
        found[row] = value
    return found
