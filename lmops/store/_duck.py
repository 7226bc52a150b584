"""DuckDB in memory: where a database of it begins, and what a process says that has none."""

from __future__ import annotations

import contextlib
import os
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from lmops.errors import MissingDependencyError, of_system

if TYPE_CHECKING:
    import duckdb

#: Files that a new database may open at once.
_SPARE_FILES: Final = 4


#: What asking and draining need, and an application that only records does not have to install.
_NEEDED: Final = ("duckdb", "filelock", "numpy", "pandas", "pyarrow")


def literal(text: object) -> str:
    """Return an SQL string literal, of a path as well."""
    return "'" + str(text).replace("'", "''") + "'"


@cache
def missing() -> str | None:
    """Return the first package that this process lacks to ask and to drain; None where it can."""
    return next((name for name in _NEEDED if find_spec(name) is None), None)


def refuse_a_recorder() -> None:
    """Raise where a question is asked of an installation that only records.

    Raises:
        MissingDependencyError: A package for it is not installed.
    """
    if (name := missing()) is not None:
        raise MissingDependencyError.of_base(name)


def in_memory(config: dict[str, str | bool | int | float | list[str]] | None = None) -> duckdb.DuckDBPyConnection:
    """Return a connection to a new database, which draws no progress of its own.

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
    made = duckdb.connect(":memory:", config=config or {})
    # In a kernel DuckDB draws a bar of its own with ipywidgets, and refuses the setting, also to "false", without them.
    if made.execute("select current_setting('enable_progress_bar')").fetchone() == (True,):
        made.execute("set enable_progress_bar=false")
    return made
