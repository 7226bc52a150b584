"""Groups of texts by their words: planted groups are found, the same every time, and named by what tells them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmops.calc.clusters import cosines, group, silhouettes, telling, text_cosines, words_of

TONE = ["rude to the customer", "the tone is rude", "curt and rude tone", "rude tone again"]
FARE = ["invents a fare", "the fare is invented", "invented fare of 40 euro", "an invented fare"]
TOOL = ["booking tool not called", "should call the booking tool", "no booking tool call"]


def test_planted_groups_are_found():
    """As many as there are, the greatest first, whatever the order."""
    texts = [*TOOL, *TONE, *FARE]
    assert group(text_cosines(texts)).labels == (2, 2, 2, 0, 0, 0, 0, 1, 1, 1, 1)
    assert group(text_cosines([*TOOL, *TONE]), count=1).labels == (0,) * 7


def test_forms_of_a_word_are_near():
    """Other words are not; a text of nothing is near to nothing but itself."""
    near = text_cosines(["invents", "invented", "rude", "the of and", ""])
    assert near[0, 1] > 0.2
    assert near[0, 2] == near[3, 4] == near[0, 3] == 0
    assert near.diagonal().tolist() == [1] * 5


def test_a_silhouette_as_by_hand():
    """On a line at 0, 1, 10: (10 - 1) / 10, (9 - 1) / 9, and 0 for the one that is alone."""
    places = np.array([0.0, 1.0, 10.0])
    found = silhouettes(np.abs(places[:, None] - places), [5, 5, 7])
    assert found.tolist() == pytest.approx([9 / 10, 8 / 9, 0])
    with pytest.raises(ValueError, match="two groups"):
        silhouettes(np.zeros((2, 2)), [1, 1])


def test_vectors_are_grouped_by_their_angles():
    """Lengths do not matter."""
    near = cosines([[1, 0], [9, 0.1], [0, 2], [0.1, 5], [0, 0]])
    assert group(near, count=3).labels == (0, 0, 1, 1, 2)
    assert near[4].tolist() == [0, 0, 0, 0, 1]


@settings(deadline=None)
@given(st.lists(st.text(max_size=30), max_size=12))
def test_any_texts_have_groups(texts):
    """Each text is in one, numbered from the greatest on; the same texts have the same groups."""
    found = group(text_cosines(texts))
    assert found == group(text_cosines(texts)) or np.isnan(found.silhouette)
    sizes = [found.labels.count(one) for one in range(found.count)]
    assert (len(found.labels), sizes) == (len(texts), sorted(sizes, reverse=True))


def test_names_are_what_tells_a_group():
    """Not what all have, nor two forms of one word, nor what one of several says."""
    assert telling(FARE, TONE) == ("fare", "invented")
    assert telling(["the bot is rude", "the bot is curt"], ["the bot invents"])[:1] != ("bot",)
    assert telling([], TONE) == ()
    assert words_of("Die Antwort ist FALSCH, isn't it? 42") == ["antwort", "falsch"]


def test_more_than_can_be_held_is_refused():
    """Before anything is counted."""
    with pytest.raises(ValueError, match="3,001 texts"):
        text_cosines([""] * 3001)
    with pytest.raises(ValueError, match="5 groups of 2"):
        group(text_cosines(["a", "b"]), count=5)
