"""Packages of the base that an installation lacks: an application that only records has few of them.

Where lmops itself imports one that is not there, whoever called it hears what to install. Every other import, and every
look whether a package is there, goes on as it would.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What the packages that an application need not have are imported as.
BASE: Final = frozenset(
    {
        "click",
        "duckdb",
        "filelock",
        "genai_prices",
        "ijson",
        "jsonschema",
        "numpy",
        "openai",
        "pandas",
        "psutil",
        "pyarrow",
        "pydantic",
        "pytz",
        "rapidfuzz",
        "referencing",
        "scipy",
        "yaml",
    }
)
_HERE: Final = __file__.rsplit(os.sep, 2)[0]
_IMPORTING: Final = "<frozen importlib._bootstrap"


class Absent:
    """The last of those that are asked where a module is: it finds none."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: Any = None) -> None:
        """Raise for a package of the base that a file of ours imports.

        Raises:
            MissingDependencyError: It is not installed.
        """
        del path, target
        if name not in BASE:
            return
        # what only an error needs is not loaded with lmops itself
        import inspect

        from lmops.errors import MissingDependencyError

        frame = inspect.currentframe()
        frame = frame and frame.f_back
        while frame is not None and frame.f_code.co_filename.startswith(_IMPORTING):
            frame = frame.f_back
        if frame is not None and frame.f_code.co_filename.startswith(_HERE):
            raise MissingDependencyError.of_base(name)


def watch() -> None:
    """Say from now on what is missing."""
    if not any(isinstance(one, Absent) for one in sys.meta_path):
        sys.meta_path.append(Absent())
