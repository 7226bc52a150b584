"""What of a module is for its users: the names in ``__all__``, and no others after ``lmops.evals.<TAB>``.

A module whose parts are many loads each when the first of its names is used.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


def only(names: Iterable[str]) -> Callable[[], list[str]]:
    """Return what makes a module list these names alone, as its ``__dir__``."""
    return lambda: sorted(names)


def later(module: str, homes: Mapping[str, Iterable[str]]) -> Callable[[str], Any]:
    """Return what makes a module load names when they are first used, as its ``__getattr__``.

    Args:
        module: Its name.
        homes: The names by the module that has them.
    """
    home_of = {name: home for home, names in homes.items() for name in names}

    def load(name: str) -> Any:
        if name not in home_of:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        found = getattr(importlib.import_module(home_of[name]), name)
        setattr(sys.modules[module], name, found)
        return found

    return load
