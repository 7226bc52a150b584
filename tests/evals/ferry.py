"""The three prompts of the sample, without its releases."""

from __future__ import annotations

from lmops.sample.releases import messages


def save_prompts(ws):
    """Save them as support-answer@1 to support-answer@3."""
    for version in (1, 2, 3):
        ws.prompts.save("support-answer", messages(version), model="standin:ferry-1", params={"temperature": 0.2})
