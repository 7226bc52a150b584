"""Space that drained writes leave free in ``meta.sqlite`` goes back to the system, without holding up who writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from lmops.store._meta import Meta

#: So much stays free for the next writes, as a drain in the middle of many leaves it. Twice as much, and more than half
#: of the file, is worth giving back.
SPARE_BYTES: Final = 8_000_000
#: Pages that one transaction gives back: other writers have their turn after a few milliseconds.
_STEP_PAGES: Final = 1_000
#: A store from before this could be asked for is written anew when what it holds is no larger: a moment, and only once.
_REWRITTEN_BYTES: Final = 32_000_000
#: What SQLite calls a database that gives pages back when it is asked.
_INCREMENTAL: Final = 2


class _Pages(NamedTuple):
    """How a database is filled."""

    size: int
    all: int
    free: int
    mode: int

    @property
    def is_due(self) -> bool:
        """Return whether enough is free."""
        return self.free * self.size > 2 * SPARE_BYTES and 2 * self.free > self.all

    @property
    def too_many(self) -> int:
        """Return how many free pages are more than is to stay free."""
        return self.free - SPARE_BYTES // self.size


def give_back(meta: Meta) -> None:
    """Cut the database to what it holds and a little more, if most of it is free.

    Under the drain lock, so that one process does it.
    """
    pages = _pages(meta)
    if not pages.is_due:
        return
    if pages.mode == _INCREMENTAL:
        while (many := min(_pages(meta).too_many, _STEP_PAGES)) > 0:
            with meta.write() as con:
                con.execute(f"pragma incremental_vacuum({many})").fetchall()  # a page with each row
    elif (pages.all - pages.free) * pages.size <= _REWRITTEN_BYTES:
        meta.rewrite()
    meta.checkpoint()


def _pages(meta: Meta) -> _Pages:
    con = meta.connection()
    names = ("page_size", "page_count", "freelist_count", "auto_vacuum")
    return _Pages(*(con.execute(f"pragma {name}").fetchone()[0] for name in names))
