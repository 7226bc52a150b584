"""lmops: operate LLM applications from a notebook, on one local store.

>>> import lmops
>>> ws = lmops.open(":memory:")
>>> ws.sql("select count(*) from traces").fetchall()
[(0,)]
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from lmops.base.absent import watch

if TYPE_CHECKING:
    from lmops.errors import (
        ConflictError,
        DamagedStoreError,
        IngestError,
        LmopsError,
        MissingDependencyError,
        ModelError,
        NewerStoreError,
        NotFoundError,
        QueryError,
        ReadOnlyError,
        RefusedError,
        RunbookError,
        RunbookRefusedError,
        StoreError,
        StoreFullError,
        UntrustedError,
        UsageError,
    )
    from lmops.opening import open  # lmops.open reads as what it does
    from lmops.owners import trust
    from lmops.runbooks import show_result
    from lmops.traces import IngestReport, Span, Trace, trace
    from lmops.workspace import Workspace

__version__ = "0.1.0"

_HOME = {
    **dict.fromkeys(("IngestReport", "Span", "Trace", "trace"), "lmops.traces"),
    "Workspace": "lmops.workspace",
    "open": "lmops.opening",
    "show_result": "lmops.runbooks",
    "trust": "lmops.owners",
}

__all__ = [
    "ConflictError",
    "DamagedStoreError",
    "IngestError",
    "IngestReport",
    "LmopsError",
    "MissingDependencyError",
    "ModelError",
    "NewerStoreError",
    "NotFoundError",
    "QueryError",
    "ReadOnlyError",
    "RefusedError",
    "RunbookError",
    "RunbookRefusedError",
    "Span",
    "StoreError",
    "StoreFullError",
    "Trace",
    "UntrustedError",
    "UsageError",
    "Workspace",
    "open",
    "show_result",
    "trace",
    "trust",
]


watch()


def __getattr__(name: str) -> object:
    """Load a public name when it is first used, so that ``import lmops`` stays light."""
    if name not in __all__:
        message = f"module 'lmops' has no attribute {name!r}"
        raise AttributeError(message)
    found = globals()[name] = getattr(importlib.import_module(_HOME.get(name, "lmops.errors")), name)
    return found


def __dir__() -> list[str]:
    """Return the public names."""
    return [*__all__, "__version__"]
