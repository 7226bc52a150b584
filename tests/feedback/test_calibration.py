"""Calibrations of judges: what is measured, what is kept, what makes one stale; agreement of raters."""

from __future__ import annotations

import sqlite3

import pandas as pd
import pytest

from lmops.errors import DamagedStoreError, NotFoundError, UsageError
from lmops.scorers import judge


def rows(right_passes=36, right_fails=16, passes=40, fails=20, **more):
    """Labels of so many passes and fails, of which the judge gets so many right."""
    said = [("pass", i < right_passes) for i in range(passes)] + [("fail", i < right_fails) for i in range(fails)]
    return [
        {
            "item": f"i{n}",
            "label": label,
            "verdict": label if is_right else {"pass": "fail", "fail": "pass"}[label],
            **more,
        }
        for n, (label, is_right) in enumerate(said)
    ]


def polite(criteria="Is it polite?", model="openai:small"):
    return judge("polite", criteria, model=model)


def test_a_calibration_is_measured_and_kept(ws):
    """With its limits, for this version of the judge, in the view and in the audit chain."""
    made = ws.feedback.calibrate(polite(), rows(schema="verdict@2"))
    assert (made.sensitivity[0], made.specificity[0], made.n_pass, made.n_fail) == (0.9, 0.8, 40, 20)
    assert made.sensitivity[1] < 0.9 < made.sensitivity[2]
    assert (made.judge_version, made.model, made.schema) == (polite().version, "openai:small", "verdict@2")
    assert ws.feedback.calibration(polite(), schema="verdict@2") == made
    assert ws.sql("select judge, n_pass, specificity from calibrations").fetchall() == [("polite", 40, 0.8)]
    assert ws.sql("select action, subject from audit order by event_id desc limit 1").fetchall() == [
        ("judge.calibrate", "polite")
    ]
    assert ws.audit.verify()


def test_a_judge_without_a_record_is_uncalibrated(ws):
    """None, also of another name."""
    ws.feedback.calibrate("other", rows(), version="1")
    assert ws.feedback.calibration(polite()) is None


@pytest.mark.parametrize(
    ("asked", "schema", "why"),
    [
        (polite(criteria="Is it very polite?"), "verdict@1", "the judge's version was"),
        (polite(model="openai:large"), "verdict@1", "its model was openai:small and is openai:large"),
        (polite(), "verdict@2", "the label schema was verdict@1 and is verdict@2"),
    ],
)
def test_a_calibration_is_stale_when_anything_moves(ws, asked, schema, why):
    """The prompt, the model, the schema."""
    ws.feedback.calibrate(polite(), rows(schema="verdict@1"))
    found = ws.feedback.calibration(asked, schema=schema)
    assert not found.is_fresh
    assert any(why in reason for reason in found.stale)


def test_newer_labels_that_disagree_make_it_stale(ws):
    """By a test, from then on; a new calibration is fresh again."""
    ws.feedback.calibrate(polite(), rows())
    assert ws.feedback.recheck(polite(), rows(right_passes=35)).is_fresh
    found = ws.feedback.recheck(polite(), rows(right_fails=4))
    assert found.stale[0].startswith("specificity was 0.800 and is 0.200 on 20 newer labels")
    assert ws.feedback.calibration(polite()).stale == found.stale
    ws.feedback.calibrate(polite(), rows(right_fails=4))
    assert ws.feedback.calibration(polite()).is_fresh


def test_several_raters_and_repeats(ws):
    """Most raters decide, a tie is left out; repeats, swaps and lengths are measured where they are given."""
    labels = pd.DataFrame(
        [
            {
                "item": item,
                "rater": rater,
                "label": label,
                "verdict": verdict,
                "repeat": repeat,
                "swapped": 1,
                "length": n,
            }
            for n, (item, verdicts) in enumerate([("a", (1, 1)), ("b", (0, 1)), ("c", (1, 1)), ("d", (0, 0))])
            for rater, label in zip(("ann", "bob", "eve"), (1, int(item != "d"), int(item == "a")), strict=True)
            for repeat, verdict in enumerate(verdicts)
        ]
        + [{"item": "tie", "rater": rater, "label": label, "verdict": 1} for rater, label in (("ann", 0), ("bob", 1))]
    )
    found = ws.feedback.calibrate(polite(), labels)
    assert (found.n_pass, found.n_fail, found.n_disputed, found.n_missing) == (3, 1, 1, 1)
    assert found.flip_rate == 0.25
    assert found.position_consistency[0] == 0.5
    assert found.length_slope[0] is not None


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        (rows(), "more of class fail"),
        (rows(fails=0, right_fails=0), "no label says fail yet"),
        (rows(right_passes=20, right_fails=10), "mend the judge first"),
    ],
)
def test_advice(ws, given, advice):
    """What to label next, or that labels are no help."""
    assert advice in ws.feedback.calibrate(polite(), given).advice


def test_a_rate_is_corrected_by_the_record(ws):
    """By the errors that it holds; without labels of one kind there is a reason instead."""
    found = ws.feedback.calibrate(polite(), rows())
    assert found.corrected(60, 100).estimate == pytest.approx((0.6 + 0.8 - 1) / 0.7)
    one_sided = ws.feedback.calibrate(polite(), rows(fails=0, right_fails=0))
    assert "no label says fail" in one_sided.corrected(60, 100).reason


def test_bad_labels_are_refused(ws):
    """Each with what was found; nothing is kept."""
    for given, words in (
        ([], "there are no labels"),
        ([{"item": 1, "label": 1}], "no column named 'verdict'"),
        ([{"item": 1, "label": "perhaps", "verdict": 1}], "'perhaps'; give pass or fail"),
        ([{"item": None, "label": 1, "verdict": 1}], "row 1 names no item"),
        ([{"item": 1, "label": None, "verdict": 1}], "none of the 1 items"),
        (rows(schema="v@1")[:1] + rows(schema="v@2")[1:], "made under v@1, v@2"),
    ):
        with pytest.raises(UsageError, match=words):
            ws.feedback.calibrate(polite(), given)
    with pytest.raises(UsageError, match="give version="):
        ws.feedback.calibrate("polite", rows())
    with pytest.raises(NotFoundError, match="has no calibration yet"):
        ws.feedback.recheck(polite(), rows())
    assert ws.sql("select count(*) from calibrations").fetchall() == [(0,)]


def test_a_record_that_was_changed_past_the_chain_is_refused(ws):
    """A judge cannot be made better by hand."""
    ws.feedback.calibrate(polite(), rows())
    with sqlite3.connect(ws.store.path / "meta.sqlite") as con:
        con.execute("update calibrations set figures = replace(figures, '0.8', '0.9')")
    con.close()
    with pytest.raises(DamagedStoreError):
        ws.feedback.calibration(polite())


def test_hostile_words_are_shown_as_words(ws):
    """Names of judges, fields and raters."""
    made = ws.feedback.calibrate("<s>\x1b[31mx", rows(), version="<i>1")
    assert "<s>" not in made._repr_html_()
    assert "\x1b" not in made.text
    found = ws.feedback.agreement([{"item": 1, "rater": "<u>", "value": "<s>", "field": "<s>\x1b"}])
    assert "<s>" not in found._repr_html_()
    assert "\x1b" not in found.text


def test_agreement_of_raters(ws):
    """Frames of coefficients, pairs and categories, and what is in dispute."""
    said = {"a": (1, 1), "b": (0, 1), "c": (0, 0), "d": (1, 1)}
    labels = [
        {"item": item, "rater": rater, "value": value, "field": "ok"}
        for item, values in said.items()
        for rater, value in zip(("ann", "bob"), values, strict=True)
    ]
    found = ws.feedback.agreement(labels)
    assert set(found.df().coefficient) == {"krippendorff_alpha", "gwet_ac1", "cohen_kappa", "fleiss_kappa"}
    assert found.pairs()[["rater_a", "rater_b", "raw", "kappa", "n"]].to_numpy().tolist() == [
        ["ann", "bob", 0.75, 0.5, 4]
    ]
    assert found.categories().agreement.tolist() == pytest.approx([2 / 3, 4 / 5])
    assert found.disagreements("ok") == ["b"]
    assert "agreement of raters in 1 field" in found.text


def test_agreement_says_its_measures_also_without_a_notebook(ws):
    """Each coefficient with its limits and n, a line each; a card has the same."""
    labels = [
        {"item": n, "rater": who, "value": n % 3 > 0 or (who == "b" and n % 4 == 0)} for n in range(40) for who in "ab"
    ]
    found = ws.feedback.agreement(labels)
    assert repr(found) == found.text
    assert found.text.startswith("agreement of raters in 1 field, limits at 95 %\nfield ")
    for row in found.df().itertuples():
        shown = f"{row.value:.3f} [{row.low:.3f}, {row.high:.3f}]"
        assert shown in repr(found)
        assert shown in found._repr_html_()


def test_agreement_of_bad_labels(ws):
    """A value that is no label, a field that there is not."""
    with pytest.raises(UsageError, match="is a dict; give one row per field"):
        ws.feedback.agreement([{"item": 1, "rater": "ann", "value": {"a": 1}}])
    with pytest.raises(UsageError, match="no field named 'tone'"):
        ws.feedback.agreement([{"item": 1, "rater": "ann", "value": 1}], categories={"tone": (1, 2)})
    with pytest.raises(UsageError, match="no column named 'rater'"):
        ws.feedback.agreement([{"item": 1, "value": 1}])


def test_agreement_of_a_queue(ws):
    """What its raters said, field by field."""
    ws.feedback.schemas.save("support")
    queue = ws.feedback.queues.open("q", ["1" * 32, "2" * 32], schema="support", k=2)
    for position, verdicts in ((1, ("pass", "pass")), (2, ("pass", "fail"))):
        for rater, verdict in zip(("ann", "bob"), verdicts, strict=True):
            ws.feedback.queues.label("q", position, {"verdict": verdict}, rater=rater)
    found = ws.feedback.agreement(queue)
    assert [one.field for one in found.fields] == ["verdict"]
    assert found.pairs().raw.tolist() == [0.5]
    assert found.disagreements() == ["2" * 32]


def test_items_that_belong_together_tell_less(ws):
    """Ten copies of each label correct a rate no better than the labels themselves."""
    alone = ws.feedback.calibrate(polite(), [row | {"cluster": row["item"]} for row in rows()])
    copies = [row | {"item": f"{row['item']}/{n}", "cluster": row["item"]} for row in rows() for n in range(10)]
    found = ws.feedback.calibrate(polite(), copies)
    assert (found.n_pass, found.n_fail) == (400, 200)
    assert (found.worth_pass, found.worth_fail) == pytest.approx((40, 20), rel=0.1)
    assert "tell as much as 39 pass and 19 fail" in found.text
    assert "tell as much" not in alone.text
    for n in (50, 5_000):
        width = [one.high - one.low for one in (found.corrected(n / 2, n), alone.corrected(n / 2, n))]
        assert width[0] == pytest.approx(width[1], rel=0.1)


def test_newer_labels_of_one_conversation_are_no_proof(ws):
    """A judge that errs in one of five long conversations has not changed."""
    ws.feedback.calibrate(polite(), [row | {"cluster": n % 12} for n, row in enumerate(rows())])
    newer = [
        {"item": n, "cluster": n // 20, "label": "pass", "verdict": "fail" if n // 20 == 2 else "pass"}
        for n in range(100)
    ]
    assert ws.feedback.recheck(polite(), newer).is_fresh
    assert not ws.feedback.recheck(
        polite(), [row | {"verdict": "fail", "cluster": n} for n, row in enumerate(newer)]
    ).is_fresh


@pytest.mark.parametrize("weight", [0, -1, "much", float("inf")])
def test_a_weight_is_a_number_above_zero(ws, weight):
    """What else is given is refused with its item."""
    with pytest.raises(UsageError, match="weight of item 'i0' is"):
        ws.feedback.calibrate(polite(), [row | {"weight": weight} for row in rows()])


@pytest.mark.parametrize("alpha", [0, 1, 2, -0.1, float("nan")])
def test_a_share_of_false_alarms_is_a_share(ws, alpha):
    """Another one is refused in words."""
    ws.feedback.calibrate(polite(), rows())
    with pytest.raises(UsageError, match="alpha="):
        ws.feedback.recheck(polite(), rows(), alpha=alpha)
