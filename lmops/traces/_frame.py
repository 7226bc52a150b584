"""The frame of a search, which says when there was more than it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lmops.base.frames import Frame

if TYPE_CHECKING:
    import pandas as pd


class TraceFrame(Frame):
    """A frame of traces; what is made of it says nothing of a search.

    ``attrs`` holds limit, is_cut (whether more traces satisfied the search) and order.
    """

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return Frame

    def __repr__(self) -> str:
        """Show the rows, and below them that there are more."""
        return "\n".join(filter(None, (super().__repr__(), self._more())))

    def _size(self, shown: pd.DataFrame) -> str:
        return "; ".join(filter(None, (super()._size(shown), self._more())))

    def _more(self) -> str:
        if not self.attrs.get("is_cut"):
            return ""
        return f"the first {self.attrs['limit']:,} by {self.attrs['order']}; there are more (limit=None for all)"
