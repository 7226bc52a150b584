"""What was drawn into a queue, and from what: so that the chance of an item is right after further draws.

A draw keeps the chance that each item had in it, of all that it drew from. Draws do not hang on each other, so an item
is in a queue with the chance that not all of them leave it out, ``1 - (1 - p1)(1 - p2)...``, with 0 for a draw from
something that it was not among. Source: C.-E. Saerndal, B. Swensson, J. Wretman, "Model Assisted Survey Sampling"
(1992), section 2.4 (first-order inclusion probabilities).
"""

from __future__ import annotations

import hashlib
import json
import zlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.errors import ConflictError, UsageError
from lmops.feedback._schema import ITEM_STORED
from lmops.store.schema import checksum
from lmops.text import plain_line

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from lmops.feedback.sampling import Chosen
    from lmops.records import Change

_BYTES: Final = 17  # of an item: its hash, its chance, whether it was drawn
_ITEMS: Final = (
    f"select {', '.join(ITEM_STORED)} from queue_items where queue = ? and position <= ? and item not glob 'erased-*'"
)


class Given(NamedTuple):
    """What was found for a queue: its items, the draw that they are of, or whether they say their own chances."""

    items: list[Chosen]
    draw: Draw | None
    is_weighted: bool


class Draw(NamedTuple):
    """One draw: of each item that it drew from a hash, its chance, and whether it was drawn; by their hashes."""

    asked: str
    hashes: NDArray[np.uint64]
    chances: NDArray[np.float64]
    drawn: NDArray[np.bool_]


def made(asked: Mapping[str, Any], frame: Mapping[str, float], drawn: Sequence[Chosen]) -> Draw:
    """Return a draw.

    Args:
        asked: How it was asked for.
        frame: The chance of each item that it drew from.
        drawn: What was drawn.
    """
    import numpy as np

    hashes = _hashes([*frame])
    order = np.argsort(hashes)
    found = {one.item for one in drawn}
    return Draw(
        json.dumps(asked, sort_keys=True, default=str),
        hashes[order],
        np.fromiter(frame.values(), np.float64, len(frame))[order],
        np.fromiter((item in found for item in frame), np.bool_, len(frame))[order],
    )


def given(asked: Mapping[str, Any], items: list[Chosen], frame: Mapping[str, float] | None) -> Given:
    """Return what was found for a queue; items that are all of what they are of, such as a run, are drawn for sure."""
    is_weighted = any(one.probability is not None for one in items)
    if frame is None and is_weighted and all(one.probability == 1 for one in items):
        frame = {one.item: 1.0 for one in items}
        asked = {**asked, "items": f"{checksum(sorted(frame)):08x}"}
    return Given(items, None if frame is None else made(asked, frame, items), is_weighted)


def known(con: sqlite3.Connection, queue: str) -> list[Draw]:
    """Return the draws of a queue, the first first."""
    rows = con.execute("select asked, frame from queue_draws where queue = ? order by number", (queue,))
    return [_read(asked, frame) for asked, frame in rows.fetchall()]


def _read(asked: str, frame: bytes) -> Draw:
    import numpy as np

    raw = zlib.decompress(frame)
    n = len(raw) // _BYTES
    return Draw(
        asked,
        np.frombuffer(raw, np.uint64, n),
        np.frombuffer(raw, np.float64, n, 8 * n),
        np.frombuffer(raw, np.bool_, n, 16 * n),
    )


def taken(change: Change, queue: str, after: int, found: Given, *, seen: int) -> tuple[list[Chosen], list[Draw]]:
    """Return the items that a queue takes with their chances, and its draws, with this one where it is one.

    What is asked for in the same words was drawn before: nothing is taken.

    Args:
        change: What it is part of.
        queue: The queue.
        after: The items that it has.
        found: What was found for it.
        seen: The draws that it had when this was drawn.

    Raises:
        UsageError: The chances would not be known.
        ConflictError: Somebody else drew meanwhile.
    """
    draws = known(change.con, queue)
    if found.draw is None and not found.is_weighted:
        return found.items, draws
    _refuse_unknown(change.con, queue, after, draws, others=bool(draws) and found.draw is None)
    if found.draw is None:
        return found.items, draws
    if len(draws) != seen:
        raise ConflictError(f"somebody else drew into queue {queue} meanwhile: ask again. Nothing was changed")
    if found.draw.asked in [one.asked for one in draws]:
        return [], draws
    draws = [*draws, found.draw]
    return _with_chances(draws, found.items), draws


def keep(change: Change, queue: str, draw: Draw, *, last: int) -> None:
    """Write a draw down.

    Args:
        change: What it is part of.
        queue: The queue.
        draw: The draw.
        last: The items of the queue, with those that it put in.
    """
    raw = draw.hashes.tobytes() + draw.chances.tobytes() + draw.drawn.tobytes()
    (number,) = change.con.execute("select count(*) + 1 from queue_draws where queue = ?", (queue,)).fetchone()
    row = {"queue": queue, "number": number, "asked": draw.asked, "last": last, "frame": zlib.compress(raw)}
    change.insert("queue_draws", row)


def _refuse_unknown(con: sqlite3.Connection, queue: str, after: int, draws: Sequence[Draw], *, others: bool) -> None:
    """Refuse a draw into a queue with items whose chance came with them: from what these were drawn is not known.

    Raises:
        UsageError: There are some.
    """
    rows = con.execute(_ITEMS, (queue, after)).fetchall()
    place = ITEM_STORED.index("probability")
    told = [row[2] for row in rows if row[place] is not None]
    if others or (told and not _inclusion(draws, told)[1].all()):
        raise UsageError(
            f"queue {plain_line(queue, 60)}: items whose probability is given with them, or that an earlier release "
            "drew, do not say what else had a chance, so that beside other draws no rate of labels would be right. "
            "Take a queue of its own for them, or for this draw"
        )


def _with_chances(draws: Sequence[Draw], items: Sequence[Chosen]) -> list[Chosen]:
    """Return items with the chance that they had in all draws; those that none drew keep what they say."""
    chances, drawn = _inclusion(draws, [one.item for one in items])
    return [
        one._replace(probability=float(chance)) if is_drawn else one
        for one, chance, is_drawn in zip(items, chances, drawn, strict=True)
    ]


def settle(con: sqlite3.Connection, queue: str, after: int, draws: Sequence[Draw]) -> None:
    """Give the first items of a queue the chance that they had in all its draws; what none drew has none."""
    rows = [tuple(row) for row in con.execute(_ITEMS, (queue, after)).fetchall()]
    chances, drawn = _inclusion(draws, [row[2] for row in rows])
    place = ITEM_STORED.index("probability")
    changed = []
    for row, chance, is_drawn in zip(rows, chances, drawn, strict=True):
        new = (*row[:place], float(chance) if is_drawn else None, *row[place + 1 :])
        if new != row:
            changed.append((new[place], checksum(new), *row[:2]))
    query = "update queue_items set probability = ?, checksum = ? where queue = ? and position = ?"
    con.executemany(query, changed)


def withdrawn(change: Change, queue: str, after: int) -> None:
    """Forget the draws that put in what is behind the first items of a queue; these get the chance of the others."""
    query = "select number from queue_draws where queue = ? and last > ?"
    gone = [number for (number,) in change.con.execute(query, (queue, after)).fetchall()]
    for number in gone:
        change.delete("queue_draws", queue, number)
    if gone:
        settle(change.con, queue, after, known(change.con, queue))


def _inclusion(draws: Sequence[Draw], items: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the chance of each item to be in a draw at all, and whether it is."""
    import numpy as np

    hashes = _hashes(items)
    chances, drawn = np.zeros(len(items)), np.zeros(len(items), dtype=np.bool_)
    for one in draws:
        if not one.hashes.size:
            continue
        at = np.minimum(np.searchsorted(one.hashes, hashes), one.hashes.size - 1)
        is_there = one.hashes[at] == hashes
        chance = np.where(is_there, one.chances[at], 0.0)
        chances = chances + chance - chances * chance
        drawn |= is_there & one.drawn[at]
    return chances, drawn


def _hashes(items: Sequence[str]) -> NDArray[np.uint64]:
    import numpy as np

    digests = (hashlib.blake2b(one.encode("utf-8", "surrogatepass"), digest_size=8).digest() for one in items)
    return np.frombuffer(b"".join(digests), np.uint64)
