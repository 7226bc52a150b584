"""Suggested failure modes, and what becomes of one: a category that raters choose, a scorer that runs."""

from __future__ import annotations

import math

import pytest

from lmops.errors import NotFoundError, UsageError
from lmops.scorers import ScoreInput
from tests.feedback.notes import noted
from tests.feedback.test_themes import A, B, C, D, E, F
from tests.scorers.test_judge import Model, judged


@pytest.fixture
def themes(ws):
    return noted(ws)


def test_notes_that_say_alike_things_are_suggested(ws, themes):
    """By their words, the same every time; nothing is changed until somebody makes a mode of them."""
    found = themes.suggest()
    assert sorted(one.notes for one in found.modes) == [(A, B, C), (D, E, F)]
    assert {one.name.split(", ")[0] for one in found.modes} == {"fare", "rude"}
    assert (found, found.left, found.by) == (themes.suggest(), 0, "words")
    assert ws.sql("select count(*) from failure_history").fetchall() == [(0,)]
    made = themes.make(found.modes[0].name, found.modes[0].notes)
    assert (made.notes, len(themes.suggest(n=1).modes)) == (3, 1)
    assert "rude" in found.text


def test_a_model_of_meanings_is_used_where_one_is_given(themes):
    """A function, or the name of a model; what it returns has to be vectors of these notes."""
    asked = []

    def embed(texts):
        asked.extend(texts)
        return [[1, "rude" in text] for text in texts]

    assert sorted(one.notes for one in themes.suggest(embed, n=2).modes) == [(A, B, C), (D, E, F)]
    assert len(asked) == 6
    assert len(themes.suggest("standin:embed-1").modes) >= 1
    for wrong in (lambda _texts: [[1.0]], lambda _texts: None, lambda texts: [[math.nan]] * len(texts)):
        with pytest.raises(UsageError, match="vectors"):
            themes.suggest(wrong)
    with pytest.raises(UsageError, match="n=9"):
        themes.suggest(n=9)


def test_without_notes_nothing_is_suggested(ws, themes):
    """And a note that is like no other is left."""
    themes.make("all", [A, B, C, D, E])
    found = themes.suggest()
    assert (found.modes, found.left) == ((), 1)
    themes.assign(F, "all")
    assert themes.suggest().modes == ()
    assert "no notes" in themes.suggest().text


def test_a_mode_becomes_a_category_of_the_schema(ws, themes):
    """A new version of it; the second mode joins the first, and the same again is the same version."""
    themes.make("invents fares", [A], criteria="No source has the price.")
    version = themes.mode("invents fares").to_category("support")
    (_, field) = version.fields
    assert (version.ref, field.name, field.kind) == ("support@2", "failure_mode", "category")
    assert (field.options, field.criteria) == (("invents fares", "other"), "invents fares: No source has the price.")
    themes.make("rude", [D])
    third = themes.mode("rude").to_category("support")
    assert third.fields[1].options == ("invents fares", "rude", "other")
    assert third.fields[1].keys["invents fares"] == field.keys["invents fares"]
    assert themes.mode("rude").to_category("support").ref == "support@3"
    ws.feedback.queues.use("q", "support")
    ws.feedback.queues.label("q", 1, {"verdict": "fail", "failure_mode": "rude"}, rater="bob")
    with pytest.raises(UsageError, match="is of kind pass_fail"):
        themes.mode("rude").to_category("support", field="verdict")
    with pytest.raises(NotFoundError):
        themes.mode("rude").to_category("nope")


def run(text):
    """Return the scorer that a text makes."""
    names = {}
    exec(compile(text, "stub", "exec"), names)
    return next(value for name, value in names.items() if name.startswith("no_"))


def test_a_mode_becomes_a_judge_that_runs(themes):
    """With its criteria, answers that fail and answers that do not; hostile texts stay texts."""
    name = 'says """ \' {x} \\ </script>'
    themes.make(name, [A, B], criteria='A " quote, \\N and {braces}.')
    text = themes.mode(name).to_scorer(model="standin:ferry-1")
    judge = run(text)
    assert (judge.name, judge.kind) == ("no_says_x_script", "judge")
    assert "{braces}" in judge.options["criteria"]
    shots = [one["content"] for one in judge.options["few_shot"]]
    assert any("answer 1" in one for one in shots)
    assert any("invents a fare of 40 euro" in one for one in shots)
    model = Model({"rationale": "made up", "verdict": "fail"})
    score = judged(judge, model, "40 euro")
    assert (score.value, score.rationale) == (0, "made up")
    assert "{braces}" in model.asked[0]["messages"][0]["content"]


def test_a_mode_becomes_code_that_runs(themes):
    """It looks for words of the answers that fail; a mode whose name has no letters of ours is called by its number."""
    themes.make("费用", [A, B, C])
    scorer = run(themes.mode(1).to_scorer("code"))
    assert scorer.name == "no_failure_1"
    assert scorer.score(ScoreInput(output="anything")).value in (0, 1)
    assert run(themes.mode(1).to_scorer(model="standin:ferry-1")).kind == "judge"
    with pytest.raises(UsageError, match="code, judge"):
        themes.mode(1).to_scorer("regex")
