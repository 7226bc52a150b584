"""Patterns of one's own: what they find, and which of them would not end on hostile text."""

import pytest

from lmops.errors import UsageError
from lmops.guardrails import Given, made


def found(pattern, text):
    rail = made("patterns", {"rules": {"kind": pattern}})
    return [(one.start, one.end) for one in rail.find(Given(text=text, stage="output"))]


@pytest.mark.parametrize(
    "pattern",
    [
        r"(a|a)*b", r"(a+)*", r"(a+b?)*c", r"(?:a|aa){30}", r"((a|aa){8}){8}", r"((a)?)*", r"(\w+ ){2}",
        "(?x)(a+ # )\n)*", r"(?=(a*)+)", r"(x)?(?(1)(a+)+|b)", r"a{1,99999999999}", "(",
    ],
)  # fmt: skip  # cases that belong together share a line
def test_an_expression_that_would_not_end_is_refused(pattern):
    """A group that can read the same text in many ways is not repeated, however it is written."""
    with pytest.raises(UsageError, match="patterns: 'kind'"):
        found(pattern, "a")


@pytest.mark.parametrize(
    "pattern",
    [r"\bTL-\d{6}\b", r"(?:\d{1,3}\.){3}\d{1,3}", r"(\d{4}[ -]?){3}\d{4}", r"(a|b)*", r"\w+@\w+\.\w+", r"(a*)?"],
)
def test_ordinary_expressions_are_taken(pattern):
    """Numbers in groups, addresses, one of some characters."""
    assert found(pattern, "") == [] or pattern.endswith(("*", "?"))


def test_what_is_found_does_not_depend_on_where_it_stands():
    """A long text is read in steps, and none of them is seen."""
    for before in (0, 1, 490, 495, 499, 500, 501, 999, 1_000, 2_345):
        text = "-" * before + "TL-123456" + "-" * 700 + "TL-654321"
        assert found(r"\bTL-\d{6}\b", text) == [(before, before + 9), (before + 709, before + 718)]
    assert found(r"^-|-$", "-" * 2_000) == [(0, 1), (1_999, 2_000)]


def test_hostile_text_is_an_error_and_no_wait():
    """The square of a long text is not waited for."""
    with pytest.raises(UsageError, match="took too long"):
        found(r"\d+\d+x", "1" * 1_000_000)
