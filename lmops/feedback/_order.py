"""In which order a rater is handed the items of a queue: a shuffle of its own for each, found step by step.

Nothing is stored but how far the rater is: which item a step is follows from the seed, the queue and the rater, in a
time that does not grow with the queue. The shuffle is a Feistel network over the least square of a power of two that
holds all items; a place beyond the last item is shuffled once more (M. Luby and C. Rackoff, SIAM J. Computing 17 (1988)
373-386; J. Black and P. Rogaway, CT-RSA 2002).
"""

from __future__ import annotations

import hashlib
from typing import Final

_ROUNDS: Final = 8
_MASK: Final = 2**64 - 1
_ODD: Final = 0x9E3779B97F4A7C15


def key_of(seed: int, queue: str, rater: str) -> tuple[int, ...]:
    """Return what the order of a rater in a queue follows from."""
    text = f"{seed}\0{queue}\0{rater}".encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(text, digest_size=8 * _ROUNDS).digest()
    return tuple(int.from_bytes(digest[at : at + 8]) for at in range(0, 8 * _ROUNDS, 8))


def place_of(step: int, size: int, key: tuple[int, ...]) -> int:
    """Return which of 0, 1, ..., size - 1 comes at a step; each comes once.

    Args:
        step: 0, 1, ..., size - 1.
        size: How many there are.
        key: As :func:`key_of` returns it.

    >>> sorted(place_of(step, 5, key_of(0, "q", "ann")) for step in range(5))
    [0, 1, 2, 3, 4]
    """
    half = max(1, ((size - 1).bit_length() + 1) // 2)
    mask = (1 << half) - 1
    place = step
    while True:
        left, right = place >> half, place & mask
        for part in key:
            left, right = right, left ^ (mixed(right ^ part) & mask)
        place = (left << half) | right
        if place < size:
            return place


def mixed(number: int) -> int:
    """Return 64 bits in which each bit of a number counts."""
    number = (number ^ (number >> 32)) * _ODD & _MASK
    number = (number ^ (number >> 29)) * _ODD & _MASK
    return number ^ (number >> 32)
