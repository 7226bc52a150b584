"""The loop of this process where every request to an endpoint runs: one limit for all, connections used again."""

from __future__ import annotations

from typing import Final

from lmops.base.loops import Background

BACKGROUND: Final = Background(
    name="lmops-models",
    refusal="a call without await would wait for itself here: await acomplete(...) instead",
)
