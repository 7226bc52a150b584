"""A judge that learns from what it got wrong, measured on what it was not shown, with the stand-in as its model."""

from __future__ import annotations

import pytest

from lmops.errors import RefusedError, UsageError
from lmops.scorers import judge, panel, with_examples

KINDS = (
    ("The ferry leaves at noon from the harbour.", "pass"),
    ("Buy our premium insurance today, it is a great offer!", "fail"),
    ("Dogs travel in the pet cabins on deck four.", "pass"),
    ("Whatever, read the help pages yourself, lazy customer.", "fail"),
)


def polite(model="standin:judge-1", **options):
    return judge("polite", "Is it polite and to the point?", model=model, **options)


def rows(count=80, kinds=KINDS, **more):
    """Answers of few kinds, of which a judge that goes by words passes all, and people do not."""
    return [
        {"item": f"i{n}", "input": f"question {n}", "output": f"{kinds[n % len(kinds)][0]} Number {n}.",
         "label": kinds[n % len(kinds)][1], **more}
        for n in range(count)
    ]  # fmt: skip  # one row


def test_a_judge_learns_what_people_say(ws):
    """From examples of one part; on the other it is right more often, and calibrated there."""
    found = ws.feedback.improve(polite(), rows())
    assert found.is_better
    assert found.judge is found.candidate
    assert found.before.right[0] == pytest.approx(0.5, abs=0.1)
    assert found.after.right[0] == 1.0
    assert found.p_value < 0.05
    assert ws.feedback.calibration(found.judge) == found.calibration
    assert found.calibration.n_pass + found.calibration.n_fail == found.n_held_out
    assert "the new version is kept" in found.text
    assert "mended" in found._repr_html_()
    assert ws.sql("select action, subject from audit where action = 'judge.improve'").fetchall() == [
        ("judge.improve", "polite")
    ]


def test_a_better_judge_is_kept_as_a_draft(ws):
    """Made from the old one, in any process the same; no alias moves until somebody promotes it on this evidence."""
    old = ws.judges.save(polite())
    ws.judges.protect("polite")
    found = ws.feedback.improve("judge:polite", [dict(row, trace_id=f"{n:032x}") for n, row in enumerate(rows())])
    assert (found.saved.ref, found.saved.parent, ws.judges.aliases("polite")) == ("polite@2", old.version, {})
    assert found.saved.scorer.version == found.judge.version == found.calibration.judge_version
    assert found.saved.traces == tuple(f"{int(item[1:]):032x}" for item in found.examples for _ in range(2))
    assert "polite@2 is a draft: ws.judges.promote('polite', 2, to=..., evidence='improvement-1')" in found.text
    with pytest.raises(RefusedError, match="improvement-1 is about polite@2"):
        ws.judges.promote("polite", 1, to="production", evidence=found)
    assert ws.judges.promote("polite", 2, to="production", evidence=found).is_moved
    assert ws.sql("select judge, from_version, version, n_held_out from judge_improvements").fetchall() == [
        ("polite", 1, 2, found.n_held_out)
    ]
    assert ws.judges.list()["calibration"].tolist() == [found.calibration.number]
    assert ws.audit.verify().ok


def test_who_is_erased_is_erased_from_a_better_judge(ws):
    """The examples that were made of a trace go with it, also from a judge that was made from this one."""
    found = ws.feedback.improve(polite(), [dict(row, trace_id=f"{n:032x}") for n, row in enumerate(rows())])
    shown = found.saved.traces[0]
    again = with_examples(found.judge, [{"output": "Buy!", "verdict": "fail"}])
    with ws.project.change() as change:
        figures = {"n_learning": 9, "n_held_out": 9, "p_value": 0.01}
        ws.judges.better(change, found.judge, again, traces=[None, None], figures=figures)
        change.say("judge.improve", "polite")
    ws.erase(trace_ids=shown, reason="asked for", dry_run=False)
    assert [ws.judges.get(f"polite@{version}").erased for version in (1, 2, 3)] == [0, 2, 2]
    with pytest.raises(UsageError, match="judges no more"):
        ws.feedback.improve("judge:polite", rows())
    assert ws.audit.verify().ok


def test_no_version_is_measured_on_what_it_was_shown(ws):
    """Items keep their part when more are labelled and when the improved judge is improved again."""
    first = ws.feedback.improve(polite(), rows())
    assert not set(first.examples) & set(first.df().item)
    more = [*rows(), *(dict(row, item=f"j{n}", label="fail") for n, row in enumerate(rows()))]
    second = ws.feedback.improve(first.judge, more)
    assert set(first.df().item) <= set(second.df().item)
    assert not set(first.examples) & set(second.df().item)
    held_out = {row["output"] for row in rows() if row["item"] in set(first.df().item)}
    shown = "".join(message["content"] for message in first.judge.options["few_shot"])
    assert not any(output in shown for output in held_out)


def test_what_belongs_together_is_in_one_part(ws):
    """All items of a cluster are learned from, or held out."""
    given = [dict(row, cluster=int(row["item"][1:]) // 8) for row in rows()]
    found = ws.feedback.improve(polite(), given)
    held_out = {int(item[1:]) // 8 for item in found.df().item}
    assert found.n_held_out == 8 * len(held_out)
    assert {int(item[1:]) // 8 for item in found.examples}.isdisjoint(held_out)


def test_one_that_is_no_better_is_not_kept(ws):
    """Labels of no pattern teach nothing: the old version stays, and nothing is calibrated."""
    noise = [dict(row, label="pass" if n * 7919 % 13 % 2 else "fail") for n, row in enumerate(rows(kinds=KINDS[:1]))]
    old = polite()
    found = ws.feedback.improve(old, noise)
    assert not found.is_better
    assert found.judge is old
    assert found.calibration is None
    assert ws.feedback.calibration(found.candidate) is None
    assert (found.saved, found.verdict_id, len(ws.judges.list())) == (None, None, 0)
    assert "the old version is kept" in found.text


def test_labels_of_a_queue_and_what_raters_wrote(ws):
    """What the judge said in a run is not asked again; critiques become the reasons of the examples."""
    given = [{"id": row["item"], "input": row["input"], "output": row["output"]} for row in rows()]
    run = ws.evals.run("recorded", ws.datasets.save("answers", given), [polite()], progress=False)
    ws.feedback.schemas.save("verdict")
    ws.feedback.queue("q", run, schema="verdict")
    said = {row["item"]: row["label"] for row in rows()}
    for item in ws.feedback.queues.items("q").itertuples():
        value = {"value": said[item.example_id], "critique": "Too pushy."}
        ws.feedback.queues.label("q", item.position, {"verdict": value}, rater="ann")
    found = ws.feedback.improve(polite(), "q")
    assert found.is_better
    assert "Too pushy." in found.judge.options["few_shot"][1]["content"]
    assert found.calibration.schema == "verdict@1"
    assert found.n_learning + found.n_held_out == 80


def test_what_cannot_be_improved_is_refused(ws):
    """No disagreement, one item, a judge that takes no examples, labels without answers."""
    with pytest.raises(UsageError, match="the judge agrees with people on all"):
        ws.feedback.improve(polite(), rows(kinds=KINDS[:1]))
    with pytest.raises(UsageError, match="cannot be split into two parts"):
        ws.feedback.improve(polite(), rows(count=1))
    with pytest.raises(UsageError, match="no column named 'output'"):
        ws.feedback.improve(polite(), [{"item": 1, "label": 1}])
    two = panel("two", [polite(), polite().named("other")])
    with pytest.raises(UsageError, match=r"only what lmops\.scorers\.judge made"):
        with_examples(two, [])
    with pytest.raises(UsageError, match=r"give the judge that lmops\.scorers\.judge made"):
        ws.feedback.improve("polite", rows())
    with pytest.raises(UsageError, match="give a share between 0 and 1"):
        ws.feedback.improve(polite(), rows(), share=1)


def test_examples_make_another_version(ws):
    """Of the same name, scale and direction; the same examples again make the same."""
    shot = {"input": "x", "output": "y", "verdict": "fail", "rationale": "Rude."}
    old = polite(rubric={"pass": "kind", "fail": "rude"}, reference=False)
    new = with_examples(old, [shot])
    assert new.version != old.version
    assert new.version == polite(rubric={"pass": "kind", "fail": "rude"}, reference=False, few_shot=[shot]).version
    assert with_examples(new, []).version == new.version
    graded = polite(scale={"good": 1, "so-so": 0.5, "bad": 0})
    assert with_examples(graded, []).version == graded.version
