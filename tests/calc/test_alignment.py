"""Which lines and words belong together."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmops.calc.alignment import gaps, matches, paired, pieces, tokens, words

FEW = st.lists(st.sampled_from("abcd"), max_size=30)


def longest(left, right):
    """The length of a longest common subsequence, as the textbook has it."""
    row = [0] * (len(right) + 1)
    for one in left:
        before = row[:]
        for j, other in enumerate(right):
            row[j + 1] = before[j] + 1 if one == other else max(before[j + 1], row[j])
    return row[-1]


@settings(deadline=None)
@given(FEW, FEW)
def test_matches_are_a_longest_common_subsequence(left, right):
    """Without unique lines first, no other matching keeps more."""
    found = matches(left, right, is_patient=False)
    assert all(left[i] == right[j] for i, j in found)
    assert all(a < c and b < d for (a, b), (c, d) in itertools.pairwise(found))
    assert len(found) == longest(left, right)


@settings(deadline=None)
@given(FEW, FEW)
def test_matching_lines_first_where_they_are_unique_is_still_a_matching(left, right):
    """Both sides grow, equal items only."""
    found = matches(left, right)
    assert all(left[i] == right[j] for i, j in found)
    assert all(a < c and b < d for (a, b), (c, d) in itertools.pairwise(found))


def test_a_block_that_is_repeated_stays_in_one_piece():
    """A function added between two others is one block, not one torn at equal lines."""
    old = ["def a():", "  x", "", "def c():", "  z", ""]
    new = ["def a():", "  x", "", "def b():", "  y", "", "def c():", "  z", ""]
    assert [j for j in range(9) if j not in {pair[1] for pair in matches(old, new)}] == [3, 4, 5]


@settings(deadline=None)
@given(FEW, FEW)
def test_gaps_and_matches_are_everything(left, right):
    """Each place of both sides comes exactly once, in order."""
    lefts, rights = [], []
    for some, others, match in gaps(matches(left, right), len(left), len(right)):
        lefts += [*some, *([match[0]] if match else [])]
        rights += [*others, *([match[1]] if match else [])]
    assert (lefts, rights) == (list(range(len(left))), list(range(len(right))))


@settings(deadline=None)
@given(st.lists(st.text("ab c", max_size=8), max_size=40), st.lists(st.text("ab c", max_size=8), max_size=40))
def test_pairing_loses_no_line(left, right):
    """Every removed and every added line comes once, in order."""
    found = paired(left, right)
    assert [i for i, _ in found if i is not None] == list(range(len(left)))
    assert [j for _, j in found if j is not None] == list(range(len(right)))


@settings(deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_parts_of_a_line_are_the_line(left, right):
    """Words, spaces and signs of any text, put together again; what is kept is kept on both sides."""
    old, new = words(left, right)
    assert "".join(part.text for part in old) == left == "".join(tokens(left))
    assert "".join(part.text for part in new) == right
    kept = ["".join(part.text for part in parts if not part.is_changed) for parts in (old, new)]
    assert kept[0] == kept[1]


def test_words_that_changed_are_in_one_piece_and_template_tags_whole():
    """Spaces between changed words are marked too; a tag is one word."""
    old, new = words("Answer in at most {{ limit }} sentences.", "Answer in {{ limit or 3 }} short lines.")
    assert [part.text for part in old if part.is_changed] == ["at most ", "{{ limit }}", " sentences"]
    assert [part.text for part in new if part.is_changed] == ["{{ limit or 3 }}", " short lines"]
    assert [part.text for part in new if part.is_template] == ["{{ limit or 3 }}"]


def test_scripts_without_spaces_have_words_too():
    """One changed character of a Japanese sentence does not mark the sentence."""
    old, _ = words("船は八時に出ます", "船は九時に出ます")
    assert [part.text for part in old if part.is_changed] == ["八"]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("", ""),
        ("a", ""),
        ("", "b"),
        ("book a cabin", "book a pet cabin now"),
        ("one two", "three four"),
        ("a b", "b a"),
    ],
)
def test_pieces_hold_both_texts(left, right):
    """Without what only the right has they are the left text, and the other way round."""
    found = pieces(left, right)
    assert "".join(text for sign, text in found if sign != "+") == left
    assert "".join(text for sign, text in found if sign != "-") == right


def test_long_stretches_of_both_are_cut():
    """What changed stays whole, with a little of what stands around it."""
    found = pieces(f"{'word ' * 100}old", f"{'word ' * 100}new", around=20)
    assert [sign for sign, _ in found] == [" ", "-", "+"]
    assert len(found[0].text) < 50
