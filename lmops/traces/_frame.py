"""The frame of a search, which says when there was more than it shows."""

from __future__ import annotations

import pandas as pd


class TraceFrame(pd.DataFrame):
    """A frame of traces; what is made of it is a plain frame.

    ``attrs`` holds limit, is_cut (whether more traces satisfied the search) and order.
    """

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return pd.DataFrame

    def __repr__(self) -> str:
        """Show the rows, and below them that there are more."""
        return "\n".join(filter(None, (super().__repr__(), self._more())))

    def _repr_html_(self) -> str | None:
        shown: str | None = super()._repr_html_()  # type: ignore[misc]  # pandas' own
        return shown and shown + (f"<p>{self._more()}</p>" if self._more() else "")

    def _more(self) -> str:
        if not self.attrs.get("is_cut"):
            return ""
        return f"the first {self.attrs['limit']:,} by {self.attrs['order']}; there are more (limit=None for all)"
