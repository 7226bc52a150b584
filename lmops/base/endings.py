"""What becomes of a body that does not come to its end: it is undone, its failure is logged, or is a value."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

E = TypeVar("E", bound=BaseException)


class Undone:
    """A body whose beginnings are undone when it does not come to its end; what ended it goes on.

    Args:
        undo: Undoes them.

    Example:
        >>> import contextlib
        >>> held = {"run"}
        >>> with contextlib.suppress(KeyboardInterrupt), Undone(held.clear):
        ...     raise KeyboardInterrupt
        >>> held
        set()
    """

    __slots__ = ("_undo",)

    def __init__(self, undo: Callable[[], object]) -> None:
        self._undo = undo

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        if kind is not None:
            self._undo()


class Logged:
    """A body whose failure is no failure of who runs it: it is logged with its traceback, and goes no further.

    An interrupt and an exit go on.

    Args:
        log: Where it is logged.
        message: What failed and what follows from that, with places for the values.
        values: What stands in the places.
        level: How bad it is.
    """

    __slots__ = ("_level", "_log", "_message", "_values")

    def __init__(self, log: logging.Logger, message: str, *values: object, level: int = logging.WARNING) -> None:
        self._log = log
        self._message = message
        self._values = values
        self._level = level

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        self._log.log(self._level, self._message, *self._values, exc_info=error)
        return True


class Caught(Generic[E]):
    """A body whose failure is a value, for whoever waits for it, has other words for it, or writes it down.

    Args:
        kind: What is caught, and everything that is a kind of it; an interrupt goes on unless it is asked for.

    Example:
        >>> with Caught(Exception) as caught:
        ...     [].pop()
        >>> caught.error
        IndexError('pop from empty list')
    """

    __slots__ = ("_kind", "error")

    def __init__(self, kind: type[E]) -> None:
        self._kind = kind
        #: what ended the body; None when it came to its end
        self.error: E | None = None

    def __enter__(self) -> Caught[E]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> bool:
        if not isinstance(error, self._kind):
            return False
        self.error = error
        return True
