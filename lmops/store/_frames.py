"""The frame of an answer, made of Arrow columns: texts are shared and not made anew, in a third of the time.

It is the frame that DuckDB makes, column by column: the same types, and what is missing is missing in the same way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    import pyarrow as pa

_TEXT: Final = "VARCHAR"
_WHOLE: Final = frozenset({"BIGINT", "INTEGER"})
_TEXTS: Final = "VARCHAR[]"
_TRUTH: Final = "BOOLEAN"
#: Types whose columns are made here; of a frame with any other, DuckDB makes all.
_KNOWN: Final = frozenset({_TEXT, *_WHOLE, "DOUBLE", "TIMESTAMP WITH TIME ZONE", _TEXTS, _TRUTH})


class Relation(Protocol):
    """What is asked of an answer."""

    @property
    def columns(self) -> list[str]:
        """The names of its columns."""

    @property
    def types(self) -> Sequence[object]:
        """Their types."""

    def to_arrow_table(self) -> pa.Table:
        """Return its rows."""


def frame_of(rows: Relation) -> pd.DataFrame | None:
    """Return the rows as a frame; None where DuckDB has to make it: other types, or a name that comes twice."""
    kinds = dict(zip(rows.columns, map(str, rows.types), strict=True))
    if len(kinds) < len(rows.columns) or not _KNOWN.issuperset(kinds.values()):
        return None
    table = rows.to_arrow_table()
    apart = {name for name, kind in kinds.items() if _is_apart(table[name], kind)}
    frame: pd.DataFrame = table.drop_columns(sorted(apart)).to_pandas()
    for place, (name, kind) in enumerate(kinds.items()):
        if name in apart:
            frame.insert(place, name, _column(table[name], kind))
    return frame


def _is_apart(column: pa.ChunkedArray[Any], kind: str) -> bool:
    """Return whether Arrow would make another column of it than DuckDB."""
    if kind == _TEXT:
        return column.null_count == len(column)
    return bool(column.null_count) and kind in (*_WHOLE, _TEXTS, _TRUTH)


def _column(column: Any, kind: str) -> Any:  # an Arrow column to what a frame takes
    """Return a column in which something is missing: whole numbers stay whole, texts and lists are objects."""
    import numpy as np
    import pandas as pd

    missing = column.is_null().to_numpy()
    if kind in _WHOLE:
        return pd.arrays.IntegerArray(column.fill_null(0).to_numpy(), missing)
    if kind == _TRUTH:
        return pd.arrays.BooleanArray(column.fill_null(False).to_numpy(), missing)
    found = np.empty(len(column), object)
    if kind == _TEXTS:
        found[:] = column.to_pandas()
        found[missing] = pd.NA
    return found
