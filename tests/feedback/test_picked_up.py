"""What a judge is calibrated on by itself: what people labelled of what it judged."""

from __future__ import annotations

import pytest

from lmops.errors import UsageError
from tests.evals.judged import JUDGE, calibrated, judged, labelled, truth
from tests.store.helpers import span

SAID = truth(80, rate=0.6, seed=3)


@pytest.fixture
def run(ws):
    return judged(ws, SAID, "new")


def right(said, label):
    """How often the judge says what people say of passes, or of fails."""
    found = [judge == human for human, judge in said if human is label]
    return sum(found) / len(found)


def test_labels_on_cases_of_a_run(ws, run):
    """Verdicts are those of this version on the same cases; the record says what was used."""
    labelled(ws, run, SAID, 80)
    for labels in (None, run, "of-new", ws.feedback.queues.get("of-new")):
        found = ws.feedback.calibrate(JUDGE, labels)
        assert found.sensitivity[0] == pytest.approx(right(SAID.values(), True))
        assert found.specificity[0] == pytest.approx(right(SAID.values(), False))
    assert found.used == (
        "80 labels of queue of-new under verdict@1 by ann", f"verdicts on 80 items by run {run.run_id}"
    )  # fmt: skip  # a sentence a line
    assert found.schema == "verdict@1"
    assert found.used[0] in found.text
    assert ws.feedback.calibration(JUDGE) == found


def test_verdicts_on_the_traces_that_people_labelled(ws):
    """Of recorded answers, and of production where no run judged one."""
    ids = [f"{number:032x}" for number in range(6)]
    for one in ids:
        ws.store.append_many({"spans": [span("t", "root", trace_id=one, span_id="1" * 16)]})
    ws.feedback.schemas.save("verdict")
    ws.feedback.queue("q", ids, schema="verdict")
    for position in range(1, 7):
        ws.feedback.queues.label("q", position, {"verdict": "pass" if position > 2 else "fail"}, rater="ann")
    rows = [{"id": one, "input": "x", "output": "x y", "trace_id": one} for one in ids[:4]]
    run = ws.evals.run("recorded", ws.datasets.save("seen", rows), [JUDGE], progress=False)
    for one in ids[3:5]:
        ws.feedback.record(one, value=0, name="polite", kind="number", source="otel")
    found = ws.feedback.calibrate(JUDGE)
    assert (found.n_pass, found.n_fail) == (3, 2)
    assert found.used[1:] == (
        f"verdicts on 4 items by run {run.run_id}",
        "verdicts on 1 items by production, whose version nobody said",
        "1 labelled items are left out: this version of the judge never judged them",
    )


def test_a_decision_counts_before_labels(ws, run):
    """And of several raters most decide; a draw is left out."""
    ws.feedback.schemas.save("verdict")
    ws.feedback.queue("q", run, schema="verdict", k=2)
    for position in (1, 2):
        for rater, value in (("ann", "pass"), ("bob", "fail")):
            ws.feedback.queues.label("q", position, {"verdict": value}, rater=rater)
    ws.feedback.queues.adjudicate("q", 1, {"verdict": "fail"})
    found = ws.feedback.calibrate(JUDGE)
    assert (found.n_pass, found.n_fail, found.n_disputed) == (0, 1, 1)


def test_older_criteria_are_left_out(ws, run):
    """Labels hold for the version of the schema that they were made under."""
    labelled(ws, run, SAID, 10)
    ws.feedback.schemas.save("verdict", criteria="Stricter.")
    ws.feedback.queues.use("of-new", "verdict@2")
    for position in (11, 12):
        ws.feedback.queues.label("of-new", position, {"verdict": "pass"}, rater="ann")
    found = ws.feedback.calibrate(JUDGE)
    assert (found.n_pass, found.schema) == (2, "verdict@2")
    assert "10 labels under another schema than verdict@2 are left out" in found.used


def test_a_newer_version_of_the_schema_makes_it_stale(ws, run):
    """Wherever the scores of the judge are shown."""
    labelled(ws, run, SAID)
    ws.feedback.calibrate(JUDGE)
    ws.feedback.schemas.save("verdict", criteria="Stricter.")
    assert run.uncalibrated() == {"polite": "stale: the label schema was verdict@1 and is verdict@2"}


def test_newer_labels_are_held_against_the_record(ws, run, clock):
    """Those that people gave since, without being handed over."""
    calibrated(ws)
    wrong = {name: (not judge, judge) for name, (_, judge) in SAID.items()}
    labelled(ws, run, wrong, 60)
    assert not ws.feedback.recheck(JUDGE).is_fresh


def test_what_is_missing_is_said(ws, run):
    """Labels, or verdicts of this version."""
    with pytest.raises(UsageError, match="people labelled nothing of what judge 'polite' judges"):
        ws.feedback.calibrate(JUDGE)
    labelled(ws, run, SAID, 3)
    with pytest.raises(UsageError, match="labelled 3 items, and version 9 of judge 'polite' judged none of them"):
        ws.feedback.calibrate("polite", version="9")


def test_a_queue_chosen_by_the_judge_is_left_out(ws, run):
    """On its doubtful cases it errs more often than elsewhere; asked for by name it is taken."""
    labelled(ws, run, SAID, 40)
    frame = run.df()
    ws.store.append_many({"spans": [span("t", "root", trace_id="a" * 32, span_id="1" * 16)]})
    assert len(frame) == 80
    ws.feedback.record("a" * 32, value="down")
    rows = [{"id": "a", "input": "x", "output": "x y", "trace_id": "a" * 32}]
    ws.evals.run("recorded", ws.datasets.save("seen", rows), [JUDGE], progress=False)
    ws.feedback.queue("hard", "judge_against_human", schema="verdict", about="polite")
    ws.feedback.queues.label("hard", 1, {"verdict": "fail"}, rater="ann")
    found = ws.feedback.calibrate(JUDGE)
    assert found.n_pass + found.n_fail == 40
    assert found.used[-1].startswith("1 labels of queue hard are left out")
    named = ws.feedback.calibrate(JUDGE, "hard")
    assert named.n_fail == 1
    assert named.used[-1] == (
        "items of queue hard were chosen by what the judge said of them (judge_against_human): it may err otherwise "
        "elsewhere"
    )


def test_agreement_of_a_queue_by_name(ws, run):
    """As of the queue itself."""
    labelled(ws, run, SAID, 5)
    assert ws.feedback.agreement("of-new").fields[0].n_items == 5


def test_the_card_has_no_empty_row(ws, run):
    """What is not known has none."""
    found = calibrated(ws)
    assert "repeats that disagree" not in found.text
    assert "<td></td>" not in found._repr_html_()


def test_labels_drawn_by_the_verdict_count_by_their_chance(ws):
    """Twice as many fails as passes were drawn: the judge's errors are those of the run, not of the draw."""
    said = truth(400, rate=0.8, seed=11)
    run = judged(ws, said, "large")
    frame = run.df().assign(run_id=run.run_id)
    passed = frame.example_id.map(lambda name: said[name][1])
    counts = passed.value_counts()
    drawn = frame[~passed].head(60), frame[passed].head(30)
    rows = [
        one | {"probability": len(part) / int(counts[is_pass])}
        for part, is_pass in zip(drawn, (False, True), strict=True)
        for one in part.to_dict("records")
    ]
    ws.feedback.schemas.save("verdict")
    ws.feedback.queue("drawn", rows, schema="verdict")
    for row in ws.feedback.queues.items("drawn", n=90).itertuples():
        value = "pass" if said[row.example_id][0] else "fail"
        ws.feedback.queues.label("drawn", row.position, {"verdict": value}, rater="ann")
    found = ws.feedback.calibrate(JUDGE, "drawn")
    assert found.judge_rate == pytest.approx(passed.mean())
    assert found.specificity[1] < right(said.values(), False) < found.specificity[2]
    (one,) = run.summary()
    assert one.corrected_low < sum(human for human, _ in said.values()) / 400 < one.corrected_high
