"""What is known of an index without its files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lmops.base.shown import Shown
from lmops.times import from_ns

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexRecord(Shown):
    """An index as it is on record.

    Args:
        name: Of the index.
        settings: The version that it was built of, name@version.
        documents: How many.
        chunks: How many.
        bytes: Of its files.
        index_fingerprint: Of its settings.
        corpus_fingerprint: Of its documents.
        built_at: When, UTC.
        author: Who built it.
    """

    name: str
    settings: str
    documents: int
    chunks: int
    bytes: int
    index_fingerprint: str
    corpus_fingerprint: str
    built_at: datetime
    author: str

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> IndexRecord:
        """Return the record of a row.

        Args:
            row: As the store has it.
        """
        names = ("name", "settings", "documents", "chunks", "index_fingerprint", "corpus_fingerprint", "author")
        return cls(
            **{name: row[name] for name in names},
            bytes=sum(one["bytes"] for one in json.loads(row["manifest"]).values()),
            built_at=from_ns(row["built_ns"]),
        )
