"""What people would find beside what a judge says: in runs, comparisons, gates, frames and charts."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from lmops import charts
from lmops.evals._differences import adjusted
from lmops.evals._people import difference_of_people, rate_of_people
from lmops.feedback import labels_of_cases
from lmops.scorers import build
from tests.evals.judged import JUDGE, calibrated, judged, labelled, truth

NEW, OLD = truth(400, rate=0.7, seed=1), truth(400, rate=0.5, seed=2)


@pytest.fixture
def new(ws):
    return judged(ws, NEW, "new")


@pytest.fixture
def old(ws):
    return judged(ws, OLD, "old")


def test_a_rate_is_corrected_by_the_calibration(ws, new):
    """Beside what the judge says, with its limits, in the record, the text and the frame."""
    calibrated(ws)
    (one,) = new.summary()
    assert (one.calibration, one.correction) == ("fresh", "by calibration 1")
    assert one.corrected_low < sum(y for y, _ in NEW.values()) / 400 < one.corrected_high
    assert one.corrected_words in new.text
    assert one.corrected_words in new._repr_html_()
    assert ws.evals.summary([new]).corrected.tolist() == [one.corrected]


def test_a_rate_is_corrected_by_labels_of_its_cases(ws, new):
    """PPI++ on what people labelled so far, which nobody chose for a reason."""
    labelled(ws, new, NEW)
    (one,) = new.summary()
    assert one.calibration == "uncalibrated: it has no calibration"
    assert math.isnan(one.corrected)
    assert one.ppi_low < sum(y for y, _ in NEW.values()) / 400 < one.ppi_high
    assert (one.ppi_labels, one.ppi_note) == (60, "60 labels of queue of-new under verdict@1")
    assert one.ppi_words in new.text


@pytest.mark.parametrize(
    ("prepare", "why"),
    [
        (lambda _: None, "uncalibrated: it has no calibration"),
        (lambda ws: ws.feedback.calibrate("polite", [{"item": 1, "label": 1, "verdict": 1}], version="other"),
         "stale: the judge's version was other"),
        (lambda ws: ws.feedback.calibrate(JUDGE, [{"item": 1, "label": 1, "verdict": 1}]), "no label says fail"),
        (lambda ws: calibrated(ws, sensitivity=0.5, specificity=0.4), "a coin does as well"),
    ],
)  # fmt: skip  # a case a line
def test_what_cannot_be_corrected_says_why(ws, new, prepare, why):
    """No labels, another version, a class that is missing, a coin."""
    prepare(ws)
    (one,) = new.summary()
    assert math.isnan(one.corrected)
    assert why in one.correction
    assert why in new.text
    assert one.ppi_note == "nobody labelled its cases"


def test_marked_rows_tell_of_themselves_only(ws, new):
    """Labels on what was chosen for a reason are in no rate."""
    ws.feedback.schemas.save("verdict")
    ws.feedback.queue("marked", new.df().assign(run_id=new.run_id)[:30], schema="verdict")
    for position in range(1, 31):
        ws.feedback.queues.label("marked", position, {"verdict": "pass"}, rater="ann")
    (one,) = new.summary()
    assert (one.ppi_labels, one.ppi_note) == (0, "the 30 cases that people labelled were chosen for a reason")


def test_scores_that_are_no_verdicts(quiet, rows):
    """A scale has no sensitivity; scorers that are no judges say nothing of people."""
    graded = replace(build(lambda output: len(output) % 3, name="grade"), range=(0, 2), kind="judge")
    scale, plain = quiet(lambda question: question, rows, scorers=(graded, "exact_match")).summary()
    assert scale.correction == "uncalibrated: it has no calibration"
    assert (plain.calibration, plain.correction, plain.ppi_note) == ("", "", "")


def test_a_difference_is_corrected(ws, new, old):
    """By the calibration as if the judge erred alike, and by labels on both sides without that."""
    calibrated(ws)
    found = ws.evals.compare(new, old)
    one = found["polite"]
    assert one.correction == "by calibration 1, as if the judge erred alike on both"
    assert one.corrected_low < one.corrected < one.corrected_high
    assert one.corrected > one.difference
    for run, said in ((new, NEW), (old, OLD)):
        labelled(ws, run, said)
    one = ws.evals.compare(new, old)["polite"]
    assert one.correction == "by 60 labels of a and 60 of b"
    assert one.corrected_low < sum(NEW[n][0] - OLD[n][0] for n in NEW) / 400 < one.corrected_high


def test_a_comparison_says_that_its_judge_is_uncalibrated(ws, new, old):
    """In its notes, its frame and its text; the command line prints the same."""
    found = ws.evals.compare(new, old)
    assert "the judge polite is uncalibrated: it has no calibration" in found.notes
    assert "not corrected: uncalibrated" in found.text
    assert found.df().calibration.tolist()[0] == "uncalibrated: it has no calibration"
    calibrated(ws)
    found = ws.evals.compare(new, old)
    assert not any("uncalibrated" in note for note in found.notes)
    assert found["polite"].corrected_outcome in found.text


def test_a_gate_decides_on_the_corrected_rate(ws, new):
    """And says so: what the judge says would pass."""
    calibrated(ws)
    (one,) = new.summary()
    bar = one.corrected_high + 0.01
    verdict = ws.evals.gate(new, criteria={"scorers": {"polite": {"min": bar}}})
    assert verdict.outcome == "fail"
    assert f"corrected by calibration 1; the judge says {one.mean:.4g}" in verdict.text


def test_a_gate_decides_on_the_corrected_loss(ws, new, old):
    """Against the baseline; the numbers of the verdict are those that decided."""
    calibrated(ws)
    asked = {"scorers": {"polite": {"max_loss": 0.02}}}
    worse = ws.evals.gate(old, new, asked)
    assert worse.outcome == "fail"
    result = worse.results[-1]
    assert result.value == pytest.approx(-ws.evals.compare(old, new)["polite"].corrected)
    assert "as if the judge erred alike on both; the judge says a - b is" in result.reason
    assert ws.evals.gate(new, old, asked).outcome == "pass"


def test_a_coin_decides_nothing(ws, new):
    """Its calibration holds, and says that its verdicts are none; the criteria may allow it."""
    calibrated(ws, sensitivity=0.5, specificity=0.4)
    asked = {"scorers": {"polite": {"min": 0.1}}}
    verdict = ws.evals.gate(new, criteria=asked)
    assert verdict.outcome == "inconclusive"
    assert "not corrected: sensitivity" in verdict.text
    assert ws.evals.gate(new, criteria={**asked, "allow_uncalibrated": True}).outcome == "pass"


def test_missing_cases_count_as_the_worst_also_when_corrected(ws, new):
    """Bounds are those of the corrected rate."""
    calibrated(ws)
    (one,) = new.summary()
    told, ground = rate_of_people(one, (0.0, 1.0))
    assert (told.worst, told.best, ground.is_corrected) == (told.mean, told.mean, True)
    told, _ = rate_of_people(replace(one, coverage=0.5), (0.0, 1.0))
    assert (told.worst, told.best) == pytest.approx((one.corrected / 2, one.corrected / 2 + 0.5))


def test_limits_as_wide_as_the_scale_decide_only_where_there_are_no_others(ws, new):
    """A calibration that hardly tells the judge from a coin leaves the word to few labels on the very cases."""
    calibrated(ws)
    (one,) = new.summary()
    wide = replace(one, corrected_low=0.0, corrected_high=1.0)
    assert rate_of_people(wide, (0.0, 1.0))[0].low == 0.0
    few = replace(wide, ppi=0.6, ppi_low=0.3, ppi_high=0.8, ppi_labels=12, ppi_note="12 labels")
    told, ground = rate_of_people(few, (0.0, 1.0))
    assert (told.low, ground.words.startswith("corrected by 12 labels")) == (0.3, True)


def test_what_no_judge_scored_is_as_it_was(ws, quiet, rows):
    """Neither rate nor difference, and no words."""
    one, two = (quiet(lambda question: question, rows, name=name) for name in "ab")
    (summary,) = one.summary()
    told, ground = rate_of_people(summary, (0.0, 1.0))
    assert told is summary
    assert not ground.words
    difference = ws.evals.compare(one, two)["exact_match"]
    assert difference_of_people(difference)[0] is difference


def test_charts_show_both(ws, new, old):
    """Open marks for what people would find; a judge without a calibration that holds is named so."""
    figure = charts.scores(ws.evals.summary([new]))
    assert list(figure.data[0].x) == ["polite (uncalibrated)"]
    calibrated(ws)
    labelled(ws, new, NEW)
    figure = charts.scores(ws.evals.summary([new]))
    assert [trace.name for trace in figure.data] == ["new", "new, corrected", "new, by labels"]
    assert list(figure.data[0].x) == ["polite"]
    found = ws.evals.compare(new, old)
    assert "corrected" in [trace.name for trace in found.plot().data]
    assert list(found.plot("cost").data) == []


def test_slices_are_corrected_too(ws):
    """Each by its own pairs."""
    calibrated(ws)
    sides = [judged(ws, said, name, language="en") for said, name in ((NEW, "new"), (OLD, "old"))]
    (one,) = ws.evals.compare(*sides, slices=["language"]).slice_differences
    assert one.slice == "language=en"
    assert one.corrected_outcome


def test_the_command_line_says_it_in_json(ws, new):
    """Calibration and both corrections, numbers or null."""
    from lmops.cli.evals import _run_data

    calibrated(ws)
    (said,) = json.loads(json.dumps(_run_data(new)["summary"]))
    assert said["calibration"] == "fresh"
    assert 0 < said["corrected"] < 1
    assert said["ppi"] is None


def test_an_early_gate_says_that_its_bounds_are_not_corrected(ws):
    """They hold at every look for what the judge says."""
    rows = [{"example_id": one, "input": one, "expected": ""} for one in NEW]
    until = {"scorers": {"polite": {"min": 0.3}}}
    run = ws.evals.run(lambda given: f"{given} y", rows, (JUDGE,), name="early", until=until, progress=False)
    verdict = ws.evals.gate(run)
    assert verdict.outcome == "inconclusive"
    assert "its bounds take polite by the judge's own word, not corrected" in verdict.text


def test_the_command_line_ends_by_the_corrected_outcome(ws, new, old):
    """Where the judge says better and people may not, it is inconclusive."""
    from lmops.cli.evals import _comparison_code

    found = ws.evals.compare(new, old)
    assert (found["polite"].outcome, _comparison_code(found)) == ("better", 0)
    for run, said in ((new, NEW), (old, OLD)):
        labelled(ws, run, said, 30)
    found = ws.evals.compare(new, old)
    assert found["polite"].corrected_outcome == "inconclusive"
    assert _comparison_code(found) == 3
    assert "polite better (corrected: inconclusive)" in repr(found)


def test_a_difference_by_a_coin_is_not_corrected(ws, new, old):
    """It has no outcome of its own, and decides nothing."""
    calibrated(ws, sensitivity=0.5, specificity=0.4)
    one = ws.evals.compare(new, old)["polite"]
    assert (one.corrected_outcome, one.calibration) == ("", "fresh")
    assert "a coin does as well" in one.correction
    verdict = ws.evals.gate(new, old, {"scorers": {"polite": {"max_loss": 0.2}}})
    assert verdict.outcome == "inconclusive"
    assert "a coin does as well" in verdict.text


@pytest.mark.parametrize(
    ("others", "margin", "want"), [(0, None, "better"), (3, None, "inconclusive"), (3, 0.5, "non_inferior")]
)
def test_corrected_outcomes_count_how_many_decide(ws, new, old, others, margin, want):
    """As those of the judge do: of several, one at p = .03 is no difference; a loss that is excluded stays so."""
    calibrated(ws)
    told = {"corrected_p": 0.03, "corrected_low": 0.01, "corrected_outcome": "better", "margin": margin}
    one = replace(ws.evals.compare(new, old)["polite"], **told)
    more = [replace(one, name=f"other {n}", corrected_p=0.9, corrected_outcome="inconclusive") for n in range(others)]
    if margin is not None:
        one = replace(one, corrected_low=-0.01)
    made = adjusted([one, *more], "holm", 0.05, decide=["polite", *(found.name for found in more)], of="scorers")
    assert made[0].corrected_outcome == want


def test_known_answers_are_no_part_of_what_is_labelled_so_far(ws, new):
    """Half of what was drawn is labelled: so much of each chance was used, however many known answers were given."""
    rows = [{"run_id": new.run_id, "example_id": f"e{n:03}", "probability": 0.2 if n % 2 else 0.4} for n in range(40)]
    ws.feedback.schemas.save("verdict")
    ws.feedback.queue("drawn", rows[:20], schema="verdict")
    ws.feedback.queues.gold("drawn", [row | {"values": {"verdict": "pass"}} for row in rows[20:]], share=0.5)
    for position in (*range(1, 11), *range(21, 41)):
        ws.feedback.queues.label("drawn", position, {"verdict": "pass"}, rater="ann")
    found = labels_of_cases(ws.store, [new.run_id])[new.run_id].of("polite", [(name, 0) for name in NEW])
    assert len(found.numbers) == 10
    assert {round(chance, 6) for chance in found.chances.values()} == {0.1, 0.2}
    assert ws.feedback.calibrate(JUDGE, "drawn").n_pass == 10
