"""Scorers of tools: which were called, with what, in circles, what was left behind; unmeasured where nothing says."""

from __future__ import annotations

import pytest

from lmops import scorers
from lmops.errors import UsageError
from lmops.scorers import ScoreInput

FIND, PAY = {"name": "find", "arguments": {"id": "A1"}}, {"name": "pay", "arguments": {"id": "A1", "amount": 12}}


def score(scorer, made, wanted=None, **metadata):
    expected = None if wanted is None else {"tool_calls": wanted}
    return scorer.score(ScoreInput(output="x", expected=expected, tool_calls=made, example={"metadata": metadata}))


@pytest.mark.parametrize(
    ("made", "options", "value"),
    [
        ([FIND, PAY], {}, 1.0),
        ([PAY, FIND], {}, 1.0),
        ([PAY, FIND], {"order": True}, 0.5),
        ([FIND], {}, 2 / 3),
        ([FIND, FIND, PAY], {}, 0.8),
        ([FIND, FIND, PAY], {"read_only": ["fi*"]}, 1.0),
        ([], {}, 0.0),
    ],
)
def test_tool_selection(made, options, value):
    """F1 of names; order where it is declared; further look-ups cost and are no error."""
    assert score(scorers.tool_selection(**options), made, [FIND, PAY]).value == pytest.approx(value)


def test_nothing_expected_is_unmeasured_and_none_expected_is_not():
    """An empty list rules calls out."""
    assert score(scorers.tool_selection(), [FIND]).status == "unmeasured"
    assert score(scorers.tool_selection(), [], []).value == 1.0
    assert score(scorers.tool_selection(), [FIND], []).value == 0.0
    assert score(scorers.tool_args(), [FIND]).status == "unmeasured"
    assert score(scorers.tool_args(), [], [FIND]).status == "unmeasured"


def test_tool_args_by_argument():
    """Exact, normalised, one of several, ignored; each call is compared with the one that fits best."""
    made = [{"name": "pay", "arguments": {"id": " a1", "amount": "12.0", "note": "hi"}}]
    assert score(scorers.tool_args(), made, [PAY]).value == 0.0
    assert score(scorers.tool_args(how="normalised", rules={"note": "ignored"}), made, [PAY]).value == 1.0
    found = score(scorers.tool_args(rules={"pay.id": ["A1", "B2"], "note": "ignored"}), made, [PAY])
    assert found.value == 0.5
    assert found.detail["wrong"] == [{"argument": "pay.amount", "expected": 12, "given": "12.0"}]
    two = [{"name": "pay", "arguments": {"id": "B2"}}, {"name": "pay", "arguments": {"id": "A1"}}]
    assert score(scorers.tool_args(), two, list(reversed(two))).value == 1.0
    assert score(scorers.tool_args(), [{"name": "pay", "arguments": {"id": True}}], [two[0]]).value == 0.0
    with pytest.raises(UsageError, match="normalised"):
        scorers.tool_args(how="fuzzy")


def test_tool_state():
    """Compared as JSON; parts that do not matter; only what is expected."""
    want = {"state": {"order": {"id": 1, "at": "x"}, "paid": True}}
    here = {"answer": "ok", "state": {"order": {"id": 1.0, "at": "y"}, "paid": True, "more": 1}}
    of = {"output": here, "expected": want}
    assert scorers.tool_state().score(ScoreInput(**of)).value is False
    assert scorers.tool_state(ignore=["*.at"], partial=True).score(ScoreInput(**of)).value is True
    assert scorers.tool_state(ignore=["*.at"]).score(ScoreInput(**of)).detail == {"differ": ["more"]}
    assert scorers.tool_state().score(ScoreInput(output="x", expected=want)).status == "unmeasured"
    assert scorers.tool_state().score(ScoreInput(output=here)).status == "unmeasured"


def test_no_forbidden_tool_and_loops_and_steps():
    """Names and patterns in any case; circles are counted; steps beside the shortest known way."""
    assert score(scorers.no_forbidden_tool(tools=["P*"]), [FIND, PAY]).value is False
    assert score(scorers.no_forbidden_tool(), [FIND], forbidden_tools=["pay"]).value is True
    assert score(scorers.no_forbidden_tool(), [FIND]).status == "unmeasured"
    assert score(scorers.no_forbidden_tool(tools=["x"]), None).status == "unmeasured"
    assert score(scorers.tool_loops(), [FIND] * 3).value == 1.0
    assert score(scorers.tool_loops(same=4), [FIND] * 3).value == 0.0
    assert score(scorers.tool_steps(), [FIND, PAY, FIND], [FIND, PAY]).value == 1.5
    assert score(scorers.tool_steps(), [FIND, PAY], shortest_calls=1).value == 2.0
    assert score(scorers.tool_steps(), [FIND]).status == "unmeasured"


def test_cost_stands_beside_that_of_the_cheapest_known_way():
    """What is unknown is no figure."""

    def spent(usd, known):
        given = ScoreInput(output="x", cost_usd=usd, example={"metadata": {"cheapest_usd": known}})
        return scorers.tool_cost().score(given)

    assert spent(0.03, 0.01).value == pytest.approx(3)
    assert {spent(None, 0.01).status, spent(0.03, None).status, spent(0.03, 0).status} == {"unmeasured"}
