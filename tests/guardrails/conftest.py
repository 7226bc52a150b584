"""Rails of two words and of addresses, and a workspace with a policy of them."""

from __future__ import annotations

import pytest

from tests.guardrails.words import words


@pytest.fixture
def rails():
    """The kinds of rails "word" and "mail"."""
    with words():
        yield


@pytest.fixture
def guarded(ws, rails):
    """A workspace with support@1, which is in production: it redacts addresses and blocks "attack" and "leak"."""
    ws.guardrails.save(
        "support",
        input=["mail", {"rail": "word", "name": "attacks", "word": "attack"}],
        tool_call=[{"rail": "word", "word": "rm -rf"}],
        tool_result=["mail"],
        output=["mail", {"rail": "word", "name": "leaks", "word": "leak"}],
        blocked_text="Not that.",
        reason="first",
    )
    ws.guardrails.promote("support", 1, to="production")
    return ws
