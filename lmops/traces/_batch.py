"""What reading a source gives: rows ready for the store, and what could not be read."""

from __future__ import annotations

from dataclasses import dataclass, field

Row = dict[str, object]


@dataclass(slots=True)
class Batch:
    """Rows of one bounded piece of a source.

    ``rejected`` holds (where, why) for records that could not be read: "NAME:LINE", "NAME: span 17".
    ``ignored`` counts log records that carry no generative-AI content; they are no error. ``characters`` is how large
    the rows are, near enough.
    """

    spans: list[Row] = field(default_factory=list)
    logs: list[Row] = field(default_factory=list)
    rejected: list[tuple[str, str]] = field(default_factory=list)
    ignored: int = 0
    characters: int = 0

    def __len__(self) -> int:
        """Return the number of rows and rejections."""
        return len(self.spans) + len(self.logs) + len(self.rejected)

    def __repr__(self) -> str:
        """Return the counts."""
        return (
            f"Batch(spans={len(self.spans)}, logs={len(self.logs)}, "
            f"rejected={len(self.rejected)}, ignored={self.ignored})"
        )
