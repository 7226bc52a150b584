"""Trajectories: loops are told at the call that closes them, two runs are aligned, arguments have one form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmops.calc.trajectories import Called, align, canonical, find_loop, kept_in_order, loops

RUNS = st.lists(st.builds(Called, st.sampled_from("abc"), st.sampled_from(["1", "2"])), max_size=12)


def path(text: str) -> list[Called]:
    """A run with a call a letter; the letter is tool and arguments."""
    return [Called(letter, letter) for letter in text]


def test_canonical_is_one_form_of_what_is_equal():
    """Order of keys, 2.0 and 2, JSON as text; what differs stays apart, and nothing breaks it."""
    assert canonical({"b": [2.0], "a": {"y": 1, "x": None}}) == '{"a":{"x":null,"y":1},"b":[2]}'
    assert canonical('{"b":[2],"a":{"x":null,"y":1}}') == canonical({"a": {"y": 1, "x": None}, "b": [2.0]})
    assert canonical({"a": True}) != canonical({"a": 1}) != canonical({"a": "1"})
    assert canonical(None) == canonical("") == canonical({}) == "{}"
    assert canonical("not {json") == "not {json"
    assert canonical('{"a":' * 100_000) == '{"a":' * 100_000
    assert canonical({1: {2}, "k": b"x"}).startswith('{"1":')
    deep: list[object] = []
    deep.append(deep)
    assert canonical(deep) == "<class 'list'>"


def test_the_same_call_three_times_is_a_loop_wherever_it_comes():
    """It is told at the third, and counted to the last."""
    assert find_loop(path("abac")) is None
    assert find_loop(path("abacad")) == ("same call", 0, 4, 1, 3)
    assert find_loop(path("abacada")) == ("same call", 0, 6, 1, 4)
    assert find_loop([Called("a", "1"), Called("a", "2"), Called("a", "3")]) is None
    assert find_loop(path("aaa"), same=0) is None


def test_a_cycle_of_up_to_four_calls_is_a_loop_when_it_comes_twice():
    """The shortest block is the one named; one call again and again is no cycle."""
    assert find_loop(path("xabab"), same=0) == ("cycle", 1, 4, 2, 2)
    assert find_loop(path("abcdabcd"), same=0) == ("cycle", 0, 7, 4, 2)
    assert find_loop(path("abcdeabcde"), same=0) is None
    assert find_loop(path("aaaaaaaa"), same=0) is None
    assert find_loop(path("abababab"), same=0) == ("cycle", 0, 7, 2, 4)


def test_calls_that_bring_nothing_new_are_a_loop():
    """Other arguments, the same answers; an answer that is unknown says nothing, another tool's is another answer."""
    stuck = [Called("find", str(i), "nothing") for i in range(6)]
    assert find_loop(stuck) == ("no new result", 1, 5, 1, 5)
    assert find_loop(stuck[:5]) is None
    assert find_loop([call._replace(result=None) for call in stuck]) is None
    assert find_loop([call._replace(tool=call.arguments) for call in stuck]) is None
    assert find_loop([*stuck[:4], Called("find", "x", "found"), *stuck[:2]], same=0, cycle=0) is None
    assert loops([*stuck, Called("find", "x", "found")])[0].times == 5


def test_asked_after_each_call_a_loop_is_told_at_the_call_that_closes_it():
    """The first place where it answers is the same as that of the whole run."""
    run = path("xabcabcab")
    told = next(n for n in range(len(run) + 1) if find_loop(run[:n]))
    assert told == 7  # x, abc, abc
    assert find_loop(run).text == "3 calls 2 times in a row (calls 2 to 7)"


@pytest.mark.parametrize("asked", [{"same": 1}, {"stale": -1}, {"cycle": 1}])
def test_a_limit_that_makes_every_call_a_loop_is_refused(asked: dict[str, int]):
    """It names what was asked."""
    with pytest.raises(ValueError, match=f"{next(iter(asked))} must be 0"):
        loops([], **asked)


def test_two_runs_are_aligned_step_by_step():
    """Equal calls hold, other arguments of the same tool are changed, the rest is missing or extra."""
    one = [Called("find", "1"), Called("pay", "5"), Called("mail", "1")]
    other = [Called("find", "1"), Called("check", "1"), Called("pay", "6")]
    assert align(one, other) == (
        ("match", 0, 0),
        ("extra", None, 1),
        ("changed", 1, 2),
        ("missing", 2, None),
    )
    assert align([], []) == ()
    assert [step.kind for step in align(one, [])] == ["missing"] * 3


@given(RUNS, RUNS)
def test_an_alignment_holds_each_call_once_and_in_order(left: list[Called], right: list[Called]):
    """Nothing is lost or said twice, and the kinds say what is true."""
    steps = align(left, right)
    assert [step.left for step in steps if step.left is not None] == list(range(len(left)))
    assert [step.right for step in steps if step.right is not None] == list(range(len(right)))
    for kind, i, j in steps:
        if kind == "match":
            assert left[i] == right[j]
        elif kind == "changed":
            assert left[i].tool == right[j].tool
            assert left[i] != right[j]
        else:
            assert (i is None) != (j is None)
    assert sum(step.kind == "match" for step in steps) == kept_in_order(left, right)


@given(RUNS)
def test_loops_lie_inside_the_run(run: list[Called]):
    """Bounds and counts are those of the run."""
    for loop in loops(run):
        assert 0 <= loop.first < loop.last < len(run)
        assert loop.times >= 2
