"""DuckDB in memory: where a database of it begins."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

from lmops.errors import of_system

if TYPE_CHECKING:
    import duckdb

#: Files that a new database may open at once.
_SPARE_FILES: Final = 4


def in_memory(config: dict[str, str | bool | int | float | list[str]] | None = None) -> duckdb.DuckDBPyConnection:
    """Return a connection to a new database.

    Raises:
        StoreError: This process may open no more files, at which DuckDB would end it.
    """
    import duckdb

    with contextlib.ExitStack() as opened:
        try:
            for _ in range(_SPARE_FILES):
                opened.callback(os.close, os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        except OSError as error:
            raise of_system(error, "a database in memory") from error
    return duckdb.connect(":memory:", config=config or {})
