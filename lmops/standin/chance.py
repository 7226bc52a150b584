"""Seeded chance."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random


def happens(random: Random, share: float) -> bool:
    """Return True in about ``share`` (0..1) of the draws; always takes exactly one draw."""
    return random.random() < share
