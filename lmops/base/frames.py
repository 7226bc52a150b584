"""Frames as a notebook shows them: money, times and rates in their units, prose to the left, "$" no formula.

They are pandas' frames in everything else; what is made of one is shown the same way.
"""

from __future__ import annotations

import pandas as pd

from lmops.base.cells import cell, row_cells, table_html
from lmops.base.units import counted
from lmops.text import escape


class Frame(pd.DataFrame):
    """A frame whose columns a notebook shows in the units that their names say."""

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return Frame

    def _repr_html_(self) -> str | None:
        if not pd.get_option("display.notebook_repr_html"):
            return None
        if self.columns.nlevels > 1 or self.index.nlevels > 1:
            found: str | None = super()._repr_html_()  # type: ignore[misc]  # pandas' own
            return found
        most = pd.get_option("display.max_rows")
        shown = self if most is None or len(self) <= most else self.head(pd.get_option("display.min_rows") or most)
        return f'<div style="max-height:520px;overflow:auto">{_table(shown)}</div><p>{escape(self._size(shown))}</p>'

    def _size(self, shown: pd.DataFrame) -> str:
        size = f"{counted(len(self), 'row')}, {counted(len(self.columns), 'column')}"
        return size if len(shown) == len(self) else f"the first {len(shown):,} of {size}"


def _table(frame: pd.DataFrame) -> str:
    names = [str(name) for name in frame.columns]
    rows = [row_cells(names, values) for values in frame.itertuples(index=False, name=None)]
    is_number = [kind.kind in "iuf" for kind in frame.dtypes]
    if frame.index.name is not None or not frame.index.equals(pd.RangeIndex(len(frame))):
        name = "" if frame.index.name is None else str(frame.index.name)
        names, is_number = [name, *names], [frame.index.dtype.kind in "iuf", *is_number]
        rows = [[cell(name, key), *row] for key, row in zip(frame.index, rows, strict=True)]
    return table_html(names, rows, is_number, "")
