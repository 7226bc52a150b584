"""What the rails of a stage decide on a text, whatever they do."""

from __future__ import annotations

import copy
import itertools
import pickle
import threading
import time

import pytest

from lmops.errors import UsageError
from lmops.guardrails import Finding, Rail, RailKind, check
from lmops.guardrails.checking import Checker


def made(function, *, name="rail", action="block", **said):
    """Return a rail of a function from a text to findings."""
    kind = RailKind(name=name, function=lambda given: function(given.text))
    return Rail(kind=kind, name=name, action=action, **said)


def finds(word, kind="word"):
    """Return a function that finds a word."""
    return lambda text: [Finding(at, at + len(word), kind) for at in [text.find(word)] if at >= 0]


def raises(_text):
    raise ValueError("the secret text")


def test_the_gravest_of_several_counts():
    """A rail that finds nothing lets pass; of a block the policy's own words come back."""
    rails = [
        made(finds("a"), name="mild", action="flag"),
        made(finds("b"), name="grave"),
        made(finds("z"), name="none"),
    ]
    found = check(rails, "input", "ab", blocked_text="No.", policy="support@3")
    assert (found.action, found.is_blocked, found.text, found.policy) == ("block", True, "No.", "support@3")
    assert [one.action for one in found.verdicts] == ["flag", "block", "allow"]
    assert (found.decided_by.rail, found.decided_by.rules) == ("grave", ("word",))
    assert check(rails, "input", "").text == ""


def test_what_is_redacted_is_put_back():
    """By who holds the decision: neither its repr nor a pickle or a copy of it holds the map."""
    found = check([made(finds("a@b.eu", "email"), action="redact")], "input", "to a@b.eu")
    assert (found.action, found.text) == ("redact", "to [EMAIL_1]")
    assert found.restore("I wrote to [EMAIL_1].") == "I wrote to a@b.eu."
    kept = pickle.dumps(found)
    assert b"a@b.eu" not in kept
    assert "a@b.eu" not in f"{found!r}{found.text}{found.restore!r}{found._repr_html_()}"
    for other in (pickle.loads(kept), copy.deepcopy(found)):
        assert other.restore("[EMAIL_1]") == "[EMAIL_1]"


def test_what_cannot_be_taken_out_does_not_go_on():
    """A finding on the text as a whole leaves nothing to redact."""
    found = check([made(lambda _text: [Finding(0, 0, "too_long")], action="redact")], "input", "text")
    assert (found.action, found.verdicts[0].reason[:8]) == ("block", "too_long")


@pytest.mark.parametrize(("on_error", "action"), [("closed", "block"), ("open", "flag")])
@pytest.mark.parametrize(
    ("function", "said"),
    [
        (raises, "it raised ValueError"),
        (lambda _text: None, "it raised TypeError"),
        (lambda _text: [(0, 1)], "it returned tuple"),
        (lambda _text: [42], "it returned int"),
        (lambda _text: [Finding(0, 99, "far")], "0 to 99 in a text of 15 characters"),
        (lambda _text: [Finding(3, 1, "back")], "3 to 1"),
        (lambda _text: [Finding(0, 1, "")], "without a kind"),
        (lambda _text: [Finding(0, 1, "x", float("nan"))], "score of nan"),
        (lambda _text: itertools.repeat(Finding(0, 1, "x")), "more than 100,000 things"),
        (lambda _text: exec("raise SystemExit"), "it raised SystemExit"),
    ],
)
def test_a_rail_that_fails_is_a_verdict(function, said, on_error, action):
    """It fails as its policy says, is seen, and repeats nothing of the text."""
    found = check([made(function, on_error=on_error)], "input", "the secret text")
    assert (found.action, said in found.errors["rail"]) == (action, True)
    assert "secret" not in repr(found)


def test_a_rail_that_hangs_is_left_alone():
    """With too many of its checks under way it is asked no more until they have ended."""
    release = threading.Event()
    rail = made(lambda _text: release.wait(60) and [], timeout_s=0.001)
    found = [check([rail], "input", "x").errors["rail"] for _ in range(17)]
    release.set()
    assert (found[0], found[16][:23]) == ("it took longer than 0.001 s", "16 of its checks have n")
    end = time.monotonic() + 60
    while check([made_again(rail)], "input", "x").action == "block" and time.monotonic() < end:
        time.sleep(0.01)
    assert check([made_again(rail)], "input", "x").action == "allow"


def made_again(rail):
    """Return a rail with time enough."""
    return Rail(kind=rail.kind, name=rail.name, action=rail.action, timeout_s=60)


def test_the_budget_of_a_request_ends_its_rails():
    """What did not answer in time fails as its policy says, and is seen."""
    release = threading.Event()
    rail = made(lambda _text: release.wait(60) and [], on_error="open", timeout_s=60)
    found = check([rail], "output", "x", budget_ms=1)
    release.set()
    assert (found.action, found.errors) == ("flag", {"rail": "it took longer than the budget of its request"})


def test_a_text_that_is_blocked_is_not_shown_to_who_may_wait():
    """Rails of ours come first; what may ask a model is not asked then."""
    asked = []
    ours = made(finds("a"), name="ours")
    ours.kind.function.__module__ = "lmops.guardrails.rails.word"
    other = made(lambda text: asked.append(text) or [], name="other")
    checker = Checker({"input": [other, ours]})
    assert [one.rail for one in checker.check("input", "a").verdicts] == ["ours"]
    assert [one.rail for one in checker.check("input", "b").verdicts] == ["other", "ours"]
    assert (asked, checker.waits("input"), checker.waits("output")) == (["b"], True, False)


def test_a_long_text_that_is_blocked_is_not_read_further():
    """And a rail of ours that takes too long over it fails as its policy says."""
    release, asked = threading.Event(), []
    slow = made(lambda _text: release.wait(60) and [], name="slow", timeout_s=0.01)
    last = made(lambda text: asked.append(text) or [], name="last")
    for one in (slow, last):
        one.kind.function.__module__ = "lmops.guardrails.rails.word"
    found = check([slow, last], "input", "a" * 200_000)
    release.set()
    assert ([one.rail for one in found.verdicts], asked) == (["slow"], [])
    assert found.errors == {"slow": "it took longer than 0.01 s"}


@pytest.mark.parametrize(
    ("stage", "text", "said"),
    [
        ("input", None, "not None"),
        ("input", b"x", "decode"),
        ("inputs", "x", "did you mean 'input'"),
        ("input", 3, "int"),
    ],
)
def test_what_is_no_text_or_stage_is_said(stage, text, said):
    """Nothing passes unseen."""
    with pytest.raises(UsageError, match=said):
        check([], stage, text)


def test_a_context_that_is_none_is_said():
    """A rail that reads it would see nothing."""
    with pytest.raises(UsageError, match="context is what rails may know by name, and not str"):
        check([], "input", "x", context="question")


@pytest.mark.parametrize("text", ["", "\ud800\x00", "a" * 10_000_000])
def test_any_text_is_checked(text):
    """Empty, with lone surrogates and NUL, of ten million characters."""
    found = check([made(finds("a"), action="redact")], "input", text)
    assert found.restore(found.text) == text
