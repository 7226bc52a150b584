"""What of a module is for its users: the names in ``__all__``, and no others after ``lmops.evals.<TAB>``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def only(names: Iterable[str]) -> Callable[[], list[str]]:
    """Return what makes a module list these names alone, as its ``__dir__``."""
    return lambda: sorted(names)
