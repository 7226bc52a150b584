"""Views that are there to change something, in a store that is open for reading alone."""

from __future__ import annotations

import pytest

import lmops

ITEM = f"{1:032x}"


@pytest.fixture
def reader(ws):
    ws.feedback.schemas.save("support")
    ws.feedback.queue("q", [ITEM], schema="support")
    ws.close()
    with lmops.open(ws.store.path, read_only=True) as found:
        yield found


@pytest.mark.parametrize(
    "view",
    [
        lambda feedback: feedback.label("q", rater="ann"),
        lambda feedback: feedback.label("q", ask=True),
        lambda feedback: feedback.button(ITEM, user="ann"),
        lambda feedback: feedback.themes("q"),
    ],
)
def test_it_shows_what_is_there_and_why_nothing_can_be_done(reader, view):
    """No page that takes what somebody says and cannot keep it."""
    shown = view(reader.feedback)._repr_mimebundle_()[0]
    assert set(shown) == {"text/plain", "text/html"}
    for form in shown.values():
        assert "this store is open read-only" in form
