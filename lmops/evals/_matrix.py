"""The scores of a run as arrays: examples by repeats, NaN where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from lmops.store import Store

    Matrix = NDArray[np.float64]

#: What is measured of every case without a scorer.
MEASURES: Final = ("latency_ms", "cost_usd", "output_tokens")
#: Columns of a case, and of a score of one.
_OF_CASES: Final = ("example_id", "repeat", "status", "cluster", *MEASURES)
_OF_SCORES: Final = ("example_id", "repeat", "status", "scorer", "value")


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


_CASES: Final = """
select {run} as run, example_id, repeat, status, cluster, {measures}, null as scorer, null::DOUBLE as value
from results where run_id in ({ids})
union all
select {run}, example_id, repeat, status, null, {nulls}, scorer, value from scores where run_id in ({ids})
"""


def measured(store: Store, run_ids: Sequence[str]) -> list[Measured]:
    """Return the cases of each of these runs as arrays, read with one question."""
    import pyarrow.compute as pc

    marks = [f"${at + 1}" for at in range(len(run_ids))]
    # A run goes by its place in the list: ids would be the larger part of what is read.
    places = " ".join(f"when {mark} then {at}" for at, mark in enumerate(marks))
    query = _CASES.format(
        run=f"case run_id {places} end" if len(marks) > 1 else "0",
        measures=", ".join(MEASURES),
        nulls=", ".join(["null"] * len(MEASURES)),
        ids=", ".join(marks),
    )
    rows = store.sql(query, list(run_ids)).to_arrow_table()
    is_case, of = pc.is_null(rows["scorer"]).to_numpy(), rows["run"].to_numpy()
    cases, scores = rows.select(_OF_CASES), rows.select(_OF_SCORES)
    return [
        _measured(cases.filter(is_case & (of == at)), scores.filter(~is_case & (of == at))) for at in range(len(marks))
    ]


def _measured(cases: Any, found: Any) -> Measured:  # tables of Arrow, whose stubs do not know what is in them
    """Return the cases of one run as arrays.

    Args:
        cases: One row per case.
        found: One row per case and scorer.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    # Words stay in Arrow, which knows them by number: as Python objects they would cost seconds for long runs.
    ids: Any = pa.array(sorted(pc.unique(cases["example_id"]).to_pylist()), pa.string())
    rows = pc.index_in(cases["example_id"], value_set=ids).to_numpy()
    repeats = cases["repeat"].to_numpy()
    shape = (len(ids), int(repeats.max()) + 1 if len(repeats) else 0)
    is_ok = _is(cases["status"], "ok")
    measures = {name: _filled(shape, rows, repeats, np.where(is_ok, _floats(cases[name]), np.nan)) for name in MEASURES}
    # A file of cases may be lost while that of their scores is there: a score without its case says nothing.
    found = found.filter(pc.is_in(found["example_id"], value_set=ids))
    found = found.filter(found["repeat"].to_numpy() < shape[1])
    where, again = pc.index_in(found["example_id"], value_set=ids).to_numpy(), found["repeat"].to_numpy()
    values = _floats(found["value"])
    is_error, is_unmeasured = (_is(found["status"], word) for word in ("error", "unmeasured"))
    scores, errors, unmeasured = {}, {}, {}
    for name in pc.unique(found["scorer"]).to_pylist():
        mine = _is(found["scorer"], name)
        scores[name] = _filled(shape, where[mine], again[mine], values[mine])
        errors[name] = int(is_error[mine].sum())
        unmeasured[name] = int(is_unmeasured[mine].sum())
    kinds: Any = pc.value_counts(cases["status"]).to_pylist()
    names: list[str] = ids.to_pylist()
    late = np.unique(rows[_is(cases["status"], "not_run")]).tolist()
    return Measured(
        ids=names,
        clusters=_clusters(cases["cluster"], rows, len(names)),
        scores=scores,
        measures=measures,
        errors=errors,
        unmeasured=unmeasured,
        statuses={one["values"]: one["counts"] for one in kinds},
        not_run=[names[row] for row in late],
    )


def _is(column: Any, word: str) -> NDArray[np.bool_]:
    """Return where a column of words holds one."""
    import pyarrow.compute as pc

    equal: Any = pc.equal  # its stubs do not know plain values
    found: NDArray[np.bool_] = equal(column, word).to_numpy()
    return found


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
